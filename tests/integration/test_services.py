"""Sessions, state, agents, health, reflection, and bad requests, over the wire."""

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from runwire.v1 import (
    agent_service_pb2,
    agent_service_pb2_grpc,
    content_pb2,
    run_pb2,
    runner_service_pb2_grpc,
    session_service_pb2_grpc,
)
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as spb
from runwire_server.transport.server import SERVICE_NAMES
from support import CALL_SECONDS, collect, run_request

KEY: Any = {"user_id": "u", "session_id": "s"}


@pytest.fixture
def sessions(grpc_channel: grpc.aio.Channel) -> Any:
    return session_service_pb2_grpc.SessionServiceStub(grpc_channel)


@pytest.fixture
def agents(grpc_channel: grpc.aio.Channel) -> Any:
    return agent_service_pb2_grpc.AgentServiceStub(grpc_channel)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, set[str]]:
    """Return code, reason and field paths of a call that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await (collect(call) if hasattr(call, "__aiter__") else call)
    status = rpc_status.from_call(refused.value)
    reason, fields = "", set()
    for detail in status.details if status is not None else ():
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            assert info.domain == "runwire"
            reason = info.reason
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            fields = {violation.field for violation in bad.field_violations}
    return refused.value.code(), reason, fields


def message(content: str, role: Any = content_pb2.ROLE_USER, **event: Any) -> spb.AppendEventRequest:
    request = spb.AppendEventRequest(key=KEY)
    request.event.message.message.content = content
    request.event.message.message.role = role
    for name, value in event.items():
        setattr(request.event, name, value)
    return request


async def test_sessions_from_birth_to_end(sessions: Any) -> None:
    made = (await sessions.CreateSession(spb.CreateSessionRequest(key=KEY, state={"a": 1}))).session
    again = await sessions.GetOrCreateSession(spb.GetOrCreateSessionRequest(key=KEY, state={"a": 2}))
    nameless = (await sessions.CreateSession(spb.CreateSessionRequest(key={"user_id": "u"}))).session

    assert dict(made.state) == {"a": 1}
    assert (again.created, again.session) == (False, made)
    assert nameless.key.session_id
    listed = await sessions.ListSessions(spb.ListSessionsRequest(user_id="u", page_size=1))
    rest = await sessions.ListSessions(
        spb.ListSessionsRequest(user_id="u", page_size=1, page_token=listed.next_page_token)
    )
    assert {s.key.session_id for s in [*listed.sessions, *rest.sessions]} == {"s", nameless.key.session_id}
    assert rest.next_page_token == ""
    code, reason, _ = await refusal(sessions.CreateSession(spb.CreateSessionRequest(key=KEY)))
    assert (code, reason) == (grpc.StatusCode.ALREADY_EXISTS, "SESSION_ALREADY_EXISTS")
    assert (await sessions.DeleteSession(spb.DeleteSessionRequest(key=KEY))).deleted
    assert not (await sessions.DeleteSession(spb.DeleteSessionRequest(key=KEY))).deleted
    code, reason, _ = await refusal(sessions.GetSession(spb.GetSessionRequest(key=KEY)))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


async def test_history_begins_with_a_user_message_and_the_newest_is_never_lost(sessions: Any) -> None:
    await sessions.CreateSession(spb.CreateSessionRequest(key=KEY))
    for number, role in enumerate(
        [
            content_pb2.ROLE_USER,
            content_pb2.ROLE_ASSISTANT,
            content_pb2.ROLE_ASSISTANT,
            content_pb2.ROLE_ASSISTANT,
        ]
    ):
        await sessions.AppendEvent(message(str(number), role))

    async def read(**fields: Any) -> list[str]:
        found = await sessions.GetSession(spb.GetSessionRequest(key=KEY, **fields))
        return [item.event.message.message.content for item in found.events]

    assert await read() == ["0", "1", "2", "3"]
    assert await read(last_events=2) == ["0", "2", "3"]
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await read(since=tomorrow) == ["0"]
    await sessions.AppendEvent(message("4"))
    assert await read(last_events=2) == ["4"]


async def test_events_are_appended_once_and_listed_in_pages(sessions: Any) -> None:
    await sessions.CreateSession(spb.CreateSessionRequest(key=KEY))
    first = (await sessions.AppendEvent(message("1", id="e1"))).event
    assert (await sessions.AppendEvent(message("1", id="e1"))).event == first
    for number in range(2, 6):
        await sessions.AppendEvent(message(str(number)))

    async def read(*, descending: bool) -> list[int]:
        request = spb.ListEventsRequest(key=KEY, page_size=2, descending=descending)
        positions: list[int] = []
        while True:
            page = await sessions.ListEvents(request)
            positions += [item.position for item in page.events]
            if not page.next_page_token:
                return positions
            request.page_token = page.next_page_token

    assert await read(descending=False) == [1, 2, 3, 4, 5]
    assert await read(descending=True) == [5, 4, 3, 2, 1]


async def test_state_has_three_tiers(sessions: Any) -> None:
    await sessions.CreateSession(spb.CreateSessionRequest(key=KEY))
    delta: Any = {"n": 1, "deep": {"a": 1, "b": 2}, "big": str(2**60)}
    for tier in (spb.STATE_TIER_APP, spb.STATE_TIER_USER, spb.STATE_TIER_SESSION):
        await sessions.UpdateState(spb.UpdateStateRequest(key=KEY, tier=tier, delta=delta))
    patch: Any = {"n": None, "deep": {"a": None}, "app:x": [1, "two", True, None]}
    state = await sessions.UpdateState(spb.UpdateStateRequest(key=KEY, tier=spb.STATE_TIER_APP, delta=patch))

    assert set(state.state) == {"deep", "big", "x"}
    merged = (await sessions.GetSession(spb.GetSessionRequest(key=KEY))).session.state
    assert {"n", "user:n", "app:deep", "app:x"} <= set(merged)
    request = spb.DeleteStateRequest(key=KEY, tier=spb.STATE_TIER_SESSION, keys=["n", "nothing"])
    assert set((await sessions.DeleteState(request)).state) == {"deep", "big"}
    read = await sessions.GetState(spb.GetStateRequest(key={}, tier=spb.STATE_TIER_APP))
    assert dict(read.state["deep"]) == {"b": 2}


async def test_agents_describe_themselves(agents: Any) -> None:
    listed = await agents.ListAgents(agent_service_pb2.ListAgentsRequest())
    (agent,) = listed.agents
    found = await agents.GetAgent(agent_service_pb2.GetAgentRequest(name="assistant"))

    assert found.agent == agent
    assert agent.is_default
    assert [tool.name for tool in agent.tools] == ["calculator", "clock", "slow_report", "send_message"]
    assert [tool.requires_approval for tool in agent.tools] == [False, False, False, True]
    assert agent.state == agent_service_pb2.AGENT_STATE_STARTED
    info = await agents.GetServerInfo(agent_service_pb2.GetServerInfoRequest())
    assert list(info.apps) == ["assistant"]
    code, reason, _ = await refusal(agents.GetAgent(agent_service_pb2.GetAgentRequest(name="nope")))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "AGENT_NOT_FOUND")


async def test_health_knows_each_service(grpc_channel: grpc.aio.Channel) -> None:
    stub: Any = health_pb2_grpc.HealthStub(grpc_channel)
    for name in ("", "liveness", "readiness", *SERVICE_NAMES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Check(health_pb2.HealthCheckRequest(service="nope"))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services(grpc_channel: grpc.aio.Channel, version: str) -> None:
    method = grpc_channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = method(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=CALL_SECONDS)
    answer = await anext(aiter(call))
    call.cancel()

    assert set(SERVICE_NAMES) <= {s.name for s in answer.list_services_response.service}


def bad_options(**fields: Any) -> pb.RunRequest:
    return run_request(options=fields)


BAD_RUNS: dict[str, tuple[pb.RunRequest, set[str]]] = {
    "empty user": (run_request(user_id=""), {"user_id"}),
    "blank user": (run_request(user_id="  "), {"user_id"}),
    "long id": (run_request(session_id="x" * 256), {"session_id"}),
    "no message": (pb.RunRequest(user_id="u"), {"message"}),
    "empty message": (run_request(""), {"message.content"}),
    "assistant speaks": (
        pb.RunRequest(user_id="u", message={"role": content_pb2.ROLE_ASSISTANT, "content": "x"}),
        {"message.role"},
    ),
    "negative limits": (
        bad_options(max_tokens=-1, max_llm_calls=-1, max_total_tokens=-5),
        {"options.max_tokens", "options.max_llm_calls", "options.max_total_tokens"},
    ),
    "temperature": (bad_options(temperature=2.1, top_p=-0.1), {"options.temperature", "options.top_p"}),
    "nan": (bad_options(temperature=float("nan")), {"options.temperature"}),
    "duration": (bad_options(max_run_duration={"seconds": -1}), {"options.max_run_duration"}),
    "unknown policy": (bad_options(session_policy=99), {"options.session_policy"}),
    "unknown mode": (run_request(stream={"modes": ["messages", "nope"]}), {"stream.modes[1]"}),
    "unknown channel": (run_request(stream={"channels": [9]}), {"stream.channels[0]"}),
    "contradiction": (
        run_request(stream={"whole_messages_only": True, "partials_only": True}),
        {"stream.partials_only"},
    ),
    "heartbeat": (run_request(stream={"heartbeat_interval": {"seconds": 61}}), {"stream.heartbeat_interval"}),
    "state too deep": (
        run_request(state_delta={"a": reduce(lambda inner, _: [inner], range(31), 1)}),
        {"state_delta"},
    ),
    "not a number": (run_request(state_delta={"a": float("inf")}), {"state_delta"}),
    "tool without call": (
        run_request(messages=[{"role": content_pb2.ROLE_TOOL, "content": "x"}]),
        {"messages[0].tool_call_id"},
    ),
}


@pytest.mark.parametrize("name", BAD_RUNS)
async def test_a_bad_run_is_refused_with_its_fields_and_nothing_is_stored(
    grpc_stub: Any, sessions: Any, name: str
) -> None:
    request, wanted = BAD_RUNS[name]

    code, reason, fields = await refusal(grpc_stub.Run(request, timeout=CALL_SECONDS))

    assert (code, reason, fields) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", wanted)
    await nothing_is_stored(grpc_stub, sessions)


async def nothing_is_stored(stub: Any, sessions: Any) -> None:
    assert not (await stub.ListRuns(pb.ListRunsRequest())).runs
    assert not (await sessions.ListSessions(spb.ListSessionsRequest(user_id="u"))).sessions


async def test_unknown_names_are_not_found_and_nothing_is_stored(grpc_stub: Any, sessions: Any) -> None:
    for request, wanted in (
        (run_request(agent_name="nope"), "AGENT_NOT_FOUND"),
        (run_request(app_name="nope"), "APP_NOT_FOUND"),
    ):
        code, reason, _ = await refusal(grpc_stub.Run(request, timeout=CALL_SECONDS))
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, wanted)
    for call in (
        grpc_stub.RunStatus(pb.RunStatusRequest(request_id="nope")),
        grpc_stub.WaitRun(pb.WaitRunRequest(request_id="nope")),
        grpc_stub.ListRunEvents(pb.ListRunEventsRequest(request_id="nope")),
        grpc_stub.Attach(pb.AttachRequest(request_id="nope"), timeout=CALL_SECONDS),
    ):
        code, reason, _ = await refusal(call)
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "RUN_NOT_FOUND")
    await nothing_is_stored(grpc_stub, sessions)


async def test_a_message_of_five_mebibytes_is_refused(grpc_stub: Any, sessions: Any) -> None:
    call = grpc_stub.Run(run_request("x" * (5 * 1024 * 1024)), timeout=CALL_SECONDS)

    code, _, _ = await refusal(call)

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    code, _, fields = await refusal(grpc_stub.Run(run_request("x" * (1024 * 1024 + 1)), timeout=CALL_SECONDS))
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, {"message.content"})
    await nothing_is_stored(grpc_stub, sessions)


async def test_text_that_is_no_utf8_is_refused_as_malformed(
    grpc_channel: grpc.aio.Channel, grpc_stub: Any, sessions: Any
) -> None:
    raw = grpc_channel.unary_stream(
        "/runwire.v1.RunnerService/Run", response_deserializer=pb.RunResponse.FromString
    )

    code, reason, _ = await refusal(raw(b"\x12\x02\xff\xfe", timeout=CALL_SECONDS))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")
    await nothing_is_stored(grpc_stub, sessions)


async def test_a_position_beyond_the_end_is_out_of_range(grpc_stub: Any) -> None:
    await collect(grpc_stub.Run(run_request(request_id="r"), timeout=CALL_SECONDS))

    for call in (
        grpc_stub.Attach(pb.AttachRequest(request_id="r", after_sequence=99), timeout=CALL_SECONDS),
        grpc_stub.ListRunEvents(pb.ListRunEventsRequest(request_id="r", after_sequence=99)),
    ):
        code, reason, fields = await refusal(call)
        assert (code, reason, fields) == (
            grpc.StatusCode.OUT_OF_RANGE,
            "SEQUENCE_OUT_OF_RANGE",
            {"after_sequence"},
        )
    for request in (
        pb.AttachRequest(request_id="r", after_sequence=-1),
        pb.AttachRequest(request_id="", after_sequence=0),
    ):
        code, _, _ = await refusal(grpc_stub.Attach(request, timeout=CALL_SECONDS))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_many_violations_still_have_their_code(grpc_stub: Any) -> None:
    request = run_request(stream={"modes": [f"nope{n}" * 20 for n in range(200)]})

    for _ in range(20):
        code, reason, fields = await refusal(grpc_stub.Run(request, timeout=CALL_SECONDS))
        assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
        assert fields


async def test_bad_session_requests_name_their_fields(sessions: Any) -> None:
    for call, wanted in (
        (sessions.CreateSession(spb.CreateSessionRequest(key={"session_id": "s"})), {"key.user_id"}),
        (sessions.GetSession(spb.GetSessionRequest(key={"user_id": "u"})), {"key.session_id"}),
        (sessions.GetSession(spb.GetSessionRequest(key=KEY, last_events=-1)), {"last_events"}),
        (sessions.ListSessions(spb.ListSessionsRequest(user_id="u", page_size=-1)), {"page_size"}),
        (sessions.ListSessions(spb.ListSessionsRequest(user_id="u", page_token="x")), {"page_token"}),
        (sessions.ListEvents(spb.ListEventsRequest(key=KEY, page_token="x")), {"page_token"}),
        (sessions.AppendEvent(spb.AppendEventRequest(key=KEY)), {"event"}),
        (
            sessions.AppendEvent(spb.AppendEventRequest(key=KEY, event={"completion": {}})),
            {"event.completion"},
        ),
        (sessions.GetState(spb.GetStateRequest(key=KEY)), {"tier"}),
        (
            sessions.UpdateState(
                spb.UpdateStateRequest(key=KEY, tier=spb.STATE_TIER_USER, delta={"app:x": 1})
            ),
            {"delta"},
        ),
    ):
        code, _, fields = await refusal(call)
        assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, wanted)


async def test_what_comes_later_says_so(grpc_stub: Any, sessions: Any) -> None:
    for call in (
        sessions.CreateSummary(spb.CreateSummaryRequest(key=KEY)),
        sessions.GetSummary(spb.GetSummaryRequest(key=KEY)),
    ):
        code, reason, _ = await refusal(call)
        assert (code, reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
    await nothing_is_stored(grpc_stub, sessions)


async def test_ids_are_told_before_the_first_event(grpc_channel: grpc.aio.Channel) -> None:
    stub: Any = runner_service_pb2_grpc.RunnerServiceStub(grpc_channel)
    call = stub.Run(run_request("hi", request_id="mine"), timeout=CALL_SECONDS)

    assert dict(await call.initial_metadata())["x-request-id"] == "mine"
    events = await collect(call)
    assert {event.request_id for event in events} == {"mine"}
    assert events[0].run_started.run.session.session_id
    assert events[0].run_started.session_created


async def test_a_seed_opens_a_new_session(grpc_stub: Any, sessions: Any) -> None:
    request = run_request("What did I say?", session_id="s")
    for role, content in ((content_pb2.ROLE_USER, "tea"), (content_pb2.ROLE_ASSISTANT, "ok")):
        request.messages.add(role=role, content=content)

    await collect(grpc_stub.Run(request, timeout=CALL_SECONDS))

    found = await sessions.GetSession(spb.GetSessionRequest(key=KEY))
    assert [item.event.message.message.content for item in found.events][:3] == [
        "tea",
        "ok",
        "What did I say?",
    ]


async def test_a_runs_state_delta_reaches_its_tiers(grpc_stub: Any, sessions: Any) -> None:
    request = run_request("hi", session_id="s", state_delta={"a": 1, "user:b": 2, "app:c": 3, "temp:d": 4})

    events = await collect(grpc_stub.Run(request, timeout=CALL_SECONDS))

    assert events[-1].completion.outcome == run_pb2.OUTCOME_COMPLETED
    found = await sessions.GetSession(spb.GetSessionRequest(key=KEY))
    assert dict(found.session.state) == {"a": 1, "user:b": 2, "app:c": 3}


async def test_waiting_for_a_run_that_goes_on_is_no_error(grpc_stub: Any) -> None:
    request = run_request("write a slow report on tea", request_id="r")
    events = aiter(grpc_stub.Run(request, timeout=CALL_SECONDS))
    await anext(events)

    waiting = await grpc_stub.WaitRun(pb.WaitRunRequest(request_id="r", timeout={"nanos": 1}))
    assert waiting.run.state == run_pb2.RUN_STATE_RUNNING
    cancelled = await grpc_stub.Cancel(pb.CancelRequest(request_id="r", reason="x", wait={"seconds": 5}))
    assert (cancelled.changed, cancelled.run.state) == (True, run_pb2.RUN_STATE_CANCELLED)
    assert [response async for response in events][-1].event.completion.cancel_reason == "x"
