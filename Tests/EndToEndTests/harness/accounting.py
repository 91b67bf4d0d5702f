"""Exact accounting over what was recorded: which rows were committed, and which reached which device, when.

A pure function of records, so that it can itself be tried on traces that break each rule (`architecture.md`,
"Order and loss"). It knows nothing of the bridge's inside: cursors are opaque, and only instants of one clock are compared.
All instants are seconds of that clock. Where two instants are close, the rule that needs their order is not applied:
a report is always a fault, and writers and devices are many, so that each fault is reported often.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# How long after its sent_at a marking may still be invisible, and a write still be under way.
MARKING_SECONDS = 5.0


@dataclass
class Transaction:
    """A writer's transaction, as its client saw it."""

    writer: int
    number: int
    began: float  # before its first statement was sent
    rows: list[str] = field(default_factory=list)  # keys, in the order of insertion; without those of savepoints rolled back
    undone: list[str] = field(default_factory=list)  # keys that savepoints rolled back
    commit_sent: float | None = None
    commit_returned: float | None = None
    outcome: str = "open"  # committed, rolled back, unknown (the connection broke during COMMIT)
    failed: bool = False  # the server refused it or was away


@dataclass
class StoredRow:
    """A row as it stands in the table at the end."""

    key: str
    id: int
    user: int
    data: bytes
    is_sent: bool
    sent_at: float | None


@dataclass
class Arrival:
    """A row on a socket."""

    at: float
    id: int
    data: bytes


@dataclass
class Connection:
    """One connection of a device."""

    user: int
    device: str
    opened: float
    resumed: bool = False  # it gave back the newest cursor of the device's connection before
    acknowledges: bool = False
    established: float | None = None
    first_type: str | None = None  # type of the first message
    truncated: bool = False
    arrivals: list[Arrival] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    ended: float | None = None  # None: open at the end, when nothing was under way any more
    ended_by_client: bool = False
    # When the message came whose cursor this connection gave back: rows that came until then need not come again.
    cursor_at: float | None = None
    # The ids of the list that the page fetched after replay_truncated.
    reloaded: set[int] | None = None


@dataclass
class Fault:
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


