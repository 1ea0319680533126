"""A process that appends to one run for ever, and prints each sequence once it is acknowledged. Made to be killed."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Run, RunState
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Append, Store

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BATCH = 3


async def main(url: str, name: str) -> None:
    async with open_store(url) as store:
        session = SessionKey("app", "ann", name)
        await store.get_or_create_session(session, {}, NOW)
        await store.create_run(
            Run(
                key=RunKey("app", name),
                session=session,
                agent_name="a",
                state=RunState.QUEUED,
                create_time=NOW,
            )
        )
        run = await store.claim_run(RunKey("app", name), ReplicaId("child"), attempt=0, now=NOW)
        assert run is not None
        while True:
            run = await step(store, run)
            print(run.last_sequence, flush=True)


async def step(store: Store, run: Run) -> Run:
    events = tuple(
        ev.Event(
            request_id=run.key.request_id,
            sequence=run.last_sequence + place,
            create_time=NOW,
            author="a",
            payload=ev.MessagePayload("m", Message(Role.ASSISTANT, "x" * 100)),
            id=f"e{run.last_sequence + place}",
        )
        for place in range(1, BATCH + 1)
    )
    following = replace(run, last_sequence=run.last_sequence + BATCH)
    delta = {"count": following.last_sequence}
    await store.append(
        Append(
            run=following, after=run.last_sequence, events=events, session_events=events, state_delta=delta
        )
    )
    return following


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
