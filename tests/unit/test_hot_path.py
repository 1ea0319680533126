"""A guard for the path of a token: how many calls of functions it takes, which no busy machine changes.

`make bench` measures time. A figure that rises here makes every token of every run dearer: see docs/performance.md.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from runwire_server.agents.agent import Identity
from runwire_server.agents.model_call import _Answer as Shown
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.streams import StreamOptions
from runwire_server.models.model import ModelRequest
from runwire_server.models.openai.answer import AnswerReader
from runwire_server.models.openai.chunks import ChunkReader
from runwire_server.models.openai.client import _Answer as Read
from runwire_server.runner.follow import Follower
from runwire_server.runner.journal import Journal
from runwire_server.runner.live import LiveRun
from runwire_server.runner.voice import Voice
from runwire_server.transport.convert.events import event_to_wire

_NOW = datetime(2026, 11, 21, tzinfo=UTC)
_CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"token "},"finish_reason":null}]}\n\n'
)
_FRAMED = b"%x\r\n%b\r\n" % (len(_CHUNK), _CHUNK)
_TOKENS = 100


def live_run() -> LiveRun:
    run = Run(
        key=RunKey("app", "r"),
        session=SessionKey("app", "u", "s"),
        agent_name="agent",
        state=RunState.RUNNING,
        create_time=_NOW,
        last_sequence=1,
    )
    return LiveRun(run, reattach_grace_seconds=60)


def answer(live: LiveRun) -> Callable[[bytes], bool]:
    """Return what takes the bytes of a model's answer for the run's log, after the first of them."""
    journal = Journal(cast(Any, None), live, cast(Any, None), lambda: _NOW)
    voice = Voice(journal, Identity("agent", "agent", "i"), _NOW)
    take = Read(
        Shown(cast(Any, voice), ModelRequest(messages=())), AnswerReader(secret=""), is_whole=False
    ).take
    assert not take(_CHUNK)
    return take


async def calls_of(work: Callable[[], Any]) -> float:
    """Return how many functions are called for a token, in Python and in C."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        await work()
    finally:
        sys.setprofile(None)
    return count / _TOKENS


async def test_a_token_that_comes_alone_costs_few_calls() -> None:
    live = live_run()
    take = answer(live)
    chunks = ChunkReader()
    with Follower(
        live.run.key,
        store=cast(Any, None),
        find_live=lambda: live,
        reconnect=lambda: None,
        options=StreamOptions(),
        after=1,
        from_the_start=True,
    ) as follower:
        await follower.next()
        sent = 0

        async def work() -> None:
            nonlocal sent
            for _ in range(_TOKENS):
                content, _rest = chunks.feed(_FRAMED)
                take(content)
                for event in await follower.next():
                    sent += len(event_to_wire(event)) > 0

        calls = await calls_of(work)

    live.close()
    assert sent == _TOKENS
    # 93 when this was written.
    assert calls < 125


async def test_tokens_that_come_together_cost_next_to_nothing() -> None:
    live = live_run()
    take = answer(live)
    chunks = ChunkReader()

    async def work() -> None:
        content, _rest = chunks.feed(_FRAMED * _TOKENS)
        take(content)

    calls = await calls_of(work)

    assert sum(text.length for text in live.tail.texts.values()) == len("token ") * (_TOKENS + 1)
    live.close()
    # 12 when this was written.
    assert calls < 21
