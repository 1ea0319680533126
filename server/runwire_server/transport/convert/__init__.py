"""Domain to protobuf and back. One function per type, no logic."""
