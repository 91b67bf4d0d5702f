"""A running `notify-bridge dev`, in a folder of its own that the user postgres can reach."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from .bridge import Bridge
from .tokens import token


class DevFolder:
    """A folder for `--data-dir`: pytest's own ones are closed to the user postgres."""

    def __init__(self) -> None:
        self.parent = Path(tempfile.mkdtemp(prefix="notify-bridge-dev-"))
        self.parent.chmod(0o755)
        self.path = self.parent / "dev"

    @property
    def server_pid(self) -> int | None:
        """The process of the private PostgreSQL, where one has written its file."""
        try:
            return int((self.path / "data/postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    def processes(self) -> list[str]:
        """What still runs with this folder on its command line or as its working directory."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                where = os.readlink(process / "cwd")
            except OSError:
                continue
            if str(self.path) in line or where.startswith(str(self.path)):
                found.append(f"{process.name}: {line}")
        return found

    def remove(self) -> None:
        """Ends a server that was left behind, and deletes the folder."""
        if (pid := self.server_pid) is not None and self.processes():
            os.kill(pid, signal.SIGQUIT)
        shutil.rmtree(self.parent, ignore_errors=True)


class Dev(Bridge):
    """One run of `dev`. `conninfo` is what stands in its psql line."""

    folder: DevFolder
    psql = ""

    @classmethod
    async def run_in(cls, folder: DevFolder, *arguments: str, **settings: str | None) -> Dev:
        """Starts it, and returns when it has said all that a user needs."""
        dev = await cls.start("dev", "--data-dir", str(folder.path), *arguments, **settings)
        dev.folder = folder
        try:
            await dev.listening()
            line = await dev.stdout.line(lambda line: line.strip().startswith("psql "), "the psql line")
            dev.psql = re.sub(r"^\s*psql\s+(?=psql )", "", line)
            await dev.stdout.line(lambda line: line.startswith("Ctrl-C"), "the last line")
        except BaseException:
            await dev.kill()
            raise
        return dev

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/"

    def token(self, user: object) -> str:
        return token(user, secret=(self.folder.path / "jwt-secret").read_text().strip())

    async def insert(self, user: int, data: str) -> int:
        """Inserts a row by the psql line's connection; returns its id."""
        found = re.fullmatch(r'psql "(.+)"', self.psql)
        assert found, f"not the promised psql line: {self.psql!r}"
        return await insert(found[1], user, data)

    async def interrupt(self) -> int:
        self.signal(signal.SIGINT)
        return await self.exit(20)


async def insert(conninfo: str, user: int, data: str) -> Any:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(
            "INSERT INTO notification (user_id, data) VALUES (%s, %s::text::jsonb) RETURNING id", (user, data))
        return (await cursor.fetchone())[0]
