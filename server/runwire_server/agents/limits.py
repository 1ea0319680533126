"""What a run may use, counted over all its agents and activations."""

from runwire_server.agents.agent import AgentContext
from runwire_server.domain.content import Usage
from runwire_server.domain.errors import LimitReached
from runwire_server.domain.runs import LimitAction

LLM_CALLS_MAX_DEFAULT = 50


class Limits:
    """The limits of one activation's run. `is_pending`: it begins with tool calls of an earlier model call."""

    def __init__(self, context: AgentContext, *, is_pending: bool) -> None:
        run = context.output.run
        self._output = context.output
        self._options = context.options
        # The run's record counts what is in the log. A plugin may keep a message out of it, or answer in place of the
        # model: that must not let an agent go on for ever.
        self._usage = run.usage
        self._rounds = max(run.tool_rounds - int(is_pending), 0)

    def note_call(self, usage: Usage | None) -> None:
        """Count a model call."""
        self._usage += usage or Usage(model_calls=1)

    def begin_round(self) -> bool:
        """Count a round of tools. False: it is beyond the limit, and must be refused. Raises: LimitReached."""
        self._rounds += 1
        if not self._rounds_are_used_up():
            return True
        if self._options.on_limit is LimitAction.ANSWER:
            return False
        raise self._reached("max_tool_rounds")

    def check_call(self, *, has_tools: bool) -> str:
        """Say which limit makes the next model call the last one, without tools. Empty: none does.

        Raises: LimitReached: There must be no further call.
        """
        options = self._options
        calls, calls_max = self._calls(), self._calls_max()
        tokens_max = options.max_total_tokens
        if calls >= calls_max:
            raise self._reached("max_llm_calls")
        is_spent = tokens_max is not None and self._tokens() >= tokens_max
        if options.on_limit is not LimitAction.ANSWER:
            if is_spent:
                raise self._reached("max_total_tokens")
            return ""
        if self._rounds_are_used_up():
            return "max_tool_rounds"
        if is_spent:
            return "max_total_tokens"
        return "max_llm_calls" if has_tools and calls + 1 >= calls_max else ""

    @property
    def allows_call(self) -> bool:
        """Whether there may be one more model call, of whatever kind."""
        return self._calls() < self._calls_max()

    def _calls(self) -> int:
        return max(self._usage.model_calls, self._output.run.usage.model_calls)

    def _calls_max(self) -> int:
        chosen = self._options.max_llm_calls
        return LLM_CALLS_MAX_DEFAULT if chosen is None else chosen

    def _tokens(self) -> int:
        return max(self._usage.total_tokens, self._output.run.usage.total_tokens)

    def _rounds_are_used_up(self) -> bool:
        limit = self._options.max_tool_rounds
        return limit is not None and max(self._rounds, self._output.run.tool_rounds) > limit

    def _reached(self, name: str) -> LimitReached:
        value = self._calls_max() if name == "max_llm_calls" else getattr(self._options, name)
        return LimitReached(f"{name} ({value}) was reached", name.upper(), stop_reason=name)
