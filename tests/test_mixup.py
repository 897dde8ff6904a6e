"""Sequence drop and complementary mixup."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from msm4sr_lite.mixup import (
    complementary_mixup,
    draw_share,
    draw_survivors,
    draw_swaps,
    drop_items,
)


def ragged(rows=5, time=7, seed=0):
    """Left-aligned item numbers with rows of different length."""
    lengths = torch.arange(rows) % time + 1
    items = torch.arange(1, rows * time + 1).view(rows, time)
    return torch.where(torch.arange(time) < lengths[:, None], items, 0)


def share(value, items):
    return torch.full((len(items), 1), value)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def views(items, dim=3):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(*items.shape, dim, generator=generator) for _ in range(2)]


def test_mixup_keeps_the_sum_and_never_blends():
    items = ragged()
    text, image = views(items)
    swaps = draw_swaps(items, share(0.5, items), dice(2))
    assert 0 < swaps.sum() < (items > 0).sum()
    mixed_text, mixed_image = complementary_mixup(text, image, swaps)
    assert torch.equal(mixed_text[swaps], image[swaps])
    assert torch.equal(mixed_text[~swaps], text[~swaps])
    torch.testing.assert_close(mixed_text + mixed_image, text + image)
    again = complementary_mixup(mixed_text, mixed_image, swaps)
    assert torch.equal(again[0], text)
    assert torch.equal(again[1], image)


def test_p_zero_is_identity_and_p_one_swaps_real_positions_only():
    items = ragged()
    text, image = views(items)
    assert not draw_swaps(items, share(0.0, items), dice()).any()
    everything = draw_swaps(items, share(1.0, items), dice())
    assert torch.equal(everything, items > 0)
    mixed_text, _ = complementary_mixup(text, image, everything)
    assert torch.equal(mixed_text[items == 0], text[items == 0])


def test_swapping_the_inputs_swaps_the_outputs():
    items = ragged()
    text, image = views(items)
    swaps = draw_swaps(items, share(0.5, items), dice(3))
    one = complementary_mixup(text, image, swaps)
    two = complementary_mixup(image, text, swaps)
    assert torch.equal(one[0], two[1])
    assert torch.equal(one[1], two[0])
    same = complementary_mixup(text, text, swaps)
    assert torch.equal(same[0], text)


def test_masks_are_reproducible_and_have_the_right_rate():
    items = torch.ones(300, 50, dtype=torch.long)
    draw = [draw_swaps(items, share(0.25, items), dice(4)) for _ in range(2)]
    assert torch.equal(*draw)
    assert abs(draw[0].float().mean() - 0.25) < 0.02  # 15,000 draws: 5 standard errors
    survivors = draw_survivors(items, share(0.2, items), dice(5))
    assert survivors[:, 0].all()
    # One item of 50 is protected, so the rate is 0.2 * 49 / 50.
    assert abs((~survivors).float().mean() - 0.196) < 0.02


def test_drop_nothing_is_identity():
    items = ragged()
    shortened, state = drop_items(items, draw_survivors(items, share(0.0, items), dice()))
    assert torch.equal(shortened, items)
    real = items > 0
    assert torch.equal(state[real], torch.arange(items.shape[1]).expand_as(items)[real])


@given(st.integers(0, 10**6), st.floats(0, 1))
def test_drop_against_the_obvious_loop(seed, rate):
    items = ragged()
    survives = draw_survivors(items, share(rate, items), dice(seed))
    shortened, state = drop_items(items, survives)
    for row in range(len(items)):
        kept = [int(i) for i, stays in zip(items[row], survives[row], strict=True) if stays]
        assert kept[0] == items[row, 0]  # the first item always stays
        assert shortened[row].tolist() == kept + [0] * (items.shape[1] - len(kept))
        last = 0
        for position, item in enumerate(items[row].tolist()):
            if item and survives[row, position]:
                last = kept.index(item)
            if item:
                assert state[row, position] == last


def test_shapes_are_checked_under_pytest():
    with pytest.raises(Exception, match="complementary_mixup"):
        complementary_mixup(
            torch.ones(2, 3, 4), torch.ones(2, 3, 5), torch.ones(2, 3, dtype=torch.bool)
        )


def test_the_last_item_can_be_protected_instead():
    items = ragged()
    survives = draw_survivors(items, share(1.0, items), dice(), keep="last")
    last = (items > 0).sum(dim=1) - 1
    assert survives.sum(dim=1).tolist() == [1] * len(items)
    assert survives[torch.arange(len(items)), last].all()


def test_shares_per_batch_and_per_sequence():
    assert draw_share(0.4, 3, dice(), fixed=True).tolist() == [[pytest.approx(0.4)]] * 3
    whole = draw_share(0.5, 4000, dice())
    assert whole.unique().numel() == 1
    each = draw_share(0.5, 4000, dice(), per="sequence")
    assert each.unique().numel() > 3000
    assert 0 <= each.min() <= each.max() <= 0.5
    assert abs(each.mean() - 0.25) < 0.01
