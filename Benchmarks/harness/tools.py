"""The C programs, each a process that prints lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from .bridge import SECRET
from .cluster import ROOT, Cluster

_BUILD = ROOT / "Benchmarks/build"


class Wrong(Exception):
    """A row was lost, doubled, misrouted or out of order, or a program failed."""


def build() -> None:
    subprocess.run(["make", "-s", "-C", ROOT / "Benchmarks"], check=True)


class Tool:
    """A program that is ready to receive once made: its first line was read."""

    def __init__(self, name: str, *arguments: str, **options: Any) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [_BUILD / name, *arguments, *_flags(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self._process.stdout.readline().strip()
        if not self.first:
            self._process.wait()
            raise Wrong(f"{name} did not get ready")

    def line(self) -> dict[str, Any]:
        """Its next line."""
        line = self._process.stdout.readline()
        if not line:
            raise Wrong(f"{self._name} ended with status {self._process.wait(timeout=60)}")
        return json.loads(line)

    def tell(self, text: str) -> None:
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def result(self, losses: bool = False) -> dict[str, Any]:
        """Its last line, once it has ended by itself. `losses`: rows that are missing are no error."""
        line = self._process.stdout.readline()
        status = self._process.wait(timeout=60)
        if not line or (status != 0 and not losses):
            raise Wrong(f"{self._name} ended with status {status}: {line}")
        return json.loads(line)

    def close(self) -> None:
        """Ends it by closing its standard input."""
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def load_client(port: int, users: int, **options: Any) -> Tool:
    return Tool("load_client", port=port, secret=SECRET, users=users, **options)


def marked(cluster: Cluster) -> Tool:
    """Waits until every row is marked sent; its last line has the instant."""
    return Tool("marked", cluster.url)


class Inserter:
    """The inserter while it runs; `result` waits for its end."""

    def __init__(self, cluster: Cluster, **options: Any) -> None:
        self._process = subprocess.Popen(
            [_BUILD / "inserter", *_flags({"url": cluster.url} | options)], stdout=subprocess.PIPE, text=True)

    def result(self) -> dict[str, Any]:
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise Wrong("the inserter failed")
        return json.loads(output)


def insert(cluster: Cluster, **options: Any) -> dict[str, Any]:
    """Runs the inserter to its end."""
    return Inserter(cluster, **options).result()


class Floor:
    """PostgreSQL alone: a session that finds and marks so many rows, started before the first is written."""

    # Of 0, 1, 2, 5, 10 and 20 ms the pause with the highest rate for single rows; batches don't care.
    PAUSE_SECONDS = 0.02

    def __init__(self, cluster: Cluster, rows: int, snapshot: str | None = None) -> None:
        """`snapshot`: from which on rows are new; now, unless given."""
        snapshot = snapshot or cluster.sql("SELECT pg_current_snapshot()")
        self._process = subprocess.Popen(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", cluster.url, "-c",
             f"CALL benchmark.drain({rows}, '{snapshot}', {self.PAUSE_SECONDS})"],
            env=os.environ | {"PGOPTIONS": "-c plan_cache_mode=force_custom_plan -c jit=off"})

    def __enter__(self) -> Floor:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._process.wait(timeout=60) != 0:
                raise Wrong("the floor's procedure failed")
        finally:
            if self._process.poll() is None:
                self._process.kill()


def _flags(options: dict[str, Any]) -> list[str]:
    flags: list[str] = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        flags.append("--" + name.replace("_", "-"))
        if value is not True:
            flags.append(str(value))
    return flags
