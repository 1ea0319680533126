"""Agents within agents, by path: the names from the run's agent down, joined by "/"."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import cast

from runwire_server.agents.agent import Agent
from runwire_server.domain.errors import FieldViolation, InvalidRequestError
from runwire_server.domain.runs import AgentOptions, RunOptions
from runwire_server.tools.tool import Tool

_DEPTH_MAX = 16
_PATHS_SHOWN_MAX = 20


def walk(agent: Agent, path: str = "") -> Iterator[tuple[str, Agent]]:
    """Yield an agent and all that it can use, each with its path. An agent is yielded before it is asked for more."""
    here = f"{path}/{agent.name}" if path else agent.name
    yield here, agent
    if here.count("/") < _DEPTH_MAX:
        for nested in agent.describe().sub_agents:
            yield from walk(nested, here)


def check_agents(agent: Agent, options: RunOptions, tools: Mapping[str, Tool]) -> list[FieldViolation]:
    """Return what is wrong with options.agents: paths that lead nowhere, and what agents say to theirs.

    For the check of an agent that has others, and of one that has none.
    """
    if not options.agents:
        return []
    known = dict(walk(agent))
    violations = []
    for path, own in options.agents.items():
        where = f'options.agents["{path[:200]}"]'
        nested = known.get(path)
        if nested is None:
            valid = ", ".join(list(known)[:_PATHS_SHOWN_MAX])
            violations.append(FieldViolation(where, f"there is no such agent; the paths are: {valid}"))
            continue
        try:
            nested.check(_as_run_options(own), tools)
        except InvalidRequestError as error:
            violations += [
                FieldViolation(where + v.field.removeprefix("options"), v.description)
                for v in error.violations
            ]
    return violations


def _as_run_options(own: AgentOptions) -> RunOptions:
    return RunOptions(
        **{field.name: getattr(own, field.name) for field in fields(cast("type", AgentOptions))}
    )
