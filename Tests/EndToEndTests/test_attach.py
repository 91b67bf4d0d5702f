"""The commands attach and detach, and what check says of attached tables."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import shlex
import signal
from collections.abc import Awaitable
from typing import Any

import pytest
from harness.bridge import BINARY, Done, Program, environment, run
from harness.database import Database
from harness.messages import said_well
from harness.tokens import SECRET
from harness.waiting import eventually, within

USERS = "CREATE TABLE auth_user (id serial PRIMARY KEY, username text)"
NOTES = """CREATE TABLE workorder_notification (
  id bigserial PRIMARY KEY, recipient_id integer NOT NULL REFERENCES auth_user, title text NOT NULL, content text, data jsonb,
  is_sent boolean NOT NULL DEFAULT false, is_read boolean NOT NULL DEFAULT false, read_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now())"""
COLUMNS = ["id", "recipient_id", "title", "content", "data", "is_sent", "is_read", "read_at", "created_at"]
NAME = "public.workorder_notification"
EXPRESSION = "jsonb_build_object('title', title, 'content', content) || coalesce(data, '{}')"


async def make(database: Database, rows: int = 0) -> None:
    for statement in (USERS, NOTES, "INSERT INTO auth_user DEFAULT VALUES"):
        await database.execute(statement)
    await database.execute("INSERT INTO workorder_notification (recipient_id, title) SELECT 1, 'old' FROM generate_series(1, %s)", (rows,))


def attach(database: Database, *arguments: str, user: str = "postgres") -> Awaitable[Done]:
    return run("attach", *arguments, DATABASE_URL=database.cluster.url(database.name, user))


def detach(database: Database, *arguments: str) -> Awaitable[Done]:
    return run("detach", *arguments, DATABASE_URL=database.url)


def check(database: Database) -> Awaitable[Done]:
    return run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)


async def columns(database: Database, table: str = NAME) -> list[str]:
    return [row[0] for row in await database.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum", (table,))]


async def problem(database: Database, table: str = NAME) -> Any:
    """What keeps the table from being served; `None`: nothing, `absent`: it is not attached."""
    rows = await database.execute("SELECT problem FROM notify_bridge.served WHERE name = %s", (table,))
    return rows[0][0] if rows else "absent"


# MARK: asking


async def test_without_a_terminal_it_shows_the_inferred_options_and_the_line_to_type(database: Database) -> None:
    await make(database)
    done = await attach(database, "workorder_notification")
    assert done.status == 64, done
    for part in ("recipient_id (integer)", "id (integer)", "payload    data", "is_sent, sent_at", "created_at", "is_read, read_at"):
        assert part in done.stdout, done
    assert await columns(database) == COLUMNS and await problem(database) == "absent"

    line = next(line for line in done.stderr.splitlines() if "notify-bridge attach" in line)
    words = shlex.split(line.partition("notify-bridge attach ")[2])
    assert words[-1] == "--yes"
    done = await attach(database, *words)
    assert done.status == 0 and done.stderr == "", done
    assert done.stdout.endswith(f"{NAME} is served\n"), done
    assert await columns(database) == [*COLUMNS, "txid", "sent_at"] and await problem(database) is None


async def test_the_line_to_type_keeps_an_expression_whole(database: Database) -> None:
    await make(database)
    for payload in (EXPRESSION, """to_jsonb("title" || '$x `y` \\ !')"""):
        done = await attach(database, NAME, "--payload", payload)
        words = shlex.split(next(line for line in done.stderr.splitlines() if "--payload" in line))
        assert done.status == 64 and words[words.index("--payload") + 1] == payload, done


async def test_what_can_not_be_inferred_is_asked_for(database: Database) -> None:
    await make(database)
    await database.execute("ALTER TABLE workorder_notification ADD actor_id integer REFERENCES auth_user")
    done = await attach(database, NAME, "--yes")
    text = said_well(done, 64)
    assert "actor_id" in text and "recipient_id" in text and "--recipient" in text
    assert await problem(database) == "absent"
    assert (await attach(database, NAME, "--recipient", "recipient_id", "--yes")).status == 0


class Terminal:
    """A command at a terminal."""

    def __init__(self, process: asyncio.subprocess.Process, leader: int) -> None:
        self.process = process
        self.leader = leader
        self.text = ""
        os.set_blocking(leader, False)

    @classmethod
    async def start(cls, *arguments: str, **settings: str) -> Terminal:
        leader, follower = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            str(BINARY), *arguments, env=environment(**settings), stdin=follower, stdout=follower, stderr=follower, cwd="/")
        os.close(follower)
        return cls(process, leader)

    async def shows(self, what: str) -> None:
        async def look() -> str:
            try:
                self.text += os.read(self.leader, 65_536).decode()
            except (BlockingIOError, OSError):
                pass  # nothing more yet, or the other end is closed
            return self.text

        await eventually(look, lambda text: what in text, f"{what!r} on the terminal")

    def type(self, text: str) -> None:
        os.write(self.leader, text.encode())

    async def exit(self) -> int:
        status = await within(30, self.process.wait(), "the end of the command")
        os.close(self.leader)
        return status


@pytest.mark.parametrize("answer, status", [("n\n", 1), ("\n", 1), ("\x04", 1), ("y\n", 0), ("YES\n", 0)])
async def test_at_a_terminal_it_asks(database: Database, answer: str, status: int) -> None:
    await make(database)
    terminal = await Terminal.start("attach", NAME, DATABASE_URL=database.url)
    await terminal.shows("[y/N] ")
    assert await problem(database) == "absent"
    terminal.type(answer)
    await terminal.shows("is served" if status == 0 else "nothing was changed")
    assert await terminal.exit() == status
    assert await problem(database) == (None if status == 0 else "absent")


# MARK: attaching and detaching


async def test_attaching_again_changes_nothing_and_detaching_restores_the_table(database: Database) -> None:
    await make(database, rows=3)
    assert (await attach(database, NAME, "--payload", EXPRESSION, "--yes")).status == 0
    again = await attach(database, NAME, "--yes")
    assert again.status == 0 and again.stdout.endswith(f"{NAME} is served: nothing had to be changed\n"), again
    assert await database.value("SELECT count(*) FROM workorder_notification WHERE txid IS NULL") == 3

    refused = await detach(database, NAME)
    assert refused.status == 64 and f"notify-bridge detach {NAME} --yes" in refused.stderr, refused
    assert await problem(database) is None
    done = await detach(database, NAME, "--yes")
    assert done.status == 0 and done.stderr == "", done
    assert await columns(database) == COLUMNS and await problem(database) == "absent"
    assert await database.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal", (NAME,)) == 0
    for arguments in ([NAME], [NAME, "--yes"]):
        done = await detach(database, *arguments)
        assert (done.status, done.stdout) == (0, f"{NAME} is not attached: nothing to do\n")


async def test_the_own_table_is_detached_only_when_it_is_empty(database: Database) -> None:
    await database.execute("INSERT INTO notification (user_id) VALUES (1)")
    refused = await detach(database, "public.notification", "--yes")
    assert refused.status == 1 and "holds rows" in refused.stderr and "TRUNCATE public.notification" in refused.stderr, refused
    assert await database.value("SELECT count(*) FROM notification") == 1
    await database.execute("TRUNCATE notification")
    asked = await detach(database, "public.notification")
    assert asked.status == 64 and "notify-bridge detach public.notification --yes" in asked.stderr, asked
    done = await detach(database, "public.notification", "--yes")
    assert done.status == 0 and "dropped table public.notification" in done.stdout and "--no-table" in done.stdout, done
    assert await database.value("SELECT to_regclass('notification') IS NULL")
    assert (await run("migrate", "--no-table", DATABASE_URL=database.url)).stdout.startswith("nothing to do")
    assert "applied public.notification" in (await run("migrate", DATABASE_URL=database.url)).stdout
    await database.execute("DROP TABLE notification")
    done = await detach(database, "public.notification", "--yes")
    assert done.status == 0 and "no longer served" in done.stdout, done


async def test_a_dropped_table_can_be_detached_by_the_name_it_had(database: Database) -> None:
    await make(database)
    assert (await attach(database, NAME, "--yes")).status == 0
    await database.execute("DROP TABLE workorder_notification")
    found = await check(database)
    assert found.status == 1 and NAME in found.stdout and "dropped" in found.stdout, found
    assert (await detach(database, "workorder_notification", "--yes")).status == 0
    assert (await check(database)).status == 0


@pytest.mark.parametrize("typed", ['"Ä b"."Wichtige Post"', "Ä b.Wichtige Post"])
async def test_names_with_capitals_and_spaces_are_typed_with_quotes_or_without(database: Database, typed: str) -> None:
    await database.execute('CREATE SCHEMA "Ä b"')
    await database.execute('CREATE TABLE "Ä b"."Wichtige Post" ("Nr" uuid PRIMARY KEY, "Für" text, "Daten" jsonb)')
    done = await attach(database, typed, "--recipient", "Für", "--yes")
    assert done.status == 0 and await problem(database, '"Ä b"."Wichtige Post"') is None, done
    assert (await detach(database, typed, "--yes")).status == 0
    assert await columns(database, '"Ä b"."Wichtige Post"') == ["Nr", "Für", "Daten"]


async def test_it_waits_for_a_transaction_that_holds_the_table_and_says_for_whom(database: Database) -> None:
    await make(database)
    writer = await database.connect(autocommit=False)
    await writer.execute("INSERT INTO workorder_notification (recipient_id, title) VALUES (1, 'before')")
    program = await Program.start("attach", NAME, "--yes", DATABASE_URL=database.url)
    line = await program.stderr.line(lambda line: line.startswith("waiting: "), "that it waits")
    assert NAME in line and f"process {writer.info.backend_pid} " in line, line
    # Nobody waits behind it for longer than it takes to give up once.
    await within(5, database.execute("INSERT INTO workorder_notification (recipient_id, title) VALUES (1, 'between')"), "another writer")
    await writer.commit()
    await writer.close()
    assert await program.exit() == 0
    await database.execute("INSERT INTO workorder_notification (recipient_id, title) VALUES (1, 'after')")
    assert await database.execute("SELECT title, txid IS NULL FROM workorder_notification ORDER BY id") == [
        ("before", True), ("between", True), ("after", False)]


async def test_an_interrupted_building_of_indexes_is_finished_by_repeating(database: Database) -> None:
    await make(database, rows=10_000)
    reader = await database.connect(autocommit=False)
    await reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    await reader.execute("SELECT count(*) FROM auth_user")  # keeps the building of any index waiting
    program = await Program.start("attach", NAME, "--yes", DATABASE_URL=database.url)
    await program.stdout.line(lambda line: "CREATE INDEX CONCURRENTLY" in line, "that an index is built")

    async def invalid() -> int:
        return await database.value("SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND NOT indisvalid", (NAME,))

    await eventually(invalid, lambda count: count == 1, "an index that is being built")
    assert "no valid index" in await problem(database)
    program.signal(signal.SIGINT)
    assert await program.exit() == 1
    assert any("interrupted" in line for line in program.stderr.lines)
    # The next one waits until the server has noticed.
    again = await Program.start("attach", NAME, "--yes", DATABASE_URL=database.url)
    await again.stdout.line(lambda line: "DROP INDEX CONCURRENTLY" in line, "that the rest is removed")
    await reader.rollback()
    await reader.close()
    assert await again.exit() == 0, again.stderr.lines
    assert await problem(database) is None and await invalid() == 0
    assert await database.value("SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass", (NAME,)) == 3


async def test_two_programs_at_once_attach_once(database: Database) -> None:
    await make(database, rows=10_000)
    done = await asyncio.gather(*(attach(database, NAME, "--yes") for _ in range(3)))
    assert [each.status for each in done] == [0] * 3, done
    lines = [line for each in done for line in each.stdout.splitlines() if line.startswith("added ")]
    assert len(lines) == len(set(lines)) == 8, done
    assert await problem(database) is None


# MARK: failing


async def test_what_is_wrong_is_said_and_changes_nothing(database: Database) -> None:
    await make(database)
    await database.execute("CREATE VIEW seen AS SELECT * FROM workorder_notification")
    cases = [
        (["nowhere"], 1, "no table nowhere"), (["seen"], 1, "is not a table"), ([NAME, "--recipient", "usr"], 1, "no column usr"),
        ([NAME, "--payload", "sum(id)"], 1, "aggregate"), ([NAME, "--sent", "title"], 1, "boolean"),
        ([NAME, "--retention-days", "3", "--created", ""], 1, "retention"), ([NAME, "--retention-days", "soon"], 78, "retention"),
        ([], 64, "table"), ([NAME, "--nonsense"], 64, "nonsense"),
    ]
    for arguments, status, text in cases:
        assert text in said_well(await attach(database, *arguments, "--yes"), status), arguments
    assert await columns(database) == COLUMNS and await problem(database) == "absent"


async def test_history_triggers_stop_it_unless_forced(database: Database) -> None:
    await make(database)
    await database.execute("CREATE TABLE history (LIKE workorder_notification)")
    await database.execute("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO history SELECT (NEW).*; RETURN NEW; END'")
    await database.execute("CREATE TRIGGER keep BEFORE UPDATE ON workorder_notification FOR EACH ROW EXECUTE FUNCTION keep()")
    text = said_well_after_plan(await attach(database, NAME, "--yes"))
    assert "trigger keep" in text and "--force" in text
    assert await columns(database) == COLUMNS
    assert (await attach(database, NAME, "--yes", "--force")).status == 0


def said_well_after_plan(done: Done) -> str:
    assert done.status == 1 and done.stderr.startswith("error: ") and len(done.stderr.splitlines()) <= 8, done
    return done.stderr


async def test_a_role_that_owns_only_one_of_both_is_told_which_grant_is_missing(database: Database) -> None:
    await make(database)
    role = f"django_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute(f"ALTER TABLE workorder_notification OWNER TO {role}")
    owner = f"bridge_{database.name}"
    await database.execute(f"CREATE ROLE {owner} LOGIN")
    await database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {owner}")
    await database.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {owner}")
    await database.execute("DROP SCHEMA notify_bridge CASCADE")
    await database.execute("DROP TABLE notification")
    assert (await run("migrate", DATABASE_URL=database.cluster.url(database.name, owner))).status == 0

    text = said_well(await attach(database, NAME, "--yes", user=role), 1)
    assert owner in text and role in text
    text = said_well(await attach(database, NAME, "--yes", user=owner), 1)
    grant = re.search(r"GRANT \S+ TO \S+", text)
    assert grant, text
    await database.execute(grant[0])
    done = await attach(database, NAME, "--yes", user=owner)
    assert done.status == 0, done

    await database.execute(f"CREATE ROLE weak_{database.name} LOGIN")
    await database.execute(f"SELECT notify_bridge.grant_to('weak_{database.name}')")
    await database.execute("CREATE TABLE second (id int PRIMARY KEY, user_id int, data jsonb)")
    await database.execute(f"ALTER TABLE second OWNER TO {role}")
    done = await attach(database, "second", "--yes", user=owner)
    assert f"SELECT notify_bridge.grant_to('weak_{database.name}')" in done.stdout, done


# MARK: check, purge, migrate


def lines(done: Done, subject: str) -> list[str]:
    return [line for line in done.stdout.splitlines() if line.split()[1] == subject]


async def test_check_names_what_is_wrong_with_an_attached_table(database: Database) -> None:
    await make(database)
    await database.execute("CREATE TABLE parted (id int PRIMARY KEY, user_id text, data jsonb) PARTITION BY RANGE (id)")
    await database.execute("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9)")
    for table in (NAME, "parted"):
        assert (await attach(database, table, "--yes")).status == 0
    done = await check(database)
    assert done.status == 0 and all(line.startswith("ok") for line in lines(done, "tables") + lines(done, "doorbell")), done

    await database.execute("CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (9) TO (99)")
    await database.execute("ALTER TABLE workorder_notification DISABLE TRIGGER notify_bridge_ring")
    done = await check(database)
    doorbells = lines(done, "doorbell")
    assert done.status == 1 and any(line.startswith("fail") and NAME in line for line in doorbells), done
    assert any(line.startswith("warn") and "parted_2" in line and "notify-bridge attach public.parted" in line for line in doorbells), done
    for table in (NAME, "parted"):
        assert (await attach(database, table, "--yes")).status == 0
    assert (await check(database)).status == 0

    await database.execute("ALTER TABLE workorder_notification RENAME data TO extra")
    done = await check(database)
    assert done.status == 1 and any("data is missing" in line and NAME in line for line in lines(done, "tables")), done


async def test_policies_that_hide_rows_from_the_bridge_are_a_problem_with_its_fix(database: Database) -> None:
    await make(database)
    assert (await attach(database, NAME, "--yes")).status == 0
    role = f"hidden_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute(f"SELECT notify_bridge.grant_to('{role}')")
    await database.execute("ALTER TABLE workorder_notification ENABLE ROW LEVEL SECURITY")
    checked = {"DATABASE_URL": database.cluster.url(database.name, role), "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET}
    done = await run("check", **checked)
    line = next(line for line in done.stdout.splitlines() if line.startswith("fail"))
    assert done.status == 1 and f"row-level security hides rows from {role}" in line, done
    assert "which would never be delivered" in said_well(await attach(database, NAME, "--yes"), 1)
    policy = re.search(r"CREATE POLICY .*? USING \(true\)", line)
    assert policy
    await database.execute(policy[0])
    assert (await run("check", **checked)).status == 0
    assert (await attach(database, NAME, "--yes")).status == 0


async def test_rows_of_an_attached_table_are_deleted_only_where_that_was_said(database: Database) -> None:
    await make(database, rows=4)
    await database.execute("UPDATE workorder_notification SET created_at = now() - interval '90 days', is_sent = id > 1")
    assert (await attach(database, NAME, "--yes")).status == 0
    assert "deleted 0 rows" in (await run("purge", DATABASE_URL=database.url)).stdout
    assert (await attach(database, NAME, "--retention-days", "60", "--yes")).status == 0
    done = await run("purge", "--retention-days", "0", DATABASE_URL=database.url)
    assert (done.status, done.stdout) == (0, "deleted 3 rows past their retention\n")
    assert await database.execute("SELECT id FROM workorder_notification") == [(1,)]


async def test_a_table_of_our_name_that_is_not_ours_can_be_attached(database: Database) -> None:
    await database.execute("DROP SCHEMA notify_bridge CASCADE")
    await database.execute("DROP TABLE notification")
    await database.execute("CREATE TABLE notification (id int PRIMARY KEY, user_id int, data jsonb)")
    done = await run("migrate", DATABASE_URL=database.url)
    assert "notify-bridge attach public.notification" in done.stderr, done
    assert (await check(database)).status == 1
    assert (await attach(database, "public.notification", "--yes")).status == 0
    assert (await check(database)).status == 0
    assert (await run("send", "--user", "7", "--data", "{}", DATABASE_URL=database.url)).status in (0, 1)
