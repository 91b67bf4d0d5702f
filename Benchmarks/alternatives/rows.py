"""New rows of public.notification by LISTEN, as the alternatives that watch the table hear of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg

# One row at a time would cost a query for each; more at a time would make the first wait.
_AT_ONCE = 1000


async def new_rows(url: str) -> AsyncIterator[tuple[asyncpg.Connection, list[asyncpg.Record]]]:
    """Each time some are there: a connection to mark them on, and the rows in the order of their ids."""
    listener, worker = await asyncpg.connect(url), await asyncpg.connect(url)
    ids: asyncio.Queue[int] = asyncio.Queue()
    await listener.add_listener("new_notification", lambda *heard: ids.put_nowait(int(heard[3])))
    print("listening", flush=True)
    while True:
        wanted = [await ids.get()]
        while len(wanted) < _AT_ONCE and not ids.empty():
            wanted.append(ids.get_nowait())
        yield worker, await worker.fetch(
            "SELECT id, user_id, created_at, data FROM public.notification WHERE id = ANY ($1::bigint[]) ORDER BY id",
            wanted)


async def mark(connection: asyncpg.Connection, rows: list[asyncpg.Record]) -> None:
    await connection.execute(
        "UPDATE public.notification SET is_sent = true, sent_at = now() WHERE id = ANY ($1::bigint[])",
        [row["id"] for row in rows])
