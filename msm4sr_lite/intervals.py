"""Means with bootstrap confidence intervals."""

import numpy as np

from msm4sr_lite.config import UserError


def summarise(
    values: dict[str, np.ndarray],
    users: np.ndarray | None = None,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, dict[str, float]]:
    """Return the mean of every metric with its 95 % bootstrap interval over users.

    Parameters
    ----------
    values
        For each metric the value of every test case, ``(cases,)``.
    users
        User index of each case, ``(cases,)``. All cases of a user are drawn together, since they
        are not independent. None: every case belongs to a different user.
    seed, resamples
        Seed and number of bootstrap resamples.

    Returns
    -------
    summary
        ``{metric: {"value", "low", "high"}}``, rounded to 6 decimals.

    Raises
    ------
    UserError
        If there is no case.
    """
    table = np.stack(list(values.values()), axis=1)  # (cases, metrics)
    if not len(table):
        raise UserError("no test case to evaluate: nothing is held out; check data and split")
    users = np.arange(len(table)) if users is None else np.unique(users, return_inverse=True)[1]
    sums = np.stack([np.bincount(users, column) for column in table.T], axis=1)
    cases = np.bincount(users)
    rng, size = np.random.default_rng(seed), len(cases)
    # One resample at a time, so that a million users fit into memory.
    drawn = (rng.multinomial(size, np.full(size, 1 / size)) for _ in range(resamples))
    means = np.stack([row @ sums / (row @ cases) for row in drawn])
    middle = [column.mean() for column in values.values()]
    rows = np.stack([middle, *np.quantile(means, [0.025, 0.975], axis=0)], axis=1).round(6)
    return {
        name: {"value": value, "low": low, "high": high}
        for name, (value, low, high) in zip(values, rows.tolist(), strict=True)
    }
