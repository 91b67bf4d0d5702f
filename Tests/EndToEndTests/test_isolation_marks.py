"""A row that can't be marked, or a receipt that can't be written, is one row's failure: everything else goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness.bridge import Bridge, run
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET as KEY
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

SECRET = "what only the row knows"
# Each keeps the UPDATE of rows whose data is {"bad": true} from happening, in a way of its own.
REFUSALS = {
    "P0001": f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.data @> '{{"bad": true}}' THEN RAISE EXCEPTION '{SECRET} %', OLD.data; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()""",
    "42501": f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.data @> '{{"bad": true}}' THEN RAISE EXCEPTION '{SECRET}' USING ERRCODE = '42501', HINT = '{SECRET}';
        END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse AFTER UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()""",
    "22012": """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        PERFORM 1 / (CASE WHEN OLD.data @> '{"bad": true}' THEN 0 ELSE 1 END); RETURN NEW; END $$;
        CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON notification DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION refuse()""",
    "02000": """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RETURN CASE WHEN OLD.data @> '{"bad": true}' THEN NULL ELSE NEW END; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()""",
    "23514": """ALTER TABLE notification ADD CONSTRAINT refuse CHECK (NOT (is_sent AND data @> '{"bad": true}'))""",
    "23505": """CREATE UNIQUE INDEX refuse ON notification ((1)) WHERE is_sent AND data @> '{"bad": true}';
        INSERT INTO notification (user_id, data, is_sent) VALUES (NULL, '{"bad": true}', true)""",
    "57014": """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.data @> '{"bad": true}' THEN PERFORM pg_sleep(100); END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()""",
}


async def quarantined(database: Database, stage: str = "mark") -> list[tuple[Any, ...]]:
    return await database.execute(
        "SELECT source, row_id, sqlstate FROM notify_bridge.quarantine WHERE stage = %s ORDER BY row_id::bigint", (stage,))


async def in_quarantine(database: Database, wanted: list[tuple[Any, ...]], stage: str = "mark", seconds: float = 15) -> None:
    async def look() -> list[tuple[Any, ...]]:
        return await quarantined(database, stage)

    await eventually(look, lambda seen: seen == wanted, f"the quarantine {wanted}", seconds)


@pytest.mark.parametrize("sqlstate", REFUSALS)
async def test_a_row_that_cannot_be_marked_holds_up_no_other(
    sqlstate: str, bridge: Bridge, database: Database, connect: Connect
) -> None:
    await database.execute(REFUSALS[sqlstate])
    device = await connect(bridge, 1)
    ids = [await database.insert(1, '{"bad": true}' if n == 7 else "{}") for n in range(20)]
    bad = ids.pop(7)
    await device.notifications(20)
    device.send({"type": "read", "ids": ids[:3]})
    await database.sent(ids, seconds=40)
    await in_quarantine(database, [("public.notification", str(bad), sqlstate)])

    async def read() -> int:
        return await database.value("SELECT count(*) FROM notification WHERE is_read")

    await eventually(read, lambda count: count == 3, "3 rows read")
    later = await database.insert_many(1, 50)
    await device.notifications(50)
    await database.sent(later)
    await eventually(bridge.metrics, lambda samples: samples.get(
        'notify_bridge_quarantined_rows{stage="mark",source="public.notification"}') == 1, "the metric")
    assert (await bridge.get("/readyz"))[0] == 200
    entered = await bridge.logged(lambda line: line["message"] == "a row is set aside", "the row's entry")
    assert (entered["source"], entered["row_id"], entered["stage"], entered["sqlstate"]) == (
        "public.notification", str(bad), "mark", sqlstate)
    assert SECRET not in "\n".join(bridge.stderr.lines)
    checked = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=KEY)
    assert checked.status == 0 and f"1 row of public.notification can't be marked (SQLSTATE {sqlstate})" in checked.stdout, checked

    # The cause is removed: the row is marked, at once where an operator says so.
    await database.execute("""DROP TRIGGER IF EXISTS refuse ON notification; DROP INDEX IF EXISTS refuse;
        ALTER TABLE notification DROP CONSTRAINT IF EXISTS refuse""")
    assert await database.value("SELECT notify_bridge.retry_quarantined('notification', ARRAY[%s])", (bad,)) == 1
    await database.sent(bad)
    await in_quarantine(database, [])
    left = await bridge.logged(lambda line: line["message"] == "a row is in quarantine no more", "the row's exit")
    assert left["row_id"] == str(bad)
    await eventually(bridge.metrics, lambda samples: samples.get(
        'notify_bridge_quarantined_rows{stage="mark",source="public.notification"}') == 0, "the metric")


async def cursor_behind(device: Device, txid: int) -> str:
    """A cursor that has seen a transaction: no cursor claims more than the newest transaction known to be on disk."""

    async def look() -> str:
        await device.barrier()
        assert device.cursor is not None
        return device.cursor

    return await eventually(look, lambda cursor: int(cursor.split(".")[1], 36) > txid, "a cursor behind the row", 15, 0.2)


async def test_a_row_that_was_written_and_cannot_be_marked_is_not_written_to_a_cursor_behind_it(
    bridge: Bridge, database: Database, connect: Connect, serve: Serve
) -> None:
    await database.execute(REFUSALS["23514"])
    device = await connect(bridge, 1)
    bad = await database.insert(1, '{"bad": true}')
    assert (await device.notification()).id == bad
    await in_quarantine(database, [("public.notification", str(bad), "23514")])
    good = await database.insert(1)
    assert (await device.notification()).id == good
    await database.sent(good)
    cursor = await cursor_behind(device, int((await database.row(bad))["txid"]))
    await device.close()
    for running in (bridge, await serve(database)):
        await running.ready()
        again = await connect(running, 1, since=cursor)
        assert bad not in [message.id for message in await again.barrier()], "the cursor vouches for it"
        fresh = await connect(running, 1)
        assert (await fresh.notification()).id == bad, "who has no cursor gets every unsent row"


async def test_rows_of_a_table_that_cannot_be_marked_are_not_written_to_a_cursor_behind_them(
    bridge: Bridge, database: Database, connect: Connect, serve: Serve
) -> None:
    await database.execute("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH STATEMENT EXECUTE FUNCTION refuse()""")
    device = await connect(bridge, 1)
    ids = await database.insert_many(1, 450)
    assert [message.id for message in await device.notifications(450)] == ids
    await in_quarantine(database, [("public.notification", None, "P0001")])
    cursor = await cursor_behind(device, int((await database.row(ids[0]))["txid"]))
    await device.close()
    again = await connect(bridge, 1, since=cursor)
    assert [message.id for message in await again.barrier()] == []
    fresh = await connect(bridge, 1)
    assert [message.id for message in await fresh.notifications(450)] == ids


