"""A run that is at work, or queued, in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from runwire_server.domain.mail import RunMail
from runwire_server.domain.record import record, replace
from runwire_server.domain.runs import CancelMode, CancelRequest, Outcome, Run
from runwire_server.runner.tail import Tail

# Whoever starts a run follows it a moment later, which is longer on a busy machine.
_FIRST_FOLLOWER_SECONDS = 2.0


@record(frozen=True, slots=True)
class Stop:
    """Why a run is ended from outside."""

    outcome: Outcome
    stop_reason: str
    cancel_reason: str = ""


class LiveRun:
    """The handle of a run: its record, its tail, its followers, and the wish that it stop.

    A run that is not detached is stopped `reattach_grace_seconds` after its last follower left, or, when nobody has
    followed it at all, after it was made and at least 2 seconds. One that goes on after it waited is detached:
    whoever answered wants it to.
    """

    def __init__(
        self,
        run: Run,
        *,
        reattach_grace_seconds: float,
        session_created: bool = False,
        is_continued: bool = False,
    ) -> None:
        self.run = run
        self.session_created = session_created
        self.is_continued = is_continued
        self.tail = Tail(run.key.request_id, run.agent_name, run.last_sequence)
        self.stop: Stop | None = None
        self.graceful: CancelRequest | None = None
        # Whether this process is done with it; without a completion another one has it, or nobody.
        self.is_over = False
        self._grace = reattach_grace_seconds
        self._is_detached = run.input.options.detached_cancel or is_continued
        self._followers = 0
        self._changed = asyncio.Event()
        self._grace_timer: asyncio.TimerHandle | None = None
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._arm_grace(max(reattach_grace_seconds, _FIRST_FOLLOWER_SECONDS))

    @property
    def follower_count(self) -> int:
        """How many follow it in this process."""
        return self._followers

    @contextmanager
    def followed(self) -> Iterator[Tail]:
        """Be a follower for the time of the block."""
        self._followers += 1
        if self._grace_timer is not None:
            self._grace_timer.cancel()
            self._grace_timer = None
        try:
            yield self.tail
        finally:
            self._followers -= 1
            if self._followers == 0:
                self._arm_grace(self._grace)

    def _arm_grace(self, seconds: float) -> None:
        if self._is_detached or self.tail.ended:
            return
        stop = Stop(Outcome.CANCELLED, "no_follower", "nobody followed the run any more")
        self._grace_timer = asyncio.get_running_loop().call_later(seconds, self.request_stop, stop)

    def arm_deadline(self, seconds: float, stop: Stop) -> None:
        """Stop the run after that many seconds, or at once. Called once."""
        if seconds <= 0:
            self.request_stop(stop)
        else:
            self._deadline_timer = asyncio.get_running_loop().call_later(seconds, self.request_stop, stop)

    def request_stop(self, stop: Stop) -> None:
        """End the run from outside, now. The first wish counts."""
        if self.stop is None and not self.tail.ended:
            self.stop = stop
            self.nudge()

    def cancel(self, request: CancelRequest) -> None:
        """Take a cancel: at once, or at the point that its mode names. A less urgent one changes nothing."""
        if not request.overrides(self.graceful):
            return
        self.graceful = request
        if request.mode is CancelMode.IMMEDIATE:
            self.request_stop(Stop(Outcome.CANCELLED, "cancelled", request.reason))

    def note_mail(self, mail: RunMail) -> None:
        """Take mail that someone wrote to the run."""
        if mail.version > self.run.mail.version:
            self.run = replace(self.run, mail=mail)

    def nudge(self) -> None:
        """Let whoever drives the run look again."""
        self._changed.set()

    async def changed(self) -> None:
        """Wait for the next nudge."""
        await self._changed.wait()
        self._changed.clear()

    def close(self) -> None:
        """Drop the timers: the run has ended, or is not driven here any more."""
        for timer in (self._grace_timer, self._deadline_timer):
            if timer is not None:
                timer.cancel()
        self._grace_timer = self._deadline_timer = None
        self._is_detached = True
        self.is_over = True
        if not self.tail.ended:
            # The run waits, or another replica has it: what is kept here is of no use any more.
            self.tail.clear()
        self.tail.wake()
