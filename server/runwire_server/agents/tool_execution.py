"""Execute tool calls: some at a time, in tries, inside of middleware; whatever a tool does costs only its call."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from runwire_server.agents.agent import AgentContext
from runwire_server.agents.tool_call import Job, bad_arguments
from runwire_server.domain.content import ToolResult, clean_text, failed_result
from runwire_server.domain.errors import StopError
from runwire_server.domain.events import ToolFinished, ToolOutputDelta, ToolProgress, ToolStarted
from runwire_server.tools.function import RESULT_BYTES_MAX, too_large
from runwire_server.tools.tool import (
    BadArgumentsError,
    NextCall,
    ToolContext,
    ToolError,
    ToolInvocation,
    ToolMiddleware,
)

_logger = logging.getLogger(__name__)
_RETRY_SECONDS_MAX = 60.0


class Executor:
    """Executes the calls of one round that are ready. `parallel_max` is how many at a time."""

    def __init__(
        self, context: AgentContext, middleware: Sequence[ToolMiddleware], parallel_max: int
    ) -> None:
        self._context = context
        self._middleware = middleware
        self._slots = asyncio.Semaphore(parallel_max)
        self._working: set[asyncio.Task[ToolResult | StopError]] = set()
        self._stop: StopError | None = None

    async def execute(self, jobs: Sequence[Job]) -> list[ToolResult]:
        """Return the jobs' results, in their order. Raises: StopError, after ToolFinished of all that finished."""
        results: list[ToolResult] = []
        for batch in _batches(jobs):
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._one(job, group)) for job in batch]
            except BaseExceptionGroup as failures:
                # No call fails: it is the log that cannot be written, or a stop, and one of them says it for all.
                found = failures.exceptions
                raise next((e for e in found if isinstance(e, StopError)), found[0]) from None
            if self._stop is not None:
                raise self._stop
            results += [result for task in tasks if (result := task.result()) is not None]
        return results

    async def _one(self, job: Job, group: asyncio.TaskGroup) -> ToolResult | None:
        """Execute a call, with its events. None: it was not, or not to its end, because a sibling stopped the run."""
        async with self._slots:
            if self._stop is not None:
                return None
            output = self._context.output
            await output.emit(ToolStarted(job.call, job.index))
            began = time.monotonic()
            result = job.result or await self._work(job, group)
            if result is None:
                return None
            seconds = time.monotonic() - began
            try:
                result = await self._after_tool(job, result)
            except StopError as stop:
                self._stop_others(stop)
            await output.emit(ToolFinished(result, job.index, seconds))
            return result

    async def _work(self, job: Job, group: asyncio.TaskGroup) -> ToolResult | None:
        """Call the tool in a task of its own, so that a sibling can stop it and its own cancellation is known."""
        if self._stop is not None:
            return None
        task = group.create_task(self._tries(job))
        self._working.add(task)
        try:
            await asyncio.wait({task})
        finally:
            self._working.discard(task)
        if task.cancelled():
            return None
        outcome = task.result()
        if isinstance(outcome, StopError):
            self._stop_others(outcome)
            return None
        return outcome

    def _stop_others(self, stop: StopError) -> None:
        self._stop = self._stop or stop
        for task in self._working:
            task.cancel()

    async def _after_tool(self, job: Job, result: ToolResult) -> ToolResult:
        plugins = self._context.plugins
        return await plugins.after_tool(self._context.hook_context(), job.call, result) if plugins else result

    async def _tries(self, job: Job) -> ToolResult | StopError:
        """Try until it succeeds, or trying again does not help. Raises only when this task was cancelled."""
        assert job.tool is not None  # noqa: S101 -- for mypy: see Job
        policy = job.tool.policy
        for number in range(policy.retries + 1):
            outcome, may_retry = await self._try(job)
            if not may_retry or number == policy.retries:
                break
            await asyncio.sleep(min(policy.retry_delay_seconds * 2**number, _RETRY_SECONDS_MAX))
        return outcome

    async def _try(self, job: Job) -> tuple[ToolResult | StopError, bool]:
        """Return what a try has come to, and whether another one may be better."""
        assert job.tool is not None  # noqa: S101 -- for mypy: see Job
        shown = _Shown(self._context, job)
        seconds = job.tool.policy.timeout_seconds
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                invocation = ToolInvocation(job.tool, job.arguments or {}, shown.context())
                content = await _through(self._middleware, invocation)
            return _succeeded(job, content), False
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            if isinstance(error, StopError):
                return error, False
            if deadline.expired():
                text = f"the tool took longer than {seconds:g} seconds"
                return failed_result(job.call, "TIMEOUT", text, retryable=True), True
            return self._failure(job, error)
        finally:
            shown.is_over = True

    def _failure(self, job: Job, error: BaseException) -> tuple[ToolResult, bool]:
        match error:
            case BadArgumentsError():
                return bad_arguments(job.call, error), False
            case ToolError():
                failed = failed_result(job.call, error.code, _text(error), retryable=error.retryable)
                return failed, error.retryable
            case asyncio.CancelledError():
                return failed_result(job.call, "TOOL_FAILED", "the tool cancelled itself"), True
        _logger.info(
            "tool %s failed in run %s", job.call.name, self._context.run.key.request_id, exc_info=error
        )
        text = f"{type(error).__name__}: {_text(error)}"
        return failed_result(job.call, "TOOL_FAILED", text), True


