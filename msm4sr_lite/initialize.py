"""Make an untrained model for given data: sizes, whitening, start of the adaptors."""

from dataclasses import replace
from typing import Any

import torch

from msm4sr_lite.config import Config, ModelConfig
from msm4sr_lite.encoder import BOTH, M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.whitening import Projector, Whitening


def fit_to_features(config: Config, table: FeatureTable) -> ModelConfig:
    """Return the settings of a model for these features: their width, and their modalities.

    Where all items lack one modality, both would be the same, and everything would be computed
    twice. ``modalities="auto"`` then is the other modality alone.
    """
    width = table.width
    found = [modality for modality in BOTH if getattr(table, modality).counts.any()]
    modalities: Any = config.model.modalities
    if modalities == "auto":
        modalities = found[0] if len(found) == 1 else "both"
    whitened = config.features.whitened_width(width)
    return replace(config.model, modalities=modalities, feature_dim=width, whitened_dim=whitened)


def new_model(
    config: Config,
    table: FeatureTable,
    sequences: Sequences,
    n_items: int = 0,
    kind: type[M2SE] = M2SE,
) -> M2SE:
    """Return an untrained model; its random weights come from PyTorch's global generator.

    Whitening and principal components are learned from the mean features of the items with training
    interactions, for each modality apart.

    Parameters
    ----------
    config
        All settings.
    table, sequences
        Features and interactions, entry i for item number i.
    n_items
        Number of items with an ID embedding.
    kind
        ``M2SE``, or a model made of its modules.
    """
    model = kind(replace(fit_to_features(config, table), n_items=n_items))
    seen = torch.from_numpy(sequences.item_counts() > 0)
    for modality, whitening in model.whiten.items():
        adaptor = model.adapt[modality]
        if isinstance(whitening, Whitening) or isinstance(adaptor, Projector):
            slots = getattr(table, modality)
            features = slots.means()[seen & (slots.counts > 0)]
            if isinstance(whitening, Whitening):
                whitening.fit(features, config.features.whitening)
            if isinstance(adaptor, Projector):
                adaptor.start(whitening(features))
    return model


def transfer(pretrained: M2SE, n_items: int) -> M2SE:
    """Return a model with the weights of ``pretrained`` and new ID embeddings for ``n_items``."""
    model = M2SE(replace(pretrained.config, n_items=n_items))
    weights = {name: w for name, w in pretrained.state_dict().items() if name != "ids.weight"}
    model.load_state_dict(weights, strict=False)
    return model
