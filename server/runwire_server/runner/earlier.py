"""The runs of a session that come before one of them."""

from runwire_server.domain.ids import RunKey
from runwire_server.domain.runs import Run, RunState
from runwire_server.storage.port import RunFilter, Store

_LIVE = frozenset(state for state in RunState if not state.is_terminal)
_PAGE = 100


async def earlier_runs(store: Store, run: Run) -> list[RunKey]:
    """Return the runs of its session that were made before it and have not ended, newest first."""
    session = run.session
    wanted = RunFilter(
        app_name=session.app_name, user_id=session.user_id, session_id=session.session_id, states=_LIVE
    )
    found: list[RunKey] = []
    cursor: str | None = None
    is_earlier = False
    while True:
        page = await store.list_runs(wanted, limit=_PAGE, cursor=cursor)
        for other in page.items:
            if is_earlier:
                found.append(other.key)
            is_earlier = is_earlier or other.key == run.key
        cursor = page.next_cursor
        if cursor is None:
            return found
