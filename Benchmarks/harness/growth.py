"""How latency, throughput, memory and CPU grow: one dimension at a time, and a power law fitted to each."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from . import scenarios
from .bridge import Bridge
from .cluster import Cluster
from .report import table
from .session import Session
from .tools import insert, load_client

USERS = 1000
Point = dict[str, float]

# Field, title, digits, scale.
_FIELDS = (("p50", "p50 ms", 2, 1), ("p99", "p99 ms", 2, 1), ("rate", "rows/s in batches", 0, 1),
           ("live", "s until all are live", 2, 1), ("memory", "memory, MiB", 0, 1 / 1024**2),
           ("cpu_us", "CPU per delivery, µs", 1, 1), ("cpu_batch_us", "CPU per row in batches, µs", 1, 1))


class _Use(NamedTuple):
    """Seconds of CPU: what all cores had, what was used of it, and by the bridges."""

    cores: float
    busy: float
    bridges: float

    def shares(self, inserted: dict, received: list[dict]) -> Point:
        """Parts of all cores' time: all that was busy, the bridges', the tools', and what remains."""
        tools = inserted["cpu_seconds"] + sum(one["cpu_seconds"] for one in received)
        return {"busy": self.busy / self.cores, "bridge_share": self.bridges / self.cores,
                "tool_share": tools / self.cores,
                "rest_share": max(0.0, self.busy - self.bridges - tools) / self.cores}


def _used(bridges: Sequence[Bridge], since: _Use = _Use(0, 0, 0)) -> _Use:
    now = _Use(time.monotonic() * (os.cpu_count() or 1), _busy_seconds(), sum(b.cpu_seconds() for b in bridges))
    return _Use(*(new - old for new, old in zip(now, since)))


def _busy_seconds() -> float:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


