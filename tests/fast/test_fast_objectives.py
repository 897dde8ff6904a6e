"""Sequences that are encoded in groups beside the whole pass."""

import pytest
import torch

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE, gather_rows
from msm4sr_lite.fast import objectives
from tests.toys import toy_table


@pytest.mark.parametrize("together", [1, 2, 3, 100])
def test_states_in_groups_are_those_of_the_whole_pass(together, monkeypatch):
    """Five ragged sequences, of which one needs no state and others several."""
    monkeypatch.setattr(objectives, "ROWS_TOGETHER", together)
    net = M2SE(ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=7)).eval()
    lengths = torch.tensor([2, 3, 3, 5, 7])
    items = torch.randint(1, 14, (5, 7)) * (torch.arange(7) < lengths[:, None])
    rows = torch.tensor([0, 2, 2, 3, 4, 4, 4])
    positions = torch.tensor([1, 0, 2, 4, 6, 0, 3])
    table = net.item_embeddings(toy_table([2] * 13, [1] * 13), torch.arange(14))
    shapes = []

    def sequence(group, time):
        part = items[group, :time]
        shapes.append(tuple(part.shape))
        return gather_rows(table, part)

    found = objectives.encode_in_groups(net, sequence, items, rows, positions)
    whole = net.encode(gather_rows(table, items))
    assert found.keys() == whole.keys() == {"text", "image"}
    for modality, states in whole.items():
        torch.testing.assert_close(found[modality], states[rows, positions], atol=1e-5, rtol=1e-5)
    longest = [int(part.max()) for part in lengths.split(together)]
    assert [time for _, time in shapes] == longest  # each group is trimmed to its longest
    assert sum(count for count, _ in shapes) == 5
