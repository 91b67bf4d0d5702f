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

    def __init__(self, name: str, **options: Any) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [_BUILD / name, *_flags(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self._process.stdout.readline().strip()
        if not self.first:
            self._process.wait()
            raise Wrong(f"{name} did not get ready")

    def result(self) -> dict[str, Any]:
        """Its last line, once it has ended by itself."""
        line = self._process.stdout.readline()
        status = self._process.wait(timeout=60)
        if status != 0 or not line:
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


def insert(cluster: Cluster, **options: Any) -> dict[str, Any]:
    """Runs the inserter to its end."""
    done = subprocess.run(
        [_BUILD / "inserter", *_flags({"url": cluster.url} | options)], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Wrong("the inserter failed")
    return json.loads(done.stdout)


class Floor:
    """PostgreSQL alone: a session that finds and marks so many rows, started before the first is written."""

    # Of 0, 1, 2, 5, 10 and 20 ms the pause with the highest rate for single rows; batches don't care.
    PAUSE_SECONDS = 0.02

    def __init__(self, cluster: Cluster, rows: int) -> None:
        snapshot = cluster.sql("SELECT pg_current_snapshot()")
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
