"""From repeated measurements of two sides to lines of a markdown table."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from pathlib import Path

Runs = Sequence[dict[str, float]]


def spread(runs: Runs, field: str, digits: int = 2, scale: float = 1) -> str:
    """Median and, in brackets, lowest and highest."""
    values = [run[field] * scale for run in runs]
    return _text(values, digits)


def ratio(ours: Runs, floor: Runs, field: str) -> str:
    """Each of our runs divided by the floor's run beside it: median, lowest and highest."""
    return _text([a[field] / b[field] for a, b in zip(ours, floor, strict=True)], 2)


def _text(values: Sequence[float], digits: int) -> str:
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({low}–{high})"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def machine() -> str:
    memory = re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    gibibytes = int(memory[1]) / 1024**2 if memory else 0
    return (f"{os.cpu_count()} cores ({platform.machine()}), {gibibytes:.0f} GiB, Linux {platform.release()}, "
            "database, bridge, writers and clients on the same machine")
