"""The bridge beside what users run instead: the same rows, the same inserter, the same load client, in turn."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from . import idle, report, scenarios, venv
from .cluster import Cluster
from .rival import NAMES, Rival
from .session import Result, Session
from .tools import insert, load_client

USERS = 1000
_CLIENT = {"spaced": True, "quiet_seconds": 8}


def _latency(cluster: Cluster, name: str, rate: int, rows: int) -> dict[str, float]:
    cluster.fresh_table()
    with Rival(cluster, name) as rival, load_client(
            rival.port, USERS, rows=rows, latency=True, warm_up=scenarios.WARM_UP, **_CLIENT) as client:
        time.sleep(0.5)
        cpu = rival.cpu_seconds()
        insert(cluster, rows=rows, rate=rate, users=USERS, wait_marked=True)
        received = client.result(losses=True)
        samples = received["since_sent_us"]
        return {"p50": samples["p50"] / 1e3, "p99": samples["p99"] / 1e3, "lost": received["lost"] / rows,
                "cpu_us": (rival.cpu_seconds() - cpu) / rows * 1e6}


def _throughput(cluster: Cluster, name: str, rows: int, writers: int, batch: int) -> dict[str, float]:
    cluster.fresh_table()
    with Rival(cluster, name) as rival, load_client(
            rival.port, USERS, rows=rows, writers=writers, gather_ms=2, **_CLIENT) as client:
        time.sleep(0.5)
        cpu = rival.cpu_seconds()
        inserted = insert(cluster, rows=rows, writers=writers, batch=batch, users=USERS, wait_marked=True)
        used = rival.cpu_seconds() - cpu
        received = client.result(losses=True)
        seconds = (max(inserted["marked_ns"], received["last_ns"]) - inserted["first_ns"]) / 1e9
        return {"rate": received["received"] / seconds, "lost": received["lost"] / rows,
                "written": rows * 1e9 / (inserted["inserted_ns"] - inserted["first_ns"]), "cpu_us": used / rows * 1e6}


def _connects(cluster: Cluster, name: str, count: int) -> dict[str, float]:
    with Rival(cluster, name) as rival:
        with load_client(rival.port, 50, window=16, **_CLIENT) as warm_up:
            warm_up.close()
        time.sleep(1)
        cpu, memory = rival.cpu_seconds(), rival.memory()
        with load_client(rival.port, count, window=256, **_CLIENT) as client:
            first = json.loads(client.first)
            used = rival.cpu_seconds() - cpu
            time.sleep(2)
            result = {"rate": first["live"] / first["seconds"], "cpu_us": used / count * 1e6,
                      "bytes": (rival.memory() - memory) / count, "lost": 1 - first["live"] / count,
                      "tool_share": first["cpu_seconds"] / first["seconds"] / (os.cpu_count() or 1)}
            client.close()
        return result


def _lines(title: str, results: dict[str, Result], fields: list[tuple[str, str, int, float]]) -> list[list[str]]:
    """A line for each field and side: its values, and those of the bridge divided by them."""
    lines = []
    ours = results["bridge"]
    for field, unit, digits, scale in fields:
        lines.append([f"{title}, {unit}", "bridge", report.spread(ours, field, digits, scale), "–", "none"])
        for side, runs in results.items():
            if side != "bridge":
                lines.append(["", NAMES[side], report.spread(runs, field, digits, scale),
                              report.ratio(ours, runs, field), f"{max(run['lost'] for run in runs):.0%}"
                              if any(run["lost"] for run in runs) else "none"])
    return lines


def part(session: Session) -> str:
    venv.make()  # not while clients wait for rows
    cluster, quick = session.cluster, session.options.quick

    def run(title: str, ours: Callable[[], dict[str, float]],
            theirs: Callable[[str], dict[str, float]]) -> dict[str, Result]:
        return session.in_turn(f"alternatives, {title}", {"bridge": ours} | {
            side: lambda side=side: theirs(side) for side in NAMES})

    def few(side: str, rows: int) -> int:
        """A tenth for those that would take minutes."""
        return rows // 10 if side in ("daphne", "uvicorn") else rows

    rows = 200 * session.options.seconds + scenarios.WARM_UP
    lines = _lines("200 rows/s, INSERT sent to socket", run(
        "latency", lambda: scenarios.bridge_latency(cluster, 200, rows),
        lambda side: _latency(cluster, side, 200, rows)),
        [("p50", "p50 ms", 2, 1), ("p99", "p99 ms", 2, 1), ("cpu_us", "CPU per row, µs", 0, 1)])
    for title, count, writers, batch in (("single-row commits, 8 writers", 8_000 if quick else 32_000, 8, 1),
                                         ("100-row statements, 1 writer", 50_000 if quick else 200_000, 1, 100)):
        lines += _lines(title, run(
            title, lambda: scenarios.bridge_throughput(cluster, count, writers, batch),
            lambda side: _throughput(cluster, side, few(side, count), writers, batch)),
            [("rate", "rows/s delivered and marked", 0, 1), ("cpu_us", "CPU per row, µs", 1, 1)])
    sockets = 1_000 if quick else 4_000
    lines += _lines(f"{sockets:,} connects with a JWT", run(
        "connects", lambda: idle.connections(cluster, [sockets]), lambda side: _connects(cluster, side, sockets)),
        [("rate", "connects/s", 0, 1), ("bytes", "KiB for each", 1, 1 / 1024)])
    return report.table(["measured", "side", "value", "bridge ÷ side", "lost"], lines)
