"""Clients that don't read: what they cost the others."""

from __future__ import annotations

import time

from . import report
from .bridge import Bridge
from .cluster import Cluster
from .session import Session
from .tools import Inserter, insert, load_client

USERS, SLOW = 950, 50
RATE, BIG_RATE, BIG_BYTES = 200, 200, 16_384
WARM_UP = 200


def _beside(cluster: Cluster, seconds: int, reading: bool) -> dict[str, float]:
    """950 users get small rows. 50 others get big ones, and read them or don't; their work for the database is alike."""
    cluster.fresh_table()
    rows, big = RATE * seconds, BIG_RATE * seconds
    with Bridge(cluster.url) as bridge:
        others = {"first_user": USERS + 1, "receive_buffer": 4096}
        slow = load_client(bridge.port, SLOW, **others, **({"rows": big} if reading else {}))
        with slow, load_client(bridge.port, USERS, rows=rows, latency=True, warm_up=WARM_UP) as client:
            time.sleep(0.5)
            cpu = bridge.cpu_seconds()
            flood = Inserter(cluster, rows=big, rate=BIG_RATE, users=SLOW, first_user=USERS + 1, padding=BIG_BYTES)
            insert(cluster, rows=rows, rate=RATE, users=USERS)
            received = client.result()
            flood.result()
            result = {"p50": received["since_sent_us"]["p50"] / 1e3, "p99": received["since_sent_us"]["p99"] / 1e3,
                      "max": received["since_sent_us"]["max"] / 1e3, "cpu_seconds": bridge.cpu_seconds() - cpu,
                      "memory": bridge.memory("VmHWM"), "closed": bridge.metric(_CLOSED)}
            unsent = int(cluster.sql("SELECT count(*) FROM public.notification WHERE sent_at IS NULL "
                                     f"AND user_id > {USERS}"))
            if reading:
                slow.result()
            result["unsent"] = unsent
            return result


_CLOSED = 'notify_bridge_closes_total{code="4008"'


def part(session: Session) -> str:
    seconds = 6 if session.options.quick else 20
    ours, floor = session.pairs(
        "slow clients", lambda: _beside(session.cluster, seconds, reading=False),
        lambda: _beside(session.cluster, seconds, reading=True))
    lines = [[f"the others' INSERT sent to socket, {field} ms", report.spread(ours, field),
              report.spread(floor, field), report.ratio(ours, floor, field), "≤ 1.2" if field == "p99" else "–"]
             for field in ("p50", "p99", "max")]
    lines += [
        ["CPU of the bridge, s", report.spread(ours, "cpu_seconds"), report.spread(floor, "cpu_seconds"),
         report.ratio(ours, floor, "cpu_seconds"), "–"],
        ["memory of the bridge at its highest, MiB", report.spread(ours, "memory", 0, 1 / 1024**2),
         report.spread(floor, "memory", 0, 1 / 1024**2), report.ratio(ours, floor, "memory"), "bounded"],
        ["big rows that were not delivered in the end", report.spread(ours, "unsent", 0),
         report.spread(floor, "unsent", 0), "–", "–"],
        ["connections closed with 4008", report.spread(ours, "closed", 0), report.spread(floor, "closed", 0), "–", "–"]]
    return report.table([f"{SLOW} of {USERS + SLOW:,} clients get {BIG_RATE * BIG_BYTES // 1024:,} KiB/s",
                         "they don't read", "they read", "ratio", "goal"], lines)
