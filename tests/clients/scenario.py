"""A scenario, as its file says it, played by one driver."""

import base64
import json
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from clients.driving import Driver
from clients.expecting import check
from clients.newer_server import newer_server
from clients.relay import Relay
from clients.serving import Desk, Servers
from runwire.v1 import event_pb2
from runwire.v1 import runner_service_pb2 as pb
from runwire.v1 import session_service_pb2 as spb

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))
_REQUESTS = {
    "run": pb.RunRequest,
    "attach": pb.AttachRequest,
    "cancel": pb.CancelRequest,
    "get_session": spb.GetSessionRequest,
}
# What a step says to the test, and not to the driver.
_OURS = {"faults", "expect", "after"}


class Playing:
    """One scenario and one driver."""

    def __init__(self, driver: Driver, servers: Servers, relay: Relay) -> None:
        self._driver = driver
        self._servers = servers
        self._relay = relay
        self._id = uuid.uuid4().hex[:12]
        self._items: list[dict[str, Any]] = []

    def step(self, step: dict[str, Any]) -> None:
        """Have the driver do it, with the faults that belong to it, and look at what came of it."""
        step = json.loads(json.dumps(step).replace("$id", self._id))
        command = {key: value for key, value in step.items() if key not in _OURS}
        command["target"] = self._relay.address
        request = None
        if step["op"] in _REQUESTS:
            request = ParseDict(step.get("request", {}), _REQUESTS[step["op"]]())
            command["request"] = encoded(request)
        request_id = getattr(request, "request_id", "")
        faults = sorted(step.get("faults", ()), key=lambda fault: fault["after"])
        self._items = []

        def happen() -> None:
            while faults and faults[0]["after"] <= len(self._items):
                self._happen(faults.pop(0), request_id)

        def on_item(item: dict[str, Any]) -> None:
            self._items.append(item)
            happen()

        happen()
        done = self._driver.play(command, on_item)
        assert not faults, f"it ended after {len(self._items)} items, before {faults}; it said {done}"
        with Desk(self._servers.address) as desk:
            check(step.get("expect", {}), step, self._items, done, desk)

    def _happen(self, fault: dict[str, Any], request_id: str) -> None:
        """Let a fault happen, or what somebody else does."""
        doing: dict[str, Callable[[], None]] = {
            "cut": self._relay.cut,
            "close": self._relay.close_connections,
            "go_away": lambda: self._relay.go_away(fault["seconds"]),
            "restart": self._servers.restart,
            "drain": lambda: self._servers.drain(self._relay),
            "cancel": lambda: self._by_others(lambda desk: desk.cancel(request_id)),
            "approve": lambda: self._by_others(
                lambda desk: desk.answer(request_id, event_pb2.APPROVAL_DECISION_APPROVED)
            ),
            "deny": lambda: self._by_others(
                lambda desk: desk.answer(request_id, event_pb2.APPROVAL_DECISION_DENIED)
            ),
        }
        doing[fault["do"]]()

    def _by_others(self, act: Callable[[Desk], None]) -> None:
        with Desk(self._servers.address) as desk:
            act(desk)


def encoded(message: Message) -> str:
    """Return a message as drivers take it."""
    return base64.b64encode(message.SerializeToString()).decode()


def play(path: Path, driver: Driver, shared: Servers, folder: Path) -> None:
    """Play a scenario from its file."""
    scenario = yaml.safe_load(path.read_text(encoding="utf-8"))
    with ExitStack() as stack:
        servers = stack.enter_context(Servers(folder)) if scenario.get("server") == "own" else shared
        upstream = servers.address
        if scenario.get("server") == "newer":
            upstream = stack.enter_context(newer_server(upstream))
        relay = Relay(upstream)
        stack.callback(relay.close)
        playing = Playing(driver, servers, relay)
        for step in scenario["steps"]:
            playing.step(step)
