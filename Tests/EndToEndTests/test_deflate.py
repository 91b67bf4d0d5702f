"""permessage-deflate (RFC 7692): compressed or not, what arrives is the row, byte for byte."""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import websockets
from harness import frames
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device
from harness.frames import Frame, Socket, encode
from harness.tokens import token
from harness.waiting import within
from playwright.async_api import Browser
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
TAIL = b"\x00\x00\xff\xff"
AGREED = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

_random = random.Random(7)
PAYLOADS = {
    "1 byte": "1",
    "8,001 bytes": json.dumps({"text": "".join(_random.choices("etaoin shrdlu", k=7_989))}),
    "every Unicode plane": json.dumps(
        "".join(chr(plane << 16 | low) for plane in range(17) for low in range(0x1000, 0x1080)), ensure_ascii=False),
    "the largest that is compressed": json.dumps("".join(_random.choices("0123456789abcdef", k=250_000))),
    "5 MB": json.dumps([_random.getrandbits(60) for _ in range(260_000)]),
}

# What a client offers as (server_max_window_bits, client_max_window_bits), and whether that can be taken.
WINDOWS = [((None, True), True), ((12, 12), True), ((15, 15), True), ((13, 9), True), ((None, None), True), ((9, 9), False), ((11, True), False)]


@pytest.mark.parametrize("windows, is_taken", WINDOWS, ids=lambda value: str(value))
async def test_a_client_library_gets_every_row_whatever_window_it_offers(
    shared_bridge: Bridge, shared_database: Database, windows: tuple[int | bool | None, int | bool | None], is_taken: bool
) -> None:
    """Replayed and live, and messages of its own are understood."""
    user = await shared_database.value("SELECT nextval('test_user')")
    unsent = [await shared_database.insert(user, payload) for payload in PAYLOADS.values()]
    compressed = (await shared_bridge.metrics())["notify_bridge_rows_deflated_total"]
    factory = ClientPerMessageDeflateFactory(server_max_window_bits=windows[0], client_max_window_bits=windows[1])
    url = f"ws://127.0.0.1:{shared_bridge.port}/ws/notifications/?token={token(user)}"
    async with websockets.connect(url, compression=None, extensions=[factory], max_size=None) as socket:
        assert socket.response is not None
        answered = socket.response.headers.get("Sec-WebSocket-Extensions")
        if not is_taken:
            assert answered is None
        elif windows[0] is None:
            assert answered == AGREED
        else:
            assert answered == AGREED + "; server_max_window_bits=12"
        assert '"connection_established"' in await within(10, socket.recv(), "a message")

        async def check(ids: list[int]) -> None:
            for id in ids:
                raw = await within(20, socket.recv(decode=False), f"row {id}")
                assert raw.startswith(b'{"type":"notification","id":%d,' % id), raw[:200]
                assert raw.endswith(b',"data":' + (await shared_database.row(id))["text"].encode() + b"}")

        await check(unsent)
        live = [await shared_database.insert(user, payload) for payload in PAYLOADS.values()]
        await check(live)
        await shared_database.sent(unsent + live)
        await socket.send('{"type":"ping","padding":"' + "x" * 60_000 + '"}')
        assert '"heartbeat"' in await within(10, socket.recv(), "a heartbeat")
    # Of the five rows three, each time; small and huge ones go out as they are.
    now = (await shared_bridge.metrics())["notify_bridge_rows_deflated_total"]
    assert now - compressed == (6 if is_taken else 0)


async def deflating(bridge: Bridge, user: object, offer: str = "permessage-deflate") -> Socket:
    socket = await Socket.open(bridge.host, bridge.port)
    await socket.handshake(
        f"/ws/notifications/?token={token(user)}", f"{bridge.host}:{bridge.port}", [("Sec-WebSocket-Extensions", offer)])
    assert socket.response_headers["sec-websocket-extensions"].startswith(AGREED)
    first = await frame(socket)
    assert first.reserved == 0 and b"connection_established" in first.payload
    return socket


async def frame(socket: Socket) -> Frame:
    got = await within(10, socket.frame(), "a frame")
    assert got is not None
    return got


async def code(socket: Socket) -> int:
    """Of the close frame that comes next."""
    got = await frame(socket)
    assert got.opcode == frames.CLOSE, got
    socket.abort()
    return int.from_bytes(got.payload[:2], "big")


