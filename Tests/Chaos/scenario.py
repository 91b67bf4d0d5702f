"""One run of the common workload with faults in it: writers and devices of every kind, and an account of every row."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import bridge as programs
from harness.accounting import Accounting, Fault
from harness.bridge import BINARY, Bridge
from harness.cluster import Cluster, free_port
from harness.database import Database
from harness.traffic import Traffic
from harness.waiting import eventually

# Transactions of each writer before the faults end; the writers go on until then.
TRANSACTIONS = int(os.environ.get("NOTIFY_BRIDGE_TEST_TRANSACTIONS", "60"))
SEED = int(os.environ.get("NOTIFY_BRIDGE_TEST_SEED", "7"))
# Far more rows after a cursor than any device misses, so that a replay is truncated only where the epoch is another one.
# Devices acknowledge row by row, so an outage's rows are many messages at once.
SETTINGS = {
    "NOTIFY_BRIDGE_LIMITS_REPLAY_ROWS": "1000000", "NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_USER": "1000",
    "NOTIFY_BRIDGE_LIMITS_MESSAGE_RATE": "1000000",
}
RECOVERY_SECONDS = 60.0

# What a broken rule of the accounting means for a row.
LOST = {"every row after connecting", "every unsent row", "every row after the cursor", "records"}
DOUBLED = {"once on a connection", "not what was sent before", "again only the last rows"}
MISROUTED = {"only its own rows", "only committed rows"}
MARKED_WRONG = {"is_sent and sent_at", "marked when written", "marked only when written"}


@dataclass
class Result:
    """A row of the table in `Documentation/reliability.md`."""

    name: str
    title: str
    rows: int
    deliveries: int
    faults: list[Fault]
    repeated: int
    recoveries: list[float] = field(default_factory=list)

    def count(self, rules: set[str]) -> int:
        return sum(fault.rule in rules for fault in self.faults)

    def line(self) -> str:
        known = LOST | DOUBLED | MISROUTED | MARKED_WRONG
        other = sum(fault.rule not in known for fault in self.faults)
        recovery = f"{max(self.recoveries):.1f}" if self.recoveries else "–"
        cells = [self.title, self.rows, self.deliveries, self.count(LOST), self.count(DOUBLED), self.count(MISROUTED),
                 self.count(MARKED_WRONG), other, self.repeated, recovery, f"`make chaos SCENARIO={self.name}`"]
        return "| " + " | ".join(map(str, cells)) + " |"


class Scenario:
    """What a test of this folder disturbs: a cluster, a database, bridges and the traffic between them."""

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title
        self.cluster: Cluster
        self.database: Database
        self.bridges: list[Bridge] = []
        self.traffic: Traffic
        self.recoveries: list[float] = []
        self.result: Result | None = None
        self.faults_tried = 0
        self.cleanup = contextlib.AsyncExitStack()

    # MARK: Setting up

    async def start_database(self, settings: str = "", **options: Any) -> None:
        """A cluster of its own, which may be stopped, frozen or crashed. Its transaction ids soon get a fifth digit."""
        self.cluster = Cluster(settings, next_transaction=9_800, **options)
        self.cleanup.callback(self.cluster.remove)
        self.cluster.start()
        self.database = Database(self.cluster, "chaos")
        self.cleanup.push_async_callback(self.database.close)
        self.cluster.execute("CREATE DATABASE chaos")
        done = await programs.run("migrate", DATABASE_URL=self.database.url)
        assert done.status == 0, done

    async def serve(self, url: str | None = None, *, binary: Path = BINARY, **settings: str) -> Bridge:
        bridge = await Bridge.serve(url or self.database.url, binary=binary, **(SETTINGS | settings))
        self.cleanup.push_async_callback(self._end, bridge)
        self.bridges.append(bridge)
        return bridge

    async def start(self, **settings: str) -> Bridge:
        """The usual: a database and a bridge, whose port stays the same."""
        await self.start_database()
        bridge = await self.serve(**({"NOTIFY_BRIDGE_HTTP_PORT": str(free_port())} | settings))
        await bridge.ready()
        return bridge

    @staticmethod
    async def _end(bridge: Bridge) -> None:
        if bridge.running:
            await bridge.kill()

    # MARK: Disturbing

    async def flow(self, share: float = 1.0) -> None:
        """Waits until more transactions have ended, in all as many as all writers write at least."""
        await self.traffic.progress.reach(self.traffic.progress.ended + max(1, int(8 * TRANSACTIONS * share)))

    @contextlib.asynccontextmanager
    async def fault(self) -> AsyncIterator[Callable[[], None]]:
        """A fault, from its begin until devices get new rows again. The clock of the recovery starts at the end of the
        block, or where it calls what it gets: when the cause is over."""
        went = time.time()
        over = went

        def end() -> None:
            nonlocal over
            over = time.time()

        yield end
        if over == went:
            end()
        await self._recovered(over)
        self.recoveries.append(time.time() - over)
        self.traffic.outages.append((went, time.time()))
        self.faults_tried += 1

    async def _recovered(self, since: float) -> None:
        """Waits until each device that stays has a row of a transaction that began since then."""
        staying = [visitor for visitor in self.traffic.visitors if visitor.habit.name in ("steady", "acknowledging")]
        began = {}

        async def look() -> int:
            for writer in self.traffic.writers:
                for transaction in reversed(writer.transactions):
                    if transaction.began < since:
                        break
                    began.update(dict.fromkeys(map(str.encode, transaction.rows)))
            new = tuple(f'{{"k": "{key.decode()}"}}'.encode() for key in began)
            wanted = set(new)
            return sum(
                any(arrival.data in wanted for connection in visitor.connections[-2:] for arrival in connection.arrivals[-200:])
                for visitor in staying)

        await eventually(look, lambda count: count == len(staying), "new rows at each device", RECOVERY_SECONDS, every=0.05)

    async def alter(self, *statements: str) -> Any:
        """Runs statements that lock the table, in one session, which it returns."""
        session = await self.database.connect()
        self.cleanup.push_async_callback(session.close)
        await self.traffic.progress.hurry(True)
        try:
            for statement in statements:
                await session.execute(statement)
        finally:
            await self.traffic.progress.hurry(False)
        return session

    # MARK: Running

    async def run(
        self, disturb: Callable[[], Awaitable[None]], *, targets: Callable[[], list[Any]] | None = None,
        reloads: bool = False, lossy: bool = False, seconds: float = 200,
    ) -> tuple[Result, Accounting]:
        """Lets the traffic flow and disturbs it. `targets` are what devices connect to, the bridges where it is omitted."""
        self.traffic = Traffic(self.database, targets or (lambda: self.bridges), SEED, reloads=reloads, lossy=lossy)

        async def disturbance(_: object) -> None:
            await self.flow(0.3)
            await disturb()
            await self.flow(0.3)

        accounting = await self.traffic.run(TRANSACTIONS, disturbance, seconds)
        connections = [connection for visitor in self.traffic.visitors for connection in visitor.connections]
        result = Result(
            self.name, self.title, len(accounting.stored), sum(len(connection.arrivals) for connection in connections),
            accounting.faults(), accounting.repeated(), self.recoveries)
        return result, accounting

    def examples(self, result: Result) -> str:
        by_rule: dict[str, list[str]] = {}
        for fault in result.faults:
            by_rule.setdefault(fault.rule, []).append(fault.detail)
        report = "\n".join(f"{rule}: {len(details)}\n  " + "\n  ".join(details[:5]) for rule, details in by_rule.items())
        return f"{self.traffic.summary()}\n{report}"

    async def prove(self, disturb: Callable[[], Awaitable[None]], **options: Any) -> Result:
        """Runs it, and fails unless every rule was kept and something was tried."""
        result, accounting = await self.run(disturb, **options)
        if result.faults:
            aside = await self.database.execute("SELECT * FROM notify_bridge.quarantine")
            raise AssertionError(f"{self.examples(result)}\nset aside: {aside}")
        assert self.faults_tried > 0, "nothing was disturbed"
        # After a failover pages have rows of their list, too.
        assert 2 * result.deliveries > result.rows > 8 * TRANSACTIONS, self.traffic.summary()
        assert any(not row.is_sent for row in accounting.stored.values()), "somebody without a device keeps rows unsent"
        self.result = result
        return result
