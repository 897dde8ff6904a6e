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
    from IPython.display import display

    seen: list[T] = []
    handle: Any = None

    def redraw() -> None:
        nonlocal handle
        figure, alt = draw(seen)
        shown = make_bundle(figure_html(figure, alt), f"[figure] {alt}")
        if handle is None:
            handle = display(shown, raw=True, display_id=True)
        else:
            handle.update(shown, raw=True)

    try:
        for step in steps:
            seen.append(step)
            if not is_static() and len(seen) % every == 0:
                redraw()
    except KeyboardInterrupt:
        print(f"stopped by you after {counted(len(seen), 'step')}")
    if seen:
        redraw()
    return seen
