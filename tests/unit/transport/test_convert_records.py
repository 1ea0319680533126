"""Runs, sessions, agents."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.json_format import MessageToDict

from runwire.v1 import agent_service_pb2, run_pb2
from runwire_server.agents.agent import AgentDescription, AgentTool
from runwire_server.agents.llm import LlmAgent
from runwire_server.domain import events as ev
from runwire_server.domain.content import Message, Role, ToolSpec, Usage
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.runs import (
    CancelMode,
    CancelRequest,
    Outcome,
    Run,
    RunError,
    RunInput,
    RunOptions,
    RunState,
)
from runwire_server.domain.sessions import Session, SessionEvent
from runwire_server.runner.lifecycle import AgentState
from runwire_server.transport.convert.agents import agent_to_proto
from runwire_server.transport.convert.options import options_from_proto, options_to_proto
from runwire_server.transport.convert.runs import outcome_to_proto, run_to_proto, state_to_proto
from runwire_server.transport.convert.sessions import session_event_to_proto, session_to_proto

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
KEY = SessionKey("app", "u", "s")
RUN = Run(
    key=RunKey("app", "r"),
    session=KEY,
    agent_name="agent",
    state=RunState.CANCELLED,
    create_time=NOW,
    attempt=1,
    last_sequence=9,
    start_time=NOW + timedelta(seconds=1),
    last_event_time=NOW + timedelta(seconds=2),
    end_time=NOW + timedelta(seconds=3),
    usage=Usage(total_tokens=5),
    outcome=Outcome.CANCELLED,
    stop_reason="cancelled",
    error=RunError("run_error", "oh", "X"),
    cancel=CancelRequest(CancelMode.IMMEDIATE, "enough"),
    invocation_id="v",
    message=Message(Role.ASSISTANT, "bye"),
    fingerprint="not for callers",
    input=RunInput(options=RunOptions(labels={"a": "b"})),
)
FULL = RunOptions(
    model="m",
    temperature=0.0,
    top_p=0.5,
    max_tokens=1,
    stop=("x", "y"),
    presence_penalty=-2.0,
    frequency_penalty=2.0,
    seed=-1,
    reasoning_effort="low",
    stream=False,
    max_llm_calls=1,
    max_tool_rounds=0,
    max_total_tokens=2**40,
    max_run_seconds=1.5,
    detached_cancel=True,
    labels={"a": "b"},
)


def test_a_run_is_sent_with_all_that_a_caller_may_know() -> None:
    made = MessageToDict(run_to_proto(RUN, with_message=True), preserving_proto_field_name=True)

    assert made == {
        "app_name": "app",
        "request_id": "r",
        "state": "RUN_STATE_CANCELLED",
        "agent_name": "agent",
        "session": {"app_name": "app", "user_id": "u", "session_id": "s"},
        "attempt": 1,
        "last_sequence": "9",
        "create_time": "2026-11-21T07:00:00Z",
        "start_time": "2026-11-21T07:00:01Z",
        "last_event_time": "2026-11-21T07:00:02Z",
        "end_time": "2026-11-21T07:00:03Z",
        "event_count": "9",
        "usage": {"total_tokens": "5"},
        "outcome": "OUTCOME_CANCELLED",
        "stop_reason": "cancelled",
        "error": {"type": "run_error", "message": "oh", "code": "X"},
        "cancel_reason": "enough",
        "invocation_id": "v",
        "message": {"role": "ROLE_ASSISTANT", "content": "bye"},
        "labels": {"a": "b"},
    }


def test_a_list_of_runs_leaves_their_messages_out() -> None:
    assert not run_to_proto(RUN, with_message=False).HasField("message")


def test_a_run_that_has_not_begun_has_no_times() -> None:
    queued = Run(key=RUN.key, session=KEY, agent_name="agent", state=RunState.QUEUED, create_time=NOW)

    made = run_to_proto(queued, with_message=True)

    unset = ("start_time", "last_event_time", "end_time", "error", "message")
    assert not any(made.HasField(name) for name in unset)
    assert made.outcome == run_pb2.OUTCOME_UNSPECIFIED


@pytest.mark.parametrize("state", RunState)
def test_every_state_has_its_number(state: RunState) -> None:
    assert run_pb2.RunState.Name(state_to_proto(state)) == f"RUN_STATE_{state.name}"


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_number(outcome: Outcome) -> None:
    assert run_pb2.Outcome.Name(outcome_to_proto(outcome)) == f"OUTCOME_{outcome.name}"


@pytest.mark.parametrize("options", [RunOptions(), FULL])
def test_options_survive_a_round_trip(options: RunOptions) -> None:
    assert options_from_proto(options_to_proto(options)) == options


def test_unset_and_zero_options_are_different() -> None:
    made = options_to_proto(RunOptions(temperature=0.0, max_tool_rounds=0))

    assert made.HasField("temperature")
    assert made.HasField("max_tool_rounds")
    assert not made.HasField("top_p")
    assert not made.HasField("max_run_duration")


def test_a_session_is_sent_with_its_merged_state() -> None:
    session = Session(
        key=KEY,
        create_time=NOW,
        update_time=NOW + timedelta(seconds=1),
        state={"a": 1, "app:b": [True]},
        event_count=3,
        last_position=4,
        display_name="d",
    )

    made = MessageToDict(session_to_proto(session), preserving_proto_field_name=True)

    assert made == {
        "key": {"app_name": "app", "user_id": "u", "session_id": "s"},
        "create_time": "2026-11-21T07:00:00Z",
        "update_time": "2026-11-21T07:00:01Z",
        "state": {"a": 1, "app:b": [True]},
        "event_count": "3",
        "last_position": "4",
        "display_name": "d",
    }
    assert not session_to_proto(session, with_state=False).HasField("state")


def test_an_event_of_a_session_has_its_place() -> None:
    told = ev.Event(request_id="r", sequence=0, create_time=NOW, author="a", payload=ev.Custom("x", {}))

    made = session_event_to_proto(SessionEvent(12, told))

    assert (made.position, made.event.custom.name) == (12, "x")


def test_an_agent_is_described_with_its_tools() -> None:
    description = AgentDescription(
        "d",
        "m",
        [AgentTool(ToolSpec("add", "adds", {"type": "object"}), requires_approval=True)],
        [LlmAgent("sub")],
    )

    made = agent_to_proto("app", "agent", description, AgentState.RUNNING, is_default=True)

    assert made == agent_service_pb2.Agent(
        name="agent",
        description="d",
        model="m",
        tools=[
            run_pb2.ToolDeclaration(
                name="add",
                description="adds",
                parameters_schema='{"type": "object"}',
                requires_approval=True,
            )
        ],
        sub_agents=["sub"],
        state=agent_service_pb2.AGENT_STATE_RUNNING,
        is_default=True,
        app_name="app",
    )
