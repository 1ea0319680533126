"""Tells when a server answers: `python -m benchmarks.service.probe PORT` prints `ready`, then when it was answered.

The clock is CLOCK_MONOTONIC, which all processes share. Any status but UNAVAILABLE is an answer.
"""

import socket
import sys
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_POLL_SECONDS = 0.002
_WAIT_SECONDS = 60.0


def main(port: int) -> None:
    """Wait for the server."""
    print("ready", flush=True)
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(_POLL_SECONDS)
            continue
        if _has_answered(port):
            print(f"answered {time.monotonic()}", flush=True)
            return
        time.sleep(_POLL_SECONDS)
    sys.exit("no answer")


def _has_answered(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.RpcError as error:
            # A bare server has no health service, and says so.
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    main(int(sys.argv[1]))
