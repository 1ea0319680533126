"""Requests that answer what a run asked: what is wrong with them."""

import pytest
from validation_support import violations

from runwire.v1 import content_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire_server.transport.validate.answers import resolve_approval_request, submit_tool_outputs_request
from runwire_server.transport.validate.runs import run_request


@pytest.mark.parametrize("arguments", ["{bad", "[1]", "null", '"text"', '{"n": NaN}', '{"n": 1}\0'])
def test_edited_arguments_are_a_json_object(arguments: str) -> None:
    # An approval can be given only once: a slip of whoever edits must not use it up.
    request = pb.ResolveApprovalRequest(request_id="r", approval_id="a", decision=1, arguments=arguments)  # type: ignore[arg-type]

    assert violations(resolve_approval_request, request) == ["arguments"]


def test_a_status_that_is_not_known_is_refused() -> None:
    output = content_pb2.ToolResult(tool_call_id="a", content="x", status=77)  # type: ignore[arg-type]
    request = pb.SubmitToolOutputsRequest(request_id="r", outputs=[output])

    assert violations(submit_tool_outputs_request, request) == ["outputs[0].status"]


@pytest.mark.parametrize("schema", ['{"minimum": NaN}', '{"minimum": 1e999}', '{"const": [-Infinity]}'])
def test_a_schema_has_only_what_json_has(schema: str) -> None:
    request = pb.RunRequest(user_id="u", message=content_pb2.Message(content="hi"))
    request.options.output_schema = schema
    request.options.tools.client_tools.add(name="c", parameters_schema=schema)

    assert violations(run_request, request) == [
        "options.output_schema",
        "options.tools.client_tools[0].parameters_schema",
    ]


@pytest.mark.parametrize("kind", ['"array"', '"string"', '["object", "null"]'])
def test_the_arguments_of_a_client_tool_are_an_object(kind: str) -> None:
    request = pb.RunRequest(user_id="u", message=content_pb2.Message(content="hi"))
    request.options.tools.client_tools.add(name="c", parameters_schema=f'{{"type": {kind}}}')

    assert violations(run_request, request) == ["options.tools.client_tools[0].parameters_schema"]
