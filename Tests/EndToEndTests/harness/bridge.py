"""The program under test as a process: started, watched by its own words, stopped by its process id."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .tokens import SECRET
from .waiting import TooLate, eventually, within

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("NOTIFY_BRIDGE_BINARY", ROOT / ".build/debug/notify-bridge"))
# How long a start may take on a busy machine.
START_SECONDS = 30

_running: set[int] = set()


def _end_leftovers() -> None:
    for pid in _running:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


atexit.register(_end_leftovers)


def environment(**settings: str | None) -> dict[str, str]:
    """This process's environment without anything that the program or libpq reads, and `settings`."""
    kept = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("NOTIFY_BRIDGE_", "PG")) and name != "DATABASE_URL"
    }
    return kept | {name: value for name, value in settings.items() if value is not None}


class Output:
    """The lines that a process writes to a stream, as they come."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.lines: list[str] = []
        self._changed = asyncio.Condition()
        self._ended = False
        self.task = asyncio.ensure_future(self._read(stream))

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._changed:
                self.lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def line(self, accept: Callable[[str], bool], what: str, seconds: float = 15, start: int = 0) -> str:
        """The first line from number `start` on that is accepted, waiting for it."""

        async def find() -> str:
            position = start
            while True:
                async with self._changed:
                    while position < len(self.lines):
                        if accept(self.lines[position]):
                            return self.lines[position]
                        position += 1
                    if self._ended:
                        raise TooLate(f"{what}: the output ended without it:\n" + "\n".join(self.lines[-20:]))
                    await self._changed.wait()

        try:
            return await within(seconds, find(), what)
        except TooLate as late:
            raise TooLate(f"{late}; last lines:\n" + "\n".join(self.lines[-20:])) from None


class Program:
    """One run of `notify-bridge`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.started = time.monotonic()
        assert process.stdout is not None and process.stderr is not None
        self.stdout = Output(process.stdout)
        self.stderr = Output(process.stderr)
        _running.add(self.pid)

    @classmethod
    async def start(
        cls, *arguments: str, input: bool = False, open_files: int | None = None, binary: Path = BINARY,
        **settings: str | None,
    ) -> Program:
        """`open_files` is the limit of descriptors, soft and hard; `binary` another build."""
        stdin = asyncio.subprocess.PIPE if input else asyncio.subprocess.DEVNULL
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))) if open_files else None
        return cls(await asyncio.create_subprocess_exec(
            str(binary), *arguments, env=environment(**settings), stdin=stdin, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, limit=1 << 24, cwd="/", preexec_fn=limit))

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            self.process.send_signal(number)

    async def exit(self, seconds: float = 30) -> int:
        """Waits for the end; returns the exit status (negative: the signal)."""
        status = await within(seconds, self.process.wait(), f"the end of {BINARY.name}")
        _running.discard(self.pid)
        await within(10, asyncio.gather(self.stdout.task, self.stderr.task), "the end of its output")
        return status

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.exit()

    async def terminate(self, seconds: float = 20) -> int:
        self.signal(signal.SIGTERM)
        return await self.exit(seconds)


class Done:
    """A command that has ended."""

    def __init__(self, program: Program, status: int) -> None:
        self.status = status
        self.stdout = "".join(line + "\n" for line in program.stdout.lines)
        self.stderr = "".join(line + "\n" for line in program.stderr.lines)
        self.seconds = time.monotonic() - program.started

    def __repr__(self) -> str:
        return f"exit status {self.status}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}"


async def run(*arguments: str, seconds: float = 30, **settings: str | None) -> Done:
    """Runs a command to its end."""
    program = await Program.start(*arguments, **settings)
    try:
        return Done(program, await program.exit(seconds))
    except TooLate as late:
        await program.kill()
        raise TooLate(f"{late}\n{Done(program, -9)}") from None
    finally:
        if program.running:
            await program.kill()


class Bridge(Program):
    """A running `notify-bridge serve`."""

    host = "127.0.0.1"
    port = 0
    tls = False

    @classmethod
    async def serve(
        cls, database_url: str, *arguments: str, open_files: int | None = None, binary: Path = BINARY,
        **settings: str | None,
    ) -> Bridge:
        """Starts it, and returns when it says that it listens."""
        defaults = {
            "DATABASE_URL": database_url, "NOTIFY_BRIDGE_HTTP_PORT": "0", "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET,
            "NOTIFY_BRIDGE_LOG_FORMAT": "json",
        }
        bridge = await cls.start("serve", *arguments, open_files=open_files, binary=binary, **(defaults | settings))
        try:
            await bridge.listening()
        except BaseException:
            await bridge.kill()
            raise
        return bridge

    async def listening(self) -> None:
        try:
            line = await self.stdout.line(lambda line: line.startswith("listening on "), "listening on …", START_SECONDS)
        except TooLate as late:
            raise TooLate(f"{late}; stderr:\n" + "\n".join(self.stderr.lines)) from None
        found = re.fullmatch(r"listening on (https?)://(\[[0-9a-f:.]+\]|[^:]+):(\d+)/?", line)
        assert found, f"not the promised line: {line!r}"
        self.tls = found[1] == "https"
        self.host = found[2].strip("[]")
        self.port = int(found[3])

    # MARK: The process

    def memory(self, field: str) -> int:
        """Bytes, by the name that /proc has for them: VmRSS, or VmHWM for the most there ever were."""
        found = re.search(rf"{field}:\s*(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found[1]) << 10

    def cpu_seconds(self) -> float:
        """What it has used of all processors together."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # MARK: Log

    def log(self, start: int = 0) -> list[dict[str, Any]]:
        """The lines of the log so far."""
        return [json.loads(line) for line in self.stderr.lines[start:]]

    async def logged(self, accept: Callable[[dict[str, Any]], bool], what: str, seconds: float = 15, start: int = 0) -> dict[str, Any]:
        """The first log line that is accepted, waiting for it."""
        return json.loads(await self.stderr.line(lambda line: accept(json.loads(line)), what, seconds, start))

    # MARK: HTTP

    async def get(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", seconds: float = 10, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers (lower case), body."""
        length = {"Content-Length": str(len(body))} if body or method == "POST" else {}
        return await within(seconds, self._get(path, length | (headers or {}), method, body), f"{method} {path}")

    async def _get(self, path: str, headers: dict[str, str], method: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            fields = {"Host": f"{self.host}:{self.port}", "Connection": "close"} | headers
            head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
            writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
            answer = await reader.read()
        finally:
            writer.close()
        return parse_response(answer)

    async def ready(self, wanted: int = 200, seconds: float = 10) -> float:
        """Waits until /readyz answers with a status; returns how long that took."""
        started = time.monotonic()

        async def look() -> int:
            return (await self.get("/readyz"))[0]

        await eventually(look, lambda status: status == wanted, f"/readyz {wanted}", seconds)
        return time.monotonic() - started

    async def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name with labels."""
        status, _, body = await self.get("/metrics")
        assert status == 200, status
        samples = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples


def parse_response(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Splits an HTTP/1.1 response, chunked or not."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0].startswith("HTTP/1.1 "), f"no HTTP response: {answer[:200]!r}"
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            length = int(size, 16)
            whole, body = whole + body[:length], body[length + 2:]
        body = whole
    return int(lines[0].split()[1]), headers, body
