"""What a scenario may expect of a step."""

import base64
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from clients.serving import Desk
from runwire.v1 import content_pb2, event_pb2, run_pb2
from support import durable

_STREAM_ONLY = {"caught_up", "heartbeat", "reconnect"}


def check(
    expected: dict[str, Any],
    step: dict[str, Any],
    items: list[dict[str, Any]],
    done: dict[str, Any],
    desk: Desk,
) -> None:
    """Compare. See scenarios/README.md for the words."""
    complaint = f"done: {done}, {len(items)} items"
    error = done.get("error")
    wanted = expected.get("error")
    if isinstance(wanted, list):
        assert error in wanted, complaint
    else:
        assert error == wanted, complaint
    if error is None and "done" in expected:
        assert done == expected["done"], complaint
    request_id = step.get("request", {}).get("requestId", "")
    for items_of_one in _by_reader(items, step.get("readers")):
        seen = _Seen(items_of_one, done)
        for word in expected.keys() - {"error", "done"}:
            getattr(_Expecting, word)(seen, expected[word], request_id, desk)


class _Seen:
    """What one reader was shown."""

    def __init__(self, items: list[dict[str, Any]], done: dict[str, Any]) -> None:
        self.done = done
        self.items = items
        self.events = [event_pb2.Event.FromString(_bytes(item["event"])) for item in items if "event" in item]
        self.messages = [
            content_pb2.Message.FromString(_bytes(text))
            for item in items
            if (text := item.get("message") or item.get("stream", {}).get("message"))
        ]

    def texts(self) -> list[str]:
        """Return what the assistant said, message by message, however it was read."""
        whole = [event.message.message for event in self.events if event.HasField("message")] + self.messages
        return [m.content for m in whole if m.role == content_pb2.ROLE_ASSISTANT and m.content]


class _Expecting:
    """The words of `expect`: a function for each."""

    @staticmethod
    def text(seen: _Seen, text: str, request_id: str, desk: Desk) -> None:
        """The text of the last message is this."""
        assert (seen.done.get("text") or seen.texts()[-1]) == text

    @staticmethod
    def texts(seen: _Seen, texts: list[str], request_id: str, desk: Desk) -> None:
        """These are the answers of a conversation, which has a session."""
        assert seen.done["texts"] == texts
        assert seen.done["session_id"]

    @staticmethod
    def pieces(seen: _Seen, text: str, request_id: str, desk: Desk) -> None:
        """The pieces of text that were read, joined, are this."""
        streams = [piece for item in seen.items if "stream" in item for piece in item["stream"]["pieces"]]
        assert "".join([*(item["piece"] for item in seen.items if "piece" in item), *streams]) == text

    @staticmethod
    def pieces_min(seen: _Seen, count: int, request_id: str, desk: Desk) -> None:
        """There were at least so many."""
        assert sum("piece" in item for item in seen.items) >= count

    @staticmethod
    def whole(seen: _Seen, after_sequence: int | bool, request_id: str, desk: Desk) -> None:
        """Every durable event after that sequence came once, in order, and none but these; the last is completion."""
        after = 0 if after_sequence is True else after_sequence
        log = desk.log(request_id)
        shown = durable(seen.events)
        assert [event.id for event in shown] == [event.id for event in log[after:]]
        assert [event.sequence for event in shown] == list(range(after + 1, len(log) + 1))
        assert all(one.sequence <= two.sequence for one, two in pairwise(seen.events))
        assert shown[-1].HasField("completion")
        assert not {event.WhichOneof("payload") for event in seen.events} & _STREAM_ONLY
        _assert_deltas_fit(seen.events)

    @staticmethod
    def outcome(seen: _Seen, name: str, request_id: str, desk: Desk) -> None:
        """The run ended so, says its completion."""
        assert run_pb2.Outcome.Name(seen.events[-1].completion.outcome) == f"OUTCOME_{name}"

    @staticmethod
    def kinds(seen: _Seen, kinds: list[str], request_id: str, desk: Desk) -> None:
        """These are the payloads of the durable events."""
        assert [event.WhichOneof("payload") for event in durable(seen.events)] == kinds

    @staticmethod
    def has(seen: _Seen, kinds: list[str | None], request_id: str, desk: Desk) -> None:
        """These payloads were among the events; null is one that the client does not know."""
        assert {event.WhichOneof("payload") for event in seen.events} >= set(kinds)

    @staticmethod
    def has_not(seen: _Seen, kinds: list[str], request_id: str, desk: Desk) -> None:
        """These were not."""
        assert not {event.WhichOneof("payload") for event in seen.events} & set(kinds)

    @staticmethod
    def messages(seen: _Seen, expected: list[list[str]], request_id: str, desk: Desk) -> None:
        """These were the messages: role and content of each."""
        shown = [[content_pb2.Role.Name(m.role)[5:].lower(), m.content] for m in seen.messages]
        assert shown == expected

    @staticmethod
    def items(seen: _Seen, count: int, request_id: str, desk: Desk) -> None:
        """So many items came."""
        assert len(seen.items) == count

    @staticmethod
    def completions(seen: _Seen, count: int, request_id: str, desk: Desk) -> None:
        """So many runs ended."""
        assert sum(event.HasField("completion") for event in seen.events) == count

    @staticmethod
    def state(seen: _Seen, name: str, request_id: str, desk: Desk) -> None:
        """The run ends in this state."""
        assert run_pb2.RunState.Name(desk.ended(request_id).state) == f"RUN_STATE_{name}"


def _assert_deltas_fit(events: Sequence[event_pb2.Event]) -> None:
    """Merging deltas by offset, in code points, gives the beginning of what the whole message says."""
    texts: dict[str, str] = {}
    for event in events:
        if event.HasField("text_delta"):
            delta = event.text_delta
            have = texts.get(delta.message_id, "")
            assert delta.offset <= len(have)
            texts[delta.message_id] = have[: delta.offset] + delta.text
        elif event.HasField("message") and event.message.message_id in texts:
            assert event.message.message.content.startswith(texts.pop(event.message.message_id))


def _by_reader(items: list[dict[str, Any]], readers: int | None) -> list[list[dict[str, Any]]]:
    if readers is None:
        return [items]
    return [[item for item in items if item["reader"] == number] for number in range(readers)]


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
