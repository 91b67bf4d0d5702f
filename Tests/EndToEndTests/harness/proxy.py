"""Proxies in front of a site and a bridge, as in production: the real programs."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from .cluster import free_port
from .waiting import eventually, within

PROGRAMS = Path(__file__).resolve().parents[1] / ".programs/usr"
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr notice;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
{locations}
  }}
}}
"""


class Proxy:
    """One server."""

    host = "127.0.0.1"

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="notify-bridge-proxy-"))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, program: str, *arguments: str) -> None:
        """Runs a program (`sbin/nginx`) in the place of an earlier one, and waits until it listens."""
        await self.stop()
        path = PROGRAMS / program
        assert path.exists(), f"{path} does not exist: Tests/Support/install.sh test"
        with (self.folder / "log").open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                str(path), *arguments, stdout=log, stderr=log, cwd=self.folder,
                env=os.environ | {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)})

        async def look() -> bool:
            assert self.process is not None
            if self.process.returncode is not None:
                raise AssertionError((self.folder / "log").read_text())
            try:
                _, writer = await asyncio.open_connection(self.host, self.port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(look, bool, program)

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await within(10, self.process.wait(), "the end of a proxy")

    async def remove(self) -> None:
        await self.stop()
        shutil.rmtree(self.folder)


class Nginx(Proxy):
    """nginx; `locations` are its location blocks. Connections to a changed one end with the old process."""

    async def serve(self, locations: str) -> None:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, locations=locations))
        await self.start("sbin/nginx", "-e", "stderr", "-p", str(self.folder), "-c", str(configuration))


def location(path: str, port: int) -> str:
    """A location that passes everything on, upgrades too."""
    return f"""
    location {path} {{
      proxy_pass http://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection "upgrade";
    }}"""
