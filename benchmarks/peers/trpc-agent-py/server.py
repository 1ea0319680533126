"""tRPC-Agent behind FastAPI, as its own example of a server does it: one Runner, an event for each piece of text."""  # noqa: INP001

import json
import os
from collections.abc import AsyncIterator
from uuid import uuid4

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from trpc_agent_sdk.agents import LlmAgent
from trpc_agent_sdk.log import DefaultLogger, LogLevel, set_default_logger
from trpc_agent_sdk.models import OpenAIModel, shared_http_client_provider_factory
from trpc_agent_sdk.runners import Runner
from trpc_agent_sdk.sessions import InMemorySessionService
from trpc_agent_sdk.tools import FunctionTool
from trpc_agent_sdk.types import Content, Part

set_default_logger(DefaultLogger(min_level=LogLevel.WARNING))


class Question(BaseModel):
    """What a client asks, in a new session if it names none."""

    message: str
    user_id: str = "user"
    session_id: str = Field(default_factory=lambda: uuid4().hex)


async def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


model = OpenAIModel(
    "bench",
    api_key="bench",
    base_url=os.environ["MODEL_URL"],  # noqa: TID251
    http_client_provider_factory=shared_http_client_provider_factory,
)
agent = LlmAgent(name="bench", model=model, tools=[FunctionTool(shout)])
runner = Runner(app_name="bench", agent=agent, session_service=InMemorySessionService())
app = FastAPI()


@app.get("/health")
async def health() -> str:
    """Say that the server is there."""
    return "ok"


@app.post("/chat")
async def chat(question: Question) -> StreamingResponse:
    """Answer with a server-sent event for each piece of text."""
    return StreamingResponse(answer(question), media_type="text/event-stream")


async def answer(question: Question) -> AsyncIterator[str]:
    """Run the agent. The last event repeats the whole text, which is left out."""
    said = Content(parts=[Part.from_text(text=question.message)])
    events = runner.run_async(user_id=question.user_id, session_id=question.session_id, new_message=said)
    async for event in events:
        if event.partial and event.content:
            for part in event.content.parts or ():
                if part.text:
                    yield f"data: {json.dumps({'delta': part.text})}\n\n"
    yield "data: [DONE]\n\n"
