"""The Python environment of the alternatives and the plots: made on first use from alternatives/requirements.txt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .cluster import ROOT

ALTERNATIVES = ROOT / "Benchmarks/alternatives"
_PLACE = ROOT / "Benchmarks/.venv"


def program(name: str) -> Path:
    """A program of the environment, such as `python` or `daphne`."""
    make()
    return _PLACE / "bin" / name


def make() -> None:
    """Makes it unless it is there as required."""
    wanted = (ALTERNATIVES / "requirements.txt").read_text()
    made_from = _PLACE / "requirements.txt"
    if made_from.exists() and made_from.read_text() == wanted:
        return
    print("making Benchmarks/.venv", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", _PLACE], check=True)
    subprocess.run([_PLACE / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r",
                    ALTERNATIVES / "requirements.txt"], check=True)
    made_from.write_text(wanted)
