"""The maps shown in the course are what the encoder computes."""

import torch

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.course.attention import attention_maps
from msm4sr_lite.encoder import CausalTransformer


def test_the_maps_lead_to_the_encoders_own_output():
    torch.manual_seed(0)
    transformer = CausalTransformer(
        ModelConfig(feature_dim=3, dim=6, heads=2, layers=1, max_len=7, ffn_dim=5)
    ).eval()
    x = torch.randn(2, 5, 6)
    (weights,) = attention_maps(transformer, x)
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
    for weights in attention_maps(transformer, torch.randn(1, 6, 6)):
        assert (weights.triu(1) == 0).all()
        assert torch.allclose(weights.sum(dim=-1), torch.ones(1, 2, 6))
