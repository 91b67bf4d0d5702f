"""What an admin of notifications needs: which rows were sent, and a way to send them again."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db import connections, models, router
from django.db.models import BooleanField, DateTimeField, QuerySet
from django.db.models.expressions import RawSQL
from django.http import HttpRequest
from django.utils.text import Truncator

from notify_bridge.database import Source, call, relation, source_of
from notify_bridge.errors import NotifyBridgeError


def _source(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> Source | None:
    """How the bridge reads the admin's table, asked once for a request; None where it doesn't."""
    asked: dict[type[models.Model], Source | None] = request.__dict__.setdefault("_notify_bridge_sources", {})
    model = model_admin.model
    if model not in asked:
        connection = connections[model_admin.get_queryset(request).db]
        asked[model] = source_of(connection, model) if connection.vendor == "postgresql" else None
    return asked[model]


class DeliveryFilter(admin.SimpleListFilter):
    """Rows by what became of them, in the words of the bridge. Not shown where the table isn't attached."""

    title = "delivery"
    parameter_name = "delivery"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        self.source = _source(model_admin, request)
        if self.source is None:
            return []
        choices = [("unsent", "Unsent"), ("sent", "Sent"), ("before", "From before it was attached")]
        return choices + ([("kept", "Not to be sent")] if self.source.sent_column else [])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        conditions = {
            "unsent": {"_has_txid": True, "_is_marked": False, "_sent_at__isnull": True},
            "sent": {"_sent_at__isnull": False},
            "before": {"_has_txid": False, "_sent_at__isnull": True},
            "kept": {"_is_marked": True, "_sent_at__isnull": True},
        }.get(self.value() or "")
        if conditions is None or self.source is None:
            return queryset
        return _with_delivery(queryset, self.source).filter(**conditions)


def _with_delivery(queryset: QuerySet[Any], source: Source) -> QuerySet[Any]:
    """Columns of the bridge, which no model needs to have."""
    quote = connections[queryset.db].ops.quote_name
    table = quote(queryset.model._meta.db_table)
    marked = f"{table}.{quote(source.sent_column)}" if source.sent_column else "false"
    annotated: QuerySet[Any] = queryset.annotate(
        _has_txid=RawSQL(f"({table}.{quote(source.txid_column)} IS NOT NULL)", (), BooleanField()),
        _is_marked=RawSQL(f"coalesce({marked}, false)", (), BooleanField()),
        _sent_at=RawSQL(f"{table}.{quote(source.sent_at_column)}", (), DateTimeField(null=True)),
    )
    return annotated


class NotificationAdminMixin:
    """For a ModelAdmin of any attached table: columns, a filter, and the action that sends rows again.

    `class NotificationAdmin(NotificationAdminMixin, admin.ModelAdmin): …`
    """

    model: type[models.Model]
    actions = ("send_again",)

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [DeliveryFilter, *super().get_list_filter(request)]  # type: ignore[misc]

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        shown = list(super().get_list_display(request))  # type: ignore[misc]
        return [*shown, "delivered"] if _source(self, request) else shown  # type: ignore[arg-type]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        queryset: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        source = request.__dict__.get("_notify_bridge_sources", {}).get(self.model)
        return _with_delivery(queryset, source) if source else queryset

    @admin.display(description="delivered", ordering="_sent_at")
    def delivered(self, row: Any) -> Any:
        """When the row was sent; otherwise why it wasn't."""
        if row._sent_at is not None:
            return row._sent_at
        return "not to be sent" if row._is_marked else "unsent" if row._has_txid else "from before"

    @admin.display(description="data")
    def summary(self, row: Any) -> str:
        """The beginning of `data`, for list_display."""
        return Truncator(json.dumps(row.data, ensure_ascii=False, default=str)).chars(80)

    @admin.action(description="Send the chosen rows again", permissions=["change"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        connection = connections[router.db_for_write(self.model)]
        keys = [str(key) for key in queryset.values_list("pk", flat=True)]
        try:
            count = call(
                connection,
                "SELECT notify_bridge.resend(%s::text::regclass, %s::text[])",
                [relation(connection, self.model._meta.db_table), keys],
                "GRANT USAGE ON SCHEMA notify_bridge TO {role};"
                " GRANT EXECUTE ON FUNCTION notify_bridge.resend TO {role}",
            )
        except NotifyBridgeError as error:
            messages.error(request, f"Nothing was sent: {error}")
        else:
            messages.success(request, f"{count} rows are sent again.")


class NotificationAdmin(NotificationAdminMixin, admin.ModelAdmin):  # type: ignore[type-arg, misc]
    """For a model that derives from NotificationBase: `admin.site.register(Notification, NotificationAdmin)`."""

    list_display = ("id", "recipient", "summary", "created_at", "is_read")
    list_filter = ("is_read",)
    list_select_related = ("recipient",)
    raw_id_fields = ("recipient",)
    readonly_fields = ("created_at", "is_sent", "sent_at", "read_at")
    date_hierarchy = "created_at"
    ordering = ("-id",)
