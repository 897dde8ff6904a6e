"""Variants of M²SE."""

from msm4sr_lite.study.models import ABLATIONS, CLAIMS, ModelSpec, is_main


def test_every_ablation_changes_one_thing(data):
    base = ModelSpec().config(data, {})
    for name, spec in ABLATIONS.items():
        assert "0x" not in repr(spec), name  # names a run, so no address in it
        if name in ("msm4sr", "no pre-training", "no fine-tuning"):
            assert not spec.settings, name
            continue
        assert spec.settings, name
        if name != "with ids":  # the preset has them; a tuned config may not
            assert spec.config(data, {}) != base, name
        # A config does not undo what is ablated.
        undo = {key: not value for key, value in spec.settings.items() if "use_ids" in key}
        assert spec.config(data, undo) == spec.config(data, {}), name


def test_a_variant_equal_to_the_main_model_is_recognised(data):
    def same(use_ids):
        settings = {"finetune.use_ids": use_ids}
        return {name for name, variant in ABLATIONS.items() if is_main(variant, data, settings)}

    assert same(use_ids=False) == {"msm4sr", "no ids"}
    assert same(use_ids=True) == {"msm4sr", "with ids"}


def test_what_the_paper_claims_is_among_the_ablations():
    assert set(CLAIMS) < set(ABLATIONS)
