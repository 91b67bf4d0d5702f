"""The page of the console in a real browser: both widths, both colour schemes, keyboard, and nothing that axe finds."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from harness.bridge import Bridge
from harness.console import KEY, Console
from harness.database import Database
from harness.device import Device, Message
from harness.waiting import eventually
from playwright.async_api import Browser, Page, expect

Connect = Callable[..., Awaitable[Device]]
Open = Callable[..., Awaitable[Page]]
Serve = Callable[..., Awaitable[Bridge]]

# Milliseconds for what the page shows when it asks the next time.
SLOW = 15_000


@pytest_asyncio.fixture
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Opens pages; a test fails where one of them says anything in the console, unless it allows that, or loads from elsewhere."""
    contexts = []
    said: list[str] = []

    async def start(console: Console, *, key: str | None = KEY, quiet: bool = True, **options: Any) -> Page:
        context = await browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        context.set_default_timeout(10_000)
        if key is not None:
            await context.add_init_script(f"sessionStorage.getItem('notify-bridge-console-key') ?? sessionStorage.setItem('notify-bridge-console-key', '{key}')")
        page = await context.new_page()
        if quiet:
            page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if not request.url.startswith((console.url, "data:")) else None)
        await page.goto(console.url)
        return page

    yield start
    for context in contexts:
        await context.close()
    assert said == []


async def served(serve: Serve, database: Database, *, actions: bool = True) -> Console:
    bridge = await serve(
        database, NOTIFY_BRIDGE_AUTH_SERVICE_KEY=KEY, NOTIFY_BRIDGE_CONSOLE_ACTIONS="true" if actions else None)
    await bridge.ready()
    return Console(bridge, key=KEY)


async def shown(page: Page) -> None:
    await expect(page.get_by_test_id("health")).to_have_text("ready", timeout=SLOW)


async def search(page: Page, user: str) -> None:
    await page.get_by_test_id("user").fill(user)
    await page.get_by_test_id("user").press("Enter")
    await expect(page.locator("#found-title")).to_have_text(f"User {user}")


async def next_row(device: Device) -> Message:
    """The device's next row, with heartbeats before it."""
    while (message := await device.next()).type != "notification":
        pass
    return message


async def filled(serve: Serve, database: Database, connect: Connect) -> tuple[Console, Device]:
    """A bridge with a bit of everything: rows of all states, devices, a row in quarantine, samples."""
    await database.execute(
        "UPDATE notify_bridge.source SET payload = 'CASE WHEN data = ''0'' THEN to_jsonb(1 / (length(data::text) - 1)) ELSE data END'")
    await database.insert(43)
    console = await served(serve, database)
    device = await connect(console.bridge, 42)
    ids = [await database.insert(42) for _ in range(6)]
    await device.notifications(6)
    device.send({"type": "read", "ids": ids[:2]})
    await database.insert(42, "0")

    async def look() -> bool:
        samples = (await console.get("history"))[1]["samples"]
        quarantine = (await console.figure("quarantine"))["value"]
        return quarantine is not None and quarantine["count"] == 1 and any(sample[4] is not None for sample in samples)

    await eventually(look, bool, "a sample and a row in quarantine", 20)
    return console, device


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing_and_nothing_sticks_out(
    serve: Serve, database: Database, connect: Connect, open_page: Open, width: int, scheme: str
) -> None:
    console, _ = await filled(serve, database, connect)
    page = await open_page(console, viewport={"width": width, "height": 900}, color_scheme=scheme)
    await shown(page)
    await search(page, "42")
    await page.get_by_role("button", name="Timeline").first.click()
    await expect(page.get_by_test_id("timeline")).to_contain_text("inserted")
    await expect(page.get_by_test_id("quarantine")).to_contain_text("22012", timeout=SLOW)
    result = await Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
    wide = await page.evaluate("""() => [...document.querySelectorAll('body *')]
        .filter(element => element.checkVisibility() && !element.closest('.scroll table, svg') && !element.matches('.skip')
          && element.getBoundingClientRect().right > innerWidth + 0.5).map(element => element.outerHTML.slice(0, 80))""")
    assert wide == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(250, 249, 246)" if scheme == "light" else "rgb(20, 21, 22)")
    await page.get_by_role("button", name="Disconnect").click()
    result = await Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_where_the_key_is_asked_for(serve: Serve, database: Database, open_page: Open, scheme: str) -> None:
    page = await open_page(await served(serve, database), key=None, quiet=False, color_scheme=scheme)
    await expect(page.get_by_test_id("login-form")).to_be_visible()
    result = await Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


async def test_the_page_asks_for_the_key_and_keeps_it_for_the_tab(serve: Serve, database: Database, open_page: Open) -> None:
    console = await served(serve, database)
    # The browser itself says in the console that a request was refused.
    page = await open_page(console, key=None, quiet=False)
    await expect(page.get_by_test_id("key")).to_be_focused()
    await expect(page.get_by_test_id("figures")).to_be_hidden()
    await page.keyboard.type("not the key")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").first).to_have_text("That is not the key.")
    await page.keyboard.type(KEY)
    await page.keyboard.press("Enter")
    await shown(page)
    await expect(page.get_by_test_id("login-form")).to_be_hidden()
    await page.reload()
    await shown(page)
    assert page.url == console.url and await page.evaluate("localStorage.length + document.cookie.length") == 0
    await page.get_by_role("button", name="Forget the key").click()
    await expect(page.get_by_test_id("key")).to_be_focused()
    await page.reload()
    await expect(page.get_by_test_id("login-form")).to_be_visible()


