"""The server as a process: what a user with the README sees, also after kill -9."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runwire import Client
from runwire.v1 import run_pb2, runner_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from support import (
    REPOSITORY,
    ServerProcess,
    child_environment,
    collect,
    durable,
    json_lines,
    kinds,
    run_request,
    server_process,
)

pytestmark = pytest.mark.may_block
MISTAKE = 2


def command(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runwire", *arguments],
        cwd=cwd,
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_a_conversation_is_the_same_from_another_connection_and_after_a_restart(tmp_path: Path) -> None:
    async def read(address: str) -> Any:
        async with Client(address, user_id="u") as client:
            return (await client.get_session("s")).events

    with server_process(cwd=tmp_path) as server:
        async with Client(server.address, user_id="u") as client:
            async with client.run("What is 25*4?", session_id="s") as run:
                events = [event async for event in run]
                assert await run.text() == "25*4 = 100."
        said = await read(server.address)
        assert server.stop() == 0
    with server_process(cwd=tmp_path) as server:
        assert await read(server.address) == said
        async with Client(server.address) as client:
            stored = [event async for event in client.run_events(run.request_id)]

    assert kinds(events)[0] == "run_started"
    assert [item.event.WhichOneof("payload") for item in said] == [
        "message",
        "message",
        "tool_results",
        "message",
    ]
    assert stored == durable(events)


async def test_kill_9_loses_no_event_that_was_seen_and_leaves_no_run_open(tmp_path: Path) -> None:
    fast = {"RUNWIRE_LEASE_TTL_SECONDS": "1"}
    with server_process(cwd=tmp_path, **fast) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
            seen = []
            request = run_request("write a slow report on tea", request_id="r", session_id="s")
            async for response in stub.Run(request, timeout=30):
                seen.append(response.event)
                if response.event.WhichOneof("payload") == "tool_progress":
                    break
            server.kill()
    with server_process(cwd=tmp_path, **fast) as server:
        async with Client(server.address, user_id="u") as client:
            async with client.attach("r") as attached:
                events = [event async for event in attached]
            again = await client.chat("What is 1+1?", session_id="s")

    assert durable(events)[: len(durable(seen))] == durable(seen)
    assert [event.sequence for event in durable(events)] == list(range(1, len(durable(events)) + 1))
    assert events[-1].completion.outcome == run_pb2.OUTCOME_LOST
    assert again == "1+1 = 2."


async def test_a_client_follows_its_run_through_a_graceful_restart(tmp_path: Path) -> None:
    """SIGTERM: followers are sent away, and come back to the end of the run."""
    with server_process(cwd=tmp_path) as server:
        async with Client(server.address, user_id="u") as client:
            async with client.run("write a slow report on tea", keeps_stream_only=True) as run:
                seen = []
                async for event in run:
                    seen.append(event)
                    if event.WhichOneof("payload") == "tool_started":
                        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0

    assert "reconnect" in [event.WhichOneof("payload") for event in seen]
    assert [event.sequence for event in durable(seen)] == list(range(1, 8))
    assert seen[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED


async def test_health_says_not_serving_while_it_drains(tmp_path: Path) -> None:
    with server_process(cwd=tmp_path, RUNWIRE_DRAIN_SECONDS="3") as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            watch = aiter(health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=20))
            assert (await anext(watch)).status == health_pb2.HealthCheckResponse.SERVING
            stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
            running = aiter(stub.Run(run_request("write a slow report on tea", request_id="r"), timeout=20))
            await anext(running)
            server.process.send_signal(signal.SIGTERM)
            assert (await anext(watch)).status == health_pb2.HealthCheckResponse.NOT_SERVING
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await collect(stub.Run(run_request("new"), timeout=5))
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


VANISH = """
import asyncio, sys, grpc.aio
from runwire.v1 import runner_service_pb2 as pb, runner_service_pb2_grpc
async def main():
    streams = []
    channels = []
    for _ in range(int(sys.argv[2])):
        channel = grpc.aio.insecure_channel(sys.argv[1], options=[("grpc.use_local_subchannel_pool", 1)])
        request = pb.RunRequest(user_id="u", message={"content": "write a slow report on nothing"})
        call = aiter(runner_service_pb2_grpc.RunnerServiceStub(channel).Run(request))
        await anext(call)
        streams.append(call)
        channels.append(channel)
    print("ready", flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


async def test_200_clients_that_vanish_leave_no_run_no_task_and_no_memory(tmp_path: Path) -> None:
    app = tmp_path / "forever.py"
    app.write_text(
        "import asyncio\n"
        "from runwire_server.app import App, LlmAgent\n"
        "async def slow_report(topic: str) -> str:\n"
        "    '''Never end.'''\n"
        "    await asyncio.sleep(600)\n"
        "    return ''\n"
        "app = App('forever', [LlmAgent('agent', tools=[slow_report])])\n"
    )
    with server_process("forever:app", cwd=tmp_path, RUNWIRE_REATTACH_GRACE_SECONDS="1") as server:
        process = psutil.Process(server.process.pid)
        vanish(server, 20)
        await all_runs_end(server)
        before = process.memory_info().rss
        for _ in range(2):
            vanish(server, 100)
            await all_runs_end(server)
        after = process.memory_info().rss

        assert after < before + 40 * 1024 * 1024
        async with Client(server.address) as client:
            ended = [run async for run in client.runs(page_size=1000)]
        assert len(ended) == 220
        assert {run.stop_reason for run in ended} == {"no_follower"}
        assert server.stop() == 0


def vanish(server: ServerProcess, count: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", VANISH, server.address, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.kill()
    child.wait(10)
    child.stdout.close()


async def all_runs_end(server: ServerProcess) -> None:
    live = [run_pb2.RUN_STATE_QUEUED, run_pb2.RUN_STATE_RUNNING]
    async with Client(server.address) as client, asyncio.timeout(60):
        while [run async for run in client.runs(states=live)]:
            await asyncio.sleep(0.2)


def test_a_busy_port_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    with server_process(cwd=tmp_path) as server:
        done = command("serve", "--listen", server.address, "--store", "memory:", cwd=tmp_path)

    assert_mistake(done, "cannot listen on")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["serve", "--nope"], "No such option: --nope"),
        (["serve", "nope:app"], "cannot import 'nope'"),
        (["serve", "nope"], "MODULE:APP"),
        (["serve", "--store", "sqlite:/no/such/folder/x.db"], "there is no folder"),
        (["serve", "--store", "mysql://127.0.0.1:1/x"], "cannot open the store mysql at 127.0.0.1:1"),
        (["serve", "--runs-max", "0"], "runs_max"),
        (["serve", "--config", "nope.toml"], "nope.toml"),
        (["nope"], "No such command"),
        (["status"], "Missing argument"),
        (["status", "x", "--target", "127.0.0.1:1"], "cannot reach the server"),
        (["chat", "--target", "127.0.0.1:1"], "cannot reach the server"),
        (["run", "hi", "--target", "127.0.0.1:1"], "cannot reach the server"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], text: str) -> None:
    assert_mistake(command(*arguments, cwd=tmp_path), text)


