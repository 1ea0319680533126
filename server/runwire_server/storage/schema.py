"""How far the tables of a store are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The version of a schema (empty: none yet), the version that is needed, and what is missing, oldest first."""

    current: str
    head: str
    pending: tuple[str, ...]
