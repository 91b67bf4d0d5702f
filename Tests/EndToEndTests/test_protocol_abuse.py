"""What breaks RFC 6455 or HTTP is answered with the right code, and disturbs nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from harness import frames
from harness.bridge import Bridge, parse_response
from harness.database import Database
from harness.device import Device
from harness.frames import Socket, close_payload, encode
from harness.tokens import token
from harness.waiting import within

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


@pytest_asyncio.fixture(autouse=True)
async def bystander(request: pytest.FixtureRequest, shared_bridge: Bridge, shared_database: Database) -> AsyncIterator[None]:
    """Another client keeps receiving, before and after."""
    user = await shared_database.value("SELECT nextval('test_user')")
    device = await Device.connect(shared_bridge, user)
    yield
    id = await shared_database.insert(user)
    assert (await device.notification()).id == id
    device.abort()
    await device.end()


BAD_FRAMES = {
    "unmasked": (encode(frames.TEXT, b"{}", masked=False), 1002),
    "reserved bit 1 without extension": (encode(frames.TEXT, b"{}", reserved=4), 1002),
    "reserved bit 3": (encode(frames.TEXT, b"{}", reserved=1), 1002),
    "unknown data opcode": (encode(3, b"x"), 1002),
    "unknown control opcode": (encode(11, b"x"), 1002),
    "control frame in pieces": (encode(frames.PING, b"x", final=False), 1002),
    "control frame of 126 bytes": (encode(frames.PING, b"x" * 126), 1002),
    "continuation of nothing": (encode(frames.CONTINUATION, b"x"), 1002),
    "a new message inside one": (encode(frames.TEXT, b"a", final=False) + encode(frames.TEXT, b"b"), 1002),
    "close of one byte": (encode(frames.CLOSE, b"x"), 1002),
    "close with a reserved code": (encode(frames.CLOSE, close_payload(1005)), 1002),
    "close with code 999": (encode(frames.CLOSE, close_payload(999)), 1002),
    "a length beyond 63 bits": (encode(frames.TEXT, b"", length=1 << 63), None),
    "binary": (encode(frames.BINARY, b"{}"), 1003),
    "bad UTF-8": (encode(frames.TEXT, b"\xff\xfe"), 1007),
    "bad UTF-8 over two frames": (encode(frames.TEXT, b"\xe2\x82", final=False) + encode(frames.CONTINUATION, b"x"), 1007),
    "an overlong form": (encode(frames.TEXT, b"\xc0\xaf"), 1007),
    "a surrogate": (encode(frames.TEXT, b"\xed\xa0\x80"), 1007),
    "bad UTF-8 in a close reason": (encode(frames.CLOSE, close_payload(1000) + b"\xff"), None),
    "too big": (encode(frames.TEXT, b"x" * 70_000), 1009),
    "announced too big": (encode(frames.TEXT, b"x", length=1 << 40), 1009),
    "too big in pieces": (encode(frames.TEXT, b"x" * 40_000, final=False) + encode(frames.CONTINUATION, b"x" * 40_000), 1009),
}


@pytest.mark.parametrize("data, code", BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
async def test_a_bad_frame_ends_the_connection_with_its_code(shared_bridge: Bridge, connect: Connect, data: bytes, code: int | None) -> None:
    device = await connect(shared_bridge, 1)
    device.socket.write(data)
    end = await device.end(8)
    assert end.code == code if code else end.code in (1002, 1007, 1009)


async def test_a_client_that_closes_is_answered_with_its_code(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, 1)
    end = await device.close(1000)
    assert end.code == 1000 and device.clean


async def test_pings_are_answered_even_inside_a_message_in_pieces(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, 1)
    device.frame(frames.TEXT, b'{"type":', final=False)
    device.frame(frames.PING, b"inside")
    device.frame(frames.CONTINUATION, b'"ping"}')
    assert (await device.next()).type == "heartbeat"
    assert device.pongs == [b"inside"]


MESSAGES = [
    b"", b"[]", b"null", b"1", b'"ping"', b"{}", b'{"type":1}', b'{"type":"unknown"}', b'{"type":"ack"}', b'{"type":"ack","ids":"7"}',
    b'{"type":"ack","ids":[1.5]}', b'{"type":"ack","ids":[99999999999999999999]}', b'{"type":"read","ids":[null]}',
    b'{"type":"authenticate"}', b"[" * 20_000, b'{"type":"ping"', b'{"type":"ack","ids":[' + b"1," * 5_000 + b"1]}",
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message[:30].decode())
async def test_a_message_that_is_no_good_gets_an_error_and_the_connection_stays(shared_bridge: Bridge, connect: Connect, message: bytes) -> None:
    device = await connect(shared_bridge, 1)
    device.frame(frames.TEXT, message)
    answer = await device.next()
    assert answer.fields["type"] == "error" and answer.fields["code"] == "invalid_message"
    assert await device.barrier() == []


async def test_too_many_messages_end_the_connection_with_4029(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, 1)
    for _ in range(200):
        device.send({"type": "ping"})
    assert (await device.end()).code == 4029


async def test_too_many_control_frames_are_no_way_around_the_limit(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, 1)
    for _ in range(20_000):
        device.frame(frames.PING, b"")
    device.frame(frames.CLOSE, close_payload(1000))
    assert (await device.end(15)).code in (1000, 4029)


async def answer(bridge: Bridge, request: bytes, seconds: float = 10) -> bytes:
    """All that the server answers to some bytes, until it closes."""
    socket = await Socket.open(bridge.host, bridge.port)
    socket.write(request)
    try:
        return await within(seconds, socket.reader.read(), "the answer")
    finally:
        socket.abort()


def upgrade(bridge: Bridge, *extra: str, target: str | None = None, without: str = "") -> bytes:
    lines = [
        f"GET {target or '/ws/notifications/?token=' + token(1)} HTTP/1.1", f"Host: 127.0.0.1:{bridge.port}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *extra]
    return "\r\n".join(line for line in lines if not without or not line.startswith(without)).encode() + b"\r\n\r\n"


async def test_a_plain_request_to_the_path_is_answered_with_426(shared_bridge: Bridge) -> None:
    assert (await shared_bridge.get("/ws/notifications/"))[0] == 426


@pytest.mark.parametrize("path, status", [("/", 404), ("/ws/", 404), ("/ws/notifications/x", 404), ("/../etc/passwd", None), ("/%00", None)])
async def test_other_paths_are_not_found(shared_bridge: Bridge, path: str, status: int | None) -> None:
    got = (await shared_bridge.get(path))[0]
    assert got == status if status else got in (400, 404)


async def test_the_last_slash_of_the_path_may_be_left_out(shared_bridge: Bridge, connect: Connect) -> None:
    await connect(shared_bridge, 1, path="/ws/notifications")


async def test_another_version_of_the_protocol_is_refused(shared_bridge: Bridge) -> None:
    request = upgrade(shared_bridge, "Connection: close", without="Sec-WebSocket-Version") .replace(
        b"Upgrade: websocket", b"Upgrade: websocket\r\nSec-WebSocket-Version: 8")
    status, _, _ = parse_response(await answer(shared_bridge, request))
    assert status in (400, 426)


SMUGGLING = {
    "two lengths": "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length and chunks": "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: h\r\n\r\n",
    "negative length": "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
    "length with a sign": "POST /healthz HTTP/1.1\r\nHost: h\r\nContent-Length: +5\r\n\r\nhello",
    "blank before the colon": "GET /healthz HTTP/1.1\r\nHost : h\r\n\r\n",
    "folded header": "GET /healthz HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n",
    "NUL in a header": "GET /healthz HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
    "no version": "GET /healthz\r\n\r\n",
    "two hosts": "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": "GET /healthz HTTP/1.1\r\n\r\n",
    "not HTTP at all": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "x" * 60 + "\r\n\r\n",
}


@pytest.mark.parametrize("request_text", SMUGGLING.values(), ids=SMUGGLING.keys())
async def test_a_request_that_two_servers_may_read_differently_gets_one_refusal_and_the_connection_ends(shared_bridge: Bridge, request_text: str) -> None:
    got = await answer(shared_bridge, request_text.encode("latin-1"))
    assert got.count(b"HTTP/1.1 ") <= 1 and b"HTTP/1.1 200" not in got, got[:300]


@pytest.mark.parametrize("request_head", ["GET /" + "a" * 200_000 + " HTTP/1.1\r\nHost: h\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n" * 30_000 + "\r\n", "GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + "z" * 500_000 + "\r\n\r\n"], ids=["long target", "many headers", "long header"])
async def test_a_huge_request_head_is_refused(shared_bridge: Bridge, request_head: str) -> None:
    try:
        got = await answer(shared_bridge, request_head.encode())
    except ConnectionError:
        return  # refused without an answer, while we were still writing
    assert b"HTTP/1.1 200" not in got


@pytest.mark.parametrize("body", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"], ids=["length", "chunks"])
async def test_an_upgrade_with_a_body_is_not_served_as_one(shared_bridge: Bridge, body: str) -> None:
    request = upgrade(shared_bridge)[:-2] + body.encode()
    got = await answer(shared_bridge, request)
    assert b"connection_established" not in got


async def test_frames_sent_together_with_the_handshake_are_not_lost(shared_bridge: Bridge) -> None:
    socket = await Socket.open(shared_bridge.host, shared_bridge.port)
    socket.write(upgrade(shared_bridge) + encode(frames.TEXT, b'{"type":"ping"}'))
    status, _ = await within(10, socket.response_head(), "the handshake")
    assert status == 101
    texts = [await within(10, socket.frame(), "a frame") for _ in range(2)]
    assert b"connection_established" in texts[0].payload and b"heartbeat" in texts[1].payload
    socket.abort()


async def test_a_handshake_that_takes_too_long_is_ended(serve: Serve, database: Database) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_HANDSHAKE_SECONDS="1")
    silent = await Socket.open(bridge.host, bridge.port)
    slow = await Socket.open(bridge.host, bridge.port)
    slow.write(b"GET /ws/notifications/ HTTP/1.1\r\nHost: ")
    for socket in (silent, slow):
        await within(8, socket.reader.read(), "the end of a connection without a request")
        socket.abort()


async def test_a_client_that_closes_its_half_is_let_go(shared_bridge: Bridge, connect: Connect) -> None:
    device = await connect(shared_bridge, 1)
    device.socket.writer.write_eof()
    await device.end()


async def test_a_hundred_connections_that_are_cut_at_once_leave_nothing_behind(shared_bridge: Bridge, connect: Connect) -> None:
    from harness.waiting import eventually

    async def look() -> float:
        return (await shared_bridge.metrics())["notify_bridge_connections"]

    devices = await asyncio.gather(*(connect(shared_bridge, 1) for _ in range(90)))
    await eventually(look, lambda count: count >= 90, "90 connections")
    for device in devices:
        device.abort()
    await eventually(look, lambda count: count <= 1, "nobody but the bystander", 20)


async def test_connects_beyond_the_rate_of_an_address_are_closed_with_4029(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_CONNECT_RATE="3")
    devices = [await connect(bridge, 1, greeted=False) for _ in range(12)]
    ended = [(await device.end()).code for device in devices[6:] if device.closed.done() or not device.messages]
    assert 4029 in ended


async def test_connections_beyond_the_limit_of_an_address_are_closed_with_4029(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_CONNECTIONS_PER_ADDRESS="2")
    first, second = await connect(bridge, 1), await connect(bridge, 2)
    third = await connect(bridge, 3, greeted=False)
    assert (await third.end()).code == 4029
    assert await first.barrier() == [] and await second.barrier() == []
