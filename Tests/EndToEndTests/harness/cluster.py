"""A private PostgreSQL cluster: its own folder, port and socket; ended only through its own data folder."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psycopg

SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket}'
port = {port}
max_connections = 200
log_min_messages = warning
log_line_prefix = '%m [%p] %u@%d '
deadlock_timeout = 200ms
"""


def binary(name: str) -> str:
    """Finds a program of the server: in the folder NOTIFY_BRIDGE_TEST_POSTGRESQL where that is set."""
    if wanted := os.environ.get("NOTIFY_BRIDGE_TEST_POSTGRESQL"):
        return str(Path(wanted) / name)
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    try:
        folders.append(Path(subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True).stdout.strip()))
    except FileNotFoundError:
        pass
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            return str(folder / name)
    raise FileNotFoundError("no initdb found: install a PostgreSQL server (14 or newer)")


def free_port() -> int:
    """A loopback port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """One server. Everybody is trusted, except where `hba` says otherwise.

    `primary` makes it a standby of that one. `next_transaction` is the first transaction id that it gives. `programs` is the
    folder of another server's programs. With `disk_bytes` its folder is a disk of that size, which only root can make.
    """

    def __init__(
        self, settings: str = "", hba: str = "", primary: Cluster | None = None, next_transaction: int | None = None,
        programs: Path | None = None, disk_bytes: int | None = None,
    ) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="notify-bridge-e2e-"))
        self.has_disk = disk_bytes is not None
        if disk_bytes is not None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk_bytes},mode=700", "notify-bridge-disk", self.folder], check=True)
            atexit.register(self.remove)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        self.stops = 0  # sessions from before a stop are gone
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        if primary is None:
            self._run("initdb", "-D", self.data, "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "-N", "--auth=trust")
        else:
            self._run("pg_basebackup", "-D", self.data, "-R", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres", "-c", "fast", "-N")
        if next_transaction is not None:
            self._run("pg_resetwal", "-x", str(next_transaction), self.data)
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(SETTINGS.format(socket=self.folder, port=self.port) + settings)
        if hba:
            (self.data / "pg_hba.conf").write_text(hba)
        atexit.register(self.remove)

    def _run(self, program: str, *arguments: object) -> None:
        """Runs a program of the server as the user who may: root may not."""
        user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        done = subprocess.run(
            [str(self.programs / program) if self.programs else binary(program), *map(str, arguments)], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=60, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, **user)
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {done.stdout}")

    def start(self) -> Cluster:
        self._run("pg_ctl", "-s", "-D", self.data, "-w", "-t", "60", "-l", self.log, "start")
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stops the server; `immediate` is a crash."""
        self.stops += 1
        self._run("pg_ctl", "-s", "-D", self.data, "-w", "-t", "60", "-m", mode, "stop")

    def crash(self) -> None:
        self.stop("immediate")

    def promote(self) -> None:
        self._run("pg_ctl", "-s", "-D", self.data, "-w", "-t", "60", "promote")

    @property
    def pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None

    def _processes(self) -> list[int]:
        """The server's processes: the first one and those that it started."""
        pid = self.pid
        if pid is None:
            return []
        pids = [pid]
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                pids.append(int(stat.parent.name))
        return pids

    def freeze(self) -> None:
        """The server says nothing any more, and its sockets stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._processes():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # a session that has just ended

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Runs statements, each by itself."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def remove(self) -> None:
        """Ends the server and deletes its folder. May be called twice."""
        atexit.unregister(self.remove)
        if not self.folder.exists():
            return
        if self.pid is not None:
            self.thaw()
            self.stop("immediate")
        if self.has_disk:
            subprocess.run(["umount", self.folder], check=True)
        shutil.rmtree(self.folder)
