"""Variants of M²SE."""

from dataclasses import replace

import torch

from msm4sr_lite.study.ablations import ABLATIONS, CLAIMS, is_main
from msm4sr_lite.study.models import missing_needs
from msm4sr_lite.study.specs import ModelSpec


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


def test_without_images_the_variants_that_need_them_are_left_out(data):
    assert all(missing_needs(variant, data) == [] for variant in ABLATIONS.values())
    names = {"no mixup", "no CMCL", "no NIP", "no images", "no text", "p_max = 0.25", "p_max = 1"}
    for modality in ("image", "text"):
        slots = getattr(data.table, modality)
        empty = replace(slots, vectors=slots.vectors[:0], counts=torch.zeros_like(slots.counts))
        without = replace(data, table=replace(data.table, **{modality: empty}))
        left_out = {name for name, one in ABLATIONS.items() if missing_needs(one, without)}
        assert left_out == names
