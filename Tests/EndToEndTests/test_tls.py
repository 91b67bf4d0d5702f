"""TLS on the bridge's own port, with a certificate that is renewed while it runs."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Closed, Device
from harness.tokens import SECRET, token
from harness.waiting import within

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


class Certificate:
    """A self-signed certificate for localhost in the two files that the bridge is given."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        self.serial = 0
        self.renew()

    @property
    def settings(self) -> dict[str, str]:
        return {"NOTIFY_BRIDGE_TLS_CERTIFICATE_FILE": str(self.certificate), "NOTIFY_BRIDGE_TLS_KEY_FILE": str(self.key)}

    def renew(self) -> None:
        """Writes another key and another certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256()))
        self.serial = made.serial_number
        self.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def trusted(self) -> ssl.SSLContext:
        """Trusts what is in the file now, and nothing else."""
        return ssl.create_default_context(cafile=str(self.certificate))


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


async def shown_serial(bridge: Bridge) -> int:
    """The serial number of the certificate that a new connection is shown."""
    pem = await within(10, asyncio.to_thread(ssl.get_server_certificate, (bridge.host, bridge.port), timeout=8), "a TLS handshake")
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


async def reload(bridge: Bridge) -> str:
    """Sends SIGHUP; returns what the bridge says of it."""
    start = len(bridge.stderr.lines)
    bridge.signal(signal.SIGHUP)
    line = await bridge.logged(lambda line: "reloaded" in line["message"], "a word about the reload", start=start)
    return line["message"]


async def test_a_row_arrives_over_wss(database: Database, serve: Serve, connect: Connect, certificate: Certificate) -> None:
    bridge = await serve(database, **certificate.settings)
    assert bridge.tls
    device = await connect(bridge, 1, tls=certificate.trusted())
    id = await database.insert(1, '"over TLS"')
    assert (await device.notification()).id == id
    await database.sent(id)
    ready = await run("check", "--ready", NOTIFY_BRIDGE_HTTP_PORT=str(bridge.port), **certificate.settings)
    assert (ready.status, ready.stdout) == (0, "ready\n")
    # Without TLS there is nothing on this port.
    reader, writer = await asyncio.open_connection(bridge.host, bridge.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try:
        assert not (await within(10, reader.read(), "the end of a plain connection")).startswith(b"HTTP/")
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda version: version.name)
async def test_both_current_versions_of_tls_are_spoken(
    database: Database, serve: Serve, connect: Connect, certificate: Certificate, version: ssl.TLSVersion,
) -> None:
    bridge = await serve(database, **certificate.settings)
    context = certificate.trusted()
    context.minimum_version = context.maximum_version = version
    device = await connect(bridge, 1, tls=context)
    assert device.socket.writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
    assert await device.barrier() == []


async def test_sighup_takes_a_renewed_certificate_and_keeps_the_connections(
    database: Database, serve: Serve, connect: Connect, certificate: Certificate,
) -> None:
    bridge = await serve(database, **certificate.settings)
    device = await connect(bridge, 1, tls=certificate.trusted())
    old = certificate.serial
    certificate.renew()
    assert await shown_serial(bridge) == old
    assert (await reload(bridge)).startswith("reloaded")
    assert await shown_serial(bridge) == certificate.serial != old
    later = await connect(bridge, 1, tls=certificate.trusted())
    id = await database.insert(1)
    assert [(await each.notification()).id for each in (device, later)] == [id, id]


async def test_a_certificate_that_cannot_be_used_leaves_the_old_one_in_use(
    database: Database, serve: Serve, connect: Connect, certificate: Certificate,
) -> None:
    bridge = await serve(database, **certificate.settings)
    trusted = certificate.trusted()
    old = certificate.serial
    certificate.certificate.write_text("-----BEGIN CERTIFICATE-----\nhalf a fi")
    assert (await reload(bridge)).startswith("not reloaded")
    assert await shown_serial(bridge) == old
    assert await (await connect(bridge, 1, tls=trusted)).barrier() == []
    certificate.renew()
    assert (await reload(bridge)).startswith("reloaded")
    assert await shown_serial(bridge) == certificate.serial


async def test_a_reload_that_fails_in_its_last_part_changes_nothing(
    database: Database, serve: Serve, connect: Connect, certificate: Certificate, tmp_path: Path,
) -> None:
    file = tmp_path / "notify-bridge.yaml"
    file.write_text("auth:\n  jwt_issuer: first\n")
    bridge = await serve(database, "--config", str(file), **certificate.settings)
    trusted = certificate.trusted()

    async def accepts(issuer: str) -> bool:
        device = await connect(bridge, greeted=False, query={"token": token(1, iss=issuer)}, tls=trusted)
        try:
            await device.barrier()
        except Closed as end:
            assert (end.code, end.reason) == (4001, "invalid")
            return False
        return True

    assert (await accepts("first"), await accepts("second")) == (True, False)
    file.write_text("auth:\n  jwt_issuer: second\n")
    certificate.certificate.write_text("no certificate")
    assert (await reload(bridge)).startswith("not reloaded")
    assert (await accepts("first"), await accepts("second")) == (True, False)
    certificate.renew()
    assert (await reload(bridge)).startswith("reloaded")
    trusted = certificate.trusted()
    assert (await accepts("first"), await accepts("second")) == (False, True)


@pytest.mark.parametrize("damage", ["no such file", "another key", "only one of the two", "a key that is none", "a certificate that is none"])
async def test_files_that_do_not_fit_are_found_before_serving(database: Database, tmp_path: Path, certificate: Certificate, damage: str) -> None:
    settings: dict[str, str | None] = dict(certificate.settings)
    if damage == "no such file":
        settings["NOTIFY_BRIDGE_TLS_CERTIFICATE_FILE"] = str(tmp_path / "absent.pem")
    elif damage == "another key":
        (tmp_path / "other").mkdir()
        settings["NOTIFY_BRIDGE_TLS_KEY_FILE"] = str(Certificate(tmp_path / "other").key)
    elif damage == "a key that is none":
        certificate.key.write_text("nothing of the kind")
    elif damage == "a certificate that is none":
        certificate.certificate.write_text("nothing of the kind")
    else:
        settings["NOTIFY_BRIDGE_TLS_KEY_FILE"] = None
    everything = {"DATABASE_URL": database.url, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET, "NOTIFY_BRIDGE_HTTP_PORT": "0"} | settings
    # Several starts: what began beside it once kept one in three from ending.
    starts = await asyncio.gather(*(run("serve", seconds=15, **everything) for _ in range(6)))
    for done in (*starts, await run("check", **everything)):
        said = done.stdout + done.stderr
        assert done.status == (78 if done in starts else 1), done
        assert any(name in said for name in ("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", ".pem", "certificate and key")), done
        assert "listening on" not in said and "PRIVATE KEY" not in said
