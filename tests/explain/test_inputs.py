"""Slots with one of them left out or replaced."""

import torch
from toys import toy_table

from msm4sr_lite.explain.inputs import change_slots


def test_changed_slots_are_padded_to_the_width_of_all_items():
    slots = toy_table([2, 3, 0, 1, 3], [1] * 5).text
    got = change_slots(slots, [(2, 1, None), (4, None, None), (1, 0, torch.ones(11))])
    own, valid = got.gather(torch.arange(3))
    assert valid.sum(dim=1).tolist() == [2, 1, 2]
    first, _ = slots.gather(torch.tensor([2]))
    assert torch.equal(own[0, :2], first[0, [0, 2]])
    assert torch.equal(own[2, 0], torch.ones(11))
    assert own.shape[1] == 3
