"""Migration operations that have the bridge serve a table, and that end access where logins end."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import OperationalError, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import base
from django.db.migrations.state import ProjectState
from django.db.models import Model
from django.db.utils import DatabaseError

from notify_bridge.database import explained, has_schema, is_test_database, relation
from notify_bridge.errors import MIGRATE, NotifyBridgeError, sqlstate

logger = logging.getLogger("notify_bridge")

# The functions give up after a second (or three), so that nobody waits long behind them; so often they are tried.
TRIES = 20
PAUSE_SECONDS = 0.5
_LOCKED = "55P03"  # lock_not_available
_IN_USE = "55006"  # object_in_use: rows written in this transaction have checks to come
_OWNER = "Migrations that attach run as the owner of schema notify_bridge and of the table. {role} isn't that of both."


class _BridgeOperation(base.Operation):
    """Calls a function of the bridge's schema, and another one to undo that. The models stay as they are."""

    reversible = True
    # Only newer versions of Django have it.
    category = getattr(getattr(base, "OperationCategory", None), "SQL", None)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Nothing: what is added belongs to the bridge, and no model has it."""

    def _is_wanted(self, schema_editor: BaseDatabaseSchemaEditor) -> bool:
        """Whether this database can be attached at all; says so where it can't. An error where it should."""
        connection = schema_editor.connection
        if connection.vendor != "postgresql":
            logger.warning(
                '%s: left out on database "%s": NotifyBridge needs PostgreSQL, and this is %s.',
                self.describe(),
                connection.alias,
                connection.vendor,
            )
            return False
        if schema_editor.collect_sql or has_schema(connection):
            return True
        if is_test_database(connection):
            logger.info("%s: left out: the test database has no schema notify_bridge.", self.describe())
            return False
        raise NotifyBridgeError(
            f'{self.describe()}: database "{connection.alias}" has no schema notify_bridge. {MIGRATE}'
        )

    def _run(self, schema_editor: BaseDatabaseSchemaEditor, statement: str, parameters: list[Any]) -> list[Any]:
        """Runs a function that returns rows, again and again while others hold the table."""
        connection = schema_editor.connection
        if schema_editor.collect_sql:
            schema_editor.execute(statement, parameters)
            return []
        for left in range(TRIES - 1, -1, -1):
            try:
                # Within the migration's transaction this is a savepoint, else a transaction of its own.
                with transaction.atomic(connection.alias), connection.cursor() as cursor:
                    cursor.execute(statement, parameters)
                    return list(cursor.fetchall())
            except OperationalError as error:
                if sqlstate(error) == _IN_USE:
                    what = f"This migration has written rows: put {type(self).__name__} into one of its own."
                    raise NotifyBridgeError(f"{NotifyBridgeError.of(error)}\n{what}") from error
                if sqlstate(error) != _LOCKED or left == 0:
                    raise explained(connection, error, _OWNER) from error
                if left == TRIES - 1:
                    logger.warning("%s: others use the table; trying for some time.", self.describe())
                time.sleep(PAUSE_SECONDS)
            except DatabaseError as error:
                raise explained(connection, error, _OWNER) from error
        return []

    def _say(self, rows: list[Any]) -> None:
        for step, what in rows:
            logger.log(logging.WARNING if step in ("todo", "next") else logging.INFO, "%s: %s", self.describe(), what)


