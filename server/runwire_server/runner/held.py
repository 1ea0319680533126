"""Events that are stored with the next ones: an answer and the run's end are one write."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeGuard

from runwire_server.domain import events as ev
from runwire_server.domain.content import Role, Usage
from runwire_server.domain.ids import new_id

# How long an event waits for the next one. The one after an answer is the run's end, a moment later.
_HOLD_SECONDS = 0.05


class Held:
    """Drafts that nobody has seen yet, each with its id, in order."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.drafts: list[ev.Draft] = []
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        return bool(self.ids)

    @property
    def message_ids(self) -> set[str]:
        """The answers among them."""
        return {draft.payload.message_id for draft in self.drafts if is_answer(draft.payload)}

    def usage(self, so_far: Usage) -> Usage:
        """Return the run's usage with theirs."""
        for draft in self.drafts:
            if is_answer(draft.payload) and draft.payload.usage is not None:
                so_far = so_far + draft.payload.usage
        return so_far

    def put(self, draft: ev.Draft, flush: Callable[[], None]) -> None:
        """Take one more. `flush` is called when it has waited."""
        self.ids.append(new_id())
        self.drafts.append(draft)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_HOLD_SECONDS, self._time_out, flush)

    def drop(self, written: Iterable[ev.Event]) -> None:
        """Forget those that are in the log."""
        if not self.ids:
            return
        known = {event.id for event in written}
        left = [(name, draft) for name, draft in zip(self.ids, self.drafts, strict=True) if name not in known]
        self.ids, self.drafts = [name for name, _ in left], [draft for _, draft in left]
        if not left:
            self.clear()

    def clear(self) -> None:
        """Forget all: what was before it is lost."""
        self.ids, self.drafts = [], []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self, flush: Callable[[], None]) -> None:
        self._timer = None
        if self.ids:
            flush()


def is_answer(payload: ev.Payload) -> TypeGuard[ev.MessagePayload]:
    """Whether it is something that a model or an agent said."""
    return isinstance(payload, ev.MessagePayload) and payload.message.role is Role.ASSISTANT
