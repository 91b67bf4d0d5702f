"""An unchanged front end, written for a Channels consumer: first at that consumer, then at the bridge in its place."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest_asyncio
from harness import bridge as programs, channels
from harness.bridge import Bridge
from harness.channels import ChannelsSite
from harness.database import Database
from harness.proxy import Nginx, location
from harness.tokens import token
from playwright.async_api import Browser, Page, expect

Serve = Callable[..., Awaitable[Bridge]]
PAYLOAD = "jsonb_build_object('title', title, 'text', text)"


@dataclass
class Seen:
    """What a run of the front end saw on its sockets."""

    received: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def first(self, kind: str) -> dict[str, Any]:
        return next(message for message in self.received if message["type"] == kind)

    def count(self, kind: str) -> int:
        return sum(message["type"] == kind for message in self.received)


@pytest_asyncio.fixture
async def site(database: Database) -> AsyncIterator[ChannelsSite]:
    running = await ChannelsSite.serve(database)
    await channels.manage(
        database, "shell", "-c",
        "from django.contrib.auth.models import User\n"
        "for name in ('ada', 'grace'): User.objects.create_user(name, password='a password')")
    yield running
    await running.stop()


@pytest_asyncio.fixture
async def nginx() -> AsyncIterator[Nginx]:
    running = Nginx()
    yield running
    await running.remove()


async def watched(page: Page) -> Seen:
    seen = Seen()
    page.on("websocket", lambda socket: (
        socket.on("framereceived", lambda text: seen.received.append(json.loads(text))),
        socket.on("framesent", lambda text: seen.sent.append(json.loads(text)))))
    return seen


async def use(browser: Browser, port: int) -> Seen:
    """Logs in, orders, sees it arrive, stays for a ping, and comes back with a token that is none."""
    context = await browser.new_context()
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.clock.install()
    seen = await watched(page)
    await page.goto(f"http://127.0.0.1:{port}/")
    await page.fill("[name=username]", "ada")
    await page.fill("[name=password]", "a password")
    await page.click("#login button")
    status = page.locator("#status")
    await expect(status).to_have_text("connected as user 1 in user_1_notifications")
    await page.click("#order")
    await expect(page.locator("#notifications li")).to_have_text(["Your order is ready: a pump"])
    await page.clock.fast_forward(30_000)
    await expect(page.locator("#heartbeats")).to_have_text("1")
    await page.click("#order")
    await expect(page.locator("#notifications li")).to_have_count(2)
    for bad in ("garbage", token(1, secret="another secret of more than thirty-two bytes"), token(1, ttl=-60, secret=channels.KEY)):
        await page.evaluate("token => localStorage.setItem('access', token)", bad)
        await page.reload()
        await expect(status).to_have_text("please log in")
        assert await page.evaluate("localStorage.getItem('access')") is None
    await context.close()
    assert said == []
    return seen


async def test_a_front_end_of_channels_works_unchanged(
    database: Database, serve: Serve, site: ChannelsSite, nginx: Nginx, browser: Browser
) -> None:
    await nginx.serve(location("/", site.port))
    before = await use(browser, nginx.port)
    done = await programs.run(
        "attach", "notifications_notification", "--payload", PAYLOAD, "--yes", DATABASE_URL=database.url)
    assert done.status == 0, done
    bridge = await serve(database, NOTIFY_BRIDGE_AUTH_JWT_SECRET=channels.KEY)
    await bridge.ready()
    await nginx.serve(location("/", site.port) + location("/ws/notifications/", bridge.port))
    after = await use(browser, nginx.port)

    assert before.sent == after.sent == [{"type": "ping"}]
    for kind, count in {"connection_established": 1, "notification": 2, "heartbeat": 1}.items():
        assert before.count(kind) == after.count(kind) == count
        old, new = before.first(kind), after.first(kind)
        # Everything that the consumer says, the bridge says too, in the same form; it says more beside.
        assert {key: type(value) for key, value in old.items()}.items() <= {key: type(value) for key, value in new.items()}.items()
        assert old.get("data") == new.get("data") and old.get("group") == new.get("group")
    # Rows from before are not sent.
    assert await database.value("SELECT count(*) FROM notifications_notification WHERE sent_at IS NULL") == 2


async def test_what_channels_loses_arrives_through_the_bridge(
    database: Database, serve: Serve, site: ChannelsSite, nginx: Nginx, browser: Browser
) -> None:
    """The front end is not there when the row is written: at the consumer it never comes, at the bridge it waits."""
    context = await browser.new_context()
    page = await context.new_page()

    async def missed(text: str) -> None:
        await page.goto("about:blank")
        await channels.manage(
            database, "shell", "-c",
            "from django.contrib.auth.models import User\nfrom notifications.services import notify\n"
            f"notify(User.objects.get(pk=1), 'Missed', {text!r})")
        await page.goto(f"http://127.0.0.1:{nginx.port}/")
        await expect(page.locator("#status")).to_contain_text("connected as user 1")

    await nginx.serve(location("/", site.port))
    await page.goto(f"http://127.0.0.1:{nginx.port}/")
    await page.evaluate("token => localStorage.setItem('access', token)", token(1, secret=channels.KEY, jti="one"))
    await missed("at the consumer")
    await page.click("#order")
    await expect(page.locator("#notifications li")).to_have_text(["Your order is ready: a pump"])
    done = await programs.run("attach", "notifications_notification", "--payload", PAYLOAD, "--yes", DATABASE_URL=database.url)
    assert done.status == 0, done
    bridge = await serve(database, NOTIFY_BRIDGE_AUTH_JWT_SECRET=channels.KEY)
    await bridge.ready()
    await nginx.serve(location("/", site.port) + location("/ws/notifications/", bridge.port))
    await missed("at the bridge")
    await expect(page.locator("#notifications li")).to_have_text(["Missed: at the bridge"])
    await context.close()
