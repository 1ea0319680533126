"""A small log in memory, and shorthands, for tests of agents."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from runwire_server.agents.agent import AgentContext, Ask, Identity
from runwire_server.agents.llm import LlmAgent
from runwire_server.domain.content import Message, Role, ToolCall, ToolResult
from runwire_server.domain.events import MessagePayload, ToolFinished, ToolResults, ToolStarted
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import Answer, Decision, Question, QuestionKind
from runwire_server.domain.runs import Run, RunOptions, RunState
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext

USER = Message(Role.USER, "hi")


class FakeOutput:
    """A run's log, record and mail in lists. `on_emit` is what a plugin would do to a payload."""

    def __init__(self, options: RunOptions) -> None:
        from runwire_server.domain.runs import RunInput

        self.record = Run(
            key=RunKey("app", "r"),
            session=SessionKey("app", "u", "s"),
            agent_name="agent",
            state=RunState.RUNNING,
            create_time=datetime(2026, 1, 1, tzinfo=UTC),
            input=RunInput(options=options),
        )
        self.log: list[Any] = []
        self.tags: list[str] = []
        self.partials: list[Any] = []
        self.points: list[str] = []
        self.queued: list[Message] = []
        self.asked: list[list[Ask]] = []
        self.given: dict[tuple[str, str], Answer] = {}
        self.on_emit: Callable[[Any], Any] = lambda payload: payload
        self.on_ask: Callable[[], None] = lambda: None

    @property
    def run(self) -> Run:
        return self.record

    async def emit(
        self, payload: Any, *, state_delta: Any = None, tag: str = "", may_wait: bool = False
    ) -> Any:
        payload = self.on_emit(payload)
        if payload is None:
            return None
        self.log.append(payload)
        if tag:
            self.tags.append(tag)
        if isinstance(payload, MessagePayload) and payload.message.role is Role.ASSISTANT:
            usage = self.record.usage + payload.usage if payload.usage else self.record.usage
            rounds = self.record.tool_rounds + bool(payload.message.tool_calls)
            self.record = replace(self.record, usage=usage, tool_rounds=rounds)
        return payload

    def partial(self, payload: Any) -> None:
        self.partials.append(payload)

    def checkpoint(self, point: str) -> None:
        self.points.append(point)

    async def take_messages(self) -> list[Message]:
        taken, self.queued = self.queued, []
        self.log += [MessagePayload("steered", message) for message in taken]
        return taken

    async def ask(self, asked: Sequence[Ask]) -> None:
        known = {(q.kind, q.message_id, q.tool_call.id) for q in self.record.questions}
        fresh = [a for a in asked if (a.kind, a.message_id, a.tool_call.id) not in known]
        questions = [
            Question(
                id=f"q{len(self.record.questions) + n}",
                kind=a.kind,
                tool_call=a.tool_call,
                message_id=a.message_id,
            )
            for n, a in enumerate(fresh)
        ]
        self.record = replace(self.record, questions=(*self.record.questions, *questions))
        if fresh:
            self.asked.append(fresh)
            self.log.append(("asked", [a.tool_call.id for a in fresh]))
        self.on_ask()

    async def answers(self) -> Mapping[tuple[str, str], Answer]:
        return dict(self.given)

    def as_agent(self, identity: Identity) -> "FakeOutput":
        return self

    def answer(self, call_id: str, message_id: str | None = None, **fields: Any) -> None:
        """Answer the newest question about a call."""
        asked = [a for batch in self.asked for a in batch if a.tool_call.id == call_id]
        key = (asked[-1].message_id if message_id is None else message_id, call_id)
        if asked and asked[-1].kind is QuestionKind.TOOL_OUTPUT and "output" in fields:
            fields["output"] = ToolResult(call_id, "whatever", fields["output"])
        self.given[key] = Answer(question_id="q", **fields)

    def deny(self, call_id: str, comment: str = "") -> None:
        self.answer(call_id, decision=Decision.DENIED, comment=comment)

    def of(self, kind: type) -> list[Any]:
        return [payload for payload in self.log if isinstance(payload, kind)]

    @property
    def results(self) -> list[ToolResult]:
        return [result for payload in self.of(ToolResults) for result in payload.results]

    @property
    def started(self) -> list[str]:
        return [payload.tool_call.id for payload in self.of(ToolStarted)]

    @property
    def finished(self) -> list[str]:
        return [payload.result.tool_call_id for payload in self.of(ToolFinished)]

    @property
    def reasons(self) -> list[str]:
        return [
            payload.finish_reason
            for payload in self.of(MessagePayload)
            if payload.message.role is Role.ASSISTANT
        ]


