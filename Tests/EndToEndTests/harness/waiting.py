"""Waiting with a deadline that fails loudly.

Where there is an event (a message, a log line, the end of a process), tests wait for that. `eventually` is for what
has none: the state of the database, and HTTP answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


class TooLate(AssertionError):
    """What was waited for did not happen in time."""


async def within(seconds: float, awaitable: Awaitable[Any], what: str) -> Any:
    """Waits for an event, at most so long.

    `asyncio.wait_for` would do before Python 3.12 what no test expects: it swallows a cancellation that comes in the same
    turn as the event, and a visitor that was told to go stays for ever.
    """
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError:
        raise TooLate(f"{what}: not within {seconds} s") from None


async def eventually(
    look: Callable[[], Awaitable[Any]], accept: Callable[[Any], bool], what: str, seconds: float = 10, every: float = 0.02
) -> Any:
    """Looks again and again until what is seen is accepted; returns it, or fails with what was seen last."""
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if accept(seen):
            return seen
        if time.monotonic() > deadline:
            raise TooLate(f"{what}: not within {seconds} s; last seen: {seen!r}")
        await asyncio.sleep(every)
