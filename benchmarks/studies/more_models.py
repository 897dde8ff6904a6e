"""Run ``msm4sr study`` with further models and ablations, which only the docs need.

::

    python -m benchmarks.studies.more_models main DATA --models msm4sr_tuned,msm4sr_tuned+whole
    python -m benchmarks.studies.more_models ablations DATA --models "TF-IDF instead of BERT,N = 2"

Flags are those of ``msm4sr study``, and ``--clip MODEL`` for the ablation with raw embeddings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.studies.other_features import (
    FewerKeywords,
    RawClip,
    TfidfBesideBert,
    TfidfTexts,
    features_folder,
)
from benchmarks.studies.whole_dataset import whole_dataset
from msm4sr_lite import cli
from msm4sr_lite.cli.commands import build_parser
from msm4sr_lite.cli.study import study_config
from msm4sr_lite.config import DataConfig, UserError
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline.stages import TrainingData
from msm4sr_lite.study.ablations import ABLATIONS
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.specs import ModelSpec, Settings, Spec, StudyData


@dataclass(frozen=True)
class OtherFeatures(ModelSpec):
    """The main model on other features; ``table(data)`` makes them once for all seeds."""

    table: Callable[[StudyData], FeatureTable] = field(default_factory=TfidfTexts)
    made: dict[str, FeatureTable] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Make the features, train, return the scorer."""
        key = str(data.made_from)
        if key not in self.made:
            self.made[key] = self.table(data)
        return super().fit(replace(data, table=self.made[key]), settings, seed, states)


@dataclass(frozen=True)
class WholeDataset(ModelSpec):
    """A model that is pre-trained on the whole dataset, not only on the data of the comparison.

    Attributes
    ----------
    split
        Filters and split of the study.
    features
        Feature folder; None: the folder ``features`` of the dataset.
    """

    on_source: bool = True
    split: DataConfig = field(default_factory=DataConfig)
    features: Path | None = None
    made: dict[str, TrainingData] = field(default_factory=dict, repr=False, compare=False)

    def fit(self, data: StudyData, settings: Settings, seed: int, states: Path) -> Scorer:
        """Pre-train on the whole dataset, fine-tune on the data, return the scorer."""
        key = str(data.made_from)
        if key not in self.made:
            table = load_feature_table(features_folder(data, self.features))
            self.made[key] = whole_dataset(data, table, self.split)
        return super().fit(replace(data, source=self.made[key]), settings, seed, states)


def further_models(split: DataConfig, features: Path | None) -> dict[str, Spec]:
    """Return models for ``msm4sr study main``."""
    return {
        "msm4sr+whole": WholeDataset(split=split, features=features),
        "msm4sr_tuned+whole": WholeDataset(preset="tuned", split=split, features=features),
    }


def further_ablations(clip: str, features: Path | None) -> dict[str, Spec]:
    """Return variants for ``msm4sr study ablations``."""
    found: dict[str, Spec] = {
        "TF-IDF instead of BERT": OtherFeatures(table=TfidfTexts(), needs=("sklearn",)),
        "TF-IDF beside BERT": OtherFeatures(table=TfidfBesideBert(), needs=("sklearn",)),
    }
    found |= {f"N = {n}": OtherFeatures(table=FewerKeywords(n, features)) for n in (1, 2, 3)}
    return found | ({"raw CLIP embeddings": OtherFeatures(table=RawClip(clip))} if clip else {})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``msm4sr study`` with these models beside its own."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--clip", default="")
    own, rest = parser.parse_known_args(arguments)
    args = build_parser().parse_args(["study", *rest])
    MODELS.update(further_models(study_config(args).data, args.features))
    ABLATIONS.update(further_ablations(own.clip, args.features))
    return cli.main(["study", *rest])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
