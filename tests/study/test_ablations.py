"""Variants of M²SE."""

from msm4sr_lite.study.ablations import ablations, is_main
from msm4sr_lite.study.trainers import ModelTrainer


def test_every_ablation_changes_one_thing(data):
    base = ModelTrainer(pretrains=True).config(data, {})
    for name, spec in ablations("clip").items():
        assert "0x" not in repr(spec.fit), name  # names a run, so no address in it
        model = getattr(spec.fit, "model", spec.fit)
        if name in ("msm4sr", "no pre-training", "no fine-tuning") or model is not spec.fit:
            assert not model.settings, name
            continue
        assert model.settings, name
        if name != "with ids":  # the preset has them; a tuned config may not
            assert model.config(data, {}) != base, name
        # A config does not undo what is ablated.
        undo = {key: not value for key, value in model.settings.items() if "use_ids" in key}
        assert model.config(data, undo) == model.config(data, {}), name


def test_a_variant_equal_to_the_main_model_is_recognised(data):
    def same(use_ids):
        settings = {"finetune.use_ids": use_ids}
        return {n for n, variant in ablations("clip").items() if is_main(variant, data, settings)}

    assert same(use_ids=False) == {"msm4sr", "no ids"}
    assert same(use_ids=True) == {"msm4sr", "with ids"}


def test_claims_only_leaves_the_variants_without_what_the_paper_adds():
    few = set(ablations(claims_only=True))
    assert few == {"msm4sr", "no pre-training", "no fine-tuning", "no mixup", "no CMCL"}
    assert few < set(ablations())
    with_clip = ablations("some/clip", claims_only=True)  # whoever names a CLIP wants its vectors
    assert set(with_clip) - few == {"raw CLIP embeddings"}
