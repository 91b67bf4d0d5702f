"""Links that are cut, reset, stalled, silent or slow, on both sides of the bridge."""

from __future__ import annotations

import pytest
from harness.link import Link
from harness.waiting import eventually
from scenario import Scenario


async def linked(scenario: Scenario) -> Link:
    """A bridge that reaches its database through a link."""
    await scenario.start_database()
    link = await Link(scenario.cluster).open()
    scenario.cleanup.callback(link.close)
    bridge = await scenario.serve(link.url("chaos"))
    await bridge.ready()
    return link


async def test_database_link_cut(scenario: Scenario) -> None:
    """The link to the database is cut (FIN) and reset (RST), twice each."""
    link = await linked(scenario)

    async def disturb() -> None:
        for end in (link.cut, link.reset) * 2:
            async with scenario.fault():
                end()
            await scenario.flow(0.3)

    await scenario.prove(disturb)


async def test_database_link_silent(scenario: Scenario) -> None:
    """The link to the database carries nothing any more, and stays open."""
    link = await linked(scenario)

    async def disturb() -> None:
        sessions, accepted = len(link.pumps) // 2, link.accepted
        async with scenario.fault():
            link.silence()
            await eventually(link.count, lambda now: now >= accepted + sessions, "all sessions are made again", 40)

    await scenario.prove(disturb)


@pytest.mark.short
async def test_database_link_stalled(scenario: Scenario) -> None:
    """The link to the database stalls until the bridge notices, then goes on."""
    link = await linked(scenario)

    async def disturb() -> None:
        async with scenario.fault():
            link.stall()
            try:
                await scenario.bridges[0].ready(503, seconds=20)
                await scenario.flow(0.3)
            finally:
                link.flow()

    await scenario.prove(disturb)


async def test_database_link_slow(scenario: Scenario) -> None:
    """The link to the database delays everything by 50 ms each way."""
    link = await linked(scenario)

    async def disturb() -> None:
        async with scenario.fault():
            link.delay = 0.05
            await scenario.flow(1.0)
            link.delay = 0.0

    await scenario.prove(disturb)


async def client_link(scenario: Scenario) -> Link:
    """A link that all devices connect through."""
    link = await Link(await scenario.start()).open()
    scenario.cleanup.callback(link.close)
    return link


async def test_client_links_cut(scenario: Scenario) -> None:
    """The links to all devices are cut (FIN) and reset (RST), three times each."""
    link = await client_link(scenario)

    async def disturb() -> None:
        for end in (link.cut, link.reset) * 3:
            async with scenario.fault():
                end()
            await scenario.flow(0.2)

    await scenario.prove(disturb, targets=lambda: [link], lossy=True)


@pytest.mark.short
async def test_client_links_stalled(scenario: Scenario) -> None:
    """The links to all devices stall, are reset, and are slow."""
    link = await client_link(scenario)

    async def disturb() -> None:
        async with scenario.fault():
            link.stall()
            await scenario.flow(0.5)
            link.flow()
        async with scenario.fault():
            link.stall()
            await scenario.flow(0.3)
            link.reset()
            link.flow()
        async with scenario.fault():
            link.delay = 0.05
            await scenario.flow(0.5)
            link.delay = 0.0

    await scenario.prove(disturb, targets=lambda: [link], lossy=True)
