"""A link that carries nothing any more is told from a slow statement, and its connections are made again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest_asyncio
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.link import Link
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
# A statement may take 30 s; a silent link is given up long before.
SECONDS = 20


@pytest_asyncio.fixture
async def link(cluster: Cluster) -> AsyncIterator[Link]:
    made = await Link(cluster).open()
    yield made
    made.close()


async def test_a_row_arrives_although_every_link_fell_silent(
    link: Link, database: Database, serve: Serve, connect: Connect,
) -> None:
    bridge = await serve(link.url(database.name))
    await bridge.ready()
    device = await connect(bridge, 7)
    link.silence()
    id = await database.insert(7)
    assert (await device.notification(SECONDS)).id == id
    await database.sent(id, seconds=SECONDS)
    # Connects ask for a replay and their user.
    later = await database.insert(8)
    other = await connect(bridge, 8, seconds=SECONDS)
    assert (await other.notification(SECONDS)).id == later


async def test_a_slow_statement_is_not_taken_for_a_silent_link(
    link: Link, database: Database, serve: Serve, connect: Connect,
) -> None:
    await database.execute("CREATE TABLE slow (id bigserial PRIMARY KEY, user_id bigint)")
    await database.execute("SELECT notify_bridge.attach('slow', payload => 'to_jsonb(pg_catalog.pg_sleep(7)::text)')")
    bridge = await serve(link.url(database.name))
    await bridge.ready()
    device = await connect(bridge, 7)
    listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% listen'"
    before, asked = await database.value(listening), link.accepted
    await database.execute("INSERT INTO slow (user_id) VALUES (7)")
    await eventually(lambda: link.count(), lambda accepted: accepted >= asked + 2, "the bridge asks twice", SECONDS)
    assert (await device.notification(SECONDS)).source == "public.slow"
    assert await database.value(listening) == before
