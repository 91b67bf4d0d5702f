"""The demo page with two devices, on a database of its own or of somebody else: whose rows are where, and what a kill loses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest_asyncio
from harness.cluster import free_port
from harness.database import Database
from harness.dev import Dev, folder
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

CHROMIUM = "/usr/bin/chromium"
Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module")
async def dev() -> AsyncIterator[Dev]:
    """One for all tests of this file: they differ in users and texts."""
    place = folder()
    running = await Dev.open(place / "data")
    yield running
    await running.terminate()
    shutil.rmtree(place)


def insert(dev: Dev, user: int, data: str) -> int:
    with psycopg.connect(dev.psql, autocommit=True) as session:
        return session.execute(
            "INSERT INTO notification (user_id, data) VALUES (%s, %s::text::jsonb) RETURNING id", (user, data)).fetchone()[0]


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Opens pages; a test fails where one of them says anything in the console, unless it allows that."""
    contexts = []
    said: list[str] = []

    async def start(url: str, *, quiet: bool = True, **options: Any) -> Page:
        context = await browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = await context.new_page()
        if quiet:
            page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("requestfailed", lambda request: said.append(f"{request.url} failed"))
        await page.goto(url)
        return page

    yield start
    for context in contexts:
        await context.close()
    assert said == []


def device(page: Page, number: int) -> Locator:
    return page.locator("article.device").nth(number)


async def connected(page: Page, count: int) -> None:
    await expect(page.locator("[data-testid=connection-state][data-state=connected]")).to_have_count(count)


def row(place: Page | Locator, id: int) -> Locator:
    return place.locator(f"[data-testid=notification][data-id='{id}']")


async def test_an_inserted_row_appears_on_its_users_device_and_turns_sent(dev: Dev, open_page: Open) -> None:
    page = await open_page(f"{dev.page}#1,2")
    await connected(page, 2)
    assert await page.get_by_test_id("user-select").evaluate_all("list => list.map(item => item.value)") == ["1", "2"]
    id = insert(dev, 1, '{"text": "from SQL"}')
    shown = row(device(page, 0), id)
    await expect(shown).to_have_attribute("data-state", "sent")
    await expect(shown).to_contain_text("from SQL")
    assert re.match(r"(under 0\.1|\d+(\.\d)?) ms after the row$", await shown.get_by_test_id("latency").inner_text())
    # A row of the other user, written later, is there: what was not for it would be there too.
    sentinel = insert(dev, 2, '{"text": "for the other"}')
    await expect(row(device(page, 1), sentinel)).to_be_visible()
    assert await row(device(page, 1), id).count() == 0
    assert await row(device(page, 0), sentinel).count() == 0


async def test_the_form_inserts_a_row_for_the_chosen_user(dev: Dev, open_page: Open) -> None:
    page = await open_page(f"{dev.page}#1,2")
    await connected(page, 2)
    await page.get_by_test_id("send-user").select_option("2")
    text = "It's here: \"quoted\" & ünïcode ✓"
    await page.get_by_test_id("send-text").fill(text)
    assert json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")).replace("'", "''") in await page.locator("#sql").inner_text()
    await page.get_by_test_id("send-button").click()
    shown = device(page, 1).get_by_test_id("notification").filter(has_text=text)
    await expect(shown).to_have_attribute("data-state", "sent")
    await expect(shown.get_by_test_id("latency")).to_contain_text("after the click")
    await expect(page.get_by_test_id("send-form")).to_contain_text(f"row {await shown.get_attribute('data-id')} inserted")
    assert await device(page, 0).get_by_test_id("notification").filter(has_text=text).count() == 0


async def test_a_payload_with_markup_stays_text(dev: Dev, open_page: Open) -> None:
    page = await open_page(f"{dev.page}#3")
    await connected(page, 1)
    markup = "<img src=x onerror=\"window.hit = 1\"><script>window.hit = 2</script><b>bold</b>"
    ids = [insert(dev, 3, json.dumps(data)) for data in ({"text": markup}, {"html": markup}, markup, {markup: 1})]
    for id in ids:
        await expect(row(page, id)).to_have_attribute("data-state", "sent")
        await expect(row(page, id)).to_contain_text("<b>bold</b>")
        assert await row(page, id).locator("img, script, b").count() == 0
    assert await page.evaluate("window.hit") is None
    assert await page.locator(".raw img, .raw script, .raw b").count() == 0


async def test_the_page_comes_back_after_a_kill_with_its_cursor_and_shows_each_row_once(database: Database, open_page: Open) -> None:
    place = folder()
    port = str(free_port())

    async def start() -> Dev:
        dev = await Dev.start("dev", "--data-dir", str(place / "data"), DATABASE_URL=database.url, NOTIFY_BRIDGE_HTTP_PORT=port)
        await dev.listening()
        assert str(dev.port) == port
        return dev

    dev = await start()
    try:
        # The browser itself says in the console that the bridge is away.
        page = await open_page(f"http://127.0.0.1:{port}/#1", quiet=False)
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await connected(page, 1)
        before = await database.insert(1, '{"text": "before"}')
        await expect(row(page, before)).to_have_attribute("data-state", "sent")
        await dev.kill()
        await expect(page.get_by_test_id("connection-state")).to_have_attribute("data-state", "closed")
        meanwhile = [await database.insert(1, json.dumps({"text": f"meanwhile {number}"})) for number in range(3)]
        dev = await start()
        for id in meanwhile:
            await expect(row(page, id)).to_have_attribute("data-state", "sent", timeout=15_000)
        await connected(page, 1)
        shown = await page.get_by_test_id("notification").evaluate_all("list => list.map(item => Number(item.dataset.id))")
        assert shown == [*reversed(meanwhile), before]
        assert any("since=" in url for url in sockets), sockets
        assert not any("token" in url for url in sockets), sockets
    finally:
        await dev.terminate()
        shutil.rmtree(place)
