"""An assistant with a calculator, a clock, a slow tool that says how far it is, and one that needs an approval."""

import ast
import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

from runwire_server.app import App, LlmAgent, ToolContext
from runwire_server.tools.function import tool

OPERATORS = {"Add": float.__add__, "Sub": float.__sub__, "Mult": float.__mul__, "Div": float.__truediv__}


def value(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp) and (name := type(node.op).__name__) in OPERATORS:
        return OPERATORS[name](value(node.left), value(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -value(node.operand)
    return float(ast.literal_eval(node))


def calculator(expression: str) -> str:
    """Compute an expression of numbers, + - * / and parentheses, for example 25*4."""
    return f"{value(ast.parse(expression.strip(), mode='eval').body):.15g}"


def clock(timezone: str = "UTC") -> str:
    """Tell the time in a time zone, for example Europe/Berlin."""
    return datetime.now(ZoneInfo(timezone)).isoformat(timespec="seconds")


async def slow_report(topic: str, context: ToolContext, steps: int = 5) -> str:
    """Write a report, which takes a few seconds."""
    for step in range(steps):
        await context.progress(f"step {step + 1} of {steps}", step / steps)
        await asyncio.sleep(0.5)
    return f"All there is to say about {topic}, in {steps} steps."


@tool(requires_approval=True)
def send_message(to: str, text: str) -> str:
    """Send a message to someone. Here it goes nowhere, but somebody must approve it first."""
    return f"The message of {len(text)} characters was sent to {to}."


tools = [calculator, clock, slow_report, send_message]
agent = LlmAgent("assistant", instructions="Be brief. Use tools.", tools=tools)
app = App("assistant", [agent])
