"""A bridge as one writes it in Python: python asyncpg_bridge.py PORT, with DATABASE_URL and SECRET_KEY."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from datetime import UTC, datetime

import jwt
import uvloop
from rows import mark, new_rows
from websockets.asyncio.server import ServerConnection, broadcast, serve

sockets: defaultdict[int, set[ServerConnection]] = defaultdict(set)


async def handle(socket: ServerConnection) -> None:
    token = socket.request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        user = jwt.decode(token, os.environ["SECRET_KEY"], algorithms=["HS256"])["user_id"]
    except (jwt.InvalidTokenError, KeyError):
        await socket.close(4001, "invalid")
        return
    await socket.send('{"type": "connection_established", "user_id": %d, "timestamp": "%s"}' % (
        user, datetime.now(UTC).isoformat()))
    sockets[user].add(socket)
    try:
        await socket.wait_closed()
    finally:
        sockets[user].discard(socket)


async def main() -> None:
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), compression=None, ping_interval=None):
        async for connection, rows in new_rows(os.environ["DATABASE_URL"]):
            for row in rows:
                if devices := sockets.get(row["user_id"]):
                    broadcast(devices, '{"type": "notification", "id": %d, "created_at": "%s", "data": %s}' % (
                        row["id"], row["created_at"].isoformat(), row["data"]))
            await mark(connection, rows)


uvloop.run(main())
