"""Medians with their spread, verdicts, and tables in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and most of them."""

    median: float
    least: float
    most: float
    rounds: int

    def text(self, digits: int = 1) -> str:
        """Say the median, and the least and most in brackets."""
        middle = f"{self.median:,.{digits}f}"
        if self.rounds == 1:
            return middle
        return f"{middle} ({self.least:,.{digits}f}–{self.most:,.{digits}f})"


def spread(values: Iterable[float | None]) -> Spread | None:
    """Return the spread of what was measured; None when nothing was."""
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known), len(known)) if known else None


def ratios(ours: Sequence[float | None], theirs: Sequence[float | None]) -> Spread | None:
    """Return the spread of the ratios of rounds next to each other."""
    return spread(
        ours_one / theirs_one
        for ours_one, theirs_one in zip(ours, theirs, strict=False)
        if ours_one is not None and theirs_one
    )


def said(value: Spread | None, digits: int = 1) -> str:
    """Say a spread, or that there is none."""
    return "–" if value is None else value.text(digits)


@dataclass(frozen=True, slots=True)
class Target:
    """What the issue wants of a figure, and whether it is so. `is_met` is None when it was not measured."""

    text: str
    figure: str
    is_met: bool | None

    def line(self) -> str:
        """Say it in one line."""
        verdict = {True: "met", False: "**not met**", None: "not measured"}[self.is_met]
        return f"* {self.text}: {self.figure}, {verdict}"


def at_most(text: str, value: Spread | None, limit: float, digits: int = 2) -> Target:
    """Hold a median to a limit."""
    return Target(text, said(value, digits), None if value is None else value.median <= limit)


@dataclass(frozen=True, slots=True)
class Table:
    """A table."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """Return it in Markdown, its columns as wide as what is in them."""
        lines = [tuple(self.head), *(tuple(row) for row in self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.head))]
        rule = tuple("-" * width for width in widths)
        text = "\n".join(
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in (lines[0], rule, *lines[1:])
        )
        return f"**{self.title}**\n\n{text}" if self.title else text


@dataclass(slots=True)
class Outcome:
    """What a scenario found. `plots` has the figures that plots are made of."""

    letter: str
    title: str
    how_to_read: str
    tables: list[Table] = field(default_factory=list)
    text: str = ""
    targets: list[Target] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    raw: Any = None
    plots: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def markdown(self) -> str:
        """Return its part of the report."""
        parts = [f"## ({self.letter}) {self.title}", self.how_to_read]
        parts += [table.markdown() for table in self.tables]
        if self.text:
            parts.append(self.text)
        if self.targets:
            parts.append("\n".join(target.line() for target in self.targets))
        if self.problems:
            lines = [f"* {problem.replace(chr(10), ' ')[:300]}" for problem in dict.fromkeys(self.problems)]
            parts.append("Problems:\n\n" + "\n".join(lines))
        return "\n\n".join(parts)
