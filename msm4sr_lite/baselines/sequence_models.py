"""Trained baselines: M²SE without some of its parts, trained and scored in exactly the same way.

A model's score is the cosine of the Transformer's state with an item's embedding. The baselines
differ only in what an item's embedding is made of. Each is trained from scratch by
``training.finetune``.

============================  ====================================================================
baseline                      an item's embedding
============================  ====================================================================
``SASRec``                    its id embedding alone
``M2SE(modalities="text")``   from its sentences (plus its id embedding, if the model has ids)
``SummedFeatures``            text and image embedding added: one sequence, no mixup, no contrast
============================  ====================================================================
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE, Modalities
from msm4sr_lite.feature_table import FeatureTable


class SASRec(M2SE):
    """The causal Transformer over item ids (Kang and McAuley, 2018).

    Differences to the original: the loss is the cross-entropy over all items at all positions
    instead of one sampled negative, and scores are cosines divided by the temperature. Both make
    it stronger.

    Parameters
    ----------
    config
        ``n_items`` must be the number of items; ``modalities`` and the adaptors' settings have no
        effect.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, modalities="text"))
        self.modalities = ("id",)
        self.pool, self.adapt = nn.ModuleDict(), nn.ModuleDict()

    def item_embeddings(self, table: FeatureTable, items: Tensor) -> Modalities:
        """Return zeros ``(items, d)``, to which ``with_ids`` adds the id embeddings."""
        return {"id": torch.zeros(len(items), self.config.dim, device=items.device)}


class SummedFeatures(M2SE):
    """Text and image embedding added to one embedding per item, and one sequence of these."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, modalities="both"))
        self.modalities = ("sum",)

    def item_embeddings(self, table: FeatureTable, items: Tensor) -> Modalities:
        """Return the sum of both embeddings ``(items, d)``; a missing modality adds nothing."""
        total = torch.zeros(len(items), self.config.dim, device=items.device)
        for modality in self.adapt:
            slots = getattr(table, modality)
            z = self.embed_modality(modality, slots, items)
            total = total + z * (slots.counts[items] > 0).unsqueeze(1)
        return {"sum": total}
