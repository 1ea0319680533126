"""Messages for live runs, and what sessions with several runs do (R19, R21)."""

import asyncio
from typing import Any

import grpc

from desk import SESSION, Desk, desk, refused
from runwire.v1 import content_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.app import App, LlmAgent
from runwire_server.models.scripted import ScriptedModel
from support import CALL_SECONDS, call_turn, eventually, kinds, run_request, scripted_app, text_turn


class Worker:
    """An agent with a tool that ends when it is told to."""

    def __init__(self, *turns: Any) -> None:
        self.model = ScriptedModel(turns or [call_turn("work"), text_turn("done")])
        self.go_on = asyncio.Event()
        self.started = 0

    def app(self) -> App:
        async def work() -> str:
            """Work."""
            self.started += 1
            await self.go_on.wait()
            return "worked"

        return App("test", [LlmAgent("agent", model=self.model, tools=[work])])

    def texts(self) -> list[str]:
        """What the model was asked last."""
        return [message.content for message in self.model.requests[-1].messages]


def run(at: Desk, request_id: str = "r", **fields: Any) -> Any:
    fields = {"session_id": "s", "content": "go", **fields}
    return at.runs.Run(
        run_request(fields.pop("content"), request_id=request_id, **fields), timeout=CALL_SECONDS
    )


async def enqueue(at: Desk, text: str, message_id: str = "", request_id: str = "r") -> Any:
    request = pb.EnqueueMessageRequest(
        request_id=request_id, message_id=message_id, message=content_pb2.Message(content=text)
    )
    return await at.runs.EnqueueMessage(request, timeout=CALL_SECONDS)


