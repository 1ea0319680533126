"""What is written and read: runs whose every append has one event of about 1 KB, which goes to the session, too."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from runwire_server.domain.content import Message, Role
from runwire_server.domain.events import Event, MessagePayload
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.runs import Run, RunInput, RunState
from runwire_server.domain.sessions import Session, SessionCopy, SessionEvent
from runwire_server.storage.port import Append, Store

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
REPLICA = ReplicaId("bench")
APP = "bench"
_TEXT = "The quick brown fox jumps over the lazy dog; 12 of them \"did\", and one said 'no'.\n" * 11


def make_event(request_id: str, sequence: int) -> Event:
    """Return an event whose JSON is about 1 KB."""
    return Event(
        request_id=request_id,
        sequence=sequence,
        create_time=START + timedelta(milliseconds=sequence),
        author="assistant",
        payload=MessagePayload(f"m{sequence}", Message(Role.ASSISTANT, _TEXT), "stop", model="a-model"),
        id=f"{request_id}-{sequence}",
        invocation_id=request_id,
        attempt=1,
    )


def make_run(name: str, session: SessionKey) -> Run:
    """Return a run that waits."""
    return Run(
        key=RunKey(APP, name),
        session=session,
        agent_name="assistant",
        state=RunState.QUEUED,
        create_time=START,
        owner=REPLICA,
        fingerprint="0123456789abcdef",
        input=RunInput(Message(Role.USER, "Tell me about foxes.")),
    )


@dataclass(slots=True)
class Writer:
    """One who appends to a run of its own."""

    run: Run

    def following(self) -> Append:
        """Return the next append."""
        after = self.run.last_sequence
        event = make_event(self.run.key.request_id, after + 1)
        self.run = replace(self.run, last_sequence=after + 1, last_event_time=event.create_time)
        return Append(run=self.run, after=after, events=(event,), session_events=(event,))


async def make_writers(store: Store, name: str, count: int, *, users: int) -> list[Writer]:
    """Return writers whose sessions belong to so many users. Their runs are claimed."""
    made: list[Writer] = []
    for number in range(count):
        session = SessionKey(APP, f"{name}-user{number % users:04}", f"{name}-session{number:04}")
        await store.create_session(session, {}, START)
        run, _ = await store.create_run(make_run(f"{name}-run{number:04}", session))
        claimed = await store.claim_run(run.key, REPLICA, attempt=0, now=START)
        assert claimed is not None
        made.append(Writer(claimed))
    return made


async def make_history(store: Store, name: str, count: int) -> SessionKey:
    """Make a session of so many events."""
    key = SessionKey(APP, "reader", name)
    events = [SessionEvent(place, make_event(name, place)) for place in range(1, count + 1)]
    session = Session(key=key, create_time=START, update_time=START, event_count=count, last_position=count)
    await store.write_copy(SessionCopy(session=session, events=events))
    return key
