"""nginx in front of a site and a bridge, as in production."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from .cluster import free_port
from .waiting import eventually, within

PROGRAM = Path(__file__).resolve().parents[1] / ".nginx/usr/sbin/nginx"
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


class Nginx:
    """One server; `locations` are its location blocks. Connections to a changed one end with the old process."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="notify-bridge-nginx-"))
        self.process: asyncio.subprocess.Process | None = None

    async def serve(self, locations: str) -> None:
        await self.stop()
        configuration = self.folder / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, locations=locations))
        assert PROGRAM.exists(), f"{PROGRAM} does not exist: Tests/Support/install.sh test"
        self.process = await asyncio.create_subprocess_exec(
            str(PROGRAM), "-e", "stderr", "-p", str(self.folder), "-c", str(configuration), stderr=asyncio.subprocess.PIPE)

        async def look() -> bool:
            assert self.process is not None
            if self.process.returncode is not None:
                raise AssertionError((await self.process.stderr.read()).decode())
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(look, bool, "nginx")

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await within(10, self.process.wait(), "the end of nginx")

    async def remove(self) -> None:
        await self.stop()
        shutil.rmtree(self.folder)


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
