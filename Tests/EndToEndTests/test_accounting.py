"""Eight writers of every kind against devices that come and go, with exact accounting of every row at every device."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import pytest
from harness.accounting import Accounting
from harness.bridge import Bridge
from harness.cluster import Cluster, free_port
from harness.database import Database
from harness.traffic import Traffic
from harness.writers import Progress

Serve = Callable[..., Awaitable[Bridge]]

# Far more rows after a cursor than any device misses: none of these replays may be truncated.
LIMITS = {"NOTIFY_BRIDGE_LIMITS_REPLAY_ROWS": "1000000", "NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_USER": "1000"}
SEED = int(os.environ.get("NOTIFY_BRIDGE_TEST_SEED", "7"))
# Transactions of each writer; a larger number makes a longer run.
TRANSACTIONS = int(os.environ.get("NOTIFY_BRIDGE_TEST_TRANSACTIONS", "250"))


def verdict(accounting: Accounting, traffic: Traffic) -> None:
    """Fails with what was broken, by rule, and with a few examples of each."""
    faults = accounting.faults()
    by_rule: dict[str, list[str]] = {}
    for fault in faults:
        by_rule.setdefault(fault.rule, []).append(fault.detail)
    report = "\n".join(
        f"{rule}: {len(details)}\n  " + "\n  ".join(details[:5]) for rule, details in by_rule.items())
    print(traffic.summary())
    assert not faults, f"{traffic.summary()}\n{report}"
    # A run that tried nothing proves nothing.
    connections = [connection for visitor in traffic.visitors for connection in visitor.connections]
    assert len(accounting.stored) > 8 * TRANSACTIONS
    assert sum(len(connection.arrivals) for connection in connections) > len(accounting.stored)
    assert sum(connection.resumed for connection in connections) > 50
    assert any(not row.is_sent for row in accounting.stored.values()), "somebody without a device keeps rows unsent"


async def test_every_committed_row_reaches_every_device_that_should_have_it(own_database: Database, serve: Serve) -> None:
    bridge = await serve(own_database, **LIMITS)
    traffic = Traffic(own_database, lambda: [bridge], SEED)
    verdict(await traffic.run(TRANSACTIONS), traffic)


async def test_two_bridges_on_one_database_lose_and_double_nothing(own_database: Database, serve: Serve) -> None:
    bridges = [await serve(own_database, **LIMITS), await serve(own_database, **LIMITS)]
    traffic = Traffic(own_database, lambda: bridges, SEED + 1)
    verdict(await traffic.run(TRANSACTIONS), traffic)


async def test_a_bridge_that_is_killed_three_times_loses_nothing(own_database: Database, serve: Serve) -> None:
    settings = LIMITS | {"NOTIFY_BRIDGE_HTTP_PORT": str(free_port())}
    running = [await serve(own_database, **settings)]
    kills = 0

    async def kill_and_restart(progress: Progress) -> None:
        nonlocal kills
        for _ in range(3):
            await progress.reach(progress.ended + 2 * TRANSACTIONS)
            await running.pop().kill()
            kills += 1
            running.append(await serve(own_database, **settings))

    traffic = Traffic(own_database, lambda: running, SEED + 2)
    verdict(await traffic.run(TRANSACTIONS, kill_and_restart), traffic)
    assert kills == 3


@pytest.mark.timeout(240)
async def test_a_database_that_crashes_three_times_loses_nothing(own_cluster: Cluster, own_database: Database, serve: Serve) -> None:
    bridge = await serve(own_database, **LIMITS)
    crashes = 0

    async def crash_and_restart(progress: Progress) -> None:
        nonlocal crashes
        for _ in range(3):
            await progress.reach(progress.ended + 2 * TRANSACTIONS)
            went = time.time()
            await asyncio.to_thread(own_cluster.crash)
            crashes += 1
            await asyncio.to_thread(own_cluster.start)
            await bridge.ready(seconds=30)
            traffic.outages.append((went, time.time()))

    traffic = Traffic(own_database, lambda: [bridge], SEED + 3)
    verdict(await traffic.run(TRANSACTIONS, crash_and_restart, seconds=150), traffic)
    assert crashes == 3
    assert bridge.running
