"""RunnerService: converts, calls the runner once, and converts back."""

from collections.abc import AsyncIterator
from typing import Any, cast

from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import runner_service_pb2_grpc
from runwire_server.domain.record import replace
from runwire_server.runner.catalog import Catalog
from runwire_server.runner.mailing import Mailing
from runwire_server.runner.runner import Runner
from runwire_server.runner.watching import Watching
from runwire_server.storage.port import RunFilter
from runwire_server.transport import validate
from runwire_server.transport.convert.events import event_to_proto, event_to_wire
from runwire_server.transport.convert.runs import run_to_proto
from runwire_server.transport.pages import fitting

REQUEST_ID_KEY = "x-request-id"


class RunnerService(runner_service_pb2_grpc.RunnerServiceServicer):
    """Runs."""

    def __init__(self, runner: Runner, watching: Watching, mailing: Mailing, catalog: Catalog) -> None:
        self._runner = runner
        self._watching = watching
        self._mailing = mailing
        self._catalog = catalog

    async def Run(self, request: pb.RunRequest, context: Any) -> AsyncIterator[pb.RunResponse]:
        """Start a run, or join it, and stream its events."""
        start, options = validate.run_request(request, context.time_remaining())
        started = await self._runner.start(start)
        # Headers commit the call: from here on nobody in between retries it, and the caller knows the run's name.
        await context.send_initial_metadata(((REQUEST_ID_KEY, _ascii(started.run.key.request_id)),))
        with self._watching.follow_started(started, options) as follower:
            while events := await follower.next():
                for event in events:
                    yield cast(pb.RunResponse, event_to_wire(event))

    async def Attach(self, request: pb.AttachRequest, context: Any) -> AsyncIterator[pb.AttachResponse]:
        """Stream the events of a known run."""
        asked = validate.attach_request(request)
        key = self._catalog.run_key(asked.app_name, asked.request_id)
        watched = await self._watching.follow(key, after=asked.after, options=asked.options)
        with watched as follower:
            await context.send_initial_metadata(((REQUEST_ID_KEY, _ascii(key.request_id)),))
            while events := await follower.next():
                for event in events:
                    yield cast(pb.AttachResponse, event_to_wire(event))

    async def Cancel(self, request: pb.CancelRequest, context: Any) -> pb.CancelResponse:
        """Ask a run to stop."""
        asked = validate.cancel_request(request)
        key = self._catalog.run_key(asked.app_name, asked.request_id)
        run, is_changed = await self._runner.cancel(key, asked.cancel)
        if run is not None and asked.wait_seconds:
            run = await self._watching.wait(key, asked.wait_seconds, until_end=True)
        return pb.CancelResponse(
            run=run_to_proto(run, with_message=False) if run is not None else None, changed=is_changed
        )

    async def RunStatus(self, request: pb.RunStatusRequest, context: Any) -> pb.RunStatusResponse:
        """Tell how a run is."""
        app_name, request_id = validate.run_status_request(request)
        run = await self._watching.status(self._catalog.run_key(app_name, request_id))
        return pb.RunStatusResponse(run=run_to_proto(run, with_message=True))

    async def WaitRun(self, request: pb.WaitRunRequest, context: Any) -> pb.WaitRunResponse:
        """Wait until a run ends."""
        app_name, request_id, timeout_seconds = validate.wait_run_request(request)
        run = await self._watching.wait(self._catalog.run_key(app_name, request_id), timeout_seconds)
        return pb.WaitRunResponse(run=run_to_proto(run, with_message=True))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Any) -> pb.ListRunsResponse:
        """List runs."""
        asked = validate.list_runs_request(request)
        wanted: RunFilter = replace(
            asked.wanted, app_name=self._catalog.run_key(asked.wanted.app_name, "").app_name
        )
        page = await self._watching.list_runs(wanted, limit=asked.limit, cursor=asked.cursor)
        return pb.ListRunsResponse(
            runs=[run_to_proto(run, with_message=False) for run in page.items],
            next_page_token=page.next_cursor or "",
        )

    async def ListRunEvents(self, request: pb.ListRunEventsRequest, context: Any) -> pb.ListRunEventsResponse:
        """List the durable events of a run. A page's token is the sequence of its last event."""
        asked = validate.list_run_events_request(request)
        key = self._catalog.run_key(asked.app_name, asked.request_id)
        events = await self._watching.list_events(key, after=asked.after, limit=asked.limit)
        shown = fitting(event_to_proto(event) for event in events)
        is_cut = len(events) == asked.limit or len(shown) < len(events)
        return pb.ListRunEventsResponse(
            events=shown, next_page_token=str(shown[-1].sequence) if is_cut else ""
        )

    async def EnqueueMessage(
        self, request: pb.EnqueueMessageRequest, context: Any
    ) -> pb.EnqueueMessageResponse:
        """Steer a live run."""
        asked = validate.enqueue_message_request(request)
        key = self._catalog.run_key(asked.app_name, asked.request_id)
        message_id, length = await self._mailing.enqueue(key, asked.message, asked.message_id)
        return pb.EnqueueMessageResponse(message_id=message_id, queue_length=length)

    async def CancelQueuedMessages(
        self, request: pb.CancelQueuedMessagesRequest, context: Any
    ) -> pb.CancelQueuedMessagesResponse:
        """Take back what a run has not read."""
        app_name, request_id, message_id = validate.cancel_queued_messages_request(request)
        count = await self._mailing.withdraw(self._catalog.run_key(app_name, request_id), message_id)
        return pb.CancelQueuedMessagesResponse(cancelled_count=count)

    async def ResolveApproval(
        self, request: pb.ResolveApprovalRequest, context: Any
    ) -> pb.ResolveApprovalResponse:
        """Answer an approval."""
        asked = validate.resolve_approval_request(request)
        key = self._catalog.run_key(asked.app_name, asked.request_id)
        run, is_known = await self._mailing.resolve(key, asked.answer)
        return pb.ResolveApprovalResponse(
            run=run_to_proto(run, with_message=False), already_resolved=is_known
        )

    async def SubmitToolOutputs(
        self, request: pb.SubmitToolOutputsRequest, context: Any
    ) -> pb.SubmitToolOutputsResponse:
        """Give the outputs of calls that the caller executed."""
        asked = validate.submit_tool_outputs_request(request)
        run = await self._mailing.submit(
            self._catalog.run_key(asked.app_name, asked.request_id), asked.outputs
        )
        return pb.SubmitToolOutputsResponse(run=run_to_proto(run, with_message=False))


def _ascii(text: str) -> str:
    """Return the id as a metadata value may be: printable ASCII, the rest escaped."""
    return text.encode("ascii", "backslashreplace").decode() if text.isprintable() else ascii(text)
