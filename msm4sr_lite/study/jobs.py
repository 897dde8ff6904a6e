"""Several runs of a study at once, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def make_ahead(jobs: int, tasks: list[Callable[[], Any]]) -> None:
    """Make runs, several at once; when they are asked for one by one, they are in their folder.

    Each process has one thread.

    Parameters
    ----------
    jobs
        How many at once. If one, nothing is done here.
    tasks
        Each makes and keeps a run, or several; what it returns is dropped.

    Raises
    ------
    Exception
        The first that a task raises.
    """
    if jobs == 1:
        return
    from joblib import Parallel, delayed, parallel_config

    with parallel_config("loky", inner_max_num_threads=1):
        Parallel(n_jobs=jobs)(delayed(task)() for task in tasks)
