"""What a project does to an attached table afterwards, by Django's own operations."""

from __future__ import annotations

import importlib
import shutil
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.db import migrations as dj
from django.test import override_settings

from conftest import Migrations
from notify_bridge.operations import AttachNotifyBridge
from test_attach import create, fill

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "bare", "lite"])


def test_columns_are_added_altered_and_dropped(migrations: Migrations, look, query) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(fill(2))
    migrations.apply(
        dj.AddField("Alert", "url", models.URLField(default="", db_index=True)),
        dj.AlterField("Alert", "title", models.TextField(default="none")),
        dj.AddField("Alert", "is_read", models.BooleanField(default=False)),
    )
    migrations.apply(
        dj.RunPython(lambda apps, editor: apps.get_model("made", "Alert").objects.create(user_id=1), dj.RunPython.noop)
    )
    migrations.apply(
        dj.RemoveField("Alert", "url"), dj.AddIndex("Alert", models.Index(fields=["title"], name="titles"))
    )
    assert look("made_alert")["source"]["problem"] is None
    assert query("SELECT count(txid), count(*) FROM made_alert") == [(3, 3)]


def test_model_and_table_are_renamed(migrations: Migrations, look, query) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(dj.RenameModel("Alert", "Message"))
    assert look("made_message")["source"]["problem"] is None
    migrations.apply(dj.AlterModelTable("Message", "Messages of mine"))
    assert look('"Messages of mine"')["source"]["problem"] is None
    assert query("SELECT name FROM notify_bridge.served WHERE NOT is_own AND name LIKE '%%mine%%'") == [
        ('public."Messages of mine"',)
    ]


def test_the_key_of_the_recipient_is_changed(migrations: Migrations, look) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(
        dj.AlterField("Alert", "user", models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True))
    )
    assert look("made_alert")["source"]["problem"] is None


def test_a_renamed_recipient_is_named_as_the_problem_until_it_is_attached_again(migrations: Migrations, look) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(dj.RenameField("Alert", "user", "reader"))
    assert look("made_alert")["source"]["problem"] == "column user_id is missing: it was renamed or dropped"
    migrations.apply(AttachNotifyBridge("Alert", "reader"))
    assert look("made_alert")["source"]["problem"] is None


def test_a_dropped_table_is_no_trouble(migrations: Migrations, query) -> None:
    migrations.apply(create())
    migrations.apply(AttachNotifyBridge("Alert", "user"))
    migrations.apply(dj.DeleteModel("Alert"))
    ((problem, number),) = query("SELECT problem, relation::oid FROM notify_bridge.served WHERE name IS NULL")
    assert problem.startswith("the table was dropped")
    query("SELECT notify_bridge.detach(%s::oid::regclass)", number)
    assert query("SELECT count(*) FROM notify_bridge.served WHERE name IS NULL") == [(0,)]


def test_makemigrations_finds_nothing_to_do() -> None:
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_migrations_are_squashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look) -> None:
    folder = tmp_path / "squashed"
    shutil.copytree(Path(__file__).parent / "shop" / "migrations", folder)
    (folder / "0003_more.py").write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    dependencies = [('shop', '0002_attach')]\n"
        "    operations = [migrations.AddField('Notification', 'more', models.TextField(default=''))]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    call_command("migrate", "shop", "zero", verbosity=0)
    try:
        with override_settings(MIGRATION_MODULES={"shop": "squashed"}):
            call_command("squashmigrations", "shop", "0003", interactive=False, verbosity=0, stdout=StringIO())
            squashed = next(folder.glob("*squashed*.py"))
            text = squashed.read_text()
            assert "notify_bridge.operations.AttachNotifyBridge(" in text
            # A new installation runs the squashed one alone.
            for old in folder.glob("000[123]_[!0]*.py"):
                if old != squashed:
                    old.unlink()
            squashed.write_text("\n".join(line for line in text.splitlines() if "replaces =" not in line))
            for name in [name for name in sys.modules if name.startswith("squashed")]:
                del sys.modules[name]
            importlib.invalidate_caches()
            call_command("migrate", "shop", verbosity=0)
            assert look("shop_notification")["source"]["problem"] is None
            assert "more" in [column[0] for column in look("shop_notification")["columns"]]
            call_command("migrate", "shop", "zero", verbosity=0)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations WHERE app = 'shop'")
            cursor.execute("DROP TABLE IF EXISTS shop_notification")
        call_command("migrate", "shop", verbosity=0)
    assert look("shop_notification")["source"]["problem"] is None
