"""Writers of every kind, which record what they did."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import psycopg
from psycopg import IsolationLevel

from .accounting import Transaction
from .waiting import TooLate

LEVELS = [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]


class Progress:
    """How many transactions have ended, in all: what long transactions and restarts wait for."""

    def __init__(self) -> None:
        self.ended = 0
        self.closed = False
        self.writing = 0
        self.hurries = False
        self._overtaken = 0
        self._changed = asyncio.Condition()

    async def count(self) -> None:
        async with self._changed:
            self.ended += 1
            self._changed.notify_all()

    async def close(self) -> None:
        """No more will end."""
        async with self._changed:
            self.closed = True
            self._changed.notify_all()

    async def hurry(self, hurries: bool) -> None:
        """While it hurries, no transaction waits for others: somebody waits for a lock that all would queue behind."""
        async with self._changed:
            self.hurries = hurries
            self._changed.notify_all()

    async def reach(self, number: int) -> None:
        """Waits until so many have ended, or none will any more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.closed or self.ended >= number)

    async def overtaken(self, by: int) -> None:
        """Waits until so many more have ended, or every writer waits like this."""
        async with self._changed:
            wanted = self.ended + by
            self._overtaken += 1
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self.hurries or self.ended >= wanted or self._overtaken >= self.writing)
            self._overtaken -= 1

    async def start(self) -> None:
        async with self._changed:
            self.writing += 1

    async def stop(self) -> None:
        async with self._changed:
            self.writing -= 1
            self._changed.notify_all()


class Writer:
    """One backend session after another, and its transactions."""

    def __init__(self, number: int, url: str, users: list[int], progress: Progress, seed: int) -> None:
        self.number = number
        self.url = url
        self.users = users
        self.progress = progress
        self.random = random.Random(seed * 1000 + number)
        self.level = LEVELS[number % len(LEVELS)]
        self.transactions: list[Transaction] = []
        self._session: psycopg.AsyncConnection | None = None
        self._reserved: list[int] = []

    async def write(self, count: int, enough: Callable[[], bool] = lambda: True) -> None:
        """Writes that many transactions, and goes on until it is enough."""
        kinds = [self._single, self._reserved_id, self._statement, self._long, self._savepoints, self._rollback, self._copy]
        await self.progress.start()
        while len(self.transactions) < count or not enough():
            await self._transaction(self.random.choice(kinds))
            await self.progress.count()
        await self.progress.stop()
        if self._session is not None:
            await self._session.close()

    async def _connected(self) -> psycopg.AsyncConnection:
        deadline = time.monotonic() + 30
        while self._session is None or self._session.broken or self._session.closed:
            try:
                self._session = await psycopg.AsyncConnection.connect(self.url, connect_timeout=5)
                await self._session.set_isolation_level(self.level)
            except psycopg.OperationalError:
                # The server is away: there is nothing to wait for but its port.
                if time.monotonic() > deadline:
                    raise TooLate(f"writer {self.number} could not connect for 30 s") from None
                await asyncio.sleep(0.05)
        return self._session

    async def _transaction(self, kind: Callable) -> None:
        session = await self._connected()
        transaction = Transaction(self.number, len(self.transactions) + 1, time.time())
        self.transactions.append(transaction)
        try:
            commits = await kind(session, transaction)
            if commits:
                transaction.commit_sent = time.time()
                await session.commit()
                transaction.commit_returned, transaction.outcome = time.time(), "committed"
            else:
                await session.rollback()
                transaction.outcome = "rolled back"
        except psycopg.errors.SerializationFailure:
            transaction.outcome = "rolled back"
            try:
                await session.rollback()
            except psycopg.OperationalError:
                await session.close()  # the server went at this moment
        except (psycopg.OperationalError, psycopg.InternalError):
            # The server is gone or can't: a COMMIT that was on its way may have been carried out.
            transaction.outcome = "unknown" if transaction.commit_sent is not None else "rolled back"
            transaction.failed = True
            await session.close()

    # MARK: Kinds of transactions. Each returns whether to commit.

    def _key(self, transaction: Transaction) -> str:
        return f"w{self.number}.t{transaction.number}.{len(transaction.rows) + len(transaction.undone)}"

    async def _insert(self, session: psycopg.AsyncConnection, transaction: Transaction, user: int | None = None) -> None:
        key = self._key(transaction)
        transaction.rows.append(key)
        await session.execute(
            "INSERT INTO notification (user_id, data) VALUES (%s, jsonb_build_object('k', %s::text))",
            (self.random.choice(self.users) if user is None else user, key))

    async def _reserved_id(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        """An id that was taken from the sequence long before: the order of ids is not that of commits."""
        if not self._reserved:
            cursor = await session.execute("SELECT nextval('notification_id_seq') FROM generate_series(1, 5)")
            self._reserved = [row[0] for row in await cursor.fetchall()]
        key = self._key(transaction)
        transaction.rows.append(key)
        await session.execute(
            "INSERT INTO notification (id, user_id, data) VALUES (%s, %s, jsonb_build_object('k', %s::text))",
            (self._reserved.pop(0), self.random.choice(self.users), key))
        return True

    async def _single(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        await self._insert(session, transaction)
        return True

    async def _statement(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        """Several rows of several users by one statement: what a cut between two rows of a delta needs."""
        chosen = self.random.sample(self.users, min(3, len(self.users)))
        rows = []
        for _ in range(self.random.choice([3, 8, 25])):
            key = self._key(transaction)
            transaction.rows.append(key)
            rows.append((self.random.choice(chosen), key))
        await session.execute(
            "INSERT INTO notification (user_id, data) SELECT u, jsonb_build_object('k', k) "
            "FROM unnest(%s::bigint[], %s::text[]) WITH ORDINALITY AS rows (u, k, n) ORDER BY n",
            ([user for user, _ in rows], [key for _, key in rows]))
        return True

    async def _long(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        """Takes its id early and commits late, when others that began later have committed."""
        await self._insert(session, transaction)
        await self.progress.overtaken(self.random.choice([2, 10, 40]))
        await self._insert(session, transaction)
        return True

    async def _savepoints(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        user = self.random.choice(self.users)
        await self._insert(session, transaction, user)
        await session.execute("SAVEPOINT one")
        await self._insert(session, transaction, user)
        await session.execute("ROLLBACK TO SAVEPOINT one")
        transaction.undone.append(transaction.rows.pop())
        await self._insert(session, transaction, user)
        await session.execute("SAVEPOINT two")
        await self._insert(session, transaction, user)
        await session.execute("RELEASE SAVEPOINT two")
        return True

    async def _rollback(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        for _ in range(self.random.choice([1, 4])):
            await self._insert(session, transaction)
        return False

    async def _copy(self, session: psycopg.AsyncConnection, transaction: Transaction) -> bool:
        user = self.random.choice(self.users)
        async with session.cursor().copy("COPY notification (user_id, data) FROM STDIN") as copy:
            for _ in range(self.random.choice([2, 12])):
                key = self._key(transaction)
                transaction.rows.append(key)
                await copy.write_row((user, f'{{"k": "{key}"}}'))
        return True
