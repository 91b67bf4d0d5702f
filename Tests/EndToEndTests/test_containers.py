"""What a container needs of the program: health checks, a file that the environment names, rotated passwords, and advice."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
from harness.bridge import Bridge, run
from harness.cluster import Cluster
from harness.database import Database
from harness.messages import said_well
from harness.tokens import SECRET

Serve = Callable[..., Awaitable[Bridge]]


async def test_check_live_passes_while_the_bridge_waits_for_its_database(
    own_database: Database, own_cluster: Cluster, serve: Serve,
) -> None:
    bridge = await serve(own_database)
    await bridge.ready()
    live = ["check", "--live", "--url", f"http://127.0.0.1:{bridge.port}"]
    done = await run(*live)
    assert (done.status, done.stdout, done.stderr) == (0, "live\nready\n", "")
    own_cluster.stop()
    await bridge.ready(503)
    done = await run(*live)
    assert done.status == 0 and re.match(r"live\nnot ready: (database|listening)", done.stdout), done
    await bridge.kill()
    said_well(await run(*live), 1)


async def test_check_finds_the_bridge_of_the_file_that_the_environment_names(
    database: Database, serve: Serve, tmp_path: Path,
) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("http:\n  port: 0\n")
    bridge = await serve(database, NOTIFY_BRIDGE_HTTP_PORT=None, NOTIFY_BRIDGE_CONFIG=str(file))
    await bridge.ready()
    file.write_text(f"http:\n  port: {bridge.port}\n")
    done = await run("check", "--ready", NOTIFY_BRIDGE_CONFIG=str(file))
    assert (done.status, done.stdout) == (0, "ready\n"), done
    # The flag is the stronger one.
    other = tmp_path / "other.yaml"
    other.write_text("http:\n  port: 1\n")
    assert (await run("check", "--ready", "--config", str(other), NOTIFY_BRIDGE_CONFIG=str(file))).status == 1
    error = said_well(await run("check", "--ready", NOTIFY_BRIDGE_CONFIG=str(tmp_path / "none.yaml")), 78)
    assert "NOTIFY_BRIDGE_CONFIG (in the environment)" in error and "no such file" in error


async def test_a_rotated_password_is_read_again_when_the_database_refuses_the_old_one(tmp_path: Path) -> None:
    cluster = Cluster(hba="local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n").start()
    file = tmp_path / "url"

    def rotate(password: str) -> None:
        with psycopg.connect(f"host={cluster.folder} port={cluster.port} user=postgres", autocommit=True) as admin:
            admin.execute(f"ALTER ROLE postgres PASSWORD '{password}'")
        file.write_text(f"postgresql://postgres:{password}@127.0.0.1:{cluster.port}/postgres\n")

    bridge = None
    try:
        rotate("the-first-word")
        migrated = await run("migrate", DATABASE_URL_FILE=str(file))
        assert migrated.status == 0, migrated
        bridge = await Bridge.serve(None, DATABASE_URL_FILE=str(file))
        await bridge.ready()
        rotate("the-second-word")
        cluster.stop()
        await bridge.ready(503)
        cluster.start()
        await bridge.ready(seconds=20)
        line = await bridge.logged(lambda line: "a new one was read" in line["message"], "a word about the new password")
        assert line["level"] == "notice" and not any("-word" in text for text in bridge.stderr.lines)
    finally:
        if bridge is not None:
            await bridge.kill()
        cluster.remove()


async def test_advice_names_the_right_that_is_missing(cluster: Cluster) -> None:
    empty = await Database.create(cluster)
    role = f"role_of_{empty.name}"
    await empty.execute(f"CREATE ROLE {role} LOGIN")
    await empty.execute(f"REVOKE CREATE ON SCHEMA public FROM {role}, PUBLIC")
    url = cluster.url(empty.name, role)

    async def advice(*arguments: str) -> str:
        return said_well(await run(*arguments, DATABASE_URL=url), 1)

    send = ("send", "--user", "1", "--data", "1")
    assert f"GRANT CREATE ON DATABASE {empty.name} TO {role}" in await advice("migrate")
    await empty.execute(f"GRANT CREATE ON DATABASE {empty.name} TO {role}")
    assert f"GRANT CREATE ON SCHEMA public TO {role}" in await advice("migrate")
    done = await run("migrate", DATABASE_URL=empty.url)
    assert done.status == 0, done
    assert "Run it as postgres, which owns schema notify_bridge" in await advice("migrate")
    assert f"grant_to('{role}')" in await advice(*send)
    await empty.execute(f"SELECT notify_bridge.grant_to('{role}')")
    error = await advice(*send)
    assert f"GRANT INSERT ON public.notification TO {role}" in error and "grant_to" not in error
    await empty.execute(f"GRANT INSERT ON public.notification TO {role}")
    done = await run(*send, DATABASE_URL=url)
    assert done.status == 0, done
    await empty.execute(f"REVOKE SELECT ON public.notification FROM {role}")
    assert "permission denied for table notification" in await advice(*send)
    for lost, named in (("SELECT", "SELECT"), ("UPDATE (is_sent)", "UPDATE of its marks")):
        await empty.execute(f"SELECT notify_bridge.grant_to('{role}'); REVOKE {lost} ON public.notification FROM {role}")
        done = await run("serve", DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, NOTIFY_BRIDGE_HTTP_PORT="0")
        assert done.status == 1 and f"The right {named} is missing" in done.stderr and f"grant_to('{role}')" in done.stderr, done
    await empty.close()
