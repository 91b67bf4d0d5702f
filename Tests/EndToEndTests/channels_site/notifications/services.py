from __future__ import annotations

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from notifications.models import Notification


def notify(user: User, title: str, text: str = "") -> Notification:
    """Saves a notification, and sends it to whoever is connected just now."""
    notification = Notification.objects.create(user=user, title=title, text=text)
    async_to_sync(get_channel_layer().group_send)(f"user_{user.pk}_notifications", {
        "type": "notification",
        "id": notification.pk,
        "created_at": notification.created_at.isoformat(),
        "data": {"title": title, "text": text},
    })
    return notification