def inflate(payload: bytes, bits: int = 12) -> bytes:
    """Without anything known from other messages, and with no larger window than was agreed on."""
    return zlib.decompressobj(wbits=-bits).decompress(payload + TAIL)


def deflate(text: bytes) -> bytes:
    compressor = zlib.compressobj(9, wbits=-15)
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


async def test_devices_of_a_user_get_the_same_compressed_frame_and_others_the_plain_one(
    bridge: Bridge, database: Database, connect: Connect
) -> None:
    sockets = [await deflating(bridge, 1, offer) for offer in ("permessage-deflate", "permessage-deflate; server_max_window_bits=12") * 3]
    plain = await connect(bridge, 1)
    ids = [await database.insert(1, payload) for payload in (PAYLOADS["8,001 bytes"], '"small"', PAYLOADS["8,001 bytes"])]
    messages = await plain.notifications(3)
    assert [message.id for message in messages] == ids
    for number, message in enumerate(messages):
        got = [await frame(socket) for socket in sockets]
        assert all(one == got[0] for one in got)
        assert got[0].final and got[0].opcode == frames.TEXT
        if number == 1:
            assert (got[0].reserved, got[0].payload) == (0, message.raw)
        else:
            assert got[0].reserved == 4 and inflate(got[0].payload) == message.raw
            assert len(got[0].payload) < len(message.raw) * 0.6
    metrics = await bridge.metrics()
    assert metrics["notify_bridge_rows_delivered_total"] == 3 * 7
    # Two rows: once for each event loop that has some of the devices.
    assert 2 <= metrics["notify_bridge_rows_deflated_total"] <= 2 * 6
    assert metrics["notify_bridge_deflate_saved_bytes_total"] > 6 * 2 * 3_000
    for socket in sockets:
        socket.abort()


PING = deflate(b'{"type":"ping"}')
BAD = {
    "RSV1 on a ping": (encode(frames.PING, b"", reserved=4), 1002),
    "RSV1 on a close": (encode(frames.CLOSE, b"", reserved=4), 1002),
    "RSV1 on a continuation": (
        encode(frames.TEXT, PING[:4], final=False, reserved=4) + encode(frames.CONTINUATION, PING[4:], reserved=4), 1002),
    "RSV2": (encode(frames.TEXT, PING, reserved=2), 1002),
    "RSV1 and RSV3": (encode(frames.TEXT, PING, reserved=5), 1002),
    "binary": (encode(frames.BINARY, PING, reserved=4), 1003),
    "a text that is not compressed": (encode(frames.TEXT, b'{"type":"ping"}', reserved=4), 1002),
    "cut off": (encode(frames.TEXT, PING[:-3], reserved=4), 1002),
    "bad UTF-8": (encode(frames.TEXT, deflate(b"\xff\xfe" * 40), reserved=4), 1007),
    "more than the limit": (encode(frames.TEXT, deflate(b"x" * 65_537), reserved=4), 1009),
    "more than the limit in pieces": (
        encode(frames.TEXT, deflate(b"x" * 65_537)[:20], final=False, reserved=4)
        + encode(frames.CONTINUATION, deflate(b"x" * 65_537)[20:]), 1009),
    "a bomb": (encode(frames.TEXT, deflate(b"\0" * 60_000_000), reserved=4), 1009),
}


@pytest.mark.parametrize("data, expected", BAD.values(), ids=BAD.keys())
async def test_a_bad_compressed_message_ends_the_connection_with_its_code(shared_bridge: Bridge, data: bytes, expected: int) -> None:
    socket = await deflating(shared_bridge, 1)
    socket.write(data)
    assert await code(socket) == expected


async def test_bombs_take_no_memory(bridge: Bridge) -> None:
    def peak() -> int:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{bridge.pid}/status").read_text())
        assert found
        return int(found[1])

    # What anything of this kind takes, and the size of what goes over the socket.
    bomb = deflate(b"\0" * 60_000_000)
    assert len(bomb) < 65_536
    for _ in range(3):
        socket = await deflating(bridge, 1)
        socket.write(encode(frames.TEXT, bomb[:-1], reserved=4))
        assert await code(socket) == 1009
    before = peak()
    sockets = [await deflating(bridge, user) for user in range(1, 41)]
    for socket in sockets:
        socket.write(encode(frames.TEXT, bomb, reserved=4))
    for socket in sockets:
        assert await code(socket) == 1009
    assert peak() - before < 20_000


