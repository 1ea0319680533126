"""What a store's URL may be, and what is said of one that may not."""

from pathlib import Path

import pytest

from runwire_server.domain.errors import InvalidRequestError, UnavailableError
from runwire_server.storage.opener import open_store, sqlite_path


@pytest.mark.parametrize("url", ["memory:", "memory://"])
async def test_memory_needs_no_path(url: str) -> None:
    async with open_store(url) as store:
        assert store.kind == "memory"


@pytest.mark.parametrize(
    ("rest", "path"),
    [
        ("runwire.db", "runwire.db"),
        ("folder/runwire.db", "folder/runwire.db"),
        ("/var/runwire.db", "/var/runwire.db"),
        ("///runwire.db", "runwire.db"),
        ("////var/runwire.db", "/var/runwire.db"),
    ],
)
def test_paths_are_relative_or_absolute_also_as_sqlalchemy_writes_them(rest: str, path: str) -> None:
    assert sqlite_path(rest) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "nosql:x",
        "memory:x",
        "sqlite:",
        "sqlite:///",
        "sqlite://host/x",
        "sqlite::memory:",
        "/tmp/x.db",
    ],
)
async def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        async with open_store(url):
            pass

    assert [violation.field for violation in caught.value.violations] == ["store"]


@pytest.mark.parametrize("scheme", ["redis", "postgresql", "mysql"])
async def test_stores_to_come_are_announced_without_showing_the_password(scheme: str) -> None:
    with pytest.raises(InvalidRequestError, match="comes with a later version") as caught:
        async with open_store(f"{scheme}://user:secret@host/db"):
            pass

    assert "secret" not in str(caught.value)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nowhere"):
        async with open_store(f"sqlite:{tmp_path / 'nowhere' / 'store.db'}"):
            pass


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 100)

    with pytest.raises(UnavailableError, match="not a database"):
        async with open_store(f"sqlite:{path}"):
            pass

    assert path.read_text() == "dear diary " * 100


async def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / "a b?c=%20#é&.db"

    async with open_store(f"sqlite:{path}") as store:
        await store.check()

    assert path.is_file()
