"""Means with bootstrap intervals over users."""

import numpy as np
import pytest

from msm4sr_lite.evaluation import summarise


def test_interval_is_reproducible_and_covers():
    values = {"x": np.random.default_rng(1).random(400)}
    one = summarise(values)
    assert one == summarise(values)
    assert one["x"]["low"] < one["x"]["value"] < one["x"]["high"]
    # 95 % of a normal distribution lie within 1.96 standard errors.
    half = 1.96 * values["x"].std() / 20
    assert one["x"]["high"] - one["x"]["low"] == pytest.approx(2 * half, rel=0.15)


def test_the_cases_of_a_user_are_drawn_together():
    """Ten equal cases of one user have the information of one."""
    rng = np.random.default_rng(2)
    each = rng.random(200)
    alone = summarise({"x": each})["x"]
    together = summarise({"x": each.repeat(10)}, np.arange(200).repeat(10))["x"]
    assert together == alone
    as_if = summarise({"x": each.repeat(10)})["x"]
    assert as_if["high"] - as_if["low"] < 0.5 * (alone["high"] - alone["low"])
    # Users with more cases weigh more, in the value and in every draw.
    uneven = summarise({"x": np.array([1.0, 1.0, 1.0, 0.0])}, np.array([7, 7, 7, 3]))["x"]
    assert (uneven["value"], uneven["low"], uneven["high"]) == (0.75, 0.0, 1.0)


def test_users_with_more_cases_weigh_more_in_the_interval():
    """A hundred users with three hits each, a hundred with one miss: about 0.75, not 0.5."""
    users = np.concatenate([np.arange(100).repeat(3), np.arange(100, 200)])
    found = summarise({"x": (users < 100).astype(float)}, users)["x"]
    assert found["value"] == 0.75
    assert 0.65 < found["low"] < 0.75 < found["high"] < 0.85
