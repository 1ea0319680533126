"""Options of runs and of streams."""

import json
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from runwire.v1 import run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.domain.streams import (
    HEARTBEAT_SECONDS_DEFAULT,
    HEARTBEAT_SECONDS_MAX,
    HEARTBEAT_SECONDS_MIN,
    Channel,
    StreamMode,
    StreamOptions,
)
from runwire_server.transport.validate.checks import Checks

DAY_SECONDS = 86_400.0
_SCHEMA_CHARS_MAX = 65_536
_SCHEMA_VALUES_MAX = 3_000
_NAMES_MAX = 256
_CHANNELS = {
    pb.CHANNEL_PROGRESS: Channel.PROGRESS,
    pb.CHANNEL_CONTROL: Channel.CONTROL,
    pb.CHANNEL_MONITOR: Channel.MONITOR,
}
# What an agent's options have, too, with the least and the most.
_SAMPLING = (
    ("temperature", 0, 2),
    ("top_p", 0, 1),
    ("max_tokens", 1, 2**31 - 1),
    ("presence_penalty", -2, 2),
    ("frequency_penalty", -2, 2),
)
_LIMITS = (
    ("max_llm_calls", 1, 1000),
    ("max_tool_rounds", 0, 1000),
    ("max_total_tokens", 1, 2**62),
    ("max_parallel_tools", 1, 64),
)


def check_options(checks: Checks, options: run_pb2.RunOptions) -> None:
    """Check RunOptions."""
    _check_sampling(checks, "options.", options)
    for name, low, high in _LIMITS:
        checks.optional_number(options, "options.", name, low, high)
    if options.HasField("max_run_duration"):
        checks.seconds("options.max_run_duration", options.max_run_duration, 0.001, DAY_SECONDS)
    if options.HasField("waiting_timeout"):
        checks.seconds("options.waiting_timeout", options.waiting_timeout, 0.001, 30 * DAY_SECONDS)
    checks.enum("options.session_policy", options.session_policy, run_pb2.SessionPolicy.values())
    checks.enum("options.on_limit", options.on_limit, run_pb2.LimitAction.values())
    if options.output_schema:
        _check_schema(checks, "options.output_schema", options.output_schema)
    _check_names(checks, "options.plugins", options.plugins)
    if options.HasField("tools"):
        _check_tools(checks, "options.tools", options.tools)
    _check_agents(checks, options)
    if len(options.labels) > 64:
        checks.wrong("options.labels", "has more than 64 labels")
    for key, value in options.labels.items():
        checks.name("options.labels", key, is_required=True)
        checks.text(f"options.labels[{key[:64]}]", value, chars_max=1024)


def _check_agents(checks: Checks, options: run_pb2.RunOptions) -> None:
    if len(options.agents) > _NAMES_MAX:
        checks.wrong("options.agents", f"has more than {_NAMES_MAX} agents")
    for path, own in options.agents.items():
        prefix = f'options.agents["{path[:100]}"]'
        _check_sampling(checks, f"{prefix}.", own)
        if own.HasField("tools"):
            _check_tools(checks, f"{prefix}.tools", own.tools)


def _check_sampling(checks: Checks, prefix: str, options: Any) -> None:
    checks.name(f"{prefix}model", options.model)
    checks.name(f"{prefix}reasoning_effort", options.reasoning_effort)
    for name, low, high in _SAMPLING:
        checks.optional_number(options, prefix, name, low, high)
    if len(options.stop) > 16:
        checks.wrong(f"{prefix}stop", f"has {len(options.stop)} texts; at most 16 are allowed")
    for index, text in enumerate(options.stop):
        if not text:
            checks.wrong(f"{prefix}stop[{index}]", "is empty")


def _check_names(checks: Checks, field: str, names: Any) -> None:
    if len(names) > _NAMES_MAX:
        checks.wrong(field, f"has {len(names)} names; at most {_NAMES_MAX} are allowed")
    for index, name in enumerate(names[:_NAMES_MAX]):
        checks.name(f"{field}[{index}]", name, is_required=True)


