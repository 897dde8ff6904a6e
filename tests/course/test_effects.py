"""What each part contributes, read from the results of studies."""

from __future__ import annotations

import json

import matplotlib.pyplot as plt
import pytest
from course.effects import COLUMNS, Effect, draw_effects, read_effects, read_model
from course.session import ROOT

RESULTS = ROOT / "docs" / "results"


def stored(study: str, part: str, kind: str, name: str) -> dict[str, float]:
    found = json.loads((RESULTS / study / f"{part}.json").read_text("utf-8"))[kind][name]
    result: dict[str, float] = found["filter_seen"]["ndcg@10"]
    return result


def test_a_part_helps_if_the_model_without_it_is_worse() -> None:
    effects = read_effects()
    without = stored("corner_shop", "ablations", "change", "no fine-tuning")
    found = effects["fine-tuning"]["sample, both domains"]
    assert found.value == -without["value"] > 0
    assert (found.low, found.high) == (-without["high"], -without["low"])
    tuned = stored("corner_shop", "main", "change", "msm4sr_tuned")
    assert effects["tuned instead of paper"]["sample, both domains"].value == tuned["value"] > 0
    ensemble = stored("hm_fashion-5core", "main", "change_to_product", "msm4sr_tuned")
    assert (
        effects["score ensemble, against tuned"]["H&M, real data"].value == -ensemble["value"] > 0
    )


def test_every_effect_lies_in_its_interval_and_some_were_not_measured() -> None:
    effects = read_effects()
    every = [effect for of in effects.values() for effect in of.values()]
    assert all(e.low <= e.value <= e.high and e.detectable > 0 for e in every)
    assert {column for of in effects.values() for column in of} == set(COLUMNS)
    assert "sample, both domains" not in effects["NIP"]


def test_what_the_notebook_says_of_the_studies_is_in_them() -> None:
    """Sentences of notebook 07: null results, and where a simple sum is better."""
    effects = read_effects()
    for part in ("complementary mixup", "CMCL", "pre-training"):
        assert {e.verdict for e in effects[part].values()} == {"not significant"}
    assert {e.verdict for e in effects["contents, against ids alone (SASRec)"].values()} == {
        "helps"
    }
    hm = {part: of["H&M, real data"] for part, of in effects.items()}
    assert max(hm, key=lambda part: hm[part].value) in (
        "fine-tuning",
        "score ensemble, against tuned",
    )
    helping = {part for part, effect in hm.items() if effect.verdict == "helps"}
    assert helping == {"score ensemble, against tuned", "contents, against ids alone (SASRec)"}
    assert hm["M²SE, against the sum of text and image"].verdict == "harms"
    home = {part: of.get("sample, home") for part, of in effects.items()}
    assert home["images, added to texts"].verdict == "helps"  # type: ignore[union-attr]
    main = "hm_fashion-5core", "main", "change"
    sums = stored(*main, "item_knn+tfidf")
    assert sums["value"] > 0
    assert sums["p_holm"] < 0.05
    rest = stored("hm_fashion-5core", "main", "change_to_product", "item_knn+tfidf")
    assert rest["p_holm"] > 0.05
    budget = json.loads((RESULTS / "corner_shop-home-128" / "main.json").read_text("utf-8"))[
        "budget"
    ]
    assert budget["pretrain_epochs"] + budget["finetune_epochs"] == 140


def test_a_verdict_follows_the_corrected_p_value() -> None:
    assert Effect(0.1, -0.1, 0.3, 0.2, 0.1).verdict == "not significant"
    assert Effect(0.1, 0.05, 0.3, 0.01, 0.1).verdict == "helps"
    assert Effect(-0.1, -0.3, -0.05, 0.01, 0.1).verdict == "harms"


def test_the_figure_says_what_it_shows() -> None:
    effects = read_effects()
    figure, alt = draw_effects(effects)
    assert len(figure.axes) == len(COLUMNS)
    plt.close(figure)
    assert alt.startswith("sample, both domains: helps: tuned instead of paper (+0.015); ")
    assert "H&M, real data: helps: score ensemble, against tuned (+0.022); " in alt
    assert "harms: M²SE, against the sum of text and image (-0.013)" in alt


def test_a_model_of_a_study_has_its_interval() -> None:
    found = read_model("hm_fashion-5core", "ensemble")
    assert found["low"] < found["value"] < found["high"]
    with pytest.raises(KeyError):
        read_model("hm_fashion-5core", "no such model")
