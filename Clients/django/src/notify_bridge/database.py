"""What is asked of the schema that `notify-bridge migrate` makes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, Error, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import TEST_DATABASE_PREFIX

from notify_bridge.errors import MIGRATE, NotifyBridgeError, sqlstate

# The migration that brought the newest of the functions used here.
NEEDED_VERSION = 1
_UNDEFINED_FUNCTION = "42883"
_MISSING = {"3F000", "42P01", _UNDEFINED_FUNCTION}  # invalid_schema_name, undefined_table
_DENIED = "42501"  # insufficient_privilege


@dataclass(frozen=True)
class Source:
    """How the bridge reads a table. `problem` keeps it from being served."""

    recipient_column: str
    payload: str
    txid_column: str
    sent_column: str | None
    sent_at_column: str
    problem: str | None


def has_schema(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('notify_bridge') IS NOT NULL")
        return bool(cursor.fetchone()[0])


def version(connection: BaseDatabaseWrapper) -> int:
    """The newest migration of the bridge's schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(version), 0) FROM notify_bridge.migration")
        return int(cursor.fetchone()[0])


def is_test_database(connection: BaseDatabaseWrapper) -> bool:
    """Whether this is a database that Django's test runner made."""
    name = str(connection.settings_dict["NAME"])
    test_name = (connection.settings_dict.get("TEST") or {}).get("NAME")
    return name.startswith(TEST_DATABASE_PREFIX) or (bool(test_name) and name == test_name)


def relation(connection: BaseDatabaseWrapper, table: str) -> str:
    """A table's name as PostgreSQL reads it, for `%s::regclass`."""
    return connection.ops.quote_name(table)


def source_of(connection: BaseDatabaseWrapper, model: type[models.Model]) -> Source | None:
    """How the bridge reads a model's table; None where it doesn't, or this role may not know."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN to_regnamespace('notify_bridge') IS NULL THEN false"
            " WHEN NOT has_schema_privilege('notify_bridge', 'USAGE') THEN false"
            " WHEN to_regclass('notify_bridge.served') IS NULL THEN false"
            " ELSE has_table_privilege('notify_bridge.served', 'SELECT') END"
        )
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(
            "SELECT recipient_column, payload, txid_column, sent_column, sent_at_column, problem"
            " FROM notify_bridge.served WHERE relation = to_regclass(%s)",
            [relation(connection, model._meta.db_table)],
        )
        found = cursor.fetchone()
    return Source(*found) if found else None


def call(
    connection: BaseDatabaseWrapper,
    statement: str,
    parameters: Iterable[Any],
    remedy: str = "SELECT notify_bridge.grant_backend_to('{role}')",
) -> Any:
    """Calls a function of the bridge's schema and returns its value; an error says what to do.

    `remedy` is what the owner does for a role that may not call it.
    """
    if connection.vendor != "postgresql":
        raise NotifyBridgeError(f'NotifyBridge needs PostgreSQL; database "{connection.alias}" is {connection.vendor}.')
    try:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            cursor.execute(statement, list(parameters))
            return cursor.fetchone()[0]
    except DatabaseError as error:
        raise explained(connection, error, f"As the owner: {remedy}") from error


def explained(connection: BaseDatabaseWrapper, error: Error, remedy: str) -> NotifyBridgeError:
    """The error with what to do about it. `remedy` is for a role that lacks a right."""
    code = sqlstate(error)
    if code in _MISSING and not has_schema(connection):
        return NotifyBridgeError(f'Database "{connection.alias}" has no schema notify_bridge. {MIGRATE}')
    if code == _UNDEFINED_FUNCTION:
        return NotifyBridgeError(f'The schema notify_bridge of database "{connection.alias}" is too old. {MIGRATE}')
    said = NotifyBridgeError.of(error)
    if code != _DENIED or "\n" in str(said):
        return said
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        role = cursor.fetchone()[0].replace("'", "''")
    return NotifyBridgeError(f"{said}\n{remedy.format(role=role)}")
