"""Behind a real PgBouncer: what works through it, and what says that it can't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from harness import bridge as programs
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.pooler import Pooler
from harness.tokens import SECRET
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
LISTEN_URL = "NOTIFY_BRIDGE_DATABASE_LISTEN_URL"


@pytest_asyncio.fixture
async def pooler(cluster: Cluster) -> AsyncIterator[Callable[..., Awaitable[Pooler]]]:
    started: list[Pooler] = []

    async def start(mode: str, size: int = 5) -> Pooler:
        started.append(Pooler(cluster, mode, size))
        return await started[-1].listening()

    yield start
    for one in started:
        one.remove()


Start = Callable[..., Awaitable[Pooler]]


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_rows_are_delivered_replayed_marked_and_read_through_a_pooler(
    mode: str, pooler: Start, database: Database, serve: Serve, connect: Connect,
) -> None:
    between = await pooler(mode)
    before = await database.insert_many(7, 500)  # more than a page
    bridge = await serve(between.url(database.name), **{LISTEN_URL: database.url})
    await bridge.ready()
    device = await connect(bridge, 7)
    assert [message.id for message in await device.notifications(500)] == before
    live = await database.insert(7)
    assert (await device.notification()).id == live
    await database.sent([*before, live])
    device.send({"type": "read", "ids": [live]})

    async def is_read() -> bool:
        return (await database.row(live))["is_read"]

    await eventually(is_read, lambda read: read, "is_read is set")


async def test_many_devices_come_and_go_through_a_pooler_in_transaction_mode(
    pooler: Start, database: Database, serve: Serve, connect: Connect,
) -> None:
    between = await pooler("transaction")
    bridge = await serve(between.url(database.name), **{LISTEN_URL: database.url})
    await bridge.ready()
    devices = await asyncio.gather(*(connect(bridge, user) for user in range(1, 51)))
    await database.execute(
        "INSERT INTO notification (user_id, data) SELECT 1 + n % 50, to_jsonb(n) FROM generate_series(1, 1000) AS n")
    for device in devices:
        assert len(await device.notifications(20)) == 20

    async def unsent() -> int:
        return len(await database.unsent())

    await eventually(unsent, lambda count: count == 0, "all rows are marked")
    # Nothing of the bridge's is left in the sessions that others get.
    rows = await database.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in transaction%%'", (database.name,))
    assert rows == [(0,)]


async def test_the_whole_bridge_works_through_a_pooler_in_session_mode(
    pooler: Start, database: Database, serve: Serve, connect: Connect,
) -> None:
    bridge = await serve((await pooler("session")).url(database.name))
    await bridge.ready()
    device = await connect(bridge, 7)
    id = await database.insert(7)
    assert (await device.notification()).id == id
    await database.sent(id)


@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_a_locked_table_holds_up_no_other_through_a_pooler(
    mode: str, pooler: Start, database: Database, serve: Serve, connect: Connect,
) -> None:
    await database.execute("CREATE TABLE other (id bigserial PRIMARY KEY, user_id bigint, data jsonb)")
    await database.execute("SELECT notify_bridge.attach('other')")
    before = await database.insert(8)
    between = await pooler(mode)
    bridge = await serve(between.url(database.name), **({LISTEN_URL: database.url} if mode == "transaction" else {}))
    await bridge.ready()
    locker = await database.connect(autocommit=False)
    await locker.execute("LOCK TABLE other IN ACCESS EXCLUSIVE MODE")
    device = await connect(bridge, 8, seconds=8)
    assert (await device.notification()).id == before
    live = await database.insert(8)
    assert (await device.notification(8)).id == live
    await database.sent([before, live])
    await locker.rollback()
    await locker.close()
    assert (await device.end(15)).code == 1012  # Its replay lacked the table.
    device = await connect(bridge, 8)
    await database.execute("INSERT INTO other (user_id, data) VALUES (8, '{}')")
    assert (await device.notification()).source == "public.other"


async def test_a_pooler_in_transaction_mode_without_a_listen_url_is_refused(pooler: Start, database: Database) -> None:
    between = await pooler("transaction")
    done = await programs.run(
        "serve", DATABASE_URL=between.url(database.name), NOTIFY_BRIDGE_HTTP_PORT="0", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
    assert done.status == 1, done
    assert "pooler in transaction mode" in done.stderr and LISTEN_URL in done.stderr, done
    assert len(done.stderr.splitlines()) <= 12, done


async def test_check_names_a_pooler_that_breaks_listen(pooler: Start, database: Database) -> None:
    between = await pooler("transaction")
    settings = {"DATABASE_URL": between.url(database.name), "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET}
    done = await programs.run("check", **settings)
    assert done.status == 1 and "pooler in transaction mode" in done.stdout and LISTEN_URL in done.stdout, done
    done = await programs.run("check", **settings, **{LISTEN_URL: database.url})
    assert done.status == 0, done
    done = await programs.run("check", DATABASE_URL=(await pooler("session")).url(database.name), NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
    assert done.status == 0 and "session mode" in done.stdout, done


async def test_the_pooler_mode_can_be_forced(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_DATABASE_POOLED="true", **{LISTEN_URL: database.url})
    await bridge.ready()
    device = await connect(bridge, 7)
    id = await database.insert(7)
    assert (await device.notification()).id == id
    await database.sent(id)
    # Each marking brought its settings along, in a transaction of its own.
    async def last_statement() -> list[tuple[str]]:
        await database.sent(await database.insert(7))
        return await database.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = %s AND application_name LIKE '%% mark'", (database.name,))

    # Now and then it is the look for rows in quarantine.
    await eventually(last_statement, lambda rows: rows == [("COMMIT",)], "the end of a transaction")
