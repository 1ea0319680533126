"""What the strictest of the OpenAI-compatible servers accept: a validator for the messages of a request."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def problems(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a strict server would refuse in the `messages` of a chat completion, as JSON. Empty: nothing."""
    found: list[str] = []
    waiting: list[Any] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}] ({message.get('role')})"
        if message.get("role") == "tool":
            found += [f"{where}: {problem}" for problem in _result(message, waiting)]
            continue
        if waiting:
            found.append(f"{where}: comes before the results of {waiting}")
        found += [f"{where}: {problem}" for problem in (*_content(message), *_calls(message))]
        waiting = [call.get("id") for call in message.get("tool_calls", ())]
    if waiting:
        found.append(f"the end: no results of {waiting}")
    roles = [message.get("role") for message in messages]
    found += [f"{role!r} is no role" for role in set(roles) - {"system", "user", "assistant", "tool"}]
    if next((role for role in roles if role != "system"), None) != "user":
        found.append("the first message after the system's is not a user's")
    if roles and roles[-1] == "assistant":
        found.append("the last message is the assistant's")
    return found


def _result(message: Mapping[str, Any], waiting: list[Any]) -> list[str]:
    expected = waiting.pop(0) if waiting else None
    found: list[str] = []
    if message.get("tool_call_id") != expected or expected is None:
        found.append(f"result of {message.get('tool_call_id')!r}, expected {expected!r}")
    if not isinstance(message.get("content"), str):
        found.append("content is not text")
    return found


def _content(message: Mapping[str, Any]) -> list[str]:
    content, role = message.get("content"), message.get("role")
    if isinstance(content, str):
        try:
            content.encode()
        except UnicodeEncodeError:
            return ["content is not UTF-8"]
        return (
            ["says nothing"] if role == "assistant" and not content and not message.get("tool_calls") else []
        )
    if content is None:
        return [] if role == "assistant" and message.get("tool_calls") else ["no content"]
    if role != "user" or not isinstance(content, list) or not content:
        return ["content is neither text nor sections"]
    return [
        f"section of type {s.get('type')!r}" for s in content if s.get("type") not in {"text", "image_url"}
    ]


def _calls(message: Mapping[str, Any]) -> list[str]:
    if "tool_calls" not in message:
        return []
    calls = message["tool_calls"]
    if message["role"] != "assistant" or not calls:
        return ["tool calls that must not be there, or are none"]
    found: list[str] = []
    ids = [call.get("id") for call in calls]
    if len(set(ids)) < len(ids) or not all(isinstance(i, str) and i for i in ids):
        found.append(f"ids {ids} are not unique texts")
    for call in calls:
        function = call.get("function", {})
        if call.get("type") != "function" or not _NAME.fullmatch(function.get("name", "")):
            found.append(f"bad call {call!r}")
        try:
            arguments = json.loads(function.get("arguments"), parse_constant=lambda c: c + 1)
        except (ValueError, TypeError):
            arguments = None
        if not isinstance(arguments, dict):
            found.append(f"arguments {function.get('arguments')!r} are no JSON object")
    return found
