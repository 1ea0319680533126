"""What a store's URL may be, and what is said of one that may not."""

from pathlib import Path

import pytest

from runwire_server.domain.errors import InvalidRequestError, UnavailableError
from runwire_server.storage.opener import migration_status, open_store
from runwire_server.storage.url import parse_store_url, safe_url


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
    assert parse_store_url(f"sqlite:{rest}").path == path


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


@pytest.mark.parametrize(
    "url",
    [
        "redis:/x",
        "postgresql:db",
        "postgresql://h:99999/db",
        "postgresql://u:secret@word:x@h:x/db",
        "postgresql://h/db?pool_size=0",
        "postgresql://h/db?pool_size=many",
        "postgresql://h/db?command_seconds=nan",
        "postgresql://h/db?ssl=maybe",
        "postgresql://h/db?schema=a.b",
        "mysql://h/db?schema=x",
        "mysql://u:secret@h",
        "mariadb://u:secret@h/",
        "mysql://h/db?table_prefix=a-b",
        "mysql://h/db?migrate=perhaps",
        "redis://h?key_prefix={a}",
        "redis://h?table_prefix=a",
        "memory:?pool_size=1",
        "sqlite:a.db?synchronous=off",
        "postgresql://h/db?password=secret",
    ],
)
def test_what_a_url_may_not_say(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_store_url(url)

    assert "secret" not in str(caught.value)


def test_the_parts_of_a_url() -> None:
    url = parse_store_url("redis+sentinel://u:p%40%2Fw@one,[::1]:7/main/3?pool_size=7&key_prefix=a:")

    assert (url.kind, url.scheme, url.user, url.password) == ("redis", "redis+sentinel", "u", "p@/w")
    assert (url.hosts, url.path) == ((("one", 26379), ("::1", 7)), "main/3")
    assert (url.options.pool_size, url.options.key_prefix) == (7, "a:")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:a.db", "sqlite:a.db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://u:p@h/db?schema=x", "postgresql://u:***@h/db?schema=x"),
        ("redis://:p@h", "redis://:***@h"),
        ("mysql://u:p@ss/w:ord@h/db", "mysql://u:***@h/db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert safe_url(url) == shown


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_is_not_there_is_unavailable(scheme: str) -> None:
    with pytest.raises(UnavailableError, match=r"cannot open the store .* at 127.0.0.1:1: ") as caught:
        async with open_store(f"{scheme}://user:secret@127.0.0.1:1/db"):
            pass

    assert "secret" not in str(caught.value)


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="nowhere"):
        async with open_store(f"sqlite:{tmp_path / 'nowhere' / 'store.db'}"):
            pass


async def test_a_file_that_is_not_there_is_made_only_by_migrating(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    assert (await migration_status(f"sqlite:{path}")).current == ""
    with pytest.raises(UnavailableError, match=r"there is no file .*: run `runwire migrate`"):
        async with open_store(f"sqlite:{path}", migrate=False):
            pass

    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 100)

    with pytest.raises(UnavailableError, match="not a database"):
        async with open_store(f"sqlite:{path}"):
            pass

    assert path.read_text() == "dear diary " * 100


async def test_a_path_may_have_any_characters_but_a_question_mark(tmp_path: Path) -> None:
    path = tmp_path / "a b c=%20#é&.db"

    async with open_store(f"sqlite:{path}") as store:
        await store.check()

    assert path.is_file()
