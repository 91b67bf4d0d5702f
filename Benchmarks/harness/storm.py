"""A restart under many clients: how long the bridge takes to drain, and how long until all are back and caught up."""

from __future__ import annotations

import threading
import time

from . import report
from .bridge import Bridge
from .cluster import Cluster
from .session import Session
from .tools import insert, load_client, marked


# As many connects as the bridge lets wait in the kernel; the others are tried again by TCP after 1 and 3 s.
BACKLOG = 4_000


def _storm(cluster: Cluster, users: int, missed: int, window: int, killed: bool = False) -> dict[str, float]:
    """Every client has a cursor from a row of its own; `missed` rows are committed while no bridge runs."""
    cluster.fresh_table()
    rows = users + missed
    first_bridge = Bridge(cluster.url)
    with first_bridge, load_client(first_bridge.port, users, rows=rows, resume=True, window=window,
                                   quiet_seconds=60) as client:
        insert(cluster, rows=users, batch=100, users=users, in_turn=True, wait_marked=True)
        restart = time.monotonic_ns()
        stopped: list[float] = []
        stop = threading.Thread(target=lambda: stopped.append(first_bridge.stop(killed)))
        stop.start()
        ended = client.line()
        stop.join()
        insert(cluster, rows=missed, batch=100, users=users, in_turn=True, first_row=users)
        bridge_start = time.monotonic()
        with Bridge(cluster.url, http_port=first_bridge.port) as bridge, marked(cluster) as watch:
            ready = time.monotonic() - bridge_start
            cpu = bridge.cpu_seconds()
            # The client reads its port once: all connect at the same moment.
            client.tell("connect")
            again = client.line()
            received = client.result()
            done = watch.result()
            begin = again["begin_ns"]
            caught_up = max(received["last_ns"], begin + int(again["seconds"] * 1e9))
            return {"drain": stopped[0], "ended": (ended["last_end_ns"] - restart) / 1e9, "ready": ready,
                    "live": again["seconds"], "caught_up": (caught_up - begin) / 1e9,
                    "marked": (done["marked_ns"] - begin) / 1e9, "repeated": received["repeated"],
                    "cpu_us": (bridge.cpu_seconds() - cpu) / users * 1e6, "memory": bridge.memory("VmHWM"),
                    "wrong": users - again["live"] + cluster.wrong_rows(rows)}


def part(session: Session) -> str:
    users = 2_000 if session.options.quick else 10_000
    runs, _ = session.pairs("storm", lambda: _storm(session.cluster, users, users, users), None)
    some, _ = session.pairs("storm, as many as may wait",
                            lambda: _storm(session.cluster, users, users, min(users, BACKLOG)), None)
    kills, _ = session.pairs("storm, after a kill",
                             lambda: _storm(session.cluster, users, users, users, killed=True), None)
    goal = "–" if session.options.quick else "≤ 3 s"
    return report.table([f"a restart under {users:,} clients, {users:,} rows committed meanwhile", "bridge", "goal"], [
        ["drain: s from SIGTERM until the process has ended", report.spread(runs, "drain"), "–"],
        ["drain: s from SIGTERM until the last client was closed", report.spread(runs, "ended"), "–"],
        ["start: s until the new process is ready", report.spread(runs, "ready"), "–"],
        ["all connect at once, each with `since`: s until all are live", report.spread(runs, "live"), "–"],
        ["s until all are live and have every row", report.spread(runs, "caught_up"), goal],
        ["s until every row is marked as well", report.spread(runs, "marked"), "–"],
        [f"{BACKLOG:,} connects at a time instead: s until all are live and have every row",
         report.spread(some, "caught_up"), goal],
        ["rows that came again", report.spread(runs, "repeated", 0), "0"],
        ["rows that came again after SIGKILL in place of SIGTERM", report.spread(kills, "repeated", 0), "–"],
        ["CPU of the bridge per client, µs", report.spread(runs, "cpu_us", 0), "–"],
        ["memory of the bridge at its highest, MiB", report.spread(runs, "memory", 0, 1 / 1024**2), "–"]])
