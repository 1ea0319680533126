"""What the tests of validation share."""

from collections.abc import Callable
from typing import Any

import pytest

from runwire_server.domain.errors import InvalidRequestError


def violations(check: Callable[[Any], Any], request: Any) -> list[str]:
    """The fields that are wrong."""
    with pytest.raises(InvalidRequestError) as caught:
        check(request)
    assert all(violation.description for violation in caught.value.violations)
    return [violation.field for violation in caught.value.violations]


def nested(levels: int) -> Any:
    """An object of that depth."""
    value: Any = 1
    for _ in range(levels):
        value = {"k": value}
    return value
