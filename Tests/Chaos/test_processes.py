"""Processes that are killed, stopped, paused, or run out of descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path

import pytest
from harness.bridge import BINARY
from harness.cluster import Cluster
from harness.database import Database
from harness.waiting import eventually
from scenario import Scenario

OLD_BINARY = Path(os.environ.get("NOTIFY_BRIDGE_OLD_BINARY", BINARY))


async def test_bridge_killed(scenario: Scenario) -> None:
    """The bridge is killed (SIGKILL), three times."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault() as over:
                killed = scenario.bridges.pop()
                await killed.kill()
                over()
                await scenario.serve(NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port))
            await scenario.flow(0.5)

    await scenario.prove(disturb)


async def test_one_of_two_bridges_killed(scenario: Scenario) -> None:
    """One of two bridges is killed, three times."""
    await scenario.start()
    await scenario.serve()

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault() as over:
                await scenario.bridges.pop(0).kill()
                over()
                await scenario.flow(0.3)
                await scenario.serve()
            await scenario.flow(0.3)

    await scenario.prove(disturb)


@pytest.mark.short
async def test_two_bridges_rolled(scenario: Scenario) -> None:
    """Two bridges are replaced one after the other by another build (SIGTERM)."""
    await scenario.start_database()
    await scenario.serve(binary=OLD_BINARY)
    await scenario.serve(binary=OLD_BINARY)

    async def disturb() -> None:
        for old in list(scenario.bridges):
            async with scenario.fault() as over:
                await scenario.serve()
                scenario.bridges.remove(old)
                old.signal(signal.SIGTERM)
                over()
                assert await old.exit(30) == 0
            await scenario.flow(0.5)

    await scenario.prove(disturb)


async def test_database_crashed(scenario: Scenario) -> None:
    """The database crashes (immediate stop), three times."""
    await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault() as over:
                await asyncio.to_thread(scenario.cluster.crash)
                await asyncio.to_thread(scenario.cluster.start)
                over()
            await scenario.flow(0.5)

    await scenario.prove(disturb)


async def test_server_process_killed(scenario: Scenario) -> None:
    """A process of the server is killed (SIGKILL), so that all are started anew, three times."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            await bridge.ready()
            pid = await scenario.database.value(BACKENDS + " LIMIT 1")
            async with scenario.fault():
                os.kill(pid, signal.SIGKILL)
                scenario.cluster.stops += 1
            await scenario.flow(0.3)

    await scenario.prove(disturb)


async def test_bridge_paused(scenario: Scenario) -> None:
    """The bridge is paused (SIGSTOP), three times."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault():
                bridge.signal(signal.SIGSTOP)
                try:
                    await scenario.flow(0.5)
                finally:
                    bridge.signal(signal.SIGCONT)
            await scenario.flow(0.3)

    await scenario.prove(disturb)


BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'notify-bridge%'"


@pytest.mark.short
async def test_backends_paused(scenario: Scenario) -> None:
    """Each database session of the bridge is paused in turn (SIGSTOP)."""
    bridge = await scenario.start()

    async def disturb() -> None:
        names = [row[0] for row in await scenario.database.execute(BACKENDS.replace("SELECT pid", "SELECT application_name"))]
        assert len(names) >= 4, names
        for name in names:
            await bridge.ready()
            pid = await scenario.database.value("SELECT pid FROM pg_stat_activity WHERE application_name = %s", (name,))
            async with scenario.fault():
                os.kill(pid, signal.SIGSTOP)
                try:
                    await scenario.flow(0.3)
                finally:
                    os.kill(pid, signal.SIGCONT)
            await scenario.flow(0.1)

    await scenario.prove(disturb)


async def test_backends_ended(scenario: Scenario) -> None:
    """All database sessions of the bridge are ended at once, three times."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            await bridge.ready(seconds=30)
            async with scenario.fault():
                await scenario.database.execute(BACKENDS.replace("SELECT pid", "SELECT pg_terminate_backend(pid)"))
            await scenario.flow(0.3)

    await scenario.prove(disturb)


async def test_database_frozen(scenario: Scenario) -> None:
    """The whole server is frozen until the bridge notices, twice."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(2):
            async with scenario.fault():
                scenario.cluster.freeze()
                try:
                    await bridge.ready(503, seconds=15)
                finally:
                    scenario.cluster.thaw()
            await bridge.ready(seconds=30)
            await scenario.flow(0.5)

    await scenario.prove(disturb)


@pytest.mark.short
async def test_descriptors_exhausted(scenario: Scenario) -> None:
    """The bridge has no descriptor left (ulimit -n), and loses its database sessions meanwhile."""
    bridge = await scenario.start()
    _, hard = resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE)

    async def disturb() -> None:
        async with scenario.fault():
            used = len(list(Path(f"/proc/{bridge.pid}/fd").iterdir()))
            resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE, (used, hard))
            try:
                await scenario.flow(0.3)
                await scenario.database.execute(BACKENDS.replace("SELECT pid", "SELECT pg_terminate_backend(pid)"))
                await scenario.flow(0.5)
            finally:
                resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE, (hard, hard))

    await scenario.prove(disturb)


@pytest.mark.short
async def test_failover(scenario: Scenario) -> None:
    """The database fails over to a promoted synchronous standby, and pages load anew."""
    await scenario.start_database("wal_level = replica\n")
    primary = scenario.cluster
    standby = Cluster("synchronous_standby_names = ''\n", primary=primary)
    scenario.cleanup.callback(standby.remove)
    standby.start()
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")

    async def synchronous() -> object:
        return await scenario.database.value("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")

    await eventually(synchronous, lambda count: count == 1, "a synchronous standby")
    both = Database(standby, "chaos")
    both.url = (f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/chaos"
                "?target_session_attrs=read-write")
    scenario.database = both
    scenario.cleanup.push_async_callback(both.close)
    bridge = await scenario.serve()
    await bridge.ready()

    async def disturb() -> None:
        async with scenario.fault() as over:
            await asyncio.to_thread(primary.crash)
            standby.stops += 1
            await asyncio.to_thread(standby.promote)
            over()
        assert any(connection.truncated for visitor in scenario.traffic.visitors for connection in visitor.connections)

    await scenario.prove(disturb, reloads=True)
