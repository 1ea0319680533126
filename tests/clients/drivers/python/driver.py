"""The driver of the Python client: see tests/clients/README.md."""

import asyncio
import base64
import json
import sys
from typing import Any

import grpc

from runwire import CallError, Client, RunEndedError
from runwire.v1 import event_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as spb

STEP_SECONDS = 600.0


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def decoded(kind: Any, command: dict[str, Any]) -> Any:
    return kind.FromString(base64.b64decode(command["request"]))


def encoded(message: Any) -> str:
    return base64.b64encode(message.SerializeToString()).decode()


class LeaveError(Exception):
    """The caller cancels."""


class Reading:
    """One reader of a run."""

    def __init__(self, command: dict[str, Any], number: int | None = None) -> None:
        self.read = command.get("read", "text")
        self.left = command.get("cancel_after", 0)
        self.tag = {} if number is None else {"reader": number}

    def item(self, **line: Any) -> None:
        say(**line, **self.tag)
        self.left -= 1
        if self.left == 0:
            raise LeaveError

    async def all(self, run: Any) -> dict[str, Any]:
        if self.read == "text":
            return {"text": await run.text()}
        await getattr(self, self.read)(run)
        return {}

    async def events(self, run: Any) -> None:
        async for event in run:
            self.item(event=encoded(event))

    async def deltas(self, run: Any) -> None:
        async for piece in run.deltas():
            self.item(piece=piece)

    async def messages(self, run: Any) -> None:
        async for message in run.messages():
            self.item(message=encoded(message))

    async def message_streams(self, run: Any) -> None:
        async for stream in run.message_streams():
            await self.stream(stream)

    async def message_streams_late(self, run: Any) -> None:
        for stream in [stream async for stream in run.message_streams()]:
            _ = [piece async for piece in stream]
            await self.stream(stream)

    async def stream(self, stream: Any) -> None:
        pieces = [piece async for piece in stream]
        whole = encoded(await stream.message())
        self.item(stream={"message_id": stream.message_id, "pieces": pieces, "message": whole})


class Driver:
    """Does one command after the other."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}

    def client(self, target: str) -> Client:
        if target not in self.clients:
            self.clients[target] = Client(target)
        return self.clients[target]

    async def do(self, command: dict[str, Any]) -> dict[str, Any]:
        client = self.client(command["target"])
        done: dict[str, Any] = await getattr(self, command["op"])(client, command)
        return done

    async def run(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        request = decoded(pb.RunRequest, command)
        deadline = command.get("deadline_ms")
        return await self.read(
            client.run(
                request.message,
                user_id=request.user_id,
                session_id=request.session_id,
                request_id=request.request_id,
                agent_name=request.agent_name,
                resume=request.resume,
                options=request.options,
                stream=request.stream,
                deadline_seconds=deadline / 1000 if deadline else None,
            ),
            command,
        )

    async def attach(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        request = decoded(pb.AttachRequest, command)
        run = client.attach(request.request_id, after_sequence=request.after_sequence, stream=request.stream)
        return await self.read(run, command)

    async def read(self, run: Any, command: dict[str, Any]) -> dict[str, Any]:
        async with run:
            if "readers" not in command:
                return await Reading(command).all(run)
            readings = [Reading(command, number) for number in range(command["readers"])]
            await asyncio.gather(*(reading.all(run) for reading in readings))
            return {}

    async def chat(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        talk = client.conversation(user_id=command["user_id"], session_id=command.get("session_id", ""))
        texts = [await talk.chat(message) for message in command["messages"]]
        return {"texts": texts, "session_id": talk.session_id}

    async def subscribe(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        talk = client.conversation(user_id=command["user_id"])
        events = talk.subscribe(command.get("channels", ()))
        left = len(command["messages"])
        for message in command["messages"]:
            await talk.send(message)
        async for event in events:
            say(event=encoded(event))
            left -= event.HasField("completion")
            if not left:
                break
        await events.aclose()
        return {}

    async def cancel(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        request = decoded(pb.CancelRequest, command)
        return {"changed": (await client.cancel(request.request_id, reason=request.reason)).changed}

    async def get_session(self, client: Client, command: dict[str, Any]) -> dict[str, Any]:
        key = decoded(spb.GetSessionRequest, command).key
        got = await client.get_session(key.session_id, user_id=key.user_id)
        return {"event_count": len(got.events)}


def outcome(completion: event_pb2.Completion) -> str:
    known = completion.outcome in run_pb2.Outcome.values()
    return run_pb2.Outcome.Name(completion.outcome)[8:] if known else str(completion.outcome)


async def answered(driver: Driver, command: dict[str, Any]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            return await driver.do(command)
    except CallError as error:
        code: grpc.StatusCode = error.code
        fields = list(error.violations)
        return {"error": {"kind": "call", "code": code.name, "reason": error.reason, "fields": fields}}
    except RunEndedError as error:
        ended = {"outcome": outcome(error.completion), "stop_reason": error.completion.stop_reason}
        return {"error": {"kind": "ended", **ended}}
    except LeaveError:
        return {"error": {"kind": "cancelled"}}
    except Exception as error:
        return {"error": {"kind": "bug", "message": repr(error)}}


async def main() -> None:
    driver = Driver()
    while line := await asyncio.to_thread(sys.stdin.readline):
        say(done=await answered(driver, json.loads(line)))
    for client in driver.clients.values():
        await client.close()


asyncio.run(main())
