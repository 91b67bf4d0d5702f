"""The connection log and the delivery log: what one query tells of a user, of a row and of a bridge."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from harness import frames
from harness.bridge import Bridge, run
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
LOGS = {"NOTIFY_BRIDGE_CONNECTION_LOG_DAYS": "30", "NOTIFY_BRIDGE_DELIVERY_LOG_DAYS": "7"}


async def logged(database: Database, count: int, condition: str = "true", seconds: float = 5) -> list[tuple[Any, ...]]:
    """Waits for so many sockets in the log that fulfil the condition, in the order in which they opened."""
    statement = f"SELECT * FROM notify_bridge.connection_log WHERE {condition} ORDER BY number"
    return await eventually(lambda: database.execute(statement), lambda rows: len(rows) == count, f"{count} sockets where {condition}", seconds)


async def test_the_connection_log_has_each_socket_with_its_end(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, **LOGS, NOTIFY_BRIDGE_HTTP_TRUSTED_PROXIES="127.0.0.1")
    await bridge.ready()
    headers = [("User-Agent", "Firefox/128"), ("X-Forwarded-For", "192.0.2.7")]
    before = await database.value("SELECT now()")
    first = await connect(bridge, 42, headers=headers)
    second = await connect(bridge, 42)
    (open_one, other) = await logged(database, 2, "closed IS NULL")
    assert open_one[:4] == ("42", "192.0.2.7", "Firefox/128", "websocket") and open_one[4] >= before
    assert other[1:3] == ("127.0.0.1", None)
    ids = await database.insert_many(42, 3)
    for device in (first, second):
        assert [message.id for message in await device.notifications(3)] == ids
    received = sum(len(message.raw) for message in first.messages)
    await first.close(1001)
    second.abort()
    third = await connect(bridge, 42)
    await database.execute("SELECT notify_bridge.disconnect_user(42)")
    assert (await third.end()).code == 4001
    fourth = await connect(bridge, 42)
    await fourth.close()
    # A connect that was refused is no socket of a user.
    refused = await connect(bridge, None, greeted=False, query={"token": "nonsense"})
    await refused.end()
    rows = await logged(database, 4, "closed IS NOT NULL")
    ends = [(code, closer, count) for *_, code, closer, count, _bytes, _replica, _recorder, _number in rows]
    assert ends == [(1001, "client", 3), (1006, "network", 3), (4001, "server", 0), (1000, "client", 0)]
    assert rows[0][5] >= rows[0][4] and rows[0][9] >= received
    assert await database.value("SELECT count(*) FROM notify_bridge.connection_log") == 4
    report = await run("report", "connections", "--since", "1h", "--bucket", "1 day", "--format", "json", DATABASE_URL=database.url)
    days = json.loads(report.stdout)
    assert sum(day["opened"] for day in days) == 4 and max(day["peak"] for day in days) == 2
    closed: dict[str, int] = {}
    for day in days:
        closed |= {code: closed.get(code, 0) + count for code, count in day["closed"].items()}
    assert closed == {"1000": 1, "1001": 1, "1006": 1, "4001": 1}


async def test_the_sockets_of_a_killed_bridge_end_as_lost(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, **LOGS)
    await connect(bridge, 1)
    await logged(database, 1, "closed IS NULL")
    await bridge.kill()
    # As if a minute had passed.
    await database.execute("UPDATE notify_bridge.recorder SET touched_at = touched_at - interval '2 minutes'")
    await serve(database)
    ((*_, closed, code, closer, _rows, _bytes, _replica, _recorder, _number),) = await logged(database, 1, "closed IS NOT NULL")
    assert closed is not None and (code, closer) == (None, "lost")
    assert await database.value("SELECT count(*) FROM notify_bridge.connected_user") == 0


async def test_a_timeline_tells_when_and_on_how_many_devices_a_row_arrived(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, **LOGS)
    await bridge.ready()
    devices = [await connect(bridge, 42), await connect(bridge, 42), await connect(bridge, 42, ack=True)]
    id = await database.insert(42)
    for device in devices:
        assert (await device.notification()).id == id
    devices[2].send({"type": "ack", "ids": [id]})
    devices[0].send({"type": "read", "ids": [id]})

    async def timeline() -> list[tuple[str, str | None]]:
        return await database.execute("SELECT event, detail FROM notify_bridge.timeline('public.notification', %s)", (id,))

    replica = await database.value("SELECT id FROM notify_bridge.replica")

    def devices_of(lines: list[tuple[str, str | None]]) -> list[int]:
        return [int(detail.split()[0]) for event, detail in lines if event == "sent" and detail]

    # What is noted in different seconds is in several lines.
    told = await eventually(
        timeline, lambda lines: sum(devices_of(lines)) == 3 and {"acknowledged", "read"} <= set(dict(lines)), "the whole timeline")
    assert told[0] == ("inserted", "for 42")
    sent = devices_of(told)
    assert all(detail and detail.endswith(f", replica {replica}") for event, detail in told if event == "sent")
    assert ("acknowledged", f"1 device, replica {replica}") in told and ("read", None) in told
    done = await run("report", "timeline", "--id", str(id), DATABASE_URL=database.url)
    lines = done.stdout.splitlines()
    assert done.status == 0 and len(lines) == len(told) + 1 and any("sent" in line and f", replica {replica}" in line for line in lines), done
    # Again, by a statement.
    await database.value("SELECT notify_bridge.resend('public.notification', ARRAY[%s::bigint])", (id,))
    assert (await devices[0].notification()).id == id
    await eventually(timeline, lambda lines: [event for event, _ in lines].count("sent") > len(sent) and "resent" in dict(lines), "sent again")
    await database.sent(id)
    await database.execute("UPDATE notification SET created_at = now() - interval '2 days'")
    assert await database.value("SELECT notify_bridge.purge(1)") == 1
    gone = await timeline()
    assert gone[-1][0] == "purged" and "inserted" not in dict(gone) and "sent" in dict(gone)


async def test_rows_of_a_replay_are_in_the_log_too(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, **LOGS)
    ids = await database.insert_many(7, 300)
    device = await connect(bridge, 7, ack=True)
    assert [message.id for message in await device.notifications(300)] == ids
    count = "SELECT count(*) FROM notify_bridge.delivery_log WHERE event = 'sent' AND devices = 1"
    await eventually(lambda: database.value(count), lambda rows: rows == 300, "all rows in the log")
    await device.close()
    assert (await logged(database, 1, "closed IS NOT NULL"))[0][8] == 300


async def test_logs_are_off_by_default_and_cost_nothing(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.insert(1)
    await device.notification()
    await database.sent(id)
    await device.close()
    seen = "SELECT count(*) FROM notify_bridge.seen_user"
    await eventually(lambda: database.value(seen), lambda count: count == 1, "the statement for presence")
    assert await database.value("SELECT count(*) FROM notify_bridge.connection_log") == 0
    assert await database.value("SELECT count(*) FROM notify_bridge.delivery_log") == 0


async def test_old_rows_of_the_logs_are_deleted(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute(
        "INSERT INTO notify_bridge.connection_log SELECT 'old', '', NULL, 'websocket', now() - age, now() - age, 1000, 'client', 0, 0, 1, 0, number "
        "FROM (VALUES (1, interval '31 days'), (2, interval '29 days')) AS v (number, age)")
    await database.execute(
        "INSERT INTO notify_bridge.logged_delivery (source, row_id, at, event) SELECT 1, id, now() - age, 'resent' "
        "FROM (VALUES ('a', interval '8 days'), ('b', interval '6 days')) AS v (id, age)")
    await serve(database, **LOGS)
    await logged(database, 1)
    left = "SELECT row_id FROM notify_bridge.delivery_log"
    await eventually(lambda: database.execute(left), lambda rows: rows == [("b",)], "the newer event")


async def test_a_log_that_cannot_be_written_leaves_the_others_and_the_delivery_alone(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute("ALTER TABLE notify_bridge.connection_log ADD CONSTRAINT broken CHECK (protocol <> 'websocket')")
    bridge = await serve(database, **LOGS)
    await bridge.ready()
    device = await connect(bridge, 5)
    await bridge.logged(lambda line: "connection log can't be written" in line["message"], "a warning")
    id = await database.insert(5)
    assert (await device.notification()).id == id
    await database.sent(id)
    online = "SELECT notify_bridge.online(5)"
    await eventually(lambda: database.value(online), bool, "presence")
    count = "SELECT count(*) FROM notify_bridge.delivery_log"
    await eventually(lambda: database.value(count), lambda rows: rows == 1, "the delivery log")
    await database.execute("ALTER TABLE notify_bridge.connection_log DROP CONSTRAINT broken")
    await logged(database, 1)
    await bridge.logged(lambda line: "connection log is written again" in line["message"], "the end of it")


async def test_what_is_noted_while_the_database_is_away_is_written_when_it_is_back(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database, **LOGS)
    await bridge.ready()
    devices = [await connect(bridge, user) for user in (1, 2)]
    await logged(own_database, 2, "closed IS NULL")
    await asyncio.to_thread(own_cluster.stop, "fast")
    devices[0].frame(frames.CLOSE, frames.close_payload(1001))
    assert (await devices[0].end()).code == 1001
    await asyncio.to_thread(own_cluster.start)
    ((*_, code, closer, _rows, _bytes, _replica, _recorder, _number),) = await logged(own_database, 1, "closed IS NOT NULL", 20)
    assert (code, closer) == (1001, "client")
    id = await own_database.insert(2)
    assert (await devices[1].notification()).id == id
