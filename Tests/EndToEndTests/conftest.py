"""Fixtures: one cluster for the tests that leave it alone, a database for each test, bridges and devices that end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
from harness import bridge as programs
from harness import site as sites
from harness.bridge import BINARY, Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.site import Site
from playwright.async_api import Browser, async_playwright

TEMPLATE = "migrated"
CHROMIUM = "/usr/bin/chromium"


async def migrate(url: str) -> None:
    done = await programs.run("migrate", DATABASE_URL=url)
    assert done.status == 0, done


async def make_template(cluster: Cluster) -> None:
    """Makes the database that the tests' databases are copies of, by the program's own migrations."""
    cluster.execute(f"CREATE DATABASE {TEMPLATE}")
    await migrate(cluster.url(TEMPLATE))


@pytest.fixture(scope="session", autouse=True)
def program_exists(request: pytest.FixtureRequest) -> None:
    if any("needs_no_program" not in item.keywords for item in request.session.items):
        assert BINARY.exists(), f"{BINARY} does not exist: swift build"


@pytest_asyncio.fixture(scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    """A server that no test stops."""
    server = Cluster("max_prepared_transactions = 5\n").start()
    try:
        await make_template(server)
        yield server
    finally:
        server.remove()


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium, one for all tests of a file."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture
async def own_cluster() -> AsyncIterator[Cluster]:
    """A server that the test may stop, freeze or crash."""
    # Its transaction ids soon get a fifth digit: read as text, they are out of order then.
    server = Cluster(next_transaction=9_800).start()
    try:
        await make_template(server)
        yield server
    finally:
        server.remove()


@pytest_asyncio.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    made = await Database.create(cluster, TEMPLATE)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module")
async def shared_database(cluster: Cluster) -> AsyncIterator[Database]:
    """For tests that differ only in a user: one database and one bridge for all of a file."""
    made = await Database.create(cluster, TEMPLATE)
    await made.execute("CREATE SEQUENCE test_user START 1000")
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module")
async def shared_bridge(shared_database: Database) -> AsyncIterator[Bridge]:
    running = await Bridge.serve(shared_database.url)
    yield running
    await running.kill()


@pytest_asyncio.fixture
async def own_database(own_cluster: Cluster) -> AsyncIterator[Database]:
    made = await Database.create(own_cluster, TEMPLATE)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session")
async def django_templates(cluster: Cluster) -> dict[str, str]:
    """Databases of a Django project, with integers and with uuids as users, by the user's model."""
    templates = {"auth.User": "django_integers", "people.Member": "django_uuids"}
    for model, name in templates.items():
        cluster.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        await sites.migrate(cluster.url(name), USER_MODEL=model)
        cluster.execute("SELECT notify_bridge.attach_logins()", database=name)
        if model == "people.Member":
            # Recipients are what users are.
            cluster.execute(
                "ALTER TABLE notification ALTER COLUMN user_id TYPE uuid USING NULL",
                "UPDATE notify_bridge.source SET recipient_kind = 'uuid'", database=name)
    return templates


@pytest_asyncio.fixture(scope="module", params=["auth.User", "people.Member"], ids=["integers", "uuids"])
async def django(
    request: pytest.FixtureRequest, cluster: Cluster, django_templates: dict[str, str]
) -> AsyncIterator[tuple[Database, Site, Bridge]]:
    """A project with its database, its server and a bridge with every kind of login."""
    database = await Database.create(cluster, django_templates[request.param])
    site = await Site.serve(database.url, USER_MODEL=request.param)
    running = await Bridge.serve(database.url, **sites.BRIDGE)
    await running.ready()
    yield database, site, running
    await running.kill()
    await site.stop()
    await database.close()


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Bridge]]]:
    """Starts bridges, which are ended after the test."""
    started: list[Bridge] = []

    async def start(database: Database | str, *arguments: str, **settings: str | None) -> Bridge:
        url = database if isinstance(database, str) else database.url
        bridge = await Bridge.serve(url, *arguments, **settings)
        started.append(bridge)
        return bridge

    yield start
    for bridge in started:
        if bridge.running:
            await bridge.kill()


@pytest_asyncio.fixture
async def bridge(database: Database, serve: Callable[..., Awaitable[Bridge]]) -> Bridge:
    """A bridge with the default settings."""
    running = await serve(database)
    await running.ready()
    return running


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Callable[..., Awaitable[Device]]]:
    """Connects devices, which are cut off after the test."""
    devices: list[Device] = []

    async def start(bridge: Bridge, *arguments: Any, **options: Any) -> Device:
        device = await Device.connect(bridge, *arguments, **options)
        devices.append(device)
        return device

    yield start
    for device in devices:
        device.abort()
        await device.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A failed test shows what its bridges said."""
    report = yield
    if report.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, programs.Program):
                report.sections.append((f"stderr of {name}", "\n".join(value.stderr.lines[-40:])))
    return report
