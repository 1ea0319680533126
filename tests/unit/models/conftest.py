"""The adapter under test, connected to a fake server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fake_openai import FakeOpenAI
from openai_support import KEY, LONG, Connect
from runwire_server.models.openai.client import OpenAIModel


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as server:
        yield server


@pytest.fixture
def naps() -> list[float]:
    """The pauses before retries."""
    return []


@pytest.fixture
async def connect(fake: FakeOpenAI, naps: list[float]) -> AsyncIterator[Connect]:
    """Make models of the fake, which do not really sleep; closed at the end."""
    models: list[OpenAIModel] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    def make(**settings: Any) -> OpenAIModel:
        values: dict[str, Any] = {
            "base_url": fake.url,
            "idle_timeout_seconds": LONG,
            "sleep": sleep,
            "jitter": lambda: 0.0,
            **settings,
        }
        model = OpenAIModel("m", api_key=KEY, **values)
        models.append(model)
        return model

    yield make
    for model in models:
        await model.aclose()
