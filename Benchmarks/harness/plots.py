"""SVG plots of measurements, readable on a light and on a dark page."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

from .cluster import ROOT  # noqa: E402
from .growth import power_law  # noqa: E402
from .rival import NAMES  # noqa: E402

Raw = dict[str, dict[str, Any]]
# What text and lines have while drawn; the page's own colour takes its place.
_INK = "#010203"
# Told apart on white and on black, and without seeing red and green.
OURS, FLOOR, THIRD, FOURTH = "#2f81f7", "#d98c1f", "#8f8f8f", "#bf5fd0"
_STYLE = ("<style>svg{color:#1f2328;background:transparent}"
          "@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>")

plt.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "notify-bridge", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#808080", "grid.alpha": 0.25, "axes.axisbelow": True, "legend.frameon": False,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none", "axes.titlesize": 10})


def _middle(runs: list[dict[str, float]], field: str) -> tuple[float, float, float]:
    """Median, and how far the lowest and the highest are from it."""
    values = [run[field] for run in runs]
    middle = statistics.median(values)
    return middle, middle - min(values), max(values) - middle


def bars(axes: Any, labels: list[str], sides: list[tuple[str, str, list[tuple[float, float, float]]]],
         digits: int = 2) -> None:
    """Groups of horizontal bars with the spread of the repetitions."""
    height = 0.8 / len(sides)
    for i, (name, colour, values) in enumerate(sides):
        places = [row + i * height for row in range(len(labels))]
        axes.barh(places, [value[0] for value in values], height * 0.9, color=colour, label=name,
                  xerr=[[value[1] for value in values], [value[2] for value in values]],
                  error_kw={"ecolor": plt.rcParams["text.color"], "elinewidth": 0.8, "capsize": 2})
        for place, value in zip(places, values):
            axes.annotate(f"{value[0]:,.{digits}f}" if value[0] < 100 else f"{value[0]:,.0f}",
                          (value[0] + value[2], place), xytext=(4, 0), textcoords="offset points", va="center",
                          fontsize=8)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(labels))], labels)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.18)


def _latency(raw: Raw) -> Any:
    cases = {name: sides for name, sides in raw.items() if name.startswith("latency at")}
    labels, ours, floor = [], [], []
    for name, sides in cases.items():
        for field in ("p50", "p99"):
            labels.append(f"{name.removeprefix('latency at ')}, {field}")
            ours.append(_middle(sides["bridge"], field))
            floor.append(_middle(sides["floor"], field))
    figure, axes = plt.subplots(figsize=(7.5, 0.7 + 0.55 * len(labels)))
    bars(axes, labels, [("NotifyBridge", OURS, ours), ("bare libpq listener, no socket", FLOOR, floor)])
    axes.set(xlabel="ms, median of the repetitions; lines: lowest and highest", title="INSERT sent to socket")
    axes.legend(loc="upper right")  # beside the shortest bars
    return figure


def _throughput(raw: Raw) -> Any:
    names = [name for name, sides in raw.items() if sides.get("floor") and not name.startswith("growth")
             and {"rate", "delivered"} <= sides["bridge"][0].keys() and "alternatives" not in name]
    ratios = []
    for name in names:
        pairs = [a["rate"] / b["rate"] for a, b in zip(raw[name]["bridge"], raw[name]["floor"])]
        middle = statistics.median(pairs)
        ratios.append((middle, middle - min(pairs), max(pairs) - middle))
    for name in (name for name in raw if name.endswith("writers beside a bridge")):
        pairs = [a["written"] / b["written"] for a, b in zip(raw[name]["bridge"], raw[name]["floor"])]
        middle = statistics.median(pairs)
        names.append(name)
        ratios.append((middle, middle - min(pairs), max(pairs) - middle))
    if not names:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 0.9 + 0.45 * len(names)))
    bars(axes, names, [("", OURS, ratios)])
    axes.axvline(1, color=FLOOR, linewidth=1.5)
    axes.set(xlabel="of what PostgreSQL alone does (orange: as much)", title="Rows delivered and marked, and writers' rate")
    return figure


def _growth(raw: Raw) -> Any:
    """Latency, throughput, memory and CPU of each sweep, both axes logarithmic."""
    sweeps = {name.removeprefix("growth, "): sides["points"] for name, sides in raw.items() if name.startswith("growth")}
    columns: list[tuple[str, list[tuple[str, str, str]]]] = [
        ("INSERT sent to socket, ms", [("p50", "p50", OURS), ("p99", "p99", FLOOR)]),
        ("rows/s in batches", [("rate", "rows/s", OURS)]),
        ("memory, MiB", [("memory", "memory", OURS)]),
        ("CPU, µs", [("cpu_us", "per delivery", OURS), ("cpu_batch_us", "per row in batches", FLOOR)])]
    figure, grid = plt.subplots(len(sweeps), len(columns), figsize=(11, 2.2 * len(sweeps)), squeeze=False)
    for row, (dimension, points) in zip(grid, sweeps.items()):
        for axes, (title, fields) in zip(row, columns):
            _curve(axes, points, fields)
            axes.set_title(title)
            axes.set_xlabel(dimension, fontsize="x-small")
    figure.tight_layout()
    return figure


def _curve(axes: Any, points: list[dict[str, float]], fields: list[tuple[str, str, str]]) -> None:
    drawn = False
    for field, label, colour in fields:
        if field not in points[0]:
            continue
        scale = 1 / 1024**2 if field == "memory" else 1
        pairs = [(point["x"], point[field] * scale) for point in points]
        fit = power_law(pairs)
        axes.plot(*zip(*pairs), "o-", color=colour, markersize=3, linewidth=1.2,
                  label=f"{label}: x^{fit[0]:.2f}" if fit else label)
        drawn = True
    if not drawn:
        axes.axis("off")
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    # A flat line on a logarithmic axis would be drawn as a mountain.
    low, high = axes.get_ylim()
    if high < low * 10:
        middle = (low * high) ** 0.5
        axes.set_ylim(middle / 3.2, middle * 3.2)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(_short_number))
        axis.set_minor_formatter(NullFormatter())
    axes.legend(fontsize=7)


def _short_number(value: float, _: object) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _alternatives(raw: Raw) -> Any:
    cases = {name.removeprefix("alternatives, "): sides for name, sides in raw.items()
             if name.startswith("alternatives")}
    panels = [("latency", "p50", "p50 ms at 200 rows/s", 1), ("latency", "p99", "p99 ms at 200 rows/s", 1),
              ("single-row commits, 8 writers", "rate", "rows/s, single-row commits", 1),
              ("100-row statements, 1 writer", "rate", "rows/s, 100-row statements", 1),
              ("connects", "rate", "connects/s with a JWT", 1),
              ("connects", "bytes", "KiB for each idle connection", 1 / 1024)]
    figure, grid = plt.subplots(3, 2, figsize=(9, 6.5))
    for axes, (case, field, title, scale) in zip(grid.flat, panels):
        sides = cases[case]
        colours = dict(zip(sides, (OURS, FLOOR, FOURTH, THIRD)))
        for place, (side, runs) in enumerate(sides.items()):
            middle, below, above = (value * scale for value in _middle(runs, field))
            lost = max(run.get("lost", 0) for run in runs)
            axes.barh(place, middle, 0.7, color=colours[side], xerr=[[below], [above]],
                      error_kw={"ecolor": plt.rcParams["text.color"], "elinewidth": 0.8, "capsize": 2})
            text = f"{middle:,.1f}" if middle < 100 else f"{middle:,.0f}"
            axes.annotate(text + (f", {lost:.0%} lost" if lost else ""), (middle + above, place), xytext=(4, 0),
                          textcoords="offset points", va="center", fontsize=8)
        axes.set_yticks(range(len(sides)), [_short(side) for side in sides])
        axes.invert_yaxis()
        axes.set_title(title)
        axes.margins(x=0.35)
        axes.grid(axis="y", visible=False)
    figure.tight_layout()
    return figure


def _short(side: str) -> str:
    return "NotifyBridge" if side == "bridge" else NAMES[side].replace("Django Channels + Redis", "Channels")


_PLOTS: dict[str, tuple[str, Callable[[Raw], Any]]] = {
    "latency": ("latency at", _latency), "throughput": ("", _throughput), "growth": ("growth", _growth),
    "alternatives": ("alternatives", _alternatives)}


def _draw(draw: Callable[[Raw], Any], raw: Raw, ink: str, path: Path, **options: Any) -> bool:
    """Draws with text and lines of a colour. False where there is nothing to draw."""
    names = ("text.color", "axes.edgecolor", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color")
    with plt.rc_context(dict.fromkeys(names, ink)):
        figure = draw(raw)
        if figure is not None:
            figure.savefig(path, bbox_inches="tight", **options)
            plt.close(figure)
    return figure is not None


def _save(draw: Callable[[Raw], Any], raw: Raw, path: Path, png: bool) -> None:
    if not _draw(draw, raw, _INK, path, metadata={"Date": None}):
        return
    text = re.sub(r"(<svg [^>]*>)", lambda found: found[1] + _STYLE, path.read_text(), count=1)
    path.write_text(text.replace(_INK, "currentColor"))
    print(path, file=sys.stderr)
    if png:
        for page, paper, ink in (("light", "white", "#1f2328"), ("dark", "#0d1117", "#e6edf3")):
            _draw(draw, raw, ink, path.with_name(f"{path.stem}-{page}.png"), facecolor=paper, dpi=110)


def _save_tables(file: Path, out: Path, png: bool) -> None:
    """Draws what the tables of a page hold."""
    from . import tables  # which imports this module

    read = tables.read(file.read_text())
    for name, draw in tables.PLOTS.items():
        _save(lambda _, draw=draw: draw(read), {}, out / f"{name}.svg", png)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="Benchmarks/plot", description="Draws what Benchmarks/run has kept (--json) or printed.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .json file, or RESULTS.md for its tables")
    parser.add_argument("--out", type=Path, default=ROOT / "Documentation/performance",
                        help="the folder for the plots (default Documentation/performance)")
    parser.add_argument("--png", action="store_true", help="also PNG on a light and a dark page, to be looked at")
    options = parser.parse_args(arguments)
    raw: Raw = {}
    options.out.mkdir(parents=True, exist_ok=True)
    for file in options.files:
        if file.suffix == ".md":
            _save_tables(file, options.out, options.png)
        else:
            raw |= json.loads(file.read_text())
    for name, (prefix, draw) in _PLOTS.items():
        if any(key.startswith(prefix) for key in raw):
            _save(draw, raw, options.out / f"{name}.svg", options.png)
    return 0
