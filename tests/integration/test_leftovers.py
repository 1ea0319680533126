"""What a run leaves behind when it is over: nothing that only the garbage collector can find.

It was a tenth of the CPU of short runs, and what it found was kept in memory until then.
"""

import gc
from collections import Counter

import grpc.aio

import fake_openai as fake
from runwire.v1 import runner_service_pb2_grpc
from runwire_server.app import App, LlmAgent
from support import CALL_SECONDS, collect, run_request, started_server


def look(what: str) -> str:
    """Look at it."""
    return f"{what} is there"


async def test_runs_leave_no_cycles(store_url: str) -> None:
    app = App("test", [LlmAgent("agent", tools=[look])])
    asked = {"openai_api_key": "sk-key", "openai_model": "m"}
    async with fake.FakeOpenAI() as provider:

        async def run() -> None:
            provider.script(fake.tool_calls(("look", '{"what": "it"}')), fake.text("It ", "is ", "there."))
            await collect(runs.Run(run_request("where?"), timeout=CALL_SECONDS))

        async with started_server(app, store_url, openai_base_url=provider.url, **asked) as service:
            async with grpc.aio.insecure_channel(service.address) as channel:
                runs = runner_service_pb2_grpc.RunnerServiceStub(channel)
                await run()
                gc.collect()
                gc.disable()
                try:
                    for _ in range(5):
                        await run()
                    gc.set_debug(gc.DEBUG_SAVEALL)
                    gc.collect()
                    left = Counter(
                        type(item).__qualname__
                        for item in gc.garbage
                        if type(item).__module__.startswith("runwire_server")
                    )
                finally:
                    gc.set_debug(0)
                    gc.garbage.clear()
                    gc.enable()
    assert not left
