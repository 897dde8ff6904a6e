"""Recommendations and reasons where text and image are swapped; the influence of a keyword."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from course.explainer import Explainer, keyword_influence
from explain.test_effects import (
    HISTORY,
    IMAGE_SLOTS,
    ITEMS,
    KEYWORDS,
    TEXT_SLOTS,
    edited,
    model,
    numbers_of,
    score,
    slot_of,
)
from toys import toy_table

from msm4sr_lite.config import Config
from msm4sr_lite.encoder import match_scores
from msm4sr_lite.pipeline.trained_model import TrainedModel


@dataclass
class FakeDataset:
    items: dict


@pytest.fixture
def explainer(request):
    """Toy items, the first of which, ``i0``, has number 1, with the settings asked for."""
    table = toy_table(TEXT_SLOTS, IMAGE_SLOTS, items=list(ITEMS))
    net = model(**getattr(request, "param", {}))
    for parameter in net.transformer.blocks.parameters():
        parameter.data *= 8 if parameter.dim() > 1 else 1  # untrained, hardly anything would count
    trained = TrainedModel(net, table.items, table, Config(), keywords=KEYWORDS)
    return Explainer(trained, FakeDataset(ITEMS))


@pytest.mark.parametrize("explainer", [{}, {"n_items": 12}], indirect=True)
def test_exchanged_modalities(explainer):
    net, table = explainer.model, explainer.table
    history, swapped = numbers_of(explainer, HISTORY), {2, 4}

    @torch.inference_mode()
    def by_hand(table, left_out=None):
        numbers = torch.tensor(history)
        z = net.with_ids(net.item_embeddings(table, numbers), numbers)
        mixed = {
            modality: torch.stack([z[other if k + 1 in swapped else modality][k] for k in range(5)])
            for modality, other in (("text", "image"), ("image", "text"))
        }
        kept = [k for k in range(5) if k != left_out]
        last = {
            v: s[:, -1] for v, s in net.encode({v: m[None, kept] for v, m in mixed.items()}).items()
        }
        target = torch.tensor([10])
        return float(match_scores(last, net.with_ids(net.item_embeddings(table, target), target)))

    offers = explainer.recommend(HISTORY, 12, swapped=swapped)
    assert {r.item_id: r.score for r in offers}["i9"] == pytest.approx(by_hand(table), abs=2e-6)
    frame = explainer.recommender.recommend({"": HISTORY}, 12)
    assert [r.item_id for r in explainer.recommend(HISTORY, 12)] == frame["item_id"].tolist()
    pieces = explainer.explain(HISTORY, "i9", swapped=swapped)
    assert by_hand(table) != pytest.approx(score(net, table, history, 10), abs=1e-3)
    for piece in pieces:
        if piece.kind == "interaction":
            lower = by_hand(table) - by_hand(table, piece.position - 1)
        else:
            lower = by_hand(table) - by_hand(edited(table, {slot_of(explainer, piece): None}))
        assert piece.effect == pytest.approx(lower, abs=2e-6), piece


@pytest.mark.parametrize("explainer", [{"max_len": 3}], indirect=True)
def test_of_a_long_history_the_newest_are_exchanged(explainer):
    for history, swapped in ((HISTORY, {1, 2, 4}), (["ghost", *HISTORY], {2, 5})):
        offers = explainer.recommend(history, 12, swapped=swapped)
        short = explainer.recommend(HISTORY[-3:], 12, swapped={2})
        expected = {r.item_id: r.score for r in short}
        for offer in offers:
            assert offer.score == pytest.approx(expected[offer.item_id], abs=2e-6)


def test_influence_is_the_change_of_the_image_embedding():
    net, slots, deletions = model(), torch.randn(3, 11), torch.randn(5, 11)
    got = keyword_influence(net, slots, 1, deletions)
    for k in range(5):
        changed = torch.stack([slots[0], deletions[k], slots[2]])
        vectors = [
            net.adapt["image"](net.pool["image"](s[None], torch.ones(1, 3, dtype=torch.bool))[0])
            for s in (slots, changed)
        ]
        assert torch.isclose(got[k], 1 - F.cosine_similarity(*vectors)[0], atol=1e-6)


def test_a_keyword_that_changes_nothing_has_no_influence():
    slots = torch.randn(2, 11)
    influence = keyword_influence(model(), slots, 0, slots[:1].repeat(4, 1))
    assert influence.abs().max() < 1e-6


def test_half_precision_slots_are_read():
    slots = torch.randn(1, 11).half()
    assert keyword_influence(model(), slots, 0, torch.randn(2, 11).half()).dtype == torch.float32
