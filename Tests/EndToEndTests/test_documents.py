"""The guides, against the program: their code is run as it stands, and their lists are complete."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import psycopg
from harness.bridge import ROOT, Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET, token
from harness.waiting import eventually
from playwright.async_api import Browser

Connect = Callable[..., Awaitable[Device]]


def guide(name: str) -> str:
    return (ROOT / "Documentation" / name).read_text()


def blocks(name: str, language: str) -> list[str]:
    """A guide's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", guide(name), flags=re.MULTILINE | re.DOTALL)


async def test_the_guide_lists_every_command() -> None:
    told = re.search(r"SUBCOMMANDS:\n(.*?)\n\n", (await run("--help")).stdout, re.DOTALL)
    assert told is not None
    commands = re.findall(r"^  (\w+)", told[1], re.MULTILINE)
    table = guide("install.md").split("## Commands")[1].split("## ")[0]
    listed = set(re.findall(r"`(\w+)[ `]", table))
    assert len(commands) >= 10 and [name for name in commands if name not in listed] == []


async def test_the_guide_lists_every_metric(bridge: Bridge) -> None:
    _, _, body = await bridge.get("/metrics")
    names = re.findall(r"^# TYPE notify_bridge_(\w+)", body.decode(), re.MULTILINE)
    table = guide("operations.md").split("## Metrics")[1].split("## ")[0]
    listed = set(re.findall(r"`(\w+)", table))
    assert len(names) > 20 and [name for name in names if name not in listed] == []


async def test_the_guide_explains_every_line_of_check() -> None:
    sources = "".join(path.read_text() for path in sorted((ROOT / "Sources/notify-bridge/Checking").glob("*.swift")))
    subjects = set(re.findall(r'(?:report\.(?:ok|warn|fail)|attempt)\(\s*"([a-z-]+)"', sources))
    subjects |= set(re.findall(r'let subject = "([a-z-]+)"', sources))
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", guide("troubleshooting.md"), re.MULTILINE)) - {"ok", "warn", "fail"}
    assert len(subjects) > 10 and explained == subjects


def test_every_threat_names_a_test_that_exists() -> None:
    threats = (ROOT / "SECURITY.md").read_text().split("## Threats")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (?!threat|---).*$", threats, re.MULTILINE)
    named = [re.findall(r"`(test_\w+)`", row.split(" | ")[-1]) for row in rows]
    tests = set(re.findall(r"^(?:async )?def (test_\w+)", "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py")), re.MULTILINE))
    assert len(rows) > 20 and all(named) and [name for names in named for name in names if name not in tests] == []


async def test_the_rows_of_the_backend_guide_arrive(bridge: Bridge, database: Database, connect: Connect) -> None:
    await database.execute("DO $$BEGIN CREATE ROLE my_backend LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END$$")
    device = await connect(bridge, 42)
    grant, insert = blocks("backend.md", "sql")[0].split("\n\n")
    await database.execute(grant)
    writer = await database.connect()
    await writer.execute("SET ROLE my_backend")
    await writer.execute(insert)
    await writer.close()
    first = await device.notification()
    exec(blocks("backend.md", "python")[0], {"psycopg": psycopg, "DATABASE_URL": database.url})
    second = await device.notification()
    assert first.data == second.data == b'{"title": "Your order is ready"}'
    await database.sent([first.id, second.id])
    await database.execute(blocks("backend.md", "sql")[1].replace("ARRAY[1, 2]", f"ARRAY[{first.id}, {second.id}]"))
    assert [(await device.notification()).id for _ in range(2)] == [first.id, second.id]


async def test_the_credentials_of_the_guide_open_a_socket(bridge: Bridge, database: Database, connect: Connect) -> None:
    names: dict[str, Any] = {"jwt": jwt, "time": time, "secret": SECRET}
    exec(blocks("logins.md", "python")[0], names)
    ticket = await database.value(blocks("logins.md", "sql")[0].rstrip().rstrip(";"))
    for credential in (names["token"], ticket):
        device = await connect(bridge, query={"token": credential})
        assert device.messages[0].fields["user_id"] == 42


async def test_the_client_of_the_guide_shows_each_row_once_over_a_reconnect(
        bridge: Bridge, database: Database, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.route("**/my/token", lambda route: route.fulfill(body=token(42)))
    # Any page of this host: browsers keep others away from loopback.
    await page.goto(f"http://127.0.0.1:{bridge.port}/healthz")
    client, use = blocks("frontend.md", "js")
    await page.add_script_tag(
        content="const rows = []; const show = (id, data) => rows.push(data.n); const reloadTheList = () => rows.push('gap');")
    await page.add_script_tag(content=client)
    await page.add_script_tag(content=use.replace("wss://app.example.com", f"ws://127.0.0.1:{bridge.port}"))

    async def rows() -> list[object]:
        return await page.evaluate("rows")

    await database.insert(42, '{"n": 1}')
    await eventually(rows, lambda seen: seen == [1], "the first row")
    await database.execute("SELECT notify_bridge.disconnect_user(42)")
    await database.insert(42, '{"n": 2}')
    await database.insert(42, '{"n": 3}')
    await eventually(rows, lambda seen: len(seen) >= 3, "the rows over the reconnect")
    assert await rows() == [1, 2, 3]
    await context.close()
