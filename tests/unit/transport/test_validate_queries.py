"""The other requests of RunnerService, and those of AgentService."""

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from validation_support import violations

from runwire.v1 import agent_service_pb2, run_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.domain.runs import CancelMode, CancelRequest, RunState
from runwire_server.domain.streams import StreamOptions
from runwire_server.transport import validate

WRONG: list[tuple[Callable[[Any], Any], Any, dict[str, Any], list[str]]] = [
    (validate.attach_request, pb.AttachRequest, {}, ["request_id"]),
    (validate.attach_request, pb.AttachRequest, {"requestId": " "}, ["request_id"]),
    (validate.attach_request, pb.AttachRequest, {"requestId": "r" * 256}, ["request_id"]),
    (
        validate.attach_request,
        pb.AttachRequest,
        {"requestId": "r", "afterSequence": -1, "stream": {"modes": [""]}},
        ["after_sequence", "stream.modes[0]"],
    ),
    (validate.cancel_request, pb.CancelRequest, {"appName": "\0"}, ["app_name", "request_id"]),
    (validate.cancel_request, pb.CancelRequest, {"requestId": "r", "mode": 9}, ["mode"]),
    (validate.cancel_request, pb.CancelRequest, {"requestId": "r", "reason": "x" * 1001}, ["reason"]),
    (validate.cancel_request, pb.CancelRequest, {"requestId": "r", "wait": "301s"}, ["wait"]),
    (validate.cancel_request, pb.CancelRequest, {"requestId": "r", "wait": "-1s"}, ["wait"]),
    (validate.run_status_request, pb.RunStatusRequest, {}, ["request_id"]),
    (validate.wait_run_request, pb.WaitRunRequest, {"timeout": "1s"}, ["request_id"]),
    (validate.wait_run_request, pb.WaitRunRequest, {"requestId": "r", "timeout": "300.1s"}, ["timeout"]),
    (validate.list_runs_request, pb.ListRunsRequest, {"sessionId": "s"}, ["user_id"]),
    (validate.list_runs_request, pb.ListRunsRequest, {"states": [2, 0, 99]}, ["states[1]", "states[2]"]),
    (validate.list_runs_request, pb.ListRunsRequest, {"pageSize": -1}, ["page_size"]),
    (
        validate.list_run_events_request,
        pb.ListRunEventsRequest,
        {"afterSequence": -1, "pageSize": -1, "pageToken": "x"},
        ["request_id", "after_sequence", "page_size", "page_token"],
    ),
    (
        validate.list_run_events_request,
        pb.ListRunEventsRequest,
        {"requestId": "r", "pageToken": "9" * 30},
        ["page_token"],
    ),
    (
        validate.list_agents_request,
        agent_service_pb2.ListAgentsRequest,
        {"appName": "a" * 256, "pageSize": -1, "pageToken": "-1"},
        ["app_name", "page_size", "page_token"],
    ),
    (validate.get_agent_request, agent_service_pb2.GetAgentRequest, {"name": "a" * 256}, ["name"]),
]


@pytest.mark.parametrize(
    ("check", "kind", "fields", "wrong"), WRONG, ids=[f"{i} {row[0].__name__}" for i, row in enumerate(WRONG)]
)
def test_a_wrong_request_names_all_its_wrong_fields(
    check: Callable[[Any], Any], kind: Any, fields: dict[str, Any], wrong: list[str]
) -> None:
    assert violations(check, ParseDict(fields, kind())) == wrong


def test_attach_begins_where_it_is_asked_to() -> None:
    request = pb.AttachRequest(app_name="a", request_id="r", after_sequence=7)
    request.stream.partials_only = True

    asked = validate.attach_request(request)

    assert (asked.app_name, asked.request_id, asked.after) == ("a", "r", 7)
    assert asked.options == StreamOptions(partials_only=True)


@pytest.mark.parametrize(
    ("number", "mode"),
    [
        (pb.CANCEL_MODE_UNSPECIFIED, CancelMode.IMMEDIATE),
        (pb.CANCEL_MODE_IMMEDIATE, CancelMode.IMMEDIATE),
        (pb.CANCEL_MODE_AFTER_MODEL, CancelMode.AFTER_MODEL),
        (pb.CANCEL_MODE_AFTER_TOOLS, CancelMode.AFTER_TOOLS),
    ],
)
def test_cancel_takes_every_mode(number: Any, mode: CancelMode) -> None:
    request = pb.CancelRequest(request_id="r", mode=number, reason="x" * 1000, wait=Duration(seconds=300))

    asked = validate.cancel_request(request)

    assert asked.cancel == CancelRequest(mode, "x" * 1000)
    assert asked.wait_seconds == 300.0


def test_a_cancel_does_not_wait_unless_asked_to() -> None:
    assert validate.cancel_request(pb.CancelRequest(request_id="r")).wait_seconds == 0.0


def test_a_wait_has_a_default() -> None:
    assert validate.wait_run_request(pb.WaitRunRequest(request_id="r")) == ("", "r", 30.0)


def test_a_wait_may_be_no_wait() -> None:
    assert validate.wait_run_request(pb.WaitRunRequest(request_id="r", timeout=Duration())) == ("", "r", 0.0)


def test_a_status_names_its_run() -> None:
    assert validate.run_status_request(pb.RunStatusRequest(app_name="a", request_id="r")) == ("a", "r")


@pytest.mark.parametrize(("asked", "used"), [(0, 50), (1, 1), (1000, 1000), (100_000, 1000)])
def test_a_page_of_runs_is_cut_to_its_bounds(asked: int, used: int) -> None:
    assert validate.list_runs_request(pb.ListRunsRequest(page_size=asked)).limit == used


def test_runs_are_filtered_by_what_is_asked() -> None:
    request = pb.ListRunsRequest(
        app_name="a",
        user_id="u",
        session_id="s",
        agent_name="g",
        states=[run_pb2.RUN_STATE_LOST, run_pb2.RUN_STATE_QUEUED],
        page_token="next",
    )

    asked = validate.list_runs_request(request)

    assert (asked.wanted.app_name, asked.wanted.user_id, asked.wanted.session_id) == ("a", "u", "s")
    assert asked.wanted.agent_name == "g"
    assert asked.wanted.states == {RunState.LOST, RunState.QUEUED}
    assert asked.cursor == "next"


def test_a_page_of_run_events_continues_behind_its_token() -> None:
    request = pb.ListRunEventsRequest(request_id="r", after_sequence=3, page_token="12")

    asked = validate.list_run_events_request(request)

    assert (asked.after, asked.limit) == (12, 100)


def test_agents_are_paged() -> None:
    request = agent_service_pb2.ListAgentsRequest(app_name="a", page_token="5", page_size=2)

    assert validate.list_agents_request(request) == ("a", 5, 2)


def test_the_default_agent_has_no_name() -> None:
    assert validate.get_agent_request(agent_service_pb2.GetAgentRequest()) == ("", "")
