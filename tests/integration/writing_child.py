"""A process whose writers append to one session at once, each its own numbers. `URL NAME WRITERS EVENTS`."""

import asyncio
import sys
from datetime import UTC, datetime

from runwire_server.domain.content import Message, Role
from runwire_server.domain.events import Event, MessagePayload
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.retention import Retention
from runwire_server.storage.opener import open_store
from runwire_server.storage.port import Store

KEY = SessionKey("app", "ann", "shared")
KEEP_ALL = Retention(event_limit=0)


async def main(url: str, name: str, writers: int, events: int) -> None:
    async with open_store(url, retention=KEEP_ALL) as store:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        async with asyncio.TaskGroup() as group:
            for number in range(writers):
                group.create_task(write(store, f"{name}.{number}", events))


async def write(store: Store, name: str, events: int) -> None:
    for number in range(events):
        now = datetime.now(UTC)
        said = MessagePayload("m", Message(Role.ASSISTANT, str(number)))
        event = Event(
            request_id="",
            sequence=0,
            create_time=now,
            author=name,
            payload=said,
            id=f"{name}.{number}",
            state_delta={f"last:{name}": number, "all": {name: number}, f"user:{name}": number},
        )
        await store.append_session_event(KEY, event, now)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
