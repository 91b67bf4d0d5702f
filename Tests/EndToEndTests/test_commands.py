"""The commands that end by themselves: what they print, what they leave behind, and how they fail."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import signal
import socket
import time
from collections.abc import Awaitable, Callable

import jwt
import pytest
import pytest_asyncio
from harness.bridge import Bridge, Done, Program, run
from harness.cluster import Cluster, free_port
from harness.database import Database
from harness.device import Device
from harness.messages import said_well
from harness.tokens import SECRET, token

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

COMMANDS = ["serve", "dev", "migrate", "attach", "detach", "send", "listen", "token", "check", "purge", "report"]


@pytest_asyncio.fixture
async def empty(cluster: Cluster) -> Database:
    """A database that was never migrated."""
    return await Database.create(cluster)


# MARK: migrate


async def test_migrate_applies_once_and_says_what(empty: Database) -> None:
    status = await run("migrate", "--status", DATABASE_URL=empty.url)
    assert status.status == 0
    missing = status.stdout.splitlines()
    assert missing and all(line.endswith("missing") for line in missing)

    dry = await run("migrate", "--dry-run", DATABASE_URL=empty.url)
    assert dry.status == 0
    titles = [line.removeprefix("would apply ") for line in dry.stdout.splitlines()]
    assert len(titles) == len(missing) and all(line.startswith(title) for line, title in zip(missing, titles, strict=True))
    assert await empty.value("SELECT to_regclass('notification') IS NULL AND to_regnamespace('notify_bridge') IS NULL")

    first = await run("migrate", DATABASE_URL=empty.url)
    assert (first.status, first.stdout) == (0, "".join(f"applied {title}\n" for title in titles))
    assert await empty.value("SELECT to_regclass('notification') IS NOT NULL")

    again = await run("migrate", DATABASE_URL=empty.url)
    assert again.status == 0 and re.fullmatch(r"nothing to do: schema \d+ and functions \d+ are applied\n", again.stdout), again
    status = await run("migrate", "--status", DATABASE_URL=empty.url)
    assert all(re.search(r"  applied \d{4}-\d\d-\d\d", line) for line in status.stdout.splitlines()), status
    await empty.close()


async def test_many_migrations_at_once_apply_each_once(empty: Database) -> None:
    done = await asyncio.gather(*(run("migrate", DATABASE_URL=empty.url) for _ in range(6)))
    assert [each.status for each in done] == [0] * 6, done
    applied = [line for each in done for line in each.stdout.splitlines() if line.startswith("applied ")]
    assert len(applied) == len(set(applied)) == 2 + await empty.value("SELECT count(*) FROM notify_bridge.migration")
    await empty.close()


async def test_a_table_of_that_name_that_is_not_ours_is_left_alone(empty: Database) -> None:
    await empty.execute("CREATE TABLE notification (id int PRIMARY KEY, note text)")
    await empty.execute("INSERT INTO notification VALUES (1, 'theirs')")
    done = await run("migrate", DATABASE_URL=empty.url)
    assert done.status == 0 and "public.notification" in done.stderr and "attach" in done.stderr
    assert await empty.execute("SELECT * FROM notification") == [(1, "theirs")]
    assert await empty.value("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'notification'::regclass") == 0
    await empty.close()


async def test_migrate_without_the_table_makes_it_once_it_is_wanted(empty: Database) -> None:
    for arguments in (["--dry-run"], ["--status"], []):
        done = await run("migrate", "--no-table", *arguments, DATABASE_URL=empty.url)
        assert done.status == 0 and "public.notification" not in done.stdout + done.stderr, done
    assert await empty.value("SELECT to_regclass('notification') IS NULL")
    again = await run("migrate", "--no-table", DATABASE_URL=empty.url)
    assert again.stdout.startswith("nothing to do"), again
    await empty.execute("CREATE ROLE without_table; SELECT notify_bridge.grant_to('without_table')")
    done = await run("migrate", DATABASE_URL=empty.url)
    assert (done.status, done.stdout.splitlines()[0]) == (0, "applied public.notification"), done
    assert "grant_to('without_table')" in done.stdout, done
    assert await empty.value("SELECT to_regclass('notification') IS NOT NULL")
    await empty.close()


async def test_functions_of_another_build_are_replaced_and_newer_ones_are_refused(database: Database) -> None:
    settings = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"}
    await database.execute("UPDATE notify_bridge.functions SET checksum = 'x'")
    for command in ("serve", "purge", "check"):
        done = await run(command, **settings)
        assert done.status == 1 and "notify-bridge migrate" in done.stdout + done.stderr, (command, done)
    status = await run("migrate", "--status", DATABASE_URL=database.url)
    assert re.search(r"^functions \d+  differs: functions \d+ were applied \d{4}-", status.stdout, re.MULTILINE), status
    dry = await run("migrate", "--dry-run", DATABASE_URL=database.url)
    assert re.fullmatch(r"would apply functions \d+\n", dry.stdout), dry
    done = await run("migrate", DATABASE_URL=database.url)
    assert re.fullmatch(r"applied functions \d+\n", done.stdout), done
    assert (await run("purge", DATABASE_URL=database.url)).status == 0

    await database.execute("INSERT INTO notify_bridge.functions (version, checksum) VALUES (9999, 'x')")
    for command in ("migrate", "serve", "purge", "check"):
        done = await run(command, **settings)
        assert done.status == 1, (command, done)
        assert "newer" in done.stdout + done.stderr and "9999" in done.stdout + done.stderr, (command, done)


async def test_a_database_of_a_build_before_the_first_release_is_refused_with_the_sql_that_starts_anew(database: Database) -> None:
    await database.execute("DELETE FROM notify_bridge.migration")
    names = ["schema", "replica", "doorbell", "notification", "operations", "sources", "attach", "logins", "bell"]
    for version, name in enumerate(names, 1):
        await database.execute(
            f"INSERT INTO notify_bridge.migration (version, name, checksum) VALUES ({version}, '{name}', 'x')")
    settings = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"}
    for command in ("migrate", "serve", "purge"):
        done = await run(command, **settings)
        assert done.status == 1 and len(done.stderr.splitlines()) <= 8, (command, done)
        assert "before the first release" in done.stderr and "DROP SCHEMA notify_bridge CASCADE;" in done.stderr, (command, done)
    for line in done.stderr.splitlines():
        if line.startswith("  "):
            await database.execute(line)
    done = await run("migrate", DATABASE_URL=database.url)
    assert done.status == 0 and "applied public.notification" in done.stdout, done


async def test_a_newer_schema_is_refused_by_everything(database: Database) -> None:
    await database.execute("INSERT INTO notify_bridge.migration (version, name, checksum) VALUES (9999, 'from_the_future', 'x')")
    settings = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"}
    for command in ("migrate", "serve", "purge", "check"):
        done = await run(command, **settings)
        assert done.status == 1, (command, done)
        assert "newer" in done.stdout + done.stderr and "9999" in done.stdout + done.stderr, (command, done)


async def test_a_schema_that_is_missing_is_named_with_the_command_that_makes_it(empty: Database) -> None:
    settings = {"DATABASE_URL": empty.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"}
    for command in (["serve"], ["check"], ["purge"], ["send", "--user", "1", "--data", "{}"]):
        done = await run(*command, **settings)
        assert done.status == 1 and "notify-bridge migrate" in done.stdout + done.stderr, (command, done)
    await empty.close()


async def test_migrate_waits_for_a_server_that_starts(own_cluster: Cluster) -> None:
    own_cluster.execute("CREATE DATABASE later")
    own_cluster.stop()
    program = await Program.start("migrate", "--wait", "60s", DATABASE_URL=own_cluster.url("later"))
    await program.stderr.line(lambda line: line.startswith("waiting for the database"), "a word about waiting")
    own_cluster.start()
    assert await program.exit() == 0
    assert len(program.stderr.lines) <= 3  # one line per change of reason


# MARK: send, token, listen


async def test_send_inserts_a_row_and_prints_its_id(database: Database, bridge: Bridge, connect: Connect) -> None:
    device = await connect(bridge, 42)
    done = await run("send", "--user", "42", "--data", '{"title": "it\'s ready ✓"}', DATABASE_URL=database.url)
    assert (done.status, done.stderr) == (0, "")
    message = await device.notification()
    assert done.stdout == f"{message.id}\n"
    assert json.loads(message.data) == {"title": "it's ready ✓"}

    program = await Program.start("send", "--user", "42", "--data", "-", input=True, DATABASE_URL=database.url)
    assert program.process.stdin is not None
    program.process.stdin.write(b'{"from": "a pipe"}')
    program.process.stdin.close()
    assert await program.exit() == 0
    message = await device.notification()
    assert program.stdout.lines == [str(message.id)] and json.loads(message.data) == {"from": "a pipe"}


async def test_send_takes_what_postgresql_takes(database: Database) -> None:
    for data in ("1e400", "-0.000000000000000000000000000001", '{"a": 1, "a": 2}', "[" * 2_000 + "]" * 2_000, ' "\\ud83d\\ude00" '):
        done = await run("send", "--user", "1", f"--data={data}", DATABASE_URL=database.url)
        assert done.status == 0, done
        kept = await database.value("SELECT data = %s::text::jsonb FROM notification WHERE id = %s", (data, int(done.stdout)))
        assert kept is True
    program = await Program.start("send", "--user", "1", "--data", "-", input=True, DATABASE_URL=database.url)
    assert program.process.stdin is not None
    program.process.stdin.write(b'"a"\0"b"')
    program.process.stdin.close()
    assert await program.exit() == 64


async def test_send_refuses_what_is_no_json_and_inserts_nothing(database: Database) -> None:
    done = await run("send", "--user", "1", "--data", "{title}", DATABASE_URL=database.url)
    assert "json" in said_well(done, 64).lower()
    assert await database.value("SELECT count(*) FROM notification") == 0


async def test_token_prints_a_jwt_and_nothing_else(bridge: Bridge, connect: Connect) -> None:
    done = await run("token", "--user", "42", "--ttl", "5m", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
    assert (done.status, done.stderr) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)
    claims = jwt.decode(done.stdout.strip(), SECRET, algorithms=["HS256"])
    assert claims["user_id"] == 42 and 290 < claims["exp"] - time.time() < 301
    device = await connect(bridge, query={"token": done.stdout.strip()})
    assert device.messages[0].fields["user_id"] == 42


async def test_token_without_the_secret_names_the_setting() -> None:
    assert "NOTIFY_BRIDGE_AUTH_JWT_SECRET" in said_well(await run("token", "--user", "42"), 78)


async def test_listen_lets_no_payload_steer_the_terminal(database: Database, bridge: Bridge) -> None:
    listener = await Program.start(
        "listen", "--user", "7", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port))
    await listener.stdout.line(lambda line: "connection_established" in line, "the greeting")
    payload = "\x7f\x9b31m\u2028\u202e\x85 \x1b[2J"
    await database.insert(7, json.dumps(payload, ensure_ascii=False))
    line = await listener.stdout.line(lambda line: '"type":"notification"' in line, "the message")
    assert json.loads(line)["data"] == payload
    assert line.isprintable()
    listener.signal(signal.SIGINT)
    assert await listener.exit(5) == 0 and len(listener.stdout.lines) == 2


async def test_listen_prints_one_json_line_per_message_and_ends_on_sigint(database: Database, bridge: Bridge) -> None:
    listener = await Program.start(
        "listen", "--user", "7", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port))
    await listener.stdout.line(lambda line: "connection_established" in line, "the greeting")
    ids = [await database.insert(7, data) for data in ('{"text": "two\\nlines"}', '"second"')]
    await listener.stdout.line(lambda line: '"second"' in line, "the second message")
    listener.signal(signal.SIGINT)
    assert await listener.exit(5) == 0
    messages = [json.loads(line) for line in listener.stdout.lines]
    assert [message["type"] for message in messages] == ["connection_established", "notification", "notification"]
    assert [message["id"] for message in messages[1:]] == ids
    assert listener.stderr.lines == []


async def test_listen_prints_a_message_that_arrives_with_the_response_to_the_handshake() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE).group(1)
        # RFC 6455, 4.2.2.
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        text = b'{"type":"connection_established"}'
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + bytes([0x81, len(text)]) + text)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        listener = await Program.start("listen", "--token", token(7), "--url", f"http://127.0.0.1:{port}")
        try:
            await listener.stdout.line(lambda line: "connection_established" in line, "the message")
        finally:
            await listener.kill()


async def test_listen_goes_on_after_a_restart_of_the_bridge(database: Database, serve: Serve) -> None:
    first = await serve(database)
    listener = await Program.start("listen", "--token", token(7), "--url", f"http://127.0.0.1:{first.port}")
    try:
        await listener.stdout.line(lambda line: "connection_established" in line, "the greeting")
        await first.kill()
        id = await database.insert(7, '"meanwhile"')
        await serve(database, NOTIFY_BRIDGE_HTTP_PORT=str(first.port))
        line = await listener.stdout.line(lambda line: "meanwhile" in line, "the row written meanwhile")
        assert json.loads(line)["id"] == id
        assert any("reconnecting" in line for line in listener.stderr.lines)
    finally:
        await listener.kill()


@pytest.mark.parametrize("credential", ["expired", "forged"])
async def test_listen_fails_where_the_credential_is_refused(bridge: Bridge, credential: str) -> None:
    given = token(7, ttl=-60) if credential == "expired" else token(7, secret="another secret of thirty-two bytes")
    done = await run("listen", "--token", given, "--url", f"http://127.0.0.1:{bridge.port}")
    assert "4001" in said_well(done, 1) and given not in done.stderr


# MARK: check, purge


def findings(done: Done) -> dict[str, str]:
    """Severity by subject."""
    return {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}


def check(url: str) -> Awaitable[Done]:
    return run("check", DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)


async def test_check_finds_nothing_where_all_is_well_and_writes_no_row(database: Database) -> None:
    done = await check(database.url)
    assert done.status == 0 and done.stderr == "", done
    assert {"database", "schema", "rights", "doorbell", "listen", "clock", "logins", "descriptors"} <= findings(done).keys()
    assert set(findings(done).values()) <= {"ok", "warn"} and findings(done)["listen"] == "ok"
    assert await database.value("SELECT count(*) FROM notification") == 0
    assert await database.value("SELECT count(*) FROM notify_bridge.replica") == 0


@pytest.mark.parametrize("change", ["DROP TRIGGER notify_bridge_ring ON notification", "ALTER TABLE notification DISABLE TRIGGER notify_bridge_ring"])
async def test_check_finds_a_missing_doorbell_and_what_it_says_mends_it(database: Database, change: str) -> None:
    await database.execute(change)
    done = await check(database.url)
    assert done.status == 1 and findings(done)["doorbell"] == "fail", done
    line = next(line for line in done.stdout.splitlines() if line.startswith("fail"))
    statements = re.findall(r"CREATE TRIGGER .*?\.ring\(\)|ALTER TABLE .*? TRIGGER notify_bridge_ring", line)
    assert statements
    for statement in statements:
        await database.execute(statement)
    assert (await check(database.url)).status == 0


async def test_check_finds_missing_rights_and_what_it_says_mends_them(database: Database) -> None:
    role = f"weak_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    url = database.cluster.url(database.name, role)
    for grant in ([], ["GRANT USAGE ON SCHEMA notify_bridge TO " + role, f"GRANT SELECT ON notify_bridge.migration, notify_bridge.source TO {role}"]):
        for statement in grant:
            await database.execute(statement)
        done = await check(url)
        assert done.status == 1 and "fail" in findings(done).values(), done
        failed = next(line for line in done.stdout.splitlines() if line.startswith("fail"))
        remedy = re.search(r"SELECT notify_bridge\.grant_to\('\w+'\)", failed)
        assert remedy and role in remedy[0], done
    await database.execute(remedy[0])
    done = await check(url)
    assert done.status == 0 and findings(done)["rights"] == "ok", done


async def test_without_a_server_every_command_fails_soon_and_says_so() -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"
    for command in (["migrate"], ["send", "--user", "1", "--data", "{}"], ["purge"]):
        done = await run(*command, DATABASE_URL=url)
        assert "DATABASE_URL" in said_well(done, 1) and done.seconds < 5, command
    done = await check(url)
    assert done.status == 1 and findings(done)["database"] == "fail" and done.seconds < 5


async def test_a_server_that_never_answers_fails_within_five_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/silent"
        done = await asyncio.gather(*(run(*command, DATABASE_URL=url) for command in (["migrate"], ["send", "--user", "1", "--data", "{}"], ["purge"])))
    for each in done:
        said_well(each, 1)
        # Five, and what three starts at once take on a busy machine.
        assert each.seconds < 6.5, each


async def test_check_ready_asks_a_running_bridge(own_database: Database, own_cluster: Cluster, serve: Serve) -> None:
    bridge = await serve(own_database)
    await bridge.ready()
    by_url = ["check", "--ready", "--url", f"http://127.0.0.1:{bridge.port}"]
    for done in (await run(*by_url), await run("check", "--ready", NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port))):
        assert (done.status, done.stdout, done.stderr) == (0, "ready\n", "")
    own_cluster.stop()
    await bridge.ready(503)
    done = await run(*by_url)
    assert done.status == 1 and re.match(r"not ready: (database|listening)", done.stdout), done
    await bridge.kill()
    said_well(await run(*by_url), 1)


async def test_purge_deletes_old_sent_rows_and_no_others(database: Database) -> None:
    old = "now() - interval '40 days'"
    for sent, created in (("true", old), ("true", old), ("false", old), ("true", "now()"), ("true", "now() - interval '29 days'")):
        await database.execute(f"INSERT INTO notification (user_id, data, is_sent, created_at) VALUES (1, '{{}}', {sent}, {created})")
    ids = [row[0] for row in await database.execute("SELECT id FROM notification ORDER BY id")]
    dry = await run("purge", "--dry-run", DATABASE_URL=database.url)
    table, summary = dry.stdout.splitlines()
    assert re.fullmatch(r"public\.notification: 2 rows, about \d+\.\d kB, the oldest of \d{4}-\d\d-\d\d", table), table
    assert (dry.status, summary) == (0, "would delete 2 rows older than 30 days")
    assert await database.value("SELECT count(*) FROM notification") == 5
    nothing = await run("purge", "--retention-days", "0", DATABASE_URL=database.url)
    assert nothing.status == 0 and await database.value("SELECT count(*) FROM notification") == 5
    done = await run("purge", DATABASE_URL=database.url)
    assert (done.status, done.stdout) == (0, "deleted 2 rows older than 30 days\n")
    assert [row[0] for row in await database.execute("SELECT id FROM notification ORDER BY id")] == ids[2:]
