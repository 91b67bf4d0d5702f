"""The accounting notices each rule of "Order and loss" when it is broken, and nothing where all are kept."""

from __future__ import annotations

import copy

import pytest
from harness.accounting import Accounting, Arrival, Connection, StoredRow, Transaction

pytestmark = pytest.mark.needs_no_program


class Trace:
    """A small run in which every rule is kept; each test then breaks one.

    User 1 has the device `phone` from 0 on, and `laptop`, which comes at 20 without a cursor, is cut at 30 between two
    rows of one delta, and comes back at 31 with its cursor. User 2 has no device. Writers 1 and 2 interleave.
    """

    def __init__(self) -> None:
        self.transactions = [
            self.transaction(1, 1, 10, 11, ["a1"]),
            self.transaction(1, 2, 12, 18, ["a2", "a3"]),  # long: overtaken by b1
            self.transaction(2, 1, 13, 14, ["b1"]),
            self.transaction(2, 2, 26, 27, ["b2", "b3", "b4"]),
            self.transaction(1, 3, 32, 33, ["a4", "u2"]),
            Transaction(2, 3, 34, rows=["r1"], outcome="rolled back"),
            Transaction(1, 4, 35, rows=["a5"], undone=["s1"], commit_sent=35.4, commit_returned=36, outcome="committed"),
        ]
        self.stored = [
            StoredRow(key, id, 2 if key == "u2" else 1, key.encode(), key != "u2", None if key == "u2" else sent)
            for id, (key, sent) in enumerate([
                ("a1", 11.1), ("a2", 18.1), ("a3", 18.1), ("b1", 14.1), ("b2", 27.1), ("b3", 27.1), ("b4", 27.1),
                ("a4", 33.1), ("u2", 0), ("a5", 36.1)], start=1)
        ]
        everything = ["a1", "b1", "a2", "a3", "b2", "b3", "b4", "a4", "a5"]
        self.phone = self.connection("phone", 0, everything)
        self.laptop = self.connection("laptop", 20, ["b2", "b3"])
        self.laptop.ended, self.laptop.ended_by_client = 30, True
        self.laptop_again = self.connection("laptop", 31, ["b4", "a4", "a5"], resumed=True)
        self.connections = [self.phone, self.laptop, self.laptop_again]
        self.outages: list[tuple[float, float]] = []

    @staticmethod
    def transaction(writer: int, number: int, began: float, committed: float, rows: list[str]) -> Transaction:
        return Transaction(writer, number, began, rows, [], committed - 0.5, committed, "committed")

    def row(self, key: str) -> StoredRow:
        return next(row for row in self.stored if row.key == key)

    def arrival(self, key: str, at: float = 50) -> Arrival:
        return Arrival(at, self.row(key).id, key.encode())

    def connection(self, device: str, opened: float, keys: list[str], **more: object) -> Connection:
        return Connection(
            1, device, opened, established=opened + 0.1, first_type="connection_established",
            arrivals=[self.arrival(key) for key in keys], **more)

    def lose(self, connection: Connection, key: str) -> None:
        connection.arrivals = [arrival for arrival in connection.arrivals if arrival.data != key.encode()]

    def rules(self) -> set[str]:
        return {fault.rule for fault in Accounting(self.transactions, self.stored, self.connections, self.outages).faults()}


@pytest.fixture
def trace() -> Trace:
    return Trace()


def test_a_run_that_keeps_every_rule_has_no_fault(trace: Trace) -> None:
    assert trace.rules() == set()


def test_an_empty_run_has_no_fault() -> None:
    assert Accounting([], [], []).faults() == []


def test_replaying_before_joining_loses_a_row_committed_in_between(trace: Trace) -> None:
    trace.lose(trace.phone, "a5")
    assert trace.rules() == {"every row after connecting"}


def test_a_row_that_is_lost_for_everybody_is_noticed_as_lost_and_as_unsent(trace: Trace) -> None:
    for connection in trace.connections:
        trace.lose(connection, "a5")
    trace.row("a5").is_sent, trace.row("a5").sent_at = False, None
    assert trace.rules() == {"every row after connecting"}


def test_a_greeting_that_is_not_first_is_noticed(trace: Trace) -> None:
    trace.phone.first_type = "notification"
    assert trace.rules() == {"greeting first"}


def test_a_connection_that_is_never_greeted_is_noticed(trace: Trace) -> None:
    trace.phone.first_type = trace.phone.established = None
    trace.phone.arrivals = []
    assert trace.rules() >= {"greeting first"}


def test_held_rows_written_before_the_replay_are_out_of_order(trace: Trace) -> None:
    trace.laptop_again.arrivals = [trace.arrival(key) for key in ("a4", "b4", "a5")]
    assert trace.rules() == {"order of transactions"}


