"""The project with Django Channels in `channels_site`: migrated and served."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from .bridge import Output
from .cluster import free_port
from .database import Database
from .waiting import within

FOLDER = Path(__file__).resolve().parents[1] / "channels_site"
KEY = "the-secret-key-of-the-channels-site-9w7e5r3t1y"


def environment(database_url: str, folder: Path = FOLDER) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(folder), "DATABASE_URL": database_url,
        "SECRET_KEY": KEY, "DJANGO_SETTINGS_MODULE": "site_of_channels.settings", "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": os.environ.get("HOME", "/")}


async def manage(database: Database, *arguments: str, folder: Path = FOLDER) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", *arguments, env=environment(database.url, folder), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await within(60, process.communicate(), f"manage.py {arguments[0]}")
    assert process.returncode == 0, output.decode()
    return output.decode()


class ChannelsSite:
    """A running server of it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        assert process.stderr is not None
        self.log = Output(process.stderr)

    @classmethod
    async def serve(cls, database: Database) -> ChannelsSite:
        await manage(database, "migrate", "-v", "0")
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "uvicorn", "site_of_channels.asgi:application", "--port", str(port),
            env=environment(database.url), cwd=FOLDER, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE)
        site = cls(process, port)
        await site.log.line(lambda line: "Uvicorn running on" in line, "the site", 30)
        return site

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await within(15, self.process.wait(), "the end of the site")
