"""Options of stores: by name, from a file or the environment, and without ever printing a password."""

from pathlib import Path

import pytest

from runwire_server.app import StartError, store_url
from runwire_server.config import Config, ConfigError, load_config


def test_stores_have_names_in_the_file(tmp_path: Path) -> None:
    text = 'store = "main"\n[stores]\nmain = "sqlite:a.db"\nfast = "memory:"\n'
    (tmp_path / "runwire.toml").write_text(text)

    config = load_config({}, {}, tmp_path)

    assert config.stores == {"main": "sqlite:a.db", "fast": "memory:"}
    assert store_url(config, config.store) == "sqlite:a.db"
    assert store_url(config, "memory:") == "memory:"


def test_stores_are_json_in_the_environment(tmp_path: Path) -> None:
    config = load_config({}, {"RUNWIRE_STORES": '{"fast": "memory:"}'}, tmp_path)

    assert config.stores == {"fast": "memory:"}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "postgresql://u:secret@h/db"',
        '["postgresql://u:secret@h/db"]',
        '{"a": {"url": "postgresql://u:secret@h/db"}}',
        '{"a:b": "postgresql://u:secret@h/db"}',
        '{"postgresql://u:secret@h/db": "a"}',
        '{"": "postgresql://u:secret@h/db"}',
        "postgresql://u:secret@h/db",
    ],
)
def test_what_is_no_table_of_stores_is_refused_without_its_passwords(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config({}, {"RUNWIRE_STORES": text}, tmp_path)

    assert "stores" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_name_that_is_unknown_is_told_with_the_known_ones() -> None:
    config = Config(stores={"main": "postgresql://u:secret@h/db", "fast": "memory:"})

    with pytest.raises(StartError, match=r"^there is no store 'x'; the stores with a name are: fast, main$"):
        store_url(config, "x")
    with pytest.raises(StartError, match="none"):
        store_url(Config(), "x")
