"""Agno behind its own AgentOS."""  # noqa: INP001

import os

from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai.like import OpenAILike
from agno.os import AgentOS
from agno.utils.log import set_log_level_to_warning

set_log_level_to_warning()


def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


agent = Agent(
    id="bench",
    model=OpenAILike(id="bench", base_url=os.environ["MODEL_URL"], api_key="bench"),  # noqa: TID251
    tools=[shout],
    db=InMemoryDb(),
    add_history_to_context=True,
    telemetry=False,
)
app = AgentOS(agents=[agent], telemetry=False).get_app()
