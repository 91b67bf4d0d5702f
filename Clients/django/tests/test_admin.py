"""The admin: what became of a row, and sending it again."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from legacy.models import WorkOrderNotification
from shop.models import Notification

pytestmark = pytest.mark.django_db
SHOP = "/admin/shop/notification/"
LEGACY = "/admin/legacy/workordernotification/"


@pytest.fixture
def chief(client: Client) -> User:
    chief = User.objects.create_superuser("chief")
    client.force_login(chief)
    return chief


def execute(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


@pytest.fixture
def rows(chief: User) -> dict[str, Notification]:
    """One of each kind."""
    made = {
        name: Notification.objects.create(recipient=chief, data={"name": f"the {name} one"}, is_sent=name == "kept")
        for name in ("unsent", "sent", "before", "kept")
    }
    execute(
        "UPDATE shop_notification SET is_sent = true, sent_at = '2026-11-24 08:00+00' WHERE id = %s", made["sent"].pk
    )
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE shop_notification DISABLE TRIGGER notify_bridge_renew")
    execute("UPDATE shop_notification SET txid = NULL WHERE id = %s", made["before"].pk)
    execute("ALTER TABLE shop_notification ENABLE TRIGGER notify_bridge_renew")
    return made


def listed(client: Client, path: str) -> list[str]:
    response = client.get(path)
    assert response.status_code == 200
    return sorted(re.findall(r"the (\w+) one", response.content.decode()))


def test_the_filter_tells_rows_by_what_became_of_them(client: Client, rows: dict[str, Notification]) -> None:
    assert listed(client, SHOP) == ["before", "kept", "sent", "unsent"]
    for kind in rows:
        assert listed(client, f"{SHOP}?delivery={kind}") == [kind]
    assert listed(client, f"{SHOP}?delivery=nonsense") == ["before", "kept", "sent", "unsent"]
    assert listed(client, f"{SHOP}?delivery=unsent&is_read__exact=0&q=&o=-2") == ["unsent"]


def test_a_column_says_it_too_and_can_be_ordered_by(client: Client, rows: dict[str, Notification]) -> None:
    html = client.get(SHOP).content.decode()
    assert re.findall(r'field-delivered[^>]*">([^<]*)<', html) == [
        "not to be sent",
        "from before",
        "Nov. 24, 2026, 9 a.m.",
        "unsent",
    ]
    assert client.get(f"{SHOP}?o=6").status_code == 200


def test_a_row_can_be_looked_at_and_marks_cannot_be_changed(client: Client, rows: dict[str, Notification]) -> None:
    path = f"{SHOP}{rows['sent'].pk}/change/"
    html = client.get(path).content.decode()
    assert 'name="sent_at"' not in html and "Nov. 24, 2026" in html
    client.post(path, {"recipient": rows["sent"].recipient_id, "data": '{"name": "changed"}', "is_read": "on"})
    row = Notification.objects.get(pk=rows["sent"].pk)
    assert (row.data, row.is_read, row.is_sent, row.sent_at is None) == ({"name": "changed"}, True, True, False)


def test_chosen_rows_are_sent_again(client: Client, rows: dict[str, Notification]) -> None:
    keys = [rows["sent"].pk, rows["before"].pk]
    response = client.post(SHOP, {"action": "send_again", "_selected_action": keys}, follow=True)
    assert "2 rows are sent again." in response.content.decode()
    assert listed(client, f"{SHOP}?delivery=unsent") == ["before", "sent", "unsent"]


def test_who_may_not_change_may_not_send(client: Client, rows: dict[str, Notification]) -> None:
    from django.contrib.auth.models import Permission

    reader = User.objects.create_user("reader", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_notification"))
    client.force_login(reader)
    client.post(SHOP, {"action": "send_again", "_selected_action": [rows["sent"].pk]})
    assert listed(client, f"{SHOP}?delivery=sent") == ["sent"]


def test_an_attached_table_of_another_shape_has_it_too(client: Client, chief: User) -> None:
    for name in ("first", "second"):
        WorkOrderNotification.objects.create(worker=chief, title=f"the {name} one")
    execute('UPDATE "Work order: notification" SET is_sent = true, sent_at = now() WHERE title LIKE %s', "%first%")
    assert listed(client, f"{LEGACY}?delivery=sent") == ["first"]
    assert listed(client, f"{LEGACY}?delivery=unsent") == ["second"]
    key = WorkOrderNotification.objects.get(title__contains="first").pk
    client.post(LEGACY, {"action": "send_again", "_selected_action": [str(key)]})
    assert listed(client, f"{LEGACY}?delivery=unsent") == ["first", "second"]


def test_a_table_that_is_not_attached_has_neither_filter_nor_column(
    client: Client, rows: dict[str, Notification]
) -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SELECT notify_bridge.detach('shop_notification')")
    html = client.get(SHOP).content.decode()
    assert "the unsent one" in html and "delivered" not in html and "delivery" not in html
    response = client.post(SHOP, {"action": "send_again", "_selected_action": [rows["sent"].pk]}, follow=True)
    assert "Nothing was sent: " in response.content.decode()