def test_a_delta_row_that_was_replayed_comes_twice(trace: Trace) -> None:
    trace.laptop_again.arrivals.insert(1, trace.arrival("b4"))
    assert trace.rules() == {"once on a connection"}


def test_a_replayed_row_that_comes_again_long_after_going_live_is_noticed(trace: Trace) -> None:
    trace.laptop_again.arrivals.append(trace.arrival("b4", 90))
    assert trace.rules() == {"once on a connection", "order of transactions"}


def test_a_row_that_was_sent_before_a_device_came_is_noticed_there(trace: Trace) -> None:
    trace.laptop.arrivals.insert(0, trace.arrival("a1"))
    assert trace.rules() == {"not what was sent before"}


def test_a_cursor_on_every_row_of_a_delta_loses_those_after_a_cut(trace: Trace) -> None:
    trace.lose(trace.laptop_again, "b4")
    assert trace.rules() == {"every row after the cursor"}


def test_a_reconnect_without_cursor_may_lack_what_was_sent_meanwhile(trace: Trace) -> None:
    trace.lose(trace.laptop_again, "b4")
    trace.laptop_again.resumed = False
    assert trace.rules() == set()


def test_devices_of_two_users_may_have_one_name(trace: Trace) -> None:
    trace.connections.append(Connection(
        2, "laptop", 22, established=22.1, first_type="connection_established", ended=23, ended_by_client=True))
    assert trace.rules() == set()


def test_the_rows_of_a_transaction_out_of_id_order_are_noticed(trace: Trace) -> None:
    trace.phone.arrivals = [trace.arrival(key) for key in ("a1", "b1", "a3", "a2", "b2", "b3", "b4", "a4", "a5")]
    assert trace.rules() == {"order in a transaction"}


def test_sorting_transaction_ids_as_text_is_noticed(trace: Trace) -> None:
    """1002 before 998: a transaction that began after another's commit comes first."""
    trace.phone.arrivals = [trace.arrival(key) for key in ("b2", "b3", "b4", "a1", "b1", "a2", "a3", "a4", "a5")]
    assert trace.rules() == {"order of transactions"}


def test_sorting_by_row_id_alone_is_noticed(trace: Trace) -> None:
    """Ids are given before commits: here b2 got its ids early and a4 committed before it began."""
    late = trace.transaction(2, 9, 40, 41, ["late"])
    trace.transactions.append(late)
    trace.stored.append(StoredRow("late", 0, 1, b"late", True, 41.1))
    trace.phone.arrivals.insert(0, trace.arrival("late"))
    trace.laptop_again.arrivals.append(trace.arrival("late"))
    assert trace.rules() == {"order of transactions"}


def test_concurrent_transactions_may_come_in_either_order(trace: Trace) -> None:
    trace.phone.arrivals = [trace.arrival(key) for key in ("a1", "a2", "a3", "b1", "b2", "b3", "b4", "a4", "a5")]
    assert trace.rules() == set()


def test_rows_of_concurrent_transactions_may_be_mixed(trace: Trace) -> None:
    trace.phone.arrivals = [trace.arrival(key) for key in ("a1", "a2", "b1", "a3", "b2", "b3", "b4", "a4", "a5")]
    assert trace.rules() == set()


def test_marking_before_writing_shows_when_the_bridge_dies_between(trace: Trace) -> None:
    for connection in trace.connections:
        trace.lose(connection, "a5")
    trace.phone.ended = 36.1  # the bridge died: no client went away
    trace.laptop_again.ended = 36.1
    assert trace.rules() == {"marked only when written"}


def test_a_row_lost_with_a_client_that_went_away_may_be_marked(trace: Trace) -> None:
    for connection in trace.connections:
        trace.lose(connection, "a5")
    trace.phone.ended, trace.phone.ended_by_client = 36.1, True
    trace.laptop_again.ended, trace.laptop_again.ended_by_client = 36.1, True
    assert trace.rules() == set()


def test_a_row_lost_with_a_client_may_be_marked_late_only_where_the_database_was_away(trace: Trace) -> None:
    for connection in trace.connections:
        trace.lose(connection, "a5")
    trace.phone.ended, trace.phone.ended_by_client = 36.1, True
    trace.laptop_again.ended, trace.laptop_again.ended_by_client = 36.1, True
    trace.row("a5").sent_at = 52.0
    assert trace.rules() == {"marked only when written"}
    trace.outages = [(38.0, 50.0)]
    assert trace.rules() == set()
    trace.outages = [(42.0, 50.0)]  # before it went there was time enough
    assert trace.rules() == {"marked only when written"}


def test_a_row_that_was_written_and_never_marked_is_noticed(trace: Trace) -> None:
    trace.row("b1").is_sent, trace.row("b1").sent_at = False, None
    assert "marked when written" in trace.rules()


