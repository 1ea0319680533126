"""A run: one turn of work by an agent on a session. What it is, and which way its state may go."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from runwire_server.domain.content import NO_USAGE, JsonObject, Message, ToolSpec, Usage
from runwire_server.domain.errors import BusyError
from runwire_server.domain.ids import ReplicaId, RunKey, SessionKey
from runwire_server.domain.mail import NO_MAIL, Question, RunMail
from runwire_server.domain.record import record, replace


class RunState(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self in TERMINAL_STATES


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    LOST = "lost"

    @property
    def state(self) -> RunState:
        """The terminal state of a run with this outcome."""
        return RunState(self.value)


NOBODY = ReplicaId("")
TERMINAL_STATES = frozenset(RunState(outcome.value) for outcome in Outcome)

_NEXT: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLING}) | TERMINAL_STATES,
    RunState.RUNNING: frozenset({RunState.WAITING, RunState.CANCELLING}) | TERMINAL_STATES,
    RunState.WAITING: frozenset({RunState.RUNNING, RunState.CANCELLING}) | TERMINAL_STATES,
    RunState.CANCELLING: TERMINAL_STATES,
}


def can_become(current: RunState, following: RunState) -> bool:
    """Whether a run may go from one state to the other. Nothing follows a terminal state."""
    return following in _NEXT.get(current, frozenset())


class CancelMode(StrEnum):
    """When a cancelled run stops. Later members are less urgent."""

    IMMEDIATE = "immediate"
    AFTER_MODEL = "after_model"
    AFTER_TOOLS = "after_tools"


_URGENCY = {CancelMode.AFTER_TOOLS: 0, CancelMode.AFTER_MODEL: 1, CancelMode.IMMEDIATE: 2}


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Someone asks a run to stop."""

    mode: CancelMode
    reason: str = ""

    def overrides(self, earlier: "CancelRequest | None") -> bool:
        """Whether it changes anything after the earlier one: only a more urgent one does."""
        return earlier is None or _URGENCY[self.mode] > _URGENCY[earlier.mode]


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed, safe to show. `error_id` names the log entry with the details."""

    type: str
    message: str
    code: str
    error_id: str = ""
    retryable: bool = False


class SessionPolicy(StrEnum):
    """What a run does when its session is busy with others."""

    QUEUE = "queue"
    REJECT = "reject"
    INTERRUPT = "interrupt"
    PARALLEL = "parallel"


class LimitAction(StrEnum):
    """What happens at a limit: the run fails, or answers once more without tools."""

    FAIL = "fail"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class ToolSelection:
    """Which tools an agent has in a run. `only` None: its own; `add` are other tools of the app.

    `client_tools` are executed by the caller, see QuestionKind.TOOL_OUTPUT; `approved_first` are names among them.
    """

    only: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    client_tools: tuple[ToolSpec, ...] = ()
    approved_first: tuple[str, ...] = ()

    def server_names(self, own: Iterable[str]) -> list[str]:
        """Return the names of the server's tools that an agent with these of its own has then, in order."""
        named = (*(own if self.only is None else self.only), *self.add)
        return [name for name in dict.fromkeys(named) if name not in self.deny]

    def names(self, own: Iterable[str]) -> tuple[str, ...]:
        """Return the names of all the tools that an agent with these of its own has then, in order."""
        return (*self.server_names(own), *(spec.name for spec in self.client_tools))


@dataclass(frozen=True, slots=True)
class AgentOptions:
    """How one agent works. Of a nested one, what is not set is the run's."""

    model: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    reasoning_effort: str = ""
    tools: ToolSelection | None = None


