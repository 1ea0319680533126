"""What plugins that fail cost a run's log."""

from typing import Any

from runwire_server.app import LlmAgent
from runwire_server.domain import events as ev
from runwire_server.models.scripted import ScriptedModel
from runwire_server.plugins.chain import RunPlugins
from runwire_server.plugins.plugin import HookContext, Plugin
from support import text_turn
from unit.runner.conftest import Bench


class Broken(Plugin):
    name = "broken"

    def on_partial(self, context: HookContext, payload: Any) -> Any:
        raise RuntimeError("no")


async def test_a_hook_that_fails_with_every_token_is_told_once_with_each_write(bench: Bench) -> None:
    counted: list[str] = []
    plugins = RunPlugins([Broken()], lambda plugin, hook: counted.append(hook))
    bench.serve(LlmAgent("agent", model=ScriptedModel([text_turn("hi")])))
    context = plugins.context((await bench.start()).run, "agent", "agent", "i")
    for _ in range(1000):
        assert plugins.on_partial(context, ev.TextDelta("m", "x")) == ev.TextDelta("m", "x")
    assert len(counted) == 1000
    assert len(plugins.take_failures()) == 1
