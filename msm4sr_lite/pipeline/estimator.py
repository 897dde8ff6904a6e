"""MSM4SR as an estimator: settings in the constructor, data in ``fit``."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from msm4sr_lite.config import Config, UserError, as_dict, with_settings
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.initialize import fit_to_features
from msm4sr_lite.pipeline.budget import check_budget, finetune_within, print_estimate
from msm4sr_lite.pipeline.ensemble import (
    Ensemble,
    can_choose,
    fit_ensemble,
    remove_ensemble,
)
from msm4sr_lite.pipeline.evaluating import Evaluating
from msm4sr_lite.pipeline.features import find_or_compute_features
from msm4sr_lite.pipeline.fitted import ENCODERS, require_dataset, require_features
from msm4sr_lite.pipeline.stages import (
    Callback,
    Stage,
    TrainingData,
    describe_training_data,
    prepare_training_data,
)
from msm4sr_lite.pipeline.trained_model import TrainedModel, require_text_encoder
from msm4sr_lite.presets import ENSEMBLES
from msm4sr_lite.progress import say
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.fingerprint import fingerprint_interactions
from msm4sr_lite.store.records import read_record, require_run_dir

AS_SET: Literal["as_set"] = "as_set"  # the split that the setting data.split names
Split = Literal["leave_one_out", "time", "part", "as_set"]


class MSM4SR(Evaluating):
    """Multimodal sequential recommendation: fit, evaluate, recommend, explain, save, load.

    Parameters
    ----------
    preset
        ``paper``: the method as described; ``tuned``: the settings that validation supports;
        ``authors``: the released code with its defects.
    seed
        Fixes initial weights, order of batches, augmentation and dropout.
    device
        ``auto``, ``cpu`` or ``cuda``.
    ensemble
        ``auto``: ``fit`` and ``finetune`` also fit models of ids, texts and images alone and simple
        baselines, and recommend with the weighted sum that is best on validation. ``none``: the
        neural model recommends alone. None: ``auto`` with the preset ``tuned``, else ``none``.
    text_encoder
        BERT-like model, a local folder or hub id; None for all-MiniLM-L6-v2.
    clip
        CLIP-like model, a local folder or hub id; None for CLIP ViT-B/32.
    dictionary
        Candidate keywords; see ``features.dictionary.read_dictionary``.
    **settings
        Any other setting, named by its section and name: ``pretrain__epochs=20``,
        ``finetune__lr=1e-3``. ``get_params`` lists all of them.

    Raises
    ------
    UserError
        If a setting is unknown or a value is out of range; the message suggests the nearest name.

    Examples
    --------
    >>> model = MSM4SR(preset="tuned", seed=0, pretrain__epochs=2)
    >>> model.get_params()["pretrain__epochs"], model.get_params()["pretrain__lr"]
    (2, 0.002)
    """

    def fit(
        self,
        data: Dataset,
        *,
        split: Split | None = AS_SET,
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
        time_budget: float | None = None,
    ) -> Self:
        """Compute features, pre-train and fine-tune.

        Parameters
        ----------
        data
            Users, items and interactions.
        split
            Which interactions are held out; by default the setting ``data.split``. Training and
            item counts never use them. ``leave_one_out``: each user's most recent interactions.
            ``time``: all interactions after a date. ``part``: by the column ``part`` of the
            interactions (``train``, ``valid``, ``test``). None: nothing is held out, for a model to
            be shipped. A first run with held-out interactions then finds the best number of epochs
            of each stage, and ``evaluate`` raises an error afterwards.
        features
            Ready features, a table or its folder. By default those beside the dataset folder are
            used if they fit it; otherwise features are computed.
        run_dir
            Folder in which every stage is kept. Ctrl-C takes effect between two steps; the same
            call then resumes.
        callback
            Is called with the record of every training step and epoch.
        time_budget
            Time in seconds. Fine-tuning tries other settings on the validation part until the time
            is used up. Pre-training and the first fine-tuning are always finished. An ensemble gets
            half of the time after pre-training; when it is over, no further part is trained.

        Returns
        -------
        self

        Raises
        ------
        UserError
            If the features do not fit the data, no user is left after filtering, or
            ``time_budget`` is not positive or is given without held-out interactions.
        """
        check_budget(time_budget, split)
        until = time.perf_counter() + (math.inf if time_budget is None else time_budget)

        def train(
            stage: Stage, training: TrainingData, config: Config, has_ensemble: bool
        ) -> tuple[M2SE, Config]:
            print_estimate(training, config, stage, has_ensemble)
            net = stage.pretrain(training, config)
            if time_budget is None or not config.finetune.epochs:
                return stage.finetune(training, net, config.finetune), config
            left = (until - time.perf_counter()) / (2 if has_ensemble else 1)
            return finetune_within(left, stage, training, net, config)

        return self._train(data, train, split, features, run_dir, callback, until=until)

    def pretrain(
        self,
        data: Dataset,
        *,
        split: Split | None = AS_SET,
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Pre-train, without item ids; arguments as in ``fit``."""

        def train(
            stage: Stage, training: TrainingData, config: Config, _: bool
        ) -> tuple[M2SE, Config]:
            return stage.pretrain(training, config), config

        return self._train(data, train, split, features, run_dir, callback, until=None)

    def finetune(
        self,
        data: Dataset,
        *,
        split: Split | None = AS_SET,
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Fine-tune a model that was pre-trained here or on other data; arguments as in ``fit``.

        Fine-tuning starts from ``run_dir/pretrained`` if that exists, else from this model's
        weights without ID embeddings.
        """
        folder = require_run_dir(run_dir, require_dataset(data).folder)
        place = folder / "pretrained" if folder else None
        if place and (place / "config.json").is_file():
            (start, _), record, name = load_checkpoint(place), read_record(place), str(place)
        elif self._model is not None:
            start, record, name = self._model.net, self._model.record, "this model"
        else:
            raise UserError("no pre-trained model; pre-train one first, in the same run folder")

        def train(
            stage: Stage, training: TrainingData, config: Config, _: bool
        ) -> tuple[M2SE, Config]:
            require_text_encoder(training.table, record, name)
            return stage.finetune(training, start, config.finetune), config

        earlier = record.get("trained_on", [])
        return self._train(data, train, split, features, run_dir, callback, earlier)

    @property
    def _wants_ensemble(self) -> bool:
        return (self.ensemble or ENSEMBLES[self.preset]) == "auto"

    def _train(
        self,
        data: Dataset,
        train: Callable[[Stage, TrainingData, Config, bool], tuple[M2SE, Config]],
        split: Split | None,
        features: FeatureTable | str | Path | None,
        run_dir: str | Path | None,
        callback: Callback | None,
        earlier: Sequence[list[str | None]] = (),
        until: float | None = math.inf,
    ) -> Self:
        """Prepare the data, train, and keep the trained model.

        ``earlier`` lists the fingerprints and splits of the data of earlier trainings. ``until``
        limits the training of an ensemble's parts; None: there is no ensemble.
        """
        data, chosen = require_dataset(data), self.config.features
        folder, device = require_run_dir(run_dir, data.folder), resolve_device(self.device)
        encoders = {name: getattr(self, name) for name in ENCODERS}
        require_features(features)
        found = find_or_compute_features(data, features, folder, chosen, device=device, **encoders)
        if not found.table.described():
            raise UserError(
                f"{data.name}: no item has a text or an image, from which MSM4SR learns; for models"
                f" of item ids see fit_baseline, or `msm4sr study main DATA --models sasrec`"
            )
        config = replace(self.config, model=fit_to_features(self.config, found.table))
        if split is not None:
            as_set = isinstance(split, str) and split == AS_SET
            split = config.data.split if as_set else split
            config = with_settings(config, {"data.split": split})
        config.data.require_effect()
        training = prepare_training_data(data, found.table, config.data)
        wanted = until is not None and self._wants_ensemble
        wanted = wanted and can_choose(training, is_required=self.ensemble is not None)
        ensemble = None

        def fit_parts(stage: Stage, net: M2SE, config: Config) -> Ensemble | None:
            if until is not None and wanted:
                return fit_ensemble(stage, training, net, config, ensemble, until=until)
            if until is not None:
                remove_ensemble(stage.run_dir)  # of an earlier run
            return None

        if split is None:
            # The numbers of epochs come from a first run, in which interactions are held out.
            first = Stage(self.seed, device, folder / "selection" if folder else None)
            say("first run: with held-out interactions, to choose the numbers of epochs")
            net, tried = train(first, training, config, wanted)
            ensemble = fit_parts(first, net, tried)
            config = with_settings(config, first.best_epochs())
            say(f"second run: on every interaction, with {first.best_epochs()}")
            training = prepare_training_data(data, found.table, config.data, hold_out=False)
        record = {
            "config": as_dict(config),
            "preset": self.preset,
            "seed": self.seed,
            "split": split,
            "ensemble": "auto" if self._wants_ensemble else "none",
            "trained_on": [*earlier, [fingerprint_interactions(training.sequences), split]],
            "domain": data.domain,
            "columns": data.columns or None,
            "encoders": list(encoders.values()),
            "features": found.folder.resolve().as_posix() if found.folder else None,
        }
        stage = Stage(self.seed, device, folder, callback, record)
        net, config = train(stage, training, config, wanted)
        ensemble = fit_parts(stage, net, config)
        self.run_dir, self.training_ = folder, dict(stage.summaries)
        record |= {"settings": describe_training_data(training)}
        trained = TrainedModel(
            net,
            training.sequences.items,
            training.table,
            replace(config, model=net.config),
            training.sequences.item_counts(),
            found.keywords,
            found.dictionary,
            record,
            ensemble if ensemble and ensemble.used() else None,
        )
        self._serve(trained, data, training.sequences)
        return self
