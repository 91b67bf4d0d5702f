"""A project as somebody would have it, on the cluster that run.sh starts."""

import os

PORT = os.environ["NOTIFY_BRIDGE_TEST_PORT"]
SECRET_KEY = "a secret key for tests"
USE_TZ = True
TIME_ZONE = "Europe/Vienna"
ROOT_URLCONF = "testproject.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def _postgresql(name: str, **options: object) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": PORT,
        **options,
    }


DATABASES = {
    # The template has the schema that `notify-bridge migrate` makes.
    "default": _postgresql("app", TEST={"TEMPLATE": "bridge"}),
    # These have not.
    "bare": _postgresql("bare"),
    "lite": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DATABASE_ROUTERS = ["testproject.routers.Router"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "notify_bridge",
    "shop",
    "legacy",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

NOTIFY_BRIDGE_MODEL = "shop.Notification"