async def test_messages_in_pieces_and_of_any_block_kind_are_understood(shared_bridge: Bridge) -> None:
    socket = await deflating(shared_bridge, 1)
    for number in range(1, len(PING)):
        socket.write(
            encode(frames.TEXT, PING[:number], final=False, reserved=4) + encode(frames.PING, b"between")
            + (encode(frames.CONTINUATION, b"", final=False) if number == 1 else b"") + encode(frames.CONTINUATION, PING[number:]))
        answers = [await frame(socket), await frame(socket)]
        assert answers[0].opcode == frames.PONG and b'"heartbeat"' in answers[1].payload
    # Stored, with a final block, and not compressed at all.
    text = b'{"type":"ping"}'
    stored = bytes([0, len(text), 0, 255 - len(text), 255]) + text + b"\0"
    final = zlib.compressobj(wbits=-9)
    for data in (
        encode(frames.TEXT, stored, reserved=4), encode(frames.TEXT, final.compress(text) + final.flush() + b"\0", reserved=4),
        encode(frames.TEXT, text),
    ):
        socket.write(data)
        assert b'"heartbeat"' in (await frame(socket)).payload
    socket.abort()


async def test_it_can_be_switched_off_and_the_smallest_message_is_a_setting(serve: Serve, database: Database) -> None:
    off = await serve(database, NOTIFY_BRIDGE_HTTP_DEFLATE="false")
    socket = await Socket.open(off.host, off.port)
    await socket.handshake(
        f"/ws/notifications/?token={token(1)}", f"{off.host}:{off.port}", [("Sec-WebSocket-Extensions", "permessage-deflate")])
    assert "sec-websocket-extensions" not in socket.response_headers
    small = await serve(database, NOTIFY_BRIDGE_HTTP_DEFLATE_FROM_BYTES="100")
    deflated = await deflating(small, 1)
    assert b"connection_established" in (await frame(socket)).payload
    await database.insert(1, json.dumps("x" * 100))
    plain, compressed = await frame(socket), await frame(deflated)
    assert (plain.reserved, compressed.reserved) == (0, 4)
    data = b',"data":"' + b"x" * 100 + b'"}'
    assert inflate(compressed.payload).endswith(data) and plain.payload.endswith(data)
    socket.abort()
    deflated.abort()


async def test_what_waits_for_a_slow_client_counts_as_it_is_written(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_LIMITS_QUEUE_BYTES="100000")
    plain, compressed = await connect(bridge, 1), await deflating(bridge, 1)
    plain.stop_reading()
    # 24 MB, more than the sockets' buffers take; compressed they are a few tens of KB.
    ids = [await database.insert(1, json.dumps("x" * 200_000)) for _ in range(120)]
    await database.sent(ids)
    # The plain one has fallen behind: the rest is replayed to it.
    plain.resume_reading()
    assert [message.id for message in await plain.notifications(120)] == ids
    assert (await bridge.metrics())["notify_bridge_rows_replayed_total"] > 0
    for id in ids:
        assert b'"id":%d,' % id in inflate((await frame(compressed)).payload)
    compressed.abort()


async def test_a_browser_gets_every_row(bridge: Bridge, database: Database, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"http://127.0.0.1:{bridge.port}/healthz")
    agreed = await page.evaluate(
        """url => new Promise((resolve, reject) => {
          window.texts = [];
          window.socket = new WebSocket(url);
          socket.onerror = reject;
          socket.onmessage = ({ data }) => { texts.push(data); resolve(socket.extensions); };
        })""", f"ws://127.0.0.1:{bridge.port}/ws/notifications/?token={token(1)}")
    assert agreed == AGREED
    ids = [await database.insert(1, payload) for payload in PAYLOADS.values()]
    await page.wait_for_function(f"window.texts.length == {len(ids) + 1}")
    for id, text in zip(ids, (await page.evaluate("window.texts"))[1:], strict=True):
        assert text.startswith(f'{{"type":"notification","id":{id},')
        assert text.endswith(',"data":' + (await database.row(id))["text"] + "}")
    assert (await bridge.metrics())["notify_bridge_rows_deflated_total"] == 3
    # The browser compresses what it sends.
    await page.evaluate("socket.send(JSON.stringify({ type: 'ping', padding: 'x'.repeat(50000) }))")
    await page.wait_for_function(f"window.texts.length == {len(ids) + 2}")
    assert '"heartbeat"' in await page.evaluate("window.texts.at(-1)")
    await page.close()
