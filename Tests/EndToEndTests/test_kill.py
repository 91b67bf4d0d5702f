"""Bridges that are killed, that share a database, and that are asked to stop."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_a_row_written_but_not_marked_when_the_bridge_dies_comes_again_and_is_then_marked(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database)
    device = await connect(bridge, 1)
    # An open transaction holds the row, so it can be delivered but not marked.
    holder = await database.connect(autocommit=False)
    id = await database.value("""
        INSERT INTO notification (user_id, data) VALUES (2, '{}') RETURNING id""")
    await holder.execute("SELECT FROM notification WHERE id = %s FOR UPDATE", (id,))
    owner = await connect(bridge, 2)
    assert (await owner.notification()).id == id
    other = await database.insert(1)
    await device.notification()
    await database.sent(other)  # marking goes on for the rest
    assert await database.unsent() == [id]
    await bridge.kill()
    await holder.rollback()
    await holder.close()
    assert owner.cursor is not None
    bridge = await serve(database)
    again = await connect(bridge, 2, since=owner.cursor)
    assert (await again.notification()).id == id
    await database.sent(id)


async def test_a_row_that_somebody_holds_locked_is_marked_once_it_is_free(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database)
    id = await database.insert(1)
    holder = await database.connect(autocommit=False)
    await holder.execute("SELECT FROM notification WHERE id = %s FOR UPDATE", (id,))
    device = await connect(bridge, 1)
    await device.notification()
    other = await database.insert(1)
    await device.notification()
    await database.sent(other)
    assert await database.unsent() == [id]
    await holder.rollback()
    await holder.close()
    await database.sent(id)


async def test_two_bridges_mark_the_same_rows_without_deadlock(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridges = [await serve(own_database), await serve(own_database)]
    devices = [await connect(bridge, 1) for bridge in bridges]
    ids: list[int] = []
    for _ in range(20):
        ids += await own_database.insert_many(1, 100)
    for device in devices:
        assert [message.id for message in await device.notifications(2_000, seconds=30)] == ids
    await own_database.sent(ids, seconds=20)
    assert "deadlock" not in own_cluster.log_text()


async def test_writers_do_not_ring_for_a_bridge_that_was_killed(serve: Serve, database: Database) -> None:
    """Its replica row goes away with its session's lock: at the latest when another bridge comes."""
    dead = await serve(database)
    await dead.ready()
    assert await database.value("SELECT count(*) FROM notify_bridge.replica") == 1
    await dead.kill()
    alive = await serve(database)
    await alive.ready()
    rows = await database.execute("SELECT pid FROM notify_bridge.replica")
    assert [row[0] for row in rows] == [alive.pid]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_drain_closes_every_socket_with_1012_and_marks_all_that_was_written(serve: Serve, database: Database, connect: Connect, number: signal.Signals) -> None:
    bridge = await serve(database)
    devices = [await connect(bridge, user) for user in (1, 2, 3) for _ in range(4)]
    ids = await database.insert_many(1, 200)
    for device in devices[:4]:
        await device.notifications(200)
    bridge.signal(number)
    ends = await asyncio.gather(*(device.end() for device in devices))
    assert await bridge.exit(15) == 0
    assert {end.code for end in ends} == {1012} and all(device.clean for device in devices)
    retries = [int(re.fullmatch(r"retry_ms=(\d+)", end.reason)[1]) for end in ends]
    assert all(0 <= retry <= 5_000 for retry in retries)
    assert len(set(retries)) > 3, f"no spread: {retries}"
    assert await database.unsent() == []
    assert await database.value("SELECT count(*) FROM notification WHERE id = ANY(%s) AND is_sent", (ids,)) == 200
    assert await database.value("SELECT count(*) FROM notify_bridge.replica") == 0


async def test_without_sockets_a_drain_is_over_within_a_second(serve: Serve, database: Database) -> None:
    bridge = await serve(database)
    await bridge.ready()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await bridge.terminate() == 0
    assert loop.time() - began < 2  # a second, and what a busy machine adds


async def test_a_mute_client_does_not_hold_up_the_drain(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_DRAIN_SECONDS="2")
    device = await connect(bridge, 1)
    device.stop_reading()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await bridge.terminate() == 0
    assert loop.time() - began < 5
    device.resume_reading()


async def test_what_is_committed_during_a_restart_comes_after_it(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database)
    device = await connect(bridge, 1)
    first = await database.insert(1)
    await device.notification()
    await database.sent(first)
    assert await bridge.terminate() == 0
    ids = await database.insert_many(1, 3)
    bridge = await serve(database)
    again = await connect(bridge, 1, since=device.cursor)
    await again.barrier()
    assert [id for id in again.ids if id != first] == ids


