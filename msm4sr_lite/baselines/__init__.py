"""Baselines to compare a model with. Each is a ``Scorer`` that is fitted on training data only.

>>> import numpy as np
>>> from msm4sr_lite.sequences import Sequences
>>> interactions = np.array([1, 2, 3, 1, 2, 1, 3, 2])  # two users; two of each are held out
>>> sequences = Sequences(["u", "v"], ["", "a", "b", "c"], interactions, np.array([0, 4, 8]))
>>> fit_baseline("item_knn", BaselineData(sequences)).score([np.array([1])])
tensor([[0., 0., 2., 0.]], dtype=torch.float64)

Baselines without a trained network, and their settings:

====================  =======================================  ====================================
baseline              recommends                               settings
====================  =======================================  ====================================
``popularity``        items with many interactions
``item_knn``          items that co-occur with the history's   ``decay``, ``cosine``, ``shrinkage``
``ease``              items that a linear model predicts       ``l2``, ``decay``
``sequential_rules``  items that followed the newest item      ``decay``, ``steps``
``tfidf_knn``         items with similar words                 ``decay``
``bert_knn``          items with similar sentence embeddings   ``decay``, ``whitening``,
                                                               ``whitening_dim``
``item_knn+tfidf``    score ensemble of both                   ``decay``, ``weight``
====================  =======================================  ====================================

Trained baselines are M²SE without some of its components. They are trained from scratch and scored
in exactly the same way. They differ only in the embedding of an item:

============================  ====================================================================
baseline                      embedding of an item
============================  ====================================================================
``SASRec``                    its id embedding alone
``esasrec.ESASRec``           the same, with newer Transformer layers
``M2SE(modalities="text")``   its text embedding (plus its id embedding, if the model has ids)
``SummedFeatures``            sum of text and image embedding: one sequence, no mixup, no contrast
============================  ====================================================================

To add a baseline, write a class with ``score`` and add an entry to ``BASELINES``. ``fit_baseline``
and the command line then know it. For studies it also needs a grid in ``study.models``:

>>> class Newest:
...     def __init__(self, sequences):
...         self.row = torch.zeros(sequences.n_items + 1)
...         self.row[[sequence[-1] for sequence in sequences.train()]] = 1
...     def score(self, histories):
...         return self.row.expand(len(histories), -1)
>>> import torch
>>> BASELINES["newest"] = lambda data: Newest(data.sequences)
>>> fit_baseline("newest", BaselineData(sequences)).score([np.array([1])])
tensor([[0., 1., 1., 0.]])
>>> del BASELINES["newest"]
"""

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from msm4sr_lite import training
from msm4sr_lite.baselines.ease import EASE
from msm4sr_lite.baselines.ensemble import ScoreEnsemble
from msm4sr_lite.baselines.simple import (
    ContentKNN,
    ItemKNN,
    Popularity,
    SequentialRules,
    TextKNN,
    tfidf_vectors,
)
from msm4sr_lite.config import Config, ModelConfig, UserError
from msm4sr_lite.encoder import M2SE, Modalities
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.initialize import new_model
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.settings import in_one_line

PAPER = PRESETS["paper"]


