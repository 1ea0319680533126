"""A client that answers what runs ask: `python client.py [HOST:PORT]`, with app.py beside it being served."""

# ruff: noqa: T201 -- it is a program

import asyncio
import sys
from datetime import datetime

from runwire import Client, Decision, client_tool
from runwire.v1 import content_pb2, event_pb2


def clock() -> str:
    """Run here, not at the server: it is the time where the user is."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def ask(asked: event_pb2.ApprovalRequested) -> Decision:
    """Let the person at the terminal decide. What blocks runs in a thread."""
    answer = input(f"{asked.tool_call.name} {asked.tool_call.arguments}, {asked.reason}. Approve? y/N ")
    return Decision(is_approved=answer == "y", comment="asked at the terminal", decided_by="ann")


async def main(target: str) -> None:
    """Have one tool called here, and one there after it was approved."""
    clock_here = client_tool("clock", "Tell the user's time.", {"type": "object"})
    async with Client(target, user_id="ann") as client:
        options = {"tools": {"client_tools": [clock_here]}}
        print(await client.chat("What time is it?", options=options, tools={"clock": clock}))
        async with client.run("send a message to bob: hi", approve=ask) as run:
            async for stream in run.message_streams():
                print(content_pb2.Role.Name(stream.role), end=": ")
                async for piece in stream:
                    print(piece, end="", flush=True)
                print()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"))
