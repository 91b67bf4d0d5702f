"""`notify-bridge dev`: a bridge with nothing to set up, which leaves nothing behind but its folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from harness.bridge import environment, parse_response, run
from harness.dev import Dev, DevFolder
from harness.device import Device
from harness.waiting import eventually, within

Connect = Callable[..., Awaitable[Device]]
RunDev = Callable[..., Awaitable[Dev]]


@pytest_asyncio.fixture
async def folder() -> AsyncIterator[DevFolder]:
    made = DevFolder()
    yield made
    made.remove()


@pytest_asyncio.fixture
async def run_dev(folder: DevFolder) -> AsyncIterator[RunDev]:
    """Runs `dev` in the test's folder, on a free port where no other is given."""
    started: list[Dev] = []

    async def start(*arguments: str, **settings: str | None) -> Dev:
        dev = await Dev.run_in(folder, *(arguments or ("--http-port", "0")), **settings)
        started.append(dev)
        return dev

    yield start
    for dev in started:
        if dev.running:
            await dev.interrupt()


async def server_ended(folder: DevFolder) -> None:
    async def look() -> list[str]:
        return folder.processes()

    await eventually(look, lambda left: not left, "the end of all processes in the folder", 5)


async def test_the_printed_psql_line_inserts_a_row_that_arrives(run_dev: RunDev, connect: Connect, folder: DevFolder) -> None:
    dev = await run_dev()
    assert dev.host == "127.0.0.1"
    assert any(line.split() == ["page", dev.url] for line in dev.stdout.lines), dev.stdout.lines
    statement = next(line.split(maxsplit=1)[1] for line in dev.stdout.lines if line.split()[:1] == ["try"])
    device = await connect(dev, query={"token": dev.token(1)})
    # As printed, by a shell.
    psql = await asyncio.create_subprocess_shell(
        dev.psql, env=environment(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/")
    said, _ = await within(15, psql.communicate(statement.encode()), "psql")
    assert (psql.returncode, said) == (0, b"INSERT 0 1\n")
    assert json.loads((await device.notification()).data) == {"text": "Hello from psql"}
    status, headers, body = await dev.get("/")
    assert status == 200 and headers["content-type"].startswith("text/html") and b'data-testid="send-form"' in body
    # The secrets in it are nobody else's.
    assert stat.S_IMODE(os.stat(folder.path).st_mode) == 0o700
    output = "\n".join(dev.stdout.lines + dev.stderr.lines)
    for name in ("jwt-secret", "database-password"):
        assert (folder.path / name).read_text().strip() not in output


async def test_a_second_one_in_the_same_folder_says_so_and_the_first_goes_on(run_dev: RunDev, connect: Connect, folder: DevFolder) -> None:
    first = await run_dev()
    device = await connect(first, query={"token": first.token(1)})
    second = await run("dev", "--data-dir", str(folder.path), "--http-port", "0")
    assert second.status == 1 and second.stdout == ""
    assert "already runs" in second.stderr and str(first.pid) in second.stderr and first.url in second.stderr
    assert len(second.stderr.splitlines()) <= 8
    id = await first.insert(1, '"still here"')
    assert (await device.notification()).id == id


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
async def test_a_signal_stops_it_and_its_server(run_dev: RunDev, connect: Connect, folder: DevFolder, number: signal.Signals) -> None:
    dev = await run_dev()
    device = await connect(dev, query={"token": dev.token(1)})
    assert folder.server_pid is not None and len(folder.processes()) > 1
    stopped = time.monotonic()
    dev.signal(number)
    assert (await device.end()).code == 1012
    assert await dev.exit(20) == 0
    assert time.monotonic() - stopped < 10
    # Its file is removed at the end of its own shutdown: it was stopped, not killed.
    assert folder.server_pid is None
    await server_ended(folder)
    assert not any(json.loads(line)["level"] in ("warning", "error", "critical") for line in dev.stderr.lines if line.startswith("{"))


async def test_the_next_one_has_the_rows_and_the_tokens_of_the_last(run_dev: RunDev, connect: Connect) -> None:
    first = await run_dev()
    token = first.token(1)
    id = await first.insert(1, '"kept"')
    assert await first.interrupt() == 0
    second = await run_dev()
    device = await connect(second, query={"token": token})
    assert (await device.notification()).id == id
    assert not any("applied" in line for line in second.stderr.lines)


async def test_after_a_kill_the_next_one_takes_over_the_server_that_was_left(run_dev: RunDev, connect: Connect, folder: DevFolder) -> None:
    first = await run_dev()
    id = await first.insert(1, '"before the kill"')
    await first.kill()
    second = await run_dev()
    device = await connect(second, query={"token": second.token(1)})
    assert (await device.notification()).id == id
    assert await second.interrupt() == 0
    await server_ended(folder)


async def test_a_taken_port_falls_back_to_a_free_one(run_dev: RunDev) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        dev = await run_dev("--http-port", str(port))
        assert dev.port not in (0, port)
        assert any(f"port {port} is taken" in line for line in dev.stderr.lines), dev.stderr.lines
        assert (await dev.get("/healthz"))[0] == 200


async def test_it_listens_on_this_machine_only(folder: DevFolder) -> None:
    done = await run("dev", "--data-dir", str(folder.path), "--http-host", "0.0.0.0")
    assert done.status == 78 and "--http-host" in done.stderr and "127.0.0.1" in done.stderr
    assert not folder.path.exists()


async def test_a_folder_with_other_things_in_it_is_left_alone(folder: DevFolder) -> None:
    folder.path.mkdir(mode=0o755)
    (folder.path / "thesis.txt").write_text("three years of work")
    done = await run("dev", "--data-dir", str(folder.path))
    assert done.status == 1 and str(folder.path) in done.stderr and "--data-dir" in done.stderr
    assert [file.name for file in folder.path.iterdir()] == ["thesis.txt"]
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o755


async def test_other_sites_get_no_token_from_it(run_dev: RunDev) -> None:
    dev = await run_dev()
    own = {"Host": f"127.0.0.1:{dev.port}", "Content-Type": "application/json"}
    refused: list[dict[str, str]] = [
        {"Host": f"evil.example:{dev.port}"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Content-Type": "text/plain"},
    ]
    assert (await post(dev, "/demo/token", own))[0] == 200
    for change in refused:
        status, body = await post(dev, "/demo/token", own | change)
        assert status == 403 and b"token\"" not in body, (change, status, body)


async def post(dev: Dev, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
    """Asks for user 1."""
    body = b'{"user": "1"}'
    reader, writer = await asyncio.open_connection(dev.host, dev.port)
    fields = {"Connection": "close", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
    answer = await within(10, reader.read(), f"the answer of {path}")
    writer.close()
    status, _, content = parse_response(answer)
    return status, content
