"""The tables of RESULTS.md: what `Benchmarks/run` printed, read back, and the plots that are drawn from them."""

from __future__ import annotations

import re
from typing import Any

from . import plots

# The median, and how far the lowest and the highest are from it.
Value = tuple[float, float, float]
# Row label, then column title.
Table = dict[str, dict[str, Value]]

_CELL = re.compile(r"([\d.,]+)(?: \(([\d.,]+)–([\d.,]+)\))?$")


def read(text: str) -> dict[str, Table]:
    """All tables, by the title of their first column."""
    tables: dict[str, Table] = {}
    for block in re.findall(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
        table = tables.setdefault(head[0], {})
        for row in rows:
            values = {title: value for title, cell in zip(head[1:], row[1:]) if (value := _value(cell))}
            table[row[0]] = values
    return tables


def _value(cell: str) -> Value | None:
    found = _CELL.match(cell)
    if found is None:
        return None
    middle, low, high = (float((part or found[1]).replace(",", "")) for part in found.groups())
    return middle, middle - low, high - middle


def _column(table: Table, rows: list[str], title: str) -> list[Value]:
    return [table[row][title] for row in rows]


def _writers(tables: dict[str, Table]) -> Any:
    table, bulk = tables["writers"], tables["Django bulk_create of 10,000 rows to 10,000 users, the writer's seconds"]
    figure, (left, right) = plots.plt.subplots(1, 2, figsize=(11, 2.6), gridspec_kw={"wspace": 0.55})
    kinds = [("beside a bridge", plots.OURS), ("our trigger, no bridge", plots.FLOOR), ("an empty trigger, no bridge", plots.THIRD)]
    counts = ("16", "64")
    plots.bars(left, [f"{count} writers" for count in counts], [
        (kind, colour, _column(table, [f"{count} writers of single rows, rows/s: {kind}" for count in counts], "ratio"))
        for kind, colour in kinds])
    left.axvline(1, color=plots.THIRD, linewidth=1)
    left.set(title="Writers' rows/s, of those without trigger and bridge")
    left.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=3)
    plots.bars(right, ["own table", "attached table"], [
        (name, colour, [values[name] for values in bulk.values()])
        for name, colour in (("bridge serving, all connected", plots.OURS), ("no bridge", plots.FLOOR))])
    right.set(title="Django bulk_create of 10,000 rows, s")
    right.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=2)
    return figure


def _connections(tables: dict[str, Table]) -> Any:
    table = tables["idle connections"]
    figure, axes = plots.plt.subplots(1, 2, figsize=(11, 3), sharey=True, gridspec_kw={"wspace": 0.08})
    labels = [re.sub(r" \(agreed.*\)", "", row) for row in table]
    for place, title, colour in ((0, "KiB for each", plots.OURS), (1, "connects/s with a JWT", plots.FLOOR)):
        plots.bars(axes[place], labels, [("", colour, _column(table, list(table), title))], digits=1)
        axes[place].set(title=title.replace("KiB for each", "KiB for each idle connection"))
    axes[1].invert_yaxis()  # shared with the first
    return figure


def _restart(tables: dict[str, Table]) -> Any:
    table = tables["a restart under 10,000 clients, 10,000 rows committed meanwhile"]
    names = {
        "drain: s from SIGTERM until the process has ended": "drain, until the process has ended",
        "start: s until the new process is ready": "start, until the new process is ready",
        "s until all are live and have every row": "10,000 connect at once: all live, with every row",
        "s until every row is marked as well": "and every row marked",
        "4,000 connects at a time instead: s until all are live and have every row": "4,000 at a time: all live, with every row"}
    figure, axes = plots.plt.subplots(figsize=(7.5, 2.6))
    plots.bars(axes, list(names.values()), [("", plots.OURS, _column(table, list(names), "bridge"))])
    axes.set(title="A restart under 10,000 clients", xlabel="s")
    return figure


def _fanout(tables: dict[str, Table]) -> Any:
    table = tables["fan-out"]
    cases = ["one row to 1,000 devices of a user", "one row to 5,000 devices of a user", "a transaction with rows for 10,000 users"]
    figure, axes = plots.plt.subplots(figsize=(7.5, 2.8))
    plots.bars(axes, cases, [
        (field, colour, _column(table, [f"{case}, INSERT sent to each socket, {field} ms" for case in cases], "bridge"))
        for field, colour in (("p50", plots.OURS), ("p99", plots.FLOOR))])
    axes.set(title="Fan-out: INSERT sent to each socket", xlabel="ms")
    axes.legend(loc="upper right")
    return figure


def _slow(tables: dict[str, Table]) -> Any:
    table = tables["50 of 1,000 clients get 800 KiB/s"]
    figure, axes = plots.plt.subplots(figsize=(7.5, 2))
    plots.bars(axes, ["p50", "p99"], [
        (name, colour, _column(table, [f"the others' INSERT sent to socket, {field} ms" for field in ("p50", "p99")], name))
        for name, colour in (("they don't read", plots.OURS), ("they read", plots.FLOOR))])
    axes.set(title="Latency of 950 clients beside 50 that get 800 KiB/s", xlabel="ms")
    axes.legend(loc="upper right")
    return figure


PLOTS = {"writers": _writers, "connections": _connections, "restart": _restart, "fanout": _fanout, "slow": _slow}
