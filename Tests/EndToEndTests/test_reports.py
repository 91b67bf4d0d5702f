"""The SQL reports, against figures computed here from the same random history."""

from __future__ import annotations

import json
import math
import random
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import pytest_asyncio
from harness.bridge import ROOT, Done, run
from harness.database import Database

BERLIN = ZoneInfo("Europe/Berlin")
# The clock is put back on 26 October.
SINCE, UNTIL = datetime(2025, 10, 23, 17, 20, tzinfo=UTC), datetime(2025, 10, 29, 9, 40, tzinfo=UTC)
OWN, ODD, BARE = "public.notification", '"odd.app"."Odd ""table"', "public.bare"
ROLE = "test_reports"


@dataclass
class Row:
    source: str
    recipient: str | None
    created: datetime | None
    sent_at: datetime | None
    read_at: datetime | None
    has_read: bool  # whether the table says what was read
    type: str | None
    kind: str | None

    def key(self, by: str | None) -> str | None:
        return {None: None, "user": self.recipient, "source": self.source, "type": self.type, "meta.kind": self.kind}[by]


def moment(rng: random.Random) -> datetime:
    """A time before, in, or after the time of the reports, often near its ends and near the change of the clock."""
    around = rng.choice([SINCE, UNTIL, datetime(2025, 10, 26, 1, tzinfo=UTC), None])
    if around is None:
        return SINCE - timedelta(days=2) + timedelta(microseconds=rng.randrange(10 * 86400 * 10**6))
    return around + timedelta(minutes=rng.randrange(-150, 151))


def later(rng: random.Random, at: datetime | None, seconds: float) -> datetime | None:
    return None if at is None or rng.random() < 0.3 else at + timedelta(microseconds=int(rng.expovariate(1 / seconds) * 10**6))


async def make_history(database: Database, rng: random.Random) -> list[Row]:
    writer = await database.connect()
    await writer.execute("SET synchronous_commit = off")
    rows: list[Row] = []
    for _ in range(600):
        created = moment(rng)
        sent = later(rng, created, 3)
        row = Row(OWN, rng.choice(["1", "2", "3", None]), created, sent, later(rng, sent, 1000), True,
            rng.choice(["order", "invoice", None]), rng.choice(["a", "b"]))
        rows.append(row)
        await writer.execute(
            "INSERT INTO notification (user_id, data, created_at, is_sent, sent_at, is_read, read_at) "
            "VALUES (%s, jsonb_build_object('type', %s::text, 'meta', jsonb_build_object('kind', %s::text)), %s, %s, %s, %s, %s)",
            (row.recipient, row.type, row.kind, created, sent is not None, sent, row.read_at is not None, row.read_at))
    await database.execute(
        'CREATE SCHEMA "odd.app"; '
        'CREATE TABLE "odd.app"."Odd ""table" ("the %% id" uuid, "For" uuid, title text, "Made at" timestamp NOT NULL, number integer, '
        'PRIMARY KEY ("the %% id", "Made at")) PARTITION BY RANGE ("Made at"); '
        'CREATE TABLE "odd.app".early PARTITION OF "odd.app"."Odd ""table" FOR VALUES FROM (MINVALUE) TO (\'2025-10-26 02:20\'); '
        'CREATE TABLE "odd.app".late PARTITION OF "odd.app"."Odd ""table" FOR VALUES FROM (\'2025-10-26 02:20\') TO (MAXVALUE)'.replace("%%", "%"))
    # Whoever divides by zero has no payload, and so no type.
    await database.execute(
        "SELECT notify_bridge.attach(%s, recipient => 'For', id => %s, created => 'Made at', created_zone => 'Europe/Berlin', "
        "payload => 'jsonb_build_object(''type'', title, ''meta'', jsonb_build_object(''kind'', 7 / number))')", (ODD, "the % id"))
    users = [str(uuid.UUID(int=rng.getrandbits(128))) for _ in range(4)]
    for number in range(300):
        clock = moment(rng).astimezone(BERLIN).replace(tzinfo=None)
        # A time that comes twice is the second one.
        created = clock.replace(tzinfo=BERLIN, fold=1).astimezone(UTC)
        sent = later(rng, created, 3)
        fails = number == 100
        row = Row(ODD, rng.choice(users), created, sent, None, False, None if fails else "order", None if fails else "7")
        rows.append(row)
        await writer.execute(
            'INSERT INTO "odd.app"."Odd ""table" ("the %% id", "For", title, "Made at", number, sent_at) VALUES (%s, %s, %s, %s, %s, %s)',
            (uuid.UUID(int=rng.getrandbits(128)), row.recipient, "order", clock, 0 if fails else 1, sent))
    await database.execute("CREATE TABLE bare (id text PRIMARY KEY, user_id integer, data json, is_read boolean NOT NULL DEFAULT false)")
    await database.execute("SELECT notify_bridge.attach('bare')")
    for number in range(50):
        row = Row(BARE, rng.choice(["1", "2"]), None, None, None, True, "order", None)
        row.read_at = UNTIL if rng.random() < 0.5 else None
        rows.append(row)
        await writer.execute(
            "INSERT INTO bare VALUES (%s, %s, '{\"type\": \"order\"}', %s)", (str(number), row.recipient, row.read_at is not None))
        if row.read_at is not None:
            row.read_at = datetime.max.replace(tzinfo=UTC)  # It was read, nobody knows when.
    await writer.close()
    return rows


