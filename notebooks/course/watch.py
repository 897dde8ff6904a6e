"""What takes long, while it runs: a progress bar, or a figure that is redrawn in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from course.display import make_bundle
from course.figures import figure_html
from course.session import is_static
from msm4sr_lite.printable import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")


def progress_bar(steps: Iterable[T], name: str) -> Iterable[T]:
    """Return ``steps``, with a bar called ``name`` while they run; no bar where nobody waits."""
    if is_static():
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, desc=name)


def watch(steps: Iterable[T], draw: Callable[[list[T]], tuple[Figure, str]], every: int) -> list[T]:
    """Go through ``steps`` and redraw a figure of those so far; return all of them.

    Interrupting the kernel (the square button) ends it early: what has been done stays.

    Parameters
    ----------
    steps
        What is watched.
    draw
        Makes a figure of the steps so far, and its alternative text.
    every
        Redraw after so many steps. Where nobody watches, only the last figure is drawn.
    """
    seen: list[T] = []
    place = FigurePlace()
    try:
        for step in steps:
            seen.append(step)
            if not is_static() and len(seen) % every == 0:
                place.show(*draw(seen))
    except KeyboardInterrupt:
        print(f"stopped by you after {counted(len(seen), 'step')}")
    if seen:
        place.show(*draw(seen))
    return seen


class FigurePlace:
    """A place below a cell in which one figure follows another."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, figure: Figure, alt: str) -> None:
        """Show a figure in the place of the one before."""
        from IPython.display import display

        shown = make_bundle(figure_html(figure, alt), f"[figure] {alt}")
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
