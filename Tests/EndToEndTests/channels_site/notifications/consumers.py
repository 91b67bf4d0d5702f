from __future__ import annotations

from urllib.parse import parse_qs

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken


class NotificationConsumer(AsyncJsonWebsocketConsumer):
    group = None

    async def connect(self):
        query = parse_qs(self.scope["query_string"].decode())
        await self.accept()
        try:
            user = int(AccessToken(query["token"][0])["user_id"])
        except (KeyError, TokenError):
            await self.close(code=4001)
            return
        self.group = f"user_{user}_notifications"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.send_json({
            "type": "connection_established", "user_id": user, "timestamp": timezone.now().isoformat(), "group": self.group,
        })

    async def disconnect(self, code):
        if self.group:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content):
        if content.get("type") == "ping":
            await self.send_json({"type": "heartbeat", "timestamp": timezone.now().isoformat()})

    async def notification(self, event):
        await self.send_json(event)
