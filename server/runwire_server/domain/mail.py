"""What others write to a run: messages that steer it, and answers to what it asked. Rules only; see Run.mail.

Mail is written by anyone, at any replica, and changed by comparing its version (storage.port.RunStore.set_mail); the
questions are the run's own, written by whoever executes it.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from runwire_server.domain.content import Message, ToolCall, ToolResult
from runwire_server.domain.record import replace


class QuestionKind(StrEnum):
    """What a run may ask: whether a tool may be called, or what a tool that the caller has answers."""

    APPROVAL = "approval"
    TOOL_OUTPUT = "tool_output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that a run needs to know from outside. `id` is unique; `message_id` is the message of the call.

    `is_settled`: the answer is in the log; what the call was is known from there.
    """

    id: str
    kind: QuestionKind
    tool_call: ToolCall
    message_id: str = ""
    reason: str = ""
    expire_time: datetime | None = None
    is_settled: bool = False


class Decision(StrEnum):
    """An answer to an approval."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to the question of that id. `arguments` replace the model's; `output` is for
    QuestionKind.TOOL_OUTPUT."""

    question_id: str
    decision: Decision = Decision.APPROVED
    arguments: str = ""
    comment: str = ""
    decided_by: str = ""
    output: ToolResult | None = None
    time: datetime | None = None

    def is_same(self, other: "Answer") -> bool:
        """Whether both say the same, whoever said it and when."""
        return (self.decision, self.arguments, self.output) == (other.decision, other.arguments, other.output)


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that the run has not read yet."""

    id: str
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMail:
    """All of a run's mail. `version` is raised by one with every change.

    `messages` are unread, oldest first; `read_ids` are those of the messages that were read, so that sending one
    again is harmless.
    """

    version: int = 0
    messages: tuple[QueuedMessage, ...] = ()
    read_ids: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()

    def answer_to(self, question: Question) -> Answer | None:
        """Return the answer to the question, if there is one."""
        return next((answer for answer in self.answers if answer.question_id == question.id), None)

    def with_message(self, queued: QueuedMessage) -> "RunMail":
        """Return the mail with one more unread message."""
        return replace(self, version=self.version + 1, messages=(*self.messages, queued))

    def without_messages(self, message_id: str = "") -> "RunMail":
        """Return the mail without the unread message of that id; without all for an empty id."""
        kept = tuple(queued for queued in self.messages if message_id and queued.id != message_id)
        return self if kept == self.messages else replace(self, version=self.version + 1, messages=kept)

    def with_all_read(self) -> "RunMail":
        """Return the mail with its messages read."""
        read = (*self.read_ids, *(queued.id for queued in self.messages))
        return replace(self, version=self.version + 1, messages=(), read_ids=read)

    def with_answers(self, *answers: Answer) -> "RunMail":
        """Return the mail with more answers."""
        return replace(self, version=self.version + 1, answers=(*self.answers, *answers))


NO_MAIL = RunMail()
