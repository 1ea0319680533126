"""Which mail a run takes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runwire_server.domain.content import Message, Part, Role
from runwire_server.domain.errors import LimitExceededError
from runwire_server.domain.ids import RunKey, SessionKey
from runwire_server.domain.mail import QueuedMessage
from runwire_server.domain.runs import Run, RunState
from runwire_server.domain.steering import QUEUED_CHARS_MAX, with_message

RUN = Run(
    key=RunKey("app", "r"),
    session=SessionKey("app", "u", "s"),
    agent_name="agent",
    state=RunState.RUNNING,
    create_time=datetime(2026, 1, 1, tzinfo=UTC),
)
SIZE = QUEUED_CHARS_MAX + 1


@pytest.mark.parametrize(
    "message",
    [
        Message(Role.USER, "x" * SIZE),
        Message(Role.USER, "x", (Part(inline_data=b"x" * SIZE, media_type="a/b"),)),
        Message(Role.USER, "x", (Part(text="x" * SIZE),)),
        Message(Role.USER, "x", (Part(data={"a": ["x" * SIZE]}),)),
    ],
)
def test_unread_messages_are_bounded_with_all_that_they_carry(message: Message) -> None:
    run = replace(RUN, mail=with_message(RUN, QueuedMessage("m1", message)))
    with pytest.raises(LimitExceededError):
        with_message(run, QueuedMessage("m2", message))
