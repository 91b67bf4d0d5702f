"""Access that ends while connected, by what users and operators do at a real Django project."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.site import BRIDGE, Member, Site, cookie
from harness.waiting import eventually
from test_django_logins import typed

Connect = Callable[..., Awaitable[Device]]
Django = tuple[Database, Site, Bridge]


@dataclass
class Open:
    """A user with a socket by each kind of login, and two sessions."""

    member: Member
    session: str
    token: str
    devices: dict[str, Device]


async def open_all(django: Django, connect: Connect) -> Open:
    _, site, bridge = django
    member = await site.sign_up()
    session, other, token = await site.log_in(member), await site.log_in(member), await site.token(member)
    access, _ = await site.jwt(member)
    devices = {
        "session": await connect(bridge, headers=cookie(session)), "other session": await connect(bridge, headers=cookie(other)),
        "token": await connect(bridge, query={"token": token}), "jwt": await connect(bridge, query={"token": access}),
    }
    return Open(member, session, token, devices)


ALL = {"session", "other session", "token", "jwt"}
# What happens, by the site or by SQL; whose sockets close, and why.
ENDS = {
    "a logout": ("log-out", {"session"}, "revoked"),
    "a deleted token": ("delete-token", {"token"}, "revoked"),
    "a changed password": ("change-password", {"session", "other session"}, "revoked"),
    "a deactivated user": ("deactivate", ALL, "inactive"),
    "a deleted user": ("delete-user", ALL, "revoked"),
    "a disconnected user": ("SELECT notify_bridge.disconnect_user(id) FROM (SELECT %(id)s::text AS id) AS one", ALL, "revoked"),
    "a deleted session": ("DELETE FROM django_session WHERE session_key = %(session)s", {"session"}, "revoked"),
    "all sessions emptied": ("TRUNCATE django_session", {"session", "other session"}, "revoked"),
}


async def end(django: Django, opened: Open, what: str) -> None:
    database, site, _ = django
    if what.isupper() or " " in what:
        await database.execute(what, {"id": opened.member.id, "session": opened.session})
    else:
        fields = {"username": opened.member.username, "key": opened.token, "password": "another one"}
        await site.post(what, fields, f"sessionid={opened.session}")


@pytest.mark.parametrize("what, closed, reason", ENDS.values(), ids=ENDS.keys())
async def test_what_ends_access_closes_its_sockets_and_no_others(
    django: Django, connect: Connect, what: str, closed: set[str], reason: str
) -> None:
    database, _, _ = django
    opened = await open_all(django, connect)
    bystander = await open_all(django, connect) if what != "TRUNCATE django_session" else None
    started = time.monotonic()
    await end(django, opened, what)
    for name in closed:
        ended = await opened.devices[name].end(2)
        assert (ended.code, ended.reason) == (4001, reason) and opened.devices[name].clean, name
    assert time.monotonic() - started < 2
    id = await database.insert(typed(opened.member))
    for name in ALL - closed:
        assert (await opened.devices[name].notification()).id == id, name
    for name in closed:
        assert opened.devices[name].ids == [], name
    if bystander:
        for device in bystander.devices.values():
            assert await device.barrier() == []


async def test_a_renamed_column_costs_the_backend_no_statement_and_ends_the_access_of_everybody(
    django: Django, connect: Connect
) -> None:
    database, _, _ = django
    one, other = await open_all(django, connect), await open_all(django, connect)
    await database.execute("ALTER TABLE django_session RENAME session_key TO name")
    try:
        await database.execute("DELETE FROM django_session WHERE name = %s", (one.session,))
        assert await database.value("SELECT count(*) FROM django_session WHERE name = %s", (one.session,)) == 0
        for opened in (one, other):
            for name in ("session", "other session"):
                ended = await opened.devices[name].end(2)
                assert (ended.code, ended.reason) == (4001, "revoked"), name
        id = await database.insert(other.member.id)
        for name in ("token", "jwt"):
            assert (await other.devices[name].notification()).id == id, name
    finally:
        await database.execute("ALTER TABLE django_session RENAME name TO session_key")


CREDENTIALS = {
    "a logout": ("log-out", lambda opened: {"headers": cookie(opened.session)}, "invalid"),
    "a deleted token": ("delete-token", lambda opened: {"query": {"token": opened.token}}, "invalid"),
    "a changed password": ("change-password", lambda opened: {"headers": cookie(opened.session)}, "invalid"),
    "a deactivated user": ("deactivate", lambda opened: {"query": {"token": opened.token}}, "inactive"),
}


@pytest.mark.parametrize("what, credential, reason", CREDENTIALS.values(), ids=CREDENTIALS.keys())
async def test_the_credential_is_refused_at_the_very_next_connect(
    django: Django, connect: Connect, what: str, credential: Callable[[Open], dict], reason: str
) -> None:
    _, _, bridge = django
    opened = await open_all(django, connect)
    await end(django, opened, what)
    device = await connect(bridge, greeted=False, **credential(opened))
    ended = await device.end()
    assert (ended.code, ended.reason) == (4001, reason)


async def test_a_jwt_of_an_inactive_user_is_refused_though_it_has_not_expired(django: Django, connect: Connect) -> None:
    _, site, bridge = django
    member = await site.sign_up()
    access, _ = await site.jwt(member)
    await site.post("deactivate", {"username": member.username})
    ended = await (await connect(bridge, greeted=False, query={"token": access})).end()
    assert (ended.code, ended.reason) == (4001, "inactive")


async def test_another_session_of_a_user_whose_password_has_changed_is_revoked(django: Django, connect: Connect) -> None:
    _, site, bridge = django
    member = await site.sign_up()
    here, there = await site.log_in(member), await site.log_in(member)
    _, cookies = await site.post("change-password", {"password": "new"}, f"sessionid={here}")
    ended = await (await connect(bridge, greeted=False, headers=cookie(there))).end()
    assert (ended.code, ended.reason) == (4001, "revoked")
    # Where it was changed the session goes on, and its new socket is not closed by the change before it.
    device = await connect(bridge, headers=cookie(cookies["sessionid"]))
    assert await device.barrier() == []


async def test_a_user_who_changes_the_password_comes_back_at_once_every_time(django: Django, connect: Connect) -> None:
    """The bridge may read of the change after the new session has connected."""
    database, site, bridge = django
    member = await site.sign_up()
    session = await site.log_in(member)
    for round in range(25):
        _, cookies = await site.post("change-password", {"password": f"new {round}"}, f"sessionid={session}")
        session = cookies["sessionid"]
        device = await connect(bridge, headers=cookie(session))
        id = await database.insert(typed(member))
        assert (await device.notification()).id == id
        device.abort()


async def test_no_row_of_the_same_transaction_or_a_later_one_is_sent(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session = await site.log_in(member)
    device = await connect(bridge, headers=cookie(session))
    before = await database.insert(typed(member))
    assert (await device.notification()).id == before
    async with await database.connect(autocommit=False) as backend:
        await backend.execute("INSERT INTO notification (user_id, data) VALUES (%s, '{}')", (typed(member),))
        await backend.execute("DELETE FROM django_session WHERE session_key = %s", (session,))
        await backend.execute("INSERT INTO notification (user_id, data) VALUES (%s, '{}')", (typed(member),))
        await backend.commit()
    for _ in range(20):
        await database.insert(typed(member))
    assert (await device.end(2)).reason == "revoked"
    assert device.ids == [before]
    # They wait for a device that may have them.
    later = await connect(bridge, headers=cookie(await site.log_in(member)))
    assert len(await later.notifications(22)) == 22


async def test_whoever_is_connecting_when_access_ends_gets_no_later_row(django: Django, connect: Connect) -> None:
    """Sessions are deleted at any moment of a connect; rows of later transactions must not come."""
    database, site, bridge = django
    member = await site.sign_up()
    outcomes = {True: 0, False: 0}
    # Later and later, until both have happened a few times: got in before the end, and not.
    for round in range(200):
        session = await site.log_in(member)

        async def log_out_and_write() -> int:
            for _ in range(round):
                await database.execute("SELECT 1")
            await database.execute("DELETE FROM django_session WHERE session_key = %s", (session,))
            return await database.insert(typed(member))

        writing = asyncio.ensure_future(log_out_and_write())
        device = await connect(bridge, greeted=False, headers=cookie(session))
        later = await writing
        ended = await device.end(5)
        assert ended.code == 4001 and later not in device.ids, round
        outcomes[bool(device.messages)] += 1
        await database.execute("DELETE FROM notification")
        if outcomes[True] >= 10:
            break
    assert min(outcomes.values()) > 0, outcomes


async def test_a_ticket_of_a_user_deactivated_meanwhile_is_refused(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    bought = await database.value("SELECT notify_bridge.issue_ticket(%s::text)", (member.id,))
    device = await connect(bridge, query={"token": await database.value("SELECT notify_bridge.issue_ticket(%s::text)", (member.id,))})
    await site.post("deactivate", {"username": member.username})
    assert (await device.end(2)).reason == "inactive"
    ended = await (await connect(bridge, greeted=False, query={"token": bought})).end()
    assert (ended.code, ended.reason) == (4001, "inactive")


async def test_a_session_that_expires_while_connected_is_closed(django: Django, connect: Connect) -> None:
    _, site, bridge = django
    member = await site.sign_up()
    device = await connect(bridge, headers=cookie(await site.log_in(member, age=2)))
    ended = await device.end(5)
    assert (ended.code, ended.reason) == (4001, "expired")


async def test_a_session_that_django_prolongs_goes_on_until_it_expires(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    session = await site.log_in(member, age=2)
    witness = await connect(bridge, headers=cookie(await site.log_in(member, age=2)))
    device = await connect(bridge, headers=cookie(session))
    await database.execute("UPDATE django_session SET expire_date = expire_date + interval '2 seconds' WHERE session_key = %s", (session,))
    assert (await witness.end(5)).reason == "expired"
    id = await database.insert(typed(member))
    assert (await device.notification()).id == id
    assert (await device.end(5)).reason == "expired"


async def test_a_token_replaced_by_another_credential_of_the_user_may_end(django: Django, connect: Connect) -> None:
    database, site, bridge = django
    member = await site.sign_up()
    token = await site.token(member)
    device = await connect(bridge, query={"token": token})
    access, _ = await site.jwt(member)
    device.send({"type": "authenticate", "token": access})
    # The answer is silence; the second is refused only while the first is on its way.
    await device.barrier()
    await eventually(lambda: _replaced(device, access), bool, "the replacement")
    await site.post("delete-token", {"key": token})
    id = await database.insert(typed(member))
    while (message := await device.next()).type != "notification":
        pass
    assert message.id == id


async def _replaced(device: Device, access: str) -> bool:
    device.send({"type": "authenticate", "token": access})
    return all(message.type != "error" for message in await device.barrier())


async def test_revocations_made_while_the_database_is_away_count_when_it_is_back(
    own_cluster: Cluster, serve: Callable[..., Awaitable[Bridge]], connect: Connect
) -> None:
    from harness import site as sites

    database = await Database.create(own_cluster, "migrated")
    await sites.migrate(database.url, USER_MODEL="auth.User")
    await database.execute("SELECT notify_bridge.attach_logins()")
    site = await Site.serve(database.url)
    bridge = await serve(database, **BRIDGE)
    try:
        await bridge.ready()
        member = await site.sign_up()
        session = await site.log_in(member)
        device = await connect(bridge, headers=cookie(session))
        # The bridge is shut out; a superuser's session goes on.
        await database.execute("ALTER DATABASE " + database.name + " CONNECTION LIMIT 0")
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'notify-bridge%'")
        await database.execute("DELETE FROM django_session WHERE session_key = %s", (session,))
        await database.execute("ALTER DATABASE " + database.name + " CONNECTION LIMIT -1")
        assert (await device.end(15)).reason == "revoked"
    finally:
        await site.stop()
        await database.close()


async def test_a_connect_while_the_database_is_away_is_held_and_never_refused(
    own_cluster: Cluster, serve: Callable[..., Awaitable[Bridge]], connect: Connect
) -> None:
    from harness import site as sites

    database = await Database.create(own_cluster, "migrated")
    await sites.migrate(database.url, USER_MODEL="auth.User")
    site = await Site.serve(database.url)
    bridge = await serve(database, **BRIDGE)
    try:
        await bridge.ready()
        session, token = await site.log_in(member := await site.sign_up()), await site.token(member)
        await database.close()
        own_cluster.stop()
        held = [await connect(bridge, greeted=False, headers=cookie(session)), await connect(bridge, greeted=False, query={"token": token})]
        own_cluster.start()
        for device in held:
            assert (await device.next(12)).type == "connection_established"
        own_cluster.stop()
        ended = await (await connect(bridge, greeted=False, headers=cookie(session))).end(15)
        assert ended.code == 1013 and ended.reason.startswith("retry_ms=")
    finally:
        await site.stop()
        await database.close()
