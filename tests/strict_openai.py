"""What the strictest of the OpenAI-compatible servers accept: a validator for the messages of a request."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def problems(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a strict server would refuse in the `messages` of a chat completion, as JSON. Empty: nothing."""
    found: list[str] = []
    waiting: list[str] = []
    is_begun = False
    for index, message in enumerate(messages):
        role = message.get("role")
        where = f"messages[{index}] ({role})"
        if role == "tool":
            expected = waiting.pop(0) if waiting else None
            if message.get("tool_call_id") != expected:
                found.append(f"{where}: result of {message.get('tool_call_id')!r}, expected {expected!r}")
            if not isinstance(message.get("content"), str):
                found.append(f"{where}: content is not text")
            continue
        if waiting:
            found.append(f"{where}: comes before the results of {waiting}")
            waiting = []
        if role not in {"system", "user", "assistant"}:
            found.append(f"{where}: unknown role")
        if role != "system" and not is_begun:
            is_begun = True
            if role != "user":
                found.append(f"{where}: the first message after the system's is not a user's")
        found += [f"{where}: {problem}" for problem in _content(message)]
        if "tool_calls" in message:
            found += [f"{where}: {problem}" for problem in _calls(message)]
            waiting = [call.get("id") for call in message["tool_calls"]]
    if waiting:
        found.append(f"the end: no results of {waiting}")
    if not is_begun:
        found.append("there is no user message")
    elif messages[-1].get("role") == "assistant":
        found.append("the last message is the assistant's")
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
