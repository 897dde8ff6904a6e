"""A map of items with its errors: move UMAP's settings, choose an item, see its true neighbours.

Static small multiples come first. The live map is inline SVG, so that every point shows its title
and keywords under the pointer without a script; the images come when an item is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.display import escape
from course.figures import show
from course.gallery import images_html
from course.map_drawing import EDGES, choose_sign, draw_maps
from course.panels import choice, panel, slider

if TYPE_CHECKING:
    import numpy as np

    from msm4sr_lite.dataset.dataset import Item

Settings = tuple[int, int]  # n_neighbors and seed of a map

_SIDE, _KEY = 400, 150  # pixels of the square map, and of the key on its right
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
        What points can be marked by: a name, and the group of each item (at most 8 groups).
    k
        How many true neighbours are compared.

    Raises
    ------
    ValueError
        If the lengths differ, a mark has more than 8 groups, or there is no map.
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
        self._tips = [_tip(item, words) for item, words in zip(items, self.words, strict=True)]

    def groups(self, mark: str, at: Settings) -> Sequence[str]:
        """Return the group of each item; by kept neighbours they differ from map to map."""
        if mark != _KEPT:
            return self.marks[mark]
        counts = (self.kept[at] * self.k).round().astype(int)
        limits = [round(self.k * share) for share in (0.2, 0.5)]
        names = [f"0 to {limits[0]}", f"{limits[0] + 1} to {limits[1]}", f"more than {limits[1]}"]
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
        cells = [chosen, *self.truth.indices[chosen].tolist()]
        below = [("chosen",), *((f"rank {rank} on the map",) for rank in ranks)]
        shown = images_html(
            [
                self.image_root / self.items[n].images[0] if self.items[n].images else None
                for n in cells
            ],
            [self.items[n].title or "(no text)" for n in cells],
            below,
            columns=3,
            size=60,
            caption=f"The item and its {self.k} true neighbours, nearest first, each with its rank"
            " on the map",
        )
        return (
            f'<div style="display:flex;flex-wrap:wrap;gap:1em"><div>{svg}</div>'
            f'<div style="flex:1 1 250px;font-size:78%;line-height:1.3">{shown}</div></div>'
            f'<p style="line-height:1.4">{escape(text)}</p>',
            text,
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
        parts = []
        for number, name in enumerate(names):
            colour, shape = choose_sign(number)
            marks = "".join(
                f'<path d="M{x} {y}{_SHAPES[shape]}"><title>{tip}</title></path>'
                for (x, y), tip, group in zip(points.tolist(), self._tips, groups, strict=True)
                if group == name
            )
            y = 40 + 20 * number
            parts.append(
                f'<g fill="{colour}" stroke="{EDGES.get(colour, colour)}" stroke-width="2"'
                f' opacity=".8">{marks}<path d="M{_SIDE + 14} {y}{_SHAPES[shape]}"/></g>'
                f'<text x="{_SIDE + 26}" y="{y + 4}">{escape(name)}</text>'
            )
        x, y = points[chosen].tolist()
        lines = "".join(f"M{x} {y}L{a} {b}" for a, b in points[self.truth.indices[chosen]].tolist())
        rings = "".join(
            f'<circle cx="{a}" cy="{b}" r="7"/>'
            for a, b in points[self.truth.indices[chosen]].tolist()
        )
        return (
            f'<svg role="img" aria-label="{escape(text)}" width="{_SIDE + _KEY}" height="{_SIDE}"'
            f' viewBox="0 0 {_SIDE + _KEY} {_SIDE}" style="max-width:100%;height:auto;'
            'background:#fff" font-family="sans-serif" font-size="13">'
            f'<rect x=".5" y=".5" width="{_SIDE}" height="{_SIDE - 1}" fill="none" stroke="#bbb"/>'
            f'<text x="{_SIDE + 8}" y="20" font-weight="bold">{escape(mark)}</text>'
            f"{''.join(parts)}"
            f'<g fill="none" stroke="#000" pointer-events="none"><path d="{lines}"'
            f' stroke-opacity=".5"/>{rings}<circle cx="{x}" cy="{y}" r="10" stroke-width="3"/></g>'
            "</svg>"
        )


def _tip(item: Item, words: Sequence[str]) -> str:
    title = f"{item.title or '(no text)'} ({item.item_id})"
    return escape(f"{title}: {', '.join(words)}" if words else title)


def explore_map(view: MapView, start: Mapping[str, Any], title: str = "map explorer") -> None:
    """Show the small multiples, one map with its titles under the pointer, and the live panel.

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
    show(*draw_maps(view, mark), "The title of each map is its trustworthiness.")
    panel(
        view,
        slider("n_neighbors", counts, start=start.get("n_neighbors"), label="n_neighbors"),
        slider("seed", seeds, start=start.get("seed"), label="seed"),
        choice("mark", [*view.marks, _KEPT], start=mark, label="marked by"),
        choice("item", list(view.names), start=labels.get(start.get("item", "")), label="item"),
        title=title,
        static=[{}],
    )
