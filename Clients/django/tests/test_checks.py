"""The system checks: each says what it is for, and nothing is said where all is well."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections

from notify_bridge.checks import check_database, check_settings

pytestmark = pytest.mark.django_db(databases=["default", "bare", "lite"])


def ids(databases: list[str] | None = None) -> list[str]:
    found = run_checks(tags=["notify_bridge"], databases=databases)
    return sorted(message.id for message in found)


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_nothing_is_said_where_all_is_well() -> None:
    assert ids(["default"]) == []
    call_command("check", "--database", "default", "--fail-level", "WARNING", stdout=StringIO(), stderr=StringIO())


def test_unknown_settings_name_the_nearest_one(settings) -> None:
    settings.NOTIFY_BRIDGE_MODELS = "shop.Notification"
    settings.NOTIFY_BRIDGE_SOMETHING_ELSE = 1
    first, second = check_settings(None)
    assert (first.id, first.hint) == ("notify_bridge.W001", "Is NOTIFY_BRIDGE_MODEL meant?")
    assert second.hint.startswith("Known are NOTIFY_BRIDGE_MODEL, NOTIFY_BRIDGE_URL")


@pytest.mark.parametrize("name", ["shop.Nothing", "Notification", "nowhere.Notification"])
def test_a_model_that_is_none(settings, name: str) -> None:
    settings.NOTIFY_BRIDGE_MODEL = name
    (message,) = check_settings(None)
    assert message.id == "notify_bridge.E001" and name in message.msg
    assert check_database(None, databases=["default"]) == []
    with pytest.raises(SystemCheckError):
        call_command("check", stdout=StringIO(), stderr=StringIO())


def test_a_model_of_another_shape(settings) -> None:
    settings.NOTIFY_BRIDGE_MODEL = "legacy.WorkOrderNotification"
    (message,) = check_settings(None)
    assert message.id == "notify_bridge.E002" and "has no field recipient" in message.msg


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("/ws/notifications/", True),
        ("wss://example.com/ws/", True),
        ("ws://127.0.0.1:8080/ws/notifications/", True),
        ("https://example.com/ws/", False),
        ("ws/notifications/", False),
        ("//example.com/ws/", False),
        ("/ws/?since=1", False),
        ("wss:///ws/", False),
        (None, False),
        ("", False),
    ],
)
def test_addresses(settings, url: str | None, is_good: bool) -> None:
    settings.NOTIFY_BRIDGE_URL = url
    assert ids() == ([] if is_good else ["notify_bridge.E003"])


def test_credentials(settings) -> None:
    settings.NOTIFY_BRIDGE_CREDENTIAL = "cookie"
    assert ids() == ["notify_bridge.E004"]
    settings.NOTIFY_BRIDGE_CREDENTIAL = "session"
    assert ids() == []


def test_time_zones(settings) -> None:
    settings.USE_TZ = False
    assert ids() == ["notify_bridge.W002"]


def test_a_database_that_is_no_postgresql(settings) -> None:
    settings.DATABASE_ROUTERS = ["testproject.routers.Lite"]
    (message,) = check_database(None, databases=["lite"])
    assert message.id == "notify_bridge.W101" and "sqlite" in message.msg
    # Asked for others only, it says nothing of this one.
    assert check_database(None, databases=["default"]) == []
    assert check_database(None) == []


def test_a_database_without_the_schema(settings) -> None:
    settings.DATABASE_ROUTERS = ["testproject.routers.Bare"]
    (message,) = check_database(None, databases=["bare"])
    assert message.id == "notify_bridge.W102" and message.hint.startswith("Run `notify-bridge migrate`")


def test_a_schema_of_an_older_version() -> None:
    execute("DELETE FROM notify_bridge.migration")
    (message,) = check_database(None, databases=["default"])
    assert message.id == "notify_bridge.W103" and "at version 0" in message.msg


def test_a_table_that_is_not_attached() -> None:
    execute("SELECT notify_bridge.detach('shop_notification')")
    (message,) = check_database(None, databases=["default"])
    assert message.id == "notify_bridge.W104" and 'AttachNotifyBridge("Notification", …)' in message.hint


def test_a_table_that_no_migration_has_made_yet() -> None:
    execute("SELECT notify_bridge.detach('shop_notification')", "ALTER TABLE shop_notification RENAME TO later")
    assert check_database(None, databases=["default"]) == []


def test_a_table_that_cannot_be_served() -> None:
    execute("ALTER TABLE shop_notification RENAME COLUMN data TO body")
    (message,) = check_database(None, databases=["default"])
    assert message.id == "notify_bridge.W105" and "column data is missing" in message.msg


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DROP TRIGGER notify_bridge_ring ON shop_notification", "missing"),
        ("ALTER TABLE shop_notification DISABLE TRIGGER notify_bridge_ring", "not enabled ALWAYS"),
        ("ALTER TABLE shop_notification ENABLE TRIGGER notify_bridge_ring", "not enabled ALWAYS"),
    ],
)
def test_a_trigger_that_does_not_ring(statement: str, what: str) -> None:
    execute(statement)
    (message,) = check_database(None, databases=["default"])
    assert message.id == "notify_bridge.W106" and what in message.msg


def test_a_role_that_only_writes_is_not_bothered() -> None:
    execute("CREATE ROLE backend", "SET ROLE backend")
    assert check_database(None, databases=["default"]) == []
    execute("RESET ROLE")


def test_a_database_that_is_away_is_one_warning(settings, monkeypatch) -> None:
    settings.DATABASE_ROUTERS = ["testproject.routers.Bare"]

    def refuse(*arguments: object) -> None:
        from django.db import OperationalError

        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["bare"], "cursor", refuse)
    (message,) = check_database(None, databases=["bare"])
    assert message.id == "notify_bridge.W109" and "connection refused" in message.msg
