"""Serves the project by a real server, on a free port that it prints."""

from __future__ import annotations

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"

from django.core.wsgi import get_wsgi_application  # noqa: E402
from waitress import create_server  # noqa: E402

server = create_server(get_wsgi_application(), host="127.0.0.1", port=0, threads=8)
print(server.effective_port, flush=True)
server.run()
