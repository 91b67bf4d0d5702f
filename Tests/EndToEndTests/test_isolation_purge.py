"""A row that the retention can't delete is skipped and named: the others are deleted, and housekeeping goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from harness.bridge import Bridge, run
from harness.database import Database
from harness.tokens import SECRET as KEY
from harness.waiting import eventually

Serve = Callable[..., Awaitable[Bridge]]


async def old_rows(database: Database) -> None:
    """Twenty rows past the retention, of which a reply holds number 7."""
    await database.execute("""INSERT INTO notification (id, user_id, is_sent, sent_at, created_at)
        SELECT n, 1, true, now(), now() - interval '90 days' FROM generate_series(1, 20) AS n""")
    await database.execute("CREATE TABLE reply (notification_id bigint REFERENCES notification)")
    await database.execute("INSERT INTO reply VALUES (7)")


async def test_the_service_skips_a_row_that_cannot_be_deleted_and_keeps_house(database: Database, serve: Serve) -> None:
    await old_rows(database)
    await database.execute("INSERT INTO notify_bridge.ticket VALUES ('\\x00', '1', now() - interval '2 days')")
    await database.execute(
        "INSERT INTO notify_bridge.revocation (user_id, kind, reason, created_at) VALUES ('1', 'user', 'revoked', now() - interval '2 days')")
    bridge = await serve(database)

    async def left() -> Any:
        return await database.execute("""SELECT (SELECT array_agg(id) FROM notification), (SELECT count(*) FROM notify_bridge.ticket),
            (SELECT count(*) FROM notify_bridge.revocation)""")

    await eventually(left, lambda seen: seen == [([7], 0, 0)], "the row that is held alone")
    line = await bridge.logged(lambda line: line["message"] == "a row is set aside", "the row's entry")
    assert (line["row_id"], line["stage"], line["sqlstate"]) == ("7", "purge", "23503")
    await eventually(bridge.metrics, lambda samples: samples.get(
        'notify_bridge_quarantined_rows{stage="purge",source="public.notification"}') == 1, "the metric")
    await bridge.ready()  # a row makes nothing unready
    # Somebody else deletes it.
    await database.execute("DELETE FROM reply")
    await database.execute("DELETE FROM notification")
    await bridge.logged(lambda line: line["message"] == "a row is in quarantine no more", "the row's exit")


async def test_the_command_says_what_it_skipped(database: Database) -> None:
    await old_rows(database)
    done = await run("purge", DATABASE_URL=database.url)
    assert done.status == 0 and done.stdout == (
        "deleted 19 rows older than 30 days\n"
        "skipped 1 row of public.notification that can't be deleted (SQLSTATE 23503): "
        "SELECT * FROM notify_bridge.quarantine WHERE stage = 'purge'\n"), done
    checked = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=KEY)
    assert checked.status == 0 and "1 row of public.notification can't be deleted by the retention (SQLSTATE 23503)" in checked.stdout
    await database.execute("DELETE FROM reply")
    await database.execute("SELECT notify_bridge.retry_quarantined('notification', '{7}')")
    assert (await run("purge", DATABASE_URL=database.url)).stdout == "deleted 1 row older than 30 days\n"