async def test_a_table_of_which_no_row_can_be_marked_is_set_aside_as_a_whole(
    serve: Serve, database: Database, connect: Connect
) -> None:
    await database.execute("CREATE TABLE other (id int PRIMARY KEY, user_id int, data jsonb)")
    await database.execute("SELECT notify_bridge.attach('other')")
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1)
    await database.execute("INSERT INTO other VALUES (0, 1, '{}')")
    await device.notification(20)
    await database.execute("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH STATEMENT EXECUTE FUNCTION refuse()""")
    ids = await database.insert_many(1, 100)
    await device.notifications(100)
    await in_quarantine(database, [("public.notification", None, "P0001")])
    await database.execute("INSERT INTO other VALUES (1, 1, '{}')")
    await device.notification()

    async def other_sent() -> int:
        return await database.value("SELECT count(*) FROM other WHERE sent_at IS NOT NULL")

    await eventually(other_sent, lambda count: count == 2, "the other table's rows marked")
    device.send({"type": "read", "ids": [1], "source": "public.other"})

    async def ready() -> Any:
        return json.loads((await bridge.get("/readyz"))[2]).get("quarantined")

    await eventually(ready, lambda seen: seen == [{"table": "public.notification", "stage": "mark"}], "/readyz names the table")
    assert (await bridge.get("/readyz"))[0] == 200
    checked = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=KEY)
    assert checked.status == 1 and "public.notification can't be marked (SQLSTATE P0001)" in checked.stdout, checked
    await database.execute("DROP TRIGGER refuse ON notification")
    await database.sent(ids, seconds=20)
    await in_quarantine(database, [])
    await bridge.logged(lambda line: line["message"] == "a table is in quarantine no more", "the table's exit")


