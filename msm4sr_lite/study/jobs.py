"""Several runs of a study at the same time, each in its own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msm4sr_lite.config import UserError


def run_ahead(jobs: int, tasks: list[Callable[[], Any]]) -> None:
    """Make runs in parallel, so that they are in their folder when they are read one by one.

    Parameters
    ----------
    jobs
        Number of processes, with one thread each. If 1, nothing is done here.
    tasks
        Each makes and keeps one run or several; what it returns is ignored.

    Raises
    ------
    UserError
        If joblib is not installed.
    Exception
        The first that a task raises.
    """
    if jobs == 1:
        return
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError:
        raise UserError(
            "jobs above 1 need joblib: pip install 'msm4sr_lite[course]', or use 1"
        ) from None

    with parallel_config("loky", inner_max_num_threads=1):
        Parallel(n_jobs=jobs)(delayed(task)() for task in tasks)
