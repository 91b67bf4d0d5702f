"""One row to many devices, one transaction to many users, and many users who come for what is unsent at once."""

from __future__ import annotations

import json
import os
import time

from . import report
from .bridge import Bridge
from .cluster import Cluster
from .session import Session
from .tools import Floor, Wrong, insert, load_client, marked

# Reached by nginx with Nchan and by NATS on a machine of this kind, 5,000 devices: p50 and p99 in ms.
_OTHERS = {"p50": "< 28", "p99": "< 71"}


def _result(received: dict, inserted: dict) -> dict[str, float]:
    samples = received["since_sent_us"]
    return {"p50": samples["p50"] / 1e3, "p99": samples["p99"] / 1e3, "max": samples["max"] / 1e3,
            "commit": inserted["commit_us"]["p50"] / 1e3}


def _to_devices(cluster: Cluster, devices: int, rows: int) -> dict[str, float]:
    """Rows for one user, one at a time, each to all of the user's devices."""
    cluster.fresh_table()
    with Bridge(cluster.url, limits_connections_per_user=devices) as bridge, load_client(
            bridge.port, 1, devices=devices, rows=rows, latency=True, warm_up=2, window=256) as client:
        time.sleep(0.5)
        cpu = bridge.cpu_seconds()
        inserted = insert(cluster, rows=rows, rate=2, users=1, wait_marked=True)
        received = client.result()
        used = bridge.cpu_seconds() - cpu
        return _result(received, inserted) | {
            "cpu_us": used / rows / devices * 1e6, "client_us": received["cpu_seconds"] / rows / devices * 1e6,
            "wrong": cluster.wrong_rows(rows)}


def _to_users(cluster: Cluster, users: int, transactions: int) -> dict[str, float]:
    """Transactions with one row for each user, each with one device."""
    cluster.fresh_table()
    rows = users * transactions
    with Bridge(cluster.url) as bridge, load_client(
            bridge.port, users, rows=rows, latency=True, warm_up=users, window=256) as client:
        time.sleep(0.5)
        received = inserted = None
        for i in range(transactions):
            inserted = insert(cluster, rows=users, batch=users, users=users, in_turn=True, first_row=i * users,
                              wait_marked=True)
        received = client.result()
        return _result(received, inserted) | {"wrong": cluster.wrong_rows(rows)}


def _unsent(cluster: Cluster, rows: int, users: int) -> None:
    """So many unsent rows, vacuumed and analyzed, as after a night."""
    cluster.fresh_table()
    insert(cluster, rows=rows, batch=100, writers=1, users=users)
    cluster.sql("VACUUM ANALYZE public.notification; CHECKPOINT;")


def _come_at_once(cluster: Cluster, rows: int, users: int) -> dict[str, float]:
    _unsent(cluster, rows, users)
    with Bridge(cluster.url) as bridge, marked(cluster) as watch:
        time.sleep(0.5)
        cpu = bridge.cpu_seconds()
        with load_client(bridge.port, users, rows=rows, window=users, quiet_seconds=30) as client:
            first = json.loads(client.first)
            received, done = client.result(), watch.result()
        begin = first["begin_ns"]
        return {"delivered": (received["last_ns"] - begin) / 1e9, "marked": (done["marked_ns"] - begin) / 1e9,
                "both": (max(received["last_ns"], done["marked_ns"]) - begin) / 1e9, "live": first["seconds"],
                "cpu_us": (bridge.cpu_seconds() - cpu) / rows * 1e6, "memory": bridge.memory("VmHWM"),
                "tool_share": (first["cpu_seconds"] + received["cpu_seconds"]) / (received["last_ns"] - begin) * 1e9 / (os.cpu_count() or 1),
                "wrong": cluster.wrong_rows(rows)}


def _marking_alone(cluster: Cluster, rows: int, users: int) -> dict[str, float]:
    """PostgreSQL finds and marks the same rows in one statement: no connection, no row leaves the server."""
    snapshot = cluster.sql("SELECT pg_current_snapshot()")
    _unsent(cluster, rows, users)
    with marked(cluster) as watch:
        begin = time.monotonic_ns()
        with Floor(cluster, rows, snapshot):
            done = watch.result()
    if cluster.wrong_rows(rows) != 0:
        raise Wrong("the floor did not mark every row")
    return {"both": (done["marked_ns"] - begin) / 1e9}


def part(session: Session) -> str:
    cluster, quick = session.cluster, session.options.quick
    lines = []
    for devices in (1_000, 5_000):
        runs, _ = session.pairs(f"one row to {devices} devices",
                                lambda: _to_devices(cluster, devices, 8 if quick else 22), None)
        for field in ("p50", "p99"):
            lines.append([f"one row to {devices:,} devices of a user, INSERT sent to each socket, {field} ms",
                          report.spread(runs, field), "–", "–", _OTHERS[field] if devices == 5_000 else "–"])
        lines.append([f"one row to {devices:,} devices, CPU per delivery, µs: bridge", report.spread(runs, "cpu_us"),
                      "–", "–", "–"])
        lines.append([f"one row to {devices:,} devices, CPU per delivery, µs: load client",
                      report.spread(runs, "client_us"), "–", "–", "–"])
    runs, _ = session.pairs("rows for 10000 users", lambda: _to_users(cluster, 10_000, 3 if quick else 6), None)
    for field in ("p50", "p99", "max"):
        lines.append([f"a transaction with rows for 10,000 users, INSERT sent to each socket, {field} ms",
                      report.spread(runs, field, 0), "–", "–", "–"])
    lines.append(["a transaction with rows for 10,000 users, the writer's commit, ms",
                  report.spread(runs, "commit", 0), "–", "–", "–"])
    rows = 20_000 if quick else 100_000
    ours, floor = session.pairs(f"{rows} unsent rows", lambda: _come_at_once(cluster, rows, 1_000),
                                lambda: _marking_alone(cluster, rows, 1_000))
    name = f"{rows:,} unsent rows, 1,000 users connect at once"
    lines += [
        [f"{name}: s until all delivered and marked", report.spread(ours, "both"), report.spread(floor, "both"),
         report.ratio(ours, floor, "both"), "–" if quick else "≤ 3 s"],
        [f"{name}: s until all delivered", report.spread(ours, "delivered"), "–", "–", "–"],
        [f"{name}: CPU of the bridge per row, µs", report.spread(ours, "cpu_us", 1), "–", "–", "–"],
        [f"{name}: memory of the bridge at its highest, MiB", report.spread(ours, "memory", 0, 1 / 1024**2), "–", "–",
         "bounded"]]
    return report.table(["fan-out", "bridge", "marking alone", "ratio", "goal"], lines)
