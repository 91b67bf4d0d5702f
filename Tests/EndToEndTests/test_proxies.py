"""The recipes of Config/proxies, with the real programs: prefix, timeouts, the client's address, WebSocket, all over TLS."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio
from harness.bridge import ROOT, Bridge, parse_response
from harness.database import Database
from harness.device import Device
from harness.proxy import Proxy
from harness.waiting import within
from test_tls import Certificate

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

PATH = "/notify/ws/notifications/"
NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/site.conf;
}}
"""
CADDY = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


class Recipe(Proxy):
    """A recipe as it stands, but for names, addresses and certificates, and where wanted with other timeouts."""

    def __init__(self, name: str, certificate: Certificate, bridge: Bridge, site: int) -> None:
        super().__init__()
        self.name = name
        self.bridge = bridge
        self.certificate = certificate
        self.tls = certificate.trusted()
        self.places = {"127.0.0.1:8080": f"127.0.0.1:{bridge.port}", "127.0.0.1:8000": f"127.0.0.1:{site}"}

    async def serve(self, timeout: str | None = None) -> None:
        # A proxy that asks for readiness would leave it out for its next two seconds.
        await self.bridge.ready()
        both = self.folder / "both.pem"
        both.write_bytes(self.certificate.certificate.read_bytes() + self.certificate.key.read_bytes())
        folder, certificate, key = self.folder, self.certificate.certificate, self.certificate.key
        if self.name == "nginx":
            site = self.text("nginx.conf", {
                "listen 443 ssl": f"listen 127.0.0.1:{self.port} ssl", "/etc/ssl/app.example.com/fullchain.pem": str(certificate),
                "/etc/ssl/app.example.com/key.pem": str(key)}, timeout)
            (folder / "site.conf").write_text(site)
            (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
            await self.start("sbin/nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))
        elif self.name == "haproxy":
            # A process may need more descriptors than this machine allows.
            (folder / "haproxy.cfg").write_text(self.text("haproxy.cfg", {
                "bind :443": f"bind 127.0.0.1:{self.port}", "/etc/ssl/app.example.com/both.pem": str(both),
                "maxconn 20000": "maxconn 1000"}, timeout))
            await self.start("sbin/haproxy", "-db", "-f", str(folder / "haproxy.cfg"))
        else:
            assert timeout is None
            (folder / "Caddyfile").write_text(CADDY + self.text("Caddyfile", {
                "app.example.com {":
                    f"https://localhost:{self.port}, https://127.0.0.1:{self.port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}"}))
            await self.start("bin/caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile"))

    def text(self, file: str, places: dict[str, str], timeout: str | None = None) -> str:
        text = (ROOT / "Config/proxies" / file).read_text()
        for old, new in (self.places | places | ({" 90s": f" {timeout}"} if timeout else {})).items():
            assert old in text, f"{file} has no {old}"
            text = text.replace(old, new)
        return text

    async def get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls, server_hostname="localhost")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nConnection: close\r\n\r\n".encode())
        try:
            return parse_response(await within(10, reader.read(), path))
        finally:
            writer.close()


@pytest_asyncio.fixture
async def site() -> AsyncIterator[int]:
    """A backend that answers every path with its name; the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = b"site " + head.split(b" ")[1]
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest_asyncio.fixture(params=["nginx", "haproxy", "caddy"])
async def made(request: Any, tmp_path: Path, site: int) -> AsyncIterator[Callable[[Bridge], Recipe]]:
    recipes: list[Recipe] = []

    def make(bridge: Bridge) -> Recipe:
        recipes.append(Recipe(request.param, Certificate(tmp_path), bridge, site))
        return recipes[-1]

    yield make
    for recipe in recipes:
        await recipe.remove()


Made = Callable[[Bridge], Recipe]
PROXIED = {"NOTIFY_BRIDGE_HTTP_TRUSTED_PROXIES": "127.0.0.1"}


async def test_a_row_arrives_below_the_prefix_of_a_proxy(
    made: Made, database: Database, serve: Serve, connect: Connect,
) -> None:
    proxy = made(await serve(database, **PROXIED))
    await proxy.serve()
    # As a browser connects, from a page of the same host.
    origin = [("Origin", f"https://{proxy.host}:{proxy.port}")]
    device = await connect(proxy, 1, path=PATH, tls=proxy.tls, headers=origin)
    id = await database.insert(1, '"through a proxy"')
    assert (await device.notification()).id == id
    await database.sent(id)


async def test_a_proxy_shows_nothing_else_of_the_bridge(made: Made, database: Database, serve: Serve) -> None:
    proxy = made(await serve(database, **PROXIED))
    await proxy.serve()
    for path in ("/", "/metrics", "/notify/metrics", "/ws/notifications/", "/tickets"):
        status, _, body = await proxy.get(path)
        assert (status, body.decode()) == (200, f"site {path}")


async def test_the_bridge_learns_the_address_of_a_proxys_client_and_no_forged_one(
    made: Made, database: Database, serve: Serve, connect: Connect,
) -> None:
    bridge = await serve(database, **PROXIED)
    proxy = made(bridge)
    await proxy.serve()
    forged = [("X-Forwarded-For", "203.0.113.7"), ("Forwarded", "for=203.0.113.7"), ("X-Real-IP", "203.0.113.7")]
    await connect(proxy, 1, path=PATH, tls=proxy.tls, headers=forged, local="127.0.0.2")
    line = await bridge.logged(lambda line: line["message"] == "connected", "the connect")
    assert line["remote"] == "127.0.0.2"


async def test_a_proxy_keeps_a_socket_that_has_only_heartbeats(
    made: Made, database: Database, serve: Serve, connect: Connect,
) -> None:
    proxy = made(await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1", **PROXIED))
    # Caddy has no timeout to shorten.
    await proxy.serve(timeout=None if proxy.name == "caddy" else "2s")
    device = await connect(proxy, 1, path=PATH, tls=proxy.tls)
    for _ in range(4):
        assert (await device.next()).type == "heartbeat"
    assert not device.closed.done()


async def test_a_proxy_ends_a_socket_that_is_silent_for_longer_than_its_timeout(
    made: Made, database: Database, serve: Serve, connect: Connect,
) -> None:
    proxy = made(await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="60", **PROXIED))
    if proxy.name == "caddy":
        assert "timeout" not in (ROOT / "Config/proxies/Caddyfile").read_text().replace("dial_timeout", "")
        return
    recipe = (ROOT / "Config/proxies" / ("nginx.conf" if proxy.name == "nginx" else "haproxy.cfg")).read_text()
    # Three heartbeats by default.
    assert re.findall(r"(?:proxy_read_timeout|timeout tunnel) +(\w+)", recipe) == ["90s"]
    await proxy.serve(timeout="2s")
    device = await connect(proxy, 1, path=PATH, tls=proxy.tls)
    assert (await device.end()).code == 1006
