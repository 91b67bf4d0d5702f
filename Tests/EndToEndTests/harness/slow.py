"""A client's network, as slow as a test wants it."""

from __future__ import annotations

import asyncio
import socket
from typing import Self

from .bridge import Bridge


class SlowLink:
    """Passes on what a bridge sends at a pace; what clients send it passes on at once. Devices connect to it as to a bridge."""

    def __init__(self, bridge: Bridge, pace: int) -> None:
        self.bridge = bridge
        # Bytes a second of each connection; 0: nothing is taken.
        self.pace = pace
        self.host = "127.0.0.1"
        self.server: asyncio.Server | None = None
        self.pumps: list[asyncio.Task] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self._accept, self.host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for pump in self.pumps:
            pump.cancel()
        for writer in self.writers:
            writer.transport.abort()
        assert self.server is not None
        self.server.close()

    @property
    def port(self) -> int:
        assert self.server is not None
        return self.server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Its kernel takes no more on its own than that.
        end = socket.socket()
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, (self.bridge.host, self.bridge.port))
        there, back = await asyncio.open_connection(sock=end, limit=1 << 14)
        self.writers += [writer, back]
        self.pumps += [asyncio.ensure_future(self._pass_on(reader, back)), asyncio.ensure_future(self._trickle(there, writer))]

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def _trickle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                if self.pace == 0:
                    await asyncio.sleep(0.02)
                    continue
                data = await reader.read(1 << 14)
                if not data:
                    break
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(len(data) / self.pace)
        except ConnectionError:
            pass
        finally:
            writer.close()
