"""Logins with a role that may do no more than it must, and what `check` says of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from harness import bridge as programs
from harness.bridge import Bridge, Done
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.site import BRIDGE, Site, cookie
from test_django_logins import is_served, ticket, typed

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]
ROLE = "only_a_bridge"


@pytest_asyncio.fixture
async def project(cluster: Cluster, django_templates: dict[str, str]) -> AsyncIterator[Database]:
    """A database with attached logins, and a role without any right."""
    database = await Database.create(cluster, django_templates["auth.User"])
    if not await database.value("SELECT count(*) FROM pg_roles WHERE rolname = %s", (ROLE,)):
        await database.execute(f"CREATE ROLE {ROLE} LOGIN")
    yield database
    await database.close()


def url(database: Database) -> str:
    return database.cluster.url(database.name, user=ROLE)


async def check(database: Database, **settings: str) -> Done:
    return await programs.run("check", DATABASE_URL=url(database), **(BRIDGE | settings))


async def test_what_grant_to_gives_is_enough_for_every_login(project: Database, serve: Serve, connect: Connect) -> None:
    await project.execute("SELECT notify_bridge.grant_to(%s)", (ROLE,))
    site = await Site.serve(project.url)
    try:
        member = await site.sign_up()
        session, token, (access, _) = await site.log_in(member), await site.token(member), await site.jwt(member)
        bridge = await serve(url(project), **BRIDGE)
        await bridge.ready()
        bought = await ticket(bridge, typed(member))
        by_session = await connect(bridge, headers=cookie(session))
        for query in ({"token": token}, {"token": access}, {"token": bought}):
            await connect(bridge, query=query)
        await is_served(project, by_session, member)
        await site.post("log-out", {}, f"sessionid={session}")
        assert (await by_session.end(2)).reason == "revoked"
    finally:
        await site.stop()
    done = await check(project)
    assert done.status == 0 and "sockets close when access ends" in done.stdout, done


async def test_without_rights_nobody_is_refused_and_the_operator_is_told_why(project: Database, serve: Serve, connect: Connect) -> None:
    await project.execute("SELECT notify_bridge.grant_to(%s)", (ROLE,))
    await project.execute(f"REVOKE SELECT (password) ON auth_user FROM {ROLE}")
    site = await Site.serve(project.url)
    try:
        session, token = await site.log_in(member := await site.sign_up()), await site.token(member)
    finally:
        await site.stop()
    bridge = await serve(url(project), **BRIDGE)
    await bridge.ready()
    held = await connect(bridge, greeted=False, headers=cookie(session))
    # Keys need no password, and are not held up by what is wrong with sessions.
    await connect(bridge, query={"token": token})
    await bridge.logged(lambda line: "can't be looked up" in str(line) and "auth_user" in str(line), "the reason")
    assert (await held.end(15)).code == 1013
    done = await check(project)
    assert done.status == 1 and "password of public.auth_user" in done.stdout and "grant_to" in done.stdout, done


CHECKS = {
    "detached": ("SELECT notify_bridge.detach_logins()", {}, 1, ["may not read", "attach_logins"]),
    "a disabled trigger": ("ALTER TABLE auth_user DISABLE TRIGGER notify_bridge_revoke_update", {}, 0, ["its trigger for update", "attach_logins"]),
    "no such user table": ("SELECT 1", {"NOTIFY_BRIDGE_AUTH_DJANGO_USER_TABLE": "nonsense"}, 1, ["there is no table nonsense", "AUTH_DJANGO_USER_TABLE"]),
    "no token table": ("DROP TABLE authtoken_token", {}, 1, ["there is no table authtoken_token", "AUTH_DRF_TOKENS"]),
    "no session table": ("DROP TABLE django_session", {}, 0, ["signed cookies"]),
    "a renamed column": ("ALTER TABLE auth_user RENAME password TO secret", {}, 1, ["public.auth_user has no column password"]),
    "a retyped column": ("ALTER TABLE auth_user ALTER is_active TYPE integer USING 1", {}, 1, ["column is_active of public.auth_user is integer, not boolean"]),
    "a short service key": ("SELECT 1", {"NOTIFY_BRIDGE_AUTH_SERVICE_KEY": "short"}, 0, ["may be guessed"]),
    "no login": ("SELECT 1", dict.fromkeys(BRIDGE), 1, ["no login method", "_DJANGO_SECRET_KEY"]),
}


@pytest.mark.parametrize("change, settings, status, words", CHECKS.values(), ids=CHECKS.keys())
async def test_check_says_what_is_wrong_with_logins(
    project: Database, change: str, settings: dict[str, str], status: int, words: list[str]
) -> None:
    await project.execute("SELECT notify_bridge.grant_to(%s)", (ROLE,))
    if change.startswith("SELECT notify_bridge.detach"):
        await project.execute(f"REVOKE SELECT ON auth_user FROM {ROLE}")
        await project.execute(f"REVOKE SELECT (password, is_active) ON auth_user FROM {ROLE}")
    await project.execute(change)
    done = await check(project, **settings)
    assert done.status == status, done
    for word in words:
        assert word in done.stdout, done


async def test_check_warns_where_logins_are_not_attached(project: Database) -> None:
    await project.execute("SELECT notify_bridge.detach_logins()")
    done = await programs.run("check", DATABASE_URL=project.url, **BRIDGE)
    assert done.status == 0 and "keeps open sockets open" in done.stdout, done


async def test_a_login_of_the_backend_is_no_victim_of_attach_logins(project: Database) -> None:
    await project.execute("SELECT notify_bridge.detach_logins()")
    # It writes in the opposite order, and looks for deadlocks sooner than the command does.
    async with await project.connect() as backend:
        await backend.execute("SET deadlock_timeout = '50ms'")
        await backend.execute("BEGIN")
        await backend.execute("UPDATE django_session SET session_data = session_data")
        attaching = await programs.Program.start("attach", "--logins", DATABASE_URL=project.url)
        await attaching.stderr.line(lambda line: "waiting: public.django_session is in use" in line, "that it waits")
        await backend.execute("UPDATE auth_user SET last_login = now()")
        await backend.execute("COMMIT")
    assert await attaching.exit() == 0, attaching.stderr.lines
    assert len([line for line in attaching.stdout.lines if "notify_bridge_revoke_" in line]) == 3, attaching.stdout.lines


async def test_serving_without_any_login_is_a_configuration_error(project: Database) -> None:
    done = await programs.run("serve", DATABASE_URL=project.url)
    assert done.status == 78
    for name in ("AUTH_JWT_SECRET", "AUTH_DJANGO_SECRET_KEY", "AUTH_DRF_TOKENS", "AUTH_SERVICE_KEY"):
        assert name in done.stderr
    assert len(done.stderr.splitlines()) <= 8


@pytest.mark.parametrize("only", [
    {"NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY": "x" * 50}, {"NOTIFY_BRIDGE_AUTH_DRF_TOKENS": "true"},
    {"NOTIFY_BRIDGE_AUTH_SERVICE_KEY": "x" * 40}], ids=lambda only: next(iter(only)))
async def test_any_one_login_is_enough_to_serve(project: Database, serve: Serve, only: dict[str, str]) -> None:
    bridge = await serve(project, **({"NOTIFY_BRIDGE_AUTH_JWT_SECRET": None} | only))
    await bridge.ready()


async def test_secrets_of_logins_come_from_files_too(project: Database, serve: Serve, connect: Connect, tmp_path: object) -> None:
    files = {}
    for name in ("DJANGO_SECRET_KEY", "DJANGO_SECRET_KEY_FALLBACKS", "SERVICE_KEY"):
        path = tmp_path / name  # type: ignore[operator]
        path.write_text("a-first-key-that-nobody-uses\n" if name == "DJANGO_SECRET_KEY" else BRIDGE["NOTIFY_BRIDGE_AUTH_" + name.removesuffix("_FALLBACKS")] + "\n")
        files[f"NOTIFY_BRIDGE_AUTH_{name}_FILE"] = str(path)
    bridge = await serve(project, NOTIFY_BRIDGE_AUTH_JWT_SECRET=None, **files)
    await bridge.ready()
    site = await Site.serve(project.url)
    try:
        member = await site.sign_up()
        await is_served(project, await connect(bridge, headers=cookie(await site.log_in(member))), member)
    finally:
        await site.stop()
    assert await ticket(bridge, 1)
