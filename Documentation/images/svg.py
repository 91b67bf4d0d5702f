"""Boxes, arrows and texts of the figures, as SVG that is readable on a light and on a dark page."""

from __future__ import annotations

from html import escape

_STYLE = """
svg{--ink:#1f2328;--dim:#57606a;--line:#6e7781;--plain:#f6f8fa;--edge:#afb8c1;--blue:#ddf4ff;--blue-edge:#0969da;
--gold:#fff5d6;--gold-edge:#bf8700;--green:#dcfce5;--green-edge:#1a7f37;--red:#ffe6e3;--red-edge:#cf222e;
font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;font-size:12.5px}
@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--dim:#a5b0bb;--line:#8b949e;--plain:#161b22;--edge:#484f58;
--blue:#0c2d4d;--blue-edge:#58a6ff;--gold:#3a2d0a;--gold-edge:#d29922;--green:#0f3320;--green-edge:#3fb950;
--red:#42181a;--red-edge:#f85149}}
text{fill:var(--ink)}.title{font-weight:600}.dim{fill:var(--dim);font-size:11.5px}
.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:11.5px}
.path{fill:none;stroke:var(--line);stroke-width:1.4}.dashed{stroke-dasharray:5 4}
.number{fill:var(--blue-edge)}.digit{fill:#fff;font-weight:700;font-size:11px}
@media(prefers-color-scheme:dark){.digit{fill:#0d1117}}
.plain{fill:var(--plain);stroke:var(--edge)}.blue{fill:var(--blue);stroke:var(--blue-edge)}
.gold{fill:var(--gold);stroke:var(--gold-edge)}.green{fill:var(--green);stroke:var(--green-edge)}
.red{fill:var(--red);stroke:var(--red-edge)}.area{fill:none;stroke:var(--edge);stroke-dasharray:3 3}
""".strip().replace("\n", "")


class Figure:
    """One figure. Coordinates are pixels from its upper left corner."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self.parts: list[str] = []

    def box(self, x: float, y: float, w: float, h: float, title: str = "", *lines: str, kind: str = "plain") -> None:
        """A rectangle with a title and smaller lines; a line that begins with ` is code."""
        self.parts.append(f'<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}" rx="6"/>')
        step, count = 16, len(lines) + bool(title)
        top = y + h / 2 - step * (count - 1) / 2 + 4.5
        if kind == "area":
            top = y + 18
        if title:
            self.text(x + w / 2, top, title, "title")
            top += step
        for line in lines:
            self.text(x + w / 2, top, line.lstrip("`"), "code" if line.startswith("`") else "dim")
            top += step

    def text(self, x: float, y: float, text: str, kind: str = "dim", anchor: str = "middle") -> None:
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>')

    def arrow(self, *points: tuple[float, float], label: str = "", at: tuple[float, float] | None = None,
              dashed: bool = False, head: bool = True, anchor: str = "middle") -> None:
        """A line through points, with a head at its end and a label at a place of its own."""
        kind = "path dashed" if dashed else "path"
        end = ' marker-end="url(#head)"' if head else ""
        places = " ".join(f"{x:g},{y:g}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{places}"{end}/>')
        if label and at:
            self.text(*at, label, anchor=anchor)

    def number(self, x: float, y: float, number: int) -> None:
        """A hop's number in a disc."""
        self.parts.append(f'<circle class="number" cx="{x}" cy="{y}" r="9"/>')
        self.text(x, y + 4, str(number), "digit")

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" aria-label="{escape(self.title)}">\n<title>{escape(self.title)}</title>\n'
            f'<style>{_STYLE}</style>\n<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="var(--line)"/></marker></defs>\n'
            + "\n".join(self.parts) + "\n</svg>\n")
