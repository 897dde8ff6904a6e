"""Measure the effect of each difference to the released code on the sample dataset.

    python -m benchmarks.studies.differences data_samples/corner_shop --domain home --out DIR

This study made ``docs/differences.md``. Every variant differs from the preset ``paper`` only in the
settings of its entry below. It is pre-trained with several seeds and tested without item ids.
Variants of fine-tuning all start from the same pre-trained model. Each run is kept in ``DIR/runs``,
so a stopped study can be resumed. ``--page docs/differences.md`` writes the results into the page
and, beside it, ``differences.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.studies import long_histories, loss_numerics
from benchmarks.studies.differences_page import fill
from msm4sr_lite import training
from msm4sr_lite.config import Config, DataConfig, as_dict, with_settings
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table import encode_slots, image_sentences
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import load_table_encoder
from msm4sr_lite.initialize import transfer
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.checkpoints import load_checkpoint, save_checkpoint
from msm4sr_lite.store.files import write_json, write_text
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_sequences
from msm4sr_lite.store.records import cached_run
from msm4sr_lite.study.paired import paired
from msm4sr_lite.study.specs import prepare


@dataclass(frozen=True)
class Protocol:
    """Number of seeds and epochs; ``more_seeds`` applies to variants with ``closely``."""

    seeds: int = 3
    more_seeds: int = 6
    epochs: int = 12
    finetune_epochs: int = 6
    batch_size: int = 256


@dataclass(frozen=True)
class Variant:
    """One change of the preset ``paper``.

    Attributes
    ----------
    settings
        ``section.setting -> value``.
    against
        The variant it is compared with.
    finetuned
        Whether it is fine-tuned, starting from the model of ``paper`` with the same seed.
    seed_shift
        Added to each seed.
    closely
        Whether it is trained with more seeds.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    against: str = "paper"
    finetuned: bool = False
    seed_shift: int = 0
    closely: bool = False

    def config(self, protocol: Protocol) -> Config:
        """Return all settings of this variant."""
        changes = {
            "pretrain.epochs": protocol.epochs,
            "pretrain.batch_size": protocol.batch_size,
            "finetune.epochs": protocol.finetune_epochs,
            "finetune.batch_size": protocol.batch_size,
            **self.settings,
        }
        return with_settings(PRESETS["paper"], changes)


def differing(section: str) -> dict[str, Any]:
    """Return the values of ``authors`` in one section where they differ from ``paper``."""
    paper, authors = (as_dict(PRESETS[name])[section] for name in ("paper", "authors"))
    return {f"{section}.{name}": authors[name] for name in paper if authors[name] != paper[name]}


VARIANTS = {
    "paper": Variant(closely=True),
    "other seeds": Variant(seed_shift=1000),
    "model.train_pooling": Variant({"model.train_pooling": False}, closely=True),
    "model.mask_padding": Variant({"model.mask_padding": False}, closely=True),
    "pretrain.same_target": Variant({"pretrain.same_target": "zero_logit"}),
    "pretrain.cmcl_form": Variant({"pretrain.cmcl_form": "rowwise"}),
    "pretrain.cmcl_same_user": Variant({"pretrain.cmcl_same_user": "keep"}),
    "pretrain.nip_same_user": Variant({"pretrain.nip_same_user": "exclude"}, closely=True),
    "pretrain.mixup_per": Variant({"pretrain.mixup_per": "sequence"}),
    "pretrain.drop_per": Variant({"pretrain.drop_per": "sequence"}),
    "features.image_slots": Variant({"features.image_slots": "keywords"}),
    "pretrain.prefix_augmentation": Variant({"pretrain.prefix_augmentation": True}),
    "pretrain.drop_keeps": Variant(
        {"pretrain.prefix_augmentation": True, "pretrain.drop_keeps": "last"},
        against="pretrain.prefix_augmentation",
    ),
    "authors": Variant({**differing("model"), **differing("pretrain")}, closely=True),
    "finetuned": Variant(finetuned=True),
    "finetune.pad_class": Variant({"finetune.pad_class": True}, "finetuned", finetuned=True),
    "finetune.prefix_augmentation": Variant(
        {"finetune.prefix_augmentation": True}, "finetuned", finetuned=True
    ),
}


