"""Writing notifications: plain INSERTs, so a transaction that is rolled back sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from django.db import connections, models, router, transaction

from notify_bridge.conf import database, notification_model
from notify_bridge.database import call

BATCH_SIZE = 1000


def notify(user: Any, data: Any) -> models.Model:
    """Inserts a notification for a user, given as an object or by the primary key; returns it."""
    model = notification_model()
    return model._default_manager.create(recipient_id=_key(user), data=data)


def notify_many(users: Iterable[Any], data: Any | Callable[[Any], Any], batch_size: int = BATCH_SIZE) -> int:
    """Inserts a notification for each of many users, all in one transaction; returns how many.

    `users` may be a QuerySet, which is read in batches. `data` is the same for all, or a function of the user.
    """
    model = notification_model()
    if isinstance(users, models.QuerySet):
        users = users.iterator(chunk_size=batch_size)
    rest = iter(users)
    count = 0
    with transaction.atomic(router.db_for_write(model), savepoint=False):
        while batch := list(islice(rest, batch_size)):
            model._default_manager.bulk_create(
                [model(recipient_id=_key(user), data=data(user) if callable(data) else data) for user in batch]
            )
            count += len(batch)
    return count


def disconnect(user: Any) -> None:
    """Closes all of a user's sockets once the transaction has committed."""
    call(connections[database()], "SELECT notify_bridge.disconnect_user(%s::text)", [str(_key(user))])


def issue_ticket(user: Any) -> str:
    """A ticket that lets a client connect as this user once, within 30 seconds, after the transaction has committed."""
    ticket: str = call(connections[database()], "SELECT notify_bridge.issue_ticket(%s::text)", [str(_key(user))])
    return ticket


def _key(user: Any) -> Any:
    return user.pk if isinstance(user, models.Model) else user
