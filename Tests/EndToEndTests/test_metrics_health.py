"""/healthz, /readyz and /metrics tell the truth."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable

from harness.bridge import Bridge
from harness.cluster import free_port
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_a_ready_bridge_says_so(bridge: Bridge) -> None:
    assert (await bridge.get("/healthz"))[0] == 200
    assert (await bridge.get("/readyz"))[0] == 200
    assert (await bridge.get("/healthz", method="HEAD"))[0] == 200


async def test_a_bridge_without_database_names_what_fails(serve: Serve) -> None:
    bridge = await serve(f"postgresql://postgres@127.0.0.1:{free_port()}/x")
    assert (await bridge.get("/healthz"))[0] == 200
    status, headers, body = await bridge.get("/readyz")
    assert status == 503 and "json" in headers["content-type"]
    assert "database" in json.dumps(json.loads(body))


async def test_readyz_says_nothing_of_the_connection_string(serve: Serve) -> None:
    bridge = await serve(f"postgresql://somebody:hidden-word@127.0.0.1:{free_port()}/x")
    _, _, body = await bridge.get("/readyz")
    assert b"hidden-word" not in body and "hidden-word" not in "\n".join(bridge.stderr.lines)


async def test_metrics_are_prometheus_text_with_units_and_no_user(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 987_654_321)
    id = await database.insert(987_654_321)
    await device.notification()
    await database.sent(id)
    status, headers, body = await bridge.get("/metrics")
    text = body.decode()
    assert status == 200 and headers["content-type"].startswith("text/plain")
    assert "987654321" not in text
    sample = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}]*\})? [-+0-9.eEInfNa]+')
    names = set()
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or sample.fullmatch(line), line
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            names.add(name)
            assert kind != "counter" or name.endswith("_total"), line
    assert {"notify_bridge_connections", "notify_bridge_users", "notify_bridge_doorbell_to_socket_seconds", "notify_bridge_queue_bytes"} <= names


async def test_connections_and_users_are_counted_up_and_down(bridge: Bridge, connect: Connect) -> None:
    async def look() -> tuple[float, float]:
        samples = await bridge.metrics()
        return samples["notify_bridge_connections"], samples["notify_bridge_users"]

    devices = [await connect(bridge, user) for user in (1, 1, 2)]
    await eventually(look, lambda seen: seen == (3, 2), "three connections of two users")
    for device in devices:
        await device.close()
    await eventually(look, lambda seen: seen == (0, 0), "no connection")


async def test_no_row_is_ever_found_by_the_safety_fetch(bridge: Bridge, database: Database, connect: Connect) -> None:
    """Single commits with pauses, as the doorbell is armed, and bursts."""
    device = await connect(bridge, 1)
    for burst in (1, 1, 50, 1, 200, 1, 1):
        ids = await database.insert_many(1, burst)
        assert [message.id for message in await device.notifications(burst)] == ids
    samples = await bridge.metrics()
    assert samples["notify_bridge_safety_finds_total"] == 0
    assert samples["notify_bridge_doorbells_total"] > 0


async def test_metrics_on_a_port_of_their_own_are_not_on_the_other(serve: Serve, database: Database) -> None:
    port = free_port()
    bridge = await serve(database, NOTIFY_BRIDGE_HTTP_ADMIN_PORT=str(port))
    assert (await bridge.get("/metrics"))[0] == 404
    assert (await bridge.get("/healthz"))[0] == 200
    bridge.port = port
    assert (await bridge.get("/metrics"))[0] == 200
