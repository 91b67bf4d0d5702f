"""The bridge as a process: started, measured from outside by /proc, stopped by its process id."""

from __future__ import annotations

import os
import re
import signal
import ssl
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
    """`notify-bridge serve` on a free loopback port, ready when made. Use it in a `with`.

    More settings are given as in the environment, without the prefix: limits_connections_per_user=5000.
    """

    def __init__(self, url: str, cores: set[int] | None = None, **settings: object) -> None:
        given = {f"NOTIFY_BRIDGE_{name.upper()}": str(value) for name, value in settings.items()}
        self._log = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [BINARY, "serve"], stdout=subprocess.PIPE, stderr=self._log, text=True,
            preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
            env=_environment(url, **{"NOTIFY_BRIDGE_HTTP_PORT": "0", "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET,
                                     "NOTIFY_BRIDGE_LOG_LEVEL": "warning"} | given))
        self.pid = self._process.pid
        try:
            line = self._process.stdout.readline()
            found = re.fullmatch(r"listening on (https?)://127\.0\.0\.1:(\d+)", line.strip())
            if found is None:
                raise RuntimeError(f"the bridge did not start: {self.log()}")
            self.port = int(found[2])
            self._base = f"{found[1]}://127.0.0.1:{self.port}"
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            raise

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + 15
        while True:
            try:
                self.get("/readyz")
                return
            except urllib.error.HTTPError:
                if time.monotonic() > until:
                    raise RuntimeError(f"the bridge is not ready: {self.log()}") from None
                time.sleep(0.05)

    def get(self, path: str) -> str:
        """The answer of an HTTP path; any certificate will do."""
        anyone = ssl.create_default_context()
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        with urllib.request.urlopen(self._base + path, timeout=5, context=anyone) as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric's lines that begin so; 0 where there is none."""
        return sum(float(line.rpartition(" ")[2]) for line in self.get("/metrics").splitlines()
                   if line.startswith(name))

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

    def stop(self, killed: bool = False) -> float:
        """Asks it to end, or kills it, and returns how many seconds that took."""
        begin = time.monotonic()
        self._process.send_signal(signal.SIGKILL if killed else signal.SIGTERM)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            print("the bridge did not end within 30 s of SIGTERM", flush=True)
        return time.monotonic() - begin

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.stop()
        log = self.log()
        if log:
            print(f"the bridge said:\n{log}", flush=True)
        self._log.close()
