"""MSM4SR, multimodal pre-training for sequential recommendation, in a form one can read.

The reading order follows the data::

    config      settings, each with its source
    shop        products, and who bought what when (read by `reading`)
    text        an item's text as sentences
    sequences   purchases in order, the split, batches
    keywords    pictures into words (CLIP)
    features    sentences and keywords into vectors (BERT), the feature table
    mixup       sequence drop and complementary mixup
    encoder     M²SE
    losses      next item prediction, cross-modality contrast, ranking
    objectives  from a batch to a loss
    evaluation  full ranking, metrics with intervals
    training    pre-training, fine-tuning, checkpoints
    recommend   recommendations with what describes them
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Config": "config",
    "UserError": "config",
    "Dataset": "dataset.dataset",
    "Item": "dataset.items",
    "read_folder": "dataset.folder",
    "build_sequences": "dataset.split",
    "KeywordTokenizer": "features.keyword_tokenizer",
    "TextEncoder": "features.text_encoder",
    "FeatureTable": "feature_table",
    "load_feature_table": "features.table_files",
    "M2SE": "encoder",
    "pretrain": "training",
    "finetune": "training",
    "pretrain_steps": "training",
    "finetune_steps": "training",
    "load_checkpoint": "store.checkpoints",
    "evaluate": "evaluation",
    "Recommender": "recommend.recommender",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `msm4sr --help` does not wait for torch.
    if name in _HOME:
        return getattr(importlib.import_module(f"msm4sr_lite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'msm4sr_lite' has no attribute {name!r}")