class FakePlugins(RunPlugins):
    """One plugin made of functions, by the names of its hooks."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        super().__init__()
        self.hooks = hooks

    def __bool__(self) -> bool:
        return True

    def context(self, run: Run, agent_name: str, branch: str, invocation_id: str) -> HookContext:
        return HookContext(run, agent_name, branch, invocation_id)

    async def before_agent(self, context: Any) -> Any:
        return self._call("before_agent", None, context)

    async def after_agent(self, context: Any, answer: Any) -> Any:
        return self._call("after_agent", None, context, answer)

    async def before_model(self, context: Any, request: Any) -> Any:
        return self._call("before_model", request, request)

    async def after_model(self, context: Any, answer: Any) -> Any:
        return self._call("after_model", answer, answer)

    async def before_tool(self, context: Any, call: Any) -> Any:
        made = self._call("before_tool", call, call)
        return (made, None) if isinstance(made, ToolCall) else (call, made)

    async def after_tool(self, context: Any, call: Any, result: Any) -> Any:
        return self._call("after_tool", result, call, result)

    def _call(self, name: str, unchanged: Any, *arguments: Any) -> Any:
        hook = self.hooks.get(name)
        made = hook(*arguments) if hook is not None else None
        return unchanged if made is None else made


class Bench:
    """An agent with a scripted model, and its log."""

    def __init__(self, turns: Sequence[Any], tools: Sequence[Any] = (), **fields: Any) -> None:
        self.options = RunOptions(**fields.pop("options", {}))
        self.plugins = fields.pop("plugins", RunPlugins())
        self.app_tools = fields.pop("app_tools", {})
        self.middleware = tuple(fields.pop("middleware", ()))
        self.model = ScriptedModel(turns)
        self.agent = LlmAgent("agent", model=self.model, tools=tools, **fields)
        self.output = FakeOutput(self.options)
        self.history: list[Message] = [USER]

    def context(self) -> AgentContext:
        said = [p for p in self.output.of(MessagePayload) if p.message.role is Role.ASSISTANT]
        return AgentContext(
            run=self.output.run,
            identity=Identity("agent", "agent", "i"),
            history=tuple(self.history),
            options=self.options,
            output=self.output,
            last_message_id=said[-1].message_id if said else "",
            plugins=self.plugins,
            tools=self.app_tools,
            tool_middleware=self.middleware,
        )

    async def run(self) -> Message:
        """Activate the agent, with the history as it is."""
        return await self.agent.run(self.context())

    def remember(self) -> None:
        """Make what is in the log the history, as the runner does for an activation after a wait."""
        self.history = [USER]
        for payload in self.output.log:
            if isinstance(payload, MessagePayload):
                self.history.append(payload.message)
            elif isinstance(payload, ToolResults):
                self.history += [
                    Message(Role.TOOL, r.content, tool_call_id=r.tool_call_id, tool_name=r.tool_name)
                    for r in payload.results
                ]


def calls_turn(*calls: tuple[str, str, str]) -> list[Any]:
    """A model's answer that is these calls: id, name, arguments."""
    from runwire_server.models.model import EndChunk, ToolCallChunk

    chunks: list[Any] = [ToolCallChunk(n, *call) for n, call in enumerate(calls)]
    return [*chunks, EndChunk("tool_calls")]


def called(*calls: tuple[str, str, str]) -> Message:
    """An assistant's message that is these calls."""
    return Message(Role.ASSISTANT, tool_calls=tuple(ToolCall(*call) for call in calls))


def result(call_id: str, content: str = "ok") -> Message:
    """A result as a message."""
    return Message(Role.TOOL, content, tool_call_id=call_id)


def error_of(content: str) -> dict[str, Any]:
    """The error in a failed result."""
    value = json.loads(content)
    assert value["ok"] is False
    error: dict[str, Any] = value["error"]
    return error
