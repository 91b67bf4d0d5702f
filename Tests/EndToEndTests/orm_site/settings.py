"""Settings out of the environment."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["SITE_DATABASE_URL"])

SECRET_KEY = "a secret of this project alone"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "notify_bridge", "orm_site.inbox"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": _database.hostname, "PORT": _database.port,
        "NAME": _database.path.lstrip("/"), "USER": _database.username,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
NOTIFY_BRIDGE_MODEL = "inbox.Notification"
