"""What the service costs beside a bare gRPC server and beside its peers."""
