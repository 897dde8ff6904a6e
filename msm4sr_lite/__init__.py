"""MSM4SR, multimodal pre-training for sequential recommendation.

Start with ``Dataset`` and ``MSM4SR`` to use the library. To learn the method, read these modules in
this order::

    config      settings, each with its source
    sequences   interactions in order, batches
    mixup       sequence drop and complementary sequence mixup
    encoder     M²SE: attention pooling, MoE adaptor, causal Transformer
    losses      next item prediction (NIP), cross-modality contrast (CMCL), ranking
    objectives  from a batch to its loss
    training    pre-training and fine-tuning
    evaluation  full ranking, metrics with intervals

``fast`` holds faster forms of the same computations. The packages around the method are
``dataset``, ``features``, ``store``, ``baselines``, ``recommend``, ``explain``, ``pipeline``,
``study`` and ``cli``.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Dataset": "dataset.dataset",
    "MSM4SR": "pipeline.estimator",
    "Config": "config",
    "UserError": "config",
    "build_sequences": "dataset.split",
    "KeywordTokenizer": "features.keyword_tokenizer",
    "TextEncoder": "features.text_encoder",
    "compute_features": "features.stages",
    "load_feature_table": "features.table_files",
    "FeatureTable": "feature_table",
    "M2SE": "encoder",
    "pretrain": "training",
    "finetune": "training",
    "pretrain_steps": "training",
    "finetune_steps": "training",
    "load_checkpoint": "store.checkpoints",
    "evaluate": "evaluation",
    "fit_baseline": "baselines",
    "Recommender": "recommend.recommender",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Modules are loaded on first use, so that `import msm4sr_lite` does not wait for torch.
    if name in _HOME:
        return getattr(importlib.import_module(f"msm4sr_lite.{_HOME[name]}"), name)
    raise AttributeError(f"module 'msm4sr_lite' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
