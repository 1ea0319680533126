"""The agent that ADK's server finds here, with ADK's own adapter for models that speak OpenAI's protocol."""

import os

from google.adk.agents import LlmAgent
from google.adk.integrations.openai import OpenAILlm


def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


model = OpenAILlm(model="bench", base_url=os.environ["MODEL_URL"], api_key="bench")  # noqa: TID251
root_agent = LlmAgent(name="bench", model=model, tools=[shout])
