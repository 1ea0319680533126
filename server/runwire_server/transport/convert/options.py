"""Options of runs."""

import json
from typing import Any

from runwire.v1 import run_pb2 as pb
from runwire_server.domain.content import ToolSpec
from runwire_server.domain.runs import AgentOptions, LimitAction, RunOptions, SessionPolicy, ToolSelection
from runwire_server.transport.convert.content import duration

_POLICIES = {pb.SessionPolicy.Value(f"SESSION_POLICY_{policy.name}"): policy for policy in SessionPolicy}
_POLICY_TO_PROTO = {policy: number for number, policy in _POLICIES.items()}
_LIMIT_ACTIONS = {pb.LimitAction.Value(f"LIMIT_ACTION_{action.name}"): action for action in LimitAction}
_LIMIT_ACTION_TO_PROTO = {action: number for number, action in _LIMIT_ACTIONS.items()}
# Fields with presence that have the same name and meaning on both sides.
_SAMPLING = ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "seed")
OPTIONAL_FIELDS = (
    *_SAMPLING,
    "stream",
    "max_llm_calls",
    "max_tool_rounds",
    "max_total_tokens",
    "max_parallel_tools",
)
_SECONDS = {"max_run_duration": "max_run_seconds", "waiting_timeout": "waiting_seconds"}
# What a tool without a schema takes: anything.
_ANY_OBJECT = {"type": "object", "properties": {}}


def options_to_proto(options: RunOptions) -> pb.RunOptions:
    """Return the options in effect."""
    made = pb.RunOptions(
        model=options.model,
        stop=options.stop,
        reasoning_effort=options.reasoning_effort,
        detached_cancel=options.detached_cancel,
        session_policy=_POLICY_TO_PROTO[options.session_policy],
        labels=dict(options.labels),
        on_limit=_LIMIT_ACTION_TO_PROTO[options.on_limit],
        output_schema=options.output_schema,
        plugins=options.plugins,
        tools=None if options.tools is None else _tools_to_proto(options.tools),
        agents={path: _agent_to_proto(own) for path, own in options.agents.items()},
    )
    _set_optional(made, options, OPTIONAL_FIELDS)
    if options.json_repair is not None:
        made.tool_call_arguments_json_repair = options.json_repair
    if options.keep_interrupted_text:
        made.keep_interrupted_text = True
    for field, name in _SECONDS.items():
        if (seconds := getattr(options, name)) is not None:
            getattr(made, field).CopyFrom(duration(seconds))
    return made


def options_from_proto(options: pb.RunOptions) -> RunOptions:
    """Return options that transport.validate has checked. Unset stays unset."""
    given: dict[str, Any] = _optional(options, OPTIONAL_FIELDS)
    for field, name in _SECONDS.items():
        if options.HasField(field):  # type: ignore[arg-type]
            value = getattr(options, field)
            given[name] = value.seconds + value.nanos / 1e9
    if options.HasField("tool_call_arguments_json_repair"):
        given["json_repair"] = options.tool_call_arguments_json_repair
    return RunOptions(
        model=options.model,
        stop=tuple(options.stop),
        reasoning_effort=options.reasoning_effort,
        detached_cancel=options.detached_cancel,
        labels=dict(options.labels),
        session_policy=_POLICIES.get(options.session_policy, SessionPolicy.QUEUE),
        on_limit=_LIMIT_ACTIONS.get(options.on_limit, LimitAction.FAIL),
        keep_interrupted_text=options.keep_interrupted_text,
        output_schema=options.output_schema,
        tools=_tools_from_proto(options.tools) if options.HasField("tools") else None,
        plugins=tuple(options.plugins),
        agents={path: _agent_from_proto(own) for path, own in options.agents.items()},
        **given,
    )


def _agent_to_proto(own: AgentOptions) -> pb.AgentOptions:
    made = pb.AgentOptions(
        model=own.model,
        stop=own.stop,
        reasoning_effort=own.reasoning_effort,
        tools=None if own.tools is None else _tools_to_proto(own.tools),
    )
    _set_optional(made, own, _SAMPLING)
    return made


def _agent_from_proto(own: pb.AgentOptions) -> AgentOptions:
    return AgentOptions(
        model=own.model,
        stop=tuple(own.stop),
        reasoning_effort=own.reasoning_effort,
        tools=_tools_from_proto(own.tools) if own.HasField("tools") else None,
        **_optional(own, _SAMPLING),
    )


def _tools_to_proto(tools: ToolSelection) -> pb.ToolSelection:
    return pb.ToolSelection(
        only=tools.only,
        add=tools.add,
        deny=tools.deny,
        client_tools=[
            tool_to_proto(spec, requires_approval=spec.name in tools.approved_first, is_client_side=True)
            for spec in tools.client_tools
        ],
    )


def _tools_from_proto(tools: pb.ToolSelection) -> ToolSelection:
    """Return a selection. An empty `only` is none: protobuf cannot tell it from one that is not set."""
    return ToolSelection(
        only=tuple(tools.only) or None,
        add=tuple(tools.add),
        deny=tuple(tools.deny),
        client_tools=tuple(
            ToolSpec(
                tool.name,
                tool.description,
                json.loads(tool.parameters_schema) if tool.parameters_schema else _ANY_OBJECT,
            )
            for tool in tools.client_tools
        ),
        approved_first=tuple(tool.name for tool in tools.client_tools if tool.requires_approval),
    )


def tool_to_proto(
    spec: ToolSpec, *, requires_approval: bool = False, is_client_side: bool = False
) -> pb.ToolDeclaration:
    """Return a tool as a model is told about it."""
    return pb.ToolDeclaration(
        name=spec.name,
        description=spec.description,
        parameters_schema=json.dumps(spec.parameters, ensure_ascii=False),
        requires_approval=requires_approval,
        client_side=is_client_side,
    )


def _set_optional(made: Any, source: Any, names: tuple[str, ...]) -> None:
    for name in names:
        value = getattr(source, name)
        if value is not None:
            setattr(made, name, value)


def _optional(message: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(message, name) for name in names if message.HasField(name)}
