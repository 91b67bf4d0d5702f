"""Errors between Django and the bridge's schema; each message has its remedy."""

from __future__ import annotations

from django.db import Error

MIGRATE = "Run `notify-bridge migrate` on this database, as its owner."


class NotifyBridgeError(Exception):
    """Something that the bridge needs is missing, or refused. The message has the remedy."""

    @classmethod
    def of(cls, error: Error) -> NotifyBridgeError:
        """The database's message, with its hint."""
        diagnosis = getattr(error.__cause__, "diag", None)
        message = getattr(diagnosis, "message_primary", None) or str(error).strip()
        hint = getattr(diagnosis, "message_hint", None)
        return cls(f"{message}\n{hint}" if hint else message)


def sqlstate(error: Error) -> str:
    """The five characters that name an error, with either version of psycopg; empty where there are none."""
    cause = error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
