"""The Django project of `django_site`, migrated and served, and its users' browsers."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from .waiting import within

FOLDER = Path(__file__).resolve().parents[1]
KEY = "the-secret-key-of-the-tests-site-5k8^q2v#m1z0x7c3b9n"
SERVICE_KEY = "the-service-key-of-the-tests-3b9n4l6j_h2g5f8"
# Every kind of login.
BRIDGE = {
    "NOTIFY_BRIDGE_AUTH_JWT_SECRET": KEY, "NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY": KEY, "NOTIFY_BRIDGE_AUTH_DRF_TOKENS": "true",
    "NOTIFY_BRIDGE_AUTH_SERVICE_KEY": SERVICE_KEY,
}
_names = itertools.count(1)


def _environment(database_url: str, settings: dict[str, str]) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(FOLDER), "DJANGO_SETTINGS_MODULE": "django_site.settings",
        "SITE_DATABASE_URL": database_url, "SITE_SECRET_KEY": KEY} | {f"SITE_{name}": value for name, value in settings.items()}


async def migrate(database_url: str, **settings: str) -> None:
    """Makes Django's tables, by its own migrations."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "django", "migrate", "-v", "0", env=_environment(database_url, settings), cwd="/",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await within(60, process.communicate(), "Django's migrations")
    assert process.returncode == 0, output.decode()


@dataclass
class Member:
    """A user of the site."""

    id: str
    username: str
    password: str


class Site:
    """A running server of the project."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port

    @classmethod
    async def serve(cls, database_url: str, **settings: str) -> Site:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "django_site.serve", env=_environment(database_url, settings), cwd="/",
            stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        line = await within(30, process.stdout.readline(), "the site's port")
        return cls(process, int(line))

    async def stop(self) -> None:
        self.process.terminate()
        await within(15, self.process.wait(), "the end of the site")

    async def post(self, path: str, fields: dict[str, object], cookie: str | None = None) -> tuple[dict[str, object], dict[str, str]]:
        """What it answers, and the cookies that it sets; a browser's round trip."""
        return await within(20, asyncio.to_thread(self._post, path, fields, cookie), f"POST {path}")

    def _post(self, path: str, fields: dict[str, object], cookie: str | None) -> tuple[dict[str, object], dict[str, str]]:
        request = Request(
            f"http://127.0.0.1:{self.port}/{path}", data=urlencode(fields).encode(), headers={"Cookie": cookie} if cookie else {})
        try:
            with build_opener(HTTPRedirectHandler).open(request, timeout=15) as answer:
                cookies = [value.partition(";")[0].partition("=") for value in answer.headers.get_all("Set-Cookie") or []]
                return json.loads(answer.read()), {name: value for name, _, value in cookies}
        except HTTPError as error:
            raise AssertionError(f"POST {path}: {error.code} {error.read()[:500]!r}") from None

    # MARK: Users

    async def sign_up(self) -> Member:
        name = f"user{next(_names)}"
        answer, _ = await self.post("sign-up", {"username": name, "password": "secret of " + name})
        return Member(str(answer["id"]), name, "secret of " + name)

    async def log_in(self, member: Member, **fields: object) -> str:
        """Logs in; returns the session's cookie."""
        _, cookies = await self.post("log-in", {"username": member.username, "password": member.password} | fields)
        return cookies["sessionid"]

    async def token(self, member: Member) -> str:
        """A key of REST framework."""
        answer, _ = await self.post("token", {"username": member.username, "password": member.password})
        return str(answer["token"])

    async def jwt(self, member: Member) -> tuple[str, str]:
        """SimpleJWT's access and refresh token."""
        answer, _ = await self.post("jwt", {"username": member.username, "password": member.password})
        return str(answer["access"]), str(answer["refresh"])


def cookie(session: str, name: str = "sessionid") -> list[tuple[str, str]]:
    """The header that a browser sends, among what else it has."""
    return [("Cookie", f"theme=dark; {name}={session}; csrftoken=abc")]
