"""The options: what they make, and what they refuse."""

from datetime import timedelta
from pathlib import Path

import pytest

from runwire_server.app import App, Service, _greeting
from runwire_server.config import Config, ConfigError, load_config
from runwire_server.domain.retention import Retention


def test_what_is_kept_how_long_by_default() -> None:
    assert Config().retention() == Retention()


def test_what_is_kept_how_long_can_be_chosen(tmp_path: Path) -> None:
    variables = {
        "RUNWIRE_SESSION_EVENT_LIMIT": "0",
        "RUNWIRE_SESSION_TTL_SECONDS": "60",
        "RUNWIRE_APP_STATE_TTL_SECONDS": "1.5",
        "RUNWIRE_USER_STATE_TTL_SECONDS": "2",
        "RUNWIRE_TRACK_TTL_SECONDS": "3",
        "RUNWIRE_DELETED_SESSION_HOURS": "0",
    }

    assert load_config({}, variables, tmp_path).retention() == Retention(
        event_limit=0,
        session_ttl=timedelta(minutes=1),
        app_state_ttl=timedelta(seconds=1.5),
        user_state_ttl=timedelta(seconds=2),
        track_ttl=timedelta(seconds=3),
        deleted_ttl=timedelta(0),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_event_limit", -1),
        ("session_ttl_seconds", -0.1),
        ("track_ttl_seconds", 1e10),
        ("app_state_ttl_seconds", "nan"),
        ("deleted_session_hours", -1),
        ("cleanup_interval_seconds", 0.5),
        ("cleanup_interval_seconds", 86_401),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"option {name}: "):
        load_config({name: value}, {}, tmp_path)


def test_every_option_is_described() -> None:
    assert all(field.description for field in Config.model_fields.values())


def test_no_password_is_shown() -> None:
    config = Config(store="postgresql://u:hunter2@h/d")
    service = Service("127.0.0.1:1", None, None, None)  # type: ignore[arg-type]

    lines = _greeting(config, [App("a", [])], service)

    assert "postgresql://u:***@h/d" in lines[0]
    assert "hunter2" not in " ".join(lines) + repr(config)
