"""The attention maps of the sequence encoder.

PyTorch's fused attention does not return its weights, so they are computed once more here, from
the queries and keys of the encoder; a test shows that they lead to the encoder's output.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from msm4sr_lite.encoder import Block, CausalTransformer

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@torch.no_grad()
def compute_attention(transformer: CausalTransformer, x: Tensor) -> list[Tensor]:
    """Return the attention weights of every position, one map per layer.

    Parameters
    ----------
    transformer
        In evaluation mode.
    x
        Item embeddings of sequences without padding, ``(batch, time, d)``.

    Returns
    -------
    maps
        ``maps[layer][b, head, k, j]``: the weight of position j in the output of position k.
    """
    time = x.shape[1]
    hidden = torch.ones(time, time, dtype=torch.bool).triu(1)
    x = transformer.norm(x + transformer.position(torch.arange(time)))
    maps = []
    for block in cast("Iterable[Block]", transformer.blocks):
        query, key, _ = (
            heads.unflatten(-1, (block.heads, -1)).transpose(1, 2)
            for heads in block.qkv(x).chunk(3, dim=-1)
        )
        energy = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        maps.append(energy.masked_fill(hidden, -torch.inf).softmax(dim=-1))
        x = block(x)
    return maps


def draw_attention(maps: Sequence[Tensor], names: Sequence[str]) -> Figure:
    """Draw the maps of one sequence: a row for each layer, a column for each head, one scale.

    Parameters
    ----------
    maps
        As :func:`compute_attention` returns them; the first sequence is drawn.
    names
        The label of each position, ``time`` of them.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    import seaborn as sns

    heads, time = maps[0].shape[1:3]
    figure, panels = plt.subplots(
        len(maps),
        heads,
        figsize=(4.25 * heads + 0.8, 3.5 * len(maps)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for layer, weights in enumerate(maps):
        for head in range(heads):
            axes = panels[layer, head]
            sns.heatmap(
                weights[0, head].numpy(),
                mask=np.triu(np.ones((time, time)), 1).astype(bool),
                annot=True,
                fmt=".2f",
                vmin=0,
                vmax=1,
                cbar=False,
                cmap="cividis_r",
                xticklabels=names,
                yticklabels=names,
                ax=axes,
            )
            axes.set_title(f"layer {layer + 1}, head {head + 1}")
            axes.tick_params(axis="y", rotation=0)
            axes.tick_params(axis="x", rotation=45)
    scale = panels[0, 0].collections[0]  # the same in all
    figure.colorbar(scale, ax=panels, label="attention weight", shrink=0.6)
    figure.supylabel("query position")
    figure.supxlabel("key position")
    return figure
