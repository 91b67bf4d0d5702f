"""What settings, options and wrong inputs get, and that no secret is shown."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from harness.bridge import Bridge, run
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET, token
from harness.messages import NOWHERE, said_well

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

COMMANDS = ["serve", "dev", "migrate", "attach", "detach", "send", "listen", "token", "check", "purge", "report"]


# MARK: Settings and options


@pytest.mark.parametrize(("given", "nearest"), [
    ("NOTIFY_BRIDGE_HTTP_PROT", "NOTIFY_BRIDGE_HTTP_PORT"), ("NOTIFY_BRIDGE_JWT_SECRET", "NOTIFY_BRIDGE_AUTH_JWT_SECRET"),
    ("NOTIFY_BRIDGE_RETENTION", "NOTIFY_BRIDGE_RETENTION_DAYS"), ("NOTIFY_BRIDGE_AUTH_ORIGIN", "NOTIFY_BRIDGE_AUTH_ORIGINS"),
])
async def test_an_unknown_variable_is_refused_and_the_nearest_named(given: str, nearest: str) -> None:
    for command in (["serve"], ["token", "--user", "1"]):
        error = said_well(await run(*command, DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, **{given: "a value"}), 78)
        assert re.search(rf"\b{given}\b", error) and re.search(rf"\b{nearest}\b", error), error


async def test_an_unknown_key_in_the_file_is_refused_and_the_nearest_named(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("http:\n  prot: 8080\n")
    error = said_well(await run("serve", "--config", str(file), DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET), 78)
    assert "prot" in error and re.search(r"port\b", error) and str(file) in error


@pytest.mark.parametrize(("variable", "value", "allowed"), [
    ("NOTIFY_BRIDGE_HTTP_PORT", "99999", "65535"), ("NOTIFY_BRIDGE_HTTP_PORT", "http", "whole number"),
    ("NOTIFY_BRIDGE_LOG_LEVEL", "loud", "warning"), ("NOTIFY_BRIDGE_LOG_FORMAT", "xml", "json"),
    ("NOTIFY_BRIDGE_AUTH_FIRST_MESSAGE", "maybe", "true"), ("NOTIFY_BRIDGE_HEARTBEAT_SECONDS", "-1", "1"),
    ("NOTIFY_BRIDGE_RETENTION_DAYS", "ten", "whole number"),
])
async def test_a_bad_value_is_named_with_its_setting_and_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    flag = "--" + variable.removeprefix("NOTIFY_BRIDGE_").lower().replace("_", "-")
    for arguments, settings, name in (([], {variable: value}, variable), ([f"{flag}={value}"], {}, flag)):
        # Before any network access: nobody may knock here.
        with socket.create_server(("127.0.0.1", 0)) as database:
            url = f"postgresql://postgres@127.0.0.1:{database.getsockname()[1]}/x"
            error = said_well(await run("serve", *arguments, DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, **settings), 78)
            database.setblocking(False)
            with pytest.raises(BlockingIOError):
                database.accept()
        assert name in error and value in error and allowed in error, error


async def test_a_bad_proxy_is_named_before_the_database_is_asked() -> None:
    for _ in range(4):
        with socket.create_server(("127.0.0.1", 0)) as database:
            url = f"postgresql://postgres@127.0.0.1:{database.getsockname()[1]}/x"
            done = await run("serve", seconds=10, DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET,
                NOTIFY_BRIDGE_HTTP_PORT="0", NOTIFY_BRIDGE_HTTP_TRUSTED_PROXIES="10.0.0.0/99")
            database.setblocking(False)
            with pytest.raises(BlockingIOError):
                database.accept()
        error = "\n".join(line for line in done.stderr.splitlines() if not line.startswith("{"))
        assert done.status == 78 and done.stdout == "", done
        assert all(part in error for part in ("NOTIFY_BRIDGE_HTTP_TRUSTED_PROXIES", "10.0.0.0/99", "10.0.0.0/8")), done


async def test_a_flag_is_stronger_than_a_variable_and_that_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text("http:\n  port: 111111\n")
    settings = {"DATABASE_URL": NOWHERE, "NOTIFY_BRIDGE_AUTH_JWT_SECRET": SECRET}
    in_file = said_well(await run("serve", "--config", str(file), **settings), 78)
    assert "111111" in in_file
    in_variable = said_well(await run("serve", "--config", str(file), NOTIFY_BRIDGE_HTTP_PORT="222222", **settings), 78)
    assert "222222" in in_variable
    in_flag = said_well(await run("serve", "--config", str(file), "--http-port", "333333", NOTIFY_BRIDGE_HTTP_PORT="222222", **settings), 78)
    assert "333333" in in_flag


async def test_serve_without_a_login_method_says_which_there_are() -> None:
    assert "NOTIFY_BRIDGE_AUTH_JWT_SECRET" in said_well(await run("serve", DATABASE_URL=NOWHERE), 78)


async def test_serve_without_a_database_names_the_setting() -> None:
    assert "DATABASE_URL" in said_well(await run("serve", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET), 78)


async def test_a_taken_port_is_named(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = await run("serve", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET, NOTIFY_BRIDGE_HTTP_PORT=port)
    assert done.status == 1 and "listening on http" not in done.stdout, done
    error = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert error[0].startswith("error: ") and port in error[0] and "--http-port" in "\n".join(error), done


@pytest.mark.parametrize("arguments", [
    ["serve", "--frob"], ["frob"], ["send", "--user", "1"], ["token"], ["listen"], ["migrate", "--dry-run", "--status"],
    ["token", "--user", "1", "--ttl", "soon"], ["purge", "surplus"],
], ids=" ".join)
async def test_wrong_usage_exits_with_64(arguments: list[str]) -> None:
    said_well(await run(*arguments, DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET), 64)


async def test_every_command_has_help_with_an_example() -> None:
    overview = await run("--help")
    listed = re.findall(r"^  (\w+) {2,}", overview.stdout.split("SUBCOMMANDS:")[1], re.MULTILINE)
    assert overview.status == 0 and listed == COMMANDS
    for command, done in zip(COMMANDS, await asyncio.gather(*(run(command, "--help") for command in COMMANDS)), strict=True):
        assert (done.status, done.stderr) == (0, ""), command
        example = re.search(r"Example:\s+(.*?)\n\n", done.stdout, re.DOTALL)
        assert example and re.search(rf"notify-bridge\s+{command}", example[1]), done
    version = await run("--version")
    assert version.status == 0 and re.fullmatch(r"(notify-bridge )?\d+\.\d+\.\d+\S*\n", version.stdout), version


# MARK: Secrets

PASSWORD = "pass-of-the-database"
HIDDEN = [PASSWORD, "secret-of-the-tokens"]


@pytest.mark.parametrize("url", [
    f"postgresql://postgres:{PASSWORD}@127.0.0.1:1/x", f"postgresql://postgres:{PASSWORD}@127.0.0.1:port/x",
    f"postgresql://postgres:{PASSWORD}@[::1/x", f"host=127.0.0.1 port=1 password={PASSWORD} nonsense=1", f"postgres:{PASSWORD}@host",
], ids=["refused", "bad port", "bad address", "unknown word", "no scheme"])
async def test_a_failing_command_shows_no_secret(url: str) -> None:
    short = "secret-of-the-tokens"
    commands = [["migrate"], ["check"], ["purge"], ["send", "--user", "1", "--data", "{}"]]
    if "127.0.0.1:1/" not in url:
        commands.append(["serve"])
    for done in await asyncio.gather(*(
        run(*command, DATABASE_URL=url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=short, NOTIFY_BRIDGE_HTTP_PORT="0", NOTIFY_BRIDGE_LOG_LEVEL="trace")
        for command in commands
    )):
        assert done.status in (1, 78), done
        assert not any(secret in done.stdout + done.stderr for secret in HIDDEN), done


async def test_a_secret_in_a_wrong_place_is_not_shown_either(tmp_path: Path) -> None:
    file = tmp_path / "bridge.yaml"
    file.write_text(f"database:\n  url: [{PASSWORD}]\nauth:\n  jwt_secret:\n    nested: {HIDDEN[1]}\n")
    for done in (
        await run("serve", "--config", str(file)),
        await run("serve", DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRETS=HIDDEN[1]),
        await run("serve", DATABASE_URL=NOWHERE, NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE=str(tmp_path / "absent")),
    ):
        assert not any(secret in said_well(done, 78) for secret in HIDDEN)


async def test_a_running_bridge_logs_no_secret(database: Database, serve: Serve, connect: Connect) -> None:
    url = database.url.replace("postgres@", f"postgres:{PASSWORD}@")
    bridge = await serve(url, NOTIFY_BRIDGE_LOG_LEVEL="trace")
    await bridge.ready()
    good, bad = token(5), token(5, ttl=-60)
    device = await connect(bridge, query={"token": good})
    refused = await connect(bridge, query={"token": bad}, greeted=False)
    assert (await refused.end()).code == 4001
    await database.insert(5, '{"note": "private-payload"}')
    await device.notification()
    assert await bridge.terminate() == 0
    log = "\n".join(bridge.stderr.lines + bridge.stdout.lines)
    assert "4001" in log or "expired" in log  # it does speak of what happened
    for secret in (PASSWORD, SECRET, good, bad, good.rsplit(".", 1)[1], "private-payload"):
        assert secret not in log


async def test_sighup_says_what_applies_and_verifies_open_sockets_again(database: Database, serve: Serve, connect: Connect, tmp_path: Path) -> None:
    secret, config = tmp_path / "secret", tmp_path / "bridge.yaml"
    secret.write_text(SECRET + "\n")
    config.write_text("heartbeat_seconds: 30\n")
    bridge = await serve(
        database, "--config", str(config), NOTIFY_BRIDGE_AUTH_JWT_SECRET=None, NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE=str(secret))
    device = await connect(bridge, 1)
    ticket = await database.value("SELECT notify_bridge.issue_ticket('2')")
    other = await connect(bridge, query={"token": ticket})

    async def reload() -> dict[str, str]:
        start = len(bridge.stderr.lines)
        bridge.signal(signal.SIGHUP)
        line = await bridge.logged(lambda line: line["message"].startswith("reloaded"), "the reload", start=start)
        return {key: line.get(key, "") for key in ("applied", "needs_restart", "verifies_sockets")}

    assert await reload() == {"applied": "", "needs_restart": "", "verifies_sockets": "false"}
    # The same key; another setting of the logins, which leaves the token good.
    config.write_text("heartbeat_seconds: 20\nauth: {jwt_leeway_seconds: 5}\nlog: {level: debug}\n")
    assert await reload() == {
        "applied": "NOTIFY_BRIDGE_AUTH_JWT_LEEWAY_SECONDS NOTIFY_BRIDGE_LOG_LEVEL", "needs_restart": "NOTIFY_BRIDGE_HEARTBEAT_SECONDS",
        "verifies_sockets": "true"}
    assert await device.barrier() == []
    secret.write_text("another")
    assert await reload() == {
        "applied": "NOTIFY_BRIDGE_AUTH_JWT_SECRET", "needs_restart": "NOTIFY_BRIDGE_HEARTBEAT_SECONDS", "verifies_sockets": "true"}
    end = await device.end()
    assert (end.code, end.reason) == (4001, "invalid")
    assert await other.barrier() == []
