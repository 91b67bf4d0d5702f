"""The page of `notify-bridge dev` in a real browser: what somebody sees who tries the bridge for the first time."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from harness.cluster import free_port
from harness.database import Database
from harness.dev import Dev, DevFolder
from playwright.async_api import Browser, Locator, Page, expect

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="module")
async def dev() -> AsyncIterator[Dev]:
    """One for all tests of this file: they differ in users and texts."""
    folder = DevFolder()
    try:
        running = await Dev.run_in(folder, "--http-port", "0")
        yield running
        await running.interrupt()
    finally:
        folder.remove()


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
    page = await open_page(f"{dev.url}#1,2")
    await connected(page, 2)
    assert await page.get_by_test_id("user-select").evaluate_all("list => list.map(item => item.value)") == ["1", "2"]
    id = await dev.insert(1, '{"text": "from SQL"}')
    shown = row(device(page, 0), id)
    await expect(shown).to_have_attribute("data-state", "sent")
    await expect(shown).to_contain_text("from SQL")
    assert re.match(r"(under 0\.1|\d+(\.\d)?) ms after the row$", await shown.get_by_test_id("latency").inner_text())
    # A row of the other user, written later, is there: what was not for it would be there too.
    sentinel = await dev.insert(2, '{"text": "for the other"}')
    await expect(row(device(page, 1), sentinel)).to_be_visible()
    assert await row(device(page, 1), id).count() == 0
    assert await row(device(page, 0), sentinel).count() == 0


async def test_the_form_inserts_a_row_for_the_chosen_user(dev: Dev, open_page: Open) -> None:
    page = await open_page(f"{dev.url}#1,2")
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
    page = await open_page(f"{dev.url}#3")
    await connected(page, 1)
    markup = "<img src=x onerror=\"window.hit = 1\"><script>window.hit = 2</script><b>bold</b>"
    ids = [await dev.insert(3, json.dumps(data)) for data in ({"text": markup}, {"html": markup}, markup, {markup: 1})]
    for id in ids:
        await expect(row(page, id)).to_have_attribute("data-state", "sent")
        await expect(row(page, id)).to_contain_text("<b>bold</b>")
        assert await row(page, id).locator("img, script, b").count() == 0
    assert await page.evaluate("window.hit") is None
    assert await page.locator(".raw img, .raw script, .raw b").count() == 0


async def test_another_user_may_be_chosen_for_a_device(dev: Dev, open_page: Open) -> None:
    page = await open_page(f"{dev.url}#1")
    await connected(page, 1)
    id = await dev.insert(1, '{"text": "before the change"}')
    await expect(row(page, id)).to_be_visible()
    await page.get_by_test_id("user-select").select_option("2")
    await expect(row(page, id)).to_have_count(0)
    await connected(page, 1)
    later = await dev.insert(2, '{"text": "after the change"}')
    await expect(row(page, later)).to_be_visible()
    assert page.url == f"{dev.url}#2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_sticks_out_at_the_side(dev: Dev, open_page: Open, width: int, scheme: str) -> None:
    page = await open_page(f"{dev.url}#1,2", viewport={"width": width, "height": 800}, color_scheme=scheme)
    await connected(page, 2)
    for data in ({"text": "W" * 400}, {"long": "W" * 400, "nested": {"deep": [{"deeper": list(range(60))}]}}):
        await expect(row(page, await dev.insert(1, json.dumps(data)))).to_have_attribute("data-state", "sent")
    await page.locator(".raw summary").first.click()
    await page.get_by_test_id("send-text").fill("W" * 400)
    wide = await page.evaluate("""() => {
      const clipped = element => element.closest('pre, textarea, .raw ol') !== null && !element.matches('pre, textarea, .raw ol');
      return [...document.querySelectorAll('body *')].filter(element => element.checkVisibility() && !clipped(element)
        && !element.matches('.skip, .hidden') && element.getBoundingClientRect().right > innerWidth + 0.5)
        .map(element => element.outerHTML.slice(0, 80));
    }""")
    assert wide == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    shades = await page.evaluate("""() => {
      const shade = color => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
        canvas.fillStyle = getComputedStyle(document.body).backgroundColor === 'rgba(0, 0, 0, 0)'
          && color === 'backgroundColor' ? getComputedStyle(document.documentElement)[color] : getComputedStyle(document.body)[color];
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
      };
      return [shade('backgroundColor'), shade('color')];
    }""")
    paper, ink = shades
    assert (paper > 200 and ink < 100) if scheme == "light" else (paper < 60 and ink > 180), shades


async def test_the_page_comes_back_after_the_bridge_and_shows_what_was_inserted_meanwhile(database: Database, open_page: Open) -> None:
    folder = DevFolder()
    port = str(free_port())
    dev = await Dev.run_in(folder, "--http-port", port, DATABASE_URL=database.url)
    try:
        # The browser itself says in the console that the bridge is away.
        page = await open_page(f"{dev.url}#1", quiet=False)
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        await connected(page, 1)
        before = await database.insert(1, '{"text": "before"}')
        await expect(row(page, before)).to_have_attribute("data-state", "sent")
        await dev.kill()
        await expect(page.get_by_test_id("connection-state")).to_have_attribute("data-state", "closed")
        meanwhile = [await database.insert(1, json.dumps({"text": f"meanwhile {number}"})) for number in range(3)]
        dev = await Dev.run_in(folder, "--http-port", port, DATABASE_URL=database.url)
        assert str(dev.port) == port
        for id in meanwhile:
            await expect(row(page, id)).to_have_attribute("data-state", "sent", timeout=15_000)
        await connected(page, 1)
        shown = await page.get_by_test_id("notification").evaluate_all("list => list.map(item => Number(item.dataset.id))")
        assert shown == [*reversed(meanwhile), before]
        assert any("since=" in url for url in sockets), sockets
        assert not any("token" in url for url in sockets), sockets
    finally:
        if dev.running:
            await dev.interrupt()
        folder.remove()