def assert_mistake(done: subprocess.CompletedProcess[str], text: str) -> None:
    assert done.returncode == MISTAKE, done.stderr
    (line,) = done.stderr.splitlines()
    assert text in line
    assert done.stdout == ""


def test_an_unknown_variable_is_a_mistake(tmp_path: Path) -> None:
    assert_mistake(command("serve", cwd=tmp_path, RUNWIRE_LISTEN_ON="x"), "RUNWIRE_LISTEN_ON")


def test_the_command_line_talks_to_the_server(tmp_path: Path) -> None:
    with server_process(cwd=tmp_path) as server:

        def say(*arguments: str) -> subprocess.CompletedProcess[str]:
            return command(*arguments, cwd=tmp_path, RUNWIRE_TARGET=server.address, RUNWIRE_USER="u")

        ran = say("run", "What is 25*4?", "--request-id", "r", "--session", "s")
        assert (ran.returncode, ran.stderr) == (0, "")
        assert '→ calculator({"expression": "25*4"})' in ran.stdout
        assert ran.stdout.endswith("25*4 = 100.\n")
        events = json_lines(say("attach", "r", "--after", "5", "--json").stdout)
        assert [event["sequence"] for event in events if "id" in event] == ["6", "7"]
        assert "state    completed" in say("status", "r").stdout
        assert "r  completed" in say("runs").stdout
        assert "agent: 25*4 = 100." in say("sessions", "show", "s").stdout
        assert say("sessions", "list").stdout.startswith("s  ")
        assert "calculator" in say("agents").stdout
        detached = say("run", "write a slow report on tea", "--detach").stdout.strip()
        assert "cancelled" in say("cancel", detached, "--reason", "enough").stdout
        assert "cancelled already" in say("cancel", detached).stdout
        assert_mistake(say("status", "nope"), "RUN_NOT_FOUND")
        assert say("sessions", "delete", "s").returncode == 0
        assert say("sessions", "restore", "s").stdout.startswith("s  ")
        assert say("sessions", "delete", "s", "--purge").returncode == 0
        assert_mistake(say("sessions", "restore", "s"), "SESSION_NOT_FOUND")
        assert_mistake(say("sessions", "delete", "s"), "there is no session")


