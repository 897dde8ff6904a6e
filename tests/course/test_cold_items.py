"""The cold-item maker of notebook 08 gives what a scorer with the item in it would give."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from course.cold_items import ColdItemMaker, NewItemScorer, combine_item

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
def new_items(request):
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11, dim=8, ffn_dim=8, max_len=6, n_items=request.param))
    return NewItemScorer(ModelScorer(net, TABLE), TABLE, SEQUENCES, ItemKNN(SEQUENCES))


@pytest.mark.parametrize(("text", "image"), [(2, 1), (4, None), (None, 4), (1, 4)])
def test_exposure_is_what_an_appended_item_gets(new_items, text, image):
    new = combine_item(TABLE, text, image)
    exposure = new_items.score_item(new, neighbours=3)
    scorer = ModelScorer(new_items.scorer.model, TABLE)
    scorer.append(new)
    targets = np.full(len(new_items.histories), 21)
    ranks = target_ranks(scorer, new_items.histories, targets, filter_seen=True)
    assert exposure.ranks.tolist() == ranks.tolist()
    assert exposure.share == pytest.approx((ranks <= 10).mean())
    modalities = [torch.nn.functional.normalize(z, dim=1) for z in scorer.items.values()]
    cosines = torch.stack([z[1:21] @ z[21] for z in modalities]).mean(dim=0)
    assert exposure.neighbours == (1 + cosines.argsort(descending=True)[:3]).tolist()
    assert exposure.cosines == pytest.approx(
        cosines.sort(descending=True).values[:3].tolist(), abs=1e-5
    )


def test_the_combined_item_has_the_slots_of_both():
    new = combine_item(TABLE, 2, 1)
    for part, item in (("text", 2), ("image", 1)):
        one, real = getattr(new, part).gather(torch.tensor([1]))
        old, there = getattr(TABLE, part).gather(torch.tensor([item]))
        assert torch.equal(one[real], old[there])
    own = np.ones((2, 11), dtype=np.float16)
    assert combine_item(TABLE, own, None).text.gather(torch.tensor([1]))[0].sum() == 22
    with pytest.raises(UserError, match="needs a text or an image"):
        combine_item(TABLE, 3, 2)  # item 3 has no text, item 2 no image


def test_an_id_recommender_offers_a_new_item_to_nobody_with_ten_scored_items(new_items):
    counts = ItemKNN(SEQUENCES).score(new_items.histories)
    expected = []
    for row, history in zip(counts.tolist(), new_items.histories, strict=True):
        others = [c for i, c in enumerate(row) if i and i not in history]
        expected.append(sum(c >= 0 for c in others) < 10)  # equal scores stand before
    assert new_items.share_by_id() == np.mean(expected) == 0.0


class TestMaker:
    @pytest.fixture
    def maker(self, new_items, tmp_path):
        items = {f"i{n}": Item(f"i{n}", f"Thing <{n}>") for n in range(1, 21)}
        return ColdItemMaker(
            new_items, Dataset(items, pd.DataFrame(), image_root=tmp_path), {"i4": [["<b>", "red"]]}
        )

    def test_foreign_text_is_harmless(self, maker):
        markup, text = maker.draw("i1", "i4")
        assert "Thing <1> + <b>, red" in text
        assert "Thing &lt;1&gt;" in markup
        assert "<b>" not in markup
        own = maker.draw(None, None, ("<script>x</script>", np.ones((1, 11), np.float16)))
        assert "<script>" not in own[0]
        assert own[1].startswith("<script>x</script> + no image")

    def test_share_users_and_neighbours_are_shown(self, maker):
        _, text = maker.draw("i1", "i4")
        exposure = maker.scorer.score_item(combine_item(TABLE, 1, 4))
        assert f"Offered to {exposure.share:.1%} of the users" in text
        assert "a random item: 47.6%" in text  # 10 of 21
        assert text.count(": rank ") == 3
        first = int(re.search(r": rank (\d+)", text)[1])
        assert first == exposure.ranks.min()
        assert f"({exposure.cosines[0]:.2f})" in text

    def test_an_item_without_text_and_image_is_refused(self, maker):
        markup, text = maker.draw(None, None)
        assert "needs a text or an image" in text
        assert "needs a text or an image" in markup
