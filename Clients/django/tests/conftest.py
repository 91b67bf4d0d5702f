"""Fixtures: users, migrations that are applied as Django applies them, and what the table is like afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

Table = dict[str, Any]


@pytest.fixture
def user(db: None) -> Any:
    from django.contrib.auth.models import User

    return User.objects.create_user("ada", password="a password")


class Migrations:
    """Migrations of an app that exists only in a test."""

    app = "made"

    def __init__(self) -> None:
        self.states = [ProjectState.from_apps(apps)]
        self.applied: list[tuple[Migration, str]] = []

    @property
    def state(self) -> ProjectState:
        return self.states[-1]

    def apply(self, *operations: Operation, atomic: bool = True, using: str = DEFAULT_DB_ALIAS) -> None:
        migration = self._migration(operations, atomic)
        with connections[using].schema_editor(atomic=migration.atomic) as editor:
            state = migration.apply(self.state.clone(), editor)
        self.states.append(state)
        self.applied.append((migration, using))

    def unapply(self) -> None:
        """Takes back the last one."""
        migration, using = self.applied.pop()
        self.states.pop()
        with connections[using].schema_editor(atomic=migration.atomic) as editor:
            migration.unapply(self.state.clone(), editor)

    def sql(self, *operations: Operation) -> str:
        with connections[DEFAULT_DB_ALIAS].schema_editor(collect_sql=True) as editor:
            self._migration(operations, True).apply(self.state.clone(), editor, collect_sql=True)
        return "\n".join(editor.collected_sql)

    def model(self, name: str) -> Any:
        return self.state.apps.get_model(self.app, name)

    def _migration(self, operations: tuple[Operation, ...], atomic: bool) -> Migration:
        migration = Migration(f"{len(self.applied):04d}_made", self.app)
        migration.operations = list(operations)
        migration.atomic = atomic
        return migration


@pytest.fixture
def migrations(db: None) -> Iterator[Migrations]:
    made = Migrations()
    yield made
    while made.applied:
        made.unapply()


@pytest.fixture
def query() -> Callable[..., list[tuple[Any, ...]]]:
    def run(statement: str, *parameters: Any, using: str = DEFAULT_DB_ALIAS) -> list[tuple[Any, ...]]:
        with connections[using].cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def look(query: Callable[..., Any]) -> Callable[[str], Table]:
    """All that a table is made of; `source` is how the bridge reads it."""

    def at(table: str) -> Table:
        columns = query(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)"
            " FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
            " WHERE a.attrelid = %s::text::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            table,
        )
        triggers = query(
            "SELECT tgname, tgenabled FROM pg_trigger"
            " WHERE tgrelid = %s::text::regclass AND NOT tgisinternal ORDER BY tgname",
            table,
        )
        indexes = query(
            "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index"
            " WHERE indrelid = %s::text::regclass ORDER BY 1",
            table,
        )
        source = query(
            "SELECT recipient_column, payload, sent_column, sent_at_column, txid_column, created_column, read_column,"
            " read_at_column, retention_days, problem FROM notify_bridge.served WHERE relation = %s::text::regclass",
            table,
        )
        names = (
            "recipient",
            "payload",
            "sent",
            "sent_at",
            "txid",
            "created",
            "read",
            "read_at",
            "retention",
            "problem",
        )
        return {
            "columns": columns,
            "triggers": triggers,
            "indexes": indexes,
            "source": dict(zip(names, source[0], strict=True)) if source else None,
        }

    return at
