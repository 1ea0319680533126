"""Typed Python functions as tools: schema from type hints and docstring, arguments checked first."""

import asyncio
import contextvars
import functools
import inspect
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, overload

from pydantic import ValidationError
from pydantic_core import to_json

from runwire_server.domain.content import ToolSpec
from runwire_server.domain.record import replace
from runwire_server.tools.json_schema import pointer_of
from runwire_server.tools.schema import Signature, describe, function_name, read_signature
from runwire_server.tools.tool import (
    BadArgumentsError,
    ToolContext,
    ToolError,
    ToolPolicy,
)

RESULT_BYTES_MAX = 256 * 1024
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THREADS_MAX = 32
_PROBLEMS_SHOWN_MAX = 10
_RETRIES_MAX = 10


class FunctionTool:
    """A function that an agent can call. Made by function_tool."""

    def __init__(
        self, function: Callable[..., Any], signature: Signature, spec: ToolSpec, policy: ToolPolicy
    ) -> None:
        self._function = function
        self._signature = signature
        self._spec = spec
        self._policy = policy

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        return self._spec

    @property
    def policy(self) -> ToolPolicy:
        """How calls are executed."""
        return self._policy

    def check_arguments(self, arguments: Mapping[str, Any]) -> None:
        """See tools.arguments.ChecksArguments."""
        self._validated(arguments)

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        """Validate and coerce, call, and encode the result. See tools.tool.Tool.

        Text is returned as it is, None as "", anything else as JSON. What an async generator yields is shown as it
        comes, and is the result, joined. A function that is not async runs in a thread, which a cancelled call leaves
        behind: a thread cannot be stopped.

        Raises: ToolError: RESULT_TOO_LARGE, for more than RESULT_BYTES_MAX.
        """
        given = self._validated(arguments)
        given.update(dict.fromkeys(self._signature.contexts, context))
        try:
            if inspect.isasyncgenfunction(self._function):
                return await _joined(self._function(**given), context)
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
            raise BadArgumentsError("; ".join(lines), pointer_of(problems[0]["loc"])) from None
        return {name: getattr(checked, field) for field, name in self._signature.fields.items()}


def function_tool(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    policy: ToolPolicy | None = None,
    **how: Any,
) -> FunctionTool:
    """Make a tool of a function, async or not; one that is not runs in a thread. An async generator is a tool that
    shows its output while it comes.

    The name is the function's, the description its docstring's; a Google-style Args section, `Annotated[T,
    "text"]` and pydantic's Field describe parameters. One of type ToolContext is filled in and not shown to
    the model. `how` are the fields of ToolPolicy: requires_approval, return_direct, retries, retry_delay_seconds,
    is_exclusive, timeout_seconds.

    Raises: TypeError for a parameter without a type, one that has no name (*args), or a type that JSON cannot
        give; ValueError for a bad name, timeout, delay or number of retries.
    """
    tool_name = name if name is not None else function_name(function)
    if not _NAME.fullmatch(tool_name):
        raise ValueError(f"tool name {tool_name!r} must be 1 to 64 letters, digits, '_' or '-'")
    chosen = replace(policy or ToolPolicy(), **how)
    if not chosen.timeout_seconds > 0:
        raise ValueError(f"tool {tool_name!r}: timeout_seconds must be more than 0")
    if not (0 <= chosen.retries <= _RETRIES_MAX and chosen.retry_delay_seconds >= 0):
        raise ValueError(f"tool {tool_name!r}: retries are 0 to {_RETRIES_MAX}, their delay is 0 or more")
    signature = read_signature(function)
    text = description if description is not None else describe(function)
    return FunctionTool(function, signature, ToolSpec(tool_name, text, signature.schema), chosen)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(**how: Any) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(
    function: Callable[..., Any] | None = None, /, **how: Any
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of the function below it: `@tool`, or `@tool(requires_approval=True)`. See function_tool."""
    if function is not None:
        return function_tool(function)
    return functools.partial(function_tool, **how)


async def _joined(pieces: AsyncGenerator[Any, None], context: ToolContext) -> str:
    """Show each piece of a streaming tool's output, and return all of it."""
    texts: list[str] = []
    size = 0
    async with aclosing(pieces):
        async for piece in pieces:
            text = _encoded(piece)
            size += len(text.encode("utf-8", "replace"))
            if size > RESULT_BYTES_MAX:
                raise too_large(size)
            if text:
                context.write(text)
                texts.append(text)
    return "".join(texts)


def too_large(size: int) -> ToolError:
    """Return the error for a result of that many bytes."""
    return ToolError(f"the result has {size} bytes, more than {RESULT_BYTES_MAX}", "RESULT_TOO_LARGE")


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return the one bounded pool for all synchronous tools of the process. Its threads start when needed."""
    return ThreadPoolExecutor(_THREADS_MAX, thread_name_prefix="tool")


def _encoded(result: Any) -> str:
    """Return what the model reads."""
    if result is None:
        return ""
    if isinstance(result, str):
        size = len(result.encode("utf-8", "replace"))
        text = result
    else:
        data = to_json(result, inf_nan_mode="strings", fallback=str)
        size = len(data)
        text = data.decode()
    if size > RESULT_BYTES_MAX:
        raise too_large(size)
    return text
