"""What is measured: each function makes one measurement of one side and returns plain numbers."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import AbstractContextManager
from typing import Any

from .bridge import Bridge
from .cluster import Cluster
from .tools import Floor, Tool, Wrong, insert, load_client

USERS = 1000
# The first rows of a latency run meet cold caches and the pages that were just flushed, on both sides.
WARM_UP = 500
# Users that nobody is connected as.
ABSENT = 1_000_000


def _shared_file() -> tempfile._TemporaryFileWrapper:
    return tempfile.NamedTemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)


def _latency(received: dict[str, Any], inserted: dict[str, Any]) -> dict[str, float]:
    seconds = (inserted["inserted_ns"] - inserted["first_ns"]) / 1e9
    return {
        "p50": received["since_sent_us"]["p50"] / 1e3, "p99": received["since_sent_us"]["p99"] / 1e3,
        "max": received["since_sent_us"]["max"] / 1e3,
        "commit_p50": received["since_commit_us"]["p50"] / 1e3, "commit_p99": received["since_commit_us"]["p99"] / 1e3,
        "writer_p50": inserted["commit_us"]["p50"] / 1e3, "writer_p99": inserted["commit_us"]["p99"] / 1e3,
        "late": inserted["late"] / inserted["rows"], "tool_share": _share(received, inserted, seconds)}


def _share(received: dict[str, Any], inserted: dict[str, Any], seconds: float) -> float:
    """What part of the machine the load client (or the listener) and the inserter used."""
    return (received["cpu_seconds"] + inserted["cpu_seconds"]) / seconds / (os.cpu_count() or 1)


def bridge_latency(cluster: Cluster, rate: int, rows: int) -> dict[str, float]:
    cluster.fresh_table()
    with _shared_file() as commits, Bridge(cluster.url) as bridge, load_client(
            bridge.port, USERS, rows=rows, latency=True, warm_up=WARM_UP, commits=commits.name) as client:
        time.sleep(0.5)
        cpu = bridge.cpu_seconds()
        inserted = insert(cluster, rows=rows, rate=rate, users=USERS, commits=commits.name, wait_marked=True)
        received = client.result()
        result = _latency(received, inserted)
        result["cpu_us"] = (bridge.cpu_seconds() - cpu) / rows * 1e6
    return result | {"wrong": cluster.wrong_rows(rows)}


def listener_latency(cluster: Cluster, rate: int, rows: int) -> dict[str, float]:
    cluster.fresh_table()
    with _shared_file() as commits, Tool(
            "bare_listener", url=cluster.url, rows=rows, warm_up=WARM_UP, commits=commits.name) as listener:
        time.sleep(0.5)
        inserted = insert(cluster, rows=rows, rate=rate, users=USERS, commits=commits.name)
        received = listener.result()
        return _latency(received, inserted) | {"cpu_us": received["cpu_seconds"] / rows * 1e6}


def bridge_throughput(cluster: Cluster, rows: int, writers: int, batch: int, ack: bool = False) -> dict[str, float]:
    cluster.fresh_table()
    with Bridge(cluster.url) as bridge, load_client(
            bridge.port, USERS, rows=rows, writers=writers, gather_ms=2, quiet_seconds=30, ack=ack) as client:
        time.sleep(0.5)
        cpu, before = bridge.cpu_seconds(), bridge.memory()
        inserted = insert(cluster, rows=rows, writers=writers, batch=batch, users=USERS, wait_marked=True)
        used = bridge.cpu_seconds() - cpu
        received = client.result()
        end = max(inserted["marked_ns"], received["last_ns"])
        seconds = (end - inserted["first_ns"]) / 1e9
        result = {
            "rate": rows / seconds, "delivered": rows * 1e9 / (received["last_ns"] - inserted["first_ns"]),
            "written": rows * 1e9 / (inserted["inserted_ns"] - inserted["first_ns"]), "cpu_us": used / rows * 1e6,
            "memory_before": before, "memory_peak": bridge.memory("VmHWM"),
            "tool_share": _share(received, inserted, seconds)}
    return result | {"wrong": cluster.wrong_rows(rows)}


def _check_unarmed(cluster: Cluster) -> None:
    if cluster.armed_replicas() != 0:
        raise Wrong("a bridge is armed: the writers would ring for it")


def floor_throughput(cluster: Cluster, rows: int, writers: int, batch: int) -> dict[str, float]:
    cluster.fresh_table()
    _check_unarmed(cluster)
    with Floor(cluster, rows):
        inserted = insert(cluster, rows=rows, writers=writers, batch=batch, users=USERS, wait_marked=True)
    span = inserted["first_ns"]
    return {"rate": rows * 1e9 / (inserted["marked_ns"] - span),
            "written": rows * 1e9 / (inserted["inserted_ns"] - span), "wrong": cluster.wrong_rows(rows)}


def writers_beside_bridge(cluster: Cluster, rows: int, writers: int) -> dict[str, float]:
    """Rows for users that are absent: the bridge hears of each, fetches it, and has nothing to deliver."""
    cluster.fresh_table()
    with Bridge(cluster.url) as bridge:
        cpu = bridge.cpu_seconds()
        inserted = insert(cluster, rows=rows, writers=writers, users=USERS, first_user=ABSENT)
        return {"written": rows * 1e9 / (inserted["inserted_ns"] - inserted["first_ns"]),
                "cpu_us": (bridge.cpu_seconds() - cpu) / rows * 1e6}


def writers_without_bridge(
        cluster: Cluster, rows: int, writers: int, trigger: AbstractContextManager[None]) -> dict[str, float]:
    """No bridge; `trigger` says which trigger the table has meanwhile."""
    cluster.fresh_table()
    _check_unarmed(cluster)
    with trigger:
        inserted = insert(cluster, rows=rows, writers=writers, users=USERS, first_user=ABSENT)
    return {"written": rows * 1e9 / (inserted["inserted_ns"] - inserted["first_ns"])}
