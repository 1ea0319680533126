"""A round of tool calls: ask what must be asked, execute what can be, and wait for the rest."""

from collections.abc import Mapping, Sequence

from runwire_server.agents.agent import AgentContext, Ask
from runwire_server.agents.tool_call import CallDesk, Job, Prepared
from runwire_server.agents.tool_execution import Executor
from runwire_server.agents.toolbox import Toolbox
from runwire_server.domain.content import Message, ToolCall, failed_result, result_message
from runwire_server.domain.errors import RunWaiting
from runwire_server.domain.events import ToolResults
from runwire_server.domain.mail import Answer
from runwire_server.domain.rounds import result_parts
from runwire_server.tools.tool import ToolMiddleware

PARALLEL_CALLS_MAX = 8
Calls = Sequence[tuple[int, ToolCall]]
_Answers = Mapping[tuple[str, str], Answer]


class ToolRounds:
    """Works on the rounds of one activation of an agent. `parallel_max` is how many calls are at work at a time."""

    def __init__(
        self,
        context: AgentContext,
        toolbox: Toolbox,
        middleware: Sequence[ToolMiddleware] = (),
        parallel_max: int = PARALLEL_CALLS_MAX,
    ) -> None:
        self._context = context
        self._toolbox = toolbox
        self._middleware = (*context.tool_middleware, *middleware)
        self._parallel_max = parallel_max

    async def run(self, message_id: str, calls: Calls) -> list[Message]:
        """Work on calls of that message, each with its place in it, until none is open; return the results.

        What people must know is asked before anything is executed. Results are in the log as soon as nothing more
        can be done without an answer.

        Raises: RunWaiting: some calls need an answer. StopError: of a tool, a middleware or a plugin.
        """
        output = self._context.output
        desk = CallDesk(self._context, self._toolbox, message_id)
        answers = await output.answers()
        waiting = [await desk.prepare(index, call) for index, call in calls]
        told: list[Message] = []
        while True:
            jobs, asks, still = _sorted(desk, message_id, waiting, answers)
            if asks:
                await output.ask(asks)
            if jobs:
                told += await self._execute(message_id, jobs)
            if not still:
                return told
            newer = await output.answers()
            keys = [(message_id, prepared.call.id) for prepared in still]
            if all(newer.get(key) == answers.get(key) for key in keys):
                raise RunWaiting(f"{len(still)} tool calls wait for an answer")
            waiting, answers = still, newer

    async def refuse(self, message_id: str, calls: Calls, limit: str) -> list[Message]:
        """Answer calls beyond a limit of the run. They are not executed, and nobody is asked."""
        text = f"{limit} was reached: no more tools can be called, answer with what is known"
        jobs = [Job(index, call, result=failed_result(call, "LIMIT_REACHED", text)) for index, call in calls]
        return await self._execute(message_id, jobs)

    async def _execute(self, message_id: str, jobs: Sequence[Job]) -> list[Message]:
        executor = Executor(self._context, self._middleware, self._parallel_max)
        results = await executor.execute(jobs)
        told: list[Message] = []
        for part in result_parts(results):
            payload = ToolResults(part, message_id)
            shown = await self._context.output.emit(payload)
            told += map(result_message, (shown if isinstance(shown, ToolResults) else payload).results)
        return told


def _sorted(
    desk: CallDesk, message_id: str, waiting: Sequence[Prepared], answers: _Answers
) -> tuple[list[Job], list[Ask], list[Prepared]]:
    """Tell what can be executed from what must be asked. The last are the calls of the latter."""
    jobs: list[Job] = []
    asks: list[Ask] = []
    still: list[Prepared] = []
    for prepared in waiting:
        decided = desk.decide(prepared, answers.get((message_id, prepared.call.id)))
        if isinstance(decided, Job):
            jobs.append(decided)
        else:
            asks.append(decided)
            still.append(prepared)
    return jobs, asks, still
