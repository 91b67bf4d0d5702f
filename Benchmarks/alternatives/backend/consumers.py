"""The consumer as projects have it: one group for each user."""

from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.utils import timezone


def group_of(user_id: int) -> str:
    return f"user_{user_id}_notifications"


class NotificationConsumer(AsyncJsonWebsocketConsumer):
    group: str | None = None

    async def connect(self) -> None:
        user_id = self.scope["user_id"]
        await self.accept()
        if user_id is None:
            await self.close(code=4001)
            return
        self.group = group_of(user_id)
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.send_json({"type": "connection_established", "user_id": user_id,
                              "timestamp": timezone.now().isoformat(), "group": self.group})

    async def disconnect(self, code: int) -> None:
        if self.group is not None:
            await self.channel_layer.group_discard(self.group, self.channel_name)

    async def notification(self, event: dict[str, Any]) -> None:
        await self.send_json(event["message"])
