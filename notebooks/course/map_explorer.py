"""A map of items with its errors: move UMAP's settings, click an item, see its true neighbours.

The map is inline SVG: every point shows its title and keywords under the pointer. A point that is
clicked, tapped, or reached by the arrow keys becomes the chosen item, whose images and those of
its true neighbours stand beside the map. In a build, small multiples stand in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.controls import choice, slider
from course.display import escape
from course.figures import show
from course.map_drawing import EDGES, choose_sign, draw_maps
from course.panels import panel
from course.pictures import picture_html
from course.session import is_static

if TYPE_CHECKING:
    import numpy as np

    from msm4sr_lite.dataset.dataset import Item

Settings = tuple[int, int]  # n_neighbors and seed of a map

_SIDE = 560  # units of the square map
_KEPT = "neighbours kept"
# The markers of the course as SVG paths around their centre, in the order of MARKERS; they are
# filled and stroked, for a plus and a cross are nothing but strokes.
_SHAPES = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "m-3-3h6v6h-6z",
    "m0-4l4 7h-8z",
    "m0-4l4 4-4 4-4-4z",
    "m0 4l4-7h-8z",
    "m-4 0h8m-4-4v8",
    "m-3-3l6 6m0-6l-6 6",
    "m0-5v10m-4-8l8 6m0-6l-8 6",
    "m-4 0l7-4v8z",
    "m4 0l-7-4v8z",
    "m0-5l3 5-3 5-3-5z",
    "m0-4l4 3-2 4h-4l-2-4z",
)


class MapView:
    """Draws one of several maps of the same items, with the true neighbours of a chosen item.

    Parameters
    ----------
    maps
        Settings ``(n_neighbors, seed)`` and the places ``(items, 2)`` that result.
    vectors
        The embeddings that were projected, ``(items, width)``.
    items
        The items, in the order of the vectors.
    image_root
        Where their images lie, ``Dataset.image_root``.
    keywords
        By item id, the keywords of each image.
    marks
        What points can be marked by: a name, and the group of each item (at most 12 groups).
    k
        How many true neighbours are compared.

    Raises
    ------
    ValueError
        If the lengths differ, a mark has more than 12 groups, or there is no map.
    """

    def __init__(
        self,
        maps: Mapping[Settings, np.ndarray],
        vectors: np.ndarray,
        items: Sequence[Item],
        image_root: Path,
        keywords: Mapping[str, Sequence[Sequence[str]]],
        marks: Mapping[str, Sequence[str]],
        k: int = 10,
    ) -> None:
        from course.maps import find_neighbours, share_kept, trustworthiness

        lengths = {len(vectors), len(items), *map(len, maps.values()), *map(len, marks.values())}
        if not maps or len(lengths) != 1:
            raise ValueError(
                "at least one map was expected, and as many places, vectors, items and groups;"
                f" got {len(maps)} maps and the lengths {sorted(lengths)}"
            )
        for name, groups in marks.items():
            if len(set(groups)) > len(_SHAPES):
                raise ValueError(
                    f"a mark has at most {len(_SHAPES)} groups; {name} has {len(set(groups))}"
                )
        self.maps, self.items, self.image_root, self.k = maps, items, image_root, k
        self.truth = find_neighbours(vectors, k)
        self.trust = {at: trustworthiness(vectors, places, k) for at, places in maps.items()}
        self.kept = {
            at: share_kept(self.truth, find_neighbours(places, k)) for at, places in maps.items()
        }
        self.marks = dict(marks)
        self.names = {
            f"{item.item_id} {item.title or '(no text)'}": n for n, item in enumerate(items)
        }
        self.words = [next(iter(keywords.get(item.item_id, [])), ()) for item in items]
        # The part of a point that is the same on every map.
        self._parts = [
            f'role="radio" aria-checked="false" tabindex="-1" data-tap="{escape(name)}">'
            f"<title>{_tip(items[n], self.words[n])}</title></path>"
            for name, n in self.names.items()
        ]

    def groups(self, mark: str, at: Settings) -> Sequence[str]:
        """Return the group of each item; by kept neighbours they differ from map to map."""
        if mark != _KEPT:
            return self.marks[mark]
        counts = (self.kept[at] * self.k).round().astype(int)
        limits = [round(self.k * share) for share in (0.2, 0.5)]
        between = f"{limits[0] + 1} to {limits[1]}" if limits[1] > limits[0] + 1 else limits[1]
        names = [f"0 to {limits[0]}", str(between), f"more than {limits[1]}"]
        return [names[(count > limits[0]) + (count > limits[1])] for count in counts.tolist()]

    def rank_neighbours(self, at: Settings, chosen: int) -> list[int]:
        """Return the rank on the map of each true neighbour of an item, nearest = 1."""
        import numpy as np

        places = self.maps[at]
        distances = np.linalg.norm(places - places[chosen], axis=1)
        distances[chosen] = -1  # also where others lie on the very same spot
        order = np.argsort(distances, kind="stable")
        rank = np.empty(len(order), dtype=int)
        rank[order] = np.arange(len(order))
        return [int(place) for place in rank[self.truth.indices[chosen]]]

    def __call__(self, n_neighbors: int, seed: int, mark: str, item: str) -> tuple[str, str]:
        """Return the map and the neighbours as HTML and as text."""
        at, chosen = (n_neighbors, seed), self.names[item]
        ranks = self.rank_neighbours(at, chosen)
        near = sum(rank <= self.k for rank in ranks)
        text = (
            f"n_neighbors {n_neighbors}, seed {seed}: trustworthiness {self.trust[at]:.2f}; on"
            f" average {self.kept[at].mean() * self.k:.1f} of {self.k} true neighbours are kept. Of"
            f" those of {item}, {near} are among the nearest {self.k} on the map; the farthest"
            f" has rank {max(ranks)} of {len(self.items) - 1}."
        )
        svg = self._svg(at, self.groups(mark, at), mark, chosen, text)
        ranked = enumerate(zip(self.truth.indices[chosen].tolist(), ranks, strict=True), 1)
        tiles = [self._tile(chosen, "chosen", 150)]
        tiles += [self._tile(n, f"neighbour {k}: rank {rank}", 88) for k, (n, rank) in ranked]
        caption = (
            f"The item and its {self.k} true neighbours, nearest first, each with its rank on the"
            " map"
        )
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:1em">'
            f'<div style="flex:3 1 320px">{svg}</div><figure style="flex:2 1 280px;margin:0">'
            f'<div style="display:flex;flex-wrap:wrap;gap:6px">{"".join(tiles)}</div>'
            f"<figcaption>{caption}</figcaption></figure></div>"
            f'<p data-status style="line-height:1.4">{escape(text)}</p>',
            text,
        )

    def _tile(self, number: int, note: str, size: int) -> str:
        item = self.items[number]
        image = self.image_root / item.images[0] if item.images else None
        title = escape(item.title or "(no text)")
        words = ", ".join(self.words[number]) or "image of the item"
        style = (
            f"width:{size + 12}px;background:#fff;color:#111;padding:4px;text-align:center;"
            "font-size:13px;line-height:1.25;overflow-wrap:anywhere"
        )
        name = f"{item.item_id} {item.title or '(no text)'}"
        return (
            f'<div role="button" tabindex="0" data-tap="{escape(name)}" style="{style}">'
            f"{picture_html(image, size, words)}<br><strong>{title}</strong><br>{note}</div>"
        )

    def _svg(self, at: Settings, groups: Sequence[str], mark: str, chosen: int, text: str) -> str:
        import numpy as np

        places = self.maps[at]
        low, high = places.min(axis=0), places.max(axis=0)
        scale = (_SIDE - 30) / max(float((high - low).max()), 1e-9)
        # The second axis of SVG points down.
        points = np.round(15 + (places - low) * [scale, scale]).astype(int)
        points[:, 1] = _SIDE - points[:, 1]
        names = sorted(set(groups))
        parts, keys = [], []
        for number, name in enumerate(names):
            colour, shape = choose_sign(number)
            marks = "".join(
                f'<path d="M{points[n, 0]} {points[n, 1]}{_SHAPES[shape]}" {self._parts[n]}'
                for n, group in enumerate(groups)
                if group == name
            )
            edge = EDGES.get(colour, colour)
            sign = f'fill="{colour}" stroke="{edge}" stroke-width="2" opacity=".8"'
            parts.append(f"<g {sign}>{marks}</g>")
            keys.append(
                '<span style="white-space:nowrap"><svg aria-hidden="true" width="18" height="14"'
                f' viewBox="-9 -7 18 14"><path d="M0 0{_SHAPES[shape]}" {sign}/></svg>'
                f"{escape(name)}</span>"
            )
        x, y = points[chosen].tolist()
        lines = "".join(f"M{x} {y}L{a} {b}" for a, b in points[self.truth.indices[chosen]].tolist())
        rings = "".join(
            f'<circle cx="{a}" cy="{b}" r="7"/>'
            for a, b in points[self.truth.indices[chosen]].tolist()
        )
        return (
            f'<svg role="radiogroup" aria-label="{escape(text)}" data-group="map" data-nearest'
            f' viewBox="0 0 {_SIDE} {_SIDE}" style="width:100%;max-height:86vh;background:#fff">'
            f'<rect x=".5" y=".5" width="{_SIDE - 1}" height="{_SIDE - 1}" fill="none"'
            ' stroke="#bbb"/>'
            f"{''.join(parts)}"
            f'<g fill="none" stroke="#000" pointer-events="none"><path d="{lines}"'
            f' stroke-opacity=".5"/>{rings}<circle cx="{x}" cy="{y}" r="10" stroke-width="3"/></g>'
            '</svg><p style="background:#fff;color:#111;margin:0;padding:4px;font-size:15px;'
            'display:flex;flex-wrap:wrap;gap:2px 14px">'
            f"<strong>{escape(mark)}:</strong> {' '.join(keys)}</p>"
        )


def _tip(item: Item, words: Sequence[str]) -> str:
    title = f"{item.title or '(no text)'} ({item.item_id})"
    return escape(f"{title}: {', '.join(words)}" if words else title)


def explore_map(view: MapView, start: Mapping[str, Any], title: str = "map explorer") -> None:
    """Show a map whose points can be clicked; in a build, small multiples and one still map.

    Parameters
    ----------
    view
        The maps; every ``n_neighbors`` with every seed.
    start
        Settings to begin with: ``n_neighbors``, ``seed``, ``mark``, ``item`` (its id).
    title
        Names the panel.
    """
    counts, seeds = (sorted({at[axis] for at in view.maps}) for axis in (0, 1))
    labels = {name.split()[0]: name for name in view.names}
    mark = start.get("mark", next(iter(view.marks)))
    if is_static():
        show(*draw_maps(view, mark), "The title of each map is its trustworthiness.")
    panel(
        view,
        slider("n_neighbors", counts, start=start.get("n_neighbors"), label="n_neighbors"),
        slider("seed", seeds, start=start.get("seed"), label="seed"),
        choice("mark", [*view.marks, _KEPT], start=mark, label="marked by"),
        choice("item", list(view.names), start=labels.get(start.get("item", "")), label="item"),
        title=title,
        static=[{}],
        taps="item",
    )
