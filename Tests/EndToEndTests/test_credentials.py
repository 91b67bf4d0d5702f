"""Every way to give a credential, and every way to be refused."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import jwt
import pytest
import websockets
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.frames import Refused
from harness.tokens import SECRET, token

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

WAYS = {
    "query": lambda value: {"query": {"token": value}},
    "bearer header": lambda value: {"headers": [("Authorization", f"Bearer {value}")]},
    "bearer header in lower case": lambda value: {"headers": [("authorization", f"bearer {value}")]},
    "subprotocol": lambda value: {"headers": [("Sec-WebSocket-Protocol", f"notify-bridge.v1, bearer.{value}")]},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_a_token_is_accepted_and_a_bad_one_refused_whichever_way_it_comes(shared_bridge: Bridge, connect: Connect, way: Callable) -> None:
    device = await connect(shared_bridge, **way(token(42)))
    assert device.messages[0].fields["user_id"] == 42
    bad = await connect(shared_bridge, greeted=False, **way(token(42, secret="another secret, long enough to be one")))
    end = await bad.end()
    assert (end.code, end.reason) == (4001, "invalid") and bad.clean and bad.messages == []


async def test_the_subprotocol_is_answered_and_the_token_is_not(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, headers=[("Sec-WebSocket-Protocol", f"notify-bridge.v1, bearer.{token(1)}")])
    assert device.socket.response_headers["sec-websocket-protocol"] == "notify-bridge.v1"
    plain = await connect(shared_bridge, 1)
    assert "sec-websocket-protocol" not in plain.socket.response_headers


REFUSED = {
    "none": ({}, "missing"),
    "empty": ({"query": {"token": ""}}, None),
    "garbage": ({"query": {"token": "garbage"}}, "invalid"),
    "three dots": ({"query": {"token": "a.b.c"}}, "invalid"),
    "expired": ({"query": {"token": token(1, ttl=-10)}}, "expired"),
    "without exp": ({"query": {"token": token(1, exp=None)}}, "invalid"),
    "a refresh token": ({"query": {"token": token(1, token_type="refresh")}}, "invalid"),
    "without user": ({"query": {"token": token(None)}}, "invalid"),
    "not yet valid": ({"query": {"token": token(1, nbf=time.time() + 3600)}}, "invalid"),
    "an algorithm that is off": ({"query": {"token": jwt.encode({"user_id": 1, "exp": time.time() + 60}, None, algorithm="none")}}, "invalid"),
    "an unknown scheme": ({"headers": [("Authorization", "Basic dXNlcjpwYXNz")]}, None),
    "a list as user": ({"query": {"token": token([1])}}, "invalid"),
    "a fraction as user": ({"query": {"token": token(1.5)}}, "invalid"),
    "true as user": ({"query": {"token": token(True)}}, "invalid"),
}


@pytest.mark.parametrize("options, reason", REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_no_good_is_refused_after_the_upgrade_with_4001_and_a_reason(shared_bridge: Bridge, connect: Connect, options: dict, reason: str | None) -> None:
    device = await connect(shared_bridge, greeted=False, **options)
    end = await device.end()
    assert end.code == 4001 and device.clean and device.messages == []
    assert end.reason == reason if reason else end.reason in ("missing", "invalid")


@pytest.mark.parametrize("user", [42, "42"])
async def test_a_number_and_a_string_are_the_same_user(bridge: Bridge, database: Database, connect: Connect, user: object) -> None:
    device = await connect(bridge, user)
    assert device.messages[0].fields["user_id"] == 42
    id = await database.insert(42)
    assert (await device.notification()).id == id


async def test_sub_names_the_user_where_user_id_is_absent(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, query={"token": token(None, sub="77")})
    assert device.messages[0].fields["user_id"] == 77


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_every_algorithm_of_a_shared_secret_works(shared_bridge: Bridge, connect: Connect, algorithm: str) -> None:
    device = await connect(shared_bridge, query={"token": token(5, algorithm=algorithm)})
    assert device.messages[0].fields["user_id"] == 5


async def test_the_first_credential_that_is_present_decides(shared_bridge: Bridge, connect: Connect) -> None:
    good, bad = token(1), "x.y.z"
    both = await connect(shared_bridge, query={"token": token(2)}, headers=[("Authorization", f"Bearer {good}")])
    assert both.messages[0].fields["user_id"] == 1
    header_first = await connect(
        shared_bridge, query={"token": good}, headers=[("Authorization", f"Bearer {bad}")], greeted=False)
    assert (await header_first.end()).code == 4001
    protocol_first = await connect(
        shared_bridge, query={"token": good}, headers=[("Sec-WebSocket-Protocol", f"notify-bridge.v1, bearer.{bad}")], greeted=False)
    assert (await protocol_first.end()).code == 4001


async def test_access_ends_when_the_token_expires(bridge: Bridge, connect: Connect) -> None:
    device = await connect(bridge, query={"token": token(1, ttl=2)})
    end = await device.end(8)
    assert (end.code, end.reason) == (4001, "expired")


async def test_a_new_token_replaces_one_that_expires(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, query={"token": token(1, ttl=2)})
    witness = await connect(bridge, query={"token": token(1, ttl=2)})
    device.send({"type": "authenticate", "token": token(1, ttl=3600)})
    assert (await witness.end(8)).reason == "expired"
    id = await database.insert(1)
    assert (await device.notification()).id == id


@pytest.mark.parametrize("replacement", [token(2), token(1, ttl=-5), "garbage"], ids=["of another user", "expired", "garbage"])
async def test_a_bad_replacement_ends_the_connection(shared_bridge: Bridge, connect: Connect, replacement: str) -> None:
    device = await connect(shared_bridge, 1)
    device.send({"type": "authenticate", "token": replacement})
    assert (await device.end()).code == 4001


async def test_a_first_message_may_bring_the_credential_where_that_is_switched_on(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_AUTH_FIRST_MESSAGE="true")
    device = await connect(bridge, greeted=False)
    device.send({"type": "authenticate", "token": token(9)})
    assert (await device.next()).fields["user_id"] == 9
    bad = await connect(bridge, greeted=False)
    bad.send({"type": "authenticate", "token": "garbage"})
    assert (await bad.end()).code == 4001
    silent = await connect(bridge, greeted=False)
    end = await silent.end(15)
    assert (end.code, end.reason) == (4001, "missing")


ORIGINS = [
    (None, None, True), (None, "http://127.0.0.1:9999", True), (None, "http://evil.example", False), (None, "null", False),
    ("https://app.example,https://*.shop.example", "https://app.example", True),
    ("https://app.example,https://*.shop.example", "https://a.shop.example", True),
    ("https://app.example,https://*.shop.example", "https://a.b.shop.example", False),
    ("https://app.example,https://*.shop.example", "https://app.example.evil.example", False),
    ("https://app.example,https://*.shop.example", "http://app.example", False),
]


@pytest.mark.parametrize("allowed, origin, accepted", ORIGINS)
async def test_an_origin_that_is_not_allowed_is_refused_before_the_upgrade(serve: Serve, database: Database, connect: Connect, allowed: str | None, origin: str | None, accepted: bool) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_AUTH_ORIGINS=allowed)
    headers = [("Origin", origin)] if origin else []
    if accepted:
        await connect(bridge, 1, headers=headers)
        return
    with pytest.raises(Refused) as refused:
        await connect(bridge, 1, headers=headers)
    assert refused.value.status == 403
    line = await bridge.logged(lambda line: origin in str(line), "the refusal with its origin")
    assert "NOTIFY_BRIDGE_AUTH_ORIGINS" in str(line) or "origins" in str(line).lower()


async def test_nothing_of_a_credential_or_a_payload_is_ever_logged(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LOG_LEVEL="trace")
    good, bad = token(1), token(1, secret="another secret, long enough to be one")
    await connect(bridge, query={"token": good})
    for way in WAYS.values():
        refused = await connect(bridge, greeted=False, **way(bad))
        await refused.end()
    device = await connect(bridge, headers=[("Authorization", f"Bearer {good}")])
    device.send({"type": "authenticate", "token": good})
    device.send({"type": "payload-in-a-client-message"})
    id = await database.insert(1, '{"word": "a-secret-payload"}')
    while not device.ids:
        await device.next()
    await database.sent(id)
    assert await bridge.terminate() == 0
    text = "\n".join(bridge.stderr.lines + bridge.stdout.lines)
    assert '"user":"1"' in text or '"user":1' in text
    for secret in (good, bad, good.split(".")[2], bad.split(".")[2], good.split(".")[1], SECRET, "a-secret-payload", "payload-in-a"):
        assert secret not in text


async def test_an_independent_client_library_is_served_with_and_without_compression(bridge: Bridge, database: Database) -> None:
    for compression in ("deflate", None):
        url = f"ws://127.0.0.1:{bridge.port}/ws/notifications/?token={token(1)}"
        async with websockets.connect(url, compression=compression, max_size=None) as socket:
            assert '"connection_established"' in await socket.recv()
            text = "ä€😀" * 20_000
            id = await database.value(
                "INSERT INTO notification (user_id, data) VALUES (1, to_jsonb(%s::text)) RETURNING id", (text,))
            assert text in await socket.recv()
            await database.sent(id)  # or the next connection gets it too
            await (await socket.ping())
            await socket.send('{"type":"ping"}')
            assert '"heartbeat"' in await socket.recv()
