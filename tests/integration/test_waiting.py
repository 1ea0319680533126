"""Runs that ask, wait as a record, and go on: approvals, outputs of the caller's tools, expiry, restarts (DESIGN
§2.8)."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import grpc
import pytest

from desk import SESSION, Desk, desk, refused
from runwire.v1 import content_pb2, event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from runwire_server.tools.function import function_tool
from support import CALL_SECONDS, call_turn, calls_turn, durable, eventually, kinds, run_request, text_turn

APPROVED = event_pb2.APPROVAL_DECISION_APPROVED
DENIED = event_pb2.APPROVAL_DECISION_DENIED


class Office:
    """An app whose agent sends letters when it is allowed to, and notes at any time."""

    def __init__(self, turns: Sequence[Any]) -> None:
        self.model = ScriptedModel(turns)
        self.sent: list[str] = []
        self.noted: list[str] = []
        self.may_note = asyncio.Event()
        self.may_note.set()

    def app(self) -> App:
        async def send(to: str) -> str:
            """Send a letter."""
            self.sent.append(to)
            return f"sent to {to}"

        async def note(text: str) -> str:
            """Note something."""
            self.noted.append(text)
            await self.may_note.wait()
            return f"noted {text}"

        tools = [function_tool(send, requires_approval=True), note]
        return App("test", [LlmAgent("agent", model=self.model, tools=tools)])


async def test_a_waiting_run_is_a_record_and_whoever_answers_lets_it_go_on(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        assert run.state == run_pb2.RUN_STATE_WAITING
        assert [(p.tool_call.name, p.tool_call.arguments) for p in run.pending] == [("send", '{"to": "bob"}')]
        await eventually(lambda: at.service.runner.live_count == 0)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith(("run-", "agent-"))]
        assert office.sent == []

        answer = await at.resolve(run.pending[0].approval_id, comment="fine", decided_by="alice")

        assert not answer.already_resolved
        assert answer.run.state != run_pb2.RUN_STATE_WAITING
        completion, events = await at.ended()
        assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_COMPLETED, "stop")
        assert office.sent == ["bob"]
        assert kinds(events) == [
            "run_started",
            "message",
            "approval_requested",
            "run_state_changed",
            "run_state_changed",
            "approval_resolved",
            "tool_started",
            "tool_finished",
            "tool_results",
            "message",
            "completion",
        ]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        resolved = events[5].approval_resolved
        assert (resolved.decision, resolved.decided_by, resolved.comment) == (APPROVED, "alice", "fine")
        said = [event.WhichOneof("payload") for event in await at.history()]
        assert said == ["message", "message", "tool_results", "message"]


async def test_a_denied_call_is_told_to_the_model_with_the_reason(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("a pity")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()

        await at.resolve(run.pending[0].approval_id, DENIED, comment="he moved")

        completion, _ = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert office.sent == []
        told = office.model.requests[-1].messages[-1].content
        assert '"DENIED"' in told
        assert "he moved" in told


async def test_edited_arguments_are_what_the_tool_gets(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()

        await at.resolve(run.pending[0].approval_id, arguments='{"to": "eve"}')

        _, events = await at.ended()
        assert office.sent == ["eve"]
        started = next(event for event in events if event.WhichOneof("payload") == "tool_started")
        assert started.tool_started.tool_call.arguments == '{"to": "eve"}'


async def test_the_first_answer_counts(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        approval_id = (await at.start()).pending[0].approval_id

        answers = await asyncio.gather(
            *(at.resolve(approval_id, APPROVED if n % 2 else DENIED, decided_by=f"p{n}") for n in range(8)),
            return_exceptions=True,
        )

        _, events = await at.ended()
        resolved = [e.approval_resolved for e in events if e.WhichOneof("payload") == "approval_resolved"]
        (decision,) = [one.decision for one in resolved]
        same, other = (
            (range(1, 8, 2), range(0, 8, 2)) if decision == APPROVED else (range(0, 8, 2), range(1, 8, 2))
        )
        assert all(not isinstance(answers[n], BaseException) for n in same)
        assert {answers[n].code() for n in other} == {grpc.StatusCode.FAILED_PRECONDITION}  # type: ignore[union-attr]
        assert sum(not answers[n].already_resolved for n in same) == 1  # type: ignore[union-attr]
        # After the end, too.
        assert (await at.resolve(approval_id, decision)).already_resolved
        code, text = await refused(at.resolve(approval_id, APPROVED if decision == DENIED else DENIED))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert ("approved" if decision == APPROVED else "denied") in text


async def test_answers_to_what_was_not_asked_are_refused(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        approval_id = run.pending[0].approval_id

        assert (await refused(at.resolve("other")))[0] is grpc.StatusCode.NOT_FOUND
        assert (await refused(at.resolve(approval_id, request_id="x")))[0] is grpc.StatusCode.NOT_FOUND
        assert (await refused(at.submit(call_1="x")))[0] is grpc.StatusCode.NOT_FOUND
        for decision, fields, path in (
            (event_pb2.APPROVAL_DECISION_UNSPECIFIED, {}, "decision"),
            (event_pb2.APPROVAL_DECISION_EXPIRED, {}, "decision"),
            (DENIED, {"arguments": "{}"}, "arguments"),
        ):
            code, text = await refused(at.resolve(approval_id, decision, **fields))
            assert (code, path in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)
        assert (await at.waiting()).state == run_pb2.RUN_STATE_WAITING


async def test_siblings_run_while_others_wait_and_none_runs_twice(store_url: str) -> None:
    turn = calls_turn(
        ("send", '{"to": "a"}', "c1"), ("note", '{"text": "x"}', "c2"), ("send", '{"to": "b"}', "c3")
    )
    office = Office([turn, text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        assert office.noted == ["x"]
        assert [pending.tool_call.id for pending in run.pending] == ["c1", "c3"]

        await at.resolve(run.pending[1].approval_id)
        await eventually(lambda: office.sent == ["b"])
        run = await at.waiting()
        assert [pending.tool_call.id for pending in run.pending] == ["c1"]
        await at.resolve(run.pending[0].approval_id)

        completion, events = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert (office.sent, office.noted) == (["b", "a"], ["x"])
        reported = [
            [r.tool_call_id for r in e.tool_results.results] for e in events if e.HasField("tool_results")
        ]
        assert reported == [["c2"], ["c3"], ["c1"]]
        shown = office.model.requests[-1].messages
        assert [message.tool_call_id for message in shown if message.tool_call_id] == ["c1", "c2", "c3"]


async def test_an_answer_that_comes_while_siblings_run_is_used_without_a_wait(store_url: str) -> None:
    turn = calls_turn(("send", '{"to": "a"}', "c1"), ("note", '{"text": "x"}', "c2"))
    office = Office([turn, text_turn("done")])
    office.may_note.clear()
    async with desk(office.app(), store_url) as at:
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        approval_id = ""
        async for response in call:
            if response.event.HasField("approval_requested"):
                approval_id = response.event.approval_requested.approval_id
                break
        await eventually(lambda: office.noted == ["x"])
        await at.resolve(approval_id)
        office.may_note.set()

        completion, events = await at.ended()

        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert office.sent == ["a"]
        assert "run_state_changed" not in kinds(events)


async def test_a_waiting_run_outlives_its_server(lasting_store_url: str) -> None:
    async with desk(Office([call_turn("send", '{"to": "bob"}')]).app(), lasting_store_url) as at:
        approval_id = (await at.start()).pending[0].approval_id

    office = Office([text_turn("done")])
    async with desk(office.app(), lasting_store_url) as at:
        assert (await at.waiting()).state == run_pb2.RUN_STATE_WAITING
        await at.resolve(approval_id)

        completion, events = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert office.sent == ["bob"]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))


async def test_another_replica_takes_the_answer_and_goes_on(lasting_store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), lasting_store_url) as one, desk(office.app(), lasting_store_url) as two:
        call = one.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=CALL_SECONDS)
        seen = []
        async for response in call:
            seen.append(response.event)
            if response.event.HasField("run_state_changed"):
                break
        approval_id = next(e.approval_requested.approval_id for e in seen if e.HasField("approval_requested"))

        await two.resolve(approval_id)

        seen += [response.event async for response in call]
        assert kinds(seen)[-2:] == ["message", "completion"]
        assert [event.sequence for event in durable(seen)] == list(range(1, durable(seen)[-1].sequence + 1))
        assert seen[-1].attempt == 2


async def test_nobody_answers_in_time(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("on we go")])
    async with desk(office.app(), store_url) as at:
        options = {"waiting_timeout": timedelta(seconds=0.3)}
        run = await at.start(options=options)
        assert run.HasField("wait_expire_time")

        completion, events = await at.ended()

        assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_TIMED_OUT, "waiting_timeout")
        assert kinds(events)[-2:] == ["approval_resolved", "completion"]
        assert events[-2].approval_resolved.decision == event_pb2.APPROVAL_DECISION_EXPIRED
        code, _ = await refused(at.resolve(run.pending[0].approval_id))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        # The session can go on, and the model is told that the call was not executed.
        follow = at.runs.Run(run_request("hello?", request_id="r2", session_id="s"), timeout=CALL_SECONDS)
        assert [e.event async for e in follow][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert "NOT_EXECUTED" in office.model.requests[-1].messages[-2].content


async def test_the_callers_deadline_counts_while_a_run_waits(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}')])
    async with desk(office.app(), store_url) as at:
        # Long enough for a first event: on a busy machine a new database takes its time to connect to.
        call = at.runs.Run(run_request("go", request_id="r", session_id="s"), timeout=2.0)
        await anext(aiter(call))

        completion, _ = await at.ended()

        assert (completion.outcome, completion.stop_reason) == (run_pb2.OUTCOME_TIMED_OUT, "deadline")


@pytest.mark.parametrize(
    "mode", [pb.CANCEL_MODE_IMMEDIATE, pb.CANCEL_MODE_AFTER_MODEL, pb.CANCEL_MODE_AFTER_TOOLS]
)
async def test_a_waiting_run_can_be_cancelled(store_url: str, mode: Any) -> None:
    office = Office([call_turn("send", '{"to": "bob"}')])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        request = pb.CancelRequest(request_id="r", reason="enough", mode=mode)
        request.wait.FromSeconds(10)

        answer = await at.runs.Cancel(request, timeout=CALL_SECONDS)

        assert (answer.changed, answer.run.state) == (True, run_pb2.RUN_STATE_CANCELLED)
        completion, events = await at.ended()
        assert (completion.outcome, completion.cancel_reason) == (run_pb2.OUTCOME_CANCELLED, "enough")
        assert kinds(events).count("completion") == 1
        assert (await refused(at.resolve(run.pending[0].approval_id)))[
            0
        ] is grpc.StatusCode.FAILED_PRECONDITION
        assert not (await at.runs.Cancel(request, timeout=CALL_SECONDS)).changed
        assert office.sent == []


def client_tools(*names: str, **fields: Any) -> run_pb2.RunOptions:
    tools = [run_pb2.ToolDeclaration(name=name, client_side=True, **fields) for name in names]
    return run_pb2.RunOptions(tools=run_pb2.ToolSelection(client_tools=tools))


async def test_the_caller_executes_tools_and_may_answer_bit_by_bit(store_url: str) -> None:
    turn = calls_turn(("look", "{}", "c1"), ("look", '{"at": 2}', "c2"), ("note", '{"text": "x"}', "c3"))
    office = Office([turn, text_turn("seen")])
    async with desk(office.app(), store_url) as at:
        run = await at.start(options=client_tools("look"))
        assert [(p.approval_id, p.tool_call.id) for p in run.pending] == [("", "c1"), ("", "c2")]
        assert "look" in [tool.name for tool in office.model.requests[0].tools]

        await at.submit(c2="two")
        run = await at.waiting()
        assert [pending.tool_call.id for pending in run.pending] == ["c1"]
        assert (await refused(at.submit(c2="three")))[0] is grpc.StatusCode.FAILED_PRECONDITION
        assert (await refused(at.submit(c1="one", c9="?")))[0] is grpc.StatusCode.NOT_FOUND
        await at.submit(c2="two", c1="one")

        completion, events = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        told = {m.tool_call_id: m.content for m in office.model.requests[-1].messages if m.tool_call_id}
        assert told == {"c1": "one", "c2": "two", "c3": "noted x"}
        requested = [e.tool_outputs_requested for e in events if e.HasField("tool_outputs_requested")]
        assert [[call.id for call in one.tool_calls] for one in requested] == [["c1", "c2"]]


async def test_a_client_tool_may_need_an_approval_first(store_url: str) -> None:
    office = Office([call_turn("look"), text_turn("seen")])
    async with desk(office.app(), store_url) as at:
        run = await at.start(options=client_tools("look", requires_approval=True))
        await at.resolve(run.pending[0].approval_id)
        await eventually_waiting_for_output(at)
        await at.submit(call_1="a tree")

        completion, _ = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert office.model.requests[-1].messages[-1].content == "a tree"


async def eventually_waiting_for_output(at: Desk) -> None:
    async with asyncio.timeout(CALL_SECONDS):
        while True:
            run = await at.waiting()
            if run.state == run_pb2.RUN_STATE_WAITING and run.pending and not run.pending[0].approval_id:
                return
            await asyncio.sleep(0.02)


async def test_a_deleted_session_does_not_keep_a_waiting_run_open(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        await at.sessions.DeleteSession(session_pb.DeleteSessionRequest(key=SESSION), timeout=CALL_SECONDS)

        await at.resolve(run.pending[0].approval_id)

        completion, _ = await at.ended()
        assert (completion.outcome, completion.error.code) == (run_pb2.OUTCOME_FAILED, "SESSION_DELETED")


async def test_what_others_say_meanwhile_does_not_come_between_a_call_and_its_result(store_url: str) -> None:
    office = Office([call_turn("send", '{"to": "bob"}'), text_turn("done")])
    async with desk(office.app(), store_url) as at:
        run = await at.start()
        for role, text in ((content_pb2.ROLE_SYSTEM, "be kind"), (content_pb2.ROLE_USER, "psst")):
            append = session_pb.AppendEventRequest(key=SESSION)
            append.event.message.message.role = role
            append.event.message.message.content = text
            await at.sessions.AppendEvent(append, timeout=CALL_SECONDS)
        steer = pb.EnqueueMessageRequest(request_id="r", message=content_pb2.Message(content="hurry"))
        await at.runs.EnqueueMessage(steer, timeout=CALL_SECONDS)
        assert (await at.waiting()).queued_message_count == 1

        await at.resolve(run.pending[0].approval_id)

        completion, _ = await at.ended()
        assert completion.outcome == run_pb2.OUTCOME_COMPLETED
        assert office.sent == ["bob"]
        shown = office.model.requests[-1].messages
        place = next(n for n, message in enumerate(shown) if message.tool_calls)
        assert shown[place + 1].tool_call_id == "call_1"
        assert {"be kind", "psst", "hurry"} <= {message.content for message in shown}
        assert shown[-1].content == "hurry"