class AttachNotifyBridge(_BridgeOperation):
    """Has the bridge serve the table of a model, or a table given by its name.

    Rows inserted afterwards are delivered; those from before are not. Reversing it takes away what it added.

    Columns are given by the names of fields or of columns. Those that are omitted are inferred from the table; an empty
    text means none. `payload` is a field, or an SQL expression over the row's columns, such as
    `jsonb_build_object('title', title)`.

    The table is locked for moments only. A table of 10,000 rows and more needs `atomic = False` in its migration, so
    that its two indexes are built while writers go on; or `build_indexes=True`, which builds them while writers wait;
    or `build_indexes=False`, which leaves them to `notify-bridge attach`.
    """

    # None is keyword-only: Django 4.2 leaves such out when it writes an operation into a squashed migration.
    def __init__(
        self,
        model_or_table: str,
        recipient: str | None = None,
        payload: str | None = None,
        id: str | None = None,
        sent: str | None = None,
        created: str | None = None,
        read: str | None = None,
        retention_days: int | None = None,
        build_indexes: bool | None = None,
        force: bool = False,
    ) -> None:
        self.model_or_table = model_or_table
        self.recipient = recipient
        self.payload = payload
        self.id = id
        self.sent = sent
        self.created = created
        self.read = read
        self.retention_days = retention_days
        self.build_indexes = build_indexes
        self.force = force

    def describe(self) -> str:
        return f"Attach {self.model_or_table} to NotifyBridge"

    @property
    def migration_name_fragment(self) -> str:
        words = "".join(letter if letter.isalnum() else "_" for letter in self.model_or_table.lower())
        return f"attach_{words.strip('_')}"

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = self._model(app_label, to_state)
        if not self._is_allowed(app_label, schema_editor, model) or not self._is_wanted(schema_editor):
            return
        connection = schema_editor.connection
        table = self._relation(connection, model)
        online = not schema_editor.atomic_migration and not schema_editor.collect_sql
        done = self._run(
            schema_editor,
            "SELECT step, what FROM notify_bridge.attach(%s::text::regclass, recipient => %s::name, id => %s::name,"
            " payload => %s::text, sent => %s::name, created => %s::name, read => %s::name,"
            " retention_days => %s::integer, build_indexes => %s::boolean, force => %s::boolean)",
            [
                table,
                *(
                    self._column(model, name)
                    for name in (self.recipient, self.id, self.payload, self.sent, self.created, self.read)
                ),
                self.retention_days,
                self.build_indexes,
                self.force,
            ],
        )
        if any(step == "next" for step, _ in done):
            if self.build_indexes is None and not online:
                # What was done so far goes with the migration's transaction.
                raise NotifyBridgeError(
                    f"{self.describe()}: the table has 10,000 rows or more. Make this the only operation of its"
                    " migration, with `atomic = False` in the class: then its indexes are built while writers go on."
                    " Or give build_indexes=True: then writers wait."
                )
            if online:
                self._build_indexes(connection, table)
                done = [row for row in done if row[0] != "next"]
        self._say(done)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = self._model(app_label, from_state)
        if not self._is_allowed(app_label, schema_editor, model) or not self._is_wanted(schema_editor):
            return
        table = self._relation(schema_editor.connection, model)
        self._say(self._run(schema_editor, "SELECT step, what FROM notify_bridge.detach(%s::text::regclass)", [table]))

    def _model(self, app_label: str, state: ProjectState) -> type[Model] | None:
        """The model that is meant, as it is in this state; None where a table is meant."""
        label, _, name = self.model_or_table.rpartition(".")
        if (label or app_label, name.lower()) in state.models:
            return state.apps.get_model(label or app_label, name)
        return None

    def _is_allowed(self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, model: type[Model] | None) -> bool:
        alias = schema_editor.connection.alias
        if model is None:
            return bool(router.allow_migrate(alias, app_label))
        return self.allow_migrate_model(alias, model)

    def _relation(self, connection: BaseDatabaseWrapper, model: type[Model] | None) -> str:
        return self.model_or_table if model is None else relation(connection, model._meta.db_table)

    def _column(self, model: type[Model] | None, name: str | None) -> str | None:
        """The column of a field; anything else as it is."""
        if model is not None and name:
            try:
                return getattr(model._meta.get_field(name), "column", None) or name
            except FieldDoesNotExist:
                pass
        return name

    def _build_indexes(self, connection: BaseDatabaseWrapper, table: str) -> None:
        """Builds them CONCURRENTLY, one after another, each as soon as it can be."""
        while True:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT what, statement FROM notify_bridge.index_steps(%s::text::regclass) LIMIT 1", [table]
                )
                step = cursor.fetchone()
                if step is None:
                    break
                try:
                    cursor.execute(step[1])
                except DatabaseError as error:
                    what = "Repeat the migration: it goes on where this one ended."
                    raise NotifyBridgeError(f"{self.describe()}: {NotifyBridgeError.of(error)}\n{what}") from error
            logger.info("%s: %s", self.describe(), step[0])
        # Bridges look again.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('notify_bridge', '')")


class AttachLogins(_BridgeOperation):
    """Has a logout, a deleted token, a changed password and a deactivated user close their sockets at once.

    Puts triggers on Django's tables of sessions, tokens (where there is one) and users. `user_table` names the table of
    users where it can't be found. The migration has to depend on those that make these tables.
    """

    def __init__(self, user_table: str | None = None) -> None:
        self.user_table = user_table

    def describe(self) -> str:
        return "Attach logins to NotifyBridge"

    @property
    def migration_name_fragment(self) -> str:
        return "attach_logins"

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if router.allow_migrate(schema_editor.connection.alias, app_label) and self._is_wanted(schema_editor):
            statement = "SELECT 'did', a FROM notify_bridge.attach_logins(%s::text::regclass) AS a"
            self._say(self._run(schema_editor, statement, [self.user_table]))

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if router.allow_migrate(schema_editor.connection.alias, app_label) and self._is_wanted(schema_editor):
            self._say(self._run(schema_editor, "SELECT 'did', d FROM notify_bridge.detach_logins() AS d", []))
