"""Choose models by name. The only module that knows every adapter."""

from typing import TYPE_CHECKING

from runwire_server.domain.errors import InvalidRequestError
from runwire_server.models.model import Model
from runwire_server.models.offline import OfflineModel

if TYPE_CHECKING:
    from runwire_server.models.openai.client import OpenAIModel

# Each name that a caller may choose makes a client; a caller must not be able to make them without end.
_MODELS_MAX = 64


class OfflineModels:
    """The source of a server without a model provider: the offline stand-in, and nothing else."""

    def __init__(self) -> None:
        self._model = OfflineModel()

    def model(self, name: str) -> Model:
        """See models.source.ModelSource."""
        if name not in {"", self._model.name}:
            raise InvalidRequestError.of(
                "options.model",
                f"this server has no model provider, only {self._model.name!r}; set OPENAI_API_KEY to have one",
            )
        return self._model

    async def warm_up(self) -> None:
        """Nothing to prepare."""

    async def close(self) -> None:
        """Nothing to release."""


class OpenAIModels:
    """The models of one OpenAI-compatible provider, made when they are first named."""

    def __init__(
        self, *, api_key: str, base_url: str | None, default: str, idle_timeout_seconds: float
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._default = default
        self._idle_timeout_seconds = idle_timeout_seconds
        self._models: dict[str, OpenAIModel] = {}

    def model(self, name: str) -> Model:
        """See models.source.ModelSource. Whether the provider knows the name shows when it is used."""
        name = name or self._default
        found = self._models.get(name)
        if found is None:
            if len(self._models) >= _MODELS_MAX:
                raise InvalidRequestError.of("options.model", f"more than {_MODELS_MAX} models are in use")
            from runwire_server.models.openai.client import OpenAIModel

            found = self._models[name] = OpenAIModel(
                name,
                api_key=self._api_key,
                base_url=self._base_url,
                idle_timeout_seconds=self._idle_timeout_seconds,
            )
        return found

    async def warm_up(self) -> None:
        """Import the provider's library now, so that the first run does not wait for it."""
        self.model("")
        await self._models[self._default].warm_up()

    async def close(self) -> None:
        """Close the connections to the provider."""
        for model in self._models.values():
            await model.aclose()


def open_models(
    *, api_key: str | None, base_url: str | None, default: str, idle_timeout_seconds: float
) -> OfflineModels | OpenAIModels:
    """Return the source for these settings: offline without a key and without an address."""
    if not api_key and not base_url:
        return OfflineModels()
    # Local servers want no key, but the client library does.
    return OpenAIModels(
        api_key=api_key or "none",
        base_url=base_url,
        default=default,
        idle_timeout_seconds=idle_timeout_seconds,
    )