@pytest_asyncio.fixture
async def history(database: Database) -> list[Row]:
    return await make_history(database, random.Random(14))


@pytest_asyncio.fixture
async def reader(database: Database) -> psycopg.AsyncConnection[Any]:
    """A session of a role that may do nothing but call the reports."""
    await database.execute(f"DO $$BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    await database.execute("SELECT notify_bridge.grant_reports_to(%s)", (ROLE,))
    session = await database.connect(user=ROLE)
    yield session
    await session.close()


async def ask(session: psycopg.AsyncConnection[Any], report: str, **parameters: Any) -> list[dict[str, Any]]:
    given = ", ".join(f"{name} => %({name})s" for name in parameters)
    async with session.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        await cursor.execute(f"SELECT * FROM notify_bridge.{report}({given})", parameters)
        return await cursor.fetchall()


def floor(zone: Any, bucket: str) -> Callable[[datetime | None], datetime | None]:
    def of(created: datetime | None) -> datetime | None:
        if created is None:
            return None
        there = created.astimezone(zone)
        # An hour keeps the one of two that it is in, a day begins at the first.
        start = there.replace(minute=0, second=0, microsecond=0) if bucket == "1 hour" else there.replace(
            hour=0, minute=0, second=0, microsecond=0, fold=0)
        return start.astimezone(UTC)

    return of


def starts(bucket: Callable[[datetime | None], datetime | None]) -> Iterator[datetime]:
    at = SINCE
    while at < UNTIL:
        start = bucket(at)
        assert start is not None
        yield start
        at += timedelta(minutes=10)


def counted(row: Row) -> bool:
    return row.created is None or SINCE <= row.created < UNTIL


def count(rows: list[Row]) -> tuple[int, int, int | None, int]:
    """How many were created, sent and read, and how many are unsent."""
    sent = sum(row.sent_at is not None for row in rows)
    return len(rows), sent, sum(row.read_at is not None for row in rows if row.has_read), len(rows) - sent


def percentile(values: list[float], part: float) -> float | None:
    if not values:
        return None
    values = sorted(values)
    place = part * (len(values) - 1)
    low, high = math.floor(place), math.ceil(place)
    return values[low] + (values[high] - values[low]) * (place - low)


async def test_deliveries_are_those_of_the_history(history: list[Row], reader: psycopg.AsyncConnection[Any]) -> None:
    for source in (None, OWN, ODD, BARE):
        for by in (None, "user", "source", "type", "meta.kind"):
            for name, width in (("UTC", "1 day"), ("Europe/Berlin", "1 day"), ("Europe/Berlin", "1 hour"), ("Asia/Kolkata", "1 hour")):
                bucket = floor(ZoneInfo(name), width)
                rows = [row for row in history if counted(row) and source in (None, row.source)]
                groups: dict[Any, list[Row]] = defaultdict(list)
                if by is None:
                    groups |= {(start, None): [] for start in starts(bucket)}
                for row in rows:
                    groups.setdefault((bucket(row.created), row.key(by)), []).append(row)
                wanted = {}
                for at, group in groups.items():
                    created, sent, read, unsent = count(group)
                    knows = any(row.has_read for row in group) if group else source != ODD
                    wanted[at] = (created, sent, read if knows else None, None, unsent)
                got = await ask(reader, "report_deliveries", since=SINCE, until=UNTIL, bucket=width, source=source, by=by, time_zone=name)
                shown = {(line.pop("bucket"), line.pop("key")): tuple(line.values()) for line in got}
                assert len(got) == len(shown) and shown == wanted, (by, name, width)


async def test_latencies_are_those_of_the_history(history: list[Row], reader: psycopg.AsyncConnection[Any]) -> None:
    for source in (None, OWN, ODD, BARE):
        bucket = floor(UTC, "1 day")
        groups: dict[Any, list[Row]] = {start: [] for start in starts(bucket)}
        for row in history:
            if counted(row) and source in (None, row.source):
                groups.setdefault(bucket(row.created), []).append(row)
        got = await ask(reader, "report_latency", since=SINCE, until=UNTIL, source=source)
        assert [line["bucket"] for line in got] == sorted(groups.keys() - {None}) + [None] * (None in groups)
        for line in got:
            rows = groups[line["bucket"]]
            sent = [(row.sent_at - row.created).total_seconds() for row in rows if row.sent_at and row.created]
            read = [(row.read_at - row.sent_at).total_seconds() for row in rows if row.read_at and row.sent_at]
            assert line["rows"] == len(rows)
            for name, values in (("sent", sent), ("read", read)):
                for part in (50, 95, 99):
                    wanted = percentile(values, part / 100)
                    assert line[f"{name}_p{part}"] == (wanted and pytest.approx(wanted, rel=1e-9))


async def test_users_are_those_of_the_history(history: list[Row], reader: psycopg.AsyncConnection[Any]) -> None:
    for source in (None, OWN, ODD, BARE):
        groups = defaultdict(list)
        for row in history:
            if counted(row) and source in (None, row.source):
                groups[row.recipient].append(row)
        got = await ask(reader, "report_users", since=SINCE, until=UNTIL, source=source, row_limit=None)
        assert {line["recipient"] for line in got} == groups.keys() and len(got) == len(groups)
        assert [line["created"] for line in got] == sorted((len(rows) for rows in groups.values()), reverse=True)
        for line in got:
            rows = groups[line["recipient"]]
            created, sent, read, unsent = count(rows)
            assert (line["created"], line["sent"], line["unsent"], line["online"]) == (created, sent, unsent, None if line["recipient"] is None else False)
            assert line["read"] == (read if any(row.has_read for row in rows) else None)
            assert line["last_sent"] == max((row.sent_at for row in rows if row.sent_at), default=None)
            assert line["last_read"] == max((row.read_at for row in rows if row.read_at and row.created), default=None)
        limited = await ask(reader, "report_users", since=SINCE, until=UNTIL, source=source, row_limit=2)
        assert limited == got[:2]


async def test_the_backlog_and_the_retention_are_those_of_the_history(
        history: list[Row], reader: psycopg.AsyncConnection[Any], database: Database) -> None:
    now = await database.value("SELECT now()")
    ages = [30, 300, 1800, 7200, 3 * 86400]
    for age in ages:
        for user in ("1", "4"):
            created = now - timedelta(seconds=age)
            history.append(Row(OWN, user, created, None, None, True, None, None))
            await database.execute("INSERT INTO notification (user_id, created_at) VALUES (%s, %s)", (user, created))
    old = [row for row in history if row.created and row.created < now - timedelta(days=7) and row.sent_at is None]
    bare = [row for row in history if row.source == BARE]
    wanted = [(2, 2, now - timedelta(seconds=age)) for age in ages]
    wanted.append((len(old), len({row.recipient for row in old} - {None}), min(row.created for row in old if row.created)))
    wanted.append((len(bare), 2, None))
    got = await ask(reader, "report_backlog")
    assert [(line["rows"], line["users"], line["oldest"]) for line in got] == wanted

    days = (now - datetime(2025, 10, 26, 12, tzinfo=UTC)).days
    limit = now - timedelta(days=days)
    by_day: dict[Any, list[Row]] = defaultdict(list)
    for row in history:
        by_day[row.created and row.created.date()].append(row)
    retained = await ask(reader, "report_retention", days=days)
    assert [line["day"] for line in retained] == sorted(by_day.keys() - {None}) + [None]
    for line in retained:
        rows = by_day[line["day"]]
        due = [row for row in rows if row.sent_at and row.created and row.created < limit]
        assert (line["rows"], line["due"]) == (len(rows), len(due)) and line["bytes"] > 0


async def test_a_migration_does_not_wait_for_a_session_that_has_reported(
        history: list[Row], reader: psycopg.AsyncConnection[Any], database: Database) -> None:
    async def report() -> list[dict[str, Any]]:
        asked = dict(since=SINCE, until=UNTIL, source=ODD)
        await ask(reader, "report_latency", **asked)
        await ask(reader, "report_backlog", source=ODD)
        await ask(reader, "report_users", **asked)
        await ask(reader, "report_retention", source=ODD)
        return await ask(reader, "report_deliveries", by="type", bucket="1 year", **asked)

    rows = [row for row in history if row.source == ODD and counted(row)]
    assert sum(line["created"] for line in await report()) == len(rows)
    orm = await database.connect()
    await orm.execute("SET lock_timeout = '2s'")
    for change in ("DROP COLUMN title", "ALTER COLUMN sent_at TYPE text", 'RENAME COLUMN "For" TO "to whom"', "DROP COLUMN sent_at"):
        await orm.execute(f"ALTER TABLE {ODD} {change}")
        shown = await report()
        assert [(line["key"], line["created"]) for line in shown] == [(None, len(rows))]
    assert (shown[0]["sent"], shown[0]["unsent"]) == (None, None)
    await orm.execute(f"ALTER TABLE {ODD} RENAME COLUMN \"Made at\" TO born")
    assert [line["bucket"] for line in await report()] == [None]

    # While a migration holds the table, a report ends soon and says why; so does no other migration wait behind it.
    await orm.execute(f"BEGIN; LOCK TABLE {ODD}")
    with pytest.raises(psycopg.errors.LockNotAvailable, match="locked by another session"):
        await report()
    assert await ask(reader, "report_deliveries", since=SINCE, until=UNTIL, source=OWN)
    await orm.execute(f"DROP TABLE {ODD}; COMMIT")
    assert await ask(reader, "report_deliveries", since=SINCE, until=UNTIL, by="type")
    await orm.close()


async def test_the_examples_of_the_guide_have_the_columns_that_it_shows(database: Database) -> None:
    guide = (ROOT / "Documentation" / "reports.md").read_text()
    await database.execute("INSERT INTO notification (id, user_id, data) VALUES (7, 42, '{}')")
    await database.execute("DO $$BEGIN CREATE ROLE reports LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    examples = re.findall(r"^```sql\n(.*?)^```\n(?:\n```text\n *(.*?)\n)?", guide, re.MULTILINE | re.DOTALL)
    assert len([1 for _, shown in examples if shown]) >= 7
    for statements, shown in examples:
        session = await database.connect()
        for statement in [part for part in statements.replace("CREATE ROLE reports LOGIN PASSWORD '…';", "").split(";\n") if part.strip()]:
            cursor = await session.execute(re.sub(r"\$__time(From|To)\(\)", "now()", statement).encode())
        if shown:
            assert [column.name for column in cursor.description or []] == [name.strip() for name in shown.split("|")]
        await session.close()


# MARK: the command


async def test_the_command_prints_a_report(database: Database) -> None:
    for user, kind in ((42, "order"), (42, "invoice"), (7, "order")):
        await database.insert(user, json.dumps({"type": kind, "text": "secret"}), created_at=datetime(2026, 5, 1, 12, tzinfo=UTC))

    async def report(*arguments: str, url: str = database.url) -> Done:
        return await run("report", *arguments, DATABASE_URL=url)

    month = ("--since", "2026-05-01", "--until", "2026-05-03")
    table = await report("deliveries", *month)
    assert table.status == 0 and table.stdout.splitlines() == [
        "bucket                  created  sent  read  unsent",
        "2026-05-01 00:00:00+00        3     0     0       3",
        "2026-05-02 00:00:00+00        0     0     0       0"]
    csv = await report("deliveries", *month, "--by", "type", "--time-zone", "Europe/Berlin", "--format", "csv")
    assert csv.stdout.splitlines() == [
        "bucket,key,created,sent,read,archived,unsent",
        "2026-05-01 00:00:00+02,order,2,0,0,,2", "2026-05-01 00:00:00+02,invoice,1,0,0,,1"]
    users = json.loads((await report("users", *month, "--limit", "1", "--format", "json")).stdout)
    assert [(user["recipient"], user["created"], user["online"]) for user in users] == [("42", 2, False)]
    assert json.loads((await report("users", "--since", "2h", "--format", "json")).stdout) == []
    timeline = await report("timeline", "--id", "1")
    assert timeline.stdout.splitlines()[1] == "2026-05-01 12:00:00+00  inserted  for 42"
    for name in ("latency", "backlog", "connections", "retention"):
        assert (done := await report(name)).status == 0, done
        assert json.loads((await report(name, "--format", "json")).stdout)

    await database.execute(f"DO $$BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    reader = database.cluster.url(database.name, ROLE)
    refused = await report("backlog", url=reader)
    assert refused.status == 1 and "grant_reports_to" in refused.stderr
    await database.execute("SELECT notify_bridge.grant_reports_to(%s)", (ROLE,))
    assert (await report("backlog", url=reader)).status == 0

    for arguments, said in ((("nonsense",), "deliveries"), (("latency", "--by", "user"), "--by is not valid"), (("timeline",), "--id")):
        done = await report(*arguments)
        assert done.status == 64 and said in done.stderr, done
    for arguments, said in (
            (("deliveries", "--since", "1d", "--until", "2d"), "is after until"), (("backlog", "--source", "nobody"), "public.notification"),
            (("deliveries", "--since", "tomorrow or so"), "invalid input syntax")):
        done = await report(*arguments)
        assert done.status == 1 and said in done.stderr and len(done.stderr.splitlines()) <= 3, done


async def test_a_report_that_takes_too_long_is_cancelled_in_the_server(database: Database) -> None:
    await database.execute("CREATE TABLE slow (id integer PRIMARY KEY, user_id integer, data jsonb)")
    await database.execute("SELECT notify_bridge.attach('slow', payload => 'to_jsonb(pg_sleep(id)::text)')")
    await database.execute("INSERT INTO slow (id, user_id) VALUES (60, 1)")
    done = await run("report", "deliveries", "--by", "type", "--timeout", "1s", DATABASE_URL=database.url)
    assert done.status == 1 and "longer than 1s" in done.stderr, done
    assert await database.value("SELECT count(*) FROM pg_stat_activity WHERE query ~ 'report_deliveries' AND pid <> pg_backend_pid()") == 0
