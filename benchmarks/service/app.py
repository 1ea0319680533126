"""The app that is measured: one agent and one trivial tool, and another agent whose tool must be approved."""

from runwire_server.app import App, LlmAgent, tool


def lookup(key: str) -> str:
    """Return what is known under a key."""
    return f"{key}: 42"


@tool(requires_approval=True)
def write(key: str) -> str:
    """Write something down under a key."""
    return f"{key}: written"


app = App(
    "bench",
    [
        LlmAgent("assistant", instructions="Answer.", tools=[lookup]),
        LlmAgent("waiter", instructions="Answer.", tools=[write]),
    ],
)