class Load:
    """Bridges and their clients, and the two measurements that every point of a sweep has."""

    def __init__(self, cluster: Cluster, users: int = USERS, devices: int = 1, replicas: int = 1,
                 cores: set[int] | None = None) -> None:
        self._cluster, self._users, self._devices, self._replicas = cluster, users, devices, replicas
        self._cores = cores

    @contextlib.contextmanager
    def _running(self, rows: int, **options: object):
        settings = {"limits_connections_per_user": max(100, self._devices)}
        with contextlib.ExitStack() as stack:
            bridges = [stack.enter_context(Bridge(self._cluster.url, self._cores, **settings))
                       for _ in range(self._replicas)]
            each = self._users // self._replicas
            clients = [stack.enter_context(load_client(
                bridge.port, each, first_user=1 + i * each, devices=self._devices, rows=rows, window=256,
                share_of=self._users if self._replicas > 1 else None, quiet_seconds=60, **options))
                for i, bridge in enumerate(bridges)]
            time.sleep(0.5)
            yield bridges, clients

    def _insert(self, rows: int, **options: object) -> dict:
        return insert(self._cluster, rows=rows, users=self._users, in_turn=self._replicas > 1, wait_marked=True,
                      **options)

    def latency(self, rate: int, seconds: float, writers: int = 1) -> Point:
        """`rate` rows a second, of all writers together."""
        if self._replicas > 1:  # rows go round all users, the first round is for warming up
            rows, warm_up = max(int(rate * seconds) // self._users, 2) * self._users, self._users
        else:
            rows = max(int(rate * seconds) // writers, 1) * writers
            warm_up = min(scenarios.WARM_UP, rows // 4)
        with self._running(rows, latency=True, warm_up=warm_up, writers=writers) as (bridges, clients):
            before = _used(bridges)
            inserted = self._insert(rows, rate=max(1, rate // writers), writers=writers)
            used = _used(bridges, since=before)
            received = [client.result() for client in clients]
            return used.shares(inserted, received) | {
                "live": max(json.loads(client.first)["seconds"] for client in clients),
                "p50": _worst(received, "p50"), "p99": _worst(received, "p99"), "late": inserted["late"] / rows,
                "cpu_us": used.bridges / rows / self._devices * 1e6,
                "memory": sum(bridge.memory("VmHWM") for bridge in bridges)}

    def throughput(self, rows: int) -> Point:
        with self._running(rows, gather_ms=2) as (bridges, clients):
            before = _used(bridges)
            inserted = self._insert(rows, batch=100)
            used = _used(bridges, since=before)
            received = [client.result() for client in clients]
            end = max([inserted["marked_ns"], *(one["last_ns"] for one in received)])
            return used.shares(inserted, received) | {
                "rate": rows * 1e9 / (end - inserted["first_ns"]), "cpu_batch_us": used.bridges / rows * 1e6}


def _worst(received: list[dict], field: str) -> float:
    return max(one["since_sent_us"][field] for one in received) / 1e3


def power_law(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The exponent k of y = a·x^k by least squares on logarithms, and R². None where that says nothing."""
    logs = [(math.log(x), math.log(y)) for x, y in points if x > 0 and y > 0]
    if len(logs) < 3:
        return None
    middle_x, middle_y = (sum(pair[i] for pair in logs) / len(logs) for i in (0, 1))
    spread_x = sum((x - middle_x) ** 2 for x, _ in logs)
    spread_y = sum((y - middle_y) ** 2 for _, y in logs)
    together = sum((x - middle_x) * (y - middle_y) for x, y in logs)
    if spread_x == 0:
        return None
    return together / spread_x, together**2 / (spread_x * spread_y) if spread_y > 0 else 1.0


def machine(point: Point) -> str:
    """How busy all cores were: bridge + clients and writers + the rest, which is the database for the most part."""
    parts = " + ".join(f"{point[f'{who}_share']:.0%}"[:-1] for who in ("bridge", "tool", "rest"))
    return f"{point['busy']:.0%} ({parts})"


def _sweep(session: Session, dimension: str, values: Sequence[int], measure: Callable[[int], Point]) -> str:
    points = []
    for value in values:
        point = {"x": value} | measure(value)
        session.say(f"growth with {dimension}, {value:,}", point)
        points.append(point)
    session.raw[f"growth, {dimension}"] = {"points": points}
    fields = [field for field in _FIELDS if field[0] in points[0]]
    lines = [[f"{point['x']:,}", *(f"{point[name] * scale:,.{digits}f}" for name, _, digits, scale in fields),
              machine(point)] for point in points]
    fits = [power_law([(point["x"], point[name]) for point in points]) for name, *_ in fields]
    lines.append(["**exponent (R²)**", *(f"**{fit[0]:+.2f}** ({fit[1]:.2f})" if fit else "–" for fit in fits), ""])
    busy = "machine, in batches" if "rate" in points[0] else "machine"
    return table([dimension, *(title for _, title, *_ in fields), f"{busy} (bridge + tools + rest)"], lines)


def _seconds(session: Session) -> int:
    return 2 if session.options.quick else 8


def _connections(session: Session) -> str:
    quick = session.options.quick

    def measure(count: int) -> Point:
        session.cluster.fresh_table()
        load = Load(session.cluster, users=count)
        return load.latency(200, _seconds(session)) | load.throughput(20_000 if quick else 100_000)
    return _sweep(session, "connections", (1, 100, 2_000) if quick else (1, 10, 100, 1_000, 5_000, 10_000, 19_000),
                  measure)


def _rows(session: Session) -> str:
    def measure(rate: int) -> Point:
        session.cluster.fresh_table()
        return Load(session.cluster).latency(
            rate, _seconds(session), writers=1 if rate <= 200 else 4 if rate <= 4_000 else 16)
    return _sweep(session, "rows/s", (50, 200, 1_000) if session.options.quick else (
        20, 50, 100, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000), measure)


def _table_size(session: Session) -> str:
    quick, size = session.options.quick, 0
    session.cluster.sql("TRUNCATE public.notification RESTART IDENTITY")

    def measure(rows: int) -> Point:
        nonlocal size
        session.cluster.add_sent_rows(size, rows)
        size = rows
        load = Load(session.cluster)
        return load.latency(200, _seconds(session)) | load.throughput(20_000 if quick else 100_000)
    try:
        return _sweep(session, "rows in the table", (1_000, 10_000, 100_000) if quick else (
            1_000, 10_000, 100_000, 1_000_000, 10_000_000), measure)
    finally:
        session.cluster.fresh_table()


def _users(session: Session) -> str:
    """As many sockets and deliveries a second in each point, of few users with many devices or of many with one."""
    sockets, deliveries = (800, 800) if session.options.quick else (8_000, 2_000)

    def measure(users: int) -> Point:
        session.cluster.fresh_table()
        devices = sockets // users
        rate = max(1, deliveries // devices)
        return Load(session.cluster, users, devices).latency(
            rate, _seconds(session), writers=4 if rate >= 1_000 else 1)
    return _sweep(session, f"users of {sockets:,} sockets, {deliveries:,} deliveries/s",
                  (8, 80, 800) if session.options.quick else (8, 80, 800, 8_000), measure)


def _replicas(session: Session) -> str:
    def measure(count: int) -> Point:
        session.cluster.fresh_table()
        load = Load(session.cluster, users=480, replicas=count)
        return load.latency(200, _seconds(session)) | load.throughput(19_200 if session.options.quick else 96_000)
    return _sweep(session, "replicas", (1, 2, 4) if session.options.quick else (1, 2, 3, 4), measure)


def _cores(session: Session) -> str:
    available = sorted(os.sched_getaffinity(0))

    def measure(count: int) -> Point:
        session.cluster.fresh_table()
        load = Load(session.cluster, cores=set(available[:count]))
        return load.latency(200, _seconds(session)) | load.throughput(
            20_000 if session.options.quick else 200_000)
    return _sweep(session, "cores of the bridge", range(1, min(4, len(available)) + 1), measure)


SWEEPS = {"connections": _connections, "rows": _rows, "table": _table_size, "users": _users, "replicas": _replicas,
          "cores": _cores}
