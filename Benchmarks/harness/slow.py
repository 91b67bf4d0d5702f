"""Clients that don't read: what they cost the others."""

from __future__ import annotations

import time

from . import report
from .bridge import Bridge
from .cluster import Cluster
from .session import Session
from .tools import Inserter, Wrong, insert, load_client

USERS, SLOW = 950, 50
# Rows a second for the others; for those that don't read, and how long theirs are.
RATE, BIG_RATE, BIG_BYTES = 200, 100, 8_192
WARM_UP = 200
# So many big rows at a time until the kernel takes no more, at most so often.
FILL_ROWS, FILLS = SLOW * 20, 60


def _fill(cluster: Cluster, bridge: Bridge, fills: int | None) -> int:
    """Writes big rows until they wait in the bridge, or so many times; returns how many times that was."""
    done = 0
    while done < (FILLS if fills is None else fills):
        insert(cluster, rows=FILL_ROWS, batch=20, users=SLOW, first_user=USERS + 1, in_turn=True, padding=BIG_BYTES,
               first_row=done * FILL_ROWS)
        done += 1
        time.sleep(0.2)
        if fills is None and bridge.metric("notify_bridge_queue_bytes") > SLOW * BIG_BYTES:
            break
    return done


class Slow:
    """950 users get small rows. 50 others get big ones, and read them or don't; their work for the database is alike."""

    def __init__(self, cluster: Cluster, seconds: int) -> None:
        self._cluster, self._rows, self._big = cluster, RATE * seconds, BIG_RATE * seconds
        self._fills = 0

    def stalled(self) -> dict[str, float]:
        self._cluster.fresh_table()
        with Bridge(self._cluster.url) as bridge, load_client(
                bridge.port, SLOW, first_user=USERS + 1, receive_buffer=4096):
            self._fills = _fill(self._cluster, bridge, None)
            if bridge.metric("notify_bridge_queue_bytes") == 0:
                raise Wrong("the kernel took every row: nobody was slow")
            return self._measure(bridge)

    def reading(self) -> dict[str, float]:
        self._cluster.fresh_table()
        with Bridge(self._cluster.url) as bridge, load_client(
                bridge.port, SLOW, first_user=USERS + 1, receive_buffer=4096,
                rows=self._fills * FILL_ROWS + self._big) as others:
            _fill(self._cluster, bridge, self._fills)
            result = self._measure(bridge)
            others.result()
            return result

    def _measure(self, bridge: Bridge) -> dict[str, float]:
        with load_client(bridge.port, USERS, rows=self._rows, latency=True, warm_up=WARM_UP) as client:
            time.sleep(1)
            connected = bridge.metric("notify_bridge_connections")
            cpu = bridge.cpu_seconds()
            flood = Inserter(self._cluster, rows=self._big, rate=BIG_RATE, users=SLOW, first_user=USERS + 1,
                             in_turn=True, padding=BIG_BYTES, first_row=self._fills * FILL_ROWS)
            insert(self._cluster, rows=self._rows, rate=RATE, users=USERS)
            flood.result()
            waiting = bridge.metric("notify_bridge_queue_bytes")
            used = bridge.cpu_seconds() - cpu
            closed = connected - bridge.metric("notify_bridge_connections")
            latency = client.result()["since_sent_us"]
        return {"p50": latency["p50"] / 1e3, "p99": latency["p99"] / 1e3, "max": latency["max"] / 1e3,
                "cpu_seconds": used, "memory": bridge.memory("VmHWM"), "waiting": waiting,
                "closed": min(closed, SLOW)}


def part(session: Session) -> str:
    slow = Slow(session.cluster, 6 if session.options.quick else 20)
    ours, floor = session.pairs("slow clients", slow.stalled, slow.reading)
    lines = [[f"the others' INSERT sent to socket, {field} ms", report.spread(ours, field),
              report.spread(floor, field), report.ratio(ours, floor, field), "≤ 1.2" if field == "p99" else "–"]
             for field in ("p50", "p99", "max")]
    lines += [
        ["CPU of the bridge, s", report.spread(ours, "cpu_seconds"), report.spread(floor, "cpu_seconds"),
         report.ratio(ours, floor, "cpu_seconds"), "–"],
        ["memory of the bridge at its highest, MiB", report.spread(ours, "memory", 0, 1 / 1024**2),
         report.spread(floor, "memory", 0, 1 / 1024**2), report.ratio(ours, floor, "memory"), "bounded"],
        ["waiting in the bridge at the end, KiB", report.spread(ours, "waiting", 0, 1 / 1024),
         report.spread(floor, "waiting", 0, 1 / 1024), "–", "–"],
        ["connections closed meanwhile", report.spread(ours, "closed", 0), report.spread(floor, "closed", 0), "–", "–"]]
    return report.table([f"{SLOW} of {USERS + SLOW:,} clients get {BIG_RATE * BIG_BYTES // 1024:,} KiB/s",
                         "they don't read", "they read", "ratio", "goal"], lines)
