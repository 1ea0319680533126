"""Typed Python functions as tools: schema from type hints and docstring, arguments validated before the call."""

import asyncio
import contextvars
import inspect
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from runwire_server.domain.content import ToolSpec
from runwire_server.tools.schema import arguments_model, describe, parameters_schema
from runwire_server.tools.tool import BadArgumentsError, ToolContext

TIMEOUT_SECONDS_DEFAULT = 60.0
RESULT_BYTES_MAX = 256 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THREADS_MAX = 32


class _Threads:
    """One bounded pool for all synchronous tools of the process, made at first use."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="tool")
        return self._pool


_threads = _Threads()


class FunctionTool:
    """A function that an agent can call. Made by function_tool."""

    def __init__(self, function: Callable[..., Any], spec: ToolSpec, timeout_seconds: float) -> None:
        self._function = function
        self._spec = spec
        self._timeout_seconds = timeout_seconds
        self._context_name, self._model = arguments_model(function)

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return self._spec

    @property
    def timeout_seconds(self) -> float:
        """How long a call may take."""
        return self._timeout_seconds

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Validate, call, and encode the result. See tools.tool.Tool."""
        given = self._validated(arguments)
        if self._context_name:
            given[self._context_name] = context
        if inspect.iscoroutinefunction(self._function):
            result = await self._function(**given)
        else:
            # A thread cannot be stopped: a cancelled call ends for the run, and its thread when the function returns.
            loop = asyncio.get_running_loop()
            runs_in = contextvars.copy_context()
            result = await loop.run_in_executor(
                _threads.pool(), lambda: runs_in.run(self._function, **given)
            )
        return _encoded(result)

    def _validated(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            checked: BaseModel = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            lines = [
                f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
                for problem in error.errors(include_url=False, include_input=False)[:10]
            ]
            raise BadArgumentsError("; ".join(lines)) from None
        return {name: getattr(checked, name) for name in type(checked).model_fields}


def function_tool(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT,
) -> FunctionTool:
    """Make a tool of a function, async or not; one that is not runs in a thread.

    The name is the function's, the description its docstring's. A parameter of type ToolContext is filled in and not
    shown to the model.

    Raises: TypeError for a parameter without a type or of a kind that has no name; ValueError for a bad name.
    """
    tool_name = name or function.__name__
    if not _NAME.fullmatch(tool_name):
        raise ValueError(f"tool name {tool_name!r} must be 1 to 64 letters, digits, '_' or '-'")
    spec = ToolSpec(
        tool_name, description if description is not None else describe(function), parameters_schema(function)
    )
    return FunctionTool(function, spec, timeout_seconds)


def _encoded(result: Any) -> str:
    """Return what the model reads: text as it is, anything else as JSON."""
    if result is None:
        return ""
    text = result if isinstance(result, str) else to_json(result, fallback=str).decode()
    data = text.encode("utf-8", "replace")
    if len(data) <= RESULT_BYTES_MAX:
        return text
    kept = data[:RESULT_BYTES_MAX].decode("utf-8", "ignore")
    return f"{kept}\n[cut: the result had {len(data)} bytes, {RESULT_BYTES_MAX} are shown]"
