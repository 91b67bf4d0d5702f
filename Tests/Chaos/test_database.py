"""What happens in a database: full disks and queues, maintenance, long transactions, changes of the schema."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest
from harness import bridge as programs
from harness.accounting import Transaction
from harness.bridge import ROOT
from harness.cluster import binary
from harness.waiting import eventually
from scenario import Scenario

MEBIBYTE = 1 << 20


async def test_disk_full(scenario: Scenario) -> None:
    """The disk of the database is full, twice."""
    assert os.getuid() == 0, "a full disk needs a disk of its own, which only root can make (mount -t tmpfs)"
    await scenario.start_database("max_wal_size = 64MB\nmin_wal_size = 32MB\n", disk_bytes=256 * MEBIBYTE)
    await scenario.serve()
    cluster = scenario.cluster
    filler = cluster.folder / "filler"

    def fill() -> None:
        with open(filler, "wb", buffering=0) as file:
            piece = b"\0" * MEBIBYTE
            while piece:
                try:
                    file.write(piece)
                except OSError:
                    piece = piece[:len(piece) // 2]

    async def disturb() -> None:
        for _ in range(2):
            async with scenario.fault() as over:
                await asyncio.to_thread(fill)
                failed = len(failures(scenario))
                while len(failures(scenario)) < failed + 20:
                    await scenario.flow(0.02)
                filler.unlink()
                over()
                if cluster.pid is None or not running(cluster.pid):
                    # It could not write its log, and ended by itself.
                    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
                    await asyncio.to_thread(cluster.start)
                cluster.stops += 1
            await scenario.flow(0.5)

    await scenario.prove(disturb)


def running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def failures(scenario: Scenario) -> list[Transaction]:
    """Transactions that a writer wanted to commit and could not."""
    return [transaction for writer in scenario.traffic.writers for transaction in writer.transactions
            if transaction.failed]


@pytest.mark.short
async def test_notify_queue_full(scenario: Scenario) -> None:
    """The queue of NOTIFY is full: a session that listens has not read it (PostgreSQL 18)."""
    folder = subprocess.run(
        [ROOT / "Tests/Support/postgresql_versions.sh", "--folder"], capture_output=True, text=True, check=True).stdout.strip()
    await scenario.start_database("max_notify_queue_pages = 64\n", programs=Path(folder) / "18/bin")
    # It waits for the bell, so that writers ring.
    await scenario.serve()

    async def disturb() -> None:
        sleeper = await scenario.database.connect(autocommit=False)
        await sleeper.execute("LISTEN nothing")
        await sleeper.commit()
        await sleeper.execute("SELECT 1")  # in a transaction it reads no notifications
        async with scenario.fault():
            with pytest.raises(Exception, match="too many notifications"):
                while True:
                    await scenario.database.execute("SELECT pg_notify('other', repeat('x', 7900) || n) FROM generate_series(1, 8) AS n")
            failed = len(failures(scenario))
            await scenario.flow(0.5)
            print(f"{len(failures(scenario)) - failed} writers could not ring")
            await sleeper.rollback()
            await sleeper.close()

    await scenario.prove(disturb)


@pytest.mark.short
async def test_trigger_dropped(scenario: Scenario) -> None:
    """The trigger that rings is dropped and restored, three times."""
    await scenario.start()
    definition = await scenario.database.value(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'notify_bridge_ring' AND tgrelid = 'notification'::regclass")

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault():
                await scenario.alter("DROP TRIGGER notify_bridge_ring ON notification")
                await scenario.flow(0.3)
                await scenario.alter(definition, "ALTER TABLE notification ENABLE ALWAYS TRIGGER notify_bridge_ring")
            await scenario.flow(0.3)

    await scenario.prove(disturb)


async def test_table_rewritten(scenario: Scenario) -> None:
    """VACUUM FULL, CLUSTER and REINDEX of the table, and VACUUM FREEZE, twice each."""
    await scenario.start()

    async def disturb() -> None:
        locking = ("VACUUM FULL notification", "CLUSTER notification USING notification_pkey", "REINDEX TABLE notification")
        beside = ("REINDEX TABLE CONCURRENTLY notification", "VACUUM (FREEZE, ANALYZE) notification")
        for statement in (*locking, *beside) * 2:
            async with scenario.fault():
                await (scenario.alter if statement in locking else scenario.database.execute)(statement)
            await scenario.flow(0.1)

    await scenario.prove(disturb)


async def test_table_locked(scenario: Scenario) -> None:
    """A session holds the table locked (ACCESS EXCLUSIVE) until the bridge leaves it out, twice."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(2):
            start = len(bridge.stderr.lines)
            async with scenario.fault():
                holder = await scenario.alter("BEGIN; LOCK TABLE notification IN ACCESS EXCLUSIVE MODE")
                await bridge.logged(lambda line: "55P03" in str(line), "that the table is left out", 30, start)
                await holder.rollback()
            await scenario.flow(0.5)

        async def aside() -> list[tuple]:
            return await scenario.database.execute("SELECT * FROM notify_bridge.quarantine")

        await eventually(aside, lambda items: items == [], "nothing is set aside any more", 60, every=0.1)

    await scenario.prove(disturb)


async def test_dump_beside(scenario: Scenario) -> None:
    """pg_dump runs beside, and holds its locks and its snapshot meanwhile."""
    await scenario.start()

    async def disturb() -> None:
        # Its COPY waits for a lock that another session holds: a dump as long as one likes.
        await scenario.database.execute("CREATE TABLE zz_last (n integer)")
        holder = await scenario.database.connect(autocommit=False)
        await holder.execute("LOCK TABLE zz_last IN SHARE ROW EXCLUSIVE MODE")
        async with scenario.fault():
            dump = await asyncio.create_subprocess_exec(
                binary("pg_dump"), "-d", scenario.database.url, stdout=asyncio.subprocess.PIPE)
            reader = asyncio.ensure_future(dump.communicate())
            await scenario.flow(1.0)
            await holder.rollback()
            text, _ = await reader
            assert dump.returncode == 0 and b"COPY public.notification" in text
        await holder.close()

    await scenario.prove(disturb)


async def test_long_transaction_beside(scenario: Scenario) -> None:
    """A transaction that wrote first is idle for the whole run, and commits at its end."""
    await scenario.start()

    async def disturb() -> None:
        long = Transaction(99, 1, time.time(), rows=["long"])
        session = await scenario.database.connect(autocommit=False)
        insert = "INSERT INTO notification (user_id, data) VALUES (1, jsonb_build_object('k', %s::text))"
        await session.execute(insert, ("long",))
        scenario.traffic.more.append(long)
        for _ in range(4):
            async with scenario.fault():
                await scenario.flow(0.5)
        long.commit_sent = time.time()
        await session.commit()
        long.commit_returned, long.outcome = time.time(), "committed"
        await session.close()

    await scenario.prove(disturb)


async def test_migrated_while_serving(scenario: Scenario) -> None:
    """`migrate` replaces all functions while the bridge serves, three times."""
    bridge = await scenario.start()

    async def disturb() -> None:
        for _ in range(3):
            async with scenario.fault():
                # Without the record of the functions, it applies them all.
                await scenario.database.execute("DELETE FROM notify_bridge.functions")
                done = await programs.run("migrate", DATABASE_URL=scenario.database.url)
                assert done.status == 0, done
                assert await scenario.database.value("SELECT count(*) FROM notify_bridge.functions") > 0
            await scenario.flow(0.3)
        assert bridge.running

    await scenario.prove(disturb)
