"""Hands new rows to Channels: python relay.py, with DATABASE_URL and REDIS_URL."""

from __future__ import annotations

import asyncio
import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

from channels.layers import get_channel_layer  # noqa: E402

from backend.consumers import group_of  # noqa: E402
from rows import mark, new_rows  # noqa: E402


async def main() -> None:
    layer = get_channel_layer()
    async for connection, rows in new_rows(os.environ["DATABASE_URL"]):
        for row in rows:
            await layer.group_send(group_of(row["user_id"]), {
                "type": "notification", "message": {
                    "type": "notification", "id": row["id"], "created_at": row["created_at"].isoformat(),
                    "data": json.loads(row["data"])}})
        await mark(connection, rows)


asyncio.run(main())
