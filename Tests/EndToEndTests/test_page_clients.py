"""The clients that pages are given: each row is shown once, whatever a cursor repeats and whatever other tables are served."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import ROOT, Bridge
from harness.database import Database
from harness.tokens import token
from harness.waiting import eventually
from playwright.async_api import Browser, Page, Route
from test_attached_delivery import NOTE, attach
from test_documents import blocks

Serve = Callable[..., Awaitable[Bridge]]
Client = Callable[[Page, Bridge], Awaitable[None]]
COLLECT = "const rows = []; const show = (id, data) => rows.push(data.n); const reloadTheList = () => rows.push('gap');"


FORGETFUL = """
  const sockets = [];
  window.WebSocket = class extends WebSocket {
    constructor(...given) { super(...given); sockets.push(this); }
    set onmessage(receive) {
      super.onmessage = ({ data }) => receive({ data: data.includes("connection_established") ? data : data.replace(/,"cursor":"[^"]*"/, "") });
    }
  };
"""


async def guide(page: Page, bridge: Bridge) -> None:
    """The function of the front end's guide."""
    client, use = blocks("frontend.md", "js")
    await page.add_script_tag(content=client)
    await page.add_script_tag(content=use.replace("wss://app.example.com", f"ws://127.0.0.1:{bridge.port}"))


async def django(page: Page, bridge: Bridge) -> None:
    """The script of the Django package."""
    await page.add_script_tag(content="""
      document.addEventListener("notify-bridge:notification", ({ detail }) => show(detail.id, detail.data));
      document.addEventListener("notify-bridge:gap", reloadTheList);""")
    await page.evaluate(
        """([text, url]) => {
          const script = document.createElement("script");
          Object.assign(script.dataset, { user: "42", url, ticketUrl: "/my/token" });
          script.textContent = text;
          document.head.append(script);
        }""",
        [(ROOT / "Clients/django/src/notify_bridge/static/notify_bridge/client.js").read_text(),
         f"ws://127.0.0.1:{bridge.port}/ws/notifications/"])


async def opened(bridge: Bridge, browser: Browser, client: Client, before: str = "") -> Page:
    """A page with the client."""
    page = await (await browser.new_context()).new_page()

    async def credential(route: Route) -> None:
        await route.fulfill(body=json.dumps({"ticket": token(42)}) if route.request.method == "POST" else token(42))

    await page.route("**/my/token", credential)
    # Any page of this host: browsers keep others away from loopback.
    await page.goto(f"http://127.0.0.1:{bridge.port}/healthz")
    await page.add_script_tag(content=COLLECT + before)
    await client(page, bridge)
    return page


@pytest.mark.parametrize("client", [guide, django])
async def test_rows_of_two_tables_with_one_id_are_both_shown(database: Database, serve: Serve, browser: Browser, client: Client) -> None:
    await database.execute(NOTE.format(id="integer", user="integer"))
    await attach(database, "note", "--payload", "data")
    bridge = await serve(database)
    page = await opened(bridge, browser, client)
    id = await database.insert(42, '{"n": 1}')
    await database.execute("INSERT INTO note (id, recipient_id, data) VALUES (%s, 42, '{\"n\": 2}')", (id,))
    await database.insert(42, '{"n": 3}')
    await eventually(lambda: page.evaluate("rows"), lambda rows: 3 in rows, "the last row")
    assert await page.evaluate("rows") == [1, 2, 3]
    await page.context.close()


@pytest.mark.parametrize("client", [guide, django])
async def test_a_cursor_that_repeats_a_thousand_rows_shows_none_twice(bridge: Bridge, database: Database, browser: Browser, client: Client) -> None:
    # No message but the first has a cursor: resuming repeats everything since.
    page = await opened(bridge, browser, client, FORGETFUL)
    ids = await database.insert_many(42, 999)
    await eventually(lambda: page.evaluate("rows.length"), lambda rows: rows >= 999, "the rows")
    await database.sent(ids)
    await page.evaluate("sockets[0].close()")
    await eventually(lambda: page.evaluate("sockets.length"), lambda count: count == 2, "the next connection")
    await database.insert(42, '{"n": "last"}')
    await eventually(lambda: page.evaluate("rows"), lambda rows: "last" in rows, "the last row")
    assert await page.evaluate("rows") == [*range(1, 1_000), "last"]
    await page.context.close()
