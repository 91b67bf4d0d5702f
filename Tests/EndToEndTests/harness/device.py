"""A client that records every message: what a browser would see, and when."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import struct
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from . import frames
from .bridge import Bridge
from .frames import Socket
from .tokens import token
from .waiting import within

# The promised order of keys, checked on every message.
_STRING = rb'"(?:[^"\\]|\\.)*"'
_NOTIFICATION = re.compile(
    rb'\{"type":"notification","id":(?P<id>-?\d+|' + _STRING + rb')(?:,"source":(?P<source>' + _STRING + rb'))?'
    rb'(?:,"created_at":"(?P<created_at>[^"]*)")?(?:,"cursor":"(?P<cursor>[A-Za-z0-9._~-]{1,128})")?,"data":(?P<data>.*)\}',
    re.DOTALL)
_OTHER_KEYS = {
    "connection_established": ["type", "user_id", "timestamp", "group", "epoch", "cursor"],
    "heartbeat": ["type", "timestamp", "cursor"],
    "replay_truncated": ["type", "limit", "cursor"],
    "error": ["type", "code", "message"],
}


@dataclass
class Message:
    """One text message."""

    raw: bytes
    time: float = field(default_factory=time.monotonic)

    @cached_property
    def _notification(self) -> re.Match[bytes] | None:
        return _NOTIFICATION.fullmatch(self.raw)

    @cached_property
    def fields(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def type(self) -> str:
        return "notification" if self._notification else self.fields["type"]

    @property
    def id(self) -> Any:
        assert self._notification, f"not a notification: {self.raw[:200]!r}"
        return json.loads(self._notification["id"])

    @property
    def source(self) -> str | None:
        """The table, where several are served."""
        assert self._notification, f"not a notification: {self.raw[:200]!r}"
        found = self._notification["source"]
        return json.loads(found) if found is not None else None

    @property
    def data(self) -> bytes:
        """The payload as it came."""
        assert self._notification, f"not a notification: {self.raw[:200]!r}"
        return self._notification["data"]

    @property
    def named(self) -> dict[str, str]:
        """What an acknowledgement has to say beside the id."""
        return {} if self.source is None else {"source": self.source}

    @property
    def created_at(self) -> str | None:
        assert self._notification
        found = self._notification["created_at"]
        return found.decode() if found is not None else None

    @property
    def cursor(self) -> str | None:
        if self._notification:
            found = self._notification["cursor"]
            return found.decode() if found is not None else None
        return self.fields.get("cursor")

    def check(self) -> None:
        """The form that `protocol.md` promises."""
        if self._notification:
            return
        known = _OTHER_KEYS.get(self.fields["type"])
        assert known is not None, f"a message of an unknown type or form: {self.raw[:300]!r}"
        keys = list(self.fields)
        assert keys == [key for key in known if key in keys], f"keys in another order: {self.raw[:300]!r}"


class Closed(Exception):
    """The connection has ended."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}")
        self.code = code
        self.reason = reason