async def test_messages_are_read_in_order_before_the_next_model_call(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        call = run(at)
        await eventually(lambda: worker.started == 1)

        assert (await enqueue(at, "one", "m1")).queue_length == 1
        assert (await enqueue(at, "two")).queue_length == 2
        # Sent again, because the answer was lost: that changes nothing.
        assert (await enqueue(at, "one", "m1")).queue_length == 2
        worker.go_on.set()

        events = [response.event async for response in call]
        assert worker.texts()[-3:] == ["worked", "one", "two"]
        said = [e.message for e in events if e.HasField("message")]
        assert [(m.message.role, m.message.content) for m in said][1:3] == [
            (content_pb2.ROLE_USER, "one"),
            (content_pb2.ROLE_USER, "two"),
        ]
        assert said[1].message_id == "m1"
        assert (
            next(e.author for e in events if e.HasField("message") and e.message.message_id == "m1") == "user"
        )
        stored = [e.message.message.content for e in await at.history() if e.HasField("message")]
        assert stored == ["go", "", "one", "two", "done"]


async def test_what_was_taken_back_is_not_read_and_more_can_come(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        call = run(at)
        await eventually(lambda: worker.started == 1)
        for name in ("m1", "m2", "m3"):
            await enqueue(at, name, name)

        one = pb.CancelQueuedMessagesRequest(request_id="r", message_id="m2")
        everything = pb.CancelQueuedMessagesRequest(request_id="r")
        assert (await at.runs.CancelQueuedMessages(one, timeout=CALL_SECONDS)).cancelled_count == 1
        assert (await at.runs.CancelQueuedMessages(one, timeout=CALL_SECONDS)).cancelled_count == 0
        assert (await at.runs.CancelQueuedMessages(everything, timeout=CALL_SECONDS)).cancelled_count == 2
        await enqueue(at, "m4", "m4")
        worker.go_on.set()

        assert kinds([response.event async for response in call])[-1] == "completion"
        assert worker.texts()[-2:] == ["worked", "m4"]


async def test_no_message_that_was_accepted_is_lost_at_the_end_of_a_run(store_url: str) -> None:
    model = ScriptedModel([text_turn("yes")], pause=lambda: asyncio.sleep(0.005))
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        for number in range(5):
            call = run(at, f"r{number}", session_id=f"s{number}", options={"max_llm_calls": 1000})
            await anext(aiter(call))
            accepted = []
            for place in range(20):
                text = f"{number}.{place}"
                try:
                    await enqueue(at, text, request_id=f"r{number}")
                except grpc.aio.AioRpcError:
                    break
                accepted.append(text)
                await asyncio.sleep(0.003 * number)

            completion, events = await at.ended(f"r{number}")

            assert completion.outcome == run_pb2.OUTCOME_COMPLETED
            users = [
                e.message.message.content for e in events if e.HasField("message") and e.author == "user"
            ]
            assert users == accepted
            assert model.requests[-1].messages[-1].content == (accepted[-1] if accepted else "go")


async def test_who_cannot_be_steered_says_so(store_url: str) -> None:
    async with desk(scripted_app([text_turn("hi")]), store_url) as at:
        assert (await refused(enqueue(at, "x", request_id="none")))[0] is grpc.StatusCode.NOT_FOUND
        assert kinds([response.event async for response in run(at)])[-1] == "completion"
        assert (await refused(enqueue(at, "late")))[0] is grpc.StatusCode.FAILED_PRECONDITION
        assert (await refused(enqueue(at, "")))[0] is grpc.StatusCode.INVALID_ARGUMENT
        request = pb.EnqueueMessageRequest(request_id="r")
        request.message.role, request.message.content = content_pb2.ROLE_ASSISTANT, "I am you"
        assert (await refused(at.runs.EnqueueMessage(request)))[0] is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_queue_of_messages_is_bounded(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        call = run(at)
        await eventually(lambda: worker.started == 1)
        for number in range(100):
            await enqueue(at, str(number))

        assert (await refused(enqueue(at, "one more")))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        worker.go_on.set()
        assert kinds([response.event async for response in call])[-1] == "completion"
        assert worker.texts()[-100:] == [str(number) for number in range(100)]


async def test_a_run_on_another_replica_is_steered(lasting_store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), lasting_store_url) as one, desk(worker.app(), lasting_store_url) as two:
        call = run(one)
        await eventually(lambda: worker.started == 1)
        await enqueue(two, "from afar")
        live = next(iter(one.service.runner.live_runs))
        await eventually(lambda: bool(live.run.mail.messages))
        worker.go_on.set()

        assert kinds([response.event async for response in call])[-1] == "completion"
        assert worker.texts()[-1] == "from afar"


def policy(name: str) -> run_pb2.RunOptions:
    return run_pb2.RunOptions(session_policy=run_pb2.SessionPolicy.Value(f"SESSION_POLICY_{name}"))


async def test_reject_refuses_a_busy_session_and_names_who_is_at_work(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        call = run(at)
        await eventually(lambda: worker.started == 1)

        code, text = await refused(anext(aiter(run(at, "r2", options=policy("REJECT")))))
        assert (code, "'r'" in text) == (grpc.StatusCode.ABORTED, True)
        status = pb.RunStatusRequest(request_id="r2")
        assert (await refused(at.runs.RunStatus(status)))[0] is grpc.StatusCode.NOT_FOUND
        worker.go_on.set()
        assert kinds([response.event async for response in call])[-1] == "completion"
        # A session that is idle takes it, and so does another one.
        for number, session in enumerate(("s", "other")):
            events = [
                e.event async for e in run(at, f"q{number}", session_id=session, options=policy("REJECT"))
            ]
            assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def test_interrupt_cancels_who_is_at_work_and_who_waits(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        first = run(at, "r1")
        await eventually(lambda: worker.started == 1)
        second = run(at, "r2", content="second")
        await anext_header(second)
        worker.go_on.set()

        third = run(at, "r3", content="third", options=policy("INTERRUPT"))

        ends = [[e.event async for e in call][-1].completion for call in (first, second, third)]
        # The second may have been done with before it was cancelled.
        assert ends[2].outcome == run_pb2.OUTCOME_COMPLETED
        cancelled = [end for end in ends if end.outcome == run_pb2.OUTCOME_CANCELLED]
        assert all(end.cancel_reason == "interrupted by run r3" for end in cancelled)


async def anext_header(call: Any) -> None:
    """Wait until the run is accepted."""
    await call.initial_metadata()


async def test_interrupt_ends_a_run_that_waits_for_nothing_to_happen(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        first = run(at, "r1")
        await eventually(lambda: worker.started == 1)

        second = run(at, "r2", options=policy("INTERRUPT"))
        ended = [e.event async for e in first][-1].completion
        worker.go_on.set()

        assert (ended.outcome, ended.cancel_reason) == (run_pb2.OUTCOME_CANCELLED, "interrupted by run r2")
        assert [e.event async for e in second][-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def test_parallel_runs_do_not_wait_and_the_model_sees_pairs(store_url: str) -> None:
    worker = Worker(call_turn("work", call_id="a"), call_turn("work", call_id="b"), text_turn("done"))
    async with desk(worker.app(), store_url) as at:
        calls = [run(at, f"r{n}", content=f"go {n}", options=policy("PARALLEL")) for n in range(2)]
        await asyncio.gather(*(anext_header(call) for call in calls))
        await eventually(lambda: worker.started == 2)
        worker.go_on.set()

        ends = [[e.event async for e in call][-1].completion for call in calls]

        assert {end.outcome for end in ends} == {run_pb2.OUTCOME_COMPLETED}
        follow = [e.event async for e in run(at, "r9", content="and now?")]
        assert follow[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
        shown = worker.model.requests[-1].messages
        for place, message in enumerate(shown):
            for offset, tool_call in enumerate(message.tool_calls, 1):
                assert shown[place + offset].tool_call_id == tool_call.id
        assert SESSION


async def test_queued_runs_come_one_after_the_other(store_url: str) -> None:
    model = ScriptedModel([text_turn("ok")], pause=lambda: asyncio.sleep(0.002))
    async with desk(App("test", [LlmAgent("agent", model=model)]), store_url) as at:
        calls = []
        for number in range(8):
            calls.append(run(at, f"r{number}", content=f"say {number}", options=policy("QUEUE")))
            await anext_header(calls[-1])

        for call in calls:
            assert kinds([response.event async for response in call])[-1] == "completion"
        said = [e.message.message.content for e in await at.history()]
        assert said == [text for number in range(8) for text in (f"say {number}", "ok")]


async def test_parts_count_for_the_size_of_the_queue(store_url: str) -> None:
    worker = Worker()
    async with desk(worker.app(), store_url) as at:
        call = run(at)
        await eventually(lambda: worker.started == 1)
        message = content_pb2.Message(content="see", parts=[content_pb2.Part(text="x" * 700_000)])
        request = pb.EnqueueMessageRequest(request_id="r", message=message)
        await at.runs.EnqueueMessage(request, timeout=CALL_SECONDS)

        code, _ = await refused(at.runs.EnqueueMessage(request, timeout=CALL_SECONDS))

        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        worker.go_on.set()
        call.cancel()
