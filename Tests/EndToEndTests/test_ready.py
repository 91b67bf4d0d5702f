"""Ready means able: every connection of the bridge works, or `/readyz` names the ones that don't."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from harness.waiting import eventually
from test_pooler import LISTEN_URL, Start, pooler  # noqa: F401

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
CONNECTIONS = {"mark", "replay", "auth", "maintenance"}


async def failing(bridge: Bridge) -> set[str]:
    _, _, body = await bridge.get("/readyz")
    return {part["part"] for part in json.loads(body).get("failing", [])}


async def warned(bridge: Bridge, text: str) -> None:
    """Waits for the log's warning with this text that one connection has."""
    await bridge.logged(
        lambda line: line["level"] == "warning" and text in line["message"] and line.get("for") in CONNECTIONS,
        f"a warning with {text!r}", seconds=30)


async def test_a_role_with_too_few_connections_is_not_ready_until_it_has_enough(
    database: Database, serve: Serve, connect: Connect,
) -> None:
    role = f"few_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 3")
    await database.execute(f"SELECT notify_bridge.grant_to('{role}')")
    try:
        url = database.url.replace("postgres@", f"{role}@")
        done = await run("check", DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
        assert done.status == 1 and "the role may have 3" in done.stdout and "CONNECTION LIMIT" in done.stdout, done
        bridge = await serve(url)
        await eventually(lambda: failing(bridge), lambda parts: len(parts & CONNECTIONS) == 2, "two connections are missing", 30)
        await warned(bridge, "too many connections")
        await database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")
        await bridge.ready(seconds=30)
        device = await connect(bridge, 7)
        id = await database.insert(7)
        assert (await device.notification()).id == id
        await database.sent(id)
        # Presence has none to spare.
        assert await database.value("SELECT count(*) FROM notify_bridge.presence") == 0
        await database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 6")
        await eventually(lambda: database.value("SELECT count(*) FROM notify_bridge.presence"), lambda users: users == 1, "presence", 10)
        await bridge.terminate()
    finally:
        await database.execute(f"DROP OWNED BY {role}")
        await database.execute(f"DROP ROLE {role}")


@pytest.mark.parametrize("name", sorted(CONNECTIONS))
async def test_a_connection_that_worked_and_is_refused_later_is_named(name: str, database: Database, serve: Serve) -> None:
    role = f"fewer_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 5")
    await database.execute(f"SELECT notify_bridge.grant_to('{role}')")
    try:
        bridge = await serve(database.url.replace("postgres@", f"{role}@"))
        await bridge.ready()
        await database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 4")
        assert await database.value(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND application_name LIKE %s",
            (role, f"% {name}"))
        await eventually(lambda: failing(bridge), lambda parts: parts == {name}, "the one that is refused", 20)
        await database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")
        await bridge.ready(seconds=20)
        await bridge.terminate()
    finally:
        await database.execute(f"DROP OWNED BY {role}")
        await database.execute(f"DROP ROLE {role}")


async def test_a_pool_that_is_too_small_is_not_ready(pooler: Start, database: Database, serve: Serve) -> None:  # noqa: F811
    bridge = await serve((await pooler("session", 2)).url(database.name), **{LISTEN_URL: database.url})
    await eventually(lambda: failing(bridge), lambda parts: len(parts & CONNECTIONS) == 2, "two connections are missing", 30)
    await warned(bridge, "no answer in the time given")


async def test_a_pooler_in_statement_mode_is_not_ready(pooler: Start, database: Database, serve: Serve) -> None:  # noqa: F811
    bridge = await serve((await pooler("statement")).url(database.name), **{LISTEN_URL: database.url})
    await eventually(lambda: failing(bridge), lambda parts: parts == CONNECTIONS, "no connection but one works", 30)
    await warned(bridge, "statement pooling mode")
