"""Hooks around what a session stores and shows. An app has them in order; a failing one ends its call or its run."""

from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from typing import Protocol, TypeVar, runtime_checkable

from runwire_server.domain.errors import HookError
from runwire_server.domain.events import Custom, Event, MessagePayload, ToolResults
from runwire_server.domain.ids import SessionKey
from runwire_server.domain.record import replace
from runwire_server.domain.sessions import Session, SessionEvent
from runwire_server.plugins.guarded import HookFailedError, call_hook, failed

T = TypeVar("T")
_STORABLE = (MessagePayload, ToolResults, Custom)


@runtime_checkable
class SessionHook(Protocol):
    """Derive from it and override what you need. What a hook is given is its own copy.

    A hook that raises, or takes longer than 10 seconds, ends its call or its run; nothing is stored then.
    """

    async def before_append(self, key: SessionKey, event: Event) -> Event | None:
        """Return what the session shall store, or None to leave the event out of the conversation.

        The payload is a message, tool results or Custom, and so must be what is returned. Id, time and place stay.
        A run's own log has the event as it was, and the state_delta of a run's event is merged whatever this does.
        """
        return event

    async def after_get(
        self, session: Session, events: Sequence[SessionEvent]
    ) -> tuple[Session, Sequence[SessionEvent]]:
        """Return what GetSession and the history of a run's model show. What is stored stays."""
        return session, events


class SessionHooks:
    """An app's hooks as one. Each gets what the one before it returned."""

    def __init__(self, hooks: Sequence[SessionHook] = ()) -> None:
        self._hooks = tuple(hooks)

    def __bool__(self) -> bool:
        return bool(self._hooks)

    async def before_append(self, key: SessionKey, event: Event) -> Event | None:
        """Return what to store for the event; None for nothing. Raises: HookError."""
        if not self._hooks:
            return event
        shown = _own(event)
        for hook in self._hooks:
            answer = await _call(hook, "before_append", hook.before_append, key, shown)
            if answer is None:
                return None
            if not isinstance(answer, Event) or not isinstance(answer.payload, _STORABLE):
                raise _failed(hook, "before_append", TypeError("must return an Event of a session or None"))
            shown = answer
        return replace(
            shown,
            id=event.id,
            request_id=event.request_id,
            sequence=event.sequence,
            create_time=event.create_time,
            attempt=event.attempt,
            wire=None,
        )

    async def after_get(
        self, session: Session, events: Sequence[SessionEvent]
    ) -> tuple[Session, Sequence[SessionEvent]]:
        """Return what to show. Raises: HookError."""
        if not self._hooks:
            return session, events
        key = session.key
        session = replace(session, state=deepcopy(dict(session.state)))
        events = [SessionEvent(item.position, _own(item.event)) for item in events]
        for hook in self._hooks:
            answer = await _call(hook, "after_get", hook.after_get, session, events)
            match answer:
                case (Session() as session, [*items]) if all(isinstance(i, SessionEvent) for i in items):
                    events = items
                case _:
                    error = TypeError("must return a Session and SessionEvents")
                    raise _failed(hook, "after_get", error)
        return replace(session, key=key), events


def _own(event: Event) -> Event:
    """Return a copy that a hook may do anything with. What is encoded already does not count for it."""
    return deepcopy(replace(event, wire=None))


async def _call(hook: SessionHook, name: str, method: Callable[..., Awaitable[T]], *given: object) -> T:
    try:
        answer: T = await call_hook(f"{type(hook).__name__}.{name}", method, *given)
    except HookFailedError as error:
        raise _failure(hook, name, error) from error
    return answer


def _failed(hook: SessionHook, name: str, error: Exception) -> HookError:
    return _failure(hook, name, failed(f"{type(hook).__name__}.{name}", error))


def _failure(hook: SessionHook, name: str, error: HookFailedError) -> HookError:
    return HookError(
        f"session hook {type(hook).__name__}.{name} failed; error id {error.error_id}", "SESSION_HOOK_FAILED"
    )
