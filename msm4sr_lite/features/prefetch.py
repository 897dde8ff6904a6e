"""Work ahead of a consumer: images are opened while the model computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def map_ahead(
    function: Callable[[A], B], values: Iterable[A], workers: int, ahead: int
) -> Iterator[B]:
    """Yield ``function(value)`` in order, computed by ``workers`` threads up to ``ahead`` early.

    Threads are enough: Pillow and torch release Python's global lock while they work.

    >>> list(map_ahead(str.upper, "abc", workers=2, ahead=2))
    ['A', 'B', 'C']
    """
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[B]] = deque()
    try:
        for value in values:
            waiting.append(pool.submit(function, value))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def blocks(values: Iterable[A], size: int) -> Iterator[list[A]]:
    """Cut a stream into lists of ``size``; the last may be shorter.

    >>> list(blocks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    stream = iter(values)
    while block := list(islice(stream, size)):
        yield block
