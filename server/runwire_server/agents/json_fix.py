"""Repair tool arguments that are not valid JSON (R8)."""

import asyncio
import functools
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import json_repair

from runwire_server.domain.content import ToolCall, clean_text
from runwire_server.domain.record import replace
from runwire_server.domain.toolcalls import parse_arguments, parse_json

_logger = logging.getLogger(__name__)
ARGUMENTS_BYTES_MAX = 64 * 1024
_SECONDS_MAX = 1.0


async def repair_calls(calls: Sequence[ToolCall]) -> tuple[tuple[ToolCall, ...], dict[str, str]]:
    """Return the calls, repaired where that was possible, and the original arguments of those, by id.

    Valid JSON, whatever it is, and nothing at all are left as they are. So is what is too large, takes too long, or
    does not become an object.
    """
    repaired: list[ToolCall] = []
    raw: dict[str, str] = {}
    for call in calls:
        text = await _repaired(call)
        if text is not None:
            raw[call.id] = call.arguments
        repaired.append(call if text is None else replace(call, arguments=text))
    return tuple(repaired), raw


async def _repaired(call: ToolCall) -> str | None:
    if not call.arguments.strip():
        return None
    try:
        parse_json(call.arguments)
    except ValueError:
        pass
    else:
        return None
    if len(call.arguments.encode("utf-8", "replace")) > ARGUMENTS_BYTES_MAX:
        _logger.info("the arguments of a call of %s are too large to be repaired", call.name)
        return None
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            text = await asyncio.get_running_loop().run_in_executor(_threads(), _repair, call.arguments)
    except TimeoutError:
        text = None
    if text is None:
        _logger.info("the arguments of a call of %s could not be repaired", call.name)
    else:
        _logger.info("the arguments of a call of %s were repaired", call.name)
    return text


def _repair(arguments: str) -> str | None:
    """Return a JSON object, or None. Runs in a thread; it may be given up, but not stopped."""
    try:
        text = json_repair.repair_json(arguments, skip_json_loads=True, ensure_ascii=False)
        if not isinstance(text, str) or not text.strip():
            return None
        parse_arguments(text)
    except Exception:  # noqa: BLE001 -- the library's, on text that a model made up: whatever it is, there is no repair
        return None
    return clean_text(text)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2, thread_name_prefix="json-repair")
