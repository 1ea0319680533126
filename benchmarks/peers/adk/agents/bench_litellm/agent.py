"""The same agent with LiteLLM, which ADK's guides name for models that are not Google's."""

import os

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm


def shout(text: str) -> str:
    """Make a text upper case."""
    return text.upper()


model = LiteLlm(model="openai/bench", api_base=os.environ["MODEL_URL"], api_key="bench")  # noqa: TID251
root_agent = LlmAgent(name="bench", model=model, tools=[shout])