class Device:
    """One connection. A task reads all that comes; `next()` hands it out in order."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.messages: list[Message] = []
        self.cursor: str | None = None
        self.closed: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()
        self.clean = False
        self.pongs: list[bytes] = []
        self._unread: asyncio.Queue[Message | None] = asyncio.Queue()
        self._reading = asyncio.Event()
        self._reading.set()
        self._close_sent = False
        self.reader = asyncio.ensure_future(self._read())

    @classmethod
    async def connect(
        cls, bridge: Bridge, user: object = None, *, since: str | None = None, ack: bool = False,
        query: dict[str, str] | None = None, headers: list[tuple[str, str]] | None = None, greeted: bool = True,
        path: str = "/ws/notifications/", tls: ssl.SSLContext | None = None, seconds: float = 15,
        local: str | None = None,
    ) -> Device:
        """Connects as a user (by `?token=`), from the address `local`. `greeted` waits for connection_established and takes it
        off the queue."""
        parameters = dict(query or {})
        if user is not None:
            parameters["token"] = token(user)
        if since is not None:
            parameters["since"] = since
        if ack:
            parameters["ack"] = "1"
        target = path + ("?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in parameters.items()) if parameters else "")
        socket = await within(seconds, Socket.open(bridge.host, bridge.port, tls, local), "TCP connect")
        try:
            await within(seconds, socket.handshake(target, f"{bridge.host}:{bridge.port}", headers), "handshake")
        except BaseException:
            socket.abort()
            raise
        device = cls(socket)
        if greeted:
            first = await device.next(seconds)
            assert first.type == "connection_established", first.raw
        return device

    # MARK: Reading

    async def _read(self) -> None:
        try:
            end = await self._read_to_end()
        except BaseException:
            end = Closed(1006, "a message was not as promised")
            raise
        finally:
            self.socket.writer.close()
            self.closed.set_result(end)
            self._unread.put_nowait(None)

    async def _read_to_end(self) -> Closed:
        code, reason = 1006, ""
        parts: list[bytes] = []
        while True:
            await self._reading.wait()
            frame = await self.socket.frame()
            if frame is None:
                break
            assert frame.reserved == 0, f"reserved bits {frame.reserved} without an extension"
            if frame.opcode in (frames.TEXT, frames.CONTINUATION):
                parts.append(frame.payload)
                if frame.final:
                    self._take(Message(b"".join(parts)))
                    parts = []
            elif frame.opcode == frames.PING:
                self.socket.write(frames.encode(frames.PONG, frame.payload))
            elif frame.opcode == frames.PONG:
                self.pongs.append(frame.payload)
            elif frame.opcode == frames.CLOSE:
                self.clean = True
                code, reason = 1005, ""
                if frame.payload:
                    (code,) = struct.unpack(">H", frame.payload[:2])
                    reason = frame.payload[2:].decode()
                if not self._close_sent:
                    self._close_sent = True
                    self.socket.write(frames.encode(frames.CLOSE, frame.payload[:2]))
        return Closed(code, reason)

    def _take(self, message: Message) -> None:
        message.check()
        if message.cursor is not None:
            self.cursor = message.cursor
        self.messages.append(message)
        self._unread.put_nowait(message)

    def stop_reading(self) -> None:
        """From now on nothing is taken from the socket: a client that is too slow."""
        self._reading.clear()

    def resume_reading(self) -> None:
        self._reading.set()

    async def next(self, seconds: float = 10) -> Message:
        """The next message; raises `Closed` after the last one."""
        message = await within(seconds, self._unread.get(), "a message")
        if message is None:
            self._unread.put_nowait(None)
            if self.reader.done() and self.reader.exception():
                raise self.reader.exception()
            raise self.closed.result()
        return message

    async def notification(self, seconds: float = 10) -> Message:
        message = await self.next(seconds)
        assert message.type == "notification", f"a notification was expected, not {message.raw[:300]!r}"
        return message

    async def notifications(self, count: int, seconds: float = 20) -> list[Message]:
        return [await self.notification(seconds) for _ in range(count)]

    @property
    def ids(self) -> list[Any]:
        """The ids of all rows so far."""
        return [message.id for message in self.messages if message.type == "notification"]

    def of_type(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message.type == kind]

    async def barrier(self, seconds: float = 10) -> list[Message]:
        """Asks for a heartbeat and waits for it; returns what came before it."""
        self.send({"type": "ping"})
        before = []
        while (message := await self.next(seconds)).type != "heartbeat":
            before.append(message)
        return before

    # MARK: Writing

    def send(self, message: object) -> None:
        self.frame(frames.TEXT, json.dumps(message).encode())

    def frame(self, opcode: int, payload: bytes = b"", **options: Any) -> None:
        self.socket.write(frames.encode(opcode, payload, **options))

    async def end(self, seconds: float = 10) -> Closed:
        """Waits until the server has closed the connection; tells how."""
        return await within(seconds, asyncio.shield(self.closed), "the end of the connection")

    async def close(self, code: int = 1000) -> Closed:
        """Closes as a browser does."""
        self._reading.set()
        if not self._close_sent:
            self._close_sent = True
            self.frame(frames.CLOSE, frames.close_payload(code))
        return await self.end()

    @staticmethod
    def newest_cursor(messages: list[Message]) -> str | None:
        """What a client that has seen these messages would give back as `since`."""
        return next((message.cursor for message in reversed(messages) if message.cursor is not None), None)

    def abort(self) -> None:
        """Is gone at once, as when a laptop is shut: what was not handed out by `next()` never arrived."""
        self.resume_reading()
        self.socket.abort()
