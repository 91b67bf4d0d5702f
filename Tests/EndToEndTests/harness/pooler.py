"""A real PgBouncer before a cluster, ended by its process id."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from .cluster import Cluster, free_port
from .waiting import eventually

SETTINGS = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
unix_socket_dir =
logfile = {folder}/log
pidfile = {folder}/pid
"""


class Pooler:
    """PgBouncer in one mode; everybody is trusted, as the user `postgres`."""

    def __init__(self, cluster: Cluster, mode: str, size: int = 5) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="notify-bridge-pooler-"))
        settings = SETTINGS.format(server=f"{cluster.port} user=postgres", port=self.port, mode=mode, size=size, folder=self.folder)
        (self.folder / "pgbouncer.ini").write_text(settings)
        user: dict[str, object] = {}
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program is not None, "no pgbouncer found: apt-get install pgbouncer"
        self.process = subprocess.Popen(
            [program, "-q", str(self.folder / "pgbouncer.ini")], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user)

    async def listening(self) -> Pooler:
        async def look() -> bool:
            assert self.process.poll() is None, f"pgbouncer ended: {(self.folder / 'log').read_text()}"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionRefusedError:
                return False
            writer.close()
            return True

        await eventually(look, lambda seen: seen, "pgbouncer listens")
        return self

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def remove(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
