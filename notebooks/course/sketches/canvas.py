"""The visual language of the course's drawings: a card of boxes, icons, arrows and formulas.

A colour means one thing, and a band, a frame or hatching says the same without colour:

==========  ========================  =====================================
kind        colour                    without colour
==========  ========================  =====================================
``text``    blue                      solid band, round corners
``image``   orange                    hatched band, dashed frame
``id``      green                     dotted band, slanted corners
``target``  purple                    double frame
``masked``  grey                      crossed hatching, dotted frame
``plain``   white                     thin frame
``dark``    black                     filled
==========  ========================  =====================================

Every drawing brings its own light card, so it looks the same on light and dark pages and in print.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from html import escape

from course.sketches.icons import ICONS
from course.style import BLUE, GREEN, ORANGE, PURPLE, VERMILION

WIDTH, MARGIN = 680, 28
PAPER = "#fffdf8"
STROKE = {
    **{"text": BLUE, "image": ORANGE, "id": GREEN, "target": PURPLE, "gradient": VERMILION},
    **{"masked": "#8b8f96", "plain": "#4a5560", "dark": "#1f2933"},
}
FILL = {
    **{"text": "#dcebf6", "image": "#fdefd0", "id": "#d9f0e7", "target": "#f8e6f1"},
    **{"masked": "#efede8", "plain": "#ffffff", "dark": "#1f2933", "gradient": "#fbe5d6"},
}
INK = {
    **{"ink": "#1f2933", "muted": "#4a5560", "text": "#00527f", "image": "#6f4700"},
    **{
        "id": "#005a44",
        "target": "#822b60",
        "gradient": "#9a4200",
        "light": "#ffffff",
        "halo": "#4a5560",
    },
}
SANS = "'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif"
SERIF = "'STIX Two Text','Times New Roman','Liberation Serif',serif"
_MARKUP = re.compile(r"\$([^$]*)\$|\*\*([^*]*)\*\*|([^$*]+)")
_SYMBOL = re.compile(r"_\{([^}]*)\}|_(\w)|([^_]+)")


def number(value: float) -> str:
    """Return a coordinate in as few characters as it needs."""
    return f"{value:.1f}".removesuffix(".0").replace("-0.", "-.").removeprefix("0") or "0"


def attributes(**given: object) -> str:
    """Return attributes of an element; ``_`` stands for ``-``, numbers are shortened."""
    return "".join(
        f" {name.strip('_').replace('_', '-')}="
        f'"{number(value) if isinstance(value, (int, float)) else value}"'
        for name, value in given.items()
        if value is not None
    )


class Canvas:
    """A drawing under construction; coordinates are in pixels of a card 680 wide.

    Parameters
    ----------
    name
        Name of the file, and the beginning of every id.
    title
        What the drawing says, in one line; it stands on the card.
    description
        What it shows, for those who cannot see it.
    height
        Height of the card.
    """

    def __init__(self, name: str, title: str, description: str, height: float) -> None:
        self.name, self.title, self.description = name, title, description
        self.height = height
        self.parts: list[str] = []
        self.text(MARGIN, 42, f"**{title}**", size=21)

    def add(self, element: str, **given: object) -> None:
        """Add an element with these attributes."""
        self.parts.append(f"<{element}{attributes(**given)}/>")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        kind: str = "ink",
        size: float = 16,
        anchor: str = "start",
    ) -> None:
        """Write words; ``$h_t$`` is a symbol, ``**bold**`` is bold, a line break starts a line."""
        lines = words.split("\n")
        for line, row in zip(lines, range(len(lines)), strict=True):
            inside = "".join(self._run(run, size) for run in _MARKUP.findall(line))
            given = attributes(
                x=x,
                y=y + row * size * 1.28,
                font_size=None if size == 16 else size,
                class_=None if kind == "ink" else f"i-{kind}",
                text_anchor=None if anchor == "start" else anchor,
            )
            self.parts.append(f"<text{given}>{inside}</text>")

    def _run(self, run: tuple[str, str, str], size: float) -> str:
        symbol, bold, plain = run
        if not symbol:
            words = escape(bold or plain, quote=False)
            return f'<tspan font-weight="700">{words}</tspan>' if bold else words
        out, lowered = "", 0.0
        for long, short, letters in _SYMBOL.findall(symbol):
            sub = long or short
            shift = (size * 0.22 if sub else 0) - lowered
            lowered += shift
            given = attributes(
                class_="m",
                dy=shift if abs(shift) > 0.01 else None,
                font_size=max(round(size * 0.8), 13) if sub else round(size * 1.16),
            )
            out += f"<tspan{given}>{escape(sub or letters, quote=False)}</tspan>"
        return out + (f'<tspan dy="{number(-lowered)}">\u200b</tspan>' if lowered else "")

    def box(
        self,
        x: float,
        y: float,
        w: float,
        h: float,
        kind: str = "plain",
        words: str = "",
        size: float = 16,
    ) -> None:
        """Draw the box of a kind, with words in its middle."""
        frame: dict[str, object] = {"rx": 9.0}
        if kind == "image":
            frame = {"rx": 0.0, "stroke_dasharray": "7 4"}
        elif kind == "masked":
            frame = {"rx": 5.0, "stroke_dasharray": "2 3"}
        if kind == "id":
            cut, (r, b) = 10, (x + w, y + h)
            points = [(x + cut, y), (r, y), (r, b - cut), (r - cut, b), (x, b), (x, y + cut)]
            path = "M" + "L".join(f"{number(a)} {number(c)}" for a, c in points) + "z"
            self.add("path", d=path, class_="k-id")
        else:
            self.add("rect", x=x, y=y, width=w, height=h, **frame, class_=f"k-{kind}")
        if kind == "masked":
            fill = f"url(#{self.name}-cross)"
            self.add("rect", x=x, y=y, width=w, height=h, rx=5, fill=fill)
        elif kind == "target":
            self.add("rect", x=x + 4, y=y + 4, width=w - 8, height=h - 8, rx=6, class_="ring")
        elif kind in ("text", "image", "id"):
            fill = STROKE["text"] if kind == "text" else f"url(#{self.name}-{kind})"
            top = 12 if kind == "id" else 6
            self.add("rect", x=x + 5, y=y + top, width=8, height=h - top - 6, fill=fill)
        if words:
            inset = 5 if kind in ("text", "image", "id") else 0
            middle = y + h / 2 + size * (0.36 - 0.64 * words.count("\n"))
            ink = {"plain": "ink", "masked": "halo", "dark": "light"}.get(kind, kind)
            self.text(x + w / 2 + inset, middle, words, ink, size, "middle")

    def icon(self, name: str, x: float, y: float, size: float = 48) -> None:
        """Draw a product with its top left corner at (x, y)."""
        move = f"translate({number(x)} {number(y)})"
        scale = "" if size == 48 else f" scale({size / 48:.3g})"
        self.parts.append(f'<g class="p" transform="{move}{scale}">{ICONS[name]}</g>')

    def item(
        self, name: str, x: float, y: float, size: float = 64, kind: str = "plain", words: str = ""
    ) -> None:
        """Draw an item: a product in a frame, with words below."""
        self.box(x, y, size, size, kind)
        if kind != "masked":
            inner = size * 0.75
            self.icon(name, x + (size - inner) / 2, y + (size - inner) / 2, inner)
        if words:
            self.text(x + size / 2, y + size + 19, words, "muted", 15, "middle")

    def line(
        self, *points: tuple[float, float], kind: str = "plain", dash: str = "", width: float = 2
    ) -> None:
        """Draw a line through the points."""
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
        self.add(
            "path",
            d=path,
            fill="none",
            stroke=STROKE[kind],
            stroke_width=width,
            stroke_dasharray=dash or None,
            stroke_linejoin="round",
        )

    def arrow(
        self, *points: tuple[float, float], kind: str = "plain", dash: str = "", width: float = 2
    ) -> None:
        """Draw a line through the points with a head at its end."""
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        head = 7 + 1.6 * width
        bx, by, half = x1 - head * dx, y1 - head * dy, head * 0.46
        self.line(*points[:-1], (bx + dx, by + dy), kind=kind, dash=dash, width=width)
        corners = [(x1, y1), (bx - half * dy, by + half * dx), (bx + half * dy, by - half * dx)]
        path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in corners) + "z"
        self.add("path", d=path, fill=STROKE[kind])

    def bar(self, x: float, y: float, w: float, h: float, kind: str = "plain") -> None:
        """Draw a bar of a chart; the target's is filled, a masked one is crossed."""
        fill = {"target": STROKE["target"], "plain": "#9aa3ab", "masked": None}.get(kind)
        fill = fill or (f"url(#{self.name}-{'cross' if kind == 'masked' else kind})")
        if kind == "text":
            fill = STROKE["text"]
        self.add("rect", x=x, y=y, width=max(w, 1), height=max(h, 1), fill=fill)
        if kind == "target":
            self.add("rect", x=x, y=y, width=max(w, 1), height=max(h, 1), class_="edge")

    def vector(
        self, x: float, y: float, values: Sequence[float], kind: str = "plain", cell: float = 15
    ) -> None:
        """Draw an embedding as a row of cells: the larger a value, the fuller its cell."""
        for place, value in enumerate(values):
            self.add(
                "rect",
                x=x + place * cell,
                y=y,
                width=cell,
                height=cell + 5,
                class_=f"k-{kind}",
                stroke_width=1.2,
            )
            full = (cell + 1) * value
            self.add(
                "rect",
                x=x + place * cell + 2,
                y=y + cell + 3 - full,
                width=cell - 4,
                height=full,
                fill=STROKE[kind],
            )

    def _patterns(self) -> Iterable[str]:
        hatch = "M-2 2l4-4M0 8L8 0M6 10l4-4"
        shapes = {
            "image": (8, f'<path d="{hatch}" stroke="{ORANGE}" stroke-width="3"/>'),
            "id": (6, f'<circle cx="3" cy="3" r="2" fill="{GREEN}"/>'),
            "cross": (8, f'<path d="{hatch}M-2 6l4 4M0 0l8 8M6-2l4 4" stroke="#b9bbb9"/>'),
        }
        for name, (side, inside) in shapes.items():
            if f"url(#{self.name}-{name})" in "".join(self.parts):
                given = f'width="{side}" height="{side}" patternUnits="userSpaceOnUse"'
                yield f'<pattern id="{self.name}-{name}" {given}>{inside}</pattern>'

    def svg(self) -> str:
        """Return the drawing as the text of an SVG file."""
        body = "\n".join(self.parts)
        rules = [f"svg{{font-family:{SANS}}}text{{fill:{INK['ink']}}}"]
        rules += [f".m{{font-family:{SERIF};font-style:italic}}"] if 'class="m"' in body else []
        rules += [f".i-{k}{{fill:{v}}}" for k, v in INK.items() if f'class="i-{k}"' in body]
        for kind, colour in STROKE.items():
            if f'class="k-{kind}"' in body:
                width = {"plain": 1.4, "masked": 1.4}.get(kind, 2)
                rules.append(f".k-{kind}{{fill:{FILL[kind]};stroke:{colour};stroke-width:{width}}}")
        if 'class="p"' in body:
            rules.append(
                ".p{fill:#e9e2d3;stroke:#1f2933;stroke-width:2;stroke-linejoin:round;"
                "stroke-linecap:round}.p .n{fill:none}.p .w{fill:#fff}.p .s{fill:#8a8f98}"
            )
        if 'class="i-halo"' in body:  # words on hatching
            rules.append(f".i-halo{{stroke:{FILL['masked']};stroke-width:5;paint-order:stroke}}")
        rules += [f".ring{{fill:none;stroke:{PURPLE};stroke-width:1.4}}"]
        rules += [f".edge{{fill:none;stroke:{INK['target']};stroke-width:2}}"]
        rules = [r for r in rules if r[1:5] not in ("ring", "edge") or f'class="{r[1:5]}"' in body]
        ids = f"{self.name}-title {self.name}-desc"
        size = f'width="{WIDTH}" height="{number(self.height)}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}'
            f' viewBox="0 0 {WIDTH} {number(self.height)}" role="img" aria-labelledby="{ids}"'
            f' font-size="16">\n'
            f'<title id="{self.name}-title">{escape(self.title, quote=False)}</title>\n'
            f'<desc id="{self.name}-desc">{escape(self.description, quote=False)}</desc>\n'
            f"<style>{''.join(rules)}</style>\n"
            f"<defs>{''.join(self._patterns())}</defs>\n"
            f'<rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{number(self.height - 2)}"'
            f' rx="14" fill="{PAPER}" stroke="#d9d4c7" stroke-width="2"/>\n{body}\n</svg>\n'
        ).replace("<defs></defs>\n", "")
