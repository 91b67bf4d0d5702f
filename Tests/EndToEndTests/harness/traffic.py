"""Writers against devices that come and go, recorded for the accounting."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import psycopg

from .accounting import Accounting, Arrival, Connection, StoredRow, Transaction
from .bridge import Bridge
from .database import Database
from .device import Closed, Device, Message
from .frames import Refused
from .waiting import TooLate, eventually, within
from .writers import Progress, Writer

SETTLING_SECONDS = 60.0


@dataclass
class Habit:
    """How a device behaves."""

    user: int
    name: str
    # It leaves after about so many rows on a connection; 0: never.
    rows_per_visit: int = 0
    # It keeps its cursor over a reconnect.
    remembers: bool = True
    acknowledges: bool = False
    # It comes when so many transactions have ended.
    comes_at: int = 0
    # It stays away until so many more have ended.
    stays_away: int = 0


class Visitor:
    """A device over all its connections."""

    def __init__(
        self, habit: Habit, bridges: Callable[[], list[Bridge]], progress: Progress, seed: int,
        reload: Callable[[int], Awaitable[set[int]]] | None = None, lossy: bool = False,
    ) -> None:
        """`reload` fetches the ids of a user's list, as a page does after replay_truncated. `lossy`: the way to the bridge
        may lose what the bridge has written."""
        self.habit = habit
        self.bridges = bridges
        self.reload = reload
        self.lossy = lossy
        self.progress = progress
        self.random = random.Random(f"{seed} {habit.user} {habit.name}")
        self.connections: list[Connection] = []
        self.cursor: str | None = None
        self.cursor_at: float | None = None
        self.device: Device | None = None
        self.last_arrival = time.monotonic()

    async def live(self) -> None:
        """Comes and goes until it is cancelled; at the end it is connected."""
        await self.progress.reach(self.habit.comes_at)
        while True:
            await self._visit()
            if self.habit.stays_away:
                await self.progress.reach(self.progress.ended + self.random.randint(1, self.habit.stays_away))

    async def _visit(self) -> None:
        since = self.cursor if self.habit.remembers else None
        connection = Connection(
            self.habit.user, self.habit.name, time.time(), resumed=since is not None, acknowledges=self.habit.acknowledges,
            cursor_at=self.cursor_at)
        try:
            device = await Device.connect(
                self.random.choice(self.bridges()), self.habit.user, since=since, ack=self.habit.acknowledges, greeted=False)
        except (OSError, EOFError, Refused, TooLate, IndexError):
            await asyncio.sleep(0.05)  # the bridge is away: nothing but its port tells when it is back
            return
        self.connections.append(connection)
        self.device = device
        stay = self.random.randint(1, 2 * self.habit.rows_per_visit) if self.habit.rows_per_visit else None
        try:
            while stay is None or self.progress.closed or len(connection.arrivals) < stay:
                message = await device.next(seconds=3600)
                self._record(connection, message)
                if message.type == "replay_truncated" and self.reload is not None:
                    connection.reloaded = await self.reload(self.habit.user)
            connection.ended_by_client = True
        except Closed:
            connection.ended_by_client = self.lossy and not device.clean
        finally:
            if not asyncio.current_task().cancelling():
                connection.ended = time.time()
                device.abort()
                await device.end()

    def _record(self, connection: Connection, message: Message) -> None:
        self.last_arrival = time.monotonic()
        connection.first_type = connection.first_type or message.type
        if message.cursor is not None:
            self.cursor, self.cursor_at = message.cursor, time.time()
        if message.type == "notification":
            connection.arrivals.append(Arrival(time.time(), message.id, message.data))
            # Some are never acknowledged, and stay unsent.
            if self.habit.acknowledges and message.id % 5:
                connection.acknowledged.add(message.id)
                assert self.device is not None
                self.device.send({"type": "ack", "ids": [message.id]} | message.named)
        elif message.type == "connection_established":
            connection.established = connection.established or time.time()
        elif message.type == "replay_truncated":
            connection.truncated = True


class Traffic:
    """A run: users 1 to `users` with devices of every habit, and one more without any."""

    def __init__(
        self, database: Database, bridges: Callable[[], list[Bridge]], seed: int, users: int = 12, *,
        reloads: bool = False, lossy: bool = False,
    ) -> None:
        """`reloads`: pages fetch their list after replay_truncated, which is a fault otherwise."""
        self.database = database
        self.progress = Progress()
        self.outages: list[tuple[float, float]] = []  # when the database was away
        self.users = users
        everybody = list(range(1, users + 2))
        self.writers = [Writer(number, database.url, everybody, self.progress, seed) for number in range(8)]
        reload = self._list if reloads else None
        self.visitors = [Visitor(habit, bridges, self.progress, seed, reload, lossy) for habit in self._habits()]
        self.more: list[Transaction] = []  # of others than the writers

    def _habits(self) -> list[Habit]:
        habits = []
        for user in range(1, self.users + 1):
            match user % 6:
                case 1:  # several devices, one of which stays
                    habits += [Habit(user, "steady"), Habit(user, "cut off", 6), Habit(user, "late", comes_at=60)]
                case 2:  # one device alone, cut between the rows of a delta, back at once with its cursor
                    habits += [Habit(user, "cut off", 4)]
                case 3:  # one device alone, without memory: its replays race with deltas
                    habits += [Habit(user, "forgetful", 5, remembers=False)]
                case 4:  # away for a while, so that there is much to replay
                    habits += [Habit(user, "away", 40, stays_away=30), Habit(user, "forgetful", 12, False, stays_away=20)]
                case 5:
                    habits += [Habit(user, "acknowledging", acknowledges=True)]
                case _:  # devices without end
                    habits += [Habit(user, f"flickering {n}", 2, remembers=n % 2 == 0) for n in range(4)]
        return habits

    async def _list(self, user: int) -> set[int]:
        """What a page shows after it was loaded again."""
        while True:
            try:
                async with await self.database.connect() as session:
                    cursor = await session.execute("SELECT id FROM notification WHERE user_id = %s", (user,))
                    return {row[0] for row in await cursor.fetchall()}
            except psycopg.OperationalError:
                await asyncio.sleep(0.05)  # the database is away: nothing but its port tells when it is back

    async def run(self, transactions: int, disturb: Callable[[Progress], object] | None = None, seconds: float = 90) -> Accounting:
        """Lets all write so many transactions each, disturbs them meanwhile, lets it settle, and returns the records."""
        visits = [asyncio.ensure_future(visitor.live()) for visitor in self.visitors]
        disturbed = asyncio.Event()

        async def disturbance() -> None:
            try:
                if disturb is not None:
                    await disturb(self.progress)
            finally:
                disturbed.set()

        async def writing() -> None:
            """The writers go on while anything is disturbed: a disturbance that meets no traffic tries nothing."""
            async with asyncio.TaskGroup() as group:
                group.create_task(disturbance())
                for writer in self.writers:
                    group.create_task(writer.write(transactions, disturbed.is_set))

        try:
            await within(seconds, writing(), "the writing")
            await self.progress.close()
            for visit in visits:
                assert not visit.done(), visit.result()
            await self._settle()
            return await self._accounting()
        finally:
            for visit in visits:
                visit.cancel()
            await asyncio.gather(*visits, return_exceptions=True)
            for visitor in self.visitors:
                if visitor.device is not None:
                    visitor.device.abort()

    async def _settle(self) -> None:
        """Waits until all has come that should; gives up when it does not, and the accounting tells what is missing."""

        async def look() -> int:
            return len((await self._accounting()).faults())

        try:
            await eventually(look, lambda faults: faults == 0, "no fault left", SETTLING_SECONDS / 4, every=0.25)
        except TooLate:
            return
        # What comes twice or uncalled may still be on its way: it is in front of the answer to a ping, or in no delta.
        for visitor in self.visitors:
            assert visitor.device is not None
            heartbeats = len(visitor.device.of_type("heartbeat"))
            visitor.device.send({"type": "ping"})

            async def answers(visitor: Visitor = visitor) -> int:
                return len(visitor.device.of_type("heartbeat"))

            await eventually(answers, lambda count, before=heartbeats: count > before, "the answer to a ping", 20)

    async def _accounting(self) -> Accounting:
        stored = [
            StoredRow(json.loads(data)["k"], id, user, data.encode(), is_sent, sent_at)
            for id, user, data, is_sent, sent_at in await self.database.execute(
                "SELECT id, user_id, data::text, is_sent, extract(epoch FROM sent_at)::float8 FROM notification")
        ]
        return Accounting(
            [*self.more, *(transaction for writer in self.writers for transaction in writer.transactions)], stored,
            [connection for visitor in self.visitors for connection in visitor.connections], self.outages)

    def summary(self) -> str:
        connections = [connection for visitor in self.visitors for connection in visitor.connections]
        transactions = [transaction for writer in self.writers for transaction in writer.transactions]
        outcomes = {kind: sum(t.outcome == kind for t in transactions) for kind in ("committed", "rolled back", "unknown")}
        deliveries = sum(len(connection.arrivals) for connection in connections)
        resumed = sum(connection.resumed for connection in connections)
        return f"{outcomes}, {len(connections)} connections, {resumed} with a cursor, {deliveries} deliveries"
