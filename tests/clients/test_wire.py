"""A client that was generated from the first release's protos, and never again, beside the server of today."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from clients.newer_server import UNKNOWN_ENUM, newer_server
from clients.serving import Servers
from support import REPOSITORY

RELEASES = sorted((REPOSITORY / "protos" / "releases").glob("*.binpb"))
CALL_SECONDS = 30.0
STREAM_ONLY = {"caught_up", "heartbeat", "reconnect"}

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(300)]


class OldClient:
    """What protoc would make of a release's descriptors, without the files."""

    def __init__(self, release: bytes, address: str) -> None:
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(release).file:
            self._pool.Add(file)
        self._channel = grpc.insecure_channel(address)

    def message(self, name: str, **fields: Any) -> Any:
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(f"runwire.v1.{name}"))(
            **fields
        )

    def stream(self, service: str, method: str, request: Any) -> list[Any]:
        response = type(self.message(f"{method}Response"))
        call = self._channel.unary_stream(
            f"/runwire.v1.{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response.FromString,
        )
        return [response.event for response in call(request, timeout=CALL_SECONDS)]

    def call(self, service: str, method: str, request: Any) -> Any:
        call = self._channel.unary_unary(
            f"/runwire.v1.{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=type(self.message(f"{method}Response")).FromString,
        )
        return call(request, timeout=CALL_SECONDS)

    def run(self, name: str, content: str) -> list[Any]:
        message = self.message("Message", content=content)
        request = self.message("RunRequest", user_id="u", session_id=name, request_id=name, message=message)
        return self.stream("RunnerService", "Run", request)

    def close(self) -> None:
        self._channel.close()


def is_durable(event: Any) -> bool:
    return not event.partial and event.WhichOneof("payload") not in STREAM_ONLY


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_an_old_client_works_with_the_server_of_today(release: Any, servers: Servers) -> None:
    old = OldClient(release.read_bytes(), servers.address)
    name = f"old-{release.stem}"
    try:
        events = old.run(name, "look 2")
        log = old.call(
            "RunnerService", "ListRunEvents", old.message("ListRunEventsRequest", request_id=name)
        ).events
        run = old.call("RunnerService", "RunStatus", old.message("RunStatusRequest", request_id=name)).run
        key = old.message("SessionKey", user_id="u", session_id=name)
        session = old.call("SessionService", "GetSession", old.message("GetSessionRequest", key=key))
    finally:
        old.close()

    assert [event.id for event in filter(is_durable, events)] == [event.id for event in log]
    assert run.message.content == "That is look 🦊 done. "
    assert len(session.events) == 6


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_an_old_client_survives_what_a_newer_server_says(release: Any, servers: Servers) -> None:
    with newer_server(servers.address) as address:
        old = OldClient(release.read_bytes(), address)
        try:
            events = old.run(f"newer-{release.stem}", "fail")
        finally:
            old.close()

    unknown = [event for event in events if event.WhichOneof("payload") is None]
    changed = [event for event in events if event.WhichOneof("payload") == "run_state_changed"]
    assert [event.sequence for event in unknown] == [1]
    # It can pass on what it does not know.
    assert unknown[0].SerializeToString().endswith(b"future")
    assert UNKNOWN_ENUM in [event.run_state_changed.state for event in changed]
    assert events[-1].completion.outcome == UNKNOWN_ENUM
    assert [event.sequence for event in filter(is_durable, events)] == list(range(1, events[-1].sequence + 1))