class Study:
    """The runs on one dataset, kept in a folder.

    Parameters
    ----------
    sequences
        Filtered and split interactions.
    tables
        ``image_slots`` -> features; entry i belongs to item number i of ``sequences``.
    protocol
        The same for all variants.
    out
        Folder of finished runs.
    """

    def __init__(
        self, sequences: Sequences, tables: dict[str, FeatureTable], protocol: Protocol, out: Path
    ) -> None:
        self.sequences, self.tables, self.protocol, self.out = sequences, tables, protocol, out
        self.runs = out / "runs"

    def ranks(self, name: str, seed: int) -> np.ndarray:
        """Return the rank of each test target; train the variant first if necessary."""
        config, number = VARIANTS[name].config(self.protocol), seed + VARIANTS[name].seed_shift
        table = self.tables[config.features.image_slots]

        def make() -> dict[str, Any]:
            model = self._train(name, config, table, seed, number)
            histories, targets = self.sequences.held_out("test")
            return {"ranks": target_ranks(ModelScorer(model, table), histories, targets).tolist()}

        found = cached_run(self.runs, f"{name}-{seed}", self._made_from(name, seed), make)
        return np.array(found["ranks"])

    def _made_from(self, name: str, seed: int) -> list[Any]:
        config, number = VARIANTS[name].config(self.protocol), seed + VARIANTS[name].seed_shift
        content = self.tables[config.features.image_slots].manifest["content"]
        return [as_dict(config), fingerprint_sequences(self.sequences), content, number]

    def _state(self, seed: int) -> Path:
        """Return the model folder of ``paper``, whose name depends on the protocol."""
        return self.out / "states" / f"paper-{seed}.{fingerprint(self._made_from('paper', seed))}"

    def pretrained(self, seed: int) -> M2SE:
        """Return the pre-trained model of ``paper``."""
        self.ranks("paper", seed)
        return load_checkpoint(self._state(seed))[0]

    def _train(
        self, name: str, config: Config, table: FeatureTable, seed: int, number: int
    ) -> M2SE:
        if VARIANTS[name].finetuned:
            start = self.pretrained(seed)
            torch.manual_seed(number)
            model = transfer(start, self.sequences.n_items)
            training.finetune(model, table, self.sequences, config.finetune, seed=number)
        else:
            torch.manual_seed(number)
            model = M2SE(replace(config.model, feature_dim=table.width))
            training.pretrain(model, table, self.sequences, config.pretrain, seed=number)
        if name == "paper":
            save_checkpoint(model, self._state(seed), table.items, {"seed": number})
        return model

    def results(self) -> dict[str, Any]:
        """Make the missing runs, one seed after the other, and compare."""
        few, many = self.protocol.seeds, self.protocol.more_seeds
        ranks: dict[str, list[np.ndarray]] = {name: [] for name in VARIANTS}
        for seed in range(max(few, many)):
            for name, variant in VARIANTS.items():
                if seed < (many if variant.closely else few):
                    ranks[name].append(self.ranks(name, seed))
        return {
            name: {
                "against": variant.against,
                "metrics": long_histories.means(ranks[name]),
                "change": paired(ranks[name], ranks[variant.against][: len(ranks[name])]),
            }
            for name, variant in VARIANTS.items()
        }


def keyword_slots(folder: Path, table: FeatureTable) -> FeatureTable:
    """Return the table with one slot per keyword, like ``image_slots = "keywords"``."""
    keywords = read_keywords(folder)
    groups = [image_sentences(keywords.get(item, []), "keywords") for item in table.items[1:]]
    image = encode_slots(groups, load_table_encoder(table.manifest))
    manifest = {**table.manifest, "image_slots": "keywords"}
    return FeatureTable(table.items, table.text, image, manifest)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print the name of the file with its results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.studies.differences")
    parser.add_argument("dataset", type=Path, help="data_samples/corner_shop, with its features")
    parser.add_argument("--domain", default="home")
    parser.add_argument("--out", type=Path, required=True, help="folder of finished runs")
    parser.add_argument("--quick", action="store_true", help="one seed, one epoch")
    parser.add_argument("--page", type=Path, help="docs/differences.md, to write the results into")
    args = parser.parse_args(arguments)
    if not (args.dataset / "sample.json").is_file():
        parser.error(
            f"{args.dataset}: not the sample dataset (no sample.json); the part on long histories"
            f" simulates its users: give data_samples/corner_shop"
        )
    torch.set_num_threads(1)
    dataset = Dataset.from_folder(args.dataset, domain=args.domain)
    features = args.dataset / "features"
    data = prepare(dataset, load_feature_table(features), DataConfig())
    sequences, table = data.sequences, data.table
    tables = {"images": table, "keywords": keyword_slots(features, table)}
    protocol = (
        Protocol(seeds=1, more_seeds=1, epochs=1, finetune_epochs=1) if args.quick else Protocol()
    )
    study = Study(sequences, tables, protocol, args.out)
    results = {
        "dataset": {
            "name": json.loads((args.dataset / "sample.json").read_text(encoding="utf-8"))["name"],
            "domain": args.domain,
            "users": len(sequences.users),
            "items": sequences.n_items,
        },
        "protocol": as_dict(protocol),
        "numerics": loss_numerics.measure(study.pretrained(0), table, sequences),
        "variants": study.results(),
        "long": long_histories.measure(table, args.domain, args.out / "long", args.quick),
    }
    write_json(args.out / "differences.json", results)
    if args.page:
        write_json(args.page.with_suffix(".json"), results)
        write_text(args.page, fill(args.page.read_text(encoding="utf-8"), results))
    print(args.out / "differences.json")


if __name__ == "__main__":
    main()
