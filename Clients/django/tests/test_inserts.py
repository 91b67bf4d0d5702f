"""Every way in which Django INSERTs: each row is new to the bridge, and has the transaction that wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.db.models import F
from django.utils import timezone

from legacy.models import WorkOrderNotification
from shop.models import Notification

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reader() -> User:
    return User.objects.create_user("reader")


def new_rows(table: str = "shop_notification") -> list[int]:
    """The transaction of each row, in the order of ids; a row from before has none."""
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT txid::text FROM "{table}" ORDER BY created_at, id')
        return [int(txid) for (txid,) in cursor.fetchall()]


def test_create_and_get_or_create(reader: User) -> None:
    first = Notification.objects.create(recipient=reader, data={"a": 1})
    second, _ = Notification.objects.get_or_create(recipient=reader, data={"a": 2})
    assert (first.is_sent, first.sent_at) == (False, None)
    assert len(set(new_rows())) == 2
    assert second.data == {"a": 2}


def test_rows_of_one_transaction_have_one_id(reader: User) -> None:
    with transaction.atomic():
        for number in range(3):
            Notification.objects.create(recipient=reader, data={"n": number})
    assert len(new_rows()) == 3 and len(set(new_rows())) == 1


def test_roll_backs_leave_nothing(reader: User) -> None:
    class Undo(Exception):
        pass

    with pytest.raises(Undo), transaction.atomic():
        Notification.objects.create(recipient=reader, data={})
        raise Undo
    with transaction.atomic():
        kept = Notification.objects.create(recipient=reader, data={"kept": True})
        with pytest.raises(Undo), transaction.atomic():
            Notification.objects.create(recipient=reader, data={"kept": False})
            raise Undo
    assert list(Notification.objects.all()) == [kept]


def test_bulk_create_with_conflicts_of_both_kinds(reader: User) -> None:
    old = WorkOrderNotification.objects.create(worker=reader, title="old")
    before = new_rows("Work order: notification")
    WorkOrderNotification.objects.filter(pk=old.pk).update(is_sent=True)
    rows = [WorkOrderNotification(worker=reader, title=f"{number}") for number in range(3)]
    again = WorkOrderNotification(pk=old.pk, worker=reader, title="again")
    WorkOrderNotification.objects.bulk_create([again, *rows], ignore_conflicts=True)
    WorkOrderNotification.objects.bulk_create(
        [again, WorkOrderNotification(worker=reader, title="last")],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["title"],
    )
    old.refresh_from_db()
    # An upsert that updates delivers nothing: the row keeps its transaction.
    assert old.title == "again" and old.is_sent
    ids = new_rows("Work order: notification")
    assert len(ids) == 5 and before[0] in ids and len(set(ids)) == 3


def test_raw_sql_and_copy(reader: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO shop_notification (recipient_id, data, is_sent, is_read, created_at)"
            " VALUES (%s, %s::jsonb, false, false, now())",
            [reader.pk, json.dumps({"raw": "100%"})],
        )
        copy = "COPY shop_notification (recipient_id, data, is_sent, is_read, created_at) FROM STDIN"
        line = f'{reader.pk}\t{{"copied": true}}\tf\tf\t{timezone.now().isoformat()}\n'
        if hasattr(cursor.cursor, "copy_expert"):
            import io

            cursor.cursor.copy_expert(copy, io.StringIO(line * 2))
        else:
            with cursor.cursor.copy(copy) as into:
                into.write(line * 2)
    assert len(new_rows()) == 3


def test_a_stale_full_save_leaves_the_mark(reader: User) -> None:
    stale = Notification.objects.create(recipient=reader, data={"n": 1})
    sent_at = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE shop_notification SET is_sent = true, sent_at = %s", [sent_at])
    stale.is_read = True
    stale.data = {"n": 2}
    stale.save()
    row = Notification.objects.get()
    assert (row.is_sent, row.sent_at, row.is_read, row.data) == (True, sent_at, True, {"n": 2})
    # Nor do other ways to save an object: only what names the field writes it.
    stale.save(update_fields=["is_sent", "sent_at", "is_read"])
    Notification.objects.update_or_create(pk=row.pk, defaults={"data": {"n": 3}})
    row.refresh_from_db()
    assert (row.is_sent, row.sent_at, row.data) == (True, sent_at, {"n": 3})
    Notification.objects.update(is_sent=False, sent_at=None)
    row.refresh_from_db()
    assert (row.is_sent, row.sent_at) == (False, None)


def test_a_stale_save_of_an_attached_table_keeps_the_bridges_mark(reader: User) -> None:
    stale = WorkOrderNotification.objects.create(worker=reader, title="t")
    with connection.cursor() as cursor:
        cursor.execute('UPDATE "Work order: notification" SET is_sent = true, sent_at = now()')
    stale.title = "changed"
    stale.save()
    with connection.cursor() as cursor:
        cursor.execute('SELECT is_sent, sent_at IS NOT NULL FROM "Work order: notification"')
        assert cursor.fetchone() == (False, True)


def test_an_object_with_a_key_that_is_not_there_yet_is_inserted_whole(reader: User) -> None:
    row = Notification(pk=77, recipient=reader, data={}, is_sent=True)
    row.save()
    row.refresh_from_db()
    # Inserted as sent: kept, and not for the bridge.
    assert (row.is_sent, row.sent_at) == (True, None)
    Notification.objects.filter(pk=77).update(id=F("id") + 1)


def test_a_copy_of_an_object_is_a_new_row(reader: User) -> None:
    row = Notification.objects.create(recipient=reader, data={})
    row.pk, row._state.adding = None, True
    row.save()
    assert len(set(new_rows())) == 2


def test_the_payload_of_an_expression_is_what_the_bridge_reads(reader: User) -> None:
    WorkOrderNotification.objects.create(worker=reader, title="Pump", content="broken", data={"priority": 1})
    WorkOrderNotification.objects.create(worker=reader, title="Lamp", data=None)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload FROM notify_bridge.source WHERE relation = %s::text::regclass",
            ['"Work order: notification"'],
        )
        (payload,) = cursor.fetchone()
        cursor.execute(f'SELECT ({payload})::text FROM "Work order: notification" AS n ORDER BY created_at')
        seen: list[Any] = [json.loads(row[0]) for row in cursor.fetchall()]
    assert seen == [
        {"title": "Pump", "content": "broken", "priority": 1},
        {"title": "Lamp", "content": ""},
    ]


def test_many_rows_in_a_data_migration(migrations: Any) -> None:
    from django.db import migrations as dj

    def fill(apps: Any, editor: Any) -> None:
        user = apps.get_model("auth", "User").objects.create(username="many")
        model = apps.get_model("shop", "Notification")
        model.objects.bulk_create(
            (model(recipient=user, data={"n": number}) for number in range(20_000)), batch_size=10_000
        )

    def clear(apps: Any, editor: Any) -> None:
        apps.get_model("shop", "Notification").objects.all()._raw_delete(editor.connection.alias)
        apps.get_model("auth", "User").objects.all().delete()

    migrations.apply(dj.RunPython(fill, clear))
    assert len(set(new_rows())) == 1
    assert Notification.objects.count() == 20_000
    connections["default"].close()
