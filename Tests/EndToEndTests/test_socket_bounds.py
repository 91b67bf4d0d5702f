"""What sockets may take of the bridge: memory, descriptors, accepting. Whatever one client does, others are served."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable

from harness import frames
from harness.bridge import Bridge
from harness.cluster import free_port
from harness.database import Database
from harness.device import Device
from harness.tokens import SECRET

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_sockets_without_a_verified_user_take_little_memory(connect: Connect) -> None:
    # No database answers: every connect is held for ten seconds.
    bridge = await Bridge.serve(f"postgresql://nobody@127.0.0.1:{free_port()}/none", NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
    try:
        before = bridge.memory("VmHWM")
        devices = await asyncio.gather(*(connect(bridge, 1, greeted=False) for _ in range(40)))
        message = b'{"type":"authenticate","token":"' + b"x" * 65_000 + b'"}'
        for device in devices:
            for _ in range(16):
                device.frame(frames.TEXT, message)
        # Time to read what it reads, while others are answered.
        for _ in range(100):
            assert (await bridge.get("/healthz"))[0] == 200
        assert bridge.memory("VmHWM") - before < 20 << 20
    finally:
        await bridge.kill()


async def test_accepting_pauses_while_no_descriptor_is_left_and_says_so_once(serve: Serve, database: Database, connect: Connect) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_HEARTBEAT_SECONDS="1", NOTIFY_BRIDGE_LIMITS_CONNECTIONS="5000")
    device = await connect(bridge, 1)
    _, hard = resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(bridge.pid, resource.RLIMIT_NOFILE, (100, hard))
    sockets = [await asyncio.open_connection(bridge.host, bridge.port) for _ in range(120)]
    line = await bridge.logged(lambda line: "no room for more" in line["message"], "the pause")
    assert line["level"] == "error"
    before = bridge.cpu_seconds()
    for _ in range(3):
        while (await device.next()).type != "heartbeat":
            pass
    assert bridge.cpu_seconds() - before < 1, "it spins"
    for _, writer in sockets:
        writer.transport.abort()
    await bridge.ready()
    assert len([line for line in bridge.log() if "no room for more" in line["message"]]) == 1
    await device.barrier()


async def test_with_a_small_limit_of_open_files_silent_sockets_leave_room(database: Database, connect: Connect) -> None:
    bridge = await Bridge.serve(database.url, open_files=1_024)
    try:
        silent = [
            await asyncio.open_connection(bridge.host, bridge.port, local_addr=("127.0.0.2", 0)) for _ in range(1_200)]
        assert (await bridge.get("/healthz"))[0] == 200
        device = await connect(bridge, 1)
        await device.barrier()
        for _, writer in silent:
            writer.transport.abort()
    finally:
        await bridge.kill()
