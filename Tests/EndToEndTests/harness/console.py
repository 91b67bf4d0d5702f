"""The console of a bridge, as its page asks it."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import urlencode

from .bridge import Bridge

KEY = "a service key for tests"


class Console:
    """Asks the console at the main port with the key, or at the admin port without one."""

    def __init__(self, bridge: Bridge, *, key: str | None = None, port: int | None = None) -> None:
        self.bridge = copy.copy(bridge)
        self.bridge.port = port or bridge.port
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.bridge.port}/console"

    async def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> tuple[int, Any]:
        """A GET below /console/api: its status and JSON."""
        target = f"/console/api/{path}" + (f"?{urlencode(query)}" if query else "")
        status, _, body = await self.bridge.get(target, self.headers | (headers or {}))
        return status, json.loads(body)

    async def state(self) -> Any:
        status, state = await self.get("state")
        assert status == 200, state
        return state

    async def figure(self, name: str) -> Any:
        """A figure of the database."""
        database = (await self.state())["database"]
        assert database["problem"] is None, database
        return database["value"][name]

    async def post(self, action: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """An action: its status and JSON."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": "application/json"} | self.headers | (headers or {})
        status, _, answer = await self.bridge.get(f"/console/api/{action}", fields, "POST", body=text)
        return status, json.loads(answer)
