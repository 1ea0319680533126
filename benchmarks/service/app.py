"""The app that is measured: one agent and one trivial tool."""

from runwire_server.app import App, LlmAgent


def lookup(key: str) -> str:
    """Return what is known under a key."""
    return f"{key}: 42"


app = App("bench", [LlmAgent("assistant", instructions="Answer.", tools=[lookup])])