class Accounting:
    """Compares the records. `faults()` is empty where every rule was kept."""

    def __init__(
        self, transactions: Iterable[Transaction], stored: Iterable[StoredRow], connections: Iterable[Connection],
        outages: Iterable[tuple[float, float]] = (),
    ) -> None:
        """`outages` are the times from which until when the database was away: marks wait for its return."""
        self.transactions = list(transactions)
        self.stored = {row.key: row for row in stored}
        self.by_id = {row.id: row for row in self.stored.values()}
        self.outages = sorted(outages, reverse=True)
        self.connections = sorted(connections, key=lambda connection: connection.opened)
        self.transaction_of = {key: transaction for transaction in self.transactions for key in transaction.rows}
        self.rows_of_user: dict[int, list[StoredRow]] = defaultdict(list)
        for row in self.stored.values():
            self.rows_of_user[row.user].append(row)

    def faults(self) -> list[Fault]:
        return [Fault(rule, detail) for check in (
            self._table, self._greeting, self._arrivals, self._order, self._missing, self._uncalled, self._again, self._marks,
        ) for rule, detail in check()]

    # MARK: The table itself

    def _table(self) -> Iterator[tuple[str, str]]:
        """Writers and table agree; otherwise the records are worth nothing."""
        for transaction in self.transactions:
            present = [key for key in transaction.rows if key in self.stored]
            name = f"writer {transaction.writer}, transaction {transaction.number}"
            if transaction.outcome == "committed" and len(present) != len(transaction.rows):
                yield "records", f"{name} committed, and rows of it are not in the table"
            if transaction.outcome in ("rolled back", "open") and present:
                yield "records", f"{name} is {transaction.outcome}, and rows of it are in the table"
            if transaction.outcome == "unknown" and present and len(present) != len(transaction.rows):
                yield "records", f"{name} is half in the table"
            if any(key in self.stored for key in transaction.undone):
                yield "records", f"{name} has rows of a savepoint that was rolled back"
        for key in self.stored.keys() - self.transaction_of.keys():
            yield "records", f"row {key} has no writer"

    # MARK: Each connection

    def _greeting(self) -> Iterator[tuple[str, str]]:
        for connection in self.connections:
            if connection.first_type not in (None, "connection_established"):
                yield "greeting first", f"{name(connection)} got {connection.first_type} first"
            if connection.ended is None and connection.established is None:
                yield "greeting first", f"{name(connection)} never got connection_established"
            if connection.truncated and connection.reloaded is None:
                yield "truncated", f"{name(connection)} got replay_truncated under a limit that was never reached"

    def _arrivals(self) -> Iterator[tuple[str, str]]:
        for connection in self.connections:
            seen: set[int] = set()
            for arrival in connection.arrivals:
                row = self.by_id.get(arrival.id)
                if row is None or row.data != arrival.data:
                    # Ids of transactions that rolled back may be used again after a crash: the payload tells.
                    yield "only committed rows", f"{name(connection)} got id {arrival.id} with {arrival.data[:80]!r}, which was never committed"
                    continue
                if row.user != connection.user:
                    yield "only its own rows", f"{name(connection)} got row {row.key} of user {row.user}"
                if arrival.id in seen:
                    yield "once on a connection", f"{name(connection)} got row {row.key} twice"
                seen.add(arrival.id)

    def _order(self) -> Iterator[tuple[str, str]]:
        """Id order in a transaction, and a transaction that began after another's commit comes after it."""
        for connection in self.connections:
            last_id: dict[int, int] = {}
            latest_began, latest = float("-inf"), ""
            for row in self._rows(connection):
                transaction = self.transaction_of.get(row.key)
                if transaction is None:
                    continue
                if row.id < last_id.get(id(transaction), 0):
                    yield "order in a transaction", f"{name(connection)} got row {row.key} after a later one of its transaction"
                last_id[id(transaction)] = row.id
                if transaction.commit_returned is not None and transaction.commit_returned < latest_began:
                    yield "order of transactions", (
                        f"{name(connection)} got row {row.key} after {latest}, whose transaction began when that of {row.key} had committed")
                if transaction.began > latest_began:
                    latest_began, latest = transaction.began, row.key

    def _rows(self, connection: Connection) -> Iterator[StoredRow]:
        for arrival in connection.arrivals:
            row = self.by_id.get(arrival.id)
            if row is not None and row.data == arrival.data:
                yield row

    # MARK: What must have come, and what must not

    def missing(self) -> list[str]:
        """What has not come yet: empty once all is there. A run is at its end then, or after its time is up."""
        return [detail for _, detail in self._missing()]

    def _missing(self) -> Iterator[tuple[str, str]]:
        earlier: dict[tuple[int, str], list[Connection]] = defaultdict(list)
        for connection in self.connections:
            chain = earlier[connection.user, connection.device]
            chain[:] = [*chain, connection] if connection.resumed else [connection]
            if connection.ended is not None or connection.established is None:
                continue
            here = {arrival.id for arrival in connection.arrivals}
            chained = {id for part in chain for id in (part.reloaded or set()).union(arrival.id for arrival in part.arrivals)}
            start = next((part.established for part in chain if part.established is not None), connection.established)
            for row in self.rows_of_user[connection.user]:
                commit_sent = self._commit_sent(row)
                if row.sent_at is None or row.sent_at > connection.established:
                    # It was unsent when this connection was made, or came later.
                    if commit_sent is not None and commit_sent > connection.established:
                        if row.id not in here:
                            yield "every row after connecting", f"{name(connection)} lacks row {row.key}, committed while it was connected"
                    elif row.id not in here:
                        yield "every unsent row", f"{name(connection)} lacks row {row.key}, unsent when it connected"
                elif connection.resumed and commit_sent is not None and commit_sent > start and row.id not in chained:
                    yield "every row after the cursor", f"{name(connection)} and those before it lack row {row.key}"

    def _commit_sent(self, row: StoredRow) -> float | None:
        transaction = self.transaction_of.get(row.key)
        return transaction.commit_sent if transaction else None

    def _uncalled(self) -> Iterator[tuple[str, str]]:
        """Without a cursor, what was sent before this device came does not come."""
        for connection in self.connections:
            if connection.resumed:
                continue
            for row in self._rows(connection):
                if row.sent_at is not None and row.sent_at < connection.opened - MARKING_SECONDS:
                    yield "not what was sent before", f"{name(connection)} got row {row.key}, sent {connection.opened - row.sent_at:.1f} s before it came"

    def repeated(self) -> int:
        """Rows that came to a device again after a reconnect, as the rule allows."""
        return sum(1 for _ in self._repetitions())

    def _repetitions(self) -> Iterator[tuple[Connection, StoredRow, float]]:
        """Each row that a device got again with its cursor, and when it had got it before."""
        came: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        for connection in self.connections:
            before = came[connection.user, connection.device]
            if not connection.resumed:
                before.clear()
            for row in self._rows(connection):
                if row.id in before:
                    yield connection, row, before[row.id]
            for arrival in connection.arrivals:
                before.setdefault(arrival.id, arrival.at)

    def _again(self) -> Iterator[tuple[str, str]]:
        """With a cursor come again: what came after its message, what was not yet known to be on disk when it was made,
        and what is unsent."""
        for connection, row, at in self._repetitions():
            if connection.cursor_at is None or at >= self._earliest_write(connection.cursor_at):
                continue
            if row.sent_at is not None and row.sent_at < self._earliest_write(connection.opened):
                yield "again only the last rows", (
                    f"{name(connection)} got row {row.key}, which it had {connection.cursor_at - at:.1f} s before its cursor")

    # MARK: Marks

    def _marks(self) -> Iterator[tuple[str, str]]:
        written: set[int] = set()
        for connection in self.connections:
            written |= connection.acknowledged if connection.acknowledges else {arrival.id for arrival in connection.arrivals}
        for row in self.stored.values():
            marked = row.is_sent and row.sent_at is not None
            if row.is_sent != (row.sent_at is not None):
                yield "is_sent and sent_at", f"row {row.key}: is_sent is {row.is_sent}, sent_at is {row.sent_at}"
            if row.id in written and not marked:
                yield "marked when written", f"row {row.key} reached a device and is not marked"
            if marked and row.id not in written and not self._lost_on_the_way(row):
                yield "marked only when written", f"row {row.key} is marked and reached nobody"
            transaction = self.transaction_of.get(row.key)
            if marked and transaction and row.sent_at is not None and row.sent_at < transaction.began:
                yield "marked only when written", f"row {row.key} was marked before it was written"

    def _lost_on_the_way(self, row: StoredRow) -> bool:
        """Whether a client went away with the row still in its socket. A bridge that dies has no such excuse: what the
        kernel took arrives."""
        if row.sent_at is None:
            return False
        written = self._earliest_write(row.sent_at)
        return any(
            connection.user == row.user and connection.ended_by_client and not connection.acknowledges
            and connection.ended is not None and connection.opened <= row.sent_at and written <= connection.ended
            for connection in self.connections)

    def _earliest_write(self, sent_at: float) -> float:
        """When a row with this sent_at may have been written at the earliest."""
        earliest = sent_at - MARKING_SECONDS
        for began, ended in self.outages:
            if began <= sent_at and earliest <= ended:
                earliest = min(earliest, began - MARKING_SECONDS)
        return earliest


def name(connection: Connection) -> str:
    return f"{connection.device} of user {connection.user} (connected at {connection.opened:.3f})"
