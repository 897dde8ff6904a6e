"""Learnt baselines: M²SE with parts taken out, trained and scored in exactly the same way.

A model's score is the cosine of the Transformer's state with an item's vector; what an item's
vector is made of is all that differs. Each is trained from scratch by ``training.finetune``.

======================  ==========================================================================
baseline                an item's vector
======================  ==========================================================================
``SASRec``              its id's vector alone
``M2SE(views="text")``  from its sentences (and its id's vector, if there are ids)
``SummedFeatures``      text's and pictures' vector added: one sequence, no mixup, no contrast
======================  ==========================================================================
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

    Differences to the original: the loss is the cross-entropy over all items at all positions, not
    one drawn negative, and scores are cosines divided by tau. Both make it stronger.

    Parameters
    ----------
    config
        ``n_items`` must be that of the shop; ``views`` and the adapters' settings do not matter.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, modalities="text"))
        self.modalities = ("id",)
        self.pool, self.adapt = nn.ModuleDict(), nn.ModuleDict()

    def item_embeddings(self, table: FeatureTable, items: Tensor) -> Modalities:
        """Return zeros ``(items, d)``, to which ``with_ids`` adds the ids' vectors."""
        return {"id": torch.zeros(len(items), self.config.dim, device=items.device)}


class SummedFeatures(M2SE):
    """Text and pictures added to one vector per item, one sequence of these."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, modalities="both"))
        self.modalities = ("sum",)

    def item_embeddings(self, table: FeatureTable, items: Tensor) -> Modalities:
        """Return the sum of both views' vectors ``(items, d)``; a missing view adds nothing."""
        total = torch.zeros(len(items), self.config.dim, device=items.device)
        for modality in self.adapt:
            slots = getattr(table, modality)
            z = self.embed_modality(modality, slots, items)
            total = total + z * (slots.counts[items] > 0).unsqueeze(1)
        return {"sum": total}
