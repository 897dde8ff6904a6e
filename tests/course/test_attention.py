"""The maps shown in the course are what the encoder computes."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from course.attention import compute_attention, draw_attention

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import CausalTransformer

mpl.use("agg")


def test_the_maps_lead_to_the_encoders_own_output():
    torch.manual_seed(0)
    transformer = CausalTransformer(
        ModelConfig(feature_dim=3, dim=6, heads=2, layers=1, max_len=7, ffn_dim=5)
    ).eval()
    x = torch.randn(2, 5, 6)
    (weights,) = compute_attention(transformer, x)
    assert weights.shape == (2, 2, 5, 5)
    block = transformer.blocks[0]
    start = transformer.norm(x + transformer.position(torch.arange(5)))
    value = block.qkv(start).chunk(3, dim=-1)[2].unflatten(-1, (2, 3)).transpose(1, 2)
    taken_in = block.out((weights @ value).transpose(1, 2).flatten(2))
    middle = block.norm_attention(start + taken_in)
    end = block.norm_ffn(middle + block.down(torch.nn.functional.gelu(block.up(middle))))
    assert torch.allclose(end, transformer(x), atol=1e-6)


def test_no_position_looks_ahead_and_shares_add_up():
    torch.manual_seed(0)
    transformer = CausalTransformer(ModelConfig(feature_dim=3, dim=6, max_len=7, layers=3)).eval()
    for weights in compute_attention(transformer, torch.randn(1, 6, 6)):
        assert (weights.triu(1) == 0).all()
        assert torch.allclose(weights.sum(dim=-1), torch.ones(1, 2, 6))


def test_a_bar_says_which_colour_is_which_weight():
    maps = [torch.full((1, 2, 3, 3), weight).tril() for weight in (0.2, 0.4, 0.9)]
    figure = draw_attention(maps, ["mug", "pan", "lamp"])
    *panels, bar = figure.axes
    titles = [axes.get_title(loc="left") + axes.get_title() for axes in panels]
    assert titles == [f"layer {i}, head {j}" for i in (1, 2, 3) for j in (1, 2)]
    assert {axes.collections[0].get_clim() for axes in panels} == {(0, 1)}
    assert bar.get_ylim() == (0, 1)
    assert bar.get_ylabel() == "attention weight"
    assert [text.get_text() for text in panels[5].texts] == ["0.90"] * 6  # none above the diagonal
    assert [label.get_text() for label in panels[4].get_yticklabels()] == ["mug", "pan", "lamp"]
    plt.close(figure)