class SASRec(M2SE):
    """The causal Transformer over item ids (Kang and McAuley, 2018).

    It differs from the original in two ways, which both make it stronger. The loss at each position
    is the cross-entropy over all items instead of one sampled negative. Scores are cosines divided
    by the temperature.

    Parameters
    ----------
    config
        ``n_items`` must be the number of items; ``modalities`` and the adaptors' settings have no
        effect.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(replace(config, modalities="text"))
        self.modalities = ("id",)
        self.pool, self.whiten, self.adapt = (nn.ModuleDict() for _ in range(3))

    def item_embeddings(self, table: FeatureTable, items: Tensor) -> Modalities:
        """Return zeros ``(items, d)``, to which ``with_ids`` adds the id embeddings."""
        return {"id": torch.zeros(len(items), self.config.dim, device=items.device)}


class SummedFeatures(M2SE):
    """M²SE with one embedding per item, the sum of its text and image embeddings."""

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


@dataclass(frozen=True)
class BaselineData:
    """The data that baselines are fitted on.

    Attributes
    ----------
    sequences
        The users' sequences; only their training part is used.
    table
        Features, entry i for item number i; None if there are none.
    texts
        The text of each item, ``items + 1`` strings, the first for padding; None if there are none.
    """

    sequences: Sequences
    table: FeatureTable | None = None
    texts: Sequence[str] | None = None


def fit_baseline(name: str, data: BaselineData, **settings: Any) -> Scorer:
    """Fit a baseline.

    Parameters
    ----------
    name
        A key of ``BASELINES``.
    data
        The data to fit it on.
    settings
        Settings of this baseline, such as ``decay``.

    Returns
    -------
    scorer
        The fitted baseline, for ``evaluation.evaluate`` or ``Recommender``.

    Raises
    ------
    UserError
        If there is no such baseline or setting, a setting is out of range, or the baseline needs
        features or texts that ``data`` lacks.
    """
    require_baselines([name])
    known = list(inspect.signature(BASELINES[name]).parameters)[1:]
    if unknown := [setting for setting in settings if setting not in known]:
        there = f"choose from {', '.join(known)}" if known else "it has no settings"
        raise UserError(f"baseline {name!r} has no setting {unknown[0]!r}; {there}")
    return BASELINES[name](data, **settings)


def require_baselines(names: Iterable[str]) -> list[str]:
    """Check the names of baselines, or one name, and return them as a list without repetition.

    Raises
    ------
    UserError
        If a name is not in ``BASELINES``, or scikit-learn is needed and not installed.
    """
    wanted = [names] if isinstance(names, str) or not isinstance(names, Iterable) else [*names]
    if wrong := [name for name in wanted if not isinstance(name, str)]:
        raise UserError(f"baselines must be a list of names; got {in_one_line(wrong[0])}")
    wanted = list(dict.fromkeys(wanted))
    if unknown := [name for name in wanted if name not in BASELINES]:
        raise UserError(f"no baseline {unknown[0]!r}; choose from {', '.join(BASELINES)}")
    if any("tfidf" in name for name in wanted) and find_spec("sklearn") is None:
        raise UserError('TF-IDF needs scikit-learn: pip install "msm4sr_lite[course]"')
    return wanted


def _train(
    name: str, kind: type[M2SE], data: BaselineData, config: Config, seed: int, device: str
) -> Scorer:
    """Train a model from scratch, and keep the epoch with the best Recall@20 on validation."""
    table, sequences = _needed(name, data, "table"), data.sequences
    if not config.finetune.epochs:
        raise UserError(f"baseline {name!r} would be untrained with finetune.epochs=0; raise it")
    n_ids = sequences.n_items if config.finetune.use_ids else 0
    torch.manual_seed(seed)
    model = new_model(config, table, sequences, n_ids, kind)
    training.finetune(model, table, sequences, config.finetune, seed=seed, device=device)
    return ModelScorer(model, table, device)


def _needed(name: str, data: BaselineData, what: str) -> Any:
    if (value := getattr(data, what)) is None:
        raise UserError(f"baseline {name!r} needs {what}; give it in BaselineData")
    return value


# Each of these functions fits one baseline; its parameters after ``data`` are the settings.
def _item_knn(
    data: BaselineData, decay: float = 0.8, cosine: bool = False, shrinkage: float = 0.0
) -> Scorer:
    """Items that co-occur with the history's items in other users."""
    return ItemKNN(data.sequences, decay, cosine, shrinkage)


def _ease(data: BaselineData, l2: float = 100.0, decay: float = 0.8) -> Scorer:
    """Items that a linear model predicts from those of the history."""
    return EASE(data.sequences, l2, decay)


def _sequential_rules(data: BaselineData, decay: float = 0.5, steps: int = 10) -> Scorer:
    """Items that soon followed the newest item of the history."""
    return SequentialRules(data.sequences, decay, steps)


def _tfidf_knn(data: BaselineData, decay: float = 0.8) -> Scorer:
    """Items whose texts resemble the history's (TF-IDF)."""
    return ContentKNN(tfidf_vectors(_needed("tfidf_knn", data, "texts")), decay)


def _bert_knn(
    data: BaselineData, decay: float = 0.8, whitening: str = "none", whitening_dim: int = 0
) -> Scorer:
    """Items whose mean sentence embeddings resemble the history's."""
    slots, seen = _needed("bert_knn", data, "table").text, data.sequences.item_counts() > 0
    return TextKNN(slots, seen, decay, whitening=whitening, whitening_dim=whitening_dim)


def _item_knn_tfidf(data: BaselineData, decay: float = 0.8, weight: float = 1.0) -> Scorer:
    """Score ensemble of ``item_knn`` and ``tfidf_knn``; ``weight`` is that of the latter."""
    _needed("item_knn+tfidf", data, "texts")
    parts = {"item_knn": _item_knn(data, decay), "tfidf_knn": _tfidf_knn(data, decay)}
    return ScoreEnsemble(parts, {"item_knn": 1.0, "tfidf_knn": weight})


def _sasrec(
    data: BaselineData, config: Config = PAPER, seed: int = 0, device: str = "cpu"
) -> Scorer:
    """``SASRec``, which always uses item ids and needs no features."""
    if data.table is None:
        items = data.sequences.items
        none = make_slots(np.zeros((0, 1), np.float16), np.zeros(len(items), np.int64))
        data = replace(data, table=FeatureTable(items, none, none, {}))
    config = replace(config, finetune=replace(config.finetune, use_ids=True))
    return _train("sasrec", SASRec, data, config, seed, device)


def _text_and_image(
    data: BaselineData, config: Config = PAPER, seed: int = 0, device: str = "cpu"
) -> Scorer:
    """``SummedFeatures``, with item ids if ``config.finetune.use_ids`` says so."""
    return _train("text+image", SummedFeatures, data, config, seed, device)


# name -> fit(data, **settings), which returns the fitted scorer
BASELINES: dict[str, Callable[..., Scorer]] = {
    # The items with the most interactions, the same for all users; it has no settings.
    "popularity": lambda data: Popularity(data.sequences),
    "item_knn": _item_knn,
    "ease": _ease,
    "sequential_rules": _sequential_rules,
    "tfidf_knn": _tfidf_knn,
    "bert_knn": _bert_knn,
    "item_knn+tfidf": _item_knn_tfidf,
    "sasrec": _sasrec,
    "text+image": _text_and_image,
}
