"""The log as one agent of a run sees it: what it says goes into the log under its name."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from runwire_server.agents.agent import Ask, Identity
from runwire_server.domain import events as ev
from runwire_server.domain.content import JsonObject, Message
from runwire_server.domain.errors import StaleMailError
from runwire_server.domain.ids import new_id
from runwire_server.domain.mail import Answer, Decision, Question, QuestionKind
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run
from runwire_server.runner.journal import Journal

USER = "user"


class Voice:
    """See agents.agent.Output. `expire_time` is when questions lapse that are asked now."""

    def __init__(self, journal: Journal, identity: Identity, expire_time: datetime) -> None:
        self._journal = journal
        self._identity = identity
        self._expire_time = expire_time
        # See agents.agent.Output. Called for every token, so without a step in between.
        self.partial: Callable[[ev.PartialPayload], None] = partial(journal.partial, identity=identity)

    @property
    def run(self) -> Run:
        """The run as it is now."""
        run, held = self._journal.run, self._journal.held
        return replace(run, usage=held.usage(run.usage)) if held else run

    def as_agent(self, identity: Identity) -> "Voice":
        """Return the same log for another agent of the run."""
        return Voice(self._journal, identity, self._expire_time)

    async def emit(
        self,
        payload: ev.DurablePayload,
        *,
        state_delta: JsonObject | None = None,
        tag: str = "",
        may_wait: bool = False,
    ) -> ev.DurablePayload | None:
        """Append one event. See agents.agent.Output."""
        draft = self._draft(payload)
        if state_delta is not None or tag:
            draft = replace(draft, state_delta=state_delta, tag=tag)
        if may_wait and self._journal.hold(draft):
            return payload
        (shown,) = await self._journal.write([draft])
        return None if shown is None else shown.payload

    def checkpoint(self, point: str) -> None:
        """Stop here when a graceful cancel asks for it. See agents.agent.Output."""
        self._journal.checkpoint(point)

    async def take_messages(self) -> list[Message]:
        """Put what users have queued into the log, and return it. See agents.agent.Output."""
        while (mail := self.run.mail).messages:
            drafts = [
                replace(self._draft(ev.MessagePayload(queued.id, queued.message)), author=USER)
                for queued in mail.messages
            ]
            try:
                shown = await self._journal.write(
                    drafts,
                    record=lambda run, mail=mail: replace(run, mail=mail.with_all_read()),  # type: ignore[misc]
                    mail_version=mail.version,
                )
            except StaleMailError:
                continue
            payloads = [draft.payload for draft in shown if draft is not None]
            return [payload.message for payload in payloads if isinstance(payload, ev.MessagePayload)]
        return []

    async def ask(self, asked: Sequence[Ask]) -> None:
        """Put questions into the log and the record. See agents.agent.Output."""
        known = {(q.kind, q.message_id, q.tool_call.id) for q in self.run.questions}
        questions = tuple(
            Question(
                id=new_id(),
                kind=ask.kind,
                tool_call=ask.tool_call,
                message_id=ask.message_id,
                reason=ask.reason,
                expire_time=self._expire_time,
            )
            for ask in asked
            if (ask.kind, ask.message_id, ask.tool_call.id) not in known
        )
        if not questions:
            return
        payloads: list[ev.DurablePayload] = [
            ev.ApprovalRequested(q.id, q.tool_call, self._expire_time, q.reason)
            for q in questions
            if q.kind is QuestionKind.APPROVAL
        ]
        if calls := tuple(q.tool_call for q in questions if q.kind is QuestionKind.TOOL_OUTPUT):
            payloads.append(ev.ToolOutputsRequested(calls, self._expire_time))
        await self._journal.write(
            [self._draft(payload) for payload in payloads],
            record=lambda run: replace(run, questions=(*run.questions, *questions)),
        )

    async def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Return all answers, and put new ones into the log. See agents.agent.Output."""
        await settle(self._journal)
        found: dict[tuple[str, str], Answer] = {}
        for question in self.run.questions:
            answer = self.run.mail.answer_to(question)
            if answer is not None and question.is_settled:
                found[question.message_id, question.tool_call.id] = answer
        return found

    def _draft(self, payload: ev.DurablePayload) -> ev.Draft:
        who = self._identity
        return ev.Draft(
            author=who.author,
            payload=payload,
            branch=who.branch,
            invocation_id=who.invocation_id,
            parent_invocation_id=who.parent_invocation_id,
        )


async def settle(journal: Journal) -> None:
    """Put answers into the log that are not there yet. Raises: as Journal.write."""
    async with journal.settling:
        await _settle(journal)


async def _settle(journal: Journal) -> None:
    run = journal.run
    fresh = {q.id: answer for q in run.questions if not q.is_settled and (answer := run.mail.answer_to(q))}
    if not fresh:
        return
    resolved = [payload for q in run.questions if (payload := _resolution(q, fresh.get(q.id))) is not None]
    await journal.write(
        [journal.draft(payload) for payload in resolved],
        record=lambda run: replace(
            run, questions=tuple(_settled(q) if q.id in fresh else q for q in run.questions)
        ),
    )


def left_open(run: Run, why: str) -> list[ev.DurablePayload]:
    """Return what the log of a run that ends still has to say of approvals: an answer that came too late, or none."""
    resolved: list[ev.DurablePayload] = []
    for question in run.questions:
        if question.kind is QuestionKind.APPROVAL and not question.is_settled:
            answer = run.mail.answer_to(question)
            late = ev.ApprovalResolved(question.id, Decision.EXPIRED, comment=why)
            resolved.append(_resolution(question, answer) or late)
    return resolved


def _resolution(question: Question, answer: Answer | None) -> ev.ApprovalResolved | None:
    if answer is None or question.kind is not QuestionKind.APPROVAL:
        return None
    return ev.ApprovalResolved(
        question.id, answer.decision, answer.decided_by, answer.comment, answer.arguments
    )


def _settled(question: Question) -> Question:
    """Mark it, and leave out what the log has: the record is written with every append."""
    call = replace(question.tool_call, arguments="")
    return replace(question, tool_call=call, reason="", is_settled=True)
