"""The graph that LangGraph's server serves: LangChain's agent, as its guides make it."""  # noqa: INP001

import os

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI


def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


model = ChatOpenAI(model="bench", base_url=os.environ["MODEL_URL"], api_key="bench")  # noqa: TID251
graph = create_agent(model, tools=[shout])
