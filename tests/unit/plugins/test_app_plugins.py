"""The plugins of an app: checked at the start, closed at the end (P1, PLG-02, PLG-03, D50)."""

import asyncio
from typing import Any

import pytest
from plugins_support import made

from runwire_server.domain.errors import StopError
from runwire_server.plugins import app_plugins
from runwire_server.plugins.app_plugins import close_all, make_app_plugins
from runwire_server.plugins.plugin import Plugin


def test_plugins_keep_the_order_of_their_declaration() -> None:
    always, named = [made(name) for name in "ab"], [made(name) for name in "dc"]
    plugins = make_app_plugins(always, named)
    assert plugins.always == tuple(always)
    assert list(plugins.by_name.items()) == [("d", named[0]), ("c", named[1])]


@pytest.mark.parametrize(
    ("always", "named", "message"),
    [
        ([made("a"), made("a")], [], "duplicate plugin 'a'"),
        ([], [made("a"), made("a")], "duplicate plugin 'a'"),
        ([made("a")], [made("a")], "duplicate plugin 'a'"),
        ([made(" ")], [], "plugin name is empty"),
        ([], [made("")], "plugin name is empty"),
        ([Plugin], [], "must be an object of a class derived from Plugin"),
        ([], [object()], "must be an object of a class derived from Plugin"),
    ],
)
def test_what_cannot_be_served_is_refused(always: Any, named: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_app_plugins(always, named)


def test_a_name_that_is_no_text_is_refused() -> None:
    class Numbered(Plugin):
        name = 5  # type: ignore[assignment]

    with pytest.raises(ValueError, match="name"):
        make_app_plugins([Numbered()], [])


def test_a_plugin_is_named_by_its_class_unless_it_says_otherwise() -> None:
    assert Plugin().name == "Plugin"


async def test_all_are_closed_in_reverse_order_whatever_some_do(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []
    monkeypatch.setattr(app_plugins, "CLOSE_SECONDS_MAX", 0.05)

    def closing(name: str, error: BaseException | None = None) -> Plugin:
        async def close() -> None:
            closed.append(name)
            if error is not None:
                raise error
            if name == "slow":
                await asyncio.Event().wait()

        return made(name, close=close)

    always = [
        closing("a"),
        closing("b", ValueError()),
        closing("c", SystemExit()),
        closing("d", StopError("x")),
    ]
    await close_all(make_app_plugins(always, [closing("slow"), closing("e")]))
    assert closed == ["e", "slow", "d", "c", "b", "a"]
