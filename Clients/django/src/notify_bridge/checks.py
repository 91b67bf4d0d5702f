"""System checks: settings with `manage.py check`, the database with `manage.py check --database default`.

Those of the database are warnings: `migrate` runs them too, and may be what mends the matter.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import DatabaseError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from notify_bridge.conf import CREDENTIALS, DEFAULTS, database, notification_model, setting
from notify_bridge.database import NEEDED_VERSION, has_schema, relation, source_of, version
from notify_bridge.errors import MIGRATE, NotifyBridgeError


@register("notify_bridge")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    found = [*_names(), *_model(), *_url(), *_credential()]
    if not settings.USE_TZ:
        found.append(
            Warning(
                "USE_TZ is False: Django shows the instants that the bridge writes in the connection's time zone.",
                hint="Set USE_TZ = True.",
                id="notify_bridge.W002",
            )
        )
    return found


def _names() -> Iterable[CheckMessage]:
    for name in dir(settings):
        if name.startswith("NOTIFY_BRIDGE") and name not in DEFAULTS:
            near = difflib.get_close_matches(name, DEFAULTS, n=1, cutoff=0.75)
            hint = f"Is {near[0]} meant?" if near else f"Known are {', '.join(DEFAULTS)}."
            yield Warning(f"The setting {name} is unknown.", hint=hint, id="notify_bridge.W001")


def _model() -> Iterable[CheckMessage]:
    if not setting("NOTIFY_BRIDGE_MODEL"):
        return
    try:
        model = notification_model()
    except ImproperlyConfigured as error:
        yield Error(str(error), hint='Name a model of an installed app: "app.Model".', id="notify_bridge.E001")
        return
    for name in ("recipient", "data"):
        try:
            model._meta.get_field(name)
        except FieldDoesNotExist:
            yield Error(
                f"notify() writes {model._meta.label}, which has no field {name}.",
                hint="Derive it from notify_bridge.models.NotificationBase, or write your model yourself and leave "
                "NOTIFY_BRIDGE_MODEL out.",
                obj=model,
                id="notify_bridge.E002",
            )


def _url() -> Iterable[CheckMessage]:
    url = setting("NOTIFY_BRIDGE_URL")
    parts = urlsplit(url if isinstance(url, str) else "")
    is_path = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    is_address = parts.scheme in ("ws", "wss") and bool(parts.hostname)
    if not (is_path or is_address) or parts.query or parts.fragment:
        yield Error(
            f"NOTIFY_BRIDGE_URL = {url!r} is no address of a bridge.",
            hint='Give a path on the page\'s own host, "/ws/notifications/", or "wss://host/ws/notifications/".',
            id="notify_bridge.E003",
        )


def _credential() -> Iterable[CheckMessage]:
    credential = setting("NOTIFY_BRIDGE_CREDENTIAL")
    if credential not in CREDENTIALS:
        yield Error(
            f"NOTIFY_BRIDGE_CREDENTIAL = {credential!r} is unknown.",
            hint=f"Known are {', '.join(CREDENTIALS)}.",
            id="notify_bridge.E004",
        )


@register("notify_bridge", Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    try:
        alias = database()
        model = notification_model() if setting("NOTIFY_BRIDGE_MODEL") else None
    except ImproperlyConfigured:
        return []  # check_settings says it.
    if alias not in (databases or ()):
        return []
    connection = connections[alias]
    if connection.vendor != "postgresql":
        return [
            Warning(
                f'Database "{alias}" is {connection.vendor}: nothing is delivered from it.',
                hint="NotifyBridge needs PostgreSQL, 14 or newer.",
                id="notify_bridge.W101",
            )
        ]
    try:
        return list(_schema(connection, model))
    except DatabaseError as error:
        return [
            Warning(
                f'Database "{alias}" could not be looked at: {NotifyBridgeError.of(error)}',
                id="notify_bridge.W109",
            )
        ]


def _schema(connection: BaseDatabaseWrapper, model: type[models.Model] | None) -> Iterable[CheckMessage]:
    alias = connection.alias
    if not has_schema(connection):
        yield Warning(f'Database "{alias}" has no schema notify_bridge.', hint=MIGRATE, id="notify_bridge.W102")
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN has_schema_privilege('notify_bridge', 'USAGE')"
            " THEN has_table_privilege('notify_bridge.migration', 'SELECT') ELSE false END"
        )
        if not cursor.fetchone()[0]:
            return  # A role that only writes rows needs no right there, and can't see more.
    known = version(connection)
    if known < NEEDED_VERSION:
        yield Warning(
            f'The schema notify_bridge of database "{alias}" is at version {known}, and has to be at {NEEDED_VERSION}.',
            hint=MIGRATE,
            id="notify_bridge.W103",
        )
        return
    if model is not None:
        yield from _table(connection, model)


def _table(connection: BaseDatabaseWrapper, model: type[models.Model]) -> Iterable[CheckMessage]:
    label = model._meta.label
    source = source_of(connection, model)
    if source is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NULL", [relation(connection, model._meta.db_table)])
            if cursor.fetchone()[0]:
                return  # The migrations that make and attach it are still to come.
        yield Warning(
            f"{label} is not attached: its rows are not delivered.",
            hint=f'Add AttachNotifyBridge("{model._meta.object_name}", …) to a migration, and run `manage.py migrate`.',
            obj=model,
            id="notify_bridge.W104",
        )
        return
    if source.problem is not None:
        yield Warning(
            f"Rows of {label} are not delivered: {source.problem}.",
            hint="Attach it again, by `notify-bridge attach` or AttachNotifyBridge in a new migration.",
            obj=model,
            id="notify_bridge.W105",
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE g.tgenabled = 'A'), count(g.oid), count(DISTINCT t.relid)"
            " FROM notify_bridge.tables_of(%s::text::regclass) AS t LEFT JOIN pg_trigger AS g"
            " ON g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure",
            [relation(connection, model._meta.db_table)],
        )
        enabled, present, tables = cursor.fetchone()
    if enabled < tables:
        what = "missing" if present < tables else "not enabled ALWAYS"
        yield Warning(
            f"The trigger notify_bridge_ring of {label} is {what}: rows come late.",
            hint="Attach it again, by `notify-bridge attach` or AttachNotifyBridge in a new migration.",
            obj=model,
            id="notify_bridge.W106",
        )
