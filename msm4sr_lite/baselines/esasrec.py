"""SASRec with newer Transformer layers, like eSASRec (Tikhonovich et al., 2025)."""

import torch.nn.functional as F
from torch import nn

from msm4sr_lite.baselines import SASRec
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import Block, CausalTransformer, States


class GatedBlock(Block):
    """A Transformer layer with learned gates on its residual connections.

    x + dropout(f(norm(x)) * sigmoid(W x)), first with f = causal self-attention, then with f = a
    SwiGLU feed-forward layer. Source: LiGR (Borisyuk et al., 2025). Input and output
    ``(batch, time, d)``.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.up = nn.Linear(config.dim, 2 * config.ffn_dim)
        self.gate_attention, self.gate_ffn = (nn.Linear(config.dim, config.dim) for _ in range(2))

    def forward(self, x: States) -> States:
        """Return the next layer's hidden states."""
        attended = self.attend(self.norm_attention(x))
        x = x + self.dropout(attended * self.gate_attention(x).sigmoid())
        up, gate = self.up(self.norm_ffn(x)).chunk(2, dim=-1)
        return x + self.dropout(self.down(up * F.silu(gate)) * self.gate_ffn(x).sigmoid())


class ESASRec(SASRec):
    """``SASRec`` with gated layers; its loss and its scores are those of this library."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.transformer = CausalTransformer(self.config, GatedBlock)
