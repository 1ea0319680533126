"""Records that are changed by copying them."""

from dataclasses import FrozenInstanceError, dataclass, field

import pytest

from runwire_server.domain.record import record, replace


@record(frozen=True, slots=True)
class Plain:
    name: str
    count: int = 1
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Frozen:
    name: str
    count: int = 1


class Sub(Plain):
    """One of a user's, with more than fields."""

    note = ""


def test_a_copy_has_what_was_changed_and_the_rest() -> None:
    first = Plain("a", 2, {"k": "v"})

    second = replace(first, name="b")

    assert (second, first) == (Plain("b", 2, {"k": "v"}), Plain("a", 2, {"k": "v"}))
    assert second.tags is first.tags
    assert hash(replace(Frozen("a"), count=2)) == hash(Frozen("a", 2))


def test_what_is_frozen_stays_so() -> None:
    changed = replace(Frozen("a"), name="b")

    with pytest.raises(FrozenInstanceError):
        changed.name = "c"  # type: ignore[misc]


def test_a_class_of_a_users_is_made_by_its_own_rules() -> None:
    made = replace(Sub("a"), count=3)

    assert (type(made), made.name, made.count) == (Sub, "a", 3)


@pytest.mark.parametrize("one", [Plain("a"), Frozen("a"), Sub("a")])
def test_an_unknown_field_is_an_error(one: Plain | Frozen) -> None:
    with pytest.raises((TypeError, AttributeError)):
        replace(one, nam="b")  # type: ignore[call-arg]
