"""The bridge as a process: started, measured from outside by /proc, stopped by its process id."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from .cluster import ROOT

BINARY = Path(os.environ.get("NOTIFY_BRIDGE_BIN", ROOT / ".build/release/notify-bridge"))
SECRET = "benchmark-secret-of-32-characters"
_TICKS = os.sysconf("SC_CLK_TCK")


def _environment(url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("NOTIFY_BRIDGE_", "PG")) and name != "DATABASE_URL"}
    return kept | {"DATABASE_URL": url} | more


def version() -> str:
    return subprocess.run([BINARY, "--version"], check=True, capture_output=True, text=True).stdout.strip()


def migrate(url: str) -> None:
    subprocess.run([BINARY, "migrate"], check=True, env=_environment(url), stdout=subprocess.DEVNULL)


class Bridge:
    """`notify-bridge serve` on a free loopback port, ready when made. Use it in a `with`."""

    def __init__(self, url: str) -> None:
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [BINARY, "serve"], stdout=subprocess.PIPE, stderr=self._log, text=True,
            env=_environment(url, NOTIFY_BRIDGE_HTTP_PORT="0", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET,
                             NOTIFY_BRIDGE_LOG_LEVEL="warning"))
        self.pid = self._process.pid
        try:
            line = self._process.stdout.readline()
            found = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)", line.strip())
            if found is None:
                raise RuntimeError(f"the bridge did not start: {self.log()}")
            self.port = int(found[1])
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 15
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
                return
            except urllib.error.HTTPError:
                if time.monotonic() > until:
                    raise RuntimeError(f"the bridge is not ready: {self.log()}") from None
                time.sleep(0.05)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()[-2000:]

    def cpu_seconds(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of a line of /proc/PID/status: VmRSS, or VmHWM for the highest so far."""
        found = re.search(rf"^{field}:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.M)
        return int(found[1]) * 1024

    def __enter__(self) -> Bridge:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        log = self.log()
        if log:
            print(f"the bridge said:\n{log}", flush=True)
        self._log.close()
