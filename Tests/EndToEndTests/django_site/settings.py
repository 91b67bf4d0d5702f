"""Settings out of the environment: the tests run the project in several ways."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

_database = urlsplit(os.environ["SITE_DATABASE_URL"])

SECRET_KEY = os.environ["SITE_SECRET_KEY"]
SECRET_KEY_FALLBACKS = [key for key in os.environ.get("SITE_SECRET_KEY_FALLBACKS", "").split(",") if key]
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "django_site.urls"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "rest_framework",
    "rest_framework.authtoken", "django_site.people",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql", "HOST": _database.hostname, "PORT": _database.port,
        "NAME": _database.path.lstrip("/"), "USER": _database.username, "CONN_MAX_AGE": 600,
    },
}
AUTH_USER_MODEL = os.environ.get("SITE_USER_MODEL", "auth.User")
SESSION_ENGINE = "django.contrib.sessions.backends." + os.environ.get("SITE_SESSIONS", "db")
SESSION_COOKIE_AGE = int(os.environ.get("SITE_SESSION_AGE", "1209600"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SIMPLE_JWT = {"SIGNING_KEY": os.environ.get("SITE_JWT_KEY", SECRET_KEY)}
# Slow hashes would be most of the tests' time.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
