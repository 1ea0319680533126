"""An assistant with a calculator, a clock, a slow tool that says how far it is, and one that must be approved."""

import ast
import asyncio
from datetime import UTC, datetime

from runwire_server.app import App, LlmAgent, ToolContext
from runwire_server.tools.function import tool


def value(node: ast.expr) -> float:
    known = {"Add": float.__add__, "Sub": float.__sub__, "Mult": float.__mul__, "Div": float.__truediv__}
    compute = known.get(type(getattr(node, "op", None)).__name__)
    return compute(value(node.left), value(node.right)) if compute else float(ast.literal_eval(node))


def calculator(expression: str) -> str:
    """Compute an expression of numbers, + - * / and parentheses, for example 25*4."""
    return f"{value(ast.parse(expression.strip(), mode='eval').body):.15g}"


def clock() -> str:
    """Tell the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


async def slow_report(topic: str, context: ToolContext) -> str:
    """Write a report, which takes a few seconds."""
    for step in range(5):
        await asyncio.gather(context.progress(f"step {step + 1} of 5", step / 5), asyncio.sleep(0.5))
    return f"All there is to say about {topic}, in 5 steps."


@tool(requires_approval=True)
def send_message(to: str, text: str) -> str:
    """Send a message to someone."""
    return f"Sent to {to}: {text}"


app = App("assistant", [LlmAgent("assistant", tools=[calculator, clock, slow_report, send_message])])
