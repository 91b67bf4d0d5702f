"""Runs bulk_create: python -m backend.bulk MODEL TIMES ROWS prints how many seconds each took."""

import os
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

from backend import models  # noqa: E402


def main() -> None:
    model = getattr(models, sys.argv[1])
    times, rows = int(sys.argv[2]), int(sys.argv[3])
    for run in range(times):
        sent = time.monotonic_ns()
        objects = [model(user_id=1 + i, data={"n": run * rows + i, "t": sent, "u": 1 + i}) for i in range(rows)]
        begin = time.monotonic()
        model.objects.bulk_create(objects)
        print(time.monotonic() - begin, flush=True)
        time.sleep(1)  # lets the bridge deliver before the next begins


main()
