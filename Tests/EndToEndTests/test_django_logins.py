"""Logins made at a real Django project, and what is no good of each kind."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import jwt
import pytest
import pytest_asyncio
from django.core.signing import TimestampSigner
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.site import BRIDGE, KEY, SERVICE_KEY, Member, Site, cookie

Connect = Callable[..., Awaitable[Device]]
Django = tuple[Database, Site, Bridge]
WRONG = "another-key-of-another-site-9f8e7d6c5b4a3z2y1x0w"


async def ticket(bridge: Bridge, user: object, key: str = SERVICE_KEY) -> str:
    status, headers, body = await bridge.get(
        "/tickets", {"Authorization": f"Bearer {key}"}, "POST", body=json.dumps({"user_id": user}).encode())
    assert status == 200 and headers["content-type"] == "application/json", (status, body)
    answer = json.loads(body)
    assert answer.keys() == {"ticket", "expires_in"} and answer["expires_in"] == 30
    return answer["ticket"]


def typed(member: Member) -> object:
    """The user's id as messages have it."""
    return int(member.id) if member.id.isdigit() else member.id


async def is_served(database: Database, device: Device, member: Member) -> None:
    assert device.messages[0].fields["user_id"] == typed(member)
    id = await database.insert(typed(member))
    assert (await device.notification()).id == id


async def refused(bridge: Bridge, connect: Connect, reason: str, *secrets: str, **how: Any) -> str:
    """Is refused with 4001, one log line and nothing of the credential in it; returns the line's detail."""
    start = len(bridge.stderr.lines)
    device = await connect(bridge, greeted=False, **how)
    end = await device.end()
    assert (end.code, end.reason) == (4001, reason) and device.clean and device.messages == [], end
    line = await bridge.logged(lambda line: line.get("message") == "connect rejected", "the refusal", start=start)
    # Whatever came after it would have been written by now: another refusal is.
    await (await connect(bridge, greeted=False)).end()
    await bridge.logged(
        lambda line: "no credential" in str(line.get("detail")), "the refusal after it", start=start)
    lines = [line for line in bridge.stderr.lines[start:] if "no credential" not in line]
    assert len(lines) == 1, lines
    assert not any(secret in lines[0] for secret in secrets), lines
    assert line["reason"] == reason
    return str(line["detail"])


