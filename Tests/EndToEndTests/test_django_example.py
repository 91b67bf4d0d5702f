"""The example project of the Django package, set up by its own script, in real browsers."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from harness.bridge import BINARY, ROOT, Bridge, Output, environment
from harness.cluster import Cluster, free_port
from harness.database import Database
from harness.site import SERVICE_KEY
from harness.waiting import eventually, within
from playwright.async_api import Browser, Page, expect

Open = Callable[..., Awaitable[Page]]
Serve = Callable[..., Awaitable[Bridge]]


class Example:
    """A running example, in a copy of its folder."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.site_port = free_port()
        self.bridge_port = free_port()
        self.processes: list[asyncio.subprocess.Process] = []
        shutil.copytree(ROOT / "Clients/django/example", folder, ignore=shutil.ignore_patterns("__pycache__", ".venv", ".secret_key"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.site_port}/"

    async def start(self, *command: str, **settings: str) -> Output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment(
                DATABASE_URL=self.database.url, PYTHON=sys.executable, NOTIFY_BRIDGE=str(BINARY), PYTHONUNBUFFERED="1",
                PYTHONPATH=str(ROOT / "Clients/django/src"), SITE_PORT=str(self.site_port), BRIDGE_PORT=str(self.bridge_port),
                PYTHONDONTWRITEBYTECODE="1", **settings))
        self.processes.append(process)
        assert process.stdout is not None
        return Output(process.stdout)

    async def stop(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGTERM)
                await within(20, process.wait(), "the end of the example")


@pytest_asyncio.fixture(scope="module")
async def example(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Example]:
    """By its script, in an empty database."""
    database = await Database.create(cluster)
    running = Example(tmp_path_factory.mktemp("example") / "example", database)
    output = await running.start("./run.sh")
    try:
        await output.line(lambda line: line.startswith("listening on"), "the bridge", 60)
        await output.line(lambda line: "Starting development server" in line, "the site", 60)
        yield running
    finally:
        await running.stop()
        await database.close()


@pytest_asyncio.fixture
async def visit(browser: Browser) -> AsyncIterator[Open]:
    """Logs in as somebody, in a browser of their own; a test fails where the console says anything, a broken policy above all."""
    contexts = []
    said: list[str] = []

    async def start(example: Example, name: str, *, quiet: bool = True, **options: object) -> Page:
        context = await browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        contexts.append(context)
        page = await context.new_page()
        if quiet:
            page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(example.url)
        await page.get_by_role("button", name=name).click()
        await connected(page)
        return page

    yield start
    for context in contexts:
        await context.close()
    assert said == []


async def connected(page: Page) -> None:
    await expect(page.locator("html[data-notify-bridge=connected]")).to_be_attached(timeout=15_000)


async def send(page: Page, to: str, text: str) -> int:
    """Sends by the form; returns the row's id."""
    result = page.locator("#result")
    before = await result.inner_text()
    await page.select_option("#to", to)
    await page.fill("#text", text)
    await page.get_by_role("button", name="Insert the row").click()
    await expect(result).not_to_have_text(before)
    said = await result.inner_text()
    assert said.startswith("Row "), said
    return int(said.split()[1])


async def test_what_one_sends_the_other_sees(example: Example, visit: Open) -> None:
    ada, grace = await visit(example, "Ada"), await visit(example, "Grace")
    markup = "<b>bold</b> & \"quoted\""
    id = await send(ada, "Grace", markup)
    row = grace.locator(f"#rows [data-id='{id}']")
    await expect(row.locator("p")).to_have_text(markup)
    await expect(row).to_contain_text("from Ada")
    assert await ada.locator(f"#rows [data-id='{id}']").count() == 0

    await row.get_by_role("button", name="Mark as read").click()

    async def look() -> list[tuple[object, ...]]:
        return await example.database.execute(
            "SELECT is_sent, sent_at IS NOT NULL, is_read, read_at IS NOT NULL FROM inbox_notification WHERE id = %s", (id,))

    await eventually(look, lambda rows: rows == [(True, True, True, True)], "sent and read")
    await grace.reload()
    await connected(grace)
    await expect(grace.locator(f"#rows [data-id='{id}'].read")).to_have_count(1)


