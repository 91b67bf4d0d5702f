"""The application that daphne or uvicorn serves: sockets whose JWT names a user."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

import jwt  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.urls import path  # noqa: E402

from backend.consumers import NotificationConsumer  # noqa: E402


class JWTMiddleware:
    """Puts the user of `Authorization: Bearer …` into the scope."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        header = dict(scope["headers"]).get(b"authorization", b"").decode()
        try:
            claims = jwt.decode(header.removeprefix("Bearer "), settings.SECRET_KEY, algorithms=["HS256"])
            user = claims["user_id"]
        except (jwt.InvalidTokenError, KeyError):
            user = None
        await self.inner(scope | {"user_id": user}, receive, send)


application = ProtocolTypeRouter(
    {"websocket": JWTMiddleware(URLRouter([path("ws/notifications/", NotificationConsumer.as_asgi())]))})
