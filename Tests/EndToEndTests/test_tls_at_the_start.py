"""TLS: what is found before serving, which versions are spoken, and how a health check asks."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from test_tls import certificate, settings

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
async def test_both_current_versions_are_spoken(
    database: Database, serve: Serve, connect: Connect, tmp_path: Path, version: ssl.TLSVersion,
) -> None:
    context = certificate(tmp_path)
    context.minimum_version = context.maximum_version = version
    bridge = await serve(database, **settings(tmp_path))
    device = await connect(bridge, 1, tls=context)
    assert device.socket.writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
    assert await device.barrier() == []


async def test_a_health_check_asks_over_tls(database: Database, serve: Serve, connect: Connect, tmp_path: Path) -> None:
    context = certificate(tmp_path)
    bridge = await serve(database, **settings(tmp_path))
    await connect(bridge, 1, tls=context)  # it waits for the database
    done = await run("check", "--ready", NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port), **settings(tmp_path))
    assert (done.status, done.stdout) == (0, "ready\n")


@pytest.mark.parametrize("damage", ["no such file", "another key", "only one of the two"])
async def test_files_that_do_not_fit_end_the_start_at_once(database: Database, tmp_path: Path, damage: str) -> None:
    """Several times: what had begun meanwhile once kept one start in three from ending."""
    certificate(tmp_path)
    given: dict[str, str | None] = dict(settings(tmp_path))
    if damage == "no such file":
        given["NOTIFY_BRIDGE_TLS_CERTIFICATE_FILE"] = str(tmp_path / "absent.pem")
    elif damage == "another key":
        (tmp_path / "other").mkdir()
        certificate(tmp_path / "other")
        given["NOTIFY_BRIDGE_TLS_KEY_FILE"] = str(tmp_path / "other/key.pem")
    else:
        given["NOTIFY_BRIDGE_TLS_KEY_FILE"] = None
    everything = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"} | given
    starts = await asyncio.gather(*(run("serve", seconds=10, **everything) for _ in range(8)))
    checked = await run("check", **everything)
    for done in starts:
        assert done.status == 78 and "listening on" not in done.stdout, done
    assert checked.status == 1 and any(line.split()[:2] == ["fail", "tls"] for line in checked.stdout.splitlines()), checked
    assert not any("PRIVATE KEY" in done.stdout + done.stderr for done in [*starts, checked])
