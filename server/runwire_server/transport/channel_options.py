"""Channel arguments. gRPC silently ignores a misspelt one, so they are written once (notes/grpc.md §2.3)."""

MIB = 1024 * 1024
REQUEST_BYTES_MAX = 4 * MIB

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    # A second server on the port must fail, not steal half of the connections.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", REQUEST_BYTES_MAX),
    ("grpc.max_send_message_length", REQUEST_BYTES_MAX),
    # Find peers that vanished without a word.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # The C macro is called MIN_RECV_PING_INTERVAL…; this is the string that works. Proxies ping often.
    ("grpc.http2.min_ping_interval_without_data_ms", 500),
    ("grpc.keepalive_permit_without_calls", 1),
)