def test_chat_understands_its_commands(tmp_path: Path) -> None:
    lines = [
        "What is 2+3?",
        "/history",
        "/nope",
        "/new",
        "/history",
        "/sessions",
        "/use nope",
        "/help",
        "/exit",
    ]
    with server_process(cwd=tmp_path) as server:
        done = subprocess.run(
            [sys.executable, "-m", "runwire", "chat", "--target", server.address],
            input="\n".join(lines),
            cwd=tmp_path,
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    for text in (
        "2+3 = 5.",
        "you: What is 2+3?",
        "there is no command /nope",
        "nothing was said yet",
        "/cancel",
    ):
        assert text in done.stdout
    assert "SESSION_NOT_FOUND" in done.stderr


def test_ctrl_c_in_a_chat_cancels_the_run_and_not_the_program(tmp_path: Path) -> None:
    with server_process(cwd=tmp_path) as server:
        chat = subprocess.Popen(
            [sys.executable, "-m", "runwire", "chat", "--target", server.address],
            cwd=tmp_path,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        assert chat.stdin is not None
        assert chat.stdout is not None
        chat.stdin.write("write a slow report on tea\n")
        seen = until(chat, "step 1")
        os.kill(chat.pid, signal.SIGINT)
        seen += until(chat, "cancelled")
        chat.stdin.write("What is 1+1?\n")
        seen += until(chat, "1+1 = 2.")
        chat.stdin.write("/exit\n")
        assert chat.wait(10) == 0
        chat.stdin.close()
        chat.stdout.close()


def until(process: subprocess.Popen[str], text: str) -> str:
    """Read lines until one has the text."""
    seen = ""
    deadline = time.monotonic() + 20
    assert process.stdout is not None
    while text not in seen:
        assert time.monotonic() < deadline, seen
        line = process.stdout.readline()
        assert line, seen
        seen += line
    return seen


def test_the_example_is_short() -> None:
    text = (REPOSITORY / "examples" / "assistant" / "app.py").read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 50


async def test_grpc_keepalive_of_eager_clients_is_tolerated(tmp_path: Path) -> None:
    """A misspelt channel argument would end this with "too many pings" after three seconds (grpc.md §2.3)."""
    eager = [("grpc.keepalive_time_ms", 1000), ("grpc.keepalive_permit_without_calls", 1)]
    with server_process(cwd=tmp_path) as server:
        async with grpc.aio.insecure_channel(server.address, options=eager) as channel:
            stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
            request = run_request("write a slow report on tea", request_id="r")
            assert (await collect(stub.Run(request, timeout=20)))[-1].WhichOneof("payload") == "completion"
            await asyncio.sleep(3)
            await stub.RunStatus(pb.RunStatusRequest(request_id="r"), timeout=5)
