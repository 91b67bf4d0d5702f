from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_channels.settings")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

django_application = get_asgi_application()

from notifications.consumers import NotificationConsumer  # noqa: E402  (Django first)

application = ProtocolTypeRouter({
    "http": django_application,
    "websocket": URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi())]),
})
