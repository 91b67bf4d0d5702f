"""Rows of attached tables: each delivered once to whom it is for, marked, and read, whatever its keys and its table are like."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Closed, Device, Message
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

NOTE = """CREATE TABLE note (
  id {id} PRIMARY KEY, recipient_id {user}, title text, data jsonb, is_sent boolean NOT NULL DEFAULT false,
  is_read boolean NOT NULL DEFAULT false, read_at timestamptz, created_at timestamptz NOT NULL DEFAULT now())"""


async def attach(database: Database, table: str, *arguments: str) -> None:
    done = await run("attach", table, *arguments, "--yes", DATABASE_URL=database.url)
    assert done.status == 0, done


async def only(database: Database, *tables: str) -> None:
    """Serves nothing but these: our own table is gone."""
    await database.execute("DROP TABLE notification")
    await database.execute("DELETE FROM notify_bridge.source WHERE is_own")
    for table in tables:
        await attach(database, table)


async def marked(database: Database, table: str, count: int) -> None:
    async def look() -> int:
        return await database.value(f"SELECT count(*) FROM {table} WHERE sent_at IS NOT NULL")

    await eventually(look, lambda rows: rows == count, f"{count} rows of {table} marked")


def place(message: Message) -> tuple[str | None, Any]:
    """What names a row: its table, where there are several, and its id."""
    return message.source, message.id


ONE = uuid.UUID("11111111-1111-4111-8111-111111111111")
TWO = uuid.UUID("22222222-2222-4222-8222-222222222222")


@pytest.mark.parametrize(("id_type", "user_type", "ids", "user"), [
    ("smallint", "integer", [3, -5], 7), ("integer", "smallint", [1, 2], 7), ("bigint", "bigint", [9_223_372_036_854_775_807, 1], 9_007_199_254_740_993),
    ("uuid", "uuid", [ONE, TWO], TWO), ("text", "text", ['a "quoted" id', "ünï'\\"], "user@example.com"),
    ("varchar(40)", "varchar(40)", ["x", "10"], "42"), ("integer", "uuid", [1, 2], ONE), ("uuid", "integer", [ONE, TWO], 5),
])
async def test_keys_of_every_kind_are_delivered_marked_and_read(
    database: Database, serve: Serve, connect: Connect, id_type: str, user_type: str, ids: list[Any], user: Any
) -> None:
    await database.execute(NOTE.format(id=id_type, user=user_type))
    await database.execute("INSERT INTO note (id, recipient_id) SELECT %s, %s WHERE false", (ids[0], user))
    await only(database, "note")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, str(user) if isinstance(user, uuid.UUID) else user)
    for id in ids:
        await database.execute("INSERT INTO note (id, recipient_id, data) VALUES (%s, %s, '{\"a\": 1}')", (id, user))
        message = await device.notification()
        assert message.source is None
        assert message.id == (str(id) if isinstance(id, uuid.UUID) else id) and message.data == b'{"a": 1}'
        assert message.created_at is not None
    await marked(database, "note", len(ids))
    assert await database.value("SELECT bool_and(is_sent) FROM note")

    device.send({"type": "read", "ids": [message.id]})

    async def read() -> Any:
        return await database.execute("SELECT id FROM note WHERE is_read AND read_at IS NOT NULL")

    assert await eventually(read, bool, "the row marked read") == [(ids[-1],)]
    await device.close()
    again = await connect(bridge, str(user) if isinstance(user, uuid.UUID) else user)
    assert await again.barrier() == []


async def test_several_tables_beside_ours_name_their_source(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    await database.execute('CREATE TABLE "Ünread" ("Id" text PRIMARY KEY, "user" text, "Daten" json)')
    await database.execute("CREATE TABLE by_uuid (id int PRIMARY KEY, recipient uuid, data jsonb)")
    for table in ("note", "Ünread", "by_uuid"):
        await attach(database, table)
    bridge = await serve(database)
    await bridge.ready()
    device, other, third = await connect(bridge, 7), await connect(bridge, "ann"), await connect(bridge, str(ONE))
    async with (await database.connect(autocommit=False)) as writer:  # one transaction, so one delta for all of them
        await writer.execute("INSERT INTO notification (user_id, data) VALUES (7, '1')")
        await writer.execute("INSERT INTO note (id, recipient_id, data) VALUES (1, 7, '2')")
        await writer.execute("""INSERT INTO "Ünread" VALUES ('1', '7', '{ "as":  "written" }'), ('2', 'ann', '3')""")
        await writer.execute("INSERT INTO by_uuid VALUES (1, %s, '4')", (ONE,))
    got = {place(message): message.data for message in await device.notifications(3)}
    assert got == {("public.notification", 1): b"1", ("public.note", 1): b"2", ('public."Ünread"', "1"): b'{ "as":  "written" }'}
    assert place(await other.notification()) == ('public."Ünread"', "2")
    assert place(await third.notification()) == ("public.by_uuid", 1)
    for table, count in (("notification", 1), ("note", 1), ('"Ünread"', 2), ("by_uuid", 1)):
        await marked(database, table, count)
    assert all([await each.barrier() == [] for each in (device, other, third)])

    # An id alone would be three rows: a receipt names its table too.
    device.send({"type": "read", "ids": [1], "source": "public.note"})

    async def read_note() -> Any:
        return await database.execute("SELECT (SELECT bool_or(is_read) FROM note), (SELECT bool_or(is_read) FROM notification)")

    assert await eventually(read_note, lambda rows: rows[0][0], "the row marked read") == [(True, False)]


async def test_rows_from_before_are_not_sent_and_a_stale_save_sends_nothing_again(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    await database.execute("INSERT INTO note (recipient_id, data) SELECT 7, '{}' FROM generate_series(1, 100)")
    await only(database, "note")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 7)
    assert await device.barrier() == []
    await database.execute("INSERT INTO note (recipient_id, data) VALUES (7, '{}')")
    assert (await device.notification()).id == 101
    await marked(database, "note", 1)
    # As an ORM saves an object that it loaded before it was sent; and one from before it was attached.
    await database.execute("UPDATE note SET is_sent = false, title = 'saved' WHERE id IN (1, 101)")
    # As a backend that delivers by itself still does for some.
    await database.execute("INSERT INTO note (recipient_id, is_sent) VALUES (7, true)")
    await database.execute("INSERT INTO note (recipient_id) VALUES (7)")
    assert (await device.notification()).id == 103
    await marked(database, "note", 2)
    assert await (await connect(bridge, 7)).barrier() == []
    assert await database.value("SELECT notify_bridge.resend('note', ARRAY[1, 101])") == 2
    assert sorted(message.id for message in await device.notifications(2)) == [1, 101]


async def test_a_partitioned_table_delivers_whatever_partition_a_row_goes_to(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute("CREATE TABLE note (id bigint, user_id text, data jsonb, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)")
    await database.execute("CREATE TABLE note_old PARTITION OF note FOR VALUES FROM (MINVALUE) TO ('2026-01-01')")
    await database.execute("CREATE TABLE note_new PARTITION OF note FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)")
    await only(database, "note")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, "ann")
    # The same id in two partitions is two rows.
    for table, id, day in (("note", 1, "2025-01-01"), ("note", 1, "2027-01-01"), ("note_old", 2, "2024-01-01"), ("note_new", 3, "2028-01-01")):
        await database.execute(f"INSERT INTO {table} VALUES (%s, 'ann', to_jsonb(%s::text), %s)", (id, day, day))
        message = await device.notification()
        assert (message.id, json.loads(message.data)) == (id, day)
        assert (await bridge.metrics()).get("notify_bridge_safety_finds_total", 0) == 0
    await marked(database, "note", 4)
    assert await (await connect(bridge, "ann")).barrier() == []


async def test_an_expression_makes_the_payload(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    await database.execute("DROP TABLE notification")
    await database.execute("DELETE FROM notify_bridge.source WHERE is_own")
    await attach(database, "note", "--payload", "jsonb_build_object('title', title, 'id', n.id) || coalesce(data, '{}') -- of several columns")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 7)
    await database.execute("INSERT INTO note (recipient_id, title, data) VALUES (7, 'hello', '{\"more\": [1]}'), (7, NULL, NULL)")
    assert [json.loads(message.data) for message in await device.notifications(2)] == [
        {"title": "hello", "id": 1, "more": [1]}, {"title": None, "id": 2}]
    # Also by a replay.
    await marked(database, "note", 2)
    await device.close()
    await database.execute("INSERT INTO note (recipient_id, title) VALUES (7, 'later')")
    assert json.loads((await (await connect(bridge, 7)).notification()).data) == {"title": "later", "id": 3}


async def test_a_renamed_column_stops_its_table_only_and_is_named_until_it_is_mended(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    await attach(database, "note")
    bridge = await serve(database)
    await bridge.ready()
    await database.execute("ALTER TABLE note RENAME data TO extra")

    async def failing() -> bytes:
        return (await bridge.get("/readyz"))[2]

    body = await eventually(failing, lambda body: b'"table"' in body, "the table among what isn't ready")
    assert b"public.note" in body and b"column" not in body, body
    await bridge.logged(lambda line: "column data is missing" in line.get("reason", ""), "the reason")
    id = await database.insert(7)
    await seen(bridge, connect, 7, lambda rows: ("public.notification", id) in rows)
    await database.execute("INSERT INTO note (recipient_id, extra) VALUES (7, '{\"kept\": true}')")
    await attach(database, "note")
    await seen(bridge, connect, 7, lambda rows: ("public.note", 1) in rows)
    await bridge.ready()
    assert bridge.running


async def test_a_table_attached_and_detached_under_a_running_bridge(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    bridge = await serve(database)
    await bridge.ready()
    await attach(database, "note")
    await database.execute("INSERT INTO note (recipient_id, data) VALUES (7, '{}')")
    # Which tables there are is told to clients at their start: they are asked to come back.
    assert ("public.note", 1) in await seen(bridge, connect, 7, lambda rows: ("public.note", 1) in rows)
    done = await run("detach", "note", "--yes", DATABASE_URL=database.url)
    assert done.status == 0, done
    await database.execute("INSERT INTO note (recipient_id, data) VALUES (7, '{}')")
    id = await database.insert(7)
    await seen(bridge, connect, 7, lambda rows: any(row[1] == id for row in rows))
    await bridge.ready()
    assert bridge.running


async def seen(
    bridge: Bridge, connect: Connect, user: object, accept: Callable[[list[tuple[str | None, Any]]], bool]
) -> list[tuple[str | None, Any]]:
    """All rows that a user gets, who comes back whenever a connection ends, until they are accepted."""
    got: list[tuple[str | None, Any]] = []
    device: Device | None = None
    while not accept(got):
        try:
            device = device or await connect(bridge, user)
            got.append(place(await device.notification()))
        except Closed as end:
            assert end.code == 1012
            device = None
    if device is not None:
        await device.close()  # a later row is not for it
    return got


async def test_every_row_of_many_writers_to_several_tables_comes_exactly_once(database: Database, serve: Serve, connect: Connect) -> None:
    users = range(1, 6)
    await database.execute(NOTE.format(id="bigserial", user="integer"))
    await database.execute("CREATE TABLE mail (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text, data jsonb)")
    await database.execute("CREATE TABLE parted (id bigserial, user_id bigint, data jsonb, PRIMARY KEY (id)) PARTITION BY HASH (id)")
    for part in range(3):
        await database.execute(f"CREATE TABLE parted_{part} PARTITION OF parted FOR VALUES WITH (MODULUS 3, REMAINDER {part})")
    for table in ("note", "mail", "parted"):
        await attach(database, table)
    bridge = await serve(database)
    await bridge.ready()
    devices = {user: [await connect(bridge, user) for _ in range(2)] for user in users}
    statements = {
        "public.notification": "INSERT INTO notification (user_id, data) SELECT u, '{}' FROM generate_series(1, 5) AS u RETURNING user_id, id",
        "public.note": "INSERT INTO note (recipient_id, data) SELECT u, '{}' FROM generate_series(1, 5) AS u RETURNING recipient_id, id",
        "public.mail": "INSERT INTO mail (user_id, data) SELECT u::text, '{}' FROM generate_series(1, 5) AS u RETURNING user_id::int, id::text",
        "public.parted": "INSERT INTO parted (user_id, data) SELECT u, '{}' FROM generate_series(1, 5) AS u RETURNING user_id, id",
    }
    wanted: dict[int, set[tuple[str, Any]]] = {user: set() for user in users}

    async def write(number: int) -> None:
        async with (await database.connect(autocommit=False)) as writer:
            for turn in range(30):
                rows = []
                for source, statement in list(statements.items())[number % 4:] + list(statements.items())[:number % 4]:
                    cursor = await writer.execute(statement)
                    rows += [(user, (source, id)) for user, id in await cursor.fetchall()]
                if turn % 7 == 3:
                    await writer.rollback()
                    continue
                await writer.commit()
                for user, row in rows:
                    wanted[user].add(row)

    await asyncio.gather(*(write(number) for number in range(4)))
    for user in users:
        for device in devices[user]:
            got = Counter(place(message) for message in await device.notifications(len(wanted[user])))
            assert set(got) == wanted[user] and max(got.values()) == 1
            assert await device.barrier() == []
    for table in ("notification", "note", "mail", "parted"):
        await marked(database, table, await database.value(f"SELECT count(*) FROM {table}"))
    assert (await bridge.metrics()).get("notify_bridge_safety_finds_total", 0) == 0


async def test_every_spelling_of_a_uuid_is_the_same_user(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute(NOTE.format(id="bigint", user="uuid"))
    await only(database, "note")
    bridge = await serve(database)
    id = 9_007_199_254_740_993
    insert = "INSERT INTO note (id, recipient_id) VALUES (%s, %s)"
    await database.execute(insert, (id, TWO))
    spellings = [str(TWO), str(TWO).upper(), TWO.hex, TWO.hex.upper()]
    # The first gets it as unsent, by a replay.
    devices = [await connect(bridge, spelling, ack=True) for spelling in reversed(spellings)]
    assert [message.id for message in (await devices[0].notification(), await devices[1].notification())] == [id, id]
    ticket = await database.value("SELECT notify_bridge.issue_ticket(%s)", (TWO.hex.upper(),))
    devices.append(await connect(bridge, query={"token": ticket}))
    await database.execute(insert, (id + 2, TWO))
    for device in devices:
        while (await device.notification()).id != id + 2:
            pass
    # As JavaScript has to write it.
    devices[0].send({"type": "ack", "ids": [str(id), str(id + 2)]})
    devices[0].send({"type": "read", "ids": [str(id)]})
    await marked(database, "note", 2)
    await eventually(
        lambda: database.value("SELECT array_agg(id) FROM note WHERE is_read"), lambda ids: ids == [id], "the receipt")
    await database.execute("SELECT notify_bridge.disconnect_user(%s)", (TWO.hex.upper(),))
    for device in devices:
        assert (await device.end()).code == 4001


async def test_a_user_that_no_table_can_have_rows_for_is_logged(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database)
    await connect(bridge, 1)
    await connect(bridge, str(ONE))
    line = await bridge.logged(lambda line: "no served table" in line["message"], "the warning")
    assert (line["level"], line["user"]) == ("warning", str(ONE))
    assert len([line for line in bridge.log() if "no served table" in line["message"]]) == 1
