"""openai-agents behind FastAPI: the SDK has no server, so this is the usual one around `Runner.run_streamed`."""  # noqa: INP001

import json
import os
from collections.abc import AsyncIterator
from uuid import uuid4

from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from pydantic import BaseModel, Field

set_tracing_disabled(disabled=True)


class Question(BaseModel):
    """What a client asks, in a new session if it names none."""

    message: str
    session_id: str = Field(default_factory=lambda: uuid4().hex)


@function_tool
def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


client = AsyncOpenAI(base_url=os.environ["MODEL_URL"], api_key="bench")  # noqa: TID251
agent = Agent(name="bench", model=OpenAIChatCompletionsModel("bench", client), tools=[shout])
sessions: dict[str, SQLiteSession] = {}
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
    """Run the agent; its session is in memory, which is what SQLiteSession does without a path."""
    session = sessions.setdefault(question.session_id, SQLiteSession(question.session_id))
    result = Runner.run_streamed(agent, question.message, session=session)
    async for event in result.stream_events():
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
            yield f"data: {json.dumps({'delta': event.data.delta})}\n\n"
    yield "data: [DONE]\n\n"
