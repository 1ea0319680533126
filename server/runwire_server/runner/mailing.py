"""Mail for runs: messages that steer them, and answers that let them go on. At any replica, for any run."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime

from runwire_server.domain.content import Message, ToolResult
from runwire_server.domain.errors import BusyError
from runwire_server.domain.ids import RunKey, new_id
from runwire_server.domain.mail import Answer, QueuedMessage, RunMail
from runwire_server.domain.record import replace
from runwire_server.domain.runs import Run
from runwire_server.domain.steering import check_open, with_decision, with_message, with_outputs
from runwire_server.runner.runner import Runner
from runwire_server.storage.port import Store

_TRIES_MAX = 50
_PAUSE_SECONDS_MAX = 0.05


class Mailing:
    """Writes mail, and tells whoever executes the run."""

    def __init__(self, store: Store, runner: Runner, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._runner = runner
        self._clock = clock

    async def enqueue(self, key: RunKey, message: Message, message_id: str = "") -> tuple[str, int]:
        """Queue a user's message. Return its id and how many the run has not read.

        An id that the run has been sent before changes nothing.
        Raises: NotFoundError (run), PreconditionError, LimitExceededError, BusyError.
        """
        queued = QueuedMessage(message_id or new_id(), message)
        run = await self._change(key, lambda run: with_message(run, queued))
        return queued.id, len(run.mail.messages)

    async def withdraw(self, key: RunKey, message_id: str = "") -> int:
        """Take back the message of that id, or all, that the run has not read. Return how many.

        Raises: NotFoundError (run), BusyError.
        """
        before = 0

        def without(run: Run) -> RunMail:
            nonlocal before
            before = len(run.mail.messages)
            return run.mail if run.state.is_terminal else run.mail.without_messages(message_id)

        run = await self._change(key, without)
        return before - len(run.mail.messages)

    async def resolve(self, key: RunKey, answer: Answer) -> tuple[Run, bool]:
        """Answer an approval, and let the run go on. Return it, and whether it was answered just so before.

        Raises: NotFoundError (run, approval), PreconditionError, BusyError.
        """
        is_known = False
        now = self._clock()
        dated = replace(answer, time=now)

        def decided(run: Run) -> RunMail:
            nonlocal is_known
            mail = with_decision(run, dated, now)
            is_known = mail is run.mail
            return mail

        run = await self._change(key, decided, due_time=now)
        return run, is_known

    async def submit(self, key: RunKey, outputs: Sequence[ToolResult]) -> Run:
        """Give outputs of calls that the caller executed, and let the run go on. All or none are taken.

        Raises: NotFoundError (run, tool_call), PreconditionError, BusyError.
        """
        now = self._clock()
        return await self._change(key, lambda run: with_outputs(run, outputs, now), due_time=now)

    async def _change(
        self, key: RunKey, change: Callable[[Run], RunMail], *, due_time: datetime | None = None
    ) -> Run:
        """Change the run's mail by a rule, and hand it on. Return the run as it is then."""
        for _ in range(_TRIES_MAX):
            run = await self._store.get_run(key)
            mail = change(run)
            if mail is run.mail:
                # What was written before may not have been noticed.
                return await self._runner.mail_came(run)
            stored = await self._store.set_mail(key, mail, version=run.mail.version, due_time=due_time)
            if stored is not None:
                return await self._runner.mail_came(stored)
            await asyncio.sleep(random.uniform(0.0, _PAUSE_SECONDS_MAX))  # noqa: S311 -- no secret
        check_open(run)
        raise BusyError("too many write to this run at the same time", key.request_id)
