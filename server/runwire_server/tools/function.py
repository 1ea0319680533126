"""Typed Python functions as tools: schema from type hints and docstring, arguments checked first."""

import asyncio
import contextvars
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json

from runwire_server.domain.content import ToolSpec
from runwire_server.tools.schema import Signature, describe, function_name, read_signature
from runwire_server.tools.tool import BadArgumentsError, ToolContext

TIMEOUT_SECONDS_DEFAULT = 60.0
RESULT_BYTES_MAX = 256 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THREADS_MAX = 32
_PROBLEMS_SHOWN_MAX = 10


class FunctionTool:
    """A function that an agent can call. Made by function_tool."""

    def __init__(
        self, function: Callable[..., Any], signature: Signature, spec: ToolSpec, timeout_seconds: float
    ) -> None:
        self._function = function
        self._signature = signature
        self._spec = spec
        self._timeout_seconds = timeout_seconds

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return self._spec

    @property
    def timeout_seconds(self) -> float:
        """How long a call may take."""
        return self._timeout_seconds

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Validate and coerce, call, and encode the result. See tools.tool.Tool.

        Text is returned as it is, None as "", anything else as JSON; what is larger than RESULT_BYTES_MAX is
        cut, with a note. A function that is not async runs in a thread, which a cancelled call leaves behind:
        a thread cannot be stopped.
        """
        given = self._validated(arguments)
        given.update(dict.fromkeys(self._signature.contexts, context))
        try:
            if inspect.iscoroutinefunction(self._function):
                return _encoded(await self._function(**given))
            result = await self._call_in_thread(given)
            return result if isinstance(result, str) else _encoded(await result)
        except SystemExit as error:
            # It would end the server; a tool may end no more than its call.
            raise RuntimeError(f"the tool exited with code {error.code}") from error

    async def _call_in_thread(self, given: Mapping[str, Any]) -> Any:
        """Return the encoded result, or the awaitable that a callable object with an async __call__ gave."""
        runs_in = contextvars.copy_context()

        def work() -> Any:
            try:
                result = runs_in.run(self._function, **given)
                return result if inspect.isawaitable(result) else _encoded(result)
            except StopIteration as error:
                # A future cannot hold it: whoever waits would wait for ever.
                raise RuntimeError("the tool raised StopIteration") from error

        return await asyncio.get_running_loop().run_in_executor(_threads(), work)

    def _validated(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            checked = self._signature.model.model_validate(dict(arguments))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
            lines = [
                f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
                for problem in problems[:_PROBLEMS_SHOWN_MAX]
            ]
            if len(problems) > _PROBLEMS_SHOWN_MAX:
                lines.append(f"and {len(problems) - _PROBLEMS_SHOWN_MAX} more")
            raise BadArgumentsError("; ".join(lines)) from None
        return {name: getattr(checked, field) for field, name in self._signature.fields.items()}


def function_tool(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS_DEFAULT,
) -> FunctionTool:
    """Make a tool of a function, async or not; one that is not runs in a thread.

    The name is the function's, the description its docstring's; a Google-style Args section, `Annotated[T,
    "text"]` and pydantic's Field describe parameters. One of type ToolContext is filled in and not shown to
    the model.

    Raises: TypeError for a parameter without a type, one that has no name (*args), or a type that JSON cannot
        give; ValueError for a bad name or timeout.
    """
    tool_name = name if name is not None else function_name(function)
    if not _NAME.fullmatch(tool_name):
        raise ValueError(f"tool name {tool_name!r} must be 1 to 64 letters, digits, '_' or '-'")
    if not timeout_seconds > 0:
        raise ValueError(f"tool {tool_name!r}: timeout_seconds must be more than 0")
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"tool {tool_name!r} is an async generator; return one result instead")
    signature = read_signature(function)
    text = description if description is not None else describe(function)
    return FunctionTool(
        function, signature, ToolSpec(tool_name, text, signature.schema), float(timeout_seconds)
    )


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return the one bounded pool for all synchronous tools of the process. Its threads start when needed."""
    return ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="tool")


def _encoded(result: Any) -> str:
    """Return what the model reads."""
    if result is None:
        return ""
    if isinstance(result, str):
        text = result
        data = text.encode("utf-8", "replace")
    else:
        data = to_json(result, inf_nan_mode="strings", fallback=str)
        text = data.decode()
    if len(data) <= RESULT_BYTES_MAX:
        return text
    note = f"\n[cut: the result had {len(data)} bytes, more than {RESULT_BYTES_MAX}]"
    return data[: RESULT_BYTES_MAX - len(note)].decode("utf-8", "ignore") + note
