"""What users run instead, as processes: Django Channels with Redis, and a bridge in Python."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from . import venv
from .bridge import SECRET
from .cluster import Cluster
from .tools import Wrong

NAMES = {"daphne": "Django Channels + Redis, daphne", "uvicorn": "Django Channels + Redis, uvicorn",
         "python": "Python, asyncpg + websockets"}
_TICKS = os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_port(port: int, process: subprocess.Popen) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise Wrong(f"{process.args} did not start")


class Rival:
    """One of them, ready when made, with its trigger instead of ours. Use it in a `with`."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._stack = contextlib.ExitStack()
        self._processes: list[subprocess.Popen] = []
        self._log = self._stack.enter_context(tempfile.TemporaryFile("w+"))
        try:
            self._stack.enter_context(_trigger(cluster))
            self.port = _free_port()
            self._environment = os.environ | {"DATABASE_URL": cluster.url, "SECRET_KEY": SECRET}
            if name == "python":
                self._start(venv.program("python"), "asyncpg_bridge.py", str(self.port))
            else:
                self._start_channels(name)
            # The last to start says when it hears.
            if self._processes[-1].stdout.readline() != "listening\n":
                raise Wrong(f"{name} does not listen")
            _wait_for_port(self.port, self._processes[0])
        except BaseException:
            self.close()
            raise

    def _start(self, *command: object) -> None:
        self._processes.append(subprocess.Popen(
            [str(word) for word in command], cwd=venv.ALTERNATIVES, env=self._environment, stdout=subprocess.PIPE,
            stderr=self._log, text=True))

    def _start_channels(self, server: str) -> None:
        redis = shutil.which("redis-server")
        if redis is None:
            raise Wrong("redis-server is not installed")
        redis_port = _free_port()
        self._environment["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}"
        application = "backend.asgi:application"
        if server == "daphne":
            self._start(venv.program("daphne"), "-v", "0", "-b", "127.0.0.1", "-p", self.port, application)
        else:
            self._start(venv.program("uvicorn"), "--host", "127.0.0.1", "--port", self.port, "--log-level", "error",
                        "--ws-per-message-deflate", "false", application)
        self._start(redis, "--port", redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                    "--daemonize", "no", "--loglevel", "warning", "--logfile", "/dev/null")
        _wait_for_port(redis_port, self._processes[-1])
        self._start(venv.program("python"), "relay.py")

    def cpu_seconds(self) -> float:
        """Of all its processes, Redis and the relay included."""
        total = 0
        for process in self._processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def memory(self) -> int:
        """Resident bytes of all its processes together."""
        total = 0
        for process in self._processes:
            status = Path(f"/proc/{process.pid}/status").read_text()
            total += int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)[1]) * 1024
        return total

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stack.close()

    def __enter__(self) -> Rival:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _trigger(cluster: Cluster) -> Iterator[None]:
    """The row trigger that NOTIFYs, in place of ours."""
    with cluster.no_trigger():
        cluster.sql("SET client_min_messages = error;" + (venv.ALTERNATIVES / "trigger.sql").read_text())
        try:
            yield
        finally:
            cluster.sql("DROP TRIGGER announce ON public.notification")
