"""A table that is locked, renamed, or may not be written is one table's failure, and what it allows still goes on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device, Message
from harness.tokens import SECRET
from harness.waiting import eventually, within
from test_isolation_marks import in_quarantine

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

OTHER = "CREATE TABLE other (id bigserial PRIMARY KEY, user_id bigint, data jsonb)"
LOCKED = [("public.notification", None, "55P03")]


async def failing(bridge: Bridge) -> list[dict[str, Any]]:
    return json.loads((await bridge.get("/readyz"))[2]).get("failing", [])


async def check(database: Database, **settings: str) -> Any:
    return await run("check", **({"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET} | settings))


async def other_marked(database: Database, rows: int) -> None:
    async def look() -> int:
        return await database.value("SELECT count(*) FROM other WHERE sent_at IS NOT NULL")

    await eventually(look, lambda count: count == rows, f"{rows} rows of the other table marked")


async def heartbeats(device: Device, count: int) -> None:
    """Waits for heartbeats: the bridge surveys the tables every two seconds."""
    while count:
        count -= (await device.next()).type == "heartbeat"


async def row(device: Device, seconds: float = 10) -> Message:
    """The next row of a device that gets a heartbeat each second."""

    async def look() -> Message:
        while (message := await device.next(seconds)).type == "heartbeat":
            pass
        return message

    message = await within(seconds, look(), "a row")
    assert message.type == "notification"
    return message


async def test_a_renamed_table_whose_name_another_one_has_is_named_until_that_one_is_attached(
    database: Database, serve: Serve, connect: Connect
) -> None:
    await database.execute(OTHER)
    await database.execute("SELECT notify_bridge.attach('other')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1)
    await database.execute("ALTER TABLE other RENAME TO former")
    await database.execute(OTHER)
    await eventually(lambda: failing(bridge), lambda parts: parts == [{"part": "table", "table": "public.former"}], "/readyz names it")
    line = await bridge.logged(lambda line: line["message"] == "a served table was renamed", "the table in the log")
    assert line["level"] == "error" and "public.former: it was public.other" in line["reason"], line
    done = await check(database)
    assert done.status == 1 and "renamed: public.former: it was public.other" in done.stdout and "not served" not in done.stdout, done
    # The rows of the table itself go on, under its new name, for which clients come again.
    assert (await device.end()).code == 1012
    device = await connect(bridge, 1)
    id = await database.value("INSERT INTO former (user_id, data) VALUES (1, '{}') RETURNING id")
    message = await device.notification(15)
    assert (message.source, message.id) == ("public.former", id)
    await database.execute("SELECT notify_bridge.attach('other')")
    await bridge.ready(seconds=20)
    assert (await device.end()).code == 1012
    device = await connect(bridge, 1)
    await database.execute("INSERT INTO other (user_id, data) VALUES (1, '{}')")
    assert (await device.notification()).source == "public.other"
    assert (await check(database)).status == 0
    assert len([line for line in bridge.log() if line["message"] == "a served table was renamed"]) == 1


async def test_a_table_whose_rows_may_not_be_marked_any_more_is_read_all_the_same(
    database: Database, serve: Serve, connect: Connect
) -> None:
    role = f"reader_{database.name}"
    await database.execute(OTHER)
    await database.execute("SELECT notify_bridge.attach('other')")
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute(f"SELECT notify_bridge.grant_to('{role}')")
    url = database.cluster.url(database.name, role)
    bridge = await Bridge.serve(url, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1")
    try:
        await bridge.ready()
        device = await connect(bridge, 1)
        await database.execute(f"REVOKE UPDATE (is_sent, sent_at) ON notification FROM {role}")
        ids = [await database.insert(1)]
        assert (await row(device)).id == ids[0]
        await in_quarantine(database, [("public.notification", None, "42501")])
        await database.execute("INSERT INTO other (user_id, data) VALUES (1, '{}')")
        assert (await row(device)).source == "public.other"
        await other_marked(database, 1)
        await heartbeats(device, 4)
        ids.append(await database.insert(1))
        assert (await row(device, 5)).id == ids[1]
        assert (await bridge.get("/readyz"))[0] == 200
        done = await check(database, DATABASE_URL=url)
        assert done.status == 1 and "UPDATE (sent_at) on" in done.stdout, done
        await database.execute(f"SELECT notify_bridge.grant_to('{role}')")
        await database.execute("SELECT notify_bridge.retry_quarantined('notification', NULL::text[])")
        await database.sent(ids, seconds=20)
        await in_quarantine(database, [])
    finally:
        await bridge.kill()
        await database.execute(f"DROP OWNED BY {role}")
        await database.execute(f"DROP ROLE {role}")


async def test_a_table_that_is_locked_against_writers_alone_is_read(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1")
    await bridge.ready()
    device = await connect(bridge, 1)
    unsent = await database.insert(2)
    locker = await database.connect(autocommit=False)
    await locker.execute("LOCK TABLE notification IN SHARE MODE")  # As CREATE INDEX does.
    await heartbeats(device, 5)
    assert await failing(bridge) == []
    other = await connect(bridge, 2)
    assert (await row(other, 5)).id == unsent
    await locker.rollback()
    await locker.close()
    await database.sent(unsent, seconds=20)


async def test_rows_that_were_written_are_marked_when_their_table_is_back(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(OTHER)
    await database.execute("SELECT notify_bridge.attach('other')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1, ack=True)
    ids = await database.insert_many(1, 3)
    await database.execute("INSERT INTO other (user_id, data) VALUES (1, '{}')")
    await device.notifications(4)
    locker = await database.connect(autocommit=False)
    await locker.execute("LOCK TABLE notification IN ACCESS EXCLUSIVE MODE")
    await in_quarantine(database, LOCKED, stage="read")
    device.send({"type": "ack", "ids": ids, "source": "public.notification"})
    device.send({"type": "read", "ids": ids, "source": "public.notification"})
    device.send({"type": "ack", "ids": [1], "source": "public.other"})
    await other_marked(database, 1)  # So the marks that came before it had their turn.
    await locker.rollback()
    await locker.close()
    await database.sent(ids, seconds=15)

    async def read() -> int:
        return await database.value("SELECT count(*) FROM notification WHERE is_read")

    await eventually(read, lambda count: count == 3, "the receipts", 15)


@pytest.mark.parametrize("away", ["locked", "renamed column"])
async def test_read_receipts_of_a_table_that_is_away_are_written_when_it_is_back(
    away: str, database: Database, serve: Serve, connect: Connect
) -> None:
    await database.execute(OTHER)
    await database.execute("SELECT notify_bridge.attach('other')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1, ack=True)
    ids = await database.insert_many(1, 3)
    await database.execute("INSERT INTO other (user_id, data) SELECT 1, '{}' FROM generate_series(1, 2)")
    await device.notifications(5)
    device.send({"type": "ack", "ids": ids, "source": "public.notification"})
    await database.sent(ids)
    if away == "locked":
        locker = await database.connect(autocommit=False)
        await locker.execute("LOCK TABLE notification IN ACCESS EXCLUSIVE MODE")
        await in_quarantine(database, LOCKED, stage="read")
    else:
        await database.execute("ALTER TABLE notification RENAME data TO content")
        await in_quarantine(database, [("public.notification", None, "55000")], stage="read")
    device.send({"type": "read", "ids": ids, "source": "public.notification"})
    # The second turn of the marker begins after the end of the one that had the receipts.
    for turn in (1, 2):
        device.send({"type": "ack", "ids": [turn], "source": "public.other"})
        await other_marked(database, turn)
    if away == "locked":
        await locker.rollback()
        await locker.close()
    else:
        assert await database.value("SELECT count(*) FROM notification WHERE is_read") == 0
        await database.execute("ALTER TABLE notification RENAME content TO data")

    async def read() -> int:
        return await database.value("SELECT count(*) FROM notification WHERE is_read")

    await eventually(read, lambda count: count == 3, "the receipts", 20)


@pytest.mark.parametrize("condition", ["", """WHERE OLD.data @> '{"bad": true}'"""])
async def test_a_rule_that_replaces_updates_sets_its_table_aside(
    condition: str, database: Database, serve: Serve, connect: Connect
) -> None:
    await database.execute(OTHER)
    await database.execute("SELECT notify_bridge.attach('other')")
    await database.execute(f"CREATE RULE refuse AS ON UPDATE TO notification {condition} DO INSTEAD NOTHING")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1)
    ids = await database.insert_many(1, 3)
    await device.notifications(3)
    await in_quarantine(database, [("public.notification", None, "0A000")])
    await database.execute("INSERT INTO other (user_id, data) VALUES (1, '{}')")
    assert (await device.notification()).source == "public.other"
    await other_marked(database, 1)
    await database.execute("DROP RULE refuse ON notification")
    await database.execute("SELECT notify_bridge.retry_quarantined('notification', NULL::text[])")
    await database.sent(ids, seconds=20)
    await in_quarantine(database, [])


async def test_a_partition_that_is_detached_takes_its_rows_along_and_brings_them_back(
    database: Database, serve: Serve, connect: Connect
) -> None:
    await database.execute("CREATE TABLE parted (id bigserial PRIMARY KEY, user_id bigint, data jsonb) PARTITION BY HASH (id)")
    for part in range(2):
        await database.execute(f"CREATE TABLE parted_{part} PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER {part})")
    await database.execute("SELECT notify_bridge.attach('parted')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1, ack=True)
    await database.execute("INSERT INTO parted (user_id, data) SELECT 1, '{}' FROM generate_series(1, 20)")
    ids = [message.id for message in await device.notifications(20)]
    await database.execute("ALTER TABLE parted DETACH PARTITION parted_1")
    device.send({"type": "ack", "ids": ids, "source": "public.parted"})

    async def unmarked() -> int:
        return await database.value("SELECT count(*) FROM parted WHERE sent_at IS NULL")

    await eventually(unmarked, lambda count: count == 0, "the rows that are left are marked", 20)
    away = [row[0] for row in await database.execute("SELECT id FROM parted_1 WHERE sent_at IS NULL ORDER BY id")]
    assert away
    await database.execute("INSERT INTO parted_1 (id, user_id, data) VALUES (1000, 1, '{}')")
    assert await device.barrier() == []
    assert (await bridge.get("/readyz"))[0] == 200
    assert await database.value("SELECT count(*) FROM notify_bridge.quarantine") == 0
    await database.execute("DELETE FROM parted_1 WHERE id = 1000")
    await database.execute("ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
    # Nobody has said that they were sent.
    again = await connect(bridge, 1)
    assert sorted(message.id for message in await again.notifications(len(away), 15)) == away
    await eventually(unmarked, lambda count: count == 0, "all rows are marked", 20)
