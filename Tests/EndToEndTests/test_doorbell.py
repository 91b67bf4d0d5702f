"""The doorbell that makes way: quiet while little is written, busy under load and where commits queue up, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from conftest import migrate
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually, within

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
STATES = ("quiet", "busy", "arming")


async def state(bridge: Bridge) -> str:
    """The one state that /metrics shows."""
    samples = await bridge.metrics()
    shown = [name for name in STATES if samples.get(f'notify_bridge_doorbell_state{{state="{name}"}}') == 1]
    return shown[0] if len(shown) == 1 else f"{shown}"


async def reaches(bridge: Bridge, wanted: str, seconds: float = 10) -> None:
    await eventually(lambda: state(bridge), lambda seen: seen == wanted, f"the doorbell {wanted}", seconds)


async def armed(database: Database) -> bool:
    return await database.value("SELECT bool_or(armed) FROM notify_bridge.replica")


async def test_it_is_busy_while_much_is_written_and_quiet_before_and_after(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(
        database, NOTIFY_BRIDGE_DOORBELL_BUSY_RATE="100", NOTIFY_BRIDGE_DOORBELL_QUIET_AFTER_MS="300",
        NOTIFY_BRIDGE_LOG_LEVEL="debug")
    device = await connect(bridge, 1)
    await reaches(bridge, "quiet")
    assert await armed(database)
    ids: list[int] = []

    async def write() -> None:
        while True:
            ids.append(await database.insert(1))

    writing = asyncio.ensure_future(write())
    await reaches(bridge, "busy")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    ids.append(await database.insert(1))
    # One of them may have been cut off between its commit and the answer.
    seen = [message.id for message in await device.notifications(len(ids))]
    if seen[-1] != ids[-1]:
        seen += [message.id for message in await device.notifications(1)]
    assert set(ids) <= set(seen) and len(set(seen)) == len(seen) <= len(ids) + 1
    await reaches(bridge, "quiet")
    assert await armed(database)
    last = await database.insert(1)
    assert (await device.notification()).id == last
    samples = await bridge.metrics()
    assert samples["notify_bridge_doorbell_changes_total"] == 2
    assert samples["notify_bridge_safety_finds_total"] == 0
    states = [line["state"] for line in bridge.log() if line.get("message") == "doorbell"]
    assert states == ["arming", "quiet", "busy", "arming", "quiet"]


async def test_a_busy_bridge_is_not_rung_for(database: Database, serve: Serve, connect: Connect) -> None:
    """A transaction that has rung can't be prepared: so one sees whether it has."""
    bridge = await serve(database, NOTIFY_BRIDGE_DOORBELL_BUSY_RATE="10", NOTIFY_BRIDGE_DOORBELL_QUIET_AFTER_MS="60000")
    device = await connect(bridge, 1)
    await reaches(bridge, "quiet")
    for _ in range(200):
        await database.insert(1)
    await reaches(bridge, "busy")
    assert not await armed(database)
    await device.notifications(200)
    await database.execute("BEGIN")
    await database.insert(1)
    await database.execute(f"PREPARE TRANSACTION '{database.name}'")
    await database.execute(f"COMMIT PREPARED '{database.name}'")
    await device.notification(1)


async def test_it_arms_as_long_as_a_transaction_is_open_that_may_not_ring(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_DOORBELL_BUSY_RATE="10", NOTIFY_BRIDGE_DOORBELL_QUIET_AFTER_MS="100")
    device = await connect(bridge, 1)
    await reaches(bridge, "quiet")

    async def write() -> None:
        while True:
            await database.insert(2)

    writing = asyncio.ensure_future(write())
    await reaches(bridge, "busy")
    writer = await database.connect(autocommit=False)
    await writer.execute("INSERT INTO notification (user_id, data) VALUES (1, '\"unrung\"')")
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await reaches(bridge, "arming")
    # It rings meanwhile, for others.
    await database.insert(1, '"rung"')
    assert (await device.notification(1)).data == b'"rung"'
    assert await state(bridge) == "arming"
    await writer.commit()
    assert (await device.notification(1)).data == b'"unrung"'
    await reaches(bridge, "quiet")
    await writer.close()
    assert (await bridge.metrics())["notify_bridge_safety_finds_total"] == 0


async def test_slow_commits_that_queue_up_make_it_busy_at_a_low_rate(serve: Serve) -> None:
    """Each commit takes 10 ms: those that ring come one after the other, a hundred a second at most."""
    cluster = Cluster("commit_delay = 10000\ncommit_siblings = 0\n").start()
    try:
        database = await Database.create(cluster)
        await migrate(database.url)
        bridge = await serve(database)
        await bridge.ready()
        await reaches(bridge, "quiet")
        writers = [await database.connect() for _ in range(6)]

        async def write(number: int) -> None:
            while True:
                await writers[number].execute("INSERT INTO notification (user_id, data) VALUES (1, '{}')")

        writing = [asyncio.ensure_future(write(number)) for number in range(6)]
        await reaches(bridge, "busy")
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        await reaches(bridge, "quiet")
        for writer in writers:
            await writer.close()
        await database.close()
        await bridge.kill()
    finally:
        cluster.remove()


async def test_prepared_transactions_are_found_soon_where_the_bridge_knows_of_them(database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_DATABASE_TWO_PHASE_WRITERS="true")
    device = await connect(bridge, 1)
    await reaches(bridge, "quiet")
    await database.execute("SET notify_bridge.two_phase = on")

    async def prepared_rows() -> None:
        # The safety fetch alone would need a second each, on average.
        for _ in range(10):
            await database.execute("BEGIN")
            await database.insert(1)
            await database.execute(f"PREPARE TRANSACTION '{database.name}'")
            await database.execute(f"COMMIT PREPARED '{database.name}'")
            await device.notification()

    await within(4, prepared_rows(), "ten rows of prepared transactions")
    assert (await bridge.metrics())["notify_bridge_safety_finds_total"] == 0
