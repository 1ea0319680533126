"""Messages that a person must approve, by a rule: `runwire serve app:app` in this folder, then `python client.py`."""

import json
from collections import Counter
from dataclasses import replace

from runwire_server.app import App, LlmAgent, Plugin, StopError
from runwire_server.domain.content import ToolCall, ToolResult
from runwire_server.plugins.builtin import ApprovalPolicy, LoggingPlugin, Redaction
from runwire_server.plugins.plugin import Ask, Deny, HookContext
from runwire_server.tools.tool import NextCall, ToolInvocation

MESSAGES_MAX = 3


def send_message(to: str, text: str) -> str:
    """Send a message to someone. Here it goes nowhere."""
    return f"sent to {to}: {text}"


def must_ask(context: HookContext, call: ToolCall) -> bool | Ask | Deny:
    """Nobody writes to everyone, and everybody may write to themselves. Other messages a person must approve.

    It is asked about every call, those of tools that the client executes too.
    """
    if call.name != "send_message":
        return False
    to = json.loads(call.arguments).get("to")
    if to == "everyone":
        return Deny("messages to everyone are not allowed")
    return False if to == context.run.session.user_id else Ask(f"{to} will read it")


class Quota(Plugin):
    """End a run, cleanly, when its user has sent enough messages."""

    def __init__(self) -> None:
        self._sent: Counter[str] = Counter()

    async def before_tool(self, context: HookContext, call: ToolCall) -> None:
        """See Plugin."""
        if call.name == "send_message" and self._sent[context.run.session.user_id] >= MESSAGES_MAX:
            raise StopError(f"{MESSAGES_MAX} messages are enough")

    async def after_tool(self, context: HookContext, call: ToolCall, result: ToolResult) -> None:
        """See Plugin."""
        if call.name == "send_message" and not result.reason:
            self._sent[context.run.session.user_id] += 1


async def sign(invocation: ToolInvocation, call: NextCall) -> str:
    """Say who wrote it: a middleware sees the arguments as they are after the approval."""
    text = f"{invocation.arguments['text']} -- written by an agent"
    return await call(replace(invocation, arguments={**invocation.arguments, "text": text}))


agent = LlmAgent("clerk", instructions="Be brief.", tools=[send_message], tool_middleware=[sign])
app = App(
    "approvals",
    [agent],
    plugins=[LoggingPlugin(), Quota(), ApprovalPolicy(must_ask)],
    run_plugins=[Redaction({"card": r"\b(?:\d{4} ?){4}\b"})],
)
