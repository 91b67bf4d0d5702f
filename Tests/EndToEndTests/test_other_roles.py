"""What other roles of the database may do: their functions are not run, and the settings of a role change nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
MESSAGES = """CREATE TABLE message (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id integer, title varchar(100), at timestamptz, bytes bytea)"""
PAYLOAD = """jsonb_build_object('title', lower(title), 'at', at, 'bytes', bytes, 'path', current_setting('search_path'),
  'waits', jsonb_build_array(current_setting('statement_timeout'),
    current_setting('idle_session_timeout'), current_setting('idle_in_transaction_session_timeout')))"""
HOSTILE = {
    "statement_timeout": "10min", "idle_session_timeout": "10min",
    "idle_in_transaction_session_timeout": "10min", "default_transaction_read_only": "on", "TimeZone": "Asia/Shanghai",
    "DateStyle": "German", "bytea_output": "escape",
}


@pytest_asyncio.fixture
async def messages(database: Database) -> AsyncIterator[Database]:
    """A database with an attached table, whose marking fires a trigger of the backend."""
    await database.execute(MESSAGES)
    await database.execute("CREATE TABLE history (id integer)")
    await database.execute(
        "CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO history VALUES (NEW.id); RETURN NEW; END $$")
    await database.execute("CREATE TRIGGER remember AFTER UPDATE ON message FOR EACH ROW EXECUTE FUNCTION remember()")
    await database.execute("SELECT notify_bridge.detach('notification')")
    done = await run("attach", "message", "--payload", PAYLOAD, "--yes", DATABASE_URL=database.url)
    assert done.status == 0, done
    yield database


async def insert(database: Database, title: str) -> None:
    await database.execute(
        "INSERT INTO message (user_id, title, at, bytes) VALUES (1, %s, '2026-01-02 03:04:05+00', '\\x00ff')", (title,))


@pytest.mark.parametrize("pooled", [False, True])
async def test_a_function_that_another_role_puts_before_a_builtin_one_reads_no_row(
    pooled: bool, messages: Database, serve: Serve, connect: Connect
) -> None:
    await messages.execute("CREATE TABLE stolen (title text)")
    # Of a varchar it is a better match than PostgreSQL's own, which takes text.
    await messages.execute(
        "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO public.stolen VALUES ($1); RETURN 'stolen'; END $$")
    await insert(messages, "Before")
    pooling = {"NOTIFY_BRIDGE_DATABASE_POOLED": "true", "NOTIFY_BRIDGE_DATABASE_LISTEN_URL": messages.url}
    bridge = await serve(messages, **(pooling if pooled else {}))
    device = await connect(bridge, 1)
    assert json.loads((await device.notification()).data)["title"] == "before"
    await insert(messages, "Live")
    assert json.loads((await device.notification()).data)["title"] == "live"
    assert await messages.value("SELECT count(*) FROM stolen") == 0


async def test_marking_fires_the_triggers_of_the_backend_with_the_search_path_of_the_role(
    messages: Database, serve: Serve, connect: Connect
) -> None:
    await insert(messages, "one")
    device = await connect(await serve(messages), 1)
    await device.notification()
    await eventually(lambda: messages.value("SELECT count(*) FROM history"), lambda count: count == 1, "a row of the trigger")
    assert await messages.value("SELECT count(*) FROM message WHERE sent_at IS NULL") == 0


async def test_the_settings_of_a_role_or_database_do_not_reach_the_bridge(messages: Database, serve: Serve, connect: Connect) -> None:
    for name, value in HOSTILE.items():
        await messages.execute(f"ALTER DATABASE {messages.name} SET {name} = '{value}'")
    bridge = await serve(messages)
    await insert(messages, "Before")
    device = await connect(bridge, 1)
    for title in ("before", "live"):
        data = json.loads((await device.notification()).data)
        assert data == {
            "title": title, "at": "2026-01-02T03:04:05+00:00", "bytes": "\\x00ff",
            "waits": ["0", "0", "0"], "path": "pg_catalog, pg_temp",
        }
        if title == "before":
            await insert(messages, "Live")
    await eventually(
        lambda: messages.value("SELECT count(*) FROM message WHERE sent_at IS NULL"), lambda count: count == 0, "the marks")


async def test_check_names_what_writers_that_prepare_transactions_need(database: Database) -> None:
    async def finding(**settings: str) -> str:
        done = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, **settings)
        assert done.status == 0, done
        return next(line for line in done.stdout.splitlines() if line.split()[1] == "two-phase")

    expected = {"NOTIFY_BRIDGE_DATABASE_TWO_PHASE_WRITERS": "true"}
    found = await finding()
    assert found.startswith("warn") and "max_prepared_transactions is 5" in found
    assert "SET notify_bridge.two_phase = on" in found and "NOTIFY_BRIDGE_DATABASE_TWO_PHASE_WRITERS=true" in found
    found = await finding(**expected)
    assert found.startswith("warn") and "no role has notify_bridge.two_phase" in found
    await database.execute(f"ALTER DATABASE {database.name} SET notify_bridge.two_phase = on")
    found = await finding()
    assert found.startswith("warn") and database.name in found and "two seconds late" in found
    assert (await finding(**expected)).startswith("ok")


async def test_a_time_without_a_zone_is_read_in_the_zone_that_attach_shows(database: Database, serve: Serve, connect: Connect) -> None:
    await database.execute("CREATE TABLE message (id integer PRIMARY KEY, user_id integer, data jsonb, created timestamp)")
    await database.execute(f"ALTER DATABASE {database.name} SET TimeZone = 'Asia/Tokyo'")
    done = await run("attach", "message", "--yes", DATABASE_URL=database.url)
    assert done.status == 0 and "created (in the time zone Asia/Tokyo)" in done.stdout, done
    done = await run("attach", "message", "--created-zone", "America/New_York", "--yes", DATABASE_URL=database.url)
    assert done.status == 0 and "created (in the time zone America/New_York)" in done.stdout, done
    await database.execute("SELECT notify_bridge.detach('notification')")
    device = await connect(await serve(database), 1)
    await database.execute("INSERT INTO message (id, user_id, data, created) VALUES (1, 1, '{}', '2026-01-02 03:04:05')")
    assert (await device.notification()).created_at == "2026-01-02T08:04:05.000000+00:00"


async def test_rows_that_an_orm_writes_without_their_transaction_are_delivered(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database)
    device = await connect(bridge, 1)
    live = await database.insert(1, txid=None)
    assert (await device.notification()).id == live
    await database.sent(live)
    await device.close()
    missed = await database.insert(1, txid=None)
    await database.execute("UPDATE notification SET data = '{\"saved\": 2}', txid = NULL WHERE id = %s", (missed,))
    again = await connect(bridge, 1)
    found = await again.notification()
    assert (found.id, json.loads(found.data)) == (missed, {"saved": 2})
    await database.sent([live, missed])
