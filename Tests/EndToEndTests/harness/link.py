"""A TCP link between a bridge and its database that can fall silent, as a network does that drops packets."""

from __future__ import annotations

import asyncio

from .cluster import Cluster


class Link:
    """Passes bytes on in both directions."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.server: asyncio.Server | None = None
        self.accepted = 0
        self.pumps: list[asyncio.Task] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def open(self) -> Link:
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    def url(self, database: str) -> str:
        assert self.server is not None
        return f"postgresql://postgres@127.0.0.1:{self.server.sockets[0].getsockname()[1]}/{database}?sslmode=disable"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.cluster.port)
        self.writers += [writer, back]
        self.pumps += [asyncio.ensure_future(self._pump(reader, back)), asyncio.ensure_future(self._pump(there, writer))]

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def count(self) -> int:
        return self.accepted

    def silence(self) -> None:
        """The connections of now carry nothing any more, and stay open. Later ones work."""
        for pump in self.pumps:
            pump.cancel()
        self.pumps = []

    def close(self) -> None:
        self.silence()
        for writer in self.writers:
            writer.close()
        if self.server is not None:
            self.server.close()
