"""Flame graphs (Brendan Gregg's form) as SVG, from what `perf script` prints."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import dataclass, field

# The outermost function first.
Stacks = Counter[tuple[str, ...]]

_WIDTH, _ROW, _LETTER = 1200, 15, 6.2
# Narrower boxes are left out.
_NARROWEST = 1.5
_STYLE = """<style>text{font:10px sans-serif;fill:#1f2328}.n{fill:#1f2328;font-size:12px}
@media(prefers-color-scheme:dark){.n{fill:#e6edf3}}</style>"""
_COLOURS = {"kernel": "#e0a458", "swift": "#8fbf6a", "library": "#b7a8d6", "bridge": "#7fb2e5"}


def read(text: str) -> Stacks:
    """One stack for each sample, below the thread's name."""
    stacks: Stacks = Counter()
    for sample in text.split("\n\n"):
        lines = [line for line in sample.splitlines() if line.strip()]
        if len(lines) < 2:
            continue
        frames = [_frame(line.strip()) for line in lines[1:]]
        stacks[(_thread(lines[0].strip()), *reversed(frames))] += 1
    return stacks


def _thread(comm: str) -> str:
    """As threads are named by what they do: all event loops are one."""
    return "event loops" if comm.startswith("NIO") else "database connections" if comm.startswith("oot.") else comm


def _frame(line: str) -> str:
    _, _, rest = line.partition(" ")
    name, _, library = rest.rpartition(" (")
    return f"{name.split('+0x')[0] or '[unknown]'} ({library.rstrip(')').rpartition('/')[2]})"


def table(stacks: Stacks, most: int = 15) -> str:
    """The functions in which most samples were taken, in Markdown."""
    total = stacks.total()
    own: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
    lines = [f"| {count / total:.1%} | `{name}` |" for name, count in own.most_common(most)]
    return "\n".join(["| of all samples | in |", "|---|---|", *lines, ""])


@dataclass
class _Node:
    count: int = 0
    callees: dict[str, _Node] = field(default_factory=dict)

    def depth(self) -> int:
        return 1 + max((callee.depth() for callee in self.callees.values()), default=0)


def svg(stacks: Stacks) -> str:
    root = _Node()
    for stack, count in stacks.items():
        node = root
        node.count += count
        for name in stack:
            node = node.callees.setdefault(name, _Node())
            node.count += count
    scale = _WIDTH / max(root.count, 1)
    root = _without_narrow(root, _NARROWEST / scale)
    height = (root.depth() + 1) * _ROW
    boxes = [_box("all", 0, height - _ROW, _WIDTH, root.count, root.count), *_boxes(root, 0, height - 2 * _ROW, scale, root.count)]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}">{_STYLE}'
            f'<text class="n" x="4" y="12">{root.count:,} samples; point at a box for its name</text>\n'
            + "\n".join(boxes) + "\n</svg>\n")


def _without_narrow(node: _Node, least: float) -> _Node:
    return _Node(node.count, {name: _without_narrow(callee, least) for name, callee in node.callees.items()
                              if callee.count >= least})


def _boxes(node: _Node, x: float, y: float, scale: float, total: int) -> list[str]:
    boxes = []
    for name, callee in sorted(node.callees.items()):
        boxes.append(_box(name, x, y, callee.count * scale, callee.count, total))
        boxes += _boxes(callee, x, y - _ROW, scale, total)
        x += callee.count * scale
    return boxes


def _box(name: str, x: float, y: float, width: float, count: int, total: int) -> str:
    colour = _COLOURS["kernel" if "kernel" in name else "swift" if "(libswift" in name else
                      "library" if "(lib" in name or "(ld-" in name else "bridge"]
    label = name.rpartition(" (")[0] or name
    letters = int((width - 4) / _LETTER)
    shown = label if len(label) <= letters else label[: letters - 1] + "…" if letters > 3 else ""
    text = f'<text x="{x + 2:.1f}" y="{y + 11}">{html.escape(shown)}</text>' if shown else ""
    return (f'<g><title>{html.escape(name)}: {count / total:.1%}</title><rect x="{x:.1f}" y="{y}" '
            f'width="{max(width - 0.5, 0.5):.1f}" height="{_ROW - 1}" fill="{colour}"/>{text}</g>')
