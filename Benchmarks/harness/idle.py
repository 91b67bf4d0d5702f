"""What idle connections take of memory, plain, by TLS and with compression, and how fast they are made."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from . import report
from .bridge import Bridge
from .cluster import Cluster
from .session import Session
from .tools import load_client


@contextlib.contextmanager
def certificate():
    """A self-signed certificate and its key, as the bridge's settings name them."""
    with tempfile.TemporaryDirectory() as folder:
        files = {"tls_certificate_file": str(Path(folder, "tls.crt")), "tls_key_file": str(Path(folder, "tls.key"))}
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=localhost", "-out", files["tls_certificate_file"], "-keyout", files["tls_key_file"]],
            check=True, capture_output=True)
        yield files


def connections(cluster: Cluster, counts: list[int], tls: bool = False, deflate: bool = False) -> dict[str, float]:
    """One bridge for each count, so many connections on it; what they take together."""
    with contextlib.ExitStack() as stack:
        settings = stack.enter_context(certificate()) if tls else {}
        bridges = [stack.enter_context(Bridge(cluster.url, **settings)) for _ in counts]
        for bridge in bridges:  # few: what they free is used again
            with load_client(bridge.port, 50, window=16, tls=tls, deflate=deflate) as warm_up:
                warm_up.close()
        time.sleep(1)
        memory = [bridge.memory() for bridge in bridges]
        cpu = [bridge.cpu_seconds() for bridge in bridges]
        firsts = []
        first_user = 1
        for bridge, count in zip(bridges, counts):
            client = stack.enter_context(load_client(
                bridge.port, count, first_user=first_user, window=256, quiet_seconds=60, tls=tls, deflate=deflate))
            firsts.append(json.loads(client.first))
            first_user += count
        used = [bridge.cpu_seconds() - before for bridge, before in zip(bridges, cpu)]
        time.sleep(2)
        grown = [bridge.memory() - before for bridge, before in zip(bridges, memory)]
        total, live = sum(counts), sum(first["live"] for first in firsts)
        seconds = sum(first["seconds"] for first in firsts)
        return {"bytes": sum(grown) / total, "rate": total / seconds, "cpu_us": sum(used) / total * 1e6,
                "memory": sum(bridge.memory() for bridge in bridges), "deflated": sum(f["deflated"] for f in firsts),
                "tool_share": sum(f["cpu_seconds"] for f in firsts) / seconds / (os.cpu_count() or 1),
                "wrong": total - live}


def part(session: Session) -> str:
    quick, cluster = session.options.quick, session.cluster
    one = [2_000] if quick else [8_000]
    most = [4_000] if quick else [19_000]
    three = [2_000] * 3 if quick else [16_700, 16_700, 16_600]
    cases = [("plain", one, {}, "≤ 6"), ("plain", most, {}, "≤ 6"), ("plain, three bridges", three, {}, "≤ 6"),
             ("TLS", one, {"tls": True}, "≤ 24"), ("TLS", most, {"tls": True}, "≤ 24"),
             ("compression offered", one, {"deflate": True}, "–"),
             ("compression offered", most, {"deflate": True}, "–"),
             ("TLS, compression offered", one, {"tls": True, "deflate": True}, "–")]
    lines = []
    for name, counts, options, goal in cases:
        title = f"{sum(counts):,}, {name}"
        runs, _ = session.pairs(f"connections, {title}", lambda: connections(cluster, counts, **options), None)
        agreed = f" (agreed on {runs[-1]['deflated']:,.0f})" if options.get("deflate") else ""
        rate_goal = "≥ 10,000" if name == "plain" else "–"
        lines.append([title + agreed, report.spread(runs, "bytes", 1, 1 / 1024), goal, report.spread(runs, "rate", 0),
                      rate_goal, report.spread(runs, "cpu_us", 0), report.spread(runs, "tool_share"),
                      report.spread(runs, "memory", 0, 1 / 1024**2)])
    return report.table(["idle connections", "KiB for each", "goal", "connects/s with a JWT", "goal",
                         "CPU of the bridge per connect, µs", "share of the machine taken by the client",
                         "the processes' memory, MiB"], lines)
