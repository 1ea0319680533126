"""The servers of the scenarios: two replicas on one store, to restart and to drain, behind a relay."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from clients.relay import Relay
from runwire.v1 import event_pb2, run_pb2, runner_service_pb2_grpc, session_service_pb2_grpc
from runwire.v1 import runner_service_pb2 as pb
from servers.process import free_port
from support import ServerProcess, server_process

HERE = Path(__file__).parent
_CALL_SECONDS = 10.0
_SETTINGS = {
    "RUNWIRE_REATTACH_GRACE_SECONDS": "5",
    "RUNWIRE_LEASE_TTL_SECONDS": "1",
    "RUNWIRE_DRAIN_SECONDS": "10",
    "PYTHONPATH": str(HERE),
}
_ENDED = {
    run_pb2.RUN_STATE_COMPLETED,
    run_pb2.RUN_STATE_FAILED,
    run_pb2.RUN_STATE_CANCELLED,
    run_pb2.RUN_STATE_TIMED_OUT,
    run_pb2.RUN_STATE_LOST,
}


class Servers:
    """A server on a store in a folder; others on the same store come when they are asked for."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self._folder = folder
        self._settings = {**_SETTINGS, **(settings or {}), "RUNWIRE_STORE": f"sqlite:{folder / 'store.db'}"}
        self._stack = ExitStack()
        self.server: ServerProcess = self._started("127.0.0.1:0")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def address(self) -> str:
        """Where the server of the moment is."""
        return self.server.address

    def restart(self) -> None:
        """kill -9, and a new server at the same place."""
        self.server.kill()
        self.server = self._started(self.server.address)

    def drain(self, relay: Relay) -> None:
        """Start another replica, send new connections there, and SIGTERM to the old one, which may take its time."""
        old, self.server = self.server, self._started(f"127.0.0.1:{free_port()}")
        relay.upstream = self.server.address
        old.process.terminate()

    def _started(self, listen: str) -> ServerProcess:
        return self._stack.enter_context(
            server_process("--listen", listen, "scenario_app:app", cwd=self._folder, **self._settings)
        )


class Desk:
    """What others do to a run, by calls of their own, straight to the server."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self.runner: Any = runner_service_pb2_grpc.RunnerServiceStub(self._channel)
        self.sessions: Any = session_service_pb2_grpc.SessionServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.close()

    def log(self, request_id: str) -> list[event_pb2.Event]:
        """Return the durable events of a run."""
        request = pb.ListRunEventsRequest(request_id=request_id, page_size=1000)
        events: list[event_pb2.Event] = []
        while True:
            page = self.runner.ListRunEvents(request, timeout=_CALL_SECONDS)
            events += page.events
            if not page.next_page_token:
                return events
            request.page_token = page.next_page_token

    def status(self, request_id: str) -> run_pb2.Run:
        """Return how a run is."""
        run: run_pb2.Run = self.runner.RunStatus(
            pb.RunStatusRequest(request_id=request_id), timeout=_CALL_SECONDS
        ).run
        return run

    def ended(self, request_id: str) -> run_pb2.Run:
        """Return the run once it has ended."""
        return self.until(request_id, lambda run: run.state in _ENDED)

    def until(
        self, request_id: str, holds: Callable[[run_pb2.Run], bool], seconds: float = 30.0
    ) -> run_pb2.Run:
        """Return the run once it is so."""
        deadline = time.monotonic() + seconds
        while not holds(run := self.status(request_id)):
            assert time.monotonic() < deadline, run
            time.sleep(0.05)
        return run

    def cancel(self, request_id: str) -> None:
        """Ask the run to stop."""
        self.runner.Cancel(pb.CancelRequest(request_id=request_id, reason="enough"), timeout=_CALL_SECONDS)

    def enqueue(self, request_id: str, text: str) -> None:
        """Say something to a live run."""
        request = pb.EnqueueMessageRequest(request_id=request_id, message_id="said")
        request.message.content = text
        self.runner.EnqueueMessage(request, timeout=_CALL_SECONDS)

    def answer(self, request_id: str, decision: event_pb2.ApprovalDecision.ValueType) -> None:
        """Answer the approval that the run waits for."""
        run = self.until(request_id, lambda run: bool(run.pending))
        request = pb.ResolveApprovalRequest(
            request_id=request_id, approval_id=run.pending[0].approval_id, decision=decision
        )
        self.runner.ResolveApproval(request, timeout=_CALL_SECONDS)