async def test_it_can_be_used_by_keyboard_alone(serve: Serve, database: Database, connect: Connect, open_page: Open) -> None:
    console, device = await filled(serve, database, connect)
    page = await open_page(console)
    await shown(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the search for a user")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_test_id("user")).to_be_focused()
    await page.keyboard.type("42")
    await page.keyboard.press("Enter")
    await expect(page.locator("#found-title")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Send a test")).to_be_focused()
    await page.keyboard.press("Space")
    await expect(page.get_by_test_id("result")).to_contain_text("was inserted")
    assert b"notify_bridge.test" in (await next_row(device)).data
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Disconnect")).to_be_focused()
    await device.barrier()
    # A button of a table keeps the focus when the table is shown anew.
    button = page.get_by_role("button", name="Timeline").last
    name = await button.get_attribute("aria-label")
    await button.focus()
    await database.insert(42)
    await expect(page.locator("#rows")).to_contain_text("sent")
    await expect(page.locator("#rows tbody tr")).to_have_count(9, timeout=SLOW)
    assert await page.evaluate("document.activeElement.ariaLabel") == name
    # A chart: its position is moved by the arrow keys.
    chart = page.get_by_test_id("chart-latency")
    await chart.focus()
    last = int(await chart.get_attribute("aria-valuenow") or "")
    await page.keyboard.press("Home")
    await expect(chart).to_have_attribute("aria-valuenow", "0")
    await page.keyboard.press("ArrowRight")
    await expect(chart).to_have_attribute("aria-valuenow", str(min(1, last)))
    assert "p99" in (await chart.get_attribute("aria-valuetext") or "")


async def test_the_charts_draw_what_was_delivered(serve: Serve, database: Database, connect: Connect, open_page: Open) -> None:
    console, _ = await filled(serve, database, connect)
    page = await open_page(console)
    for chart, lines in (("rows", 1), ("latency", 3), ("connections", 1)):
        paths = page.get_by_test_id(f"chart-{chart}").locator("svg path")
        await expect(paths).to_have_count(lines)
        for number in range(lines):
            await expect(paths.nth(number)).to_have_attribute("d", re.compile("^M"), timeout=SLOW)
    await expect(page.locator("[data-figure=connections]")).to_have_text("1")
    await expect(page.locator("[data-figure=backlog]")).to_have_text("2")
    await expect(page.locator("[data-figure=quarantine]")).to_have_text("1")


async def test_a_read_only_console_has_no_buttons_for_actions(serve: Serve, database: Database, open_page: Open) -> None:
    await database.insert(7)
    page = await open_page(await served(serve, database, actions=False))
    await shown(page)
    await search(page, "7")
    await expect(page.get_by_role("button", name="Timeline")).to_have_count(1)
    for name in ("Resend", "Send a test", "Disconnect", "Retry"):
        assert await page.get_by_role("button", name=name).count() == 0, name


async def test_actions_do_what_they_say(serve: Serve, database: Database, connect: Connect, open_page: Open) -> None:
    console, device = await filled(serve, database, connect)
    page = await open_page(console)
    await shown(page)
    await search(page, "42")
    fresh = await connect(console.bridge, 42)
    await fresh.barrier()
    sent = page.locator("#rows tr", has=page.locator("td[data-state=sent]")).first
    id = int(await sent.locator("td").nth(1).inner_text())
    await sent.get_by_role("button", name="Resend").click()
    await expect(page.get_by_test_id("result")).to_have_text(f"Row {id} is delivered again")
    assert (await next_row(fresh)).id == id
    await page.get_by_role("button", name="Retry").click()
    await expect(page.get_by_test_id("result")).to_have_text("1 entry tried again")
    await page.get_by_role("button", name="Disconnect").click()
    await page.get_by_role("button", name="Cancel").click()
    await device.barrier()
    await page.get_by_role("button", name="Disconnect").click()
    await page.locator("#confirm-yes").click()
    assert (await device.end()).code == 4001
    await expect(page.get_by_test_id("result")).to_have_text("The sockets of user 42 are closed")
    await expect(page.locator("#devices")).to_contain_text("No device is connected.", timeout=SLOW)


async def test_markup_stays_text(serve: Serve, database: Database, open_page: Open) -> None:
    page = await open_page(await served(serve, database))
    await shown(page)
    markup = "<img src=x onerror=\"window.hit = 1\"><b>bold</b>"
    await search(page, markup)
    assert await page.evaluate("window.hit") is None
    assert await page.locator("#found img, #found b").count() == 0


async def test_the_page_says_that_the_bridge_is_away_and_goes_on_after_it(
    serve: Serve, database: Database, open_page: Open
) -> None:
    console = await served(serve, database)
    page = await open_page(console, quiet=False)
    await shown(page)
    await console.bridge.kill()
    await expect(page.get_by_test_id("health")).to_have_text("the bridge does not answer", timeout=SLOW)
    # What is on the page stays there.
    await expect(page.get_by_test_id("figures")).to_be_visible()
    await serve(
        database, NOTIFY_BRIDGE_HTTP_PORT=str(console.bridge.port), NOTIFY_BRIDGE_AUTH_SERVICE_KEY=KEY)
    await shown(page)
