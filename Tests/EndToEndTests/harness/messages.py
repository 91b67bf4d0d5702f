"""What the program says when it fails."""

from __future__ import annotations

import re

from .bridge import Done

# Nothing listens there.
NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"


def said_well(done: Done, status: int) -> str:
    """An error is short, says something, and is no stack trace; returns it."""
    assert done.status == status, done
    assert done.stdout == "", done
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) <= 8, done
    assert not re.search(r"Fatal error|Stack dump|\.swift:\d|Optional\(|0x[0-9a-f]{8}", done.stderr), done
    return done.stderr
