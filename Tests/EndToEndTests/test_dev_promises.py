"""`notify-bridge dev`: what it prints works as printed, and it touches and tells nothing that is not its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psycopg
import pytest_asyncio
from harness.bridge import environment, parse_response, run
from harness.dev import Dev, folder
from harness.device import Device
from harness.tokens import token
from harness.waiting import within

Connect = Callable[..., Awaitable[Device]]


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Path]:
    made = folder()
    yield made / "data"
    shutil.rmtree(made)


@pytest_asyncio.fixture
async def dev(place: Path) -> AsyncIterator[Dev]:
    running = await Dev.open(place)
    yield running
    if running.running:
        assert await running.terminate() == 0


def login(place: Path, user: int) -> dict[str, str]:
    return {"token": token(user, secret=(place / "jwt-secret").read_text().strip())}


async def test_the_printed_lines_typed_into_a_shell_insert_a_row_that_arrives(dev: Dev, place: Path, connect: Connect) -> None:
    await dev.stdout.line(lambda line: line.startswith("Ctrl-C"), "the last line")
    printed = {line.split()[0]: line.split(maxsplit=1)[1] for line in dev.stdout.lines if line.startswith("  ")}
    device = await connect(dev, query=login(place, 1))
    psql = await asyncio.create_subprocess_shell(
        printed["psql"], env=environment(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/")
    said, _ = await within(15, psql.communicate(printed["try"].encode()), "psql")
    assert (psql.returncode, said) == (0, b"INSERT 0 1\n")
    assert json.loads((await device.notification()).data) == {"text": "Hello from psql"}


async def test_its_secrets_are_in_a_closed_folder_and_in_no_output(dev: Dev, place: Path) -> None:
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    output = "\n".join(dev.stdout.lines + dev.stderr.lines)
    secrets = [(place / name).read_text().strip() for name in ("jwt-secret", "database-password")]
    assert all(len(secret) >= 32 and secret not in output for secret in secrets)


async def test_a_second_one_does_not_disturb_the_first_and_names_it(dev: Dev, place: Path, connect: Connect) -> None:
    device = await connect(dev, query=login(place, 1))
    second = await run("dev", "--data-dir", str(place), NOTIFY_BRIDGE_HTTP_PORT="0")
    assert second.status == 1 and second.stdout == "" and len(second.stderr.splitlines()) <= 8, second
    assert "already runs" in second.stderr and str(dev.pid) in second.stderr and dev.page in second.stderr
    with psycopg.connect(dev.psql, autocommit=True) as session:
        session.execute("INSERT INTO notification (user_id, data) VALUES (1, '\"still here\"')")
    assert (await device.notification()).data == b'"still here"'


async def test_stopping_it_tells_the_devices_and_shuts_its_server_down_in_order(dev: Dev, place: Path, connect: Connect) -> None:
    device = await connect(dev, query=login(place, 1))
    assert list(place.rglob("postmaster.pid"))
    assert await dev.terminate() == 0
    assert (await device.end()).code == 1012
    # A server that was killed leaves its file.
    assert not list(place.rglob("postmaster.pid"))
    levels = {json.loads(line)["level"] for line in dev.stderr.lines if line.startswith("{")}
    assert levels and levels.isdisjoint({"warning", "error", "critical"}), dev.stderr.lines


async def test_a_token_of_the_last_run_is_one_of_the_next(dev: Dev, place: Path, connect: Connect) -> None:
    old = login(place, 1)
    with psycopg.connect(dev.psql, autocommit=True) as session:
        session.execute("INSERT INTO notification (user_id, data) VALUES (1, '\"kept\"')")
    assert await dev.terminate() == 0
    again = await Dev.open(place)
    try:
        device = await connect(again, query=old)
        assert (await device.notification()).data == b'"kept"'
    finally:
        assert await again.terminate() == 0


async def test_a_folder_with_other_things_in_it_is_left_alone(place: Path) -> None:
    place.mkdir(mode=0o755)
    (place / "thesis.txt").write_text("three years of work")
    done = await run("dev", "--data-dir", str(place), NOTIFY_BRIDGE_HTTP_PORT="0")
    assert done.status == 1 and str(place) in done.stderr and "--data-dir" in done.stderr, done
    assert [file.name for file in place.iterdir()] == ["thesis.txt"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


async def test_other_sites_get_no_token_from_it(dev: Dev) -> None:
    own = {"Host": f"127.0.0.1:{dev.port}", "Content-Type": "application/json"}
    changes: list[dict[str, str]] = [
        {"Host": f"evil.example:{dev.port}"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Content-Type": "text/plain"},
    ]
    status, body = await ask_for_token(dev, own)
    assert status == 200 and json.loads(body)["token"]
    for change in changes:
        status, body = await ask_for_token(dev, own | change)
        assert status == 403 and b'"token"' not in body, (change, status, body)


async def ask_for_token(dev: Dev, headers: dict[str, str]) -> tuple[int, bytes]:
    body = b'{"user": "1"}'
    reader, writer = await asyncio.open_connection(dev.host, dev.port)
    fields = {"Connection": "close", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST /demo/token HTTP/1.1\r\n{head}\r\n".encode() + body)
    answer = await within(10, reader.read(), "the answer")
    writer.close()
    status, _, content = parse_response(answer)
    return status, content