async def test_what_was_missed_is_there_at_the_next_visit(example: Example, visit: Open) -> None:
    ada, linus = await visit(example, "Ada"), await visit(example, "Linus")
    first = await send(ada, "Linus", "seen")
    await expect(linus.locator(f"#rows [data-id='{first}']")).to_be_visible()
    await linus.goto("about:blank")
    missed = [await send(ada, "Linus", f"missed {number}") for number in range(3)]
    await linus.goto(example.url)
    await connected(linus)
    await expect(linus.locator("#rows li")).to_have_count(4)
    assert await linus.locator("#rows li").evaluate_all("list => list.map(row => Number(row.dataset.id))") == [*reversed(missed), first]
    # The page brought them, and the socket brought them: each is there once, and they are marked.
    unsent = "SELECT count(*) FROM inbox_notification WHERE id = ANY(%s) AND sent_at IS NULL"
    await eventually(lambda: example.database.value(unsent, (missed,)), lambda count: count == 0, "all marked")


async def test_logging_out_in_one_window_ends_the_others(example: Example, visit: Open) -> None:
    first = await visit(example, "Ada")
    second = await first.context.new_page()
    await second.goto(example.url)
    await connected(second)
    await second.get_by_role("button", name="Log out").click()
    await expect(second.get_by_role("heading", name="Who are you?")).to_be_visible()
    # The other one was told by its socket, and asked for itself.
    await expect(first.get_by_role("heading", name="Who are you?")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_nothing_sticks_out_and_all_can_be_read(example: Example, visit: Open, width: int, scheme: str) -> None:
    page = await visit(example, "Grace", viewport={"width": width, "height": 800}, color_scheme=scheme)
    await send(page, "Grace", "W" * 400)
    await send(page, "Grace", "Your order is ready")
    await expect(page.locator("#rows p", has_text="Your order is ready").first).to_be_visible()
    for path in ("", "log-in/"):
        await page.goto(example.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        shades = await page.evaluate("""() => {
          const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
          return ['backgroundColor', 'color'].map(name => {
            canvas.fillStyle = getComputedStyle(document.body)[name];
            canvas.fillRect(0, 0, 1, 1);
            return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 3;
          });
        }""")
        paper, ink = shades
        assert (paper > 200 and ink < 100) if scheme == "light" else (paper < 60 and ink > 180), shades
        if folder := os.environ.get("NOTIFY_BRIDGE_SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/example-{path.strip('/') or 'inbox'}-{width}-{scheme}.png")


async def test_with_tickets_the_client_comes_back_after_the_bridge_and_misses_nothing(
    example: Example, serve: Serve, visit: Open, tmp_path: Path
) -> None:
    other = Example(tmp_path / "example", example.database)
    output = await other.start(
        sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{other.site_port}", CREDENTIAL="ticket", DJANGO_SECRET_KEY="other")
    try:
        await output.line(lambda line: "Starting development server" in line, "the site", 30)
        settings = {"NOTIFY_BRIDGE_HTTP_PORT": str(other.bridge_port), "NOTIFY_BRIDGE_AUTH_SERVICE_KEY": SERVICE_KEY}
        bridge = await serve(example.database, **settings)
        await bridge.ready()
        # The browser itself says in the console that the bridge is away.
        page = await visit(other, "Ada", quiet=False)
        sockets: list[str] = []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        seen = await send(page, "Ada", "before")
        await expect(page.locator(f"#rows [data-id='{seen}']")).to_be_visible()
        await bridge.kill()
        await expect(page.locator("html[data-notify-bridge=waiting]")).to_be_attached()
        meanwhile = [await send(page, "Ada", f"meanwhile {number}") for number in range(3)]
        bridge = await serve(example.database, **settings)
        await connected(page)
        for id in meanwhile:
            await expect(page.locator(f"#rows [data-id='{id}']")).to_be_visible()
        assert any("since=" in url for url in sockets), sockets
        assert not any("nbt_" in url for url in sockets), "a ticket stands in no address"
        # Somebody whose session ended elsewhere gets no ticket, and is told.
        await example.database.execute("DELETE FROM django_session")
        await bridge.kill()
        await expect(page.get_by_role("heading", name="Who are you?")).to_be_visible(timeout=15_000)
    finally:
        await other.stop()
