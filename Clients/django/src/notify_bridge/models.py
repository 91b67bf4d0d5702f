"""The abstract model for projects that have no table of notifications yet."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from notify_bridge.fields import BridgeBooleanField, BridgeDateTimeField


class NotificationBase(models.Model):
    """A notification: INSERT it, in the transaction of the change that it reports, and the bridge delivers it.

    Attach the table in a migration: `AttachNotifyBridge("Notification", "recipient", "data", sent="sent_at")`.
    """

    id = models.BigAutoField(primary_key=True)
    # No index of its own: attaching adds one that begins with it.
    recipient = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="%(app_label)s_%(class)ss"
    )
    data = models.JSONField(encoder=DjangoJSONEncoder)
    is_sent = BridgeBooleanField(default=False, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    sent_at = BridgeDateTimeField(null=True, blank=True, editable=False)
    is_read = models.BooleanField(default=False)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"notification {self.pk}"
