"""Arguments of every kind for every method of a fitted model: a result or one line."""

import inspect
import math

import numpy as np
import pandas as pd
import pytest
from small_dataset import SMALL, dataset, feature_table, fitted

from msm4sr_lite import MSM4SR, UserError

ODD = [None, "", [], {}, (), 0, -1, 3, 2.5, math.nan, math.inf, True, "x", "item1", ["item1"]]
ODD += [["item1", None], [math.nan], [["item1"]], 10**30, np.array(["item1"]), np.int64(4)]
ODD += [pd.Series(["item1"]), pd.DataFrame({"item_id": ["item1"]}), b"x", object(), "a\nb"]
ODD += ["leave-one-out", 1j, [object()], {"item1": 1}, ["\ud800"], pd.NaT, [pd.NaT]]
METHODS = {
    "recommend": {},
    "similar_items": {"item_id": "item1"},
    "explain": {"item_id": "item2"},
    "describe": {"history": ["item1"]},
    "evidence": {"history": ["item1"], "item_ids": ["item2"]},
    "evaluate": {},
    "add_items": {"items": []},
    "as_history": {"items": ["item1"]},
    "history_of": {"user": "user1"},
}


@pytest.fixture(scope="module")
def model():
    return fitted()


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (method, name)
        for method in METHODS
        for name in inspect.signature(getattr(MSM4SR, method)).parameters
        if name not in ("self", "image_root")
    ],
)
def test_an_odd_argument_gives_a_result_or_one_line(model, method, name):
    for value in ODD:
        others = METHODS[method]
        if method in ("recommend", "explain") and name not in ("users", "user", "items"):
            others = {**others, "items": ["item1", "item3"]}
        error = ""
        try:
            getattr(model, method)(**{**others, name: value})
        except UserError as refusal:
            error = str(refusal)
        assert len(error) < 400
        assert "\n" not in error


@pytest.mark.parametrize("name", ["data", "split", "features", "time_budget"])
def test_an_odd_argument_of_fit_is_one_line(name):
    usual = {"data": dataset(), "features": feature_table(), "split": "leave_one_out"}
    for value in ODD:
        if value is None or (name == "time_budget" and isinstance(value, (int, float, np.integer))):
            continue
        with pytest.raises(UserError) as refusal:
            MSM4SR(**SMALL).fit(**{**usual, name: value})
        assert "\n" not in str(refusal.value) or value == "a\nb"
