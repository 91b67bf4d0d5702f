"""Writes by the ORM, and prints a line of JSON for each transaction that ended: `python -m orm_site.write NUMBER COUNT SEED`."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable

os.environ["DJANGO_SETTINGS_MODULE"] = "orm_site.settings"

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402
from notify_bridge import notify, notify_many  # noqa: E402
from orm_site.inbox.models import Notification  # noqa: E402


class Undo(Exception):
    """Rolls a block back."""


class Writer:
    """One process of a backend."""

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self.random = random.Random(seed * 1000 + number)
        self.users = list(User.objects.order_by("id"))
        self.transaction = 0
        self.rows: list[str] = []
        self.undone: list[str] = []
        # Loaded long ago, so that they know nothing of what the bridge did meanwhile.
        self.stale: list[Notification] = []

    def write(self, count: int) -> None:
        kinds: list[Callable[[], None]] = [
            self.create, self.by_function, self.bulk, self.bulk_beside_conflicts, self.upsert, self.many, self.savepoints,
            self.roll_back, self.raw, self.copy, self.get_or_create, self.save_stale,
        ]
        for self.transaction in range(1, count + 1):
            self.rows, self.undone = [], []
            kind = kinds[self.transaction % len(kinds)]
            record: dict[str, object] = {"number": self.transaction, "began": time.time(), "kind": kind.__name__}
            try:
                with transaction.atomic():
                    kind()
                    record["commit_sent"] = time.time()
                record |= {"commit_returned": time.time(), "outcome": "committed"}
            except Undo:
                record |= {"commit_sent": None, "commit_returned": None, "outcome": "rolled back"}
            print(json.dumps(record | {"rows": self.rows, "undone": self.undone}), flush=True)

    def new(self, user: User | None = None) -> Notification:
        return Notification(recipient=user or self.random.choice(self.users), data=self.data())

    def data(self) -> dict[str, str]:
        key = f"w{self.number}.t{self.transaction}.{len(self.rows) + len(self.undone)}"
        self.rows.append(key)
        return {"k": key}

    # MARK: Kinds of transactions

    def create(self) -> None:
        row = Notification.objects.create(recipient=self.random.choice(self.users), data=self.data())
        self.stale.append(row)

    def by_function(self) -> None:
        notify(self.random.choice(self.users), self.data())
        notify(self.random.choice(self.users).pk, self.data())

    def bulk(self) -> None:
        few = self.random.sample(self.users, 3)
        Notification.objects.bulk_create([self.new(self.random.choice(few)) for _ in range(25)], batch_size=10)

    def bulk_beside_conflicts(self) -> None:
        taken = [Notification(pk=row.pk, recipient=row.recipient, data={"k": "a conflict"}) for row in self.stale[-2:]]
        Notification.objects.bulk_create(taken, ignore_conflicts=True)
        Notification.objects.bulk_create([self.new() for _ in range(3)], ignore_conflicts=True)

    def upsert(self) -> None:
        """Rows that are there are changed, and delivered no second time; the bridge's marks are not among what changes."""
        known = [Notification(pk=row.pk, recipient=row.recipient, data=row.data, is_read=True) for row in self.stale[-2:]]
        Notification.objects.bulk_create(
            known, update_conflicts=True, unique_fields=["id"], update_fields=["is_read", "data"])
        Notification.objects.bulk_create(
            [self.new() for _ in range(2)], update_conflicts=True, unique_fields=["id"], update_fields=["is_read"])

    def many(self) -> None:
        notify_many(self.users, lambda user: self.data(), batch_size=5)

    def savepoints(self) -> None:
        user = self.random.choice(self.users)
        self.new(user).save()
        try:
            with transaction.atomic():
                self.new(user).save()
                raise Undo
        except Undo:
            self.undone.append(self.rows.pop())
        with transaction.atomic():
            self.new(user).save()

    def roll_back(self) -> None:
        notify_many(self.users[:4], lambda user: self.data())
        raise Undo

    def raw(self) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO inbox_notification (recipient_id, data, is_sent, is_read, created_at) "
                "VALUES (%s, %s::jsonb, false, false, now())",
                [(self.random.choice(self.users).pk, json.dumps(self.data())) for _ in range(3)])

    def copy(self) -> None:
        with connection.cursor() as cursor, cursor.copy(
            "COPY inbox_notification (recipient_id, data, is_sent, is_read, created_at) FROM STDIN"
        ) as into:
            for _ in range(8):
                into.write_row((self.random.choice(self.users).pk, json.dumps(self.data()), False, False, timezone.now()))

    def get_or_create(self) -> None:
        Notification.objects.get_or_create(recipient=self.random.choice(self.users), data=self.data())
        if self.stale:
            Notification.objects.get_or_create(recipient=self.stale[-1].recipient, data=self.stale[-1].data)

    def save_stale(self) -> None:
        for row in self.stale:
            row.is_read = not row.is_read
            row.save()


if __name__ == "__main__":
    Writer(int(sys.argv[1]), int(sys.argv[3])).write(int(sys.argv[2]))