@dataclass(frozen=True, slots=True)
class RunOptions(AgentOptions):
    """How a run works. None means the agent's or the server's default."""

    stream: bool | None = None
    max_llm_calls: int | None = None
    max_tool_rounds: int | None = None
    max_total_tokens: int | None = None
    max_run_seconds: float | None = None
    detached_cancel: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    session_policy: SessionPolicy = SessionPolicy.QUEUE
    on_limit: LimitAction = LimitAction.FAIL
    json_repair: bool | None = None
    keep_interrupted_text: bool = False
    output_schema: str = ""
    plugins: tuple[str, ...] = ()
    agents: Mapping[str, AgentOptions] = field(default_factory=dict)
    waiting_seconds: float | None = None
    max_parallel_tools: int | None = None

    def of_agent(self, path: str) -> "RunOptions":
        """Return the options for the agent at that path."""
        own = self.agents.get(path)
        if own is None:
            return self
        given = {
            name: value
            for name in AgentOptions.__dataclass_fields__
            if (value := getattr(own, name)) not in (None, "", ())
        }
        return replace(self, **given)


# What most runs say.
NO_OPTIONS = RunOptions()


@record(frozen=True, slots=True)
class RunInput:
    """What a run was asked to do. `messages` seeds a session that has no events.

    `resume`: there is no message; go on where the session stands.
    """

    message: Message | None = None
    messages: tuple[Message, ...] = ()
    resume: bool = False
    state_delta: JsonObject | None = None
    options: RunOptions = NO_OPTIONS


NO_INPUT = RunInput()


@record(frozen=True, slots=True, kw_only=True)
class Run:
    """A run's record. `attempt` is how often a replica took it: 0 while it is queued.

    `fingerprint` tells whether another request with this id is the same one. `deadline` is when it ends TIMED_OUT.
    `cancel` and `mail` are written by anyone, through Store.request_cancel and Store.set_mail; all else only by the
    replica that owns the run. A WAITING run has no owner; `due_time` is when it ends unless it is answered before.
    `worked_seconds` is how long earlier activations took: a run that waited is activated again. `tool_rounds` counts
    the model's answers with tool calls.
    """

    key: RunKey
    session: SessionKey
    agent_name: str
    state: RunState
    create_time: datetime
    attempt: int = 0
    last_sequence: int = 0
    start_time: datetime | None = None
    last_event_time: datetime | None = None
    end_time: datetime | None = None
    deadline: datetime | None = None
    usage: Usage = NO_USAGE
    outcome: Outcome | None = None
    stop_reason: str = ""
    error: RunError | None = None
    cancel: CancelRequest | None = None
    invocation_id: str = ""
    message: Message | None = None
    owner: ReplicaId = NOBODY
    fingerprint: str = ""
    input: RunInput = NO_INPUT
    mail: RunMail = NO_MAIL
    questions: tuple[Question, ...] = ()
    due_time: datetime | None = None
    worked_seconds: float = 0.0
    tool_rounds: int = 0

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """What it asked and nobody has answered."""
        return tuple(q for q in self.questions if not q.is_settled and self.mail.answer_to(q) is None)

    @property
    def has_news(self) -> bool:
        """Whether something that it asked was answered, and it does not know yet."""
        return any(not q.is_settled and self.mail.answer_to(q) is not None for q in self.questions)

    def claimed_by(self, owner: ReplicaId, now: datetime) -> "Run":
        """Return the run as a replica has it that takes it."""
        attempt = self.attempt + 1
        if self.state is RunState.QUEUED:
            return replace(self, state=RunState.RUNNING, start_time=now, attempt=attempt, owner=owner)
        return replace(self, attempt=attempt, owner=owner)

    def waits_in_vain(self, now: datetime) -> bool:
        """Whether the time is over for something that it asked and has not learned the answer of."""
        return any(
            not q.is_settled and q.expire_time is not None and q.expire_time <= now for q in self.questions
        )

    @property
    def waits_its_turn(self) -> bool:
        """Whether earlier runs of its session come first."""
        return self.input.options.session_policy is not SessionPolicy.PARALLEL


def busy_session(at_work: RunKey) -> BusyError:
    """Return the error for a run that will not wait for the one that is at work on its session."""
    return BusyError(f"the session is busy with run {at_work.request_id!r}", at_work.request_id)
