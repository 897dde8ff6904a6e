"""Maps drawn into matplotlib axes: points marked by group, a path through them, many maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from course.style import MARKERS, PALETTE, YELLOW

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course.map_explorer import MapView

EDGES = {YELLOW: "#8F8500"}  # yellow alone is lost on white


# Twelve groups have a colour and a marker each that no other group has.
_COLOURS = (*PALETTE, "#882255", "#767676", "#5A33B0", "#7A4B00")  # wine, grey, indigo, brown
_SIGNS = (*MARKERS, "<", ">", "d", "p")


def choose_sign(number: int) -> tuple[str, int]:
    """Return colour and marker number of a group; twelve differ in both, 144 as pairs."""
    count = len(_COLOURS)
    return _COLOURS[number % count], (number + number // count) % count


def draw_map(
    axes: Axes,
    places: np.ndarray,
    groups: Sequence[str],
    *,
    size: float = 16,
    key: bool = False,
) -> None:
    """Draw a map into axes: a colour and a marker for each group, in alphabetical order.

    Parameters
    ----------
    axes
        Lose their ticks: a map's axes have no meaning and no unit.
    places
        ``(count, 2)``.
    groups
        The group of each point.
    size
        Of a point, in square points.
    key
        Whether to write the groups' names beside the map.
    """
    import numpy as np

    labels = np.asarray(groups)
    for number, name in enumerate(sorted(set(groups))):
        colour, marker = choose_sign(number)
        x, y = places[labels == name].T
        axes.scatter(
            x,
            y,
            s=size,
            marker=_SIGNS[marker],
            color=colour,
            edgecolors=EDGES.get(colour, "none"),
            linewidths=0.5,
            label=name,
        )
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    if key:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)


def draw_path(axes: Axes, places: np.ndarray) -> None:
    """Draw a path through a map, its places numbered from 1; a place visited again has all numbers.

    Parameters
    ----------
    axes
        With the map drawn, so that its size is known.
    places
        ``(count, 2)``, in order.
    """
    import numpy as np

    axes.plot(*places.T, color="black", linestyle="-", linewidth=1.2)
    near = 0.05 * np.ptp(axes.dataLim.get_points(), axis=0)  # circles so near would hide each other
    stops: list[tuple[np.ndarray, list[int]]] = []
    for number, place in enumerate(places, 1):
        same = [n for spot, n in stops if (np.abs(spot - place) < near).all()]
        if same:
            same[0].append(number)
        else:
            stops.append((place, [number]))
    for spot, numbers in stops:
        axes.annotate(
            ", ".join(map(str, numbers)),
            tuple(spot),
            fontsize=10,
            ha="center",
            va="center",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "black"},
        )


def draw_maps(view: MapView, mark: str) -> tuple[Figure, str]:
    """Draw all maps of a view side by side: a row for each seed, a column for each n_neighbors.

    Returns
    -------
    figure, alt
        The alternative text holds the trustworthiness of each map.
    """
    import matplotlib.pyplot as plt

    counts, seeds = (sorted({at[axis] for at in view.maps}) for axis in (0, 1))
    figure, panels = plt.subplots(
        len(seeds),
        len(counts),
        figsize=(2.6 * len(counts) + 1.4, 2.5 * len(seeds) + 0.3),
        squeeze=False,
    )
    for row, seed in enumerate(seeds):
        for column, n_neighbors in enumerate(counts):
            axes = panels[row, column]
            axes.set(xticks=[], yticks=[])
            if (n_neighbors, seed) not in view.maps:
                continue
            draw_map(
                axes, view.maps[n_neighbors, seed], view.groups(mark, (n_neighbors, seed)), size=7
            )
            trust = view.trust[n_neighbors, seed]
            axes.set_title(f"{n_neighbors} neighbours: {trust:.2f}", fontsize=12)
        panels[row, 0].set_ylabel(f"seed {seed}")
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside right center", title=mark, markerscale=2, handletextpad=0.1
    )
    trusts = ", ".join(
        f"{view.trust[at]:.2f} with n_neighbors {at[0]} and seed {at[1]}"
        for at in sorted(view.maps)
    )
    return figure, (
        f"{len(view.maps)} maps of the same {len(view.items)} items, marked by {mark}."
        f" Trustworthiness: {trusts}."
    )
