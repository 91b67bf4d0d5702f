"""Rows whose transaction ids are of another cluster: of a dump that holds only data, and of logical replication."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from conftest import TEMPLATE, make_template
from harness.bridge import Bridge, run
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from harness.waiting import eventually, within

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

FUTURE, PAST = 9_000_000_000, 5
NOTE = "CREATE TABLE note (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), recipient_id integer, data jsonb)"


async def restore(database: Database, rows: list[tuple[Any, ...]]) -> None:
    """Loads rows of public.notification as pg_restore does."""
    async with await database.connect() as connection, connection.cursor() as cursor:
        async with cursor.copy("COPY notification (id, user_id, data, is_sent, sent_at, txid) FROM stdin") as copy:
            for row in rows:
                await copy.write_row(row)


async def safety_finds(bridge: Bridge) -> float:
    return (await bridge.metrics()).get("notify_bridge_safety_finds_total", 0)


@pytest.mark.parametrize("txid", [FUTURE, PAST], ids=["above", "below"])
async def test_rows_of_a_restored_dump_of_data_are_delivered_once_and_history_is_left_alone(
    txid: int, bridge: Bridge, database: Database, connect: Connect
) -> None:
    device = await connect(bridge, 1)
    at = "2026-01-01 00:00:00+00"
    await restore(database, [
        (1001, 1, "{}", False, None, txid), (1002, 1, "{}", True, at, txid), (1003, 1, "{}", True, None, txid),
        (1004, 1, "{}", False, None, txid), (1005, 2, "{}", False, None, txid), (1006, 2, "{}", True, at, txid)])
    assert [message.id for message in await device.notifications(2)] == [1001, 1004]
    await database.sent([1001, 1004])
    # Each delta of a further row would have them again.
    later = [await database.insert(1) for _ in range(3)]
    assert [message.id for message in await device.notifications(3)] == later
    absent = await connect(bridge, 2)
    assert (await absent.notification()).id == 1005
    await database.sent(1005)
    assert await device.barrier() == [] and await absent.barrier() == []
    # Nor is history newer than a cursor. (A cursor may repeat the newest rows.)
    again = await connect(bridge, 1, since=Device.newest_cursor(device.messages))
    assert {message.id for message in await again.barrier()} <= set(later)
    assert await safety_finds(bridge) == 0


async def test_rows_of_a_future_that_no_trigger_has_seen_are_repaired_while_the_bridge_runs(
    bridge: Bridge, database: Database, connect: Connect
) -> None:
    settings = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET}
    device = await connect(bridge, 1)
    # What pg_restore --data-only --disable-triggers does.
    await database.execute("ALTER TABLE notification DISABLE TRIGGER ALL")
    await restore(database, [(1001, 1, "{}", False, None, FUTURE), (1002, 1, "{}", True, "2026-01-01", FUTURE)])
    await database.execute("ALTER TABLE notification ENABLE TRIGGER ALL")
    assert (await device.notification()).id == 1001
    await database.sent(1001)
    later = [await database.insert(1) for _ in range(3)]
    assert [message.id for message in await device.notifications(3)] == later
    assert await device.barrier() == []
    logged = await bridge.logged(lambda line: "rows had transaction ids of another cluster" in str(line), "the repair")
    assert "public.notification" in str(logged)
    assert (await bridge.metrics())["notify_bridge_rows_repaired_total"] == 2
    assert await database.execute("SELECT id FROM notification WHERE txid = '3'") == [(1002,)]
    # The restore has left the triggers in another state, which check names and attach repairs.
    done = await run("check", **settings)
    assert done.status == 0 and "public.notification lacks a trigger for rows of a restored dump" in done.stdout, done
    assert (await run("attach", "public.notification", "--yes", DATABASE_URL=database.url)).status == 0
    assert "lacks a trigger" not in (await run("check", **settings)).stdout


async def test_rows_of_the_past_that_no_trigger_has_seen_come_at_the_next_connect(
    serve: Serve, database: Database, connect: Connect
) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LOG_LEVEL="debug")
    # Whoever has no unsent row is answered without the database, once the tables were scanned.
    await bridge.logged(lambda line: line.get("message") == "scanned for unsent rows", "the scan")
    await database.execute("ALTER TABLE notification DISABLE TRIGGER ALL")
    await restore(database, [(1001, 1, "{}", False, None, PAST)])
    await database.execute("ALTER TABLE notification ENABLE TRIGGER ALL")

    async def comes() -> list[int]:
        device = await connect(bridge, 1)
        await device.barrier()
        return device.ids

    await eventually(comes, lambda ids: ids == [1001], "the row at a connect")
    await database.sent(1001)


async def test_check_names_rows_of_another_cluster(database: Database) -> None:
    await database.execute("ALTER TABLE notification DISABLE TRIGGER notify_bridge_txid")
    await database.insert(1, txid=str(FUTURE))
    done = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
    assert done.status == 0, done
    assert "public.notification has rows with transaction ids of another cluster" in done.stdout, done


async def migrated(cluster: Cluster) -> Database:
    await make_template(cluster)
    database = await Database.create(cluster, TEMPLATE)
    await database.execute(NOTE)
    assert (await run("attach", "note", "--yes", DATABASE_URL=database.url)).status == 0
    return database


@pytest_asyncio.fixture(params=["above", "below"])
async def replicated(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Database, Database]]:
    """A publisher, whose transaction ids lie above or below those of the subscriber, and the subscriber."""
    high, low = 30_000, 9_800
    is_above = request.param == "above"
    publisher = Cluster("wal_level = logical\n", next_transaction=high if is_above else low).start()
    subscriber = Cluster(next_transaction=low if is_above else high).start()
    try:
        yield await migrated(publisher), await migrated(subscriber)
    finally:
        subscriber.remove()
        publisher.remove()


async def test_rows_of_logical_replication_are_delivered_live_once_and_are_marked_there(
    replicated: tuple[Database, Database], serve: Serve, connect: Connect
) -> None:
    publisher, subscriber = replicated
    old = await publisher.insert(1, is_sent=True, sent_at="2026-01-01")
    copied = [await publisher.insert(1), await publisher.insert(3)]
    bridge = await serve(subscriber)
    await bridge.ready()
    device = await connect(bridge, 1)
    await publisher.execute("CREATE PUBLICATION notifications FOR TABLE notification, note")
    await subscriber.execute(f"CREATE SUBSCRIPTION notifications CONNECTION '{publisher.url}' PUBLICATION notifications")
    # What was there before is copied.
    assert (await device.notification(30)).id == copied[0]
    # What comes then is applied, and rings.
    async with await subscriber.connect() as listener:
        await listener.execute("LISTEN notify_bridge")
        live = await publisher.insert(1, '{"n": 1}')
        assert (await device.notification()).id == live
        await within(10, anext(listener.notifies()), "a doorbell")
    note = await publisher.value("INSERT INTO note (recipient_id, data) VALUES (1, '{}') RETURNING id")
    message = await device.notification()
    assert (message.source, message.id) == ("public.note", str(note))
    await subscriber.sent([copied[0], live])
    assert await publisher.unsent() == [*copied, live], "marked at the subscriber alone"
    # An update keeps what the subscriber knows, and the rest arrives.
    await publisher.execute("UPDATE notification SET data = '{\"n\": 2}', is_read = true WHERE id = ANY (%s)", ([old, *copied, live],))

    async def updated() -> int:
        return await subscriber.value("SELECT count(*) FROM notification WHERE is_read")

    await eventually(updated, lambda rows: rows == 4, "four rows updated")
    await subscriber.sent([old, copied[0], live])
    # A row with another recipient is new to that one.
    other = await connect(bridge, 2)
    await publisher.execute("UPDATE notification SET user_id = 2 WHERE id = %s", (live,))
    assert (await other.notification()).id == live
    await subscriber.sent(live)
    # What a bridge of the publisher has sent needs no sending at the subscriber.
    await publisher.execute("UPDATE notification SET is_sent = true, sent_at = now() WHERE id = %s", (copied[1],))
    await subscriber.sent(copied[1])
    assert await (await connect(bridge, 3)).barrier() == []
    sentinel = await publisher.insert(1)
    assert (await device.notification()).id == sentinel
    assert await device.barrier() == [] and await other.barrier() == []
    again = await connect(bridge, 1, since=Device.newest_cursor(device.messages))
    assert {message.id for message in await again.barrier()} <= {sentinel}
    assert await safety_finds(bridge) == 0


async def test_a_publication_without_the_columns_of_the_bridge_leaves_them_to_the_subscriber(
    replicated: tuple[Database, Database], serve: Serve, connect: Connect
) -> None:
    publisher, subscriber = replicated
    bridge = await serve(subscriber)
    await bridge.ready()
    device = await connect(bridge, 1)
    before = await publisher.insert(1)
    await publisher.execute("CREATE PUBLICATION notifications FOR TABLE notification (id, user_id, data, created_at)")
    await subscriber.execute(f"CREATE SUBSCRIPTION notifications CONNECTION '{publisher.url}' PUBLICATION notifications")
    assert (await device.notification(30)).id == before
    live = await publisher.insert(1)
    assert (await device.notification()).id == live
    await subscriber.sent([before, live])
    await publisher.execute("UPDATE notification SET user_id = 2 WHERE id = %s", (live,))
    assert (await (await connect(bridge, 2)).notification()).id == live
    await subscriber.sent(live)
    assert await device.barrier() == []
    assert await safety_finds(bridge) == 0