async def test_a_table_that_is_locked_holds_up_the_marks_of_no_other(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute("CREATE TABLE other (id int PRIMARY KEY, user_id int, data jsonb)")
    await database.execute("SELECT notify_bridge.attach('other')")
    bridge = await serve(database)
    await bridge.ready()
    # With ack the rows are marked when the test says so.
    device = await connect(bridge, 1, ack=True)
    await database.execute("INSERT INTO other VALUES (1, 1, '{}')")
    id = await database.insert(1)
    await device.notifications(2, 20)
    locker = await database.connect(autocommit=False)
    await locker.execute("LOCK TABLE notification IN SHARE MODE")
    device.send({"type": "ack", "ids": [id], "source": "public.notification"})
    await database.execute("SELECT 1")
    await in_quarantine(database, [("public.notification", None, "55P03")])
    device.send({"type": "ack", "ids": [1], "source": "public.other"})

    async def other_sent() -> int:
        return await database.value("SELECT count(*) FROM other WHERE sent_at IS NOT NULL")

    await eventually(other_sent, lambda count: count == 1, "the other table's row marked")
    await locker.rollback()
    await locker.close()
    await database.sent(id, seconds=15)
    await in_quarantine(database, [])


async def test_many_rows_that_cannot_be_marked_do_not_hide_those_that_can(
    bridge: Bridge, database: Database, connect: Connect
) -> None:
    await database.execute(REFUSALS["23514"])
    device = await connect(bridge, 1)
    await database.execute("INSERT INTO notification (user_id, data) SELECT 1, '{\"bad\": true}' FROM generate_series(1, 300)")
    good = await database.insert_many(1, 300)
    await device.notifications(600, 30)
    await database.sent(good, seconds=40)
    assert await database.value("SELECT count(*) FROM notification WHERE is_sent AND data @> '{\"bad\": true}'") == 0


# The last two are what an id gives that the database can't take.
@pytest.mark.parametrize("sqlstate", ["P0001", "22003", "22P02"])
async def test_a_receipt_that_cannot_be_written_holds_up_no_other(
    sqlstate: str, bridge: Bridge, database: Database, connect: Connect
) -> None:
    await database.execute(
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.is_read AND OLD.data @> '{{"bad": true}}' THEN RAISE 'no' USING ERRCODE = '{sqlstate}'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION refuse()""")
    device = await connect(bridge, 1)
    ids = [await database.insert(1, '{"bad": true}' if n == 7 else "{}") for n in range(20)]
    await device.notifications(20)
    await database.sent(ids)
    # One row is locked for as long as the test runs: its receipt waits, and no other.
    locker = await database.connect(autocommit=False)
    await locker.execute("SELECT FROM notification WHERE id = %s FOR UPDATE", (ids[3],))
    device.send({"type": "read", "ids": ids})

    async def unread() -> list[int]:
        return [row[0] for row in await database.execute("SELECT id FROM notification WHERE NOT is_read ORDER BY id")]

    await eventually(unread, lambda seen: seen == [ids[3], ids[7]], "all others read")
    await locker.rollback()
    await locker.close()
    await eventually(unread, lambda seen: seen == [ids[7]], "the locked one read too", 20)
    await database.execute("DROP TRIGGER refuse ON notification")
    await database.execute("SELECT notify_bridge.retry_quarantined('notification', ARRAY[%s])", (ids[7],))
    await eventually(unread, lambda seen: seen == [], "the last one read", 20)
    await in_quarantine(database, [])


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SQL_ASCII"])
async def test_ids_that_the_database_cannot_take_are_their_clients_matter(
    encoding: str, cluster: Cluster, serve: Serve, connect: Connect
) -> None:
    name = f"encoded_{encoding.lower()}"
    cluster.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    database = Database(cluster, name)
    assert (await run("migrate", "--no-table", DATABASE_URL=database.url)).status == 0
    await database.execute("CREATE TABLE note (code text PRIMARY KEY, who text, data jsonb, is_read boolean)")
    await database.execute("SELECT notify_bridge.attach('note', recipient => 'who', read => 'is_read')")
    bridge = await serve(database)
    await bridge.ready()
    honest, other = await connect(bridge, "honest"), await connect(bridge, "other")
    await database.execute("INSERT INTO note VALUES ('a', 'honest', '{}'), ('b', 'other', '{}')")
    await honest.notification()
    await other.notification()
    for _ in range(5):
        other.send({"type": "read", "ids": ["\u65e5\u672c", "a\u0000b", "\u0000", "x" * 60_000, 2**63 - 1, -1, *(f"\u65e5{n}" for n in range(300))]})
        other.send({"type": "ack", "ids": ["\u65e5\u672c", "b\u0000"]})
        honest.send({"type": "read", "ids": ["a"]})
        await asyncio.gather(honest.barrier(), other.barrier())

    async def read() -> list[Any]:
        rows = await database.execute("SELECT code, is_read, sent_at IS NOT NULL FROM note ORDER BY code")
        return [(code if isinstance(code, str) else code.decode(), *states) for code, *states in rows]

    await eventually(read, lambda rows: rows == [("a", True, True), ("b", None, True)], "the honest receipt and both marks")
    later = await connect(bridge, "honest")
    await database.execute("INSERT INTO note VALUES ('c', 'honest', '{}')")
    await later.notification()
    later.send({"type": "read", "ids": ["c"]})
    await eventually(read, lambda rows: rows[-1] == ("c", True, True), "and the next ones")
    assert await database.value("SELECT count(*) FROM notify_bridge.quarantine") == 0
    await database.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_user_that_the_encoding_cannot_hold_holds_up_no_other(
    encoding: str, cluster: Cluster, serve: Serve, connect: Connect
) -> None:
    name = f"strange_{encoding.lower()}"
    cluster.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    database = Database(cluster, name)
    assert (await run("migrate", "--no-table", DATABASE_URL=database.url)).status == 0
    await database.execute("CREATE TABLE note (code text PRIMARY KEY, who text, data jsonb)")
    await database.execute("SELECT notify_bridge.attach('note', recipient => 'who')")
    bridge = await serve(database)
    await bridge.ready()
    # Whoever gives a cursor back is looked up in the database.
    cursor = (await connect(bridge, "first")).cursor
    strange = await connect(bridge, "\u65e5\u672c", since=cursor)
    assert await strange.barrier() == []
    await database.execute("INSERT INTO note VALUES ('a', 'honest', '{}')")
    others = await asyncio.gather(*(connect(bridge, user, since=cursor) for user in ["\u65e5\u672c", "honest", "\u65e5"] * 3))
    for device in others[1::3]:
        assert (await device.notification(seconds=5)).id == "a"
