"""A server with plugins, and what tests of plugins say to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from desk import SESSION, Desk, desk
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as session_pb
from runwire_server.app import App, LlmAgent
from runwire_server.domain.events import MessagePayload
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.plugin import Plugin
from support import CALL_SECONDS, collect, run_request


@dataclass
class Office:
    """A server whose one agent has this model."""

    at: Desk
    model: ScriptedModel

    async def run(self, content: str = "go", request_id: str = "r", **fields: Any) -> list[Any]:
        """Run to the end, and return what was streamed. collect() checks that the sequences have no gaps."""
        fields = {"session_id": "s", **fields}
        call = self.at.runs.Run(run_request(content, request_id=request_id, **fields), timeout=CALL_SECONDS)
        return await collect(call)

    async def filtered(self, request_id: str, *channels: Any) -> list[Any]:
        """Run to the end, and return what of it is on these channels."""
        request = run_request("go", request_id=request_id, session_id="s", stream={"channels": channels})
        return [item.event async for item in self.at.runs.Run(request, timeout=CALL_SECONDS)]

    async def logged(self, request_id: str = "r") -> list[Any]:
        """Return the run's log as it is stored."""
        request = pb.ListRunEventsRequest(request_id=request_id)
        return list((await self.at.runs.ListRunEvents(request, timeout=CALL_SECONDS)).events)

    async def session(self) -> Any:
        """Return the session, whole."""
        request = session_pb.GetSessionRequest(key=SESSION)
        return await self.at.sessions.GetSession(request, timeout=CALL_SECONDS)

    async def history(self) -> list[str]:
        """Return the texts of the session's messages."""
        return texts([item.event for item in (await self.session()).events])

    async def status(self, request_id: str = "r") -> Any:
        """Return the run's record."""
        request = pb.RunStatusRequest(request_id=request_id)
        return (await self.at.runs.RunStatus(request, timeout=CALL_SECONDS)).run

    def asked(self, number: int = -1) -> list[str]:
        """What the model read in that call."""
        return [message.content for message in self.model.requests[number].messages]


@asynccontextmanager
async def office(
    store_url: str,
    turns: Sequence[Any],
    plugins: Sequence[Plugin] = (),
    *,
    run_plugins: Sequence[Plugin] = (),
    tools: Sequence[Any] = (),
    tool_middleware: Sequence[Any] = (),
    **settings: Any,
) -> AsyncIterator[Office]:
    """Serve it."""
    model = ScriptedModel(turns)
    app = App(
        "test",
        [LlmAgent("agent", model=model, tools=tools)],
        plugins=plugins,
        run_plugins=run_plugins,
        tool_middleware=tool_middleware,
    )
    async with desk(app, store_url, **settings) as at:
        yield Office(at, model)


def texts(events: Sequence[Any]) -> list[str]:
    """The texts of the messages among these."""
    return [event.message.message.content for event in events if event.HasField("message")]


def saying(payload: MessagePayload, text: str) -> MessagePayload:
    """The message with another text."""
    return replace(payload, message=replace(payload.message, content=text))
