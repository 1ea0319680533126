"""An app whose agent writes events as fast as they are stored. Made to be killed."""

from runwire_server.agents.agent import AgentContext, AgentDescription
from runwire_server.app import App
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role
from runwire_server.domain.runs import RunOptions


class ChattyAgent:
    """Says one message after the other, until it is stopped."""

    name = "chatty"

    def describe(self) -> AgentDescription:
        return AgentDescription()

    def check(self, options: RunOptions, tools: object) -> None:
        return None

    async def run(self, context: AgentContext) -> Message:
        number = 0
        while True:
            number += 1
            said = Message(Role.ASSISTANT, f"message {number}")
            await context.output.emit(ev.MessagePayload(f"m{number}", said))


app = App("chatty", [ChattyAgent()])
