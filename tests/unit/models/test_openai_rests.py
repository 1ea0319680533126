"""How long connections rest when the loop is late."""

import asyncio
import time

import pytest

from runwire_server.models.openai.rests import Rests


def test_nothing_rests_while_the_loop_is_on_time() -> None:
    rests = Rests()
    for _ in range(100):
        rests.note(0.0009, 0.66)
    assert rests.seconds == 0


@pytest.mark.parametrize(("late", "busy"), [(0.05, 0.5), (0.0, 0.8)])
def test_rests_grow_to_a_bound_while_it_is_late_or_busy_and_go_away_when_it_is_neither(
    late: float, busy: float
) -> None:
    rests = Rests()
    seen = []
    for _ in range(50):
        rests.note(late, busy)
        seen.append(rests.seconds)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.005, 0.2)
    rests.note(0.002, 0.5)  # neither late nor on time
    rests.note(0.0, 0.7)  # neither busy nor at ease
    assert rests.seconds == 0.2
    for _ in range(100):
        rests.note(0.0, 0.5)
    assert rests.seconds == 0


@pytest.mark.may_block
async def test_a_late_loop_is_noticed_and_an_idle_one_is_left_alone() -> None:
    rests = Rests()
    seen = [rests.read()]
    for _ in range(5):
        time.sleep(0.1)
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        seen.append(rests.read())
    assert seen[0] == 0
    assert max(seen) > 0
    await asyncio.sleep(0.2)
    assert rests.seconds == 0
