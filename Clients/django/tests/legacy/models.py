"""A table as a project has had it for years: of another shape than the bridge's."""

import uuid

from django.conf import settings
from django.db import models


class WorkOrderNotification(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    worker = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    title = models.CharField(max_length=200)
    content = models.TextField(blank=True)
    data = models.JSONField(null=True)
    is_sent = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "Work order: notification"
