"""The scenario of each test, and the table of what all of them counted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from scenario import BINARY, Result, Scenario

HEAD = """| fault | rows | deliveries | lost | doubled | misrouted | marked wrong | out of order | repeated | recovery (s) | command |
|---|---|---|---|---|---|---|---|---|---|---|"""
RESULTS: list[Result] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", type=Path, help="a document whose table of faults gets the numbers of this run")


@pytest.fixture(scope="session", autouse=True)
def program_exists() -> None:
    assert BINARY.exists(), f"{BINARY} does not exist: swift build"


@pytest_asyncio.fixture
async def scenario(request: pytest.FixtureRequest) -> AsyncIterator[Scenario]:
    """Named after its test, whose first line of documentation is its title."""
    made = Scenario(request.node.name.removeprefix("test_"), request.node.function.__doc__.splitlines()[0].rstrip("."))
    async with made.cleanup:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """A failed scenario shows the last words of its bridges and of its server."""
    report = yield
    made = getattr(item, "funcargs", {}).get("scenario")
    if report.when == "call" and made is not None:
        if report.failed:
            for bridge in made.bridges:
                report.sections.append((f"stderr of bridge {bridge.pid}", "\n".join(bridge.stderr.lines[-40:])))
            if hasattr(made, "cluster"):
                report.sections.append(("the server's log", "\n".join(made.cluster.log_text().splitlines()[-40:])))
        elif made.result is not None:
            RESULTS.append(made.result)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = "\n".join([HEAD, *(result.line() for result in RESULTS)])
    if not RESULTS:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(table)
    document: Path | None = config.getoption("--table")
    if document is not None:
        text = document.read_text()
        new, found = re.subn(r"(<!-- table -->\n).*?(<!-- end of table -->)", lambda m: f"{m[1]}{table}\n{m[2]}", text, flags=re.DOTALL)
        assert found == 1, f"{document} has no place for the table"
        document.write_text(new)
