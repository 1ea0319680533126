"""Draws what is in results.json: `python -m benchmarks.service.plots RESULTS FOLDER` prints the files it made.

It runs in an environment of its own, which has matplotlib and nothing of Runwire.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter

_OURS, _FLOOR, _OTHERS = "#1b6ca8", "#888888", "#d9822b"
_SECOND = "#7fb3d5"
_DPI = 110


def main(results: Path, folder: Path) -> None:
    """Draw all that was measured."""
    scenarios: Mapping[str, Any] = json.loads(results.read_text())["scenarios"]
    for letter, draw in _DRAWN.items():
        plots = scenarios.get(letter, {}).get("plots")
        if plots:
            for name in draw(plots, folder):
                print(name)


def _color(server: str) -> str:
    return _OURS if server.startswith("runwire") else _FLOOR if server in {"floor", "model"} else _OTHERS


def _saved(figure: Any, folder: Path, name: str) -> str:
    figure.tight_layout()
    figure.savefig(folder / name, dpi=_DPI)
    plt.close(figure)
    return name


def _bars(axes: Any, bars: Sequence[Mapping[str, Any]], key: str, form: str) -> None:
    """Draw one bar for each server, the least and most of its rounds as whiskers, and its figure beside it."""
    shown = [bar for bar in bars if bar[key]]
    middles = [bar[key]["median"] for bar in shown]
    below = [bar[key]["median"] - bar[key]["least"] for bar in shown]
    above = [bar[key]["most"] - bar[key]["median"] for bar in shown]
    places = range(len(shown))
    axes.barh(places, middles, xerr=[below, above], color=[_color(bar["server"]) for bar in shown], capsize=3)
    axes.set_yticks(list(places), [bar["server"] for bar in shown])
    axes.invert_yaxis()
    for place, bar in zip(places, shown, strict=True):
        axes.annotate(
            form.format(bar[key]["median"]),
            (bar[key]["most"], place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def _cost(plots: Mapping[str, Any], folder: Path) -> list[str]:
    cases = list(plots["cases"].values())
    made = []
    for key, name, title, form in (
        ("cost", "cost.png", "CPU µs a token (log scale)", "{:.1f}"),
        ("ratio", "ratio.png", "CPU a token, in floors (log scale); dashed: the target", "{:.2f}"),
    ):
        height = 1.2 + 0.32 * max(len(case["bars"]) for case in cases)
        figure, all_axes = plt.subplots(1, len(cases), figsize=(5 * len(cases), height), squeeze=False)
        for axes, case in zip(all_axes[0], cases, strict=True):
            _bars(axes, case["bars"], key, form)
            axes.set_xscale("log")
            low, high = axes.get_xlim()
            axes.set_xlim(low / 2, high * 3)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(case["title"])
            axes.set_xlabel(title, fontsize=8)
            if key == "ratio":
                axes.axvline(case["limit"], color="black", linestyle="--", linewidth=1)
        made.append(_saved(figure, folder, name))
    return made


def _first(plots: Mapping[str, Any], folder: Path) -> list[str]:
    bars = plots["first"]
    labels = [f"{bar['server']}, {'idle' if bar['when'] == 'idle' else 'half load'}" for bar in bars]
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.34 * len(bars)))
    places = range(len(bars))
    axes.barh(
        places,
        [bar["p99"] for bar in bars],
        color=[_color(bar["server"]) for bar in bars],
        alpha=0.35,
        label="p99",
    )
    axes.barh(
        places,
        [bar["p50"] for bar in bars],
        color=[_color(bar["server"]) for bar in bars],
        label="p50 (dark)",
    )
    for place, bar in zip(places, bars, strict=True):
        text = f"{bar['p50']:.1f} / {bar['p99']:.1f}"
        axes.annotate(
            text, (bar["p99"], place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(list(places), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(axes.get_xlim()[0] / 2, axes.get_xlim()[1] * 6)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("ms to the first token, p50 (dark) / p99 (log scale)")
    return [_saved(figure, folder, "first_token.png")]


def _lateness(plots: Mapping[str, Any], folder: Path) -> list[str]:
    bars = plots["lateness"]
    if not bars:
        return []
    parts = ("p50", "p99", "max")
    figure, axes = plt.subplots(figsize=(7, 3.2))
    width = 0.8 / len(bars)
    for number, bar in enumerate(bars):
        color = _OURS if number == 0 else _SECOND
        drawn = axes.bar(
            [place + number * width for place in range(len(parts))],
            [bar[part] for part in parts],
            width,
            label=bar["server"],
            color=color,
        )
        axes.bar_label(drawn, fmt="%.0f", fontsize=8)
    axes.set_xticks([place + width * (len(bars) - 1) / 2 for place in range(len(parts))], parts)
    axes.set_yscale("log")
    axes.set_ylim(top=axes.get_ylim()[1] * 2)
    axes.set_ylabel("ms (log scale)")
    axes.set_title("1,000 runs at 50 tokens/s: how late a token is")
    axes.legend(fontsize=8)
    return [_saved(figure, folder, "lateness.png")]


def _turns(plots: Mapping[str, Any], folder: Path) -> list[str]:
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for (name, points), color in zip(plots["turns"].items(), (_OURS, _OTHERS), strict=False):
        middles = [point["cost"]["median"] for point in points]
        below = [point["cost"]["median"] - point["cost"]["least"] for point in points]
        above = [point["cost"]["most"] - point["cost"]["median"] for point in points]
        lengths = [point["length"] for point in points]
        axes.errorbar(lengths, middles, yerr=[below, above], marker="o", capsize=3, label=name, color=color)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("events stored in the session (log scale)")
    axes.set_ylabel("CPU ms of a turn of 20 tokens")
    axes.legend(fontsize=8)
    return [_saved(figure, folder, "turns.png")]


_DRAWN: dict[str, Callable[[Mapping[str, Any], Path], list[str]]] = {
    "a": _cost,
    "b": _first,
    "c": _lateness,
    "e": _turns,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
