"""The retention: which rows it deletes, when, how fast, and by which bridge."""

from __future__ import annotations

import asyncio
import os
import pty
import re
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import BINARY, Bridge, run
from harness.database import Database
from harness.waiting import eventually, within

Serve = Callable[..., Awaitable[Bridge]]


async def old_rows(database: Database, count: int, sent: bool = True, days: int = 90) -> None:
    await database.execute(
        """INSERT INTO notification (user_id, is_sent, sent_at, created_at)
        SELECT 1, %s, CASE WHEN %s THEN now() END, now() - make_interval(days => %s) FROM generate_series(1, %s)""",
        (sent, sent, days, count))


async def left(database: Database) -> int:
    return await database.value("SELECT count(*) FROM notification")


async def looked(bridge: Bridge) -> None:
    """Waits until a bridge has looked and found that it may not delete."""
    await bridge.logged(lambda line: line["message"].startswith("the retention waits"), "the look")


async def window(database: Database, zone: str, begins: str, ends: str) -> str:
    """A window that begins and ends so long after the time in a zone."""
    return await database.value(
        "SELECT to_char(t.clock + %s::interval, 'HH24:MI-') || to_char(t.clock + %s::interval, 'HH24:MI') FROM (SELECT now() AT TIME ZONE %s AS clock) AS t",
        (begins, ends, zone))


async def test_unsent_rows_are_kept_unless_they_are_older_than_it_is_said(database: Database, serve: Serve) -> None:
    await old_rows(database, 3, sent=False, days=90)
    await old_rows(database, 2, sent=False, days=50)
    await old_rows(database, 1, sent=True, days=40)
    await serve(database, NOTIFY_BRIDGE_RETENTION_UNSENT_DAYS="60")
    await eventually(lambda: left(database), lambda rows: rows == 2, "the two unsent rows of 50 days")
    done = await run("purge", "--retention-unsent-days", "45", DATABASE_URL=database.url)
    assert (done.status, done.stdout) == (0, "deleted 2 rows older than 30 days\n")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
async def test_rows_are_deleted_in_the_window_of_the_servers_time_zone_only(zone: str, database: Database, serve: Serve) -> None:
    await database.execute(f"ALTER DATABASE {database.name} SET timezone = '{zone}'")
    await old_rows(database, 5)
    later = await serve(
        database, NOTIFY_BRIDGE_RETENTION_WINDOW=await window(database, zone, "2 hours", "3 hours"), NOTIFY_BRIDGE_LOG_LEVEL="debug")
    await looked(later)
    await later.terminate()
    assert await left(database) == 5
    await serve(database, NOTIFY_BRIDGE_RETENTION_WINDOW=await window(database, zone, "-1 hour", "1 hour"))
    await eventually(lambda: left(database), lambda rows: rows == 0, "no row")


async def test_a_pace_makes_small_deletes_one_after_the_other(database: Database, serve: Serve) -> None:
    await database.execute(
        """CREATE TABLE deleted (at timestamptz, rows bigint);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
          INSERT INTO public.deleted SELECT clock_timestamp(), count(*) FROM gone; RETURN NULL; END $$;
        CREATE TRIGGER note AFTER DELETE ON notification REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note()""")
    await old_rows(database, 100)
    await serve(database, NOTIFY_BRIDGE_RETENTION_ROWS_PER_SECOND="40")
    await eventually(lambda: left(database), lambda rows: rows == 0, "no row", 20)
    deletes = await database.execute("SELECT extract(epoch FROM at)::float8, rows FROM deleted WHERE rows > 0 ORDER BY at")
    assert [rows for _, rows in deletes] == [40, 40, 20]
    assert deletes[-1][0] - deletes[0][0] > 1.8, "two batches take a second each"


async def test_the_first_of_two_bridges_deletes_and_the_other_when_it_is_gone(database: Database, serve: Serve) -> None:
    first = await serve(database, NOTIFY_BRIDGE_RETENTION_DAYS="0")
    await first.ready()
    await old_rows(database, 5)
    second = await serve(database, NOTIFY_BRIDGE_LOG_LEVEL="debug")
    await looked(second)
    assert await left(database) == 5
    await first.terminate()
    await eventually(lambda: left(database), lambda rows: rows == 0, "no row", 60)


async def test_a_retention_that_the_server_refuses_is_tried_again_later(database: Database, serve: Serve) -> None:
    await database.execute("ALTER FUNCTION notify_bridge.is_purge_turn(integer) RENAME TO is_purge_turn_before")
    bridge = await serve(database)
    await bridge.logged(lambda line: line.get("task") == "purge", "the refusal")

    async def rolled_back() -> int:
        return await database.value("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()")

    async def heartbeat() -> object:
        return await database.value("SELECT touched_at FROM notify_bridge.replica")

    before = await rolled_back()
    for _ in range(2):
        last = await heartbeat()
        await eventually(heartbeat, lambda now, last=last: now != last, "a heartbeat")
    assert await rolled_back() - before < 20


@pytest.mark.parametrize("value", ["02:00", "2-5", "02:00-02:00", "25:00-26:00"])
async def test_a_window_that_is_none_is_refused(value: str, database: Database) -> None:
    done = await run("serve", DATABASE_URL=database.url, NOTIFY_BRIDGE_RETENTION_WINDOW=value)
    assert done.status == 78 and "RETENTION_WINDOW" in done.stderr and "02:00-05:00" in done.stderr, done


async def test_a_terminal_shows_how_far_a_purge_has_come(database: Database) -> None:
    await old_rows(database, 25_000)
    terminal, its_end = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        str(BINARY), "purge", env=os.environ | {"DATABASE_URL": database.url}, stdout=asyncio.subprocess.PIPE, stderr=its_end)
    os.close(its_end)
    output, _ = await within(60, process.communicate(), "the purge")
    assert (process.returncode, output) == (0, b"deleted 25000 rows older than 30 days\n")
    shown = os.read(terminal, 65_536).decode()
    os.close(terminal)
    assert re.search(r"\r█+░+ 40%  10000 of 25000 rows", shown) and shown.endswith("\r\x1b[K"), repr(shown)


async def test_a_dry_run_names_a_table_that_cannot_be_read(database: Database) -> None:
    await old_rows(database, 1)
    async with await database.connect(autocommit=False) as holder:
        await holder.execute("LOCK TABLE notification IN ACCESS EXCLUSIVE MODE")
        done = await run("purge", "--dry-run", DATABASE_URL=database.url)
        assert done.stdout == "public.notification: can't be read (SQLSTATE 55P03)\nwould delete 0 rows older than 30 days\n"
