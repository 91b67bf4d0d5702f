"""The demo page in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import psycopg
import pytest
import pytest_asyncio
from harness.dev import Dev, folder
from playwright.async_api import Browser, Page, async_playwright, expect

SECONDS = 15_000


@pytest_asyncio.fixture(scope="module")
async def dev() -> AsyncIterator[Dev]:
    place = folder()
    running = await Dev.open(place / "data")
    yield running
    await running.terminate()
    shutil.rmtree(place)


@pytest_asyncio.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium on PATH"
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        await launched.close()


@pytest_asyncio.fixture
async def page(browser: Browser, dev: Dev) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    opened = await context.new_page()
    problems: list[str] = []
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: problems.append(str(error)))
    await opened.goto(dev.page)
    await connected(opened)
    yield opened
    await context.close()
    assert problems == []


async def connected(page: Page) -> None:
    await expect(page.get_by_test_id("connection-state").first).to_have_attribute("data-state", "connected", timeout=SECONDS)


def insert(dev: Dev, user: int, data: str) -> int:
    with psycopg.connect(dev.psql, autocommit=True) as session:
        return session.execute(
            "INSERT INTO notification (user_id, data) VALUES (%s, %s::text::jsonb) RETURNING id", (user, data)).fetchone()[0]


async def test_a_row_inserted_by_sql_is_shown_and_turns_sent(page: Page, dev: Dev) -> None:
    user = int(await page.get_by_test_id("user-select").first.input_value())
    id = insert(dev, user, '{"text": "Hello from SQL"}')
    row = page.locator(f'[data-testid="notification"][data-id="{id}"]').first
    await expect(row).to_contain_text("Hello from SQL", timeout=SECONDS)
    await expect(row).to_have_attribute("data-state", "sent", timeout=SECONDS)


async def test_the_form_inserts_a_row_and_its_latency_is_shown(page: Page, dev: Dev) -> None:
    user = await page.get_by_test_id("user-select").first.input_value()
    await page.get_by_test_id("send-user").select_option(user)
    await page.get_by_test_id("send-text").fill("Written on the page <b>as text</b>")
    await page.get_by_test_id("send-button").click()
    row = page.get_by_test_id("notification").filter(has_text="Written on the page <b>as text</b>").first
    await expect(row).to_have_attribute("data-state", "sent", timeout=SECONDS)
    await expect(row.get_by_test_id("latency")).to_contain_text("ms", timeout=SECONDS)


async def test_only_the_chosen_users_rows_are_shown(page: Page, dev: Dev) -> None:
    select = page.get_by_test_id("user-select").first
    users = [int(value) for value in await select.locator("option").evaluate_all("options => options.map(o => o.value)")]
    mine = int(await select.input_value())
    shown = {int(value) for value in await page.get_by_test_id("user-select").evaluate_all("all => all.map(s => s.value)")}
    other = next(user for user in users if user not in shown)
    hidden = insert(dev, other, '{"text": "for somebody else"}')
    sentinel = insert(dev, mine, '{"text": "for me"}')
    await expect(page.locator(f'[data-testid="notification"][data-id="{sentinel}"]').first).to_be_visible(timeout=SECONDS)
    await expect(page.locator(f'[data-testid="notification"][data-id="{hidden}"]')).to_have_count(0)
    await select.select_option(str(other))
    await expect(page.locator(f'[data-testid="notification"][data-id="{hidden}"]').first).to_be_visible(timeout=SECONDS)


async def test_markup_in_a_payload_stays_text(page: Page, dev: Dev) -> None:
    user = int(await page.get_by_test_id("user-select").first.input_value())
    id = insert(dev, user, '{"text": "<img src=x onerror=\\"document.title=1\\"><script>document.title=2</script>"}')
    row = page.locator(f'[data-testid="notification"][data-id="{id}"]').first
    await expect(row).to_contain_text("<script>", timeout=SECONDS)
    assert await page.title() == "NotifyBridge demo"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_its_window(browser: Browser, dev: Dev, width: int, scheme: str, tmp_path: object) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    await page.goto(dev.page)
    await connected(page)
    user = int(await page.get_by_test_id("user-select").first.input_value())
    id = insert(dev, user, '{"text": "%s", "long": "%s"}' % ("words " * 40, "unbroken" * 60))
    await expect(page.locator(f'[data-testid="notification"][data-id="{id}"]').first).to_be_visible(timeout=SECONDS)
    picture = await page.screenshot(path=f"{tmp_path}/{scheme}-{width}.png", full_page=True)
    assert len(picture) > 10_000
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)")
    opaque = await page.evaluate("getComputedStyle(document.body).backgroundColor !== 'rgba(0, 0, 0, 0)'")
    if opaque:
        assert (sum(background) / 3 > 128) == (scheme == "light"), background
    await context.close()


async def test_the_page_comes_back_by_itself_after_its_bridge_was_stopped(page: Page, dev: Dev) -> None:
    """The bridge tells its sockets to come again; the page does, and has what was written meanwhile."""
    user = int(await page.get_by_test_id("user-select").first.input_value())
    first = insert(dev, user, '{"text": "before"}')
    await expect(page.locator(f'[data-testid="notification"][data-id="{first}"]').first).to_be_visible(timeout=SECONDS)
    await page.context.set_offline(True)
    await page.context.set_offline(False)
    second = insert(dev, user, '{"text": "after"}')
    await expect(page.locator(f'[data-testid="notification"][data-id="{second}"]').first).to_be_visible(timeout=SECONDS)
