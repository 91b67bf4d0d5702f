"""The migration operation that attaches a table: forwards, backwards, and what it says where it can't."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, models
from django.db import migrations as dj
from django.db.migrations.writer import MigrationWriter

from conftest import Migrations
from notify_bridge import NotifyBridgeError
from notify_bridge.operations import AttachLogins, AttachNotifyBridge

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "bare", "lite"])

TRIGGERS = [
    ("notify_bridge_applied", "R"),
    ("notify_bridge_renew", "O"),
    ("notify_bridge_replicated", "R"),
    ("notify_bridge_ring", "A"),
    ("notify_bridge_txid", "A"),
]


def create(name: str = "Alert", **options: Any) -> dj.CreateModel:
    return dj.CreateModel(
        name,
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("user", models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)),
            ("title", models.CharField(max_length=100, default="")),
            ("data", models.JSONField(default=dict)),
            ("is_sent", models.BooleanField(default=False)),
            ("created_at", models.DateTimeField(auto_now_add=True)),
        ],
        options=options,
    )


def fill(count: int) -> dj.RunSQL:
    return dj.RunSQL(
        "INSERT INTO auth_user (id, username, password, first_name, last_name, email, is_superuser, is_staff,"
        " is_active, date_joined) VALUES (1, 'one', '', '', '', '', false, false, true, now());"
        "INSERT INTO made_alert (user_id, title, data, is_sent, created_at)"
        f" SELECT 1, '', '{{}}', false, now() FROM generate_series(1, {count})",
        "DELETE FROM made_alert; DELETE FROM auth_user",
    )


def test_rows_from_before_stay_old_and_rows_from_now_on_are_new(migrations: Migrations, query, look) -> None:
    migrations.apply(create())
    migrations.apply(fill(3))
    migrations.apply(AttachNotifyBridge("Alert", recipient="user", payload="data"))
    # The historical model names none of the added columns, and still fills them.
    migrations.model("Alert").objects.create(user_id=1, data={"a": 1})
    assert query("SELECT count(*) FILTER (WHERE txid IS NULL), count(txid) FROM made_alert") == [(3, 1)]
    table = look("made_alert")
    assert table["triggers"] == TRIGGERS
    assert table["source"] == {
        "recipient": "user_id",
        "payload": "data",
        "sent": "is_sent",
        "sent_at": "sent_at",
        "txid": "txid",
        "created": "created_at",
        "read": None,
        "read_at": None,
        "retention": None,
        "problem": None,
    }


def test_taken_back_the_table_is_as_it_was(migrations: Migrations, look) -> None:
    migrations.apply(create())
    before = look("made_alert")
    migrations.apply(AttachNotifyBridge("Alert", "user", retention_days=7))
    attached = look("made_alert")
    assert attached != before and attached["source"]["retention"] == 7
    migrations.unapply()
    assert look("made_alert") == before
    # And forwards again.
    migrations.apply(AttachNotifyBridge("Alert", "user", retention_days=7))
    assert look("made_alert")["source"] == attached["source"]


def test_created_and_attached_in_one_migration(migrations: Migrations, look) -> None:
    migrations.apply(create(), AttachNotifyBridge("Alert"))
    assert look("made_alert")["source"]["problem"] is None


def test_fields_columns_and_expressions_name_what_is_meant(migrations: Migrations, look) -> None:
    migrations.apply(create())
    payload = "jsonb_build_object('title', title, 'percent', '100%') || data"
    migrations.apply(
        AttachNotifyBridge("made.alert", recipient="user_id", payload=payload, id="id", sent="", created="created_at")
    )
    source = look("made_alert")["source"]
    assert (source["recipient"], source["payload"], source["sent"]) == ("user_id", payload, None)


def test_attaching_again_changes_what_is_given(migrations: Migrations, look) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    columns = look("made_alert")["columns"]
    migrations.apply(AttachNotifyBridge("Alert", payload="to_jsonb(title)"))
    table = look("made_alert")
    assert table["columns"] == columns
    assert table["source"]["payload"] == "to_jsonb(title)"


def test_tables_with_names_of_every_kind(migrations: Migrations, look, query) -> None:
    migrations.apply(create(db_table="Größe: all of it's"))
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    (name,) = query("SELECT name FROM notify_bridge.served WHERE NOT is_own AND name LIKE '%%all%%'")[0]
    assert look(name)["triggers"] == TRIGGERS


def test_a_table_without_a_model(migrations: Migrations, look) -> None:
    migrations.apply(
        dj.RunSQL(
            'CREATE SCHEMA "Other"; CREATE TABLE "Other"."News" (id uuid PRIMARY KEY, reader text, body jsonb)',
            'DROP SCHEMA "Other" CASCADE',
        )
    )
    migrations.apply(AttachNotifyBridge('"Other"."News"', recipient="reader", payload="body"))
    assert look('"Other"."News"')["source"]["recipient"] == "reader"


def test_a_name_that_nothing_has_says_so(migrations: Migrations) -> None:
    migrations.apply(create())
    with pytest.raises(NotifyBridgeError, match='"allert" does not exist'):
        migrations.apply(AttachNotifyBridge("allert", "user"))
    with pytest.raises(NotifyBridgeError, match=r"has no column reader\nIt has id, user_id, title"):
        migrations.apply(AttachNotifyBridge("Alert", "reader"))


def test_a_payload_that_is_no_expression_says_so(migrations: Migrations, look) -> None:
    migrations.apply(create())
    before = look("made_alert")
    with pytest.raises(NotifyBridgeError, match='the payload can\'t be used: column "titel" does not exist'):
        migrations.apply(AttachNotifyBridge("Alert", "user", "to_jsonb(titel)"))
    assert look("made_alert") == before


def test_a_big_table_asks_for_a_migration_that_is_not_atomic(migrations: Migrations, look) -> None:
    migrations.apply(create())
    migrations.apply(fill(10_000))
    before = look("made_alert")
    with pytest.raises(NotifyBridgeError, match=r"10,000 rows or more.*`atomic = False`"):
        migrations.apply(AttachNotifyBridge("Alert", "user"))
    assert look("made_alert") == before
    migrations.apply(AttachNotifyBridge("Alert", "user"), atomic=False)
    table = look("made_alert")
    assert table["source"]["problem"] is None and all(is_valid for _, is_valid in table["indexes"])
    migrations.unapply()
    assert look("made_alert") == before
    # Or writers wait.
    migrations.apply(AttachNotifyBridge("Alert", "user", build_indexes=True))
    assert look("made_alert")["source"]["problem"] is None


def test_indexes_can_be_left_to_the_command(migrations: Migrations, look, caplog) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user", build_indexes=False))
    assert look("made_alert")["source"]["problem"] == "there is no valid index on (txid)"
    assert "notify-bridge attach public.made_alert" in caplog.text


def test_a_table_in_use_is_tried_again(migrations: Migrations, look, caplog) -> None:
    migrations.apply(create())
    is_locked, may_leave = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with connections["default"].cursor() as cursor:
                cursor.execute("BEGIN; LOCK TABLE made_alert IN ROW EXCLUSIVE MODE")
                is_locked.set()
                may_leave.wait(30)
                cursor.execute("ROLLBACK")
        finally:
            connections["default"].close()

    class Waits(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "others use the table" in record.getMessage():
                may_leave.set()

    handler = Waits()
    logging.getLogger("notify_bridge").addHandler(handler)
    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert is_locked.wait(10)
        migrations.apply(AttachNotifyBridge("Alert", "user"))
    finally:
        may_leave.set()
        holder.join()
        logging.getLogger("notify_bridge").removeHandler(handler)
    assert "others use the table" in caplog.text
    assert look("made_alert")["source"]["problem"] is None


def test_rows_written_in_the_same_migration_have_to_go_elsewhere(migrations: Migrations) -> None:
    migrations.apply(create())
    with pytest.raises(NotifyBridgeError, match="put AttachNotifyBridge into one of its own"):
        migrations.apply(fill(1), AttachNotifyBridge("Alert", "user"))


def test_a_trigger_that_copies_whole_rows_stops_it_unless_forced(migrations: Migrations, look) -> None:
    migrations.apply(create())
    migrations.apply(
        dj.RunSQL(
            "CREATE FUNCTION made_history() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN PERFORM row(NEW.*); RETURN NEW; END$$;"
            "CREATE TRIGGER history BEFORE INSERT ON made_alert FOR EACH ROW EXECUTE FUNCTION made_history()",
            "DROP TRIGGER history ON made_alert; DROP FUNCTION made_history",
        )
    )
    with pytest.raises(NotifyBridgeError, match="trigger history of public.made_alert copies whole rows"):
        migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(AttachNotifyBridge("Alert", "user", force=True))
    assert look("made_alert")["source"]["problem"] is None


def test_other_databases_are_left_out_with_a_message(migrations: Migrations, caplog) -> None:
    migrations.apply(create(), AttachNotifyBridge("Alert", "user"), using="lite")
    assert 'Attach Alert to NotifyBridge: left out on database "lite": NotifyBridge needs PostgreSQL' in caplog.text
    assert "sqlite" in caplog.text


def test_a_test_database_without_the_schema_is_left_alone(migrations: Migrations, query) -> None:
    assert connections["bare"].settings_dict["NAME"] == "test_bare"
    migrations.apply(create(), using="bare")
    migrations.apply(AttachNotifyBridge("Alert", "user"), using="bare")
    assert query(
        "SELECT count(*) FROM pg_attribute WHERE attname = 'txid' AND attrelid = 'made_alert'::regclass", using="bare"
    ) == [(0,)]


def test_a_real_database_without_the_schema_says_what_to_run(migrations: Migrations, monkeypatch) -> None:
    migrations.apply(create(), using="bare")
    # Only its name tells Django's test databases from others.
    monkeypatch.setitem(connections["bare"].settings_dict, "NAME", "production")
    with pytest.raises(NotifyBridgeError, match='"bare" has no schema notify_bridge. Run `notify-bridge migrate`'):
        migrations.apply(AttachNotifyBridge("Alert", "user"), using="bare")


def test_a_schema_that_is_too_old_says_so(migrations: Migrations, query) -> None:
    migrations.apply(create())
    query("ALTER SCHEMA notify_bridge RENAME TO away")
    query("CREATE SCHEMA notify_bridge")
    try:
        with pytest.raises(NotifyBridgeError, match="is too old. Run `notify-bridge migrate`"):
            migrations.apply(AttachNotifyBridge("Alert", "user"))
    finally:
        query("DROP SCHEMA notify_bridge")
        query("ALTER SCHEMA away RENAME TO notify_bridge")


def test_a_role_that_is_not_the_owner_is_told(migrations: Migrations, query) -> None:
    migrations.apply(create())
    query("CREATE ROLE visitor")
    try:
        query("SET ROLE visitor")
        with pytest.raises(NotifyBridgeError, match="permission denied for schema notify_bridge\n.*visitor isn't that"):
            migrations.apply(AttachNotifyBridge("Alert", "user"))
    finally:
        query("RESET ROLE")
        query("DROP ROLE visitor")


def test_routers_are_asked(migrations: Migrations, look, monkeypatch) -> None:
    from testproject.routers import Router

    migrations.apply(create())
    with monkeypatch.context() as patched:
        patched.setattr(Router, "forbidden", frozenset({"default"}))
        migrations.apply(AttachNotifyBridge("Alert", "user"), AttachNotifyBridge("made_alert", "user_id"))
    assert look("made_alert")["source"] is None


def test_it_can_be_written_as_sql(migrations: Migrations, query, look) -> None:
    migrations.apply(create())
    sql = migrations.sql(AttachNotifyBridge("Alert", "user", "to_jsonb('it''s 100%'::text)", retention_days=3))
    assert look("made_alert")["source"] is None
    statement = next(line for line in sql.splitlines() if "notify_bridge.attach(" in line)
    with connection.cursor() as cursor:
        cursor.execute(statement)
    assert look("made_alert")["source"]["payload"] == "to_jsonb('it''s 100%'::text)"
    query("SELECT notify_bridge.detach('made_alert')")


def test_it_describes_itself_and_writes_itself() -> None:
    operation = AttachNotifyBridge("shop.Alert", "user", sent="sent_at", retention_days=7)
    assert operation.describe() == "Attach shop.Alert to NotifyBridge"
    assert operation.migration_name_fragment == "attach_shop_alert"
    assert operation.reversible
    migration = dj.Migration("0001_attach", "made")
    migration.operations = [operation]
    text = MigrationWriter(migration, include_header=False).as_string()
    names: dict[str, Any] = {}
    exec(text, names)
    (again,) = names["Migration"].operations
    assert isinstance(again, AttachNotifyBridge)
    given = {name: value for name, value in vars(operation).items() if not name.startswith("_")}
    assert {name: value for name, value in vars(again).items() if not name.startswith("_")} == given
    assert given["recipient"] == "user" and given["retention_days"] == 7


def test_logins_are_attached_and_detached(migrations: Migrations, query) -> None:
    triggers = (
        "SELECT tgrelid::regclass::text, count(*) FROM pg_trigger WHERE tgname LIKE 'notify_bridge_revoke%%'"
        " GROUP BY 1 ORDER BY 1"
    )
    migrations.apply(AttachLogins())
    assert query(triggers) == [("auth_user", 3), ("django_session", 2)]
    assert AttachLogins().describe() == "Attach logins to NotifyBridge"
    migrations.apply(AttachLogins("auth_user"))
    migrations.unapply()
    assert query(triggers) == []
    with pytest.raises(NotifyBridgeError, match='"nobody" does not exist'):
        migrations.apply(AttachLogins("nobody"))
    migrations.apply(AttachLogins(), using="lite")
    assert "attach_logins" in migrations.sql(AttachLogins())
