"""Who is connected, in SQL: several bridges, killed ones, storms, and a recipe that relies on it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest_asyncio
from conftest import make_template, migrate
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.pooler import Pooler
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
GUIDE = Path(__file__).resolve().parents[2] / "Documentation" / "reports.md"


async def present(database: Database, wanted: list[tuple[str, int]], what: str, seconds: float = 2) -> None:
    """Waits until these users are shown with so many devices at all bridges together, and nobody else."""

    async def look() -> list[tuple[str, int]]:
        return await database.execute("SELECT recipient, sum(devices)::integer FROM notify_bridge.presence GROUP BY 1 ORDER BY 1")

    await eventually(look, lambda seen: seen == wanted, what, seconds)


async def test_users_are_shown_within_two_seconds_with_their_devices_and_bridges(serve: Serve, database: Database, connect: Connect) -> None:
    bridges = [await serve(database), await serve(database)]
    for bridge in bridges:
        await bridge.ready()
    before = await database.value("SELECT now()")
    first = await connect(bridges[0], 42)
    await present(database, [("42", 1)], "the first device")
    second = await connect(bridges[0], 42)
    third = await connect(bridges[1], 42)
    await present(database, [("42", 3)], "devices at both bridges")
    shown = await database.execute(
        "SELECT p.devices, p.since >= %s AND p.since <= now(), p.last_seen >= p.since FROM notify_bridge.presence AS p "
        "JOIN notify_bridge.replica AS r ON r.id = p.replica ORDER BY 1", (before,))
    assert shown == [(1, True, True), (2, True, True)], "each bridge has a row, and the bridge's number"
    assert await database.value("SELECT notify_bridge.online('42') AND notify_bridge.online(42) AND NOT notify_bridge.online('43')")
    await first.close()
    third.abort()
    await present(database, [("42", 1)], "one device left")
    await second.close()
    await present(database, [], "nobody left")
    assert not await database.value("SELECT notify_bridge.online('42')")
    gone = await database.value("SELECT now() - notify_bridge.last_seen('42')")
    assert timedelta(0) <= gone < timedelta(seconds=3)
    # A bridge that stops takes its users with it.
    await connect(bridges[1], 43)
    await present(database, [("43", 1)], "another user")
    await bridges[1].terminate()
    await present(database, [], "nobody at a bridge that has stopped")


async def test_the_users_of_a_killed_bridge_are_gone_within_ten_seconds_and_those_of_others_stay(serve: Serve, database: Database, connect: Connect) -> None:
    dead, alive = await serve(database), await serve(database)
    await connect(dead, 1)
    await connect(dead, 2)
    await connect(alive, 2)
    await present(database, [("1", 1), ("2", 2)], "users at both bridges", 5)
    await dead.kill()
    killed = time.monotonic()
    await present(database, [("2", 1)], "the users of the killed bridge are gone", 10)
    assert time.monotonic() - killed < 10
    assert await database.value("SELECT notify_bridge.online(2) AND NOT notify_bridge.online(1)")
    ago = (await database.value("SELECT now() - notify_bridge.last_seen('1')")).total_seconds()
    assert ago < time.monotonic() - killed + 3, "it was seen until the bridge was killed"


async def test_nobody_connected_means_no_statement(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1)
    await present(database, [("1", 1)], "a user")
    touched = "SELECT touched_at FROM notify_bridge.recorder"
    first = await database.value(touched)
    # With users it gives signs of life; without, none.
    await eventually(lambda: database.value(touched), lambda at: at > first, "a sign of life", 5)
    await device.close()
    await present(database, [], "nobody")
    last = await database.value(touched)
    heartbeats = "SELECT touched_at FROM notify_bridge.replica"
    since = await database.value(heartbeats)
    await eventually(lambda: database.value(heartbeats), lambda at: at > since + timedelta(seconds=5), "heartbeats of the replica", 15)
    assert await database.value(touched) == last


async def test_presence_can_be_switched_off(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_PRESENCE="false")
    await bridge.ready()
    await connect(bridge, 1)
    id = await database.insert(1)
    await database.sent(id)
    assert await database.value("SELECT count(*) FROM notify_bridge.recorder") == 0
    assert await database.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ 'activity'") == 0


async def test_presence_works_through_a_pooler_and_is_shown_on_a_standby(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    pooler = await Pooler(own_cluster, "transaction", 7).listening()
    standby = await asyncio.to_thread(Cluster(primary=own_cluster).start)
    copy = Database(standby, own_database.name)
    try:
        bridge = await serve(pooler.url(own_database.name), NOTIFY_BRIDGE_DATABASE_LISTEN_URL=own_database.url)
        await bridge.ready()
        device = await connect(bridge, 42)
        await present(copy, [("42", 1)], "the user on the standby", 5)
        assert await copy.value("SELECT notify_bridge.online(42)")
        await device.close()
        await present(copy, [], "nobody on the standby", 5)
        assert await copy.value("SELECT notify_bridge.last_seen(42) > now() - interval '1 minute'")
        assert await copy.execute("SELECT * FROM notify_bridge.report_users()") == []
        await copy.execute("SELECT * FROM notify_bridge.report_connections()")
    finally:
        await copy.close()
        pooler.remove()
        standby.remove()


# MARK: storms


@pytest_asyncio.fixture
async def counted() -> AsyncIterator[Database]:
    """A database whose server counts statements."""
    server = Cluster("shared_preload_libraries = 'pg_stat_statements'\n").start()
    try:
        await make_template(server)
        made = await Database.create(server, "migrated")
        await made.execute("CREATE EXTENSION pg_stat_statements")
        yield made
        await made.close()
    finally:
        server.remove()


async def test_a_storm_of_reconnects_costs_one_statement_a_second(serve: Serve, counted: Database) -> None:
    users = 2_000
    bridge = await serve(counted)
    await bridge.ready()
    # All transactions that write take a number; without sockets the heartbeat of the replica is the only one.
    number = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
    calls = "SELECT coalesce(sum(calls), 0)::integer FROM pg_stat_statements WHERE query ~ '^SELECT r.id, r.is_new'"
    began, first = time.monotonic(), await counted.value(number)
    gate = asyncio.Semaphore(50)

    async def connect(user: int) -> Device:
        async with gate:
            return await Device.connect(bridge, user, seconds=60)

    for _ in range(2):
        devices = await asyncio.gather(*[connect(user) for user in range(1, users + 1)])
        await present(counted, sorted((str(user), 1) for user in range(1, users + 1)), "all users", 5)
        for device in devices:
            device.abort()
        await present(counted, [], "nobody", 10)
    seconds = time.monotonic() - began
    statements = await counted.value(calls)
    assert 4 <= statements <= seconds + 2, (statements, seconds)
    # One for each second and one each two seconds for the replica.
    assert await counted.value(number) - first <= seconds * 1.5 + 5, seconds
    assert await counted.value("SELECT count(*) FROM notify_bridge.seen_user") == users


# MARK: failures


async def test_a_presence_that_cannot_be_written_stops_nothing_and_is_counted_and_logged(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute("ALTER TABLE notify_bridge.connected_user ADD CONSTRAINT broken CHECK (recipient <> '13')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 13)
    await bridge.logged(lambda line: "presence can't be written" in line["message"] and "23514" in line["message"], "a warning")
    id = await database.insert(13)
    assert (await device.notification()).id == id
    await database.sent(id)
    assert (await bridge.get("/readyz"))[0] == 200
    assert (await bridge.metrics())["notify_bridge_activity_failures_total"] >= 1
    await database.execute("ALTER TABLE notify_bridge.connected_user DROP CONSTRAINT broken")
    await present(database, [("13", 1)], "presence is written again", 5)
    await bridge.logged(lambda line: "presence is written again" in line["message"], "the end of it")


async def test_presence_follows_after_the_database_was_away(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    await bridge.ready()
    devices = [await connect(bridge, user) for user in (1, 2)]
    await present(own_database, [("1", 1), ("2", 1)], "both users")
    await asyncio.to_thread(own_cluster.crash)
    await devices[0].close()
    await asyncio.to_thread(own_cluster.start)
    await present(own_database, [("2", 1)], "who is left", 20)
    assert not devices[1].closed.done()
    id = await own_database.insert(2)
    assert (await devices[1].notification()).id == id


async def test_a_user_that_the_database_cannot_hold_is_left_out(serve: Serve, own_cluster: Cluster, connect: Connect) -> None:
    own_cluster.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    await migrate(own_cluster.url("latin"))
    database = Database(own_cluster, "latin")
    bridge = await serve(database, NOTIFY_BRIDGE_LOG_LEVEL="debug")
    # From then on a user without unsent rows is answered without the database.
    await bridge.logged(lambda line: "scanned for unsent rows" in line["message"], "the scan for unsent rows")
    await connect(bridge, "日本")
    await connect(bridge, 5)
    await present(database, [("5", 1)], "the other user", 5)
    metrics = await bridge.metrics()
    assert (metrics["notify_bridge_activity_dropped_total"], metrics["notify_bridge_activity_failures_total"]) == (1, 0)
    await database.close()


# MARK: the recipe


async def test_the_recipe_mails_only_who_is_away_and_has_not_read_for_ten_minutes(serve: Serve, database: Database, connect: Connect) -> None:
    text = GUIDE.read_text()
    section = text[text.index("## Mail who is away"):]
    prepare, claim = re.findall(r"^```sql\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[:2]
    await database.execute(prepare)
    bridge = await serve(database)
    await bridge.ready()
    old: dict[str, Any] = {"created_at": await database.value("SELECT now() - interval '11 minutes'")}
    await connect(bridge, 1)
    online = await database.insert(1, **old)
    away = await database.insert(2, **old)
    read = await database.insert(3, is_read=True, **old)
    fresh = await database.insert(4)
    nobody = await database.insert(None, **old)
    await present(database, [("1", 1)], "one user is online")
    sessions = [await database.connect() for _ in range(2)]

    async def run(session: psycopg.AsyncConnection[Any]) -> list[tuple[Any, ...]]:
        return await (await session.execute(claim.encode())).fetchall()

    claimed = await asyncio.gather(*[run(session) for session in sessions])
    assert sorted(row[0] for rows in claimed for row in rows) == [away], (online, read, fresh, nobody)
    assert await database.execute(claim) == [], "once"
    for session in sessions:
        await session.close()
