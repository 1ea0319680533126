"""An assistant with a calculator, a clock, and a slow tool that says how far it is."""

import ast
import asyncio
import operator
from datetime import datetime
from zoneinfo import ZoneInfo

from runwire_server.app import App, LlmAgent, ToolContext

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def calculator(expression: str) -> str:
    """Compute an arithmetic expression of numbers, + - * / and parentheses, for example 25*4."""
    return f"{value(ast.parse(expression.strip(), mode='eval').body):.12g}"


def value(node: ast.AST) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](value(left), value(right))
    raise ValueError("only numbers, + - * / and parentheses can be computed")


def clock(timezone: str = "UTC") -> str:
    """Tell the time in a time zone, for example Europe/Berlin."""
    return datetime.now(ZoneInfo(timezone)).isoformat(timespec="seconds")


async def slow_report(topic: str, context: ToolContext, steps: int = 5) -> str:
    """Write a report, which takes a few seconds."""
    for step in range(steps):
        await context.progress(f"step {step + 1} of {steps}", step / steps)
        await asyncio.sleep(0.5)
    return f"All there is to say about {topic}, in {steps} steps."


tools = [calculator, clock, slow_report]
app = App("assistant", [LlmAgent("assistant", instructions="Be brief. Use tools.", tools=tools)])
