"""The plugins of one run as one: in order, each behind a guard."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.errors import StopError
from runwire_server.domain.runs import Run, RunError
from runwire_server.models.model import ModelRequest
from runwire_server.plugins.event_rules import STRUCTURAL, WrongEventError, kept_identity, kept_partial
from runwire_server.plugins.given import check_made, own_copy
from runwire_server.plugins.guarded import HOOK_SECONDS_MAX, HookFailedError, call_hook, call_now, failed
from runwire_server.plugins.plugin import DROP, Allow, Ask, Deny, HookContext, Plugin

ToolVerdict = str | Allow | Ask | Deny


class RunPlugins:
    """The plugins of one run. Falsy when there are none.

    What goes wrong in a hook is remembered until the log takes it: see `take_failures`.
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
        return HookContext(run, agent_name, branch, invocation_id, self._notes)

    def take_failures(self) -> list[ev.PluginFailed]:
        """Return the failures that are not in the log yet, and forget them."""
        taken, self._failures = self._failures, []
        return taken

    async def before_agent(self, context: HookContext) -> Message | None:
        """Return the first answer of a plugin; None: the agent runs. Raises: StopError."""
        for plugin in self._plugins:
            answer = await self._ask(plugin, "before_agent", (Message,), context)
            if answer is not None:
                return _as_answer(answer)
        return None

    async def after_agent(self, context: HookContext, answer: Message) -> Message | None:
        """Return what plugins say in place of the answer; None: nothing. Raises: StopError."""
        shown = answer
        for plugin in self._plugins:
            made = await self._ask(plugin, "after_agent", (Message,), context, shown)
            shown = shown if made is None or made == shown else _as_answer(made)
        return None if shown == answer else shown

    async def before_model(self, context: HookContext, request: ModelRequest) -> ModelRequest | Message:
        """Return the request to send, or an answer in place of the model's. Raises: StopError."""
        for plugin in self._plugins:
            made = await self._ask(plugin, "before_model", (ModelRequest, Message), context, request)
            if isinstance(made, Message):
                return made
            request = made or request
        return request

    async def after_model(self, context: HookContext, answer: Message) -> Message:
        """Return the answer to use. Raises: StopError."""
        for plugin in self._plugins:
            answer = await self._ask(plugin, "after_model", (Message,), context, answer) or answer
        return answer

    async def before_tool(self, context: HookContext, call: ToolCall) -> tuple[ToolCall, ToolVerdict | None]:
        """Return the call as plugins made it, and what they say of it. Raises: StopError.

        A result or a denial ends the chain. Of Allow and Ask the first counts, and the chain goes on.
        """
        verdict: ToolVerdict | None = None
        for plugin in self._plugins:
            made = await self._ask(plugin, "before_tool", (ToolCall, str, Allow, Ask, Deny), context, call)
            match made:
                case ToolCall():
                    call = replace(made, id=call.id, name=call.name)
                case str() | Deny():
                    return call, made
                case Allow() | Ask():
                    verdict = verdict or made
        return call, verdict

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> ToolResult:
        """Return the result to use. Raises: StopError."""
        for plugin in self._plugins:
            made = await self._ask(plugin, "after_tool", (ToolResult,), context, call, result)
            if made is not None:
                result = replace(made, tool_call_id=result.tool_call_id, tool_name=result.tool_name)
        return result

    async def on_event(self, context: HookContext, payload: ev.DurablePayload) -> ev.DurablePayload | None:
        """Return what to put into the log; None: nothing. Raises: StopError, but not for what a log needs."""
        if isinstance(payload, ev.PluginFailed):
            return payload
        is_structural = isinstance(payload, STRUCTURAL)
        for plugin in self._of_events:
            seen = await self._see(plugin, context, payload, is_structural=is_structural)
            if seen is None:
                return None
            payload = seen
        return payload

    async def _see(
        self, plugin: Plugin, context: HookContext, payload: ev.DurablePayload, *, is_structural: bool
    ) -> ev.DurablePayload | None:
        name = _hook_name(plugin, "on_event")
        passes = () if is_structural else (StopError,)
        try:
            made = await call_hook(
                name,
                plugin.on_event,
                context,
                deepcopy(payload),
                passes=passes,
                seconds_max=self._seconds_max,
            )
            if made is None:
                return payload
            if made is DROP and not is_structural:
                return None
            shown = kept_identity(payload, made)
            check_made(shown)
        except HookFailedError as error:
            self._note(plugin, "on_event", error.error_id)
            return payload
        except (WrongEventError, TypeError, ValueError) as error:
            self._note(plugin, "on_event", failed(name, error).error_id)
            return payload
        else:
            return shown

    def on_partial(self, context: HookContext, payload: ev.PartialPayload) -> ev.PartialPayload | None:
        """Return what to show; None: nothing."""
        for plugin in self._of_partials:
            name = _hook_name(plugin, "on_partial")
            try:
                made = call_now(name, plugin.on_partial, context, payload)
                if made is DROP:
                    return None
                if made is not None:
                    shown = kept_partial(payload, made)
                    check_made(shown)
                    payload = shown
            except HookFailedError as error:
                self._note(plugin, "on_partial", error.error_id)
            except (WrongEventError, TypeError, ValueError) as error:
                self._note(plugin, "on_partial", failed(name, error).error_id)
        return payload

    async def after_run(self, run: Run) -> None:
        """Tell all plugins that the run has ended, whatever some of them do."""
        for plugin in self._plugins:
            try:
                await call_hook(
                    _hook_name(plugin, "after_run"), plugin.after_run, run, seconds_max=self._seconds_max
                )
            except HookFailedError:
                self._count_failure(plugin.name, "after_run")

    async def _ask(self, plugin: Plugin, hook: str, kinds: tuple[type, ...], *given: Any) -> Any:
        """Call a hook. None: it left things as they are, or failed."""
        method = getattr(plugin, hook)
        if getattr(type(plugin), hook) is getattr(Plugin, hook):
            return None
        name = _hook_name(plugin, hook)
        try:
            own = [own_copy(value) for value in given]
            made = await call_hook(name, method, *own, passes=(StopError,), seconds_max=self._seconds_max)
            if made is not None:
                check_made(made, kinds)
        except HookFailedError as error:
            self._note(plugin, hook, error.error_id)
            return None
        except (TypeError, ValueError) as error:
            self._note(plugin, hook, failed(name, error).error_id)
            return None
        else:
            return made

    def _note(self, plugin: Plugin, hook: str, error_id: str) -> None:
        self._count_failure(plugin.name, hook)
        message = f"a plugin failed; error id {error_id}"
        error = RunError("plugin_error", message, "PLUGIN_FAILED", error_id)
        self._failures.append(ev.PluginFailed(plugin.name, hook, error))


def _as_answer(message: Message) -> Message:
    """Return a plugin's message as an agent's answer: nobody would work on calls in it."""
    return replace(message, role=Role.ASSISTANT, tool_calls=(), tool_call_id="", tool_name="")


def _hook_name(plugin: Plugin, hook: str) -> str:
    return f"{plugin.name}.{hook}"
