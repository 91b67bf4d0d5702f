"""The database goes away and comes back: crashed, frozen, not there yet, promoted or restored."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import struct
import time
from collections.abc import Awaitable, Callable

import pytest
from harness import bridge as programs
from harness.bridge import Bridge
from harness.cluster import Cluster, free_port
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from harness.waiting import eventually, within

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
AUTH = {"NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"}


async def stop(cluster: Cluster, mode: str = "immediate") -> None:
    await asyncio.to_thread(cluster.stop, mode)


async def start(cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.start)


@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_sockets_stay_open_while_the_database_is_away_and_get_all_that_was_committed(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect, mode: str) -> None:
    bridge = await serve(own_database)
    devices = [await connect(bridge, 1) for _ in range(3)]
    before = await own_database.insert(1)
    for device in devices:
        await device.notification()
    await own_database.sent(before)
    await stop(own_cluster, mode)
    assert await bridge.ready(503, seconds=5) <= 5
    status, _, body = await bridge.get("/readyz")
    assert status == 503 and b"database" in body
    assert (await bridge.get("/healthz"))[0] == 200
    await start(own_cluster)
    # Committed before the bridge is back, or just as it comes back.
    ids = await own_database.insert_many(1, 3) + [await own_database.insert(1) for _ in range(5)]
    for device in devices:
        assert [message.id for message in await device.notifications(8, seconds=30)] == ids
        assert await device.barrier() == [], "twice on a connection"
        assert not device.closed.done()
    await own_database.sent(ids)
    await bridge.ready(seconds=10)


async def test_a_connect_while_the_database_is_away_is_held_and_then_told_to_come_later(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    await stop(own_cluster)
    await bridge.ready(503, seconds=5)
    began = time.monotonic()
    device = await connect(bridge, 1, greeted=False)
    end = await device.end(20)
    assert 8 < time.monotonic() - began < 15
    assert end.code == 1013 and re.fullmatch(r"retry_ms=\d+", end.reason)
    assert device.messages == []


async def test_a_held_connect_is_served_when_the_database_comes_back(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    id = await own_database.insert(1)
    bridge = await serve(own_database)
    await stop(own_cluster)
    await bridge.ready(503, seconds=5)
    device = await connect(bridge, 1, greeted=False)
    await start(own_cluster)
    assert (await device.next(15)).type == "connection_established"
    assert (await device.notification()).id == id


async def test_a_bad_credential_is_refused_even_while_the_database_is_away(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    await stop(own_cluster)
    await bridge.ready(503, seconds=5)
    device = await connect(bridge, query={"token": "a.b.c"}, greeted=False)
    assert (await device.end()).code == 4001


async def test_a_frozen_database_is_noticed_within_five_seconds(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    await bridge.ready()
    device = await connect(bridge, 1)
    own_cluster.freeze()
    try:
        took = await bridge.ready(503, seconds=8)
        assert took <= 5.5
    finally:
        own_cluster.thaw()
    await bridge.ready(seconds=20)
    id = await own_database.insert(1)
    assert (await device.notification(20)).id == id
    assert await device.barrier() == []


async def test_the_bridge_may_start_before_the_database(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    await stop(own_cluster, "fast")
    bridge = await serve(own_database)
    status, _, body = await bridge.get("/readyz")
    assert status == 503 and b"database" in body
    await start(own_cluster)
    await bridge.ready(seconds=20)
    device = await connect(bridge, 1)
    id = await own_database.insert(1)
    assert (await device.notification()).id == id
    # One line for each change of reason, not one for each try.
    waiting = [line for line in bridge.log() if line["level"] in ("warning", "error")]
    assert 1 <= len(waiting) <= 4, waiting


async def test_ids_that_a_crash_hands_out_again_hide_no_row(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    """Transactions that rolled back are forgotten by a crash; rows committed afterwards get their ids."""
    bridge = await serve(own_database)
    device = await connect(bridge, 1)
    first = await own_database.insert(1)
    await device.notification()
    await own_database.sent(first)
    used_again = 0
    for _ in range(8):
        writer = await own_database.connect(autocommit=False)
        highest = 0
        for _ in range(60):
            await writer.execute("INSERT INTO notification (user_id, data) VALUES (1, '\"lost\"')")
            cursor = await writer.execute("SELECT pg_current_xact_id()::text::bigint")
            (highest,) = await cursor.fetchone()
            await writer.rollback()
        await own_database.execute("SELECT pg_notify('notify_bridge', '')")  # the bridge takes a snapshot above all of them
        assert await device.barrier() == []
        await stop(own_cluster)
        await start(own_cluster)
        rows = await own_database.execute(
            "INSERT INTO notification (user_id, data) VALUES (1, '{}') RETURNING id, txid::text::bigint")
        # Not where a commit came in between and took them to the disk, such as the bridge's own every other second.
        used_again += rows[0][1] <= highest
        assert (await device.notification(30)).id == rows[0][0]
        assert await device.barrier() == []
        await own_database.sent(rows[0][0])
        if used_again == 2:
            break
    assert used_again > 0, "no id was used again: this test tried nothing"


async def test_a_cursor_from_before_a_crash_claims_nothing_that_came_after(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    device = await connect(bridge, 1)
    await own_database.insert(1)
    await device.notification()
    writer = await own_database.connect(autocommit=False)
    for _ in range(60):
        await writer.execute("INSERT INTO notification (user_id, data) VALUES (1, '\"lost\"')")
        await writer.rollback()
    await device.barrier()
    cursor = device.cursor
    stays = await connect(bridge, 1)
    device.abort()
    await stop(own_cluster)
    await start(own_cluster)
    ids = await own_database.insert_many(1, 2)
    await stays.notifications(2, seconds=30)
    await own_database.sent(ids)
    again = await connect(bridge, 1, since=cursor)
    await again.barrier()
    assert set(again.ids) >= set(ids)


async def test_a_promoted_standby_is_a_new_epoch(serve: Serve, connect: Connect) -> None:
    from conftest import TEMPLATE, make_template

    primary = Cluster("wal_level = replica\n").start()
    standby = None
    try:
        await make_template(primary)
        database = await Database.create(primary, TEMPLATE)
        standby = Cluster(primary=primary)
        standby.port = primary.port  # it takes over the address
        with open(standby.data / "postgresql.conf", "a") as conf:
            conf.write(f"port = {primary.port}\n")
        bridge = await serve(database)
        device = await connect(bridge, 1)
        epoch = device.messages[0].fields["epoch"]
        cursor = device.cursor
        await database.close()
        await stop(primary, "fast")
        await start(standby)
        await bridge.logged(lambda line: "standby" in str(line).lower() or "recovery" in str(line).lower(), "that it is a standby", 15)
        assert (await bridge.get("/readyz"))[0] == 503
        await asyncio.to_thread(standby.promote)
        end = await device.end(30)
        assert end.code == 1012 and re.fullmatch(r"retry_ms=\d+", end.reason)
        await bridge.ready(seconds=20)
        promoted = Database(standby, database.name)
        id = await promoted.insert(1)
        again = await connect(bridge, 1, since=cursor)
        assert again.messages[0].fields["epoch"] != epoch
        assert (await again.next()).type == "replay_truncated"
        assert (await again.notification()).id == id
        await promoted.close()
    finally:
        primary.remove()
        if standby is not None:
            standby.remove()


async def test_a_restored_dump_behind_the_same_address_is_a_new_epoch_and_its_unsent_rows_come(own_cluster: Cluster, own_database: Database, serve: Serve, connect: Connect) -> None:
    import subprocess

    from harness.cluster import binary

    bridge = await serve(own_database)
    device = await connect(bridge, 1)
    sent = await own_database.insert(1)
    await device.notification()
    await own_database.sent(sent)
    unsent = await own_database.insert(2)
    dump = subprocess.run(
        [binary("pg_dump"), "-d", own_database.url], capture_output=True, check=True, text=True, timeout=60).stdout
    epoch = device.messages[0].fields["epoch"]
    await own_database.close()
    await stop(own_cluster, "fast")
    restored = Cluster()
    try:
        restored.port = own_cluster.port
        with open(restored.data / "postgresql.conf", "a") as conf:
            conf.write(f"port = {own_cluster.port}\n")
        await start(restored)
        restored.execute(f"CREATE DATABASE {own_database.name}")
        subprocess.run(
            [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", restored.url(own_database.name)],
            input=dump, check=True, text=True, timeout=60)
        assert (await device.end(40)).code == 1012
        await bridge.ready(seconds=20)
        again = await connect(bridge, 2)
        assert again.messages[0].fields["epoch"] != epoch
        assert (await again.notification()).id == unsent
        database = Database(restored, own_database.name)
        await database.sent(unsent)
        ids = await database.insert_many(2, 3)
        assert [message.id for message in await again.notifications(3)] == ids
        quiet = await connect(bridge, 1)
        assert await quiet.barrier() == []
        await database.close()
    finally:
        restored.remove()


async def test_a_stopped_backend_of_the_listener_is_noticed_although_the_server_lives(own_database: Database, serve: Serve, connect: Connect) -> None:
    bridge = await serve(own_database)
    await bridge.ready()
    device = await connect(bridge, 1)
    pid = await own_database.value("SELECT pid FROM pg_stat_activity WHERE application_name LIKE '% listen'")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert await bridge.ready(503, seconds=8) <= 6
        id = await own_database.insert(1)
    finally:
        os.kill(pid, signal.SIGCONT)
    await bridge.ready(seconds=5)
    assert (await device.notification()).id == id
    assert await device.barrier() == []
    await own_database.sent(id)


async def test_each_reason_for_which_the_database_is_away_is_logged_once(own_cluster: Cluster, own_database: Database, serve: Serve) -> None:
    """In the server's place something answers that counts the listener's tries and hangs up."""
    bridge = await serve(own_database)
    await bridge.ready()
    tries: asyncio.Queue[None] = asyncio.Queue()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length, code = struct.unpack(">ii", await reader.readexactly(8))
                if code not in (80877103, 80877104):  # not a request for SSL or GSSAPI, but the session's start
                    if b" listen\0" in await reader.readexactly(length - 8):
                        tries.put_nowait(None)
                    return
                writer.write(b"N")
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    await stop(own_cluster)
    impostor = await asyncio.start_server(hang_up, "127.0.0.1", own_cluster.port)
    for _ in range(4):
        await within(15, tries.get(), "another try of the listener")
    impostor.close()
    await impostor.wait_closed()
    warnings = [line["message"] for line in bridge.log() if line["level"] in ("warning", "error")]
    assert warnings and all(one != next for one, next in itertools.pairwise(warnings)), warnings
    assert str(own_cluster.port) in warnings[-1] and "closed" in warnings[-1], warnings
    await start(own_cluster)
    await bridge.ready(seconds=15)
    back = [line for line in bridge.log() if line["message"] == "database connection is back"]
    assert [line["level"] for line in back] == ["info"], back


async def test_a_bridge_on_a_standby_waits_and_serves_once_it_is_promoted(serve: Serve, connect: Connect) -> None:
    from conftest import TEMPLATE, make_template

    primary = Cluster("wal_level = replica\n").start()
    standby = None
    try:
        await make_template(primary)
        database = await Database.create(primary, TEMPLATE)
        unsent = await database.insert(1)
        standby = Cluster(primary=primary).start()
        replica = Database(standby, database.name)
        bridge = await serve(replica)
        line = await bridge.logged(lambda line: line["level"] == "warning", "that it can't serve yet")
        assert "standby" in line["message"] and "primary" in line["hint"], line
        assert (await bridge.get("/readyz"))[0] == 503
        late = await database.insert(1)

        async def replicated() -> list[int]:
            return await replica.unsent()

        await eventually(replicated, lambda ids: ids == [unsent, late], "the standby has the rows")
        await database.close()
        await stop(primary)
        await asyncio.to_thread(standby.promote)
        await bridge.ready(seconds=20)
        device = await connect(bridge, 1)
        assert [message.id for message in await device.notifications(2)] == [unsent, late]
        await replica.sent([unsent, late])
        live = await replica.insert(1)
        assert (await device.notification()).id == live
        await replica.close()
    finally:
        primary.remove()
        if standby is not None:
            standby.remove()


# MARK: What can't be waited for


async def test_a_missing_database_ends_the_program_with_one(cluster: Cluster) -> None:
    done = await programs.run("serve", DATABASE_URL=cluster.url("no_such_database"), **AUTH)
    assert done.status == 1, done
    assert "no_such_database" in done.stderr and len(done.stderr.splitlines()) <= 8, done


async def test_a_missing_schema_ends_the_program_with_one_and_names_migrate(cluster: Cluster) -> None:
    bare = await Database.create(cluster)
    done = await programs.run("serve", DATABASE_URL=bare.url, **AUTH)
    assert done.status == 1, done
    assert "notify-bridge migrate" in done.stderr and len(done.stderr.splitlines()) <= 8, done


async def test_a_newer_schema_ends_the_program_with_one(database: Database) -> None:
    await database.execute(
        "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES (9999, 'from_the_future', 'x')")
    for command in ("serve", "migrate"):
        done = await programs.run(command, DATABASE_URL=database.url, **(AUTH if command == "serve" else {}))
        assert done.status == 1, done
        assert "newer" in done.stderr and len(done.stderr.splitlines()) <= 8, done


async def test_a_wrong_password_ends_the_program_with_one_and_is_not_shown() -> None:
    cluster = Cluster(hba="local all all trust\nhost all plain 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n").start()
    try:
        import psycopg

        with psycopg.connect(f"host={cluster.folder} port={cluster.port} user=postgres", autocommit=True) as admin:
            admin.execute("ALTER ROLE postgres PASSWORD 'right'")
        url = f"postgresql://postgres:very-wrong-word@127.0.0.1:{cluster.port}/postgres"
        for command in ("serve", "check", "migrate"):
            done = await programs.run(command, DATABASE_URL=url, **AUTH)
            assert done.status == 1, done
            assert "password" in done.stderr + done.stdout and "very-wrong-word" not in repr(done), done
            assert len(done.stderr.splitlines()) <= 8, done
    finally:
        cluster.remove()


async def test_every_other_command_tries_once_and_fails_within_five_seconds() -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"
    for arguments in (["migrate"], ["send", "--user", "1", "--data", "{}"], ["purge", "--dry-run"], ["check"]):
        done = await programs.run(*arguments, DATABASE_URL=url, **AUTH)
        assert done.status == 1 and done.seconds < 6, done
        assert len(done.stderr.splitlines()) <= 8, done


async def test_migrate_waits_for_a_database_that_starts(own_cluster: Cluster, own_database: Database) -> None:
    await stop(own_cluster, "fast")
    program = await programs.Program.start("migrate", "--wait", "30s", DATABASE_URL=own_database.url)
    await start(own_cluster)
    assert await program.exit(30) == 0
