"""The feature table in memory: padded slots, other orders of the items."""

import pytest
import torch
from toys import toy_table

from msm4sr_lite.config import UserError


def test_gather_returns_the_slots_of_each_item():
    table = toy_table(text=[2, 0, 3], image=[1, 1, 0])
    slots, valid = table.text.gather(torch.tensor([3, 1, 2, 0]))
    assert slots.shape == (4, 3, 11)
    assert valid.tolist() == [[True] * 3, [True, True, False], [False] * 3, [False] * 3]
    assert torch.equal(slots[0], table.text.vectors[2:5].float())
    assert torch.equal(slots[1, :2], table.text.vectors[:2].float())
    assert (slots[~valid] == 0).all()


def test_items_can_be_put_into_another_order():
    table = toy_table(text=[2, 0, 3], image=[1, 1, 0], items=["a", "b", "c"])
    other = table.for_items(["", "c", "a"])
    assert torch.equal(
        other.text.gather(torch.tensor([1]))[0], table.text.gather(torch.tensor([3]))[0]
    )
    assert (other.text.gather(torch.tensor([0]))[1]).sum() == 0
    with pytest.raises(UserError, match=r"items without features: 1 \(the first is 'x'\)"):
        table.for_items(["", "x"])
    assert table.described() == ["a", "b", "c"]
    assert toy_table([1, 0], [0, 0]).described() == ["i1"]
