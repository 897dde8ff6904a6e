"""A progress bar for what takes longer than two seconds; none where nobody waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from course.session import is_static

T = TypeVar("T")


def progress(steps: Iterable[T], name: str) -> Iterable[T]:
    """Return ``steps``, with a bar called ``name`` while they are gone through."""
    if is_static():
        return steps
    from tqdm.auto import tqdm

    return tqdm(steps, desc=name)
