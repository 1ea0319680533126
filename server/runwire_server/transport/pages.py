"""Pages that fit a response of gRPC."""

from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.message import Message

T = TypeVar("T", bound=Message)
# A page is cut before it outgrows the 4 MiB that clients take. An item has a tag and a length in it.
PAGE_BYTES_MAX = 4_000_000
_ITEM_BYTES = 8


def fitting(items: Iterable[T], size: int = 0) -> list[T]:
    """Return as many as fit a response that has that size without them, from the first on; at least one."""
    shown: list[T] = []
    for item in items:
        size += item.ByteSize() + _ITEM_BYTES
        if shown and size > PAGE_BYTES_MAX:
            break
        shown.append(item)
    return shown
