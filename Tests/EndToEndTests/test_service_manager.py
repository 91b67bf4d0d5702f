"""What a service manager such as systemd gets to know (sd_notify), on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.messages import NOWHERE
from harness.tokens import SECRET
from harness.waiting import within

Serve = Callable[..., Awaitable[Bridge]]


class Manager:
    """The manager's end of the socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1))
        self.socket.setblocking(False)

    def received(self) -> list[dict[str, str]]:
        """The reports that have come, each as its variables."""
        reports = []
        while True:
            try:
                text = self.socket.recv(4096).decode()
            except BlockingIOError:
                return reports
            reports.append(dict(line.split("=", 1) for line in text.split("\n")))


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@notify-bridge-test-{os.getpid()}"
    made = Manager(name)
    yield made
    made.socket.close()


async def reload(bridge: Bridge, word: str = "reloaded") -> None:
    start = len(bridge.stderr.lines)
    bridge.signal(signal.SIGHUP)
    await bridge.logged(lambda line: word in line["message"], "a word about the reload", start=start)


async def test_listening_reloading_and_stopping_are_reported(database: Database, serve: Serve, manager: Manager) -> None:
    bridge = await serve(database, NOTIFY_SOCKET=manager.name, NOTIFY_BRIDGE_DRAIN_SECONDS="7")
    await bridge.ready()
    assert manager.received() == [{"READY": "1"}]

    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    await reload(bridge)
    # A second reload is read after the first is over, with all of its reports.
    await reload(bridge)
    first, ready, second = manager.received()[:3]
    assert first.keys() == second.keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert ready == {"READY": "1"}
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
    assert before <= int(first["MONOTONIC_USEC"]) <= int(second["MONOTONIC_USEC"]) <= now

    assert await bridge.terminate() == 0
    [stopping] = [report for report in manager.received() if report.get("STOPPING") == "1"]
    # Longer than the drain, so that the manager does not kill a bridge that drains as configured.
    assert 7_000_000 < int(stopping["EXTEND_TIMEOUT_USEC"]) <= 20_000_000


async def test_a_bridge_that_cannot_start_is_never_reported_ready(manager: Manager) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = await run(
            "serve", DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, NOTIFY_SOCKET=manager.name,
            NOTIFY_BRIDGE_HTTP_PORT=str(taken.getsockname()[1]))
    assert done.status == 1, done
    assert manager.received() == []


async def test_a_manager_that_does_not_read_holds_nothing_up(database: Database, serve: Serve, manager: Manager) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                other.sendto(b"full", manager.socket.getsockname())
        bridge = await serve(database, NOTIFY_SOCKET=manager.name)
        await bridge.ready()
        await reload(bridge)
        assert await within(20, bridge.terminate(), "a stop") == 0


@pytest.mark.parametrize("name", ["", "relative", "/nowhere/notify", "/" + "x" * 200, "@" + "x" * 200, "vsock:2:1234"])
async def test_a_socket_that_is_not_there_holds_nothing_up(name: str, database: Database, serve: Serve) -> None:
    bridge = await serve(database, NOTIFY_SOCKET=name)
    await bridge.ready()
    assert await bridge.terminate() == 0
