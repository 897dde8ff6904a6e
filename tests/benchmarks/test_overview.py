"""Tests of the picture at the top of the README."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from PIL import Image

from benchmarks.studies import overview


def test_reasons_are_the_strongest_interaction_and_content() -> None:
    columns = ["kind", "item_id", "text", "effect"]
    evidence = pd.DataFrame(
        [
            ["interaction", "b", "Pan", 0.1],
            ["interaction", "c", "Mug", 0.2],
            ["sentence", "c", "of the mug", 0.9],
            ["sentence", "a", "It is blue.", 0.05],
            ["image", "a", "blue, lamp", 0.3],
        ],
        columns=columns,
    )
    assert overview.reasons(evidence, "a") == ["after “Mug” (+0.20)", "“blue, lamp” (+0.30)"]


@pytest.mark.parametrize("theme", overview.THEMES)
def test_the_committed_picture_is_what_the_model_says(theme, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    made, stored = (
        np.asarray(Image.open(file).convert("RGB"), dtype=float)
        for file in (
            BytesIO(overview.picture(theme)),
            ROOT / "docs" / "figures" / f"overview_{theme}.png",
        )
    )
    assert made.shape == stored.shape
    assert np.abs(made - stored).mean() < 0.5  # another digit changes more, another font less
