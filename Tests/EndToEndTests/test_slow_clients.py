"""Clients that read slowly, or not at all: what they read counts, not what waits for them. Others notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device, Message
from harness.slow import SlowLink

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

LARGE = 3_000_000


async def insert_large(database: Database, user: int, count: int, size: int = LARGE) -> list[int]:
    """Each row by a transaction of its own."""
    return [
        await database.value(
            "INSERT INTO notification (user_id, data) VALUES (%s, to_jsonb(repeat('x', %s))) RETURNING id", (user, size))
        for _ in range(count)]


async def rows(device: Device, count: int, seconds: float = 30) -> list[Message]:
    """The next rows, with heartbeats between them."""
    got: list[Message] = []
    while len(got) < count:
        if (message := await device.next(seconds)).type == "notification":
            got.append(message)
    return got


async def seconds_pass(device: Device, count: int) -> None:
    """Waits for so many heartbeats of a bridge that sends one every second."""
    for _ in range(count):
        while (await device.next()).type != "heartbeat":
            pass


async def test_rows_of_3_MB_reach_a_client_that_takes_2_MB_a_second(bridge: Bridge, database: Database, connect: Connect) -> None:
    async with SlowLink(bridge, pace=2_000_000) as link:
        slow, quick, other = await connect(link, 1), await connect(bridge, 1), await connect(bridge, 2)
        # 3, and as many again: what both kernels take differs from machine to machine.
        ids = await insert_large(database, 1, 6)
        assert [message.id for message in await rows(quick, 6)] == ids
        mine = await database.insert(2)
        assert [message.id for message in await rows(other, 1)] == [mine]
        got = await rows(slow, 6)
        assert [message.id for message in got] == ids
        assert all(len(message.data) == LARGE + 2 for message in got)
        await database.sent(ids)
        # It is live again, and a cursor vouches for it.
        live = await database.insert(1)
        assert [message.id for message in await rows(slow, 1)] == [live]
        await slow.barrier()
        assert slow.cursor is not None


async def test_rows_that_only_a_slow_client_takes_are_marked_when_it_took_them(bridge: Bridge, database: Database, connect: Connect) -> None:
    async with SlowLink(bridge, pace=2_000_000) as link:
        slow, witness = await connect(link, 1), await connect(bridge, 2)
        link.pace = 50_000
        ids = await insert_large(database, 1, 4)
        # They have been routed when another user's later row has arrived.
        await database.insert(2)
        await rows(witness, 1)
        assert ids[-1] in await database.unsent()
        link.pace = 20_000_000
        assert [message.id for message in await rows(slow, 4)] == ids
        await database.sent(ids)


async def test_one_transaction_of_many_batches_reaches_a_slow_client_once_and_in_order(bridge: Bridge, database: Database, connect: Connect) -> None:
    async with SlowLink(bridge, pace=2_000_000) as link:
        slow, witness = await connect(link, 1), await connect(bridge, 2)
        link.pace = 50_000
        ids = sorted(row[0] for row in await database.execute(
            "INSERT INTO notification (user_id, data) SELECT 1, to_jsonb(repeat('x', 10000)) FROM generate_series(1, 2000) RETURNING id"))
        await database.insert(2)
        await rows(witness, 1)
        link.pace = 20_000_000
        live = await database.insert(1)
        assert [message.id for message in await rows(slow, 2_001)] == [*ids, live]
        await database.sent([*ids, live])


async def test_a_slow_device_gets_what_another_one_took_while_it_was_replayed(serve: Serve, database: Database, connect: Connect) -> None:
    """All that was unsent when it came, also where another device of its user has had it marked before the later pages."""
    ids = sorted(row[0] for row in await database.execute(
        "INSERT INTO notification (user_id, data) SELECT 1, to_jsonb(repeat('x', 10000)) FROM generate_series(1, 2000) RETURNING id"))
    # Only now: rows of a delta that is routed after a device has come would come to it anyway.
    bridge = await serve(database)
    async with SlowLink(bridge, pace=200_000) as link:
        slow = await connect(link, 1)
        link.pace = 20_000
        quick = await connect(bridge, 1)
        # Not what the slow one has taken.
        while (await rows(quick, 1))[0].id != ids[-1]:
            pass
        await database.sent(ids)
        link.pace = 50_000_000
        assert [message.id for message in await rows(slow, 2_000)] == ids
        assert await slow.barrier() == []


async def test_a_client_is_kept_as_long_as_it_takes_something_of_a_row(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1")
    async with SlowLink(bridge, pace=60_000) as link:
        slow, witness = await connect(link, 1), await connect(bridge, 2)
        ids = await insert_large(database, 1, 6)
        # Longer than a client may take nothing, while its bridge's kernel takes nothing for it.
        await seconds_pass(witness, 9)
        link.pace = 20_000_000
        assert [message.id for message in await rows(slow, 6)] == ids


async def test_a_client_that_takes_nothing_is_closed_whatever_it_says_and_comes_back_without_loss(
    bridge: Bridge, database: Database, connect: Connect
) -> None:
    async with SlowLink(bridge, pace=2_000_000) as link:
        device, witness = await connect(link, 1), await connect(bridge, 2)
        first = await database.insert(1)
        assert [message.id for message in await rows(device, 1)] == [first]
        cursor = device.cursor
        link.pace = 0
        ids = await insert_large(database, 1, 6)

        async def talk() -> None:
            while True:
                device.send({"type": "ping"})
                await asyncio.sleep(0.5)

        talking = asyncio.ensure_future(talk())
        end = await bridge.logged(lambda line: line["message"] == "disconnected" and line["user"] == "1", "its end", 25)
        talking.cancel()
        assert str(end["code"]) == "4008" and end["closed_by"] == "server"
        # Five seconds, half a second until they are looked at, five for the answer to the close frame.
        assert float(end["duration_s"]) < 40
        assert witness.closed.done() is False
        link.pace = 50_000_000
        again = await connect(bridge, 1, since=cursor)
        while not set(ids) <= set(again.ids):
            await again.next()
        # The cursor may be older than the row that brought it.
        assert [id for id in again.ids if id != first] == ids
        await database.sent(ids)


async def test_many_slow_clients_take_little_memory_and_keep_nobody_from_connecting(
    bridge: Bridge, database: Database, connect: Connect
) -> None:
    async with SlowLink(bridge, pace=200_000) as link:
        slow = [await connect(link, user) for user in range(1, 21)]
        quick = await connect(bridge, 100)
        # For each of them 30 MB, of which their kernels take some.
        for _ in range(30):
            await database.execute(
                "INSERT INTO notification (user_id, data) SELECT n, to_jsonb(repeat('x', 1000000)) FROM generate_series(1, 20) AS n")
            mine = await database.insert(100)
            assert [message.id for message in await rows(quick, 1, seconds=5)] == [mine]
        # 600 MB in all.
        assert bridge.memory("VmHWM") < 250 << 20
        waiting = await database.insert(101)
        new = await connect(bridge, 101)
        assert [message.id for message in await rows(new, 1, seconds=5)] == [waiting]
        link.pace = 50_000_000
        for device in slow:
            got = [message.id for message in await rows(device, 30)]
            assert got == sorted(got) and len(set(got)) == 30
