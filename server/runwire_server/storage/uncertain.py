"""Appends to a log that may not end where its writer thinks: an earlier try was perhaps committed, or given up."""

from runwire_server.domain.errors import FencedError, UnavailableError
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run
from runwire_server.storage.port import Append, RunStore

_TRIES = 3


async def append_again(store: RunStore, write: Append) -> None:
    """Append as Store.append does, after a try whose answer was lost: what is there already is not refused."""
    try:
        await store.append(write)
    except FencedError:
        if not await _is_stored(store, write):
            raise


async def append_at_the_end(store: RunStore, write: Append) -> None:
    """Append a completion to the log where it ends as it is stored, with the events numbered on from there.

    When this attempt has ended the run already, that was an earlier try, whose answer was lost: nothing is written.

    Raises: FencedError when another attempt has the run; NotFoundError; UnavailableError.
    """
    for _ in range(_TRIES):
        stored = await store.get_run(write.run.key)
        if stored.attempt == write.run.attempt and stored.state.is_terminal:
            return
        try:
            await store.append(_moved(write, stored))
        except FencedError:
            # A write that was given up may come late, and move the end of the log.
            if stored.attempt != write.run.attempt:
                raise
        else:
            return
    raise UnavailableError(f"the log of run {write.run.key.request_id!r} goes on growing")


async def _is_stored(store: RunStore, write: Append) -> bool:
    ids = [event.id for event in write.events]
    stored = await store.list_run_events(write.run.key, after=write.after, limit=max(len(ids), 1))
    return bool(ids) and [event.id for event in stored] == ids


def _moved(write: Append, stored: Run) -> Append:
    place = stored.last_sequence
    events = tuple(
        replace(event, sequence=place + number, wire=None) for number, event in enumerate(write.events, 1)
    )
    by_id = {event.id: event for event in events}
    return replace(
        write,
        run=replace(write.run, last_sequence=place + len(events)),
        after=place,
        events=events,
        session_events=tuple(by_id.get(event.id, event) for event in write.session_events),
    )
