"""Fills a server with sessions or runs, in a process of its own: `python -m benchmarks.service.fill WHAT TARGET …`.

It prints `done` when everything is there, and what went wrong otherwise.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import grpc.aio

from runwire.v1 import content_pb2, event_pb2, runner_service_pb2_grpc, session_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as sessions_pb
from runwire.v1.session_service_pb2_grpc import SessionServiceStub

_AT_ONCE = 32
_TEXT = "It was said some time ago, in about as many words as people say things to an assistant. " * 2
_CALL_SECONDS = 60.0


async def sessions(target: str, prefix: str, count: int, length: int) -> None:
    """Fill the sessions PREFIX-0-0, PREFIX-1-0, … of the user u0, as the load client names them."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = SessionServiceStub(channel)
        await _all(_session(stub, "u0", f"{prefix}-{number}-0", length) for number in range(count))


async def _session(stub: Any, user: str, session: str, length: int) -> None:
    key = session_pb2.SessionKey(user_id=user, session_id=session)
    await stub.GetOrCreateSession(sessions_pb.GetOrCreateSessionRequest(key=key), timeout=_CALL_SECONDS)
    await _all(_append(stub, key, number) for number in range(length))


async def _append(stub: Any, key: session_pb2.SessionKey, number: int) -> None:
    role = content_pb2.ROLE_USER if number % 2 == 0 else content_pb2.ROLE_ASSISTANT
    message = content_pb2.Message(role=role, content=f"{number}: {_TEXT}")
    event = event_pb2.Event(
        author="user" if number % 2 == 0 else "assistant", message=event_pb2.MessageEvent(message=message)
    )
    await stub.AppendEvent(sessions_pb.AppendEventRequest(key=key, event=event), timeout=_CALL_SECONDS)


async def waiting(target: str, agent: str, count: int, message: str) -> None:
    """Start so many runs that ask for an approval, and leave each when it has."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = runner_service_pb2_grpc.RunnerServiceStub(channel)
        await _all(_waiting(stub, agent, f"w{number}", message) for number in range(count))


async def _waiting(stub: Any, agent: str, user: str, message: str) -> None:
    request = pb.RunRequest(user_id=user, agent_name=agent, message=content_pb2.Message(content=message))
    request.options.detached_cancel = True
    call: AsyncIterator[pb.RunResponse] = stub.Run(request, timeout=_CALL_SECONDS)
    async for answer in call:
        payload = answer.event.WhichOneof("payload")
        if payload == "approval_requested":
            # The run itself must be a record before memory is looked at.
            await stub.WaitRun(pb.WaitRunRequest(request_id=answer.event.request_id), timeout=_CALL_SECONDS)
            break
        if payload == "completion":
            raise RuntimeError(f"the run did not wait: {answer.event.completion}".replace("\n", " "))
    call.cancel()  # type: ignore[attr-defined]


async def _all(work: Any) -> None:
    """Do everything, a few at a time."""
    work = iter(work)

    async def some() -> None:
        for one in work:
            await one

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(some())


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("sessions", "waiting"))
    parser.add_argument("target")
    parser.add_argument("--prefix", default="s")
    parser.add_argument("--agent", default="")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--length", type=int, default=10)
    parser.add_argument("--message", default="bench tokens=1 rounds=1")
    asked = parser.parse_args()
    work: Coroutine[Any, Any, None]
    if asked.what == "sessions":
        work = sessions(asked.target, asked.prefix, asked.count, asked.length)
    else:
        work = waiting(asked.target, asked.agent, asked.count, asked.message)
    asyncio.run(work)
    print("done")


if __name__ == "__main__":
    main()
