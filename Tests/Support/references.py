#!/usr/bin/env python3
"""Checks that references to documents, sections and files resolve: references.py FILE…

In Markdown: relative links with their #anchors, and paths of this repository in `code`. Everywhere else: names of
documents (`database.md`, `Documentation/protocol.md`), with the anchor or the quoted section that follows.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Where a document is looked for that is named without its folder.
HOMES = (ROOT, ROOT / "Documentation", ROOT / "Benchmarks")

_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:Benchmarks|Clients|Config|Documentation|Examples|Packaging|Sources|Tests|sql)/[\w./+-]*)`")
_LEADER = re.compile(r"\n[ \t]*(?://+|#+|--+|\*+)?[ \t]*")
_NAME = re.compile(r"(?<![\w/.-])((?:\.\./|[\w.-]+/)*[\w-]+\.md)(#[\w-]+)?")
_SECTION = re.compile(r"""[`)]?,\s+"([A-Z][^"\n]{2,60})\"""")


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def headings(path: Path) -> tuple[str, ...]:
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return tuple(re.findall(r"^#{1,6} +(.+?) *#*$", text, re.MULTILINE))


def has_anchor(path: Path, anchor: str) -> bool:
    known: set[str] = set()
    for heading in headings(path):
        name, count = slug(heading), 0
        while (unique := f"{name}-{count}" if count else name) in known:
            count += 1
        known.add(unique)
    return anchor in known


def in_markdown(path: Path, text: str) -> Iterator[str]:
    text = _FENCE.sub("", text)
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        other = (path.parent / place).resolve() if place else path
        if not other.exists():
            yield f"the link {target} leads nowhere"
        elif anchor and (other.suffix != ".md" or not has_anchor(other, anchor)):
            yield f"the link {target} names no heading of {other.name}"
    for place in _PATH.findall(text):
        if "/." not in place and not (ROOT / place).exists():
            yield f"there is no {place}"


def in_code(path: Path, text: str) -> Iterator[str]:
    # A reference may go on in the comment's next line.
    text = _LEADER.sub(" ", text)
    for found in _NAME.finditer(text):
        name, anchor = found[1], found[2]
        other = next((home / name for home in (path.parent, *HOMES) if (home / name).is_file()), None)
        if other is None:
            yield f"there is no document {name}"
            continue
        if anchor and not has_anchor(other, anchor[1:]):
            yield f"{name} has no heading for {anchor}"
        section = _SECTION.match(text, found.end())
        if section and section[1] not in headings(other):
            yield f'{name} has no section "{section[1]}"'


def main(arguments: list[str]) -> int:
    status = 0
    for argument in arguments:
        path = Path(argument).resolve()
        if path.is_dir():
            continue  # a link to a folder
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        for problem in (in_markdown if path.suffix == ".md" else in_code)(path, text):
            print(f"{argument}: {problem}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
