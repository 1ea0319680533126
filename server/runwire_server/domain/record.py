"""Records: dataclasses that nobody changes once they are made.

The type checker refuses to set a field of one. The interpreter does not: that makes each three times as dear, and a
run makes fifty. What the code of users is handed to make another of is frozen for the interpreter, too: it shall hear
of the mistake.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:
    from dataclasses import dataclass

    def record(*, frozen, slots, kw_only=False):
        """Make what `dataclasses.dataclass` makes, with its hash, but for the refusal. `frozen` is True."""
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)


__all__ = ["record"]
