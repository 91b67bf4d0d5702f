"""One database of a cluster, as a backend sees it."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg

from .cluster import Cluster
from .waiting import eventually

_numbers = itertools.count(1)


class Database:
    """A migrated database with a connection of its own, in autocommit."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name
        self.url = cluster.url(name)
        self._stops = 0
        self._connection: psycopg.AsyncConnection[Any] | None = None

    @classmethod
    async def create(cls, cluster: Cluster, template: str = "template1") -> Database:
        name = f"test_{next(_numbers)}"
        async with await psycopg.AsyncConnection.connect(cluster.url(), autocommit=True) as admin:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return cls(cluster, name)

    async def connect(self, **options: Any) -> psycopg.AsyncConnection[Any]:
        """Another session, which the caller closes."""
        return await psycopg.AsyncConnection.connect(self.url, **({"autocommit": True} | options))

    async def execute(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Runs a statement, on a new connection where the old one was lost."""
        if self._connection is None or self._connection.closed or self._stops != self.cluster.stops:
            await self.close()
            self._stops = self.cluster.stops
            self._connection = await self.connect()
        cursor = await self._connection.execute(statement, parameters)
        return await cursor.fetchall() if cursor.description else []

    async def value(self, statement: str, parameters: Any = None) -> Any:
        return (await self.execute(statement, parameters))[0][0]

    async def insert(self, user: object, data: str | None = "{}", **columns: Any) -> int:
        """Inserts a row; returns its id."""
        names = ["user_id", "data", *columns]
        values = [user, data, *columns.values()]
        marks = ", ".join(["%s", "%s::text::jsonb", *["%s"] * len(columns)])
        return await self.value(f"INSERT INTO notification ({', '.join(names)}) VALUES ({marks}) RETURNING id", values)

    async def insert_many(self, user: object, count: int) -> list[int]:
        """Inserts rows by one statement; returns their ids, ascending."""
        rows = await self.execute(
            "INSERT INTO notification (user_id, data) SELECT %s, jsonb_build_object('n', n) FROM generate_series(1, %s) AS n "
            "RETURNING id", (user, count))
        return sorted(row[0] for row in rows)

    async def row(self, id: int) -> dict[str, Any]:
        cursor = await self._row_cursor(id)
        found = await cursor.fetchone()
        assert found is not None, f"no row {id}"
        return found

    async def _row_cursor(self, id: int) -> Any:
        await self.execute("SELECT 1")
        assert self._connection is not None
        cursor = self._connection.cursor(row_factory=psycopg.rows.dict_row)
        await cursor.execute("SELECT id, user_id, is_sent, created_at, sent_at, is_read, read_at, txid::text, data::text AS text "
            "FROM notification WHERE id = %s", (id,))
        return cursor

    async def sent(self, ids: list[int] | int, seconds: float = 10) -> None:
        """Waits until rows are marked: is_sent and sent_at, both."""
        wanted = [ids] if isinstance(ids, int) else ids

        async def look() -> int:
            return await self.value(
                "SELECT count(*) FROM notification WHERE id = ANY(%s) AND is_sent AND sent_at IS NOT NULL", (wanted,))

        await eventually(look, lambda count: count == len(wanted), f"{len(wanted)} rows marked sent", seconds)

    async def unsent(self) -> list[int]:
        """The ids of all rows that are not marked in any way."""
        return [row[0] for row in await self.execute(
            "SELECT id FROM notification WHERE NOT is_sent AND sent_at IS NULL ORDER BY id")]

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