def test_a_row_that_nobody_could_get_and_is_marked_is_noticed(trace: Trace) -> None:
    trace.row("u2").is_sent, trace.row("u2").sent_at = True, 34.0
    assert trace.rules() == {"marked only when written"}


def test_half_a_mark_is_noticed(trace: Trace) -> None:
    trace.row("b1").sent_at = None
    assert "is_sent and sent_at" in trace.rules()


def test_a_mark_older_than_its_row_is_noticed(trace: Trace) -> None:
    trace.row("b1").sent_at = 5.0
    assert "marked only when written" in trace.rules()


def test_replaying_only_what_is_after_the_cursor_leaves_unsent_rows_behind(trace: Trace) -> None:
    """The row was written, and the bridge died before marking: it is unsent, and before the cursor."""
    trace.row("b2").is_sent, trace.row("b2").sent_at = False, None
    trace.laptop_again.ended_by_client = False
    assert "every unsent row" in trace.rules()


def test_an_unsent_row_comes_again_after_the_bridge_was_killed(trace: Trace) -> None:
    trace.row("b2").sent_at = 31.2
    assert trace.rules() == {"every unsent row"}
    trace.laptop_again.arrivals.insert(0, trace.arrival("b2"))
    trace.phone.ended, trace.phone.ended_by_client = 37.0, True
    assert trace.rules() == set()


def test_a_row_of_a_transaction_that_rolled_back_is_noticed(trace: Trace) -> None:
    trace.phone.arrivals.append(Arrival(50, 77, b"r1"))
    assert trace.rules() == {"only committed rows"}


def test_a_row_that_rolled_back_is_told_from_a_later_one_with_its_id(trace: Trace) -> None:
    trace.phone.arrivals.insert(0, Arrival(50, trace.row("a1").id, b"r1"))
    assert trace.rules() == {"only committed rows"}


def test_a_row_of_a_savepoint_that_rolled_back_is_noticed(trace: Trace) -> None:
    trace.phone.arrivals.append(Arrival(50, 78, b"s1"))
    assert trace.rules() == {"only committed rows"}


def test_another_users_row_is_noticed(trace: Trace) -> None:
    trace.phone.arrivals.insert(8, trace.arrival("u2"))
    assert "only its own rows" in trace.rules()


def test_a_payload_that_was_changed_is_noticed(trace: Trace) -> None:
    trace.phone.arrivals[0].data = b"A1"
    assert "only committed rows" in trace.rules()


def test_a_truncated_replay_under_a_limit_never_reached_is_noticed(trace: Trace) -> None:
    trace.laptop_again.truncated = True
    assert trace.rules() == {"truncated"}


def test_a_row_that_was_received_but_not_acknowledged_must_not_be_marked(trace: Trace) -> None:
    for connection in trace.connections:
        connection.acknowledges = True
        connection.acknowledged = {arrival.id for arrival in connection.arrivals} - {trace.row("a5").id}
    assert trace.rules() == {"marked only when written"}
    trace.row("a5").is_sent, trace.row("a5").sent_at = False, None
    assert trace.rules() == set()


def test_an_acknowledged_row_must_be_marked(trace: Trace) -> None:
    for connection in trace.connections:
        connection.acknowledges = True
        connection.acknowledged = {arrival.id for arrival in connection.arrivals}
    assert trace.rules() == set()
    trace.row("a5").is_sent, trace.row("a5").sent_at = False, None
    assert trace.rules() == {"marked when written"}


@pytest.mark.parametrize("break_records", [
    lambda trace: trace.stored.pop(0),
    lambda trace: trace.stored.append(StoredRow("r1", 90, 1, b"r1", False, None)),
    lambda trace: trace.stored.append(StoredRow("s1", 91, 2, b"s1", False, None)),
    lambda trace: trace.stored.append(StoredRow("x", 92, 2, b"x", False, None)),
], ids=["a committed row is gone", "a rolled-back row is there", "an undone row is there", "a row without a writer"])
def test_records_that_contradict_the_table_are_noticed(trace: Trace, break_records: object) -> None:
    break_records(trace)
    assert "records" in trace.rules()


def test_a_commit_of_unknown_outcome_is_settled_by_the_table(trace: Trace) -> None:
    unknown = copy.copy(trace.transactions[4])
    unknown.outcome, unknown.commit_returned = "unknown", None
    trace.transactions[4] = unknown
    assert trace.rules() == set()
    trace.stored = [row for row in trace.stored if row.key not in ("a4", "u2")]
    for connection in trace.connections:
        trace.lose(connection, "a4")
    assert trace.rules() == set()


def test_what_is_missing_can_be_asked_while_the_run_goes_on(trace: Trace) -> None:
    assert Accounting(trace.transactions, trace.stored, trace.connections).missing() == []
    trace.lose(trace.phone, "a5")
    assert len(Accounting(trace.transactions, trace.stored, trace.connections).missing()) == 1
