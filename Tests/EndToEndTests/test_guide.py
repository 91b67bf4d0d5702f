"""The guide for projects with Django Channels: each of its commands is run as it stands, in its order."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio
from harness import channels
from harness.bridge import BINARY, ROOT, Output
from harness.cluster import free_port
from harness.database import Database
from harness.device import Device
from harness.proxy import Nginx
from harness.tokens import token
from harness.waiting import eventually, within

GUIDE = ROOT / "Documentation/from-django-channels.md"
TABLE = (
    "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
    "WHERE attrelid = 'notifications_notification'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum")


@dataclass
class Step:
    """A block of the guide, with the paragraph before it."""

    language: str
    text: str
    before: str

    @property
    def file(self) -> str | None:
        """The file that it is, where the paragraph before names one."""
        found = re.search(r"in `([\w/]+\.py)`:$", self.before)
        return found[1] if found else None

    @property
    def in_background(self) -> bool:
        return bool(re.match(r"In (another|a third) terminal", self.before))


def steps() -> list[Step]:
    """The guide's blocks, in their order."""
    parts = re.split(r"^```(\w*)\n(.*?)^```$", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [
        Step(parts[n + 1], parts[n + 2].rstrip("\n"), parts[n].strip().split("\n\n")[-1])
        for n in range(0, len(parts) - 1, 3)]


class Reader:
    """Somebody who follows the guide, in a copy of the project and with an environment of Python to install into."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.database = database
        self.port = free_port()
        self.running: list[tuple[asyncio.subprocess.Process, Output]] = []
        self.environment = channels.environment(database.url, self.project) | {
            "PATH": f"{folder}/venv/bin:{folder}/bin:{os.environ['PATH']}",
            # What the guide leaves at its default: the port, and where packages come from.
            "NOTIFY_BRIDGE_HTTP_PORT": str(self.port), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder / "wheels"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_DEPS": "1", "HOME": str(folder),
        }

    async def prepare(self) -> None:
        shutil.copytree(channels.FOLDER, self.project, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / "bin").mkdir()
        (self.folder / "bin/notify-bridge").symlink_to(BINARY)
        # Its packages are those that the tests have, apart from the one that the guide installs.
        await self.run(f"{sys.executable} -m venv --without-pip venv", self.folder)
        (site,) = (self.folder / "venv/lib").glob("python*/site-packages")
        (site / "tests.pth").write_text(next(path for path in sys.path if path.endswith("site-packages")) + "\n")
        (self.folder / "venv/bin/pip").write_text(f"#!/bin/sh\nexec {self.folder}/venv/bin/python -m pip \"$@\"\n")
        (self.folder / "venv/bin/pip").chmod(0o755)
        await self.run(
            f"{sys.executable} -m pip wheel -q --no-deps --no-build-isolation -w {self.folder}/wheels {ROOT}/Clients/django", self.folder)

    async def run(self, command: str, folder: Path | None = None, seconds: float = 90) -> str:
        process = await asyncio.create_subprocess_exec(
            "bash", "-ec", command, cwd=folder or self.project, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await within(seconds, process.communicate(), command)
        assert process.returncode == 0, f"$ {command}\n{output.decode()}"
        return output.decode()

    async def start(self, command: str) -> Output:
        process = await asyncio.create_subprocess_exec(
            "bash", "-ec", command, cwd=self.project, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True)
        assert process.stdout is not None
        self.running.append((process, Output(process.stdout)))
        return self.running[-1][1]

    async def stop(self) -> None:
        for process, _ in self.running:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGTERM)
                await within(20, process.wait(), "the end of a command")
        self.running = []


@pytest_asyncio.fixture
async def reader(tmp_path: Path, cluster: object) -> AsyncIterator[Reader]:
    # Not the template: the guide makes the schema.
    database = await Database.create(cluster)
    reading = Reader(tmp_path, database)
    await reading.prepare()
    yield reading
    await reading.stop()
    await database.close()


async def test_the_guide_from_channels(reader: Reader) -> None:
    database = reader.database
    # The project as it is before.
    await reader.run("python manage.py migrate -v 0 && python manage.py shell -c "
        "\"from django.contrib.auth.models import User; User.objects.create_user('ada')\"")
    await database.execute(
        "INSERT INTO notifications_notification (user_id, title, text, is_read, created_at) VALUES (1, 'old', '', false, now())")
    await database.execute(
        "DO $$BEGIN CREATE ROLE notify_bridge LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    before = await database.execute(TABLE)

    nginx = Nginx()
    done: list[str] = []
    try:
        for step in steps():
            if step.language == "sh" and step.in_background:
                output = await reader.start(step.text)
                ready = "listening on" if " serve" in step.text else "connection_established"
                await output.line(lambda line, ready=ready: ready in line, step.text, 30)
            elif step.language == "sh":
                if step.text.startswith("python manage.py migrate notifications"):
                    await arrives_through(nginx, reader)
                    await reader.stop()
                output_text = await reader.run(step.text)
                if step.text.endswith("notify-bridge check"):
                    assert "error" not in output_text.lower(), output_text
            elif step.language == "nginx":
                await nginx.serve(step.text.replace("127.0.0.1:8080", f"127.0.0.1:{reader.port}"))
            elif step.file is not None:
                (reader.project / step.file).write_text(step.text + "\n")
            else:
                # The model, as the project has it.
                assert step.text in (reader.project / "notifications/models.py").read_text()
            done.append(step.text)
            if "Notification.objects.create" in step.text:
                await arrives_at_listen(reader)
    finally:
        await nginx.remove()
    assert len(done) == len(steps()) == 12
    assert await database.execute(TABLE) == before
    assert await database.value("SELECT count(*) FROM notifications_notification") == 3


async def arrives_at_listen(reader: Reader) -> None:
    """What step 4 promises."""
    _, listening = reader.running[-1]
    line = await listening.line(lambda line: '"notification"' in line, "the row")
    assert json.loads(line)["data"] == {"text": "", "title": "Your order is ready"}

    async def look() -> int:
        return await reader.database.value("SELECT count(*) FROM notifications_notification WHERE sent_at IS NOT NULL")

    await eventually(look, lambda count: count == 1, "sent_at of the new row, and of no other")


async def arrives_through(nginx: Nginx, reader: Reader) -> None:
    """What step 5 promises: the front end's address leads to the bridge."""

    class Address:
        host, port = "127.0.0.1", nginx.port

    device = await Device.connect(Address, query={"token": token(1, secret=channels.KEY)})
    await reader.run(
        "python manage.py shell -c \"from notifications.models import Notification; Notification.objects.create(user_id=1, title='x')\"")
    assert json.loads((await device.notification()).data)["title"] == "x"
    await device.close()
