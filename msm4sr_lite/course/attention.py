"""The attention maps of the sequence encoder.

PyTorch's fused attention does not hand out its weights, so they are computed once more here, from
the encoder's own queries and keys; a test shows that they lead to the encoder's own output.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor

from msm4sr_lite.encoder import Block, CausalTransformer


@torch.no_grad()
def attention_maps(transformer: CausalTransformer, x: Tensor) -> list[Tensor]:
    """Return what every position looks at, one map per layer.

    Parameters
    ----------
    transformer
        In evaluation mode.
    x
        Item vectors of sequences without padding, ``(batch, time, d)``.

    Returns
    -------
    maps
        ``maps[layer][b, head, k, j]``: the share of position j in what position k takes in.
    """
    time = x.shape[1]
    hidden = torch.ones(time, time, dtype=torch.bool).triu(1)
    x = transformer.norm(x + transformer.position(torch.arange(time)))
    maps = []
    for block in cast("Iterable[Block]", transformer.blocks):
        query, key, _ = (
            part.unflatten(-1, (block.heads, -1)).transpose(1, 2)
            for part in block.qkv(x).chunk(3, dim=-1)
        )
        energy = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        maps.append(energy.masked_fill(hidden, -torch.inf).softmax(dim=-1))
        x = block(x)
    return maps
