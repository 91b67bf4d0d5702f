"""Notifications written by Django's ORM, in every way that it has, with exact accounting of what arrives."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable

import pytest
from harness import orm
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually

Serve = Callable[..., Awaitable[Bridge]]
Connect = Callable[..., Awaitable[Device]]

# No replay is truncated, and no heartbeat comes unasked.
LIMITS = {
    "NOTIFY_BRIDGE_LIMITS_REPLAY_ROWS": "1000000", "NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_USER": "1000",
    "NOTIFY_BRIDGE_HEARTBEAT_SECONDS": "600",
}
SEED = 11
TRANSACTIONS = 96  # eight of each kind


@pytest.mark.timeout(180)
async def test_every_row_that_the_orm_commits_reaches_every_device_that_should_have_it(database: Database, serve: Serve) -> None:
    await orm.migrate(database)
    bridge = await serve(database, **LIMITS)
    traffic = orm.OrmTraffic(database, lambda: [bridge], SEED)
    accounting = await traffic.run(TRANSACTIONS, seconds=120)
    faults = accounting.faults()
    assert not faults, f"{traffic.summary()}\n" + "\n".join(map(str, faults[:20]))
    # A run that tried nothing proves nothing.
    assert all(len(writer.kinds) == 12 for writer in traffic.writers)
    assert len(accounting.stored) > 10 * TRANSACTIONS
    connections = [connection for visitor in traffic.visitors for connection in visitor.connections]
    assert sum(len(connection.arrivals) for connection in connections) > len(accounting.stored)
    assert await database.value("SELECT count(*) FROM inbox_notification WHERE is_read") > 0, "stale objects were saved"


@pytest.mark.timeout(180)
async def test_a_data_migration_of_100_000_rows_arrives_whole_and_in_order(database: Database, serve: Serve, connect: Connect) -> None:
    await orm.migrate(database)
    bridge = await serve(database, **LIMITS)
    devices = {user: await connect(bridge, user) for user in range(1, 12)}
    await orm.django(database, "-m", "django", "migrate", "-v", "0", "inbox", "0004", seconds=100)
    ids = dict(await database.execute(
        "SELECT recipient_id, array_agg(id ORDER BY id) FROM inbox_notification GROUP BY recipient_id"))
    assert len(ids) == 10 and all(len(rows) == 10_000 for rows in ids.values())
    for user, rows in ids.items():
        arrived = await devices[user].notifications(len(rows), seconds=60)
        assert [message.id for message in arrived] == rows
        # Nothing is on its way any more.
        assert await devices[user].barrier() == []
    assert await devices[11].barrier() == []

    async def unsent() -> int:
        return await database.value("SELECT count(*) FROM inbox_notification WHERE NOT is_sent OR sent_at IS NULL")

    await eventually(unsent, lambda count: count == 0, "all marked", 60)


async def test_a_migration_that_fails_sends_nothing(database: Database, serve: Serve, connect: Connect) -> None:
    await orm.migrate(database)
    bridge = await serve(database, **LIMITS)
    device = await connect(bridge, 1)
    code = (
        "import django; django.setup()\n"
        "from django.db import transaction\n"
        "from notify_bridge import notify, notify_many\n"
        "try:\n"
        "    with transaction.atomic():\n"
        "        notify_many([1] * 5000, {'k': 'undone'})\n"
        "        raise LookupError\n"
        "except LookupError:\n"
        "    notify(1, {'k': 'kept'})\n"
    )
    await orm.django(database, "-c", code)
    assert json.loads((await device.notification()).data) == {"k": "kept"}
    assert await device.barrier() == []


async def test_a_stale_full_save_that_puts_the_mark_back_sends_nothing_again(
    database: Database, serve: Serve, connect: Connect
) -> None:
    await orm.migrate(database)
    bridge = await serve(database, **LIMITS)
    device = await connect(bridge, 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c",
        "import django; django.setup()\n"
        "from orm_site.inbox.models import WorkOrder\n"
        "row = WorkOrder.objects.create(worker_id=1, title='pump')\n"
        "input()\n"
        "row.title = 'pump, mended'\n"
        "row.save()\n",
        env=orm.environment(database.url), cwd="/", stdin=asyncio.subprocess.PIPE)
    message = await device.notification()
    assert (json.loads(message.data), message.fields["source"]) == ({"title": "pump"}, "public.inbox_workorder")

    async def marked(table: str) -> bool:
        return await database.value(f"SELECT is_sent FROM {table}")

    await eventually(lambda: marked("inbox_workorder"), bool, "the mark")
    await process.communicate(b"\n")
    assert process.returncode == 0
    assert await database.execute("SELECT title, is_sent, sent_at IS NOT NULL FROM inbox_workorder") == [("pump, mended", False, True)]
    # Neither here nor for a device that asks for what is unsent, nor for one that comes back with a cursor.
    sentinel = json.dumps({"k": "sentinel"})
    await database.execute(
        "INSERT INTO inbox_notification (recipient_id, data, is_sent, is_read, created_at) VALUES (1, %s, false, false, now())",
        (sentinel,))
    assert json.loads((await device.notification()).data) == {"k": "sentinel"}
    await eventually(lambda: marked("inbox_notification"), bool, "the sentinel's mark")
    for since in (None, device.cursor):
        again = await connect(bridge, 1, since=since)
        # The newest row may come again after a cursor.
        assert {message.fields["source"] for message in await again.barrier()} <= {"public.inbox_notification"}
