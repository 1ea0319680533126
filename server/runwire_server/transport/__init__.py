"""gRPC: proto in, domain out, and back. The only package that knows protobuf and grpc."""
