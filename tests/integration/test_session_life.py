"""Expiry, restoring, tracks, flushing and cleaning up, with the Python client over the wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from runwire import CallError, Client
from runwire.v1 import event_pb2
from runwire.v1 import session_service_pb2 as pb
from runwire_server.app import App
from runwire_server.storage.opener import open_store
from support import started_server


@pytest.fixture
async def client(grpc_server: Any) -> AsyncIterator[Client]:
    async with Client(grpc_server.address, user_id="u") as made:
        yield made


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(CallError) as refused:
        await call
    return refused.value.code, refused.value.reason, refused.value.message


def event(text: str) -> event_pb2.Event:
    made = event_pb2.Event()
    made.message.message.content = text
    return made


async def test_a_session_has_the_life_that_it_was_given(client: Client) -> None:
    made = await client.create_session("s", ttl=timedelta(hours=1), display_name="Tea")
    found = await client.get_or_create_session("t", ttl=timedelta(hours=2), display_name="T")
    again = await client.get_or_create_session("s", ttl=timedelta(hours=2), display_name="Other")
    for_ever = await client.create_session("f", ttl=timedelta(0))

    assert (made.ttl.seconds, made.display_name) == (3600, "Tea")
    assert made.expire_time.seconds - made.update_time.seconds == 3600
    assert (found.created, found.session.ttl.seconds, found.session.display_name) == (True, 7200, "T")
    assert (again.created, again.session) == (False, made)
    assert not for_ever.HasField("ttl")
    assert not for_ever.HasField("expire_time")


async def test_a_session_is_changed_field_by_field(client: Client) -> None:
    await client.create_session("s", ttl=timedelta(hours=1), display_name="Tea")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)

    named = await client.update_session("s", display_name="Coffee")
    fixed = await client.update_session("s", expire_time=end)
    cleared = await client.update_session("s", display_name="", ttl=timedelta(0))
    renewed = await client.update_session("s", ttl=timedelta(minutes=1))

    assert (named.display_name, named.ttl.seconds) == ("Coffee", 3600)
    assert (fixed.expire_time.ToDatetime(UTC), fixed.HasField("ttl")) == (end, False)
    assert (cleared.display_name, cleared.HasField("expire_time"), cleared.HasField("ttl")) == (
        "",
        False,
        False,
    )
    assert renewed.expire_time.seconds - renewed.update_time.seconds == 60
    assert (await client.get_session("s")).session == renewed
    code, reason, message = await refusal(client.update_session("s", expire_time=datetime.now(UTC)))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert message.startswith("session.expire_time: ")
    both = client.update_session("s", expire_time=end, ttl=timedelta(days=1))
    assert (await refusal(both))[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert (await refusal(client.update_session("s")))[0] is grpc.StatusCode.INVALID_ARGUMENT
    missing = await refusal(client.update_session("nope", display_name="x"))
    assert missing[:2] == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


async def test_a_session_that_has_ended_is_gone_for_every_call(client: Client) -> None:
    await client.create_session("s")
    await client.update_session("s", expire_time=datetime.now(UTC) + timedelta(seconds=1.5))
    await asyncio.sleep(1.6)

    for call in (
        client.get_session("s"),
        client.append_event("s", event("hi")),
        client.update_session("s", display_name="x"),
        client.append_track_events("s", "t", ["1"]),
        client.restore_session("s"),
    ):
        assert (await refusal(call))[1] == "SESSION_NOT_FOUND"
    assert [session async for session in client.sessions()] == []
    assert not await client.delete_session("s")


async def test_a_deleted_session_comes_back_whole_unless_it_was_purged(client: Client) -> None:
    made = await client.create_session("s", state={"a": 1}, display_name="Tea", ttl=timedelta(hours=1))
    await client.append_event("s", event("hi"))
    await client.append_track_events("s", "clicks", ['{"x": 1}'])
    before = await client.get_session("s")
    assert await client.delete_session("s")

    back = await client.restore_session("s")

    assert back.display_name == "Tea"
    assert back.update_time == before.session.update_time
    assert (await client.get_session("s")).events == before.events
    assert [item.payload async for item in client.list_track_events("s", "clicks")] == ['{"x": 1}']
    assert (await refusal(client.restore_session("s")))[1] == "SESSION_ALREADY_EXISTS"
    assert await client.delete_session("s")
    assert not await client.delete_session("s", purge=True)
    assert (await refusal(client.restore_session("s")))[1] == "SESSION_NOT_FOUND"
    assert made.key.session_id == "s"


async def test_a_track_is_read_page_by_page_as_it_was_written(client: Client) -> None:
    await client.create_session("s")
    payloads = [json.dumps({"n": n}) for n in range(5)]

    assert await client.append_track_events("s", "a/b {}", payloads[:2]) == 2
    assert await client.append_track_events("s", "a/b {}", payloads[2:]) == 5

    items = [item async for item in client.list_track_events("s", "a/b {}")]
    assert [(item.position, item.payload) for item in items] == list(enumerate(payloads, 1))
    assert all(item.create_time.seconds for item in items)
    later = [item.position async for item in client.list_track_events("s", "a/b {}", after_position=3)]
    assert later == [4, 5]
    assert [item async for item in client.list_track_events("s", "other")] == []
    events = (await client.get_session("s")).events
    assert not events
    request = pb.ListTrackEventsRequest(key={"user_id": "u", "session_id": "s"}, track="a/b {}", page_size=2)
    page = await client._sessions.ListTrackEvents(request)
    assert ([item.position for item in page.events], page.next_page_token) == ([1, 2], "2")


async def test_a_page_is_cut_before_it_outgrows_a_response(client: Client) -> None:
    await client.create_session("s")
    text = "x" * 250_000
    for _ in range(10):
        await client.append_track_events("s", "t", [json.dumps(text)] * 2)
        await client.append_event("s", event(text * 4))

    tracked = [item.position async for item in client.list_track_events("s", "t")]
    said = [item.position async for item in client.session_events("s")]

    assert tracked == list(range(1, 21))
    assert said == list(range(1, 11))


async def test_flushing_returns_when_all_is_durable(client: Client) -> None:
    await client.create_session("s")

    await client.flush()


async def test_the_retention_of_the_configuration_holds(grpc_servicer: App, store_url: str) -> None:
    settings: dict[str, Any] = {
        "session_event_limit": 2,
        "session_ttl_seconds": 60,
        "deleted_session_hours": 0,
        "cleanup_interval_seconds": 1,
        "user_state_ttl_seconds": 0.2,
    }
    async with started_server(grpc_servicer, store_url, **settings) as server:
        async with Client(server.address, user_id="u") as client:
            made = await client.create_session("s", state={"user:a": 1})
            for number in range(4):
                await client.append_event("s", event(str(number)))
            found = await client.get_session("s")
            assert await client.delete_session("s")

            assert made.ttl.seconds == 60
            assert [item.event.message.message.content for item in found.events] == ["2", "3"]
            assert (await refusal(client.restore_session("s")))[1] == "SESSION_NOT_FOUND"
            await asyncio.sleep(0.3)
            assert await client.get_state(pb.STATE_TIER_USER) == {}


async def test_the_server_cleans_up_by_itself(grpc_servicer: App, tmp_path: Any) -> None:
    url = f"sqlite:{tmp_path / 'runwire.db'}"
    async with started_server(grpc_servicer, url, cleanup_interval_seconds=1) as server:
        async with Client(server.address, user_id="u") as client:
            await client.create_session("s")
            await client.update_session("s", expire_time=datetime.now(UTC) + timedelta(seconds=0.1))
            await asyncio.sleep(2.5)

    async with open_store(url) as store:
        assert await store.clean_up(limit=10) == 0
