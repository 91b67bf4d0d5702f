"""`notify-bridge dev`: one command, nothing to set up, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest_asyncio
from harness.bridge import run
from harness.cluster import free_port
from harness.database import Database
from harness.dev import Dev, folder
from harness.waiting import eventually


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Path]:
    made = folder()
    yield made / "data"
    shutil.rmtree(made)


def postmaster(place: Path) -> int:
    (found,) = place.rglob("postmaster.pid")
    return int(found.read_text().split()[0])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_makes_all_that_it_needs_and_sigint_stops_all_of_it(place: Path) -> None:
    dev = await Dev.open(place)
    try:
        status, headers, body = await dev.get("/")
        assert status == 200 and headers["content-type"].startswith("text/html") and b"NotifyBridge" in body
        assert dev.page == f"http://127.0.0.1:{dev.port}/"
        with psycopg.connect(dev.psql, autocommit=True) as session:
            session.execute("INSERT INTO notification (user_id, data) VALUES (1, '{\"text\": \"hello\"}')")
        server = postmaster(place)
        assert alive(server)
        dev.signal(signal.SIGINT)
        assert await dev.exit(20) == 0
        assert not alive(server)
    finally:
        if dev.running:
            await dev.terminate()


async def test_a_second_one_in_the_same_folder_says_that_the_first_runs(place: Path) -> None:
    dev = await Dev.open(place)
    try:
        second = await run("dev", "--data-dir", str(place))
        assert second.status == 1, second
        assert str(dev.port) in second.stderr and "--data-dir" in second.stderr, second
        assert (await dev.get("/readyz"))[0] == 200
    finally:
        assert await dev.terminate() == 0


async def test_what_was_written_is_still_there_after_a_restart_and_after_a_crash(place: Path) -> None:
    dev = await Dev.open(place)
    with psycopg.connect(dev.psql, autocommit=True) as session:
        session.execute("INSERT INTO notification (user_id, data) VALUES (1, '{}')")
    server = postmaster(place)
    await dev.kill()  # its database has no chance to be stopped
    again = await Dev.open(place)
    try:
        with psycopg.connect(again.psql, autocommit=True) as session:
            assert session.execute("SELECT count(*) FROM notification").fetchone() == (1,)
    finally:
        assert await again.terminate() == 0

    async def look() -> bool:
        return alive(server)

    await eventually(look, lambda seen: not seen, "the end of the first one's server", 20)


async def test_a_taken_port_falls_back_to_a_free_one(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        dev = await Dev.open(place, NOTIFY_BRIDGE_HTTP_PORT=str(port))
        try:
            assert dev.port != port
            assert (await dev.get("/"))[0] == 200
        finally:
            assert await dev.terminate() == 0


async def test_it_listens_on_this_machine_only(place: Path) -> None:
    done = await run("dev", "--data-dir", str(place), NOTIFY_BRIDGE_HTTP_HOST="0.0.0.0", NOTIFY_BRIDGE_HTTP_PORT=str(free_port()))
    assert done.status in (64, 78) and "machine" in done.stderr, done
    assert not place.exists()


async def test_with_a_database_of_ones_own_it_migrates_and_uses_that(place: Path, cluster: object) -> None:
    bare = await Database.create(cluster)
    dev = await Dev.start("dev", "--data-dir", str(place), DATABASE_URL=bare.url, NOTIFY_BRIDGE_HTTP_PORT=str(free_port()))
    try:
        await dev.listening()
        assert (await dev.get("/"))[0] == 200
        assert await bare.value("SELECT to_regclass('public.notification') IS NOT NULL")
        assert not list(place.rglob("postmaster.pid"))
    finally:
        assert await dev.terminate() == 0
        await bare.close()
