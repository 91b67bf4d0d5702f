"""What the operator reads: one JSON line for each connect, refusal and disconnect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.tokens import token

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_a_connection_is_logged_with_user_address_duration_messages_and_how_it_ended(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 42)
    await database.insert_many(42, 3)
    await device.notifications(3)
    line = await bridge.logged(lambda line: line.get("user") == "42" and "code" not in line, "the connect")
    assert line["level"] == "info" and line["remote"].startswith("127.0.0.1")
    await device.close(1000)
    line = await bridge.logged(lambda line: line.get("user") == "42" and "code" in line, "the disconnect")
    assert line["level"] == "info" and line["remote"].startswith("127.0.0.1")
    assert str(line["code"]) == "1000" and line["closed_by"] == "client"
    assert 0 <= float(line["duration_s"]) < 60 and int(line["messages"]) == 4


async def test_who_ended_a_connection_is_told(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_USER="1")
    cut, first = await connect(bridge, 1), await connect(bridge, 2)
    cut.abort()
    await connect(bridge, 2)
    await first.end()
    by_user = {
        user: await bridge.logged(lambda line, user=user: line.get("user") == user and "code" in line, f"the end of {user}")
        for user in ("1", "2")
    }
    assert by_user["1"]["closed_by"] not in ("server", "client") and str(by_user["1"]["code"]) == "1006"
    assert by_user["2"]["closed_by"] == "server" and str(by_user["2"]["code"]) == "4009"


async def test_a_refusal_is_logged_with_its_reason_and_address(bridge: Bridge, connect: Connect) -> None:
    bad = token(1, ttl=-5)
    device = await connect(bridge, query={"token": bad}, greeted=False)
    await device.end()
    line = await bridge.logged(lambda line: "expired" in str(line), "the refusal")
    assert line["remote"].startswith("127.0.0.1") and line["reason"] == "expired"
    assert bad.split(".")[1] not in str(bridge.log())


async def test_every_line_has_time_level_and_message_and_no_control_character(bridge: Bridge, connect: Connect) -> None:
    await connect(bridge, query={"token": token("evil\nname\x1b[31m")}, greeted=False)
    good = await connect(bridge, 1)
    await good.barrier()
    for line, text in zip(bridge.log(), bridge.stderr.lines, strict=True):
        assert {"time", "level", "message"} <= line.keys()
        assert not any(ord(character) < 32 for character in text)


async def test_at_level_error_a_healthy_bridge_says_nothing_and_still_says_that_it_listens(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LOG_LEVEL="error")
    device = await connect(bridge, 1)
    await device.close()
    assert await bridge.terminate() == 0
    assert bridge.stderr.lines == []
    assert len(bridge.stdout.lines) == 1


async def test_the_text_format_has_the_same_facts(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LOG_FORMAT="text")
    device = await connect(bridge, 4711)
    await device.close()
    line = await bridge.stderr.line(lambda line: "4711" in line and "closed_by" in line, "the disconnect")
    assert not line.startswith("{")
