"""Hooks see what sessions store and show; a failing one ends its call or its run, and nothing else."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import grpc
import pytest

from runwire import CallError, Client, RunFailedError
from runwire.v1 import event_pb2, run_pb2
from runwire_server.app import App, LlmAgent, SessionHook, StartError
from runwire_server.domain.events import Event, MessagePayload
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.sessions import Session, SessionEvent
from runwire_server.models.scripted import ScriptedModel
from support import started_server, text_turn


def saying(event: Event, text: str) -> Event:
    """The event with another text."""
    assert isinstance(event.payload, MessagePayload)
    said = replace(event.payload.message, content=text)
    return replace(event, payload=replace(event.payload, message=said))


def text_of(event: Event) -> str:
    assert isinstance(event.payload, MessagePayload)
    return event.payload.message.content


class Redact(SessionHook):
    """Stores no secret, and nothing that is off the record."""

    async def before_append(self, key: SessionKey, event: Event) -> Event | None:
        assert key.user_id == "u"
        text = text_of(event)
        if event.state_delta:
            event.state_delta["leak"] = True  # type: ignore[index]  # its own copy, so nobody sees that
        return None if "off the record" in text else saying(event, text.replace("secret", "***"))


class Shout(SessionHook):
    """Shows all in capitals, with a greeting."""

    async def after_get(
        self, session: Session, events: Sequence[SessionEvent]
    ) -> tuple[Session, Sequence[SessionEvent]]:
        shown = [replace(item, event=saying(item.event, text_of(item.event).upper())) for item in events]
        return replace(session, display_name="seen"), shown


class Exclaim(Shout):
    """Comes after Shout."""

    async def after_get(
        self, session: Session, events: Sequence[SessionEvent]
    ) -> tuple[Session, Sequence[SessionEvent]]:
        shown = [replace(item, event=saying(item.event, text_of(item.event) + "!")) for item in events]
        return session, shown


class Failing(SessionHook):
    """Fails at certain words, in its own ways."""

    async def before_append(self, key: SessionKey, event: Event) -> Event | None:
        match text_of(event):
            case "raise":
                raise ValueError("password=hunter2")
            case "cancel":
                raise asyncio.CancelledError
            case "nonsense":
                return 5  # type: ignore[return-value]
        return event

    async def after_get(
        self, session: Session, events: Sequence[SessionEvent]
    ) -> tuple[Session, Sequence[SessionEvent]]:
        if session.key.session_id == "unreadable":
            raise ValueError("password=hunter2")
        return session, events


def hooked_app(*hooks: SessionHook, turns: Sequence[Any] = ()) -> tuple[App, ScriptedModel]:
    model = ScriptedModel(turns or [text_turn("hi")])
    return App("test", [LlmAgent("agent", model=model)], session_hooks=hooks), model


def event(text: str, **state: Any) -> event_pb2.Event:
    made = event_pb2.Event()
    made.message.message.content = text
    if state:
        made.state_delta.update(state)
    return made


def texts(events: Any) -> list[str]:
    return [item.event.message.message.content for item in events]


async def test_hooks_change_what_is_stored_and_what_is_shown(store_url: str) -> None:
    app, model = hooked_app(Redact(), Shout(), Exclaim(), turns=[text_turn("a secret")] * 2)
    async with started_server(app, store_url) as server, Client(server.address, user_id="u") as client:
        await client.create_session("s")
        await client.append_event("s", event("my secret"))
        left_out = await client.append_event("s", event("off the record", gone=1))
        async with client.run("so secret", session_id="s", request_id="r") as run:
            answer = await run.text()
        async with client.run("again", session_id="s") as run:
            await run.text()

        stored = texts([item async for item in client.session_events("s")])
        shown = await client.get_session("s")
        log = [e async for e in client.run_events("r") if e.WhichOneof("payload") == "message"]

    assert answer == "a secret"
    assert [e.message.message.content for e in log] == ["a secret"]
    assert stored == ["my ***", "so ***", "a ***", "again", "a ***"]
    assert texts(shown.events) == ["MY ***!", "SO ***!", "A ***!", "AGAIN!", "A ***!"]
    assert shown.session.display_name == "seen"
    assert dict(shown.session.state) == {}
    assert left_out.position == 0
    read = [message.content for message in model.requests[1].messages]
    assert read[-4:] == ["MY ***!", "SO ***!", "A ***!", "again"]


async def test_a_failing_hook_ends_its_call_with_nothing_done(store_url: str) -> None:
    app, _ = hooked_app(Failing())
    async with started_server(app, store_url) as server, Client(server.address, user_id="u") as client:
        await client.create_session("s")
        await client.create_session("unreadable")
        for text in ("raise", "cancel", "nonsense"):
            with pytest.raises(CallError) as failed:
                await client.append_event("s", event(text, a=1))
            assert failed.value.code is grpc.StatusCode.INTERNAL
            assert failed.value.reason == "SESSION_HOOK_FAILED"
            assert "Failing.before_append failed; error id " in failed.value.message
            assert "hunter2" not in failed.value.message
        with pytest.raises(CallError, match=r"Failing\.after_get"):
            await client.get_session("unreadable")

        found = await client.get_session("s")

    assert (texts(found.events), dict(found.session.state)) == ([], {})


@pytest.mark.parametrize("word", ["raise", "cancel", "nonsense"])
async def test_a_failing_hook_ends_its_run_and_no_other(store_url: str, word: str) -> None:
    app, _ = hooked_app(Failing(), turns=[text_turn(word), text_turn("fine")])
    async with started_server(app, store_url) as server, Client(server.address, user_id="u") as client:
        with pytest.raises(RunFailedError, match="session hook"):
            await client.chat(word, session_id="s", request_id="asked")
        with pytest.raises(RunFailedError, match="session hook"):
            await client.chat("hi", session_id="s", request_id="answered")
        ended = [await client.status(name) for name in ("asked", "answered")]
        fine = await client.chat("ok", session_id="s")
        stored = texts([item async for item in client.session_events("s")])

    assert fine == "fine"
    for run in ended:
        assert run.state == run_pb2.RUN_STATE_FAILED
        assert (run.error.type, run.error.code) == ("hook_error", "SESSION_HOOK_FAILED")
        assert "hunter2" not in run.error.message
    assert word not in stored
    assert stored[0] == "hi"
    assert stored[-2:] == ["ok", "fine"]


async def test_a_hook_that_spoils_even_the_answer_of_a_failed_run_does_not_keep_it_open(
    store_url: str,
) -> None:
    class Mute(SessionHook):
        async def before_append(self, key: SessionKey, event: Event) -> Event | None:
            if text_of(event) != "hi":
                raise ValueError("no")
            return event

    app, _ = hooked_app(Mute(), turns=[text_turn("hello")])
    async with started_server(app, store_url) as server, Client(server.address, user_id="u") as client:
        with pytest.raises(RunFailedError):
            await client.chat("hi", session_id="s")
        assert texts([item async for item in client.session_events("s")]) == ["hi"]


@pytest.mark.parametrize("odd_hook", [object(), Redact], ids=["no hook", "a class"])
async def test_what_is_no_hook_is_refused_at_start(odd_hook: Any) -> None:
    odd, _ = hooked_app(odd_hook)

    with pytest.raises(StartError, match="SessionHook"):
        async with started_server(odd, "memory:"):
            pass
