from __future__ import annotations

from django.apps import AppConfig


class NotifyBridgeConfig(AppConfig):
    name = "notify_bridge"
    verbose_name = "NotifyBridge"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from notify_bridge import checks  # noqa: F401  (registers them)
