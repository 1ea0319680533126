"""Reading less often when there is more to do than time to do it.

A read costs the same for one token as for fifty, and so does the message that goes out for it. When the loop is busy
or late, connections rest after a read: what comes meanwhile is read, and sent on, at once. The loop's rounds get
short again. That matters most to new calls, of which gRPC accepts one a round: with 1,000 runs at 50 tokens/s,
hundreds were never accepted (measured). While the loop has time there is no rest, and no token waits.
"""

import asyncio
import time

_LOOK_SECONDS = 0.02
_LATE_SECONDS = 0.003
_ON_TIME_SECONDS = 0.001
# Shares of the thread's time. Beyond the first one, runs wait for each other longer than they rest.
_BUSY = 0.77
_AT_EASE = 0.67
# How much the newest look counts: what lasts for less than 0.1 s is no reason to rest.
_NEWEST = 0.3
_REST_SECONDS_FIRST = 0.005
_REST_SECONDS_MAX = 0.200


class Rests:
    """Says how long a connection is to rest, from how busy and how late the loop is. One for all of a loop.

    It grows by a tenth while the loop is more than 3 ms late or works more than 77 % of the time, and shrinks by a
    fifteenth while it is less than 1 ms late and works less than 67 %. It is looked at every 20 ms, as long as
    anything is read. 5 to 200 ms, or none.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._is_used = False
        self._due_time = 0.0
        self._worked_seconds = 0.0
        self._busy = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def read(self) -> float:
        """Take note of a read; return the seconds to rest after it."""
        self._is_used = True
        if self._timer is None:
            self._look_later()
        return self.seconds

    def _look_later(self) -> None:
        # The loop's own clock stands still for a round of it, which is what is to be measured.
        self._due_time = time.monotonic() + _LOOK_SECONDS
        self._worked_seconds = time.thread_time()
        self._timer = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        late = time.monotonic() - self._due_time
        busy = (time.thread_time() - self._worked_seconds) / (_LOOK_SECONDS + late)
        self._busy += (busy - self._busy) * _NEWEST
        self.note(late, self._busy)
        self._timer = None
        if self._is_used:
            self._is_used = False
            self._look_later()
        else:
            self.seconds = self._busy = 0.0

    def note(self, late_seconds: float, busy: float) -> None:
        """Take note of how late the loop is, and of the share of its time that it works."""
        if late_seconds > _LATE_SECONDS or busy > _BUSY:
            self.seconds = min(max(self.seconds * 1.1, _REST_SECONDS_FIRST), _REST_SECONDS_MAX)
        elif late_seconds < _ON_TIME_SECONDS and busy < _AT_EASE:
            self.seconds *= 0.93
            if self.seconds < _REST_SECONDS_FIRST / 2:
                self.seconds = 0.0
