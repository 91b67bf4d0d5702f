"""RFC 6455 from the client's side, byte by byte, so that tests decide about every frame themselves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
import struct
from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"HTTP status {status}: {body[:200]!r}")
        self.status = status
        self.headers = headers
        self.body = body


@dataclass
class Frame:
    final: bool
    reserved: int
    opcode: int
    payload: bytes


def encode(opcode: int, payload: bytes = b"", final: bool = True, masked: bool = True, reserved: int = 0, length: int | None = None) -> bytes:
    """One frame. `length` writes another length than the payload has, in its 64-bit form."""
    head = bytes([(0x80 if final else 0) | (reserved << 4) | opcode])
    mask_bit = 0x80 if masked else 0
    if length is not None:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", length)
    elif len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([mask_bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def close_payload(code: int, reason: str = "") -> bytes:
    return struct.pack(">H", code) + reason.encode()


class Socket:
    """A TCP (or TLS) connection on which frames are written and read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.response_headers: dict[str, str] = {}

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None = None, local: str | None = None) -> Socket:
        return cls(*await asyncio.open_connection(
            host, port, ssl=tls, server_hostname="localhost" if tls else None, limit=1 << 20,
            local_addr=(local, 0) if local else None))

    async def handshake(self, target: str, host: str, headers: list[tuple[str, str]] | None = None) -> None:
        """Upgrades; raises `Refused` where the server does not."""
        key = base64.b64encode(os.urandom(16)).decode()
        fields = [("Host", host), ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key),
                  ("Sec-WebSocket-Version", "13"), *(headers or [])]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        status, answered = await self.response_head()
        if status != 101:
            body = b""
            if length := int(answered.get("content-length", "0")):
                body = await self.reader.readexactly(length)
            self.abort()
            raise Refused(status, answered, body)
        expected = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
        assert answered.get("sec-websocket-accept") == expected, answered
        assert answered.get("upgrade", "").lower() == "websocket", answered
        assert "upgrade" in answered.get("connection", "").lower(), answered
        self.response_headers = answered

    async def response_head(self) -> tuple[int, dict[str, str]]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields}

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    async def frame(self) -> Frame | None:
        """The next frame, or None at the end of the stream."""
        try:
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "a server must not mask"
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", await self.reader.readexactly(2))
                assert length >= 126, "not the shortest form of a length"
            elif length == 127:
                (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
                assert length >= 65_536, "not the shortest form of a length"
            payload = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return None
        return Frame(bool(first & 0x80), (first >> 4) & 7, first & 0x0F, payload)

    def abort(self) -> None:
        """Cuts the connection: the peer sees a reset, not a close frame."""
        self.writer.transport.abort()
