"""Chaos: runs with tools that fail, hang, stop and ask; cancels, steering, disconnects; servers that are killed.

CHAOS=1000 does more runs than are done in CI, CHAOS_SEED chooses others.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from runwire import Client
from runwire.v1 import content_pb2, event_pb2, run_pb2, runner_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from servers.shared import STORES, fresh_url
from support import CALL_SECONDS, durable, run_request, server_process

pytestmark = [pytest.mark.may_block, pytest.mark.timeout(1800)]
RUNS = int(os.environ.get("CHAOS", "120"))
SEED = int(os.environ.get("CHAOS_SEED", "7"))
AT_ONCE = 24
RUNS_PER_SERVER = 60
POLICIES = ["QUEUE", "QUEUE", "PARALLEL", "INTERRUPT", "REJECT"]
MODES = [pb.CANCEL_MODE_IMMEDIATE, pb.CANCEL_MODE_AFTER_MODEL, pb.CANCEL_MODE_AFTER_TOOLS]
TERMINAL = {
    run_pb2.RUN_STATE_COMPLETED,
    run_pb2.RUN_STATE_FAILED,
    run_pb2.RUN_STATE_CANCELLED,
    run_pb2.RUN_STATE_TIMED_OUT,
    run_pb2.RUN_STATE_LOST,
}


class Caller:
    """Starts runs and disturbs them. Whatever a call answers is right, as long as the logs are in the end."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names: list[str] = []

    async def one(self, stub: Any, number: int) -> None:
        """Start a run, and disturb it while it works."""
        name = f"run{number}"
        self.names.append(name)
        options = run_pb2.RunOptions(
            detached_cancel=self.chance.random() < 0.5,
            session_policy=run_pb2.SessionPolicy.Value(f"SESSION_POLICY_{self.chance.choice(POLICIES)}"),
            keep_interrupted_text=self.chance.random() < 0.5,
            max_llm_calls=self.chance.choice([2, 5, 12]),
            on_limit=self.chance.choice([run_pb2.LIMIT_ACTION_FAIL, run_pb2.LIMIT_ACTION_ANSWER]),
            tool_call_arguments_json_repair=self.chance.random() < 0.5,
            max_parallel_tools=self.chance.choice([1, 8]),
        )
        options.max_run_duration.FromMilliseconds(self.chance.choice([500, 5000, 60_000]))
        options.waiting_timeout.FromMilliseconds(self.chance.choice([500, 60_000]))
        if self.chance.random() < 0.3:
            options.tools.client_tools.add(name="outside", client_side=True)
        session = f"s{self.chance.randrange(max(RUNS // 6, 1))}"
        request = run_request("go", request_id=name, session_id=session, options=options)
        with suppress(grpc.aio.AioRpcError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(stub, name, stub.Run(request, timeout=30)))
                for _ in range(self.chance.randrange(4)):
                    group.create_task(self._disturb(stub, name))

    async def _read(self, stub: Any, name: str, call: Any) -> None:
        leaves_after = self.chance.choice([3, 10, 10_000, 10_000])
        count = 0
        with suppress(grpc.aio.AioRpcError):
            async for response in call:
                count += 1
                await self._answer(stub, name, response.event)
                if count >= leaves_after or response.event.HasField("run_state_changed"):
                    break
        call.cancel()

    async def _answer(self, stub: Any, name: str, event: Any) -> None:
        if self.chance.random() < 0.2:
            return
        with suppress(grpc.aio.AioRpcError):
            if event.HasField("approval_requested"):
                request = pb.ResolveApprovalRequest(
                    request_id=name,
                    approval_id=event.approval_requested.approval_id,
                    decision=self.chance.choice([1, 2]),
                )
                await stub.ResolveApproval(request, timeout=CALL_SECONDS)
            elif event.HasField("tool_outputs_requested"):
                calls = event.tool_outputs_requested.tool_calls
                outputs = [content_pb2.ToolResult(tool_call_id=call.id, content="seen") for call in calls]
                request = pb.SubmitToolOutputsRequest(request_id=name, outputs=outputs)
                await stub.SubmitToolOutputs(request, timeout=CALL_SECONDS)

    async def _disturb(self, stub: Any, name: str) -> None:
        await asyncio.sleep(self.chance.uniform(0, 0.5))
        message = content_pb2.Message(content="more")
        with suppress(grpc.aio.AioRpcError):
            match self.chance.randrange(5):
                case 0:
                    request = pb.CancelRequest(request_id=name, mode=self.chance.choice(MODES))
                    await stub.Cancel(request, timeout=CALL_SECONDS)
                case 1 | 2:
                    request = pb.EnqueueMessageRequest(request_id=name, message=message)
                    await stub.EnqueueMessage(request, timeout=CALL_SECONDS)
                case 3:
                    request = pb.CancelQueuedMessagesRequest(request_id=name)
                    await stub.CancelQueuedMessages(request, timeout=CALL_SECONDS)
                case _:
                    resumed = pb.RunRequest(
                        user_id="u", session_id=f"s{self.chance.randrange(5)}", resume=True
                    )
                    resumed.request_id = f"{name}.resumed{self.chance.randrange(10**9)}"
                    resumed.options.detached_cancel = True
                    self.names.append(resumed.request_id)
                    call = stub.Run(resumed, timeout=20)
                    async for _ in call:
                        break
                    call.cancel()


