"""Two users of the running example: what one sends the other receives, and a log-out closes the socket."""

from __future__ import annotations

import asyncio
import http.cookiejar
import json
import re
import sys
import urllib.parse
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "EndToEndTests"))
from harness import frames  # noqa: E402

SITE = "http://localhost:8000"


class User:
    """A browser of a user who has logged in."""

    def __init__(self, name: str) -> None:
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.page = self.opener.open(SITE + "/log-in/").read().decode()
        self.page = self.post("/log-in/", username=name)

    def post(self, path: str, **fields: str) -> str:
        found = re.search(r'csrfmiddlewaretoken" value="([^"]+)', self.page)
        assert found, self.page
        body = urllib.parse.urlencode(fields | {"csrfmiddlewaretoken": found[1]}).encode()
        return self.opener.open(urllib.request.Request(SITE + path, body)).read().decode()

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)


async def main() -> None:
    ada, grace = User("Ada"), User("Grace")
    socket = await frames.Socket.open("localhost", 8080)
    headers = [("Sec-WebSocket-Protocol", "notify-bridge.v1"), ("Cookie", grace.cookie), ("Origin", SITE)]
    await socket.handshake("/ws/notifications/", "localhost:8080", headers)
    await asyncio.to_thread(ada.post, "/send/", to="Grace", text="hello from Ada")
    arrived = False
    while frame := await socket.frame():
        if frame.opcode == frames.TEXT and not arrived and json.loads(frame.payload).get("data", {}).get("text") == "hello from Ada":
            arrived = True
            await asyncio.to_thread(grace.post, "/log-out/")
        elif frame.opcode == frames.CLOSE:
            break
    assert arrived and frame is not None and frame.payload == frames.close_payload(4001, "revoked"), frame


asyncio.run(asyncio.wait_for(main(), 15))