class _Shown:
    """What a running call shows. Nothing after it is over: a thread goes on after its call was given up."""

    def __init__(self, context: AgentContext, job: Job) -> None:
        self._context = context
        self._call = job.call
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.is_over = False

    def context(self) -> ToolContext:
        """Return what the tool gets."""
        run = self._context.run
        return ToolContext(run.key.request_id, run.session, self._call.id, self._report, self._write)

    async def _report(self, message: str, fraction: float | None) -> None:
        self._show(ToolProgress(self._call.id, self._call.name, clean_text(message), fraction))

    def _write(self, text: str) -> None:
        if text:
            self._show(ToolOutputDelta(self._call.id, self._call.name, clean_text(text)))

    def _show(self, payload: ToolProgress | ToolOutputDelta) -> None:
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._show, payload)
        elif not self.is_over:
            self._context.output.partial(payload)


def _batches(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Yield jobs that may be at work together. An exclusive one is a barrier, at its place."""
    batch: list[Job] = []
    for job in jobs:
        if job.tool is not None and job.tool.policy.is_exclusive:
            if batch:
                yield batch
            yield [job]
            batch = []
        else:
            batch.append(job)
    if batch:
        yield batch


async def _through(middleware: Sequence[ToolMiddleware], invocation: ToolInvocation) -> Any:
    """Call the tool inside of its middleware; the first is the outermost."""
    call: NextCall = _call_tool
    for wrapper in reversed(middleware):
        call = partial(_wrapped, wrapper, call)
    return await call(invocation)


async def _wrapped(wrapper: ToolMiddleware, following: NextCall, invocation: ToolInvocation) -> str:
    return await wrapper(invocation, following)


async def _call_tool(invocation: ToolInvocation) -> str:
    return await invocation.tool.call(invocation.arguments, invocation.context)


def _succeeded(job: Job, content: Any) -> ToolResult:
    if not isinstance(content, str):
        text = f"the tool returned {type(content).__name__} instead of text"
        return failed_result(job.call, "TOOL_FAILED", text)
    text = clean_text(content)
    size = len(text.encode())
    if size > RESULT_BYTES_MAX:
        error = too_large(size)
        return failed_result(job.call, error.code, str(error))
    return ToolResult(job.call.id, job.call.name, text)


def _text(error: BaseException) -> str:
    """Return what an exception says, also when saying it fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 -- other people's code
        return "it did not say why"
