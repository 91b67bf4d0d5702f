"""Connecting and coming back: what a device is told first, what it gets again, and what it never loses."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_the_greeting_comes_first_and_carries_a_cursor_only_when_nothing_is_replayed(bridge: Bridge, database: Database, connect: Connect) -> None:
    quiet = await connect(bridge, 1)
    assert quiet.messages[0].type == "connection_established" and quiet.messages[0].cursor
    ids = await database.insert_many(2, 3)
    await database.insert(1)
    await quiet.notification()  # the rows before it have been fetched: they are not live for a later device
    device = await connect(bridge, 2)
    got = await device.notifications(3)
    assert [message.id for message in got] == ids
    # Only the last message of the replay vouches for all before it.
    assert [message.cursor is not None for message in device.messages] == [False, False, False, True]


async def test_only_the_last_row_of_a_delta_carries_a_cursor(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    await database.insert_many(1, 5)
    assert [message.cursor is not None for message in await device.notifications(5)] == [False] * 4 + [True]


@pytest.mark.parametrize("seen", range(6))
async def test_a_socket_cut_between_the_rows_of_a_delta_loses_none(bridge: Bridge, database: Database, connect: Connect, seen: int) -> None:
    device = await connect(bridge, 1)
    ids = await database.insert_many(1, 5)
    await database.sent(ids)
    known = [device.messages[0], *await device.notifications(seen)]
    device.abort()
    again = await connect(bridge, 1, since=Device.newest_cursor(known))
    await again.barrier()
    had = {message.id for message in known[1:]}
    assert had | set(again.ids) == set(ids)
    assert again.ids == sorted(again.ids) and len(again.ids) == len(set(again.ids))


@pytest.mark.parametrize("seen", range(4))
async def test_a_socket_cut_between_the_rows_of_a_replay_loses_none(bridge: Bridge, database: Database, connect: Connect, seen: int) -> None:
    first = await connect(bridge, 1)
    cursor = first.cursor
    first.abort()
    other = await connect(bridge, 1)
    ids = await database.insert_many(1, 3)
    await other.notifications(3)
    await database.sent(ids)
    device = await connect(bridge, 1, since=cursor)
    known = await device.notifications(seen)
    device.abort()
    again = await connect(bridge, 1, since=Device.newest_cursor(known) or cursor)
    await again.barrier()
    assert {message.id for message in known} | set(again.ids) == set(ids)


async def test_rows_committed_while_a_device_was_away_come_although_they_were_sent_elsewhere(bridge: Bridge, database: Database, connect: Connect) -> None:
    stays, leaves = await connect(bridge, 1), await connect(bridge, 1)
    await database.insert(1)
    await leaves.notification()
    await stays.notification()
    leaves.abort()
    slow = await database.connect(autocommit=False)
    row = await (await slow.execute("INSERT INTO notification (user_id, data) VALUES (1, '{}') RETURNING id")).fetchone()
    ids = await database.insert_many(1, 4)
    await slow.commit()
    await slow.close()
    await stays.notifications(5)
    await database.sent([row[0], *ids])
    again = await connect(bridge, 1, since=leaves.cursor)
    await again.barrier()
    # The last few may come again: cursors claim no more than is known to be on disk.
    assert set(again.ids) >= {row[0], *ids} and len(again.ids) == len(set(again.ids))
    without = await connect(bridge, 1)
    assert await without.barrier() == []


@pytest.mark.parametrize("rows, truncated", [(5, False), (6, True)])
async def test_more_sent_rows_after_the_cursor_than_the_limit_are_said_and_not_sent(serve: Serve, database: Database, connect: Connect, rows: int, truncated: bool) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_REPLAY_ROWS="5")
    stays = await connect(bridge, 1)
    since = stays.cursor
    ids = await database.insert_many(1, rows)
    await stays.notifications(rows)
    await database.sent(ids)
    device = await connect(bridge, 1, since=since)
    came = await device.barrier()
    if truncated:
        assert [message.type for message in came] == ["replay_truncated"]
        assert came[0].fields == {"type": "replay_truncated", "limit": 5, "cursor": came[0].cursor}
        again = await connect(bridge, 1, since=came[0].cursor)
        assert await again.barrier() == []
    else:
        assert device.ids == ids


async def test_unsent_rows_come_even_where_the_replay_is_truncated(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_REPLAY_ROWS="2")
    acknowledging = await connect(bridge, 1, ack=True)
    since = acknowledging.cursor
    ids = await database.insert_many(1, 5)
    await acknowledging.notifications(5)
    acknowledging.send({"type": "ack", "ids": ids[:3]})
    await database.sent(ids[:3])
    device = await connect(bridge, 1, since=since)
    assert (await device.next()).type == "replay_truncated"
    assert [message.id for message in await device.notifications(2)] == ids[3:]
    assert device.messages[1].cursor is None and device.messages[-1].cursor is not None


FOREIGN = {
    "garbage": "garbage", "another epoch": "zzzzzz.100", "blanks and quotes": "a b\"'<%00", "too long": "1" * 4000,
    "dots": "....", "negative": "-1.-5",
}


@pytest.mark.parametrize("since", FOREIGN.values(), ids=FOREIGN.keys())
async def test_a_cursor_that_cannot_be_read_is_foreign_and_never_an_error(shared_bridge: Bridge, shared_database: Database, connect: Connect, since: str) -> None:
    user = await shared_database.value("SELECT nextval('test_user')")
    unsent = await shared_database.insert(user)
    device = await connect(shared_bridge, user, since=since)
    assert (await device.next()).type == "replay_truncated"
    assert (await device.notification()).id == unsent
    assert device.cursor and device.cursor != since


async def test_a_cursor_from_the_future_is_foreign(bridge: Bridge, connect: Connect) -> None:
    first = await connect(bridge, 1)
    assert first.cursor
    epoch = first.cursor.split(".")[0]
    device = await connect(bridge, 1, since=f"{epoch}.zzzzzzz")
    assert (await device.next()).type == "replay_truncated"


async def test_an_empty_cursor_is_none(bridge: Bridge, connect: Connect) -> None:
    device = await connect(bridge, 1, since="")
    assert await device.barrier() == []


async def test_cursors_are_short_and_may_be_put_into_a_url_as_they_are(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    sessions = [await database.connect(autocommit=False) for _ in range(12)]
    for session in sessions:
        await session.execute("INSERT INTO notification (user_id, data) VALUES (9, '{}')")
    id = await database.insert(1)
    message = await device.notification()
    assert message.id == id and message.cursor
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,128}", message.cursor)
    for session in sessions:
        await session.rollback()
        await session.close()


async def test_five_thousand_unsent_rows_come_in_order_once_and_are_marked(bridge: Bridge, database: Database, connect: Connect) -> None:
    ids = await database.insert_many(1, 5_000)
    device = await connect(bridge, 1)
    assert [message.id for message in await device.notifications(5_000, seconds=30)] == ids
    await database.sent(ids, seconds=30)
    live = await database.insert(1)
    assert (await device.notification()).id == live
    assert await device.barrier() == []


async def test_without_acknowledgement_a_row_stays_unsent_and_comes_again(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1, ack=True)
    ids = await database.insert_many(1, 4)
    await device.notifications(4)
    device.send({"type": "ack", "ids": [ids[0], ids[2], 999_999_999]})
    await database.sent([ids[0], ids[2]])
    assert await database.unsent() == [ids[1], ids[3]]
    device.abort()
    again = await connect(bridge, 1, ack=True)
    assert [message.id for message in await again.notifications(2)] == [ids[1], ids[3]]
    again.send({"type": "ack", "ids": [ids[1], ids[3]]})
    await database.sent(ids)


async def test_an_acknowledgement_for_rows_of_another_connection_counts_nothing(bridge: Bridge, database: Database, connect: Connect) -> None:
    mine, stranger = await connect(bridge, 1, ack=True), await connect(bridge, 2, ack=True)
    id = await database.insert(1)
    await mine.notification()
    before = (await bridge.metrics())["notify_bridge_ids_ignored_total"]
    stranger.send({"type": "ack", "ids": [id]})
    await stranger.barrier()
    sentinel = await database.insert(2)
    await stranger.notification()
    stranger.send({"type": "ack", "ids": [sentinel]})
    await database.sent(sentinel)
    assert await database.unsent() == [id]
    assert (await bridge.metrics())["notify_bridge_ids_ignored_total"] == before + 1


async def test_reading_sets_is_read_for_the_users_own_rows_only(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    mine, other = await database.insert(1), await database.insert(2)
    await device.notification()
    device.send({"type": "read", "ids": [other, mine, 123_456]})

    async def look() -> bool:
        row = await database.row(mine)
        return row["is_read"] and row["read_at"] is not None

    await eventually(look, bool, "the row is read")
    row = await database.row(other)
    assert row["is_read"] is False and row["read_at"] is None


async def test_heartbeats_come_by_themselves_with_the_newest_cursor(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1")
    device = await connect(bridge, 1)
    heartbeat = await device.next(5)
    assert heartbeat.type == "heartbeat" and heartbeat.cursor
    ids = await database.insert_many(2, 2)  # nothing for this user, and yet its cursor moves on
    assert len(ids) == 2
    later = await device.next(5)
    while later.cursor == heartbeat.cursor:
        later = await device.next(5)
    assert later.type == "heartbeat"


async def test_the_oldest_connection_of_a_user_with_too_many_is_closed(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_USER="2")
    devices = [await connect(bridge, 1) for _ in range(3)]
    other = await connect(bridge, 2)
    end = await devices[0].end()
    assert end.code == 4009 and devices[0].clean
    id = await database.insert(1)
    for device in devices[1:]:
        assert (await device.notification()).id == id
    assert await other.barrier() == []


async def test_rows_held_back_beyond_the_limit_are_caught_up_with_exactly(serve: Serve, database: Database, connect: Connect) -> None:
    """Many unsent rows, a slow reader, and more rows meanwhile than may be held back."""
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_HELD_ROWS="3")
    await database.execute(
        "INSERT INTO notification (user_id, data) SELECT 1, jsonb_build_object('n', n, 't', repeat(md5(n::text), 400)) "
        "FROM generate_series(1, 1600) AS n")  # 20 MB: more than the buffers of both kernels, so the replay lasts
    old = [row[0] for row in await database.execute("SELECT id FROM notification ORDER BY id")]
    device = await connect(bridge, 1, greeted=False)
    device.stop_reading()
    new = [await database.insert(1, f'{{"n": {number}}}') for number in range(40)]
    # They have been routed when another user's later row has arrived.
    witness = await connect(bridge, 2)
    await database.insert(2)
    await witness.notification()
    device.resume_reading()
    assert (await device.next()).type == "connection_established"
    got = [message.id for message in await device.notifications(1640, seconds=30)]
    assert got == old + new
    assert await device.barrier() == []
    await database.sent(old + new, seconds=20)


async def test_a_slow_client_keeps_no_more_alive_than_its_rows(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_QUEUE_BYTES=str(64 << 20))
    others = [await connect(bridge, user) for user in range(2, 42)]
    slow = await connect(bridge, 1)
    slow.stop_reading()
    # What its kernels take, and more.
    while (await bridge.metrics())["notify_bridge_queue_bytes"] < 1 << 20:
        await database.execute(
            "INSERT INTO notification (user_id, data) SELECT 1, to_jsonb(repeat('x', 60000)) FROM generate_series(1, 10)")
        await database.insert(2)
        await others[0].notification()
    before = bridge.memory("VmRSS")
    # Its small rows, each in a batch of a megabyte.
    for _ in range(60):
        await database.execute(
            "INSERT INTO notification (user_id, data) SELECT 1 + n % 41, to_jsonb(CASE n % 41 WHEN 0 THEN 'x' ELSE repeat('x', 25000) END) "
            "FROM generate_series(0, 40) AS n")
        for device in others:
            await device.notification()
            device.messages.clear()
    assert bridge.memory("VmRSS") - before < 30 << 20
    slow.abort()


async def test_a_hundred_devices_that_connect_at_once_are_all_served(bridge: Bridge, database: Database, connect: Connect) -> None:
    ids = await database.insert_many(7, 3)
    devices = await asyncio.gather(*(connect(bridge, 7) for _ in range(90)), *(connect(bridge, 8) for _ in range(10)))
    live = await database.insert(7)
    for device in devices[:90]:
        got: list[int] = []
        while live not in got:
            got.append((await device.notification()).id)
        assert got == sorted(got) and set(got) <= {*ids, live}
    assert all(device.ids == [] for device in devices[90:])
