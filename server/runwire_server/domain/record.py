"""Records: dataclasses that nobody changes once they are made.

The type checker refuses to set a field of one. The interpreter does not: that makes each three times as dear, and a
run makes fifty. What the code of users is handed to make another of is frozen for the interpreter, too: it shall hear
of the mistake.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import replace
else:
    import dataclasses

    _copiers = {}

    def record(*, frozen, slots, kw_only=False):
        """Make what `dataclasses.dataclass` makes, with its hash, but for the refusal. `frozen` is True."""
        return dataclasses.dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)

    def replace(made, /, **changes):
        """Return what `dataclasses.replace` returns, for a record at a quarter of the cost.

        Raises: AttributeError, TypeError for a field that there is none of.
        """
        cls = type(made)
        copy = _copiers.get(cls)
        if copy is None:
            copy = _copiers[cls] = _copier(cls)
        if not copy:
            return dataclasses.replace(made, **changes)
        new = copy(made, object.__new__(cls))
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    def _copier(cls):
        """Return what copies all fields from one record to another; False for what is more than a plain record."""
        # What a subclass has beside its fields is not known here.
        is_record = "__slots__" in vars(cls) and "__dataclass_params__" in vars(cls)
        if not is_record or cls.__dataclass_params__.frozen or hasattr(cls, "__post_init__"):
            return False
        lines = [f"new.{field.name} = old.{field.name}" for field in dataclasses.fields(cls)]
        found = {}
        # What dataclasses do to make an __init__: nothing is faster than attributes by their names.
        exec("\n    ".join(["def copy(old, new):", *lines, "return new"]), {}, found)  # noqa: S102
        return found["copy"]


__all__ = ["record", "replace"]
