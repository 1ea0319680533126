"""A server that stores events behind a run's back, and servers with several stores, over the wire."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest

from runwire.v1 import run_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server import app as app_module
from runwire_server.app import App, LlmAgent, StartError, running
from runwire_server.config import Config
from runwire_server.domain.errors import NoRoomError, UnavailableError
from runwire_server.domain.ids import RunKey
from runwire_server.models.scripted import ScriptedModel
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store
from support import (
    CALL_SECONDS,
    call_turn,
    collect,
    durable,
    eventually,
    example_app,
    kinds,
    run_request,
    scripted_app,
    started_server,
    text_turn,
)
from unit.storage.deferred_support import FlakyStore


async def get(url: str) -> str:
    def fetch() -> str:
        with urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(fetch)


async def test_the_example_runs_and_is_stored(store_url: str, example: App) -> None:
    settings = {"persistence": "async", "metrics_listen": "127.0.0.1:0"}
    async with (
        started_server(example, store_url, **settings) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        request = run_request("What is 25*4?", session_id="s", request_id="r")
        events = durable(await collect(stub.Run(request, timeout=CALL_SECONDS)))

        assert [event.sequence for event in events] == list(range(1, 8))
        status = await stub.RunStatus(pb.RunStatusRequest(request_id="r"), timeout=CALL_SECONDS)
        assert status.run.state == run_pb2.RUN_STATE_COMPLETED
        listed = await stub.ListRunEvents(pb.ListRunEventsRequest(request_id="r"), timeout=CALL_SECONDS)
        assert list(listed.events) == events
        sessions: Any = session_service_pb2_grpc.SessionServiceStub(channel)
        key: Any = {"user_id": "u", "session_id": "s"}
        got = await sessions.GetSession(session_pb.GetSessionRequest(key=key), timeout=CALL_SECONDS)
        assert len(got.events) == 4
        shown = await get(f"http://{service.metrics_address}/metrics")
        assert "runwire_store_writes_lost_total 0.0" in shown
        assert 'runwire_store_queue_depth{worker="3"} 0.0' in shown


async def test_a_completion_that_was_seen_is_in_the_store(tmp_path: Path, example: App) -> None:
    url = f"sqlite:{tmp_path / 'runwire.db'}"
    async with (
        started_server(example, url, persistence="async") as service,
        grpc.aio.insecure_channel(service.address) as channel,
        open_store(url) as beside,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        for number in range(5):
            request = run_request("What is 25*4?", request_id=f"r{number}")
            events = durable(await collect(stub.Run(request, timeout=CALL_SECONDS)))
            stored = await beside.list_run_events(RunKey("assistant", f"r{number}"), after=0, limit=100)
            assert [event.id for event in stored] == [event.id for event in events]


@pytest.fixture
def example() -> App:
    """The example, read from its file before the loop runs."""
    return example_app()


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> FlakyStore:
    """The store of the server that is started next."""
    store = FlakyStore()

    @asynccontextmanager
    async def open_flaky(*_: Any, **__: Any) -> AsyncIterator[Store]:
        yield store

    monkeypatch.setattr(app_module, "open_store", open_flaky)
    return store


@pytest.mark.parametrize("ends", ["on_its_own", "cancelled", "with_its_answer_lost"])
async def test_a_run_whose_store_goes_away_ends_failed_once_it_is_back(flaky: FlakyStore, ends: str) -> None:
    gate = asyncio.Event()

    async def wait_for_gate() -> str:
        """Wait."""
        await gate.wait()
        return "ok"

    app = scripted_app([call_turn("wait_for_gate"), text_turn("done")], [wait_for_gate])
    settings = {"persistence": "async", "persistence_retry_seconds": 0.3}
    async with (
        started_server(app, "memory:", **settings) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        call = aiter(stub.Run(run_request(request_id="r"), timeout=CALL_SECONDS))
        events = []
        async for response in call:
            events.append(response.event)
            if response.event.WhichOneof("payload") == "tool_started":
                break
        await asyncio.sleep(0.1)
        durable_before = len(flaky._logs[RunKey("test", "r")].events)
        flaky.is_down = True
        gate.set()
        if ends == "cancelled":
            await asyncio.sleep(0.1)
            await stub.Cancel(pb.CancelRequest(request_id="r"), timeout=CALL_SECONDS)
        await asyncio.sleep(1.5)
        flaky.loses_answers = ends == "with_its_answer_lost"
        flaky.is_down = False
        events += await collect(call)
        assert not flaky.loses_answers

        assert [event.sequence for event in durable(events)] == list(range(1, len(durable(events)) + 1))
        completion = events[-1].completion
        assert completion.outcome == run_pb2.OUTCOME_FAILED
        assert completion.error.code == "WRITES_LOST"
        status = await stub.RunStatus(pb.RunStatusRequest(request_id="r"), timeout=CALL_SECONDS)
        assert status.run.state == run_pb2.RUN_STATE_FAILED
        assert status.run.error.code == "WRITES_LOST"
        listed = await stub.ListRunEvents(pb.ListRunEventsRequest(request_id="r"), timeout=CALL_SECONDS)
        assert [event.sequence for event in listed.events] == list(range(1, durable_before + 3))
        assert kinds(listed.events)[-2:] == ["error", "completion"]
        # The session can be used again.
        again = run_request("again", session_id=status.run.session.session_id, request_id="again")
        answered = await collect(stub.Run(again, timeout=CALL_SECONDS))
        assert answered[-1].WhichOneof("payload") == "completion"
        await eventually(lambda: service.runner.live_count == 0)


async def test_a_store_that_is_away_for_a_moment_costs_nothing(flaky: FlakyStore) -> None:
    async def lose_the_store() -> str:
        """Lose the store for a moment."""
        flaky.is_down = True
        asyncio.get_running_loop().call_later(0.5, setattr, flaky, "is_down", False)
        return "ok"

    app = scripted_app([call_turn("lose_the_store"), text_turn("done")], [lose_the_store])
    async with (
        started_server(app, "memory:", persistence="async") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        events = await collect(stub.Run(run_request(request_id="r"), timeout=CALL_SECONDS))

        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        stored = flaky._logs[RunKey("test", "r")].events
        assert [event.id for event in stored] == [event.id for event in durable(events)]


@pytest.mark.parametrize("persistence", ["sync", "async"])
async def test_a_store_without_room_keeps_no_run_open(flaky: FlakyStore, persistence: str) -> None:
    flaky.end_failures = [NoRoomError("no room"), UnavailableError("down")]
    async with (
        started_server(scripted_app([text_turn("x")]), "memory:", persistence=persistence) as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        events = await collect(stub.Run(run_request(request_id="r"), timeout=CALL_SECONDS))

        assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert flaky.end_failures == []


async def test_two_apps_are_served_from_two_stores(tmp_path: Path) -> None:
    stores = {"one": f"sqlite:{tmp_path / 'one.db'}", "two": f"sqlite:{tmp_path / 'two.db'}"}
    apps = [
        App(name, [LlmAgent("agent", model=ScriptedModel([text_turn(name)]))], store=store)
        for name, store in (("a", ""), ("b", "two"))
    ]
    config = Config(listen="127.0.0.1:0", store="one", stores=stores, persistence="async", drain_seconds=0.2)
    async with running(config, apps) as service, grpc.aio.insecure_channel(service.address) as channel:
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        for name in ("a", "b"):
            request = run_request(app_name=name, request_id="r")
            events = await collect(stub.Run(request, timeout=CALL_SECONDS))
            assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
    for url, name, other in ((stores["one"], "a", "b"), (stores["two"], "b", "a")):
        async with open_store(url) as store:
            assert (await store.get_run(RunKey(name, "r"))).last_sequence > 0
            assert [key.app_name for key in await _owners(store)] == [name] != [other]


async def _owners(store: Store) -> list[Any]:
    from runwire_server.domain.state import Tier

    return list((await store.list_owners(Tier.SESSION, limit=9)).items)


@pytest.mark.parametrize("where", ["server", "app"])
async def test_a_store_that_has_no_such_name_is_told_with_the_known_ones(where: str) -> None:
    stores = {"main": "postgresql://u:secret@h/db", "fast": "memory:"}
    app = App(
        "a", [LlmAgent("agent", model=ScriptedModel([text_turn("x")]))], store="nil" if where == "app" else ""
    )
    config = Config(listen="127.0.0.1:0", store="nil" if where == "server" else "memory:", stores=stores)
    with pytest.raises(StartError, match=r"'nil'.*fast, main") as refused:
        async with running(config, [app]):
            pass
    assert "secret" not in str(refused.value)


async def test_closing_waits_for_what_is_queued(
    flaky: FlakyStore, example: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with (
        started_server(example, "memory:", persistence="async") as service,
        grpc.aio.insecure_channel(service.address) as channel,
    ):
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        call = aiter(
            stub.Run(run_request("write a slow report on tea", request_id="r"), timeout=CALL_SECONDS)
        )
        await anext(call)

    run = flaky._logs[RunKey("assistant", "r")].run
    assert run.state.is_terminal
    assert not [record for record in caplog.records if "lost" in record.getMessage()]