@pytest.fixture(params=[kind for kind in STORES if kind not in {"memory", "mysql"}])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A store that outlives its server."""
    with fresh_url(request.param, tmp_path) as url:
        yield url


async def test_every_run_ends_or_waits_whatever_happens(store: str, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    here = Path(__file__).parent
    faults = tmp_path / "faults.txt"
    environment = {
        "RUNWIRE_STORE": store,
        "RUNWIRE_LEASE_TTL_SECONDS": "2",
        "RUNWIRE_REATTACH_GRACE_SECONDS": "0.3",
        "RUNWIRE_DRAIN_SECONDS": "0.3",
        "PYTHONPATH": f"{here}:{here.parent}",
        "CHAOS_FAULTS": str(faults),
    }
    caller = Caller(chance)
    slots = asyncio.Semaphore(AT_ONCE)
    numbers = iter(range(RUNS))
    while batch := [number for number, _ in zip(numbers, range(RUNS_PER_SERVER), strict=False)]:
        environment["CHAOS_SEED"] = str(chance.randrange(10**6))
        with server_process("chaos_app:app", cwd=tmp_path, **environment) as server:
            async with grpc.aio.insecure_channel(server.address) as channel:
                stub = runner_service_pb2_grpc.RunnerServiceStub(channel)

                async def start(number: int, stub: Any = stub) -> None:
                    async with slots:
                        await caller.one(stub, number)

                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(start(number)) for number in batch]
                    while sum(task.done() for task in tasks) < len(tasks) * 0.8:
                        await asyncio.sleep(0.05)
                    # In the middle of the others.
                    if chance.random() < 0.5:
                        server.kill()
                    else:
                        await asyncio.to_thread(server.stop)
    await look_at_all(caller.names, environment, tmp_path)
    assert not faults.exists(), faults.read_text()[:3000]


async def look_at_all(names: list[str], environment: dict[str, str], folder: Path) -> None:
    """Look at all runs once nothing moves any more."""
    with ExitStack() as stack:
        server = stack.enter_context(server_process("chaos_app:app", cwd=folder, **environment))
        async with Client(server.address, user_id="u") as client:
            async with asyncio.timeout(120):
                while True:
                    runs = [run async for run in client.runs(page_size=1000)]
                    moving = [r for r in runs if r.state not in {*TERMINAL, run_pb2.RUN_STATE_WAITING}]
                    # A run that waits keeps those behind it in its session waiting, too.
                    held = {run.session.session_id for run in runs if run.state == run_pb2.RUN_STATE_WAITING}
                    if all(
                        r.state == run_pb2.RUN_STATE_QUEUED and r.session.session_id in held for r in moving
                    ):
                        break
                    await asyncio.sleep(0.2)
            known = {run.request_id for run in runs}
            assert len(known & set(names)) > len(names) * 0.5
            print(Counter(run_pb2.RunState.Name(run.state) for run in runs))
            for run in runs:
                await look_at(client, run)
            for run in runs:
                if run.state not in TERMINAL:
                    await client.cancel(run.request_id, wait_seconds=10)
            assert await client.chat("who is left?", agent_name="probe", session_id="probe") == ""


async def look_at(client: Client, run: Any) -> None:
    """Look at one run's log."""
    # The wait of one that waits may be over just now.
    while True:
        events = [event async for event in client.run_events(run.request_id)]
        run = await client.status(run.request_id)
        if run.last_sequence == len(events):
            break
    assert [event.sequence for event in events] == list(range(1, len(events) + 1)), run
    assert durable(events) == events
    completions = [event for event in events if event.HasField("completion")]
    if run.state in TERMINAL:
        assert completions == events[-1:], run
        async with client.attach(run.request_id) as attached:
            assert durable([event async for event in attached]) == events
    elif completions:
        # Its wait was over after the list was read.
        assert completions == events[-1:], run
        assert (await client.status(run.request_id)).state in TERMINAL
    open_calls: Counter[int] = Counter()
    for event in events:
        if event.HasField("tool_started"):
            open_calls[event.tool_started.index] += 1
        elif event.HasField("tool_finished"):
            open_calls[event.tool_finished.index] -= 1
    assert not [index for index, count in open_calls.items() if count], (run, events)
    asked = {e.approval_requested.approval_id for e in events if e.HasField("approval_requested")}
    answered = Counter(e.approval_resolved.approval_id for e in events if e.HasField("approval_resolved"))
    assert set(answered) <= asked
    assert set(answered.values()) <= {1}
    if run.state in TERMINAL:
        assert set(answered) == asked, run
    assert event_pb2.APPROVAL_DECISION_UNSPECIFIED not in {
        e.approval_resolved.decision for e in events if e.HasField("approval_resolved")
    }
