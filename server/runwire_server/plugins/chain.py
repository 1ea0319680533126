"""The plugins of one run as one: in order, each behind a guard."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, ToolCall, ToolResult
from runwire_server.domain.errors import StopError
from runwire_server.domain.runs import Run, RunError
from runwire_server.models.model import ModelRequest
from runwire_server.plugins import answers
from runwire_server.plugins.answers import ToolVerdict
from runwire_server.plugins.event_rules import QUESTIONS, STRUCTURAL, kept_event, kept_partial
from runwire_server.plugins.given import check_made, own
from runwire_server.plugins.guarded import (
    HOOK_SECONDS_MAX,
    HookFailedError,
    call_hook,
    call_quick_hook,
    failed,
)
from runwire_server.plugins.plugin import DROP, Allow, Ask, Deny, HookContext, Plugin, Verdict

T = TypeVar("T")


class RunPlugins:
    """The plugins of one run. Falsy when there are none.

    What goes wrong in a hook is remembered until the log takes it: see `take_failures`. Hooks get copies of what they
    could change by accident.
    """

    def __init__(
        self,
        plugins: Sequence[Plugin] = (),
        count_failure: Callable[[str, str], None] = lambda _plugin, _hook: None,
        *,
        hook_seconds_max: float = HOOK_SECONDS_MAX,
    ) -> None:
        self._plugins = tuple(plugins)
        self._count_failure = count_failure
        self._seconds_max = hook_seconds_max
        self._notes: dict[str, Any] = {}
        self._failures: list[ev.PluginFailed] = []
        # A hook that fails at every token is reported once, and counted each time.
        self._failed_at_partials: set[Plugin] = set()
        self._seen_run: tuple[Run, Run] | None = None
        # Per token and per event: do not even look at plugins that have no such hook.
        self._of_partials = tuple(p for p in self._plugins if type(p).on_partial is not Plugin.on_partial)
        self._of_events = tuple(p for p in self._plugins if type(p).on_event is not Plugin.on_event)

    def __bool__(self) -> bool:
        return bool(self._plugins)

    @property
    def sees_partials(self) -> bool:
        """Whether on_partial can make any difference."""
        return bool(self._of_partials)

    @property
    def sees_events(self) -> bool:
        """Whether on_event can make any difference."""
        return bool(self._of_events)

    def context(self, run: Run, agent_name: str, branch: str, invocation_id: str) -> HookContext:
        """Return where hooks are called."""
        if self._plugins and (self._seen_run is None or self._seen_run[0] is not run):
            self._seen_run = (run, own(run))
        shown = self._seen_run[1] if self._seen_run is not None else run
        return HookContext(shown, agent_name, branch, invocation_id, self._notes)

    def take_failures(self) -> list[ev.PluginFailed]:
        """Return the failures that are not in the log yet, and forget them."""
        taken, self._failures = self._failures, []
        return taken

    async def before_agent(self, context: HookContext) -> Message | None:
        """Return the first answer of a plugin; None: the agent runs. Raises: StopError."""
        for plugin in self._with("before_agent"):
            answer = await self._ask(plugin, "before_agent", answers.agents_answer, context)
            if answer is not None:
                return answer
        return None

    async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
        """Return what plugins say in place of the answer; None: nothing. Raises: StopError."""
        shown = answer
        for plugin in self._with("after_agent"):
            check = partial(answers.agents_answer, answer=shown)
            shown = await self._ask(plugin, "after_agent", check, context, own(shown)) or shown
        return None if shown == answer else shown

    async def before_model(self, context: HookContext, request: ModelRequest) -> ModelRequest | Message:
        """Return the request to send, or an answer in place of the model's. Raises: StopError."""
        for plugin in self._with("before_model"):
            made = await self._ask(plugin, "before_model", answers.request_or_answer, context, own(request))
            if isinstance(made, Message):
                return made
            request = made or request
        return request

    async def after_model(self, context: HookContext, answer: Message) -> Message:
        """Return the answer to use. Raises: StopError."""
        for plugin in self._with("after_model"):
            made = await self._ask(plugin, "after_model", answers.models_answer, context, own(answer))
            answer = made or answer
        return answer

    async def before_tool(self, context: HookContext, call: ToolCall) -> tuple[ToolCall, ToolVerdict | None]:
        """Return the call as plugins made it, and what they say of it. Raises: StopError.

        A result or a denial ends the chain. Of Allow and Ask the first counts, and the chain goes on.
        """
        verdict: ToolVerdict | None = None
        for plugin in self._with("before_tool"):
            check = partial(answers.call_or_verdict, call=call)
            match await self._ask(plugin, "before_tool", check, context, call):
                case ToolCall() as made:
                    call = made
                case str() | Deny() as final:
                    return call, final
                case Allow() | Ask() as said:
                    verdict = verdict or said
        return call, verdict

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> ToolResult:
        """Return the result to use. Raises: StopError."""
        for plugin in self._with("after_tool"):
            check = partial(answers.tool_result, result=result)
            result = await self._ask(plugin, "after_tool", check, context, call, result) or result
        return result

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> ev.DurablePayload | None:
        """Return what to put into the log; None: nothing. Raises: StopError, but not for what a log needs."""
        if isinstance(payload, ev.PluginFailed):
            return payload
        passes = () if isinstance(payload, (*STRUCTURAL, *QUESTIONS)) else (StopError,)
        for plugin in self._of_events:
            check = partial(_event_or_drop, payload)
            made = await self._ask(plugin, "on_event", check, context, own(payload), passes=passes)
            if made is DROP:
                return None
            payload = made or payload
        return payload

    def on_partial(self, context: HookContext, payload: ev.PartialPayload) -> ev.PartialPayload | None:
        """Return what to show; None: nothing. Never fails; a StopError is a failure of the plugin."""
        for plugin in self._of_partials:
            try:
                made = call_quick_hook(plugin.on_partial, context, payload)
                if made is DROP:
                    return None
                if made is not None:
                    kept = kept_partial(payload, made)
                    check_made(kept)
                    payload = kept
            except Exception as error:  # noqa: BLE001 -- other people's code begins here
                self._note_partial(plugin, error)
        return payload

    async def after_run(self, run: Run) -> None:
        """Tell all plugins that the run has ended, whatever some of them do."""
        for plugin in self._with("after_run"):
            name = _hook_name(plugin, "after_run")
            try:
                await call_hook(name, plugin.after_run, own(run), seconds_max=self._seconds_max)
            except HookFailedError:
                self._count_failure(plugin.name, "after_run")  # there is no log any more to say it in

    def _with(self, hook: str) -> list[Plugin]:
        return [
            plugin for plugin in self._plugins if getattr(type(plugin), hook) is not getattr(Plugin, hook)
        ]

    async def _ask(
        self,
        plugin: Plugin,
        hook: str,
        check: Callable[[Any], T],
        *given: Any,
        passes: tuple[type[BaseException], ...] = (StopError,),
    ) -> T | None:
        """Return what a hook made of the thing. None: it left it as it is, or failed. Raises: as `passes` says."""
        name = _hook_name(plugin, hook)
        method = getattr(plugin, hook)
        try:
            made = await call_hook(name, method, *given, passes=passes, seconds_max=self._seconds_max)
        except HookFailedError as error:
            self._note(plugin, hook, error.error_id)
            return None
        if made is None:
            return None
        try:
            checked = check(made)
            check_made(checked)
        except Exception as error:  # noqa: BLE001 -- what came is other people's, and can fail wherever it is looked at
            self._note(plugin, hook, failed(name, error).error_id)
            return None
        return checked

    def _note_partial(self, plugin: Plugin, error: Exception) -> None:
        if plugin in self._failed_at_partials:
            self._count_failure(plugin.name, "on_partial")
            return
        self._failed_at_partials.add(plugin)
        self._note(plugin, "on_partial", failed(_hook_name(plugin, "on_partial"), error).error_id)

    def _note(self, plugin: Plugin, hook: str, error_id: str) -> None:
        self._count_failure(plugin.name, hook)
        message = f"a plugin failed; error id {error_id}"
        error = RunError("plugin_error", message, "PLUGIN_FAILED", error_id)
        self._failures.append(ev.PluginFailed(plugin.name, hook, error))


def _hook_name(plugin: Plugin, hook: str) -> str:
    return f"{plugin.name}.{hook}"


def _event_or_drop(payload: ev.DurablePayload, made: object) -> ev.DurablePayload | Verdict:
    kept = kept_event(payload, made)
    return DROP if kept is None else kept