async def test_a_session_in_the_database_lets_in(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    device = await connect(bridge, headers=cookie(await site.log_in(member)))
    await is_served(database, device, member)


async def test_so_does_one_that_is_so_large_that_django_compresses_it(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session = await site.log_in(member, size=5_000)
    data = await database.value("SELECT session_data FROM django_session WHERE session_key = %s", (session,))
    assert data.startswith(".")
    await is_served(database, await connect(bridge, headers=cookie(session)), member)


@pytest_asyncio.fixture(scope="module")
async def cookies_site(django: Django) -> AsyncIterator[Site]:
    """The same project, with sessions in signed cookies."""
    database, site, _ = django
    served = await Site.serve(database.url, SESSIONS="signed_cookies", USER_MODEL=await user_model(database))
    yield served
    await served.stop()


async def user_model(database: Database) -> str:
    kind = await database.value("SELECT key_kind FROM notify_bridge.login_tables() WHERE kind = 'user'")
    return "people.Member" if kind == "uuid" else "auth.User"


async def test_a_session_in_a_signed_cookie_lets_in(django: Django, cookies_site: Site, connect: Connect) -> None:
    database, _, bridge = django
    member = await cookies_site.sign_up()
    session = await cookies_site.log_in(member, size=200)
    assert ":" in session
    await is_served(database, await connect(bridge, headers=cookie(session)), member)


async def test_simple_jwt_lets_in(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    access, _ = await site.jwt(member)
    await is_served(database, await connect(bridge, query={"token": access}), member)


@pytest.mark.parametrize("way", ["Token header", "Bearer header", "query"])
async def test_a_key_of_rest_framework_lets_in(django: Django, connect: Connect, way: str) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    key = await site.token(member)
    how = {"query": {"token": key}} if way == "query" else {"headers": [("Authorization", f"{way.split()[0]} {key}")]}
    await is_served(database, await connect(bridge, **how), member)


@pytest.mark.parametrize("by", ["HTTP", "SQL"])
async def test_a_ticket_lets_in_once(django: Django, connect: Connect, by: str) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    if by == "HTTP":
        bought = await ticket(bridge, typed(member))
    else:
        bought = await database.value("SELECT notify_bridge.issue_ticket(id) FROM (SELECT %s::text AS id) AS one", (member.id,))
    await is_served(database, await connect(bridge, query={"token": bought}), member)
    assert "the ticket is unknown or was used" in await refused(bridge, connect, "invalid", bought, query={"token": bought})


async def test_a_ticket_is_good_only_when_its_transaction_has_committed(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    async with await database.connect(autocommit=False) as backend:
        bought = (await (await backend.execute("SELECT notify_bridge.issue_ticket(%s::text)", (member.id,))).fetchone())[0]
        await refused(bridge, connect, "invalid", bought, query={"token": bought})
        await backend.commit()
    await connect(bridge, query={"token": bought})


# MARK: What is no good


def changed(text: str, place: int) -> str:
    """With another letter at one place."""
    letter = "A" if text[place] != "A" else "B"
    return text[:place] + letter + text[place + 1 or len(text):]


def shortened(text: str) -> str:
    return text[:-7]


BAD_JWT = {
    "forged": (lambda good, _: changed(good, len(good) - 20), "invalid"),
    "for another user": (lambda good, _: good.split(".")[0] + "." + jwt.encode({"user_id": 1, "exp": 9**10}, WRONG).split(".")[1] + "." + good.split(".")[2], "invalid"),
    "truncated": (lambda good, _: shortened(good), "invalid"),
    "expired": (lambda good, _: resigned(good, exp=time.time() - 5), "expired"),
    "signed with another key": (lambda good, _: resigned(good, key=WRONG), "invalid"),
    "without a signature": (lambda good, _: resigned(good, algorithm="none"), "invalid"),
    "of another algorithm": (lambda good, _: resigned(good).replace(resigned(good).split(".")[0], jwt.encode({}, KEY * 2, "HS512").split(".")[0]), "invalid"),
    "a refresh token": (lambda _, refresh: refresh, "invalid"),
    "of a user who never was": (lambda good, _: resigned(good, user_id="99999999"), "revoked"),
}


def resigned(token: str, key: str = KEY, algorithm: str = "HS256", **claims: object) -> str:
    payload = jwt.decode(token, options={"verify_signature": False}) | claims
    return jwt.encode(payload, None if algorithm == "none" else key, algorithm)


@pytest.mark.parametrize("make, reason", BAD_JWT.values(), ids=BAD_JWT.keys())
async def test_a_jwt_that_is_no_good_is_refused(django: Django, connect: Connect, make: Callable[[str, str], str], reason: str) -> None:
    _, site, bridge = django
    bad = make(*await site.jwt(await site.sign_up()))
    await refused(bridge, connect, reason, bad, bad.split(".")[1], query={"token": bad})


BAD_COOKIES = {
    "forged": (lambda good: changed(good, len(good) - 9), "invalid", "another key"),
    "with another content": (lambda good: changed(good, 3), "invalid", "was changed"),
    "truncated": (shortened, "invalid", ""),
    "without its time": (lambda good: good.split(":")[0] + ":" + good.split(":")[2], "invalid", "form"),
    "garbage": (lambda _: "::" * 100, "invalid", "form"),
    "a key of nothing": (lambda _: "abcdefghijklmnopqrstuvwxyz012345", "invalid", "no such session"),
    "a key with more in it": (lambda _: "abcdefghijklmnop'; DROP TABLE x--", "invalid", "the cookie is not a session key"),
    "too long": (lambda _: "a" * 5_000, "invalid", "the cookie is not a session key"),
}


@pytest.mark.parametrize("make, reason, detail", BAD_COOKIES.values(), ids=BAD_COOKIES.keys())
async def test_a_cookie_that_is_no_good_is_refused(
    django: Django, cookies_site: Site, connect: Connect, make: Callable[[str], str], reason: str, detail: str
) -> None:
    _, _, bridge = django
    bad = make(await cookies_site.log_in(await cookies_site.sign_up()))
    assert detail in await refused(bridge, connect, reason, bad, headers=cookie(bad))


@pytest.mark.parametrize("sessions", ["db", "signed_cookies"])
async def test_a_session_of_a_site_with_another_key_is_refused_unless_that_is_a_fallback(
    django: Django, serve: Callable[..., Awaitable[Bridge]], connect: Connect, sessions: str
) -> None:
    database, _, bridge = django
    other = await Site.serve(database.url, SECRET_KEY=WRONG, SESSIONS=sessions, USER_MODEL=await user_model(database))
    try:
        member = await other.sign_up()
        session = await other.log_in(member)
    finally:
        await other.stop()
    assert "another key" in await refused(bridge, connect, "invalid", session, headers=cookie(session))
    rotated = await serve(
        database, NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY=KEY, NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY_FALLBACKS=f"an-even-older-key,{WRONG}")
    await is_served(database, await connect(rotated, headers=cookie(session)), member)


async def test_a_session_that_has_expired_is_refused(django: Django, cookies_site: Site, connect: Connect, serve: Callable[..., Awaitable[Bridge]]) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session = await site.log_in(member)
    await database.execute("UPDATE django_session SET expire_date = now() - interval '1 second' WHERE session_key = %s", (session,))
    await refused(bridge, connect, "expired", session, headers=cookie(session))
    strict = await serve(database, **BRIDGE, NOTIFY_BRIDGE_AUTH_DJANGO_SESSION_AGE_SECONDS="4")
    await strict.ready()
    signed = await cookies_site.log_in(member)
    device = await connect(strict, headers=cookie(signed))
    assert (await device.end(8)).reason == "expired"
    await strict.logged(lambda line: line.get("message") == "disconnected", "its end")
    await refused(strict, connect, "expired", signed, headers=cookie(signed))


async def test_a_visitor_who_has_not_logged_in_brings_no_credential(django: Django, connect: Connect) -> None:
    _, site, bridge = django
    _, cookies = await site.post("visit", {})
    assert "not logged in" in await refused(bridge, connect, "missing", cookies["sessionid"], headers=cookie(cookies["sessionid"]))
    assert "no cookie sessionid" in await refused(bridge, connect, "missing", headers=cookie("abc", name="other"))


class Pickles:
    def dumps(self, value: object) -> bytes:
        return pickle.dumps(value)


async def test_a_session_of_pickles_is_refused_unread(django: Django, connect: Connect) -> None:
    _, _, bridge = django
    signer = TimestampSigner(key=KEY, fallback_keys=[], salt="django.contrib.sessions.backends.signed_cookies")
    signed = signer.sign_object({"_auth_user_id": "1"}, serializer=Pickles)
    assert "JSON" in await refused(bridge, connect, "invalid", signed, headers=cookie(signed))


BAD_KEYS = {
    "of nobody": (lambda _: "0123456789" * 4, "no such token"),
    "changed": (lambda good: good[:10] + ("0" if good[10] != "0" else "1") + good[11:], "no such token"),
    "truncated": (shortened, ""),
    "in capitals": (lambda good: good.upper().replace("1", "A"), ""),
}


@pytest.mark.parametrize("make, detail", BAD_KEYS.values(), ids=BAD_KEYS.keys())
@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_token_key_that_is_no_good_is_refused(django: Django, connect: Connect, make: Callable[[str], str], detail: str, way: str) -> None:
    _, site, bridge = django
    bad = make(await site.token(await site.sign_up()))
    how = {"query": {"token": bad}} if way == "query" else {"headers": [("Authorization", f"Token {bad}")]}
    assert detail in await refused(bridge, connect, "invalid", bad, **how)


async def test_a_ticket_that_is_no_good_is_refused(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    bought = await ticket(bridge, typed(await site.sign_up()))
    for bad in (changed(bought, 12), shortened(bought), bought + "A"):
        assert "the ticket is unknown or was used" in await refused(bridge, connect, "invalid", bad, query={"token": bad})
    await database.execute("UPDATE notify_bridge.ticket SET expires_at = now()")
    await refused(bridge, connect, "expired", bought, query={"token": bought})
    assert await database.value("SELECT count(*) FROM notify_bridge.ticket") == 0


# MARK: POST /tickets


async def test_tickets_are_for_whoever_has_the_service_key(django: Django) -> None:
    _, _, bridge = django
    good = {"Authorization": f"Bearer {SERVICE_KEY}"}
    body = b'{"user_id": 42}'
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Token {SERVICE_KEY}"}, {"Authorization": f"Bearer {SERVICE_KEY}x"}):
        status, answered, _ = await bridge.get("/tickets", headers, "POST", body=body)
        assert status == 401 and answered["www-authenticate"] == "Bearer", headers
    bad_bodies = [b"", b"{}", b"[]", b'{"user_id": null}', b'{"user_id": true}', b'{"user_id": 1.5}', b'{"user_id": ""}',
        b'{"user_id": "a\\u0000b"}', json.dumps({"user_id": "x" * 129}).encode(), b'{"user_id": 42']
    for bad in bad_bodies:
        assert (await bridge.get("/tickets", good, "POST", body=bad))[0] == 400, bad
    status, answered, _ = await bridge.get("/tickets", good)
    assert status == 405 and answered["allow"] == "POST"
    assert (await bridge.get("/tickets", good, "POST", body=b"x" * 70_000))[0] == 413
    assert (await bridge.get("/tickets", good | {"Origin": "http://evil.example"}, "POST", body=body))[0] == 200


async def test_what_is_off_is_refused_and_the_operator_told_how_to_enable_it(
    django: Django, serve: Callable[..., Awaitable[Bridge]], connect: Connect
) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session, key = await site.log_in(member), await site.token(member)
    access, _ = await site.jwt(member)
    only_jwt = await serve(database, NOTIFY_BRIDGE_AUTH_JWT_SECRET=KEY)
    await only_jwt.ready()
    assert (await only_jwt.get("/tickets", {"Authorization": f"Bearer {SERVICE_KEY}"}, "POST", body=b'{"user_id": 1}'))[0] == 404
    for credential, reason, how, setting in (
        (session, "missing", {"headers": cookie(session)}, "AUTH_DJANGO_SECRET_KEY"),
        (key, "invalid", {"query": {"token": key}}, "AUTH_DRF_TOKENS"),
    ):
        assert setting in await refused(only_jwt, connect, reason, credential, **how)
    bought = await ticket(bridge, typed(member))
    await connect(only_jwt, query={"token": bought})  # whoever issues tickets has that right from the database
    only_keys = await serve(database, NOTIFY_BRIDGE_AUTH_JWT_SECRET=None, NOTIFY_BRIDGE_AUTH_DRF_TOKENS="true")
    await only_keys.ready()
    await connect(only_keys, query={"token": key})
    await only_keys.logged(lambda line: line.get("message") == "connected", "the connect before the refusal")
    assert "AUTH_JWT_SECRET" in await refused(only_keys, connect, "invalid", access, query={"token": access})


# MARK: Many at once


async def test_those_who_wait_are_looked_up_by_few_statements(cluster: Cluster, django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    sessions = [await site.log_in(member) for _ in range(30)]
    await database.execute("ALTER SYSTEM SET log_statement = 'all'")
    await database.execute("SELECT pg_reload_conf()")
    async with await database.connect(autocommit=False) as holder:
        await holder.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        before = cluster.log_text().count("notify_bridge.lookup_credentials")
        devices = [await connect(bridge, greeted=False, headers=cookie(session)) for session in sessions]
        await holder.commit()
    for device in devices:
        assert (await device.next()).type == "connection_established"
    await database.execute("ALTER SYSTEM RESET log_statement")
    await database.execute("SELECT pg_reload_conf()")
    statements = cluster.log_text().count("notify_bridge.lookup_credentials") - before
    # The first waits alone; the others, then their users, come together.
    assert 2 <= statements <= 8, statements


async def test_a_locked_table_of_logins_holds_up_no_other_login(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session, key = await site.log_in(member), await site.token(member)
    async with await database.connect(autocommit=False) as holder:
        await holder.execute("LOCK TABLE authtoken_token IN ACCESS EXCLUSIVE MODE")
        held = await connect(bridge, greeted=False, query={"token": key})
        device = await connect(bridge, greeted=False, headers=cookie(session))
        assert (await device.next(seconds=5)).type == "connection_established"
        assert held.messages == []
        await holder.commit()
    assert (await held.next()).type == "connection_established"
