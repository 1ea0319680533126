"""All options of the server, with units in their names. Read once, at start.

What counts: the command line, then RUNWIRE_… in the environment, then runwire.toml, then the defaults here.
Anything unknown is an error. OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL count last before the defaults.
"""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)

from runwire_server.domain.retention import Retention

_PREFIX = "RUNWIRE_"
_FILE = "runwire.toml"
# Variables of the command line's client side, which are not options of the server.
_CLIENT_VARIABLES = {"RUNWIRE_TARGET", "RUNWIRE_USER", "RUNWIRE_APP", "RUNWIRE_CONFIG"}
# What Kubernetes sets in every pod beside a service that is called runwire.
_SERVICE_LINK = re.compile(r"RUNWIRE_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
_PROVIDER_VARIABLES = ("openai_api_key", "openai_base_url", "openai_model")


# No colon in it: what has one is a URL.
StoreName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,50}$")]


class ConfigError(Exception):
    """The configuration is wrong. The text is one line for the operator, without secrets."""


def _ttl(what: str) -> Any:
    """An option for a TTL, up to 10 years."""
    return Field(0.0, ge=0, le=315_360_000, description=f"{what}. 0: for ever.")


class Config(BaseModel):
    """The server's options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = Field(
        "127.0.0.1:50051",
        description="Where to listen: HOST:PORT, [IPV6]:PORT or unix:PATH. Port 0: any free one.",
    )
    store: str = Field(
        "sqlite:runwire.db",
        repr=False,
        description="Where runs and sessions are kept: sqlite:PATH, memory:, the URL of a postgresql, mysql or redis "
        "server, or a name in `stores`.",
    )
    stores: dict[StoreName, str] = Field(
        default_factory=dict,
        repr=False,
        description="Stores with a name, for `store` and for apps: a table of URLs, as JSON in RUNWIRE_STORES.",
    )
    persistence: Literal["sync", "async"] = Field(
        "sync",
        description="async: a run's events are shown before they are durable; a kill -9 may lose the newest.",
    )
    persistence_workers: int = Field(4, ge=1, le=64, description="async: how many write, for each store.")
    persistence_queue: int = Field(
        1000, ge=1, le=100_000, description="async: how many writes may wait for each worker."
    )
    persistence_retry_seconds: float = Field(
        60.0, gt=0, le=3600, description="async: how long a write is retried before its run fails."
    )
    metrics_listen: str = Field("", description="Where to answer Prometheus: HOST:PORT. Empty: nowhere.")
    migrate: bool = Field(default=True, description="Bring the store's schema up to date at start.")
    reflection: bool = Field(default=True, description="Answer gRPC reflection, for grpcurl.")
    reattach_grace_seconds: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="How long a run goes on when nobody follows it. Detached runs do anyway.",
    )
    max_run_seconds: float = Field(600.0, gt=0, le=86_400, description="The longest that any run may take.")
    max_waiting_seconds: float = Field(
        86_400.0,
        gt=0,
        le=30 * 86_400,
        description="The longest that a run may wait for an answer, each time; runs may ask for less.",
    )
    drain_seconds: float = Field(
        20.0, ge=0, le=3600, description="How long runs may finish after SIGTERM before they are cancelled."
    )
    lame_duck_seconds: float = Field(
        0.0,
        ge=0,
        le=300,
        description="How long health says NOT_SERVING before runs are refused, for a mesh to notice.",
    )
    lease_ttl_seconds: float = Field(
        10.0, ge=1, le=300, description="How long after its last sign of life a replica counts as dead."
    )
    run_retention_hours: float = Field(24.0, gt=0, description="How long ended runs and their logs are kept.")
    session_event_limit: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="How many events a session keeps; the oldest go first. 0: all.",
    )
    session_ttl_seconds: float = _ttl(
        "How long a session lives after it was last written, unless it says so itself"
    )
    app_state_ttl_seconds: float = _ttl("How long an app's state lives after it was last written")
    user_state_ttl_seconds: float = _ttl("How long a user's state lives after it was last written")
    track_ttl_seconds: float = _ttl(
        "How long each observation of a track lives, at most as long as its session"
    )
    deleted_session_hours: float = Field(
        168.0,
        ge=0,
        le=87_600,
        description="How long a deleted session can be restored. 0: it is gone at once.",
    )
    cleanup_interval_seconds: float = Field(
        300.0,
        ge=1,
        le=86_400,
        description="How long between two looks for what has expired, to delete it from the store.",
    )
    runs_max: int = Field(4000, ge=1, le=100_000, description="The most runs queued or at work at a time.")
    openai_api_key: SecretStr | None = Field(None, description="The model provider's key. Never printed.")
    openai_base_url: str | None = Field(None, description="The provider's address, for compatible servers.")
    openai_model: str = Field("gpt-4o-mini", min_length=1, description="The model of agents that name none.")
    model_timeout_seconds: float = Field(
        60.0, gt=0, le=3600, description="How long a model may be silent before its call fails."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["text", "json"] = Field("text", description="How it is logged.")

    def retention(self) -> Retention:
        """Return how long a store keeps what."""
        return Retention(
            event_limit=self.session_event_limit,
            session_ttl=_duration(self.session_ttl_seconds),
            app_state_ttl=_duration(self.app_state_ttl_seconds),
            user_state_ttl=_duration(self.user_state_ttl_seconds),
            track_ttl=_duration(self.track_ttl_seconds),
            deleted_ttl=timedelta(hours=self.deleted_session_hours),
        )

    @field_validator("stores", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not a JSON object") from None  # its text may have a password


def _duration(seconds: float) -> timedelta | None:
    """Return a TTL; 0 is none."""
    return timedelta(seconds=seconds) or None


def load_config(
    overrides: Mapping[str, Any], environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Config:
    """Read the configuration. `overrides` come from the command line; None in them means not given.

    The file is overrides["config"], else RUNWIRE_CONFIG, else runwire.toml in `cwd` when it is there.

    Raises: ConfigError.
    """
    variables = os.environ if environ is None else environ  # noqa: TID251 -- the one place
    given = {key: value for key, value in overrides.items() if value is not None}
    named = given.pop("config", None) or variables.get("RUNWIRE_CONFIG")
    values: dict[str, Any] = {
        name: variables[name.upper()] for name in _PROVIDER_VARIABLES if variables.get(name.upper())
    }
    values |= _file_values(Path(named) if named else (cwd or Path.cwd()) / _FILE, is_named=bool(named))
    values |= _environment_values(variables)
    values |= given
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        # Not what follows in the place: a URL where a store's name belongs may have a password.
        name = ".".join(str(part) for part in problem["loc"][:1])
        raise ConfigError(f"option {name}: {problem['msg'].lower()}") from None


def _file_values(path: Path, *, is_named: bool) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if is_named:
            raise ConfigError(f"there is no file {path}") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    for key in values:
        if key not in Config.model_fields:
            raise ConfigError(f"{path}: unknown option {key!r}")
    return values


def _environment_values(variables: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in variables.items():
        if not variable.startswith(_PREFIX) or variable in _CLIENT_VARIABLES:
            continue
        if _SERVICE_LINK.fullmatch(variable):
            continue
        name = variable.removeprefix(_PREFIX).lower()
        if name not in Config.model_fields:
            raise ConfigError(f"unknown variable {variable}")
        values[name] = value
    return values
