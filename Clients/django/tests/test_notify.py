"""notify(), notify_many() and disconnect()."""

from __future__ import annotations

import datetime
import decimal

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

from notify_bridge import NotifyBridgeError, disconnect, notify, notify_many
from shop.models import Notification

pytestmark = pytest.mark.django_db


@pytest.fixture
def users() -> list[User]:
    return [User.objects.create_user(f"user {number}") for number in range(5)]


def test_notify_takes_an_object_or_a_key(users: list[User]) -> None:
    first = notify(users[0], {"title": "one"})
    notify(users[1].pk, ["two"])
    assert isinstance(first, Notification)
    assert list(Notification.objects.order_by("id").values_list("recipient_id", "data")) == [
        (users[0].pk, {"title": "one"}),
        (users[1].pk, ["two"]),
    ]


def test_data_may_have_what_django_can_write(users: list[User]) -> None:
    row = notify(users[0], {"at": datetime.date(2026, 11, 24), "price": decimal.Decimal("9.90")})
    row.refresh_from_db()
    assert row.data == {"at": "2026-11-24", "price": "9.90"}


def test_many_users_get_a_row_each(users: list[User], django_assert_num_queries) -> None:
    # A savepoint and its release aside, five users in batches of two are three statements.
    with django_assert_num_queries(3):
        assert notify_many(users, {"to": "all"}, batch_size=2) == 5
    assert notify_many(User.objects.order_by("id"), lambda user: {"name": user.username}) == 5
    assert notify_many((user.pk for user in users[:2]), "text") == 2
    assert notify_many([], {}) == 0
    assert Notification.objects.count() == 12
    assert Notification.objects.get(data={"name": "user 3"}).recipient == users[3]


@pytest.mark.django_db(transaction=True)
def test_many_are_one_transaction(users: list[User]) -> None:
    def data(user: User) -> dict[str, str]:
        if user == users[4]:
            raise LookupError
        return {}

    with pytest.raises(LookupError):
        notify_many(users, data, batch_size=1)
    assert not Notification.objects.exists()
    notify_many(users, {}, batch_size=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT txid::text) FROM shop_notification")
        assert cursor.fetchone() == (5, 1)


def test_a_roll_back_sends_nothing(users: list[User]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        notify(users[0], {})
        raise RuntimeError
    assert not Notification.objects.exists()


def test_without_a_model_it_says_which_setting(settings) -> None:
    settings.NOTIFY_BRIDGE_MODEL = None
    with pytest.raises(ImproperlyConfigured, match="NOTIFY_BRIDGE_MODEL is not set"):
        notify(1, {})
    settings.NOTIFY_BRIDGE_MODEL = "shop.Nothing"
    with pytest.raises(ImproperlyConfigured, match='"shop.Nothing"'):
        notify(1, {})


def test_disconnect_writes_a_revocation(users: list[User]) -> None:
    disconnect(users[0])
    disconnect("a text id")
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id, kind, reason FROM notify_bridge.revocation ORDER BY id")
        assert cursor.fetchall() == [(str(users[0].pk), "user", "revoked"), ("a text id", "user", "revoked")]


@pytest.mark.django_db(databases=["lite"])
def test_another_database_is_named(settings) -> None:
    settings.DATABASE_ROUTERS = ["testproject.routers.Lite"]
    with pytest.raises(NotifyBridgeError, match='needs PostgreSQL; database "lite" is sqlite'):
        disconnect(1)


def test_a_role_without_the_right_is_told_which_one(users: list[User]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE backend; SET ROLE backend")
    with pytest.raises(NotifyBridgeError, match=r"As the owner: SELECT notify_bridge.grant_backend_to\('backend'\)"):
        disconnect(users[0])
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE; SELECT notify_bridge.grant_backend_to('backend'); SET ROLE backend")
    disconnect(users[0])
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
