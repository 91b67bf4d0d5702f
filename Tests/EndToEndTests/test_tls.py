"""TLS on the same port, and a certificate that is replaced without a restart."""

from __future__ import annotations

import asyncio
import datetime
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


def certificate(folder: Path) -> ssl.SSLContext:
    """Writes a new key and a certificate for localhost; returns a client's context that trusts only it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "certificate.pem").write_bytes(pem)
    return ssl.create_default_context(cadata=pem.decode())


def settings(folder: Path) -> dict[str, str]:
    return {
        "NOTIFY_BRIDGE_TLS_CERTIFICATE_FILE": str(folder / "certificate.pem"),
        "NOTIFY_BRIDGE_TLS_KEY_FILE": str(folder / "key.pem"),
    }


async def test_rows_arrive_over_tls(serve: Serve, database: Database, connect: Connect, tmp_path: Path) -> None:
    context = certificate(tmp_path)
    bridge = await serve(database, **settings(tmp_path))
    assert bridge.tls, "the line on stdout says https"
    device = await connect(bridge, 1, tls=context)
    ids = await database.insert_many(1, 50)
    assert [message.id for message in await device.notifications(50)] == ids
    await database.sent(ids)


async def test_a_plain_request_to_the_tls_port_gets_nothing_and_disturbs_nobody(serve: Serve, database: Database, connect: Connect, tmp_path: Path) -> None:
    context = certificate(tmp_path)
    bridge = await serve(database, **settings(tmp_path))
    device = await connect(bridge, 1, tls=context)
    reader, writer = await asyncio.open_connection(bridge.host, bridge.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    try:
        assert b"200" not in await asyncio.wait_for(reader.read(), 15)
    except ConnectionError:
        pass
    writer.close()
    id = await database.insert(1)
    assert (await device.notification()).id == id


async def test_sighup_takes_a_new_certificate_and_keeps_the_connections(serve: Serve, database: Database, connect: Connect, tmp_path: Path) -> None:
    old = certificate(tmp_path)
    bridge = await serve(database, **settings(tmp_path))
    stays = await connect(bridge, 1, tls=old)
    new = certificate(tmp_path)
    bridge.signal(signal.SIGHUP)

    async def look() -> bool:
        try:
            device = await Device.connect(bridge, 2, tls=new)
        except ssl.SSLError:
            return False
        device.abort()
        return True

    await eventually(look, bool, "the new certificate")
    with pytest.raises(ssl.SSLError):
        await Device.connect(bridge, 2, tls=old)
    id = await database.insert(1)
    assert (await stays.notification()).id == id


async def test_a_broken_certificate_at_sighup_is_said_and_the_old_one_stays(serve: Serve, database: Database, connect: Connect, tmp_path: Path) -> None:
    context = certificate(tmp_path)
    bridge = await serve(database, **settings(tmp_path))
    (tmp_path / "certificate.pem").write_text("not a certificate")
    lines = len(bridge.stderr.lines)
    bridge.signal(signal.SIGHUP)
    await bridge.logged(lambda line: line["level"] in ("warning", "error") and "certificate" in str(line), "the complaint", start=lines)
    await connect(bridge, 1, tls=context)


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
async def test_a_broken_file_at_the_start_exits_with_78(database: Database, tmp_path: Path, broken: str) -> None:
    certificate(tmp_path)
    (tmp_path / broken).write_text("nothing of the kind")
    done = await run("serve", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, **settings(tmp_path))
    assert done.status == 78 and len(done.stderr.splitlines()) <= 8, done
