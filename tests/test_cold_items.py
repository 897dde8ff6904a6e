"""The cold-item maker of notebook 08 says what a scorer with the item in it would say."""

import re

import numpy as np
import pytest
import torch
from course.cold_items import ColdItemMaker, Shelf, mix
from course.diagrams import new_item_diagram
from course.display import escape
from course.figures import figure_html

from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.scoring import ModelScorer
from tests.toys import toy_sequences, toy_table

SEQUENCES = toy_sequences([5, 7, 4, 9, 6] * 3, n_items=20, seed=1)
TABLE = toy_table([1, 2, 0, 3] * 5, [2, 0, 1, 1] * 5)


@pytest.fixture(params=[0, 20], ids=["no ids", "ids"])
def shelf(request):
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11, dim=8, ffn_dim=8, max_len=6, n_items=request.param))
    return Shelf(ModelScorer(net, TABLE), TABLE, SEQUENCES, ItemKNN(SEQUENCES))


@pytest.mark.parametrize(("text", "picture"), [(2, 1), (4, None), (None, 4), (1, 4)])
def test_an_offer_is_what_an_appended_item_gets(shelf, text, picture):
    new = mix(TABLE, text, picture)
    offer = shelf.offer(new, neighbours=3)
    scorer = ModelScorer(shelf.scorer.model, TABLE)
    scorer.append(new)
    targets = np.full(len(shelf.histories), 21)
    ranks = target_ranks(scorer, shelf.histories, targets, filter_seen=True)
    assert offer.ranks.tolist() == ranks.tolist()
    assert offer.share == pytest.approx((ranks <= 10).mean())
    modalities = [torch.nn.functional.normalize(z, dim=1) for z in scorer.items.values()]
    alike = torch.stack([z[1:21] @ z[21] for z in modalities]).mean(dim=0)
    assert offer.near == (1 + alike.argsort(descending=True)[:3]).tolist()
    assert offer.cosines == pytest.approx(alike.sort(descending=True).values[:3].tolist(), abs=1e-5)


def test_the_mixed_item_has_the_slots_of_both():
    new = mix(TABLE, 2, 1)
    for part, item in (("text", 2), ("image", 1)):
        one, real = getattr(new, part).gather(torch.tensor([1]))
        old, there = getattr(TABLE, part).gather(torch.tensor([item]))
        assert torch.equal(one[real], old[there])
    own = np.ones((2, 11), dtype=np.float16)
    assert mix(TABLE, own, None).text.gather(torch.tensor([1]))[0].sum() == 22
    with pytest.raises(UserError, match="neither text nor picture"):
        mix(TABLE, 3, 2)  # item 3 has no text, item 2 no picture


def test_counts_offer_a_new_number_to_nobody_who_has_ten_counted_items(shelf):
    counts = ItemKNN(SEQUENCES).score(shelf.histories)
    expected = []
    for row, history in zip(counts.tolist(), shelf.histories, strict=True):
        others = [c for i, c in enumerate(row) if i and i not in history]
        expected.append(sum(c >= 0 for c in others) < 10)  # equal scores stand before
    assert shelf.share_by_number() == np.mean(expected) == 0.0


class TestMaker:
    @pytest.fixture
    def maker(self, shelf, tmp_path):
        items = {f"i{n}": Item(f"i{n}", f"Thing <{n}>") for n in range(1, 21)}
        return ColdItemMaker(shelf, Dataset(tmp_path, items, None), {"i4": [["<b>", "red"]]})

    def test_foreign_text_is_harmless(self, maker):
        markup, text = maker.view("i1", "i4")
        assert "Thing <1> + <b>, red" in text
        assert "Thing &lt;1&gt;" in markup
        assert "<b>" not in markup
        own = maker.view(None, None, ("<script>x</script>", np.ones((1, 11), np.float16)))
        assert "<script>" not in own[0]
        assert own[1].startswith("<script>x</script> + no picture")

    def test_it_tells_share_customers_and_neighbours(self, maker):
        _, text = maker.view("i1", "i4")
        offer = maker.shelf.offer(mix(TABLE, 1, 4))
        assert f"Offered to {offer.share:.1%} of the customers" in text
        assert "an item drawn by lot: 47.6%" in text  # 10 of 21
        assert text.count(": place ") == 3
        first = int(re.search(r": place (\d+)", text)[1])
        assert first == offer.ranks.min()
        assert f"({offer.cosines[0]:.2f})" in text

    def test_nothing_to_go_by_is_said(self, maker):
        markup, text = maker.view(None, None)
        assert "neither text nor picture" in text
        assert "neither text nor picture" in markup

    def test_no_encoder_is_said(self, maker):
        assert "msm4sr_lite[minilm]" in maker.no_encoder()[1]


def test_the_diagram_has_words():
    figure, words = new_item_diagram()
    assert "no such row" in words
    assert escape(words) in figure_html(figure, words)