def _check_tools(checks: Checks, field: str, tools: run_pb2.ToolSelection) -> None:
    for name in ("only", "add", "deny"):
        _check_names(checks, f"{field}.{name}", getattr(tools, name))
    if len(tools.client_tools) > _NAMES_MAX:
        checks.wrong(f"{field}.client_tools", f"has more than {_NAMES_MAX} tools")
    for index, tool in enumerate(tools.client_tools[:_NAMES_MAX]):
        path = f"{field}.client_tools[{index}]"
        if not _is_tool_name(tool.name):
            checks.wrong(f"{path}.name", "must be 1 to 64 letters, digits, '_' or '-'")
        checks.text(f"{path}.description", tool.description, chars_max=_SCHEMA_CHARS_MAX)
        if tool.parameters_schema:
            _check_schema(checks, f"{path}.parameters_schema", tool.parameters_schema, takes_object=True)


def _is_tool_name(name: str) -> bool:
    return name.isascii() and 0 < len(name) <= 64 and name.replace("_", "a").replace("-", "a").isalnum()


def _check_schema(checks: Checks, field: str, text: str, *, takes_object: bool = False) -> None:
    """Check that a text is a JSON Schema, and with `takes_object` one of an object."""
    if len(text) > _SCHEMA_CHARS_MAX:
        checks.wrong(field, f"has {len(text)} characters; at most {_SCHEMA_CHARS_MAX} are allowed")
        return
    try:
        schema = json.loads(text)
        if not isinstance(schema, dict):
            checks.wrong(field, "is not a JSON object")
            return
        # To check one takes time for each of its values, in which this server does nothing else.
        checks.schema_values += _count(schema)
        if checks.schema_values > _SCHEMA_VALUES_MAX:
            checks.wrong(field, f"is too large: all schemas may have {_SCHEMA_VALUES_MAX} values together")
            return
        # What json.loads takes beyond the standard, no model provider does.
        json.dumps(schema, allow_nan=False)
        Draft202012Validator.check_schema(schema)
        if takes_object and schema.get("type", "object") != "object":
            checks.wrong(field, "must be of type object: arguments are")
    except (ValueError, RecursionError) as error:
        checks.wrong(field, f"is not valid JSON: {str(error)[:200]}")
    except SchemaError as error:
        checks.wrong(field, f"is not a JSON Schema: {error.message[:200]}")


def _count(value: Any) -> int:
    """Return how many values a JSON value is made of."""
    match value:
        case dict():
            return 1 + sum(_count(item) for item in value.values())
        case list():
            return 1 + sum(_count(item) for item in value)
        case _:
            return 1


def stream_options(checks: Checks, stream: pb.StreamOptions) -> StreamOptions:
    """Check StreamOptions and return them."""
    modes: set[StreamMode] = set()
    for index, name in enumerate(stream.modes):
        if name in set(StreamMode):
            modes.add(StreamMode(name))
        else:
            known = ", ".join(mode.value for mode in StreamMode)
            checks.wrong(f"stream.modes[{index}]", f"{name[:40]!r} is unknown; known are {known}")
    channels: set[Channel] = set()
    for index, number in enumerate(stream.channels):
        if checks.enum(f"stream.channels[{index}]", number, _CHANNELS):
            channels.add(_CHANNELS[number])
    if stream.whole_messages_only and stream.partials_only:
        checks.wrong("stream.partials_only", "contradicts whole_messages_only")
    heartbeat = HEARTBEAT_SECONDS_DEFAULT
    if stream.HasField("heartbeat_interval"):
        heartbeat = checks.seconds(
            "stream.heartbeat_interval",
            stream.heartbeat_interval,
            HEARTBEAT_SECONDS_MIN,
            HEARTBEAT_SECONDS_MAX,
        )
    return StreamOptions(
        modes=frozenset(modes),
        channels=frozenset(channels),
        whole_messages_only=stream.whole_messages_only,
        partials_only=stream.partials_only,
        branch=checks.text("stream.branch", stream.branch, chars_max=4096),
        heartbeat_seconds=heartbeat,
    )
