"""All baselines by name, and the one function that fits them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import numpy as np

from msm4sr_lite.baselines.content_knn import ContentKNN, mean_embeddings, tfidf_vectors
from msm4sr_lite.baselines.ensemble import ScoreEnsemble
from msm4sr_lite.baselines.item_knn import ItemKNN
from msm4sr_lite.baselines.popularity import Popularity
from msm4sr_lite.baselines.sequence_models import SASRec, SummedFeatures, fit_sequence_model
from msm4sr_lite.baselines.sequential_rules import SequentialRules
from msm4sr_lite.config import PRESETS, Config, UserError
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.sequences import Sequences


@dataclass(frozen=True)
class BaselineData:
    """What baselines are fitted on.

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


@dataclass(frozen=True)
class Baseline:
    """A baseline in the registry.

    Attributes
    ----------
    fit
        ``fit(data, **settings)`` returns the fitted scorer.
    description
        One line about it.
    needs
        Which of ``table`` and ``texts`` it needs.
    package
        A package that it needs and a base installation lacks, by the name to import; or empty.
    """

    fit: Callable[..., Scorer]
    description: str
    needs: tuple[str, ...] = ()
    package: str = ""


def fit_baseline(name: str, data: BaselineData, **settings: Any) -> Scorer:
    """Fit a baseline.

    Parameters
    ----------
    name
        A key of ``BASELINES``.
    data
        What to fit it on.
    settings
        Settings of this baseline, such as ``decay``.

    Returns
    -------
    scorer
        Can be evaluated (``evaluation.evaluate``) and can recommend (``Recommender``).

    Raises
    ------
    UserError
        If there is no such baseline or setting, a setting is out of range, or the baseline needs
        features or texts that ``data`` lacks.
    """
    require_baselines([name])
    baseline = BASELINES[name]
    for need in baseline.needs:
        if getattr(data, need) is None:
            raise UserError(f"baseline {name!r} needs {need}, which the data lack")
    known = list(inspect.signature(baseline.fit).parameters)[1:]
    if unknown := [setting for setting in settings if setting not in known]:
        there = f"there are {', '.join(known)}" if known else "it has none"
        raise UserError(f"baseline {name!r} has no setting {unknown[0]!r}; {there}")
    return baseline.fit(data, **settings)


def require_baselines(names: Iterable[str]) -> list[str]:
    """Return names as a list, each once.

    Raises
    ------
    UserError
        If a name is not in ``BASELINES``, or a package that a baseline needs is not installed.
    """
    wanted = list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in BASELINES]:
        raise UserError(f"no baseline {unknown[0]!r}; there are {', '.join(BASELINES)}")
    for name in wanted:
        if (package := BASELINES[name].package) and find_spec(package) is None:
            raise UserError(
                f"baseline {name!r} needs the package {package}: pip install 'msm4sr_lite[course]'"
            )
    return wanted


def _popularity(data: BaselineData) -> Scorer:
    return Popularity(data.sequences)


def _item_knn(data: BaselineData, decay: float = 0.8, cosine: bool = False) -> Scorer:
    return ItemKNN(data.sequences, decay, cosine)


def _sequential_rules(data: BaselineData, decay: float = 0.5, steps: int = 10) -> Scorer:
    return SequentialRules(data.sequences, decay, steps)


def _tfidf_knn(data: BaselineData, decay: float = 0.8) -> Scorer:
    return ContentKNN(tfidf_vectors(data.texts or ()), decay)


def _bert_knn(data: BaselineData, decay: float = 0.8) -> Scorer:
    return ContentKNN(mean_embeddings(_table(data).text), decay)


def _item_knn_and_tfidf(data: BaselineData, decay: float = 0.8, weight: float = 1.0) -> Scorer:
    return ScoreEnsemble(_item_knn(data, decay), _tfidf_knn(data, decay), weight)


def _sasrec(
    data: BaselineData, config: Config = PRESETS["paper"], seed: int = 0, device: str = "cpu"
) -> Scorer:
    config = replace(config, finetune=replace(config.finetune, use_ids=True))
    return fit_sequence_model(
        SASRec, data.sequences, _table(data), config=config, seed=seed, device=device
    )


def _text_and_image(
    data: BaselineData, config: Config = PRESETS["paper"], seed: int = 0, device: str = "cpu"
) -> Scorer:
    return fit_sequence_model(
        SummedFeatures, data.sequences, _table(data), config=config, seed=seed, device=device
    )


def _table(data: BaselineData) -> FeatureTable:
    """Return the features; without any a table of items that have none, for SASRec."""
    if data.table is not None:
        return data.table
    items = data.sequences.items
    none = make_slots(np.zeros((0, 1), np.float16), np.zeros(len(items), np.int64))
    return FeatureTable(items, none, none, {})


BASELINES = {
    "popularity": Baseline(_popularity, "items with the most interactions, alike for all users"),
    "item_knn": Baseline(_item_knn, "items that co-occur with the history's items in other users"),
    "sequential_rules": Baseline(
        _sequential_rules, "items that soon followed the newest item of the history"
    ),
    "tfidf_knn": Baseline(
        _tfidf_knn, "items whose texts resemble the history's (TF-IDF)", ("texts",), "sklearn"
    ),
    "bert_knn": Baseline(
        _bert_knn, "items whose mean sentence embeddings resemble the history's", ("table",)
    ),
    "item_knn+tfidf": Baseline(
        _item_knn_and_tfidf, "score ensemble of item_knn and tfidf_knn", ("texts",), "sklearn"
    ),
    "sasrec": Baseline(_sasrec, "Transformer over item ids, trained from scratch"),
    "text+image": Baseline(
        _text_and_image,
        "Transformer over text and image embeddings added up, trained from scratch",
        ("table",),
    ),
}
