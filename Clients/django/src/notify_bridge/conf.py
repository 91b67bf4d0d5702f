"""The settings, each with its default. `checks` says which values are wrong."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, models, router

DEFAULTS: dict[str, str | None] = {
    # The model that notify() writes: "app.Model". None: this project doesn't use notify().
    "NOTIFY_BRIDGE_MODEL": None,
    # Where browsers find the bridge: a path on the page's own host, or a whole ws:// or wss:// address.
    "NOTIFY_BRIDGE_URL": "/ws/notifications/",
    # How the template tag's client logs in: "ticket" (the bridge may be anywhere) or "session" (it gets the cookie).
    "NOTIFY_BRIDGE_CREDENTIAL": "ticket",
}
CREDENTIALS = ("ticket", "session")


def setting(name: str) -> str | None:
    value: str | None = getattr(settings, name, DEFAULTS[name])
    return value


def notification_model() -> type[models.Model]:
    """The model of NOTIFY_BRIDGE_MODEL."""
    name = setting("NOTIFY_BRIDGE_MODEL")
    if not name:
        raise ImproperlyConfigured(
            "NOTIFY_BRIDGE_MODEL is not set: name a model that derives from notify_bridge.models.NotificationBase, "
            'such as NOTIFY_BRIDGE_MODEL = "shop.Notification".'
        )
    try:
        return apps.get_model(name, require_ready=False)
    except (LookupError, ValueError) as error:
        raise ImproperlyConfigured(f'NOTIFY_BRIDGE_MODEL = "{name}": {error}') from error


def database() -> str:
    """The alias of the database that the bridge serves: the one that notifications are written to."""
    if setting("NOTIFY_BRIDGE_MODEL"):
        return router.db_for_write(notification_model())
    return DEFAULT_DB_ALIAS