async def test_an_unsent_row_of_a_killed_bridge_comes_to_a_device_without_a_cursor_too(serve: Serve, database: Database, connect: Connect) -> None:
    """Only that it is unsent brings it again: nothing else says that the device should have it."""
    bridge = await serve(database)
    device = await connect(bridge, 1)
    seen = await database.insert(1)
    await device.notification()
    await database.sent(seen)
    id = await database.insert(2)
    holder = await database.connect(autocommit=False)
    await holder.execute("SELECT FROM notification WHERE id = %s FOR UPDATE", (id,))
    assert (await (await connect(bridge, 2)).notification()).id == id
    await bridge.kill()
    await holder.rollback()
    await holder.close()
    assert await database.unsent() == [id]
    bridge = await serve(database)
    again = await connect(bridge, 2)
    assert (await again.notification()).id == id
    await database.sent(id)
    assert await (await connect(bridge, 1)).barrier() == [], "what was marked before the kill stays sent"
    assert await (await connect(bridge, 2)).barrier() == [], "marked once, sent no more"


async def test_a_drain_waits_for_the_mark_of_a_row_that_somebody_holds(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database)
    id = await database.insert(1)
    holder = await database.connect(autocommit=False)
    await holder.execute("SELECT FROM notification WHERE id = %s FOR UPDATE", (id,))
    device = await connect(bridge, 1)
    await device.notification()
    other = await database.insert(1)
    await device.notification()
    await database.sent(other)
    bridge.signal(signal.SIGTERM)
    assert (await device.end()).code == 1012
    assert bridge.running and await database.unsent() == [id]
    await holder.rollback()
    await holder.close()
    assert await bridge.exit(10) == 0
    assert await database.unsent() == []


async def test_two_bridges_that_race_with_a_writers_own_updates_never_deadlock(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    """A backend locks rows in the other order; what it holds is left for the next batch, by both."""
    bridges = [await serve(own_database), await serve(own_database)]
    devices = [await connect(bridge, 1) for bridge in bridges]
    backend = await own_database.connect(autocommit=False)
    ids: list[int] = []
    for _ in range(5):
        new = await own_database.insert_many(1, 50)
        ids += new
        for id in reversed(new):
            await backend.execute("UPDATE notification SET is_read = true WHERE id = %s", (id,))
        await backend.commit()
    await backend.close()
    for device in devices:
        assert [message.id for message in await device.notifications(250)] == ids
    await own_database.sent(ids, seconds=20)
    assert await own_database.value("SELECT count(*) FROM notification WHERE is_read") == 250
    assert "deadlock" not in own_cluster.log_text()


@pytest.mark.parametrize("replicas", [1, 2], ids=["restarted", "rolled"])
async def test_a_planned_restart_repeats_nothing_and_loses_nothing(serve: Serve, database: Database, connect: Connect, replicas: int) -> None:
    """Writers go on; each device comes back with the newest cursor that it was sent, to the other replica where there is one."""
    users = range(1, 6)
    bridges = [await serve(database) for _ in range(replicas)]
    before = [await connect(bridges[0], user) for user in users for _ in range(2)]
    written: dict[int, list[int]] = {user: [] for user in users}
    stopped = asyncio.Event()

    async def write() -> None:
        async with await database.connect() as connection:
            while not stopped.is_set():
                for user in users:
                    rows = await connection.execute("INSERT INTO notification (user_id, data) SELECT %s, '{}' FROM generate_series(1, 3) RETURNING id", (user,))
                    written[user] += [row[0] for row in await rows.fetchall()]

    writers = [asyncio.ensure_future(write()) for _ in range(2)]
    for device in before:
        await device.notifications(60, seconds=30)
    bridges[0].signal(signal.SIGTERM)
    ends = await asyncio.gather(*(device.end() for device in before))
    assert {end.code for end in ends} == {1012}
    if replicas == 1:
        assert await bridges[0].exit(15) == 0
        bridges.append(await serve(database))
    after = [await connect(bridges[1], device_user(place), since=device.cursor) for place, device in enumerate(before)]
    stopped.set()
    await asyncio.gather(*writers)
    last = {user: await database.insert(user) for user in users}
    for place, (old, new) in enumerate(zip(before, after, strict=True)):
        while not new.ids or new.ids[-1] != last[device_user(place)]:
            await new.next()
        seen = old.ids + new.ids
        assert len(seen) == len(set(seen)), f"repeated: {sorted(id for id in set(seen) if seen.count(id) > 1)}"
        assert sorted(seen) == sorted([*written[device_user(place)], last[device_user(place)]])
    await database.sent([id for ids in written.values() for id in ids])


def device_user(place: int) -> int:
    """Of a list with two devices for each user, the first of which is 1."""
    return place // 2 + 1
