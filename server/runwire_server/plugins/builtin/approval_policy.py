"""Which tool calls somebody must approve."""

import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import Literal

from runwire_server.domain.content import ToolCall
from runwire_server.plugins.guarded import HookFailedError, call_hook
from runwire_server.plugins.plugin import Allow, Ask, Deny, HookContext, Plugin

# Less than a hook has: a decision that takes too long must become a question, not a hook that is left out.
DECISION_SECONDS_MAX = 8.0
Decider = Callable[[HookContext, ToolCall], "bool | Ask | Deny | Awaitable[bool | Ask | Deny]"]


class ApprovalPolicy(Plugin):
    """Ask "always", "never" (whatever tools say of themselves), for tools of some names, or as a function says.

    A function returns True to ask, False to allow, or Ask or Deny with a reason; it may be async. One that raises, or
    takes longer than `seconds_max`, asks: what nobody could decide a person must. For names that are not among those
    given the tool's own flag counts.
    """

    name = "approval_policy"

    def __init__(
        self,
        mode: Literal["always", "never"] | Collection[str] | Decider,
        *,
        reason: str = "",
        seconds_max: float = DECISION_SECONDS_MAX,
    ) -> None:
        """Raises: ValueError for another word, or more seconds than a hook has."""
        if not 0 < seconds_max <= DECISION_SECONDS_MAX:
            raise ValueError(f"seconds_max must be more than 0, and at most {DECISION_SECONDS_MAX:g}")
        if isinstance(mode, str) and mode not in {"always", "never"}:
            raise ValueError(f"mode {mode!r} is not 'always', 'never', names of tools, or a function")
        if not isinstance(mode, str | Collection) and not callable(mode):
            raise ValueError(f"mode {mode!r} is not 'always', 'never', names of tools, or a function")  # noqa: TRY004
        # A copy: whoever gave it may change it, and a hook that fails asks nobody.
        self._mode = mode if isinstance(mode, str) or callable(mode) else frozenset(mode)
        self._reason = reason
        self._seconds_max = seconds_max

    async def before_tool(self, context: HookContext, call: ToolCall) -> Allow | Ask | Deny | None:
        """See Plugin."""
        mode = self._mode
        if mode == "always":
            return Ask(self._reason)
        if mode == "never":
            return Allow()
        if not callable(mode):
            return Ask(self._reason) if call.name in mode else None
        try:
            name = f"{self.name}.decide"
            verdict = await call_hook(name, self._decide, mode, context, call, seconds_max=self._seconds_max)
        except HookFailedError:
            return Ask("the approval policy failed")
        match verdict:
            case Ask() | Deny():
                return verdict
            case False:
                return Allow()
            case _:
                return Ask(self._reason)

    async def _decide(self, decide: Decider, context: HookContext, call: ToolCall) -> object:
        verdict = decide(context, call)
        return await verdict if inspect.isawaitable(verdict) else verdict
