"""A trained model with everything that recommending needs: weights, items, features, settings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from msm4sr_lite import __version__
from msm4sr_lite.config import Config, UserError, as_dict, flatten, with_settings
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.device import resolve_device
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import encode_new_items
from msm4sr_lite.features.table_files import save_feature_table
from msm4sr_lite.features.text_encoder import CLIP_PLACE, PLACE, find_encoder, load_table_encoder
from msm4sr_lite.pipeline.ensemble import UNFINISHED, Ensemble
from msm4sr_lite.pipeline.features import Features
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store import checkpoints, checksums
from msm4sr_lite.store.checkpoints import (
    REMEDY,
    find_model_folder,
    load_checkpoint,
    save_checkpoint,
)
from msm4sr_lite.store.files import recover, whole_folder
from msm4sr_lite.store.fingerprint import require_same
from msm4sr_lite.store.schemas import StageRecord, read_json

FILES = {*checkpoints.FILES, checksums.NAME, "features", "ensemble"}


@dataclass
class TrainedModel:
    """Weights, items and features; no user ids and no histories.

    Attributes
    ----------
    net
        M²SE, pre-trained or fine-tuned.
    items
        Item ids in the order of the model; ``items[0]`` is padding.
    table
        Features; entry i belongs to ``items[i]``.
    config
        All settings of its training.
    item_counts
        Number of training interactions of each item, ``(items + 1,)``; None if unknown.
    keywords
        Item id -> keywords of each of its images.
    dictionary
        The candidate keywords, for new items; empty if they are not known.
    record
        Further facts: preset, seed, split, domain, fingerprint of the training sequences.
    ensemble
        The score ensemble that recommends instead of ``net`` alone; None if there is none.
    """

    net: M2SE
    items: list[str]
    table: FeatureTable
    config: Config
    item_counts: np.ndarray | None = None
    keywords: dict[str, list[list[str]]] = field(default_factory=dict)
    dictionary: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    ensemble: Ensemble | None = None

    def recommender(self, device: str) -> Recommender:
        """Return a recommender; items that were added after training have no ID embedding."""
        trained = self.net.config.n_items or len(self.items) - 1
        first, later = self.items[: trained + 1], ["", *self.items[trained + 1 :]]
        table = self.table.for_items(first)
        scorer: Any = ModelScorer(self.net, table, device)
        if self.ensemble and self.item_counts is not None:
            seen = self.item_counts[: len(first)] > 0
            scorer = self.ensemble.scorer(scorer, table, seen, self.config.finetune.temperature)
        if len(later) > 1:
            scorer.append(self.table.for_items(later))
        return Recommender(scorer, self.items, self.item_counts)

    def save(self, folder: Path) -> None:
        """Write a model folder, whole or not at all.

        Raises
        ------
        UserError
            If ``folder`` holds something else, which would be lost.
        """
        there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        # A stage of a run folder has no features of its own; the run needs it.
        is_model = {"config.json", "record.json", "features"} <= there <= FILES
        if (folder.exists() and not folder.is_dir()) or (there and not is_model):
            raise UserError(f"{folder}: exists and is not a model folder; choose another one")
        counts = None if self.item_counts is None else self.item_counts[1:].tolist()
        now = {"config": as_dict(self.config), "item_counts": counts, "features": None}
        now |= {"ensemble_id": self.ensemble.fingerprint} if self.ensemble else {}
        manifest = {**self.table.manifest}
        manifest["keywords"] = {**manifest.get("keywords", {})}
        for part, place in ((manifest, PLACE), (manifest["keywords"], CLIP_PLACE)):
            part |= {place: ""} if place in part else {}  # folders of this machine
        table = replace(self.table, manifest=manifest)
        # ``now`` comes twice: first for the order of the keys, last to replace recorded values.
        record = {"version": __version__, **now, **self.record, **now}
        with whole_folder(folder, checksums=True) as draft:
            save_checkpoint(self.net, draft, self.items, record)
            save_feature_table(draft / "features", table, self.keywords, self.dictionary)
            if self.ensemble:
                self.ensemble.save(draft / "ensemble", self.items)

    @classmethod
    def load(cls, folder: Path, features: Path | None = None) -> Self:
        """Read a model folder or the best model of a run folder.

        Parameters
        ----------
        folder
            Model folder, or run folder with ``finetuned`` or ``pretrained`` in it.
        features
            Feature folder; by default the one in the model folder, else that of the run folder,
            else the one that the model's record names.
        """
        place = find_model_folder(folder)
        net, items = load_checkpoint(place)
        record: dict[str, Any] = read_json(place / "record.json", StageRecord, REMEDY)
        if record.get("preset", "paper") not in PRESETS:
            raise UserError(f"{place}/record.json: unknown preset {record['preset']!r}; {REMEDY}")
        known = record.get("config", {})
        if missing := [section for section in as_dict(Config()) if section not in known]:
            raise UserError(f"{place}/record.json: no settings of {missing[0]}; {REMEDY}")
        try:
            config = with_settings(Config(), flatten(known))
        except UserError as error:
            raise UserError(f"{place}/record.json: {error}; {REMEDY}") from None
        counts = record.get("item_counts")
        if counts is not None and len(counts) != len(items) - 1:
            raise UserError(f"{place}/record.json: item_counts do not fit items.json; {REMEDY}")
        ensemble = find_ensemble(place, record, net, items)
        found = Features.load(features or find_features(place, record))
        if found.table.width != net.config.feature_dim:
            raise UserError(
                f"{found.folder}: features of width {found.table.width}, but the model in {place}"
                f" needs {net.config.feature_dim}; give the features that it was trained with"
            )
        require_text_encoder(found.table, record, place)
        if trained_features(record) not in (None, "", found.table.manifest.get("content", "")):
            say(
                f"note: the features in {found.folder} are not those that the model was trained on;"
                f" items, texts, images or keywords have changed"
            )
        return cls(
            net,
            items,
            found.table.for_items(items),
            config,
            None if counts is None else np.array([0, *counts]),
            found.keywords,
            found.dictionary,
            record,
            ensemble,
        )

    def encode_items(
        self,
        items: Sequence[Item],
        image_root: Path,
        device: str,
        *,
        text_encoder: str | None = None,
        clip: str | None = None,
    ) -> tuple[FeatureTable, dict[str, list[list[str]]]]:
        """Return features and keywords of new items, computed like those of the table."""
        manifest, device = self.table.manifest, resolve_device(device)
        encoder = load_table_encoder(manifest, device, text_encoder)
        tokenizer, seen_by = None, manifest.get("keywords", {})
        if any(item.images for item in items):
            if not self.dictionary:
                raise UserError("the features lack a dictionary for new images; compute them again")
            choice = ("threshold", "diversity")
            options = {name: seen_by[name] for name in choice if name in seen_by}
            name = find_encoder("clip", seen_by["clip"], seen_by.get(CLIP_PLACE), clip)
            tokenizer = KeywordTokenizer(
                name, self.dictionary, seen_by["prompt"], device, **options
            )
        return encode_new_items(items, image_root, encoder, tokenizer, manifest)

    def require_same_encoders(self, table: FeatureTable, place: Path) -> None:
        """Raise a ``UserError`` if other features were made with other encoders or keywords."""
        for part, name in (("text_encoder", "text encoder"), ("keywords", "keyword")):
            here, there = (one.manifest.get(part, {}) for one in (self.table, table))
            what = f"{place}: made with another {name} than the model's"
            require_same(f"{what} features; they differ", there, here, "compute them like those")

    def with_items(self, table: FeatureTable, keywords: dict[str, list[list[str]]]) -> Self:
        """Return the model with new items at the end, which are scored from their content alone."""
        items = [*self.items, *table.items[1:]]
        counts = self.item_counts
        return replace(
            self,
            items=items,
            table=self.table.append(table),
            item_counts=None if counts is None else np.pad(counts, (0, len(items) - len(counts))),
            keywords=self.keywords | keywords,
        )


def find_features(place: Path, record: dict[str, Any]) -> Path:
    """Return the features in a model folder, else those beside it, else those it was trained on."""
    places = [place / "features", place.parent / "features"]
    places += [Path(record["features"])] if record.get("features") else []
    for found in places:
        recover(found.parent, found.name)
    there = [found for found in places if (found / "manifest.json").exists()]
    if not there:
        names = " or ".join(map(str, places))
        raise UserError(f"no features in {names}; give the feature folder (features)")
    return there[0]


def find_ensemble(
    place: Path, record: dict[str, Any], net: M2SE, items: list[str]
) -> Ensemble | None:
    """Return the ensemble in a model folder, or that beside a fine-tuned model; None without one.

    ``record["ensemble"]`` becomes that of the run folder, since a later run can change it.
    """
    is_stage, known = not (place / "features").exists(), record.get("ensemble_id")
    if is_stage and place.name != "finetuned":
        return None
    folder = (place.parent if is_stage else place) / "ensemble"
    recover(folder.parent, folder.name)
    if is_stage:
        unfinished = folder.with_suffix(UNFINISHED).exists()
        record["ensemble"] = "auto" if folder.exists() or unfinished else "none"
        if unfinished:
            say(f"note: the ensemble of {place.parent} is unfinished; fit it again to finish it")
    if not (folder.exists() or known):
        return None
    ensemble = Ensemble.load(folder, items, net)
    if not is_stage and ensemble.fingerprint != known:
        raise UserError(f"{folder}: not the ensemble that record.json names; {REMEDY}")
    if record.get("item_counts") is None:
        raise UserError(f"{place}/record.json: no item_counts, which {folder} needs; {REMEDY}")
    return ensemble if ensemble.used() else None


def trained_features(record: dict[str, Any]) -> Any:
    """Return the hash of the features that a model was trained on; None if it is unknown."""
    return record.get("settings", {}).get("features")


def require_text_encoder(table: FeatureTable, record: dict[str, Any], place: Path | str) -> None:
    """Raise a ``UserError`` if a model was trained on the embeddings of another text encoder."""
    known = record.get("settings", {}).get("text_encoder", {})
    difference = f"{place}: the text encoder of these features differs from that of its training"
    remedy = "give the features that it was trained with, or train it again"
    require_same(difference, table.manifest.get("text_encoder", {}), known, remedy)
