"""The Django project of `orm_site`: migrated, run, and its writes recorded for the accounting."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .accounting import Accounting, StoredRow, Transaction
from .bridge import ROOT, Bridge
from .database import Database
from .traffic import Traffic
from .waiting import within
from .writers import Progress

FOLDER = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "Clients/django/src"


def environment(database_url: str, **settings: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": f"{FOLDER}:{PACKAGE}", "DJANGO_SETTINGS_MODULE": "orm_site.settings",
        "SITE_DATABASE_URL": database_url, "PYTHONDONTWRITEBYTECODE": "1"} | settings


async def django(database: Database, *arguments: str, seconds: float = 60) -> str:
    """Runs Python in the project to its end; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment(database.url), cwd="/",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await within(seconds, process.communicate(), f"python {' '.join(arguments)}")
    assert process.returncode == 0, output.decode()
    return output.decode()


async def migrate(database: Database, target: str = "0003") -> None:
    """Makes the project's tables, attaches them, and makes users 1 to 13."""
    await django(database, "-m", "django", "migrate", "-v", "0", "inbox", target)
    await database.execute(
        "INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_superuser, is_staff, is_active, "
        "date_joined) SELECT n, 'user ' || n, '', '', '', '', false, false, true, now() FROM generate_series(1, 13) AS n")


class OrmWriter:
    """A process of the project; stands in the place of a `Writer`."""

    def __init__(self, number: int, database: Database, progress: Progress, seed: int) -> None:
        self.number = number
        self.database = database
        self.progress = progress
        self.seed = seed
        self.transactions: list[Transaction] = []
        self.kinds: set[str] = set()

    async def write(self, count: int, enough: Callable[[], bool]) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orm_site.write", str(self.number), str(count), str(self.seed),
            env=environment(self.database.url), cwd="/", stdout=asyncio.subprocess.PIPE, limit=1 << 20)
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                record = json.loads(line)
                self.kinds.add(record.pop("kind"))
                self.transactions.append(Transaction(self.number, **record))
                await self.progress.count()
            assert await process.wait() == 0, f"writer {self.number} failed"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


class OrmTraffic(Traffic):
    """The same devices, and writers of the ORM."""

    def __init__(self, database: Database, bridges: Callable[[], list[Bridge]], seed: int, writers: int = 3) -> None:
        super().__init__(database, bridges, seed)
        self.writers = [OrmWriter(number, database, self.progress, seed) for number in range(writers)]

    async def _accounting(self) -> Accounting:
        stored = [
            StoredRow(json.loads(data)["k"], id, user, data.encode(), is_sent, sent_at)
            for id, user, data, is_sent, sent_at in await self.database.execute(
                "SELECT id, recipient_id, data::text, is_sent, extract(epoch FROM sent_at)::float8 FROM inbox_notification")
        ]
        return Accounting(
            [transaction for writer in self.writers for transaction in writer.transactions], stored,
            [connection for visitor in self.visitors for connection in visitor.connections])
