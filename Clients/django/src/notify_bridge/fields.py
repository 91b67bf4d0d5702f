"""Fields that the bridge sets. To migrations they are the plain fields of Django."""

from __future__ import annotations

from typing import Any

from django.db import models


class SetByBridge:
    """A field that Django writes when a row is inserted, and leaves alone in every later save().

    An object that was loaded before its row was sent would otherwise put the mark back, and the row would be sent
    again. `QuerySet.update()` still writes it.
    """

    attname: str

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        return super().pre_save(model_instance, add) if add else models.F(self.attname)  # type: ignore[misc]

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, _, args, kwargs = super().deconstruct()  # type: ignore[misc]
        return name, f"django.db.models.{type(self).__name__.removeprefix('Bridge')}", args, kwargs


class BridgeBooleanField(SetByBridge, models.BooleanField):  # type: ignore[type-arg]
    """A mark."""


class BridgeDateTimeField(SetByBridge, models.DateTimeField):  # type: ignore[type-arg]
    """When a mark was set."""
