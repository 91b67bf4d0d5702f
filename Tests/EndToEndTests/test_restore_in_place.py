"""A dump that is restored on the same server: ids may mean other rows, and unsent rows are in no delta."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge, run
from harness.cluster import Cluster, binary
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


def dump(database: Database, *arguments: str) -> tuple[str, str]:
    """A dump in two halves: up to the rows of public.notification, and the rest, with indexes and triggers."""
    text = subprocess.run([binary("pg_dump"), *arguments, "-d", database.url], capture_output=True, check=True, text=True, timeout=60).stdout
    text = re.sub(r"^.(un)?restrict \w+\n", "", text, flags=re.MULTILINE)
    before, copy, after = text.partition("\nCOPY public.notification ")
    assert copy and "\nCREATE TRIGGER" not in before and "\nCREATE TRIGGER" in after
    return before + "\n", copy + after


async def restore(database: Database, half: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run, [binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", database.url],
        input=half, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", ["another database of the same name", "the same database"])
async def test_a_dump_restored_on_the_same_server_is_a_new_epoch_once_it_is_whole(
    cluster: Cluster, database: Database, serve: Serve, connect: Connect, way: str
) -> None:
    is_same = way == "the same database"
    bridge = await serve(database)
    await bridge.ready()
    device = await connect(bridge, 1)
    sent = await database.insert(1)
    cursor = (await device.notification()).cursor
    await database.sent(sent)
    unsent = await database.insert(2)
    halves = dump(database, *(["--clean", "--if-exists"] if is_same else []))
    lost = await database.insert(1)  # Its id is another row's after the restore.
    assert (await device.notification()).id == lost
    await database.sent(lost)
    if not is_same:
        await database.close()
        cluster.execute(f"DROP DATABASE {database.name} WITH (FORCE)")
        cluster.execute(f"CREATE DATABASE {database.name}")
    await restore(database, halves[0])
    await bridge.logged(lambda line: "the schema is not whole: it is being restored" in str(line), "that it waits", 30)
    assert (await bridge.get("/readyz"))[0] == 503
    await restore(database, halves[1])
    assert (await device.end(30)).code == 1012
    await bridge.ready(seconds=20)
    reused = await database.insert(1)
    assert reused == lost
    again = await connect(bridge, 1, since=cursor)
    assert again.messages[0].fields["epoch"] != device.messages[0].fields["epoch"]
    assert (await again.next()).type == "replay_truncated"
    assert (await again.notification()).id == reused
    absent = await connect(bridge, 2)
    assert (await absent.notification()).id == unsent
    await database.sent([unsent, reused])


async def test_a_role_that_may_not_read_the_identity_of_the_server_is_told_what_to_grant(database: Database) -> None:
    role = f"blind_{database.name}"
    await database.execute(f"CREATE ROLE {role} LOGIN")
    await database.execute("SELECT notify_bridge.grant_to(%s)", (role,))
    await database.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    url = database.cluster.url(database.name, role)
    settings = {"DATABASE_URL": url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET}
    grant = f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system(), pg_catalog.pg_walfile_name(pg_lsn), pg_catalog.pg_current_wal_lsn() TO {role}"
    for command in ("serve", "check"):
        done = await run(command, **settings)
        assert done.status == 1 and "may not read the server's identity" in done.stdout + done.stderr, done
        assert grant in done.stdout + done.stderr, done
    await database.execute(grant)
    assert (await run("check", **settings)).status == 0
