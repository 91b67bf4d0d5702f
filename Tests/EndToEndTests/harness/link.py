"""A TCP link, to a database or to a bridge, that fails as networks do: it falls silent, stalls, delays, is cut or reset."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Protocol


class Server(Protocol):
    """Where a link leads: a cluster or a bridge. Its port may change."""

    port: int


class Link:
    """Passes bytes on in both directions."""

    host = "127.0.0.1"

    def __init__(self, server: Server) -> None:
        self.target = server
        self.server: asyncio.Server | None = None
        self.accepted = 0
        self.delay = 0.0  # seconds that each piece waits
        self.pumps: list[asyncio.Task] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> Link:
        self.server = await asyncio.start_server(self._accept, self.host, 0)
        return self

    @property
    def port(self) -> int:
        assert self.server is not None
        return self.server.sockets[0].getsockname()[1]

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?sslmode=disable"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target.port)
        except OSError:
            writer.close()
            return
        self.writers += [writer, back]
        self.pumps += [asyncio.ensure_future(self._pump(reader, back)), asyncio.ensure_future(self._pump(there, writer))]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            if not asyncio.current_task().cancelling():
                writer.close()

    async def count(self) -> int:
        return self.accepted

    def silence(self) -> None:
        """The connections of now carry nothing any more, and stay open. Later ones work."""
        for pump in self.pumps:
            pump.cancel()
        self.pumps = []

    def stall(self) -> None:
        """Nothing is carried, on new connections too, until `flow`."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """Ends the connections of now, on both sides."""
        self.silence()
        for writer in self.writers:
            writer.close()
        self.writers = []

    def reset(self) -> None:
        """Ends them with RST: what was under way is lost."""
        for writer in self.writers:
            if not writer.transport.is_closing():
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        self.cut()

    def close(self) -> None:
        self.cut()
        if self.server is not None:
            self.server.close()
