from __future__ import annotations

from django.conf import settings
from django.db import models
from notify_bridge.models import NotificationBase


class Notification(NotificationBase):
    """Made for the bridge."""


class WorkOrder(models.Model):
    """As a project has had it for years; its marks are the ORM's as well."""

    worker = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    title = models.CharField(max_length=200)
    is_sent = models.BooleanField(default=False)
