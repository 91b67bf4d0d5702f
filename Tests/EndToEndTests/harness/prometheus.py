"""A real Prometheus that scrapes bridges, and its tool."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

from .cluster import free_port
from .waiting import eventually, within

PROGRAMS = Path(__file__).resolve().parents[1] / ".programs/usr/bin"
CONFIGURATION = """
global:
  scrape_interval: 250ms
scrape_configs:
  - job_name: notify-bridge
    static_configs:
      - targets: [{targets}]
"""


async def promtool(*arguments: str, cwd: Path | None = None, input: bytes | None = None) -> tuple[int, str]:
    """Runs it: status and output."""
    process = await asyncio.create_subprocess_exec(
        str(PROGRAMS / "promtool"), *arguments, cwd=cwd, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT)
    output, _ = await within(30, process.communicate(input), "promtool")
    return process.returncode or 0, output.decode()


class Prometheus:
    """Scrapes these ports until the end of the block."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="notify-bridge-prometheus-"))
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        targets = ", ".join(f'"127.0.0.1:{port}"' for port in self.ports)
        (self.folder / "prometheus.yml").write_text(CONFIGURATION.format(targets=targets))
        program = PROGRAMS / "prometheus"
        assert program.exists(), f"{program} does not exist: Tests/Support/install.sh test"
        self.process = await asyncio.create_subprocess_exec(
            str(program), f"--config.file={self.folder}/prometheus.yml", f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", stderr=asyncio.subprocess.DEVNULL)

        async def look() -> bool:
            assert self.process is not None and self.process.returncode is None, "prometheus has ended"
            try:
                return len(await self.query("up == 1")) == len(self.ports)
            except OSError:
                return False

        await eventually(look, bool, "all bridges are scraped", 30)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.terminate()
        await within(20, self.process.wait(), "the end of prometheus")
        shutil.rmtree(self.folder)

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression gives now."""
        return await asyncio.get_running_loop().run_in_executor(None, self._query, expression)

    def _query(self, expression: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise ConnectionError("starting") from None
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
