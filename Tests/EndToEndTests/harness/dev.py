"""A running `notify-bridge dev`."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from .bridge import Bridge
from .cluster import free_port


class Dev(Bridge):
    """Starts it in a data folder; `page` and `psql` are what it printed."""

    page = ""
    psql = ""

    @classmethod
    async def open(cls, folder: Path, **settings: str | None) -> Dev:
        dev = await cls.start("dev", "--data-dir", str(folder), **({"NOTIFY_BRIDGE_HTTP_PORT": str(free_port())} | settings))
        try:
            await dev.listening()
            line = await dev.stdout.line(lambda line: "psql" in line and "host=" in line, "the psql line")
            dev.psql = re.search(r'psql\s+"([^"]+)"', line)[1]
            line = await dev.stdout.line(lambda line: "page" in line, "the page's address")
            dev.page = re.search(r"http://\S+", line)[0]
        except BaseException:
            await dev.kill()
            raise
        return dev


def folder() -> Path:
    """A place for a data folder that the user `postgres` may reach."""
    made = Path(tempfile.mkdtemp(prefix="notify-bridge-dev-"))
    made.chmod(0o755)
    return made
