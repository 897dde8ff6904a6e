"""MSM4SR as an estimator: settings in the constructor, data in ``fit``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from msm4sr_lite.config import (
    Config,
    UserError,
    as_dict,
    with_settings,
)
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import hold_out_nothing
from msm4sr_lite.device import resolve_device
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.estimate import print_estimate
from msm4sr_lite.pipeline.evaluating import evaluate_model
from msm4sr_lite.pipeline.features import Features, find_or_compute_features
from msm4sr_lite.pipeline.parameters import Parameters
from msm4sr_lite.pipeline.report import Report
from msm4sr_lite.pipeline.stages import (
    Callback,
    Stage,
    TrainingData,
    describe_training_data,
    prepare_training_data,
)
from msm4sr_lite.pipeline.trained_model import TrainedModel, require_text_encoder
from msm4sr_lite.pipeline.tuning import finetune_within
from msm4sr_lite.progress import say
from msm4sr_lite.sequences import Part
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.records import read_record

Split = Literal["leave_one_out", "time", "part"]


class MSM4SR(Parameters):
    """Multimodal sequential recommendation: fit, evaluate, recommend, explain, save, load.

    Parameters
    ----------
    preset
        ``paper``: the method as described; ``tuned``: what validation supports; ``authors``: the
        released code with its defects.
    seed
        Fixes initial weights, order of batches, augmentation and dropout.
    device
        ``auto``, ``cpu`` or ``cuda``.
    text_encoder
        BERT-like model, a local folder or hub id; None for all-MiniLM-L6-v2.
    clip
        CLIP-like model, a local folder or hub id; None for CLIP ViT-B/32.
    dictionary
        Candidate keywords; see ``features.dictionary.read_dictionary``.
    **settings
        Any other setting, after the name of its section: ``pretrain__epochs=20``,
        ``finetune__lr=1e-3``. ``get_params`` lists them all.

    Raises
    ------
    UserError
        For an unknown setting, with the nearest known name, or a value out of its range.

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
        split: Split | None = "leave_one_out",
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
        time_budget: float | None = None,
    ) -> MSM4SR:
        """Compute features, pre-train and fine-tune; return when all is done.

        Parameters
        ----------
        data
            Users, items and interactions.
        split
            What is held out, and so never reaches training, feature fitting or item counts.
            ``leave_one_out``: each user's most recent interactions. ``time``: all interactions
            after a date. ``part``: what the column ``part`` of the interactions says (``train``,
            ``valid``, ``test``). None trains on every interaction, for the model to be shipped:
            each stage runs for the number of epochs that was best in a first run with
            ``leave_one_out``, and ``evaluate`` refuses afterwards.
        features
            Ready features, a table or its folder. By default those beside the dataset folder if
            they fit its content; else they are computed.
        run_dir
            Folder in which every stage is kept, so that a stopped ``fit`` resumes.
        callback
            Is called with the record of every training step and epoch.
        time_budget
            Seconds for the whole call: fine-tuning tries other settings on the validation part
            as long as they last.

        Returns
        -------
        self
        """
        started = time.perf_counter()
        if split is None and time_budget is not None:
            raise UserError("time_budget needs a validation part; call fit with a split")
        found = self._find_features(data, features, run_dir)
        training, config, stage = self._prepare(data, found, split, run_dir, callback)
        print_estimate(training, config, stage)
        net = stage.pretrain(training, config.model, config.pretrain)
        if time_budget is None:
            net = stage.finetune(training, net, config.finetune)
        else:
            left = time_budget - (time.perf_counter() - started)
            net, config = finetune_within(left, stage, training, net, config)
        return self._keep(data, found, training, net, config, stage)

    def pretrain(
        self,
        data: Dataset,
        *,
        split: Split | None = "leave_one_out",
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
    ) -> MSM4SR:
        """Pre-train, without item ids; arguments as in ``fit``."""
        found = self._find_features(data, features, run_dir)
        training, config, stage = self._prepare(data, found, split, run_dir, callback)
        net = stage.pretrain(training, config.model, config.pretrain)
        return self._keep(data, found, training, net, config, stage)

    def finetune(
        self,
        data: Dataset,
        *,
        split: Split | None = "leave_one_out",
        features: FeatureTable | str | Path | None = None,
        run_dir: str | Path | None = None,
        callback: Callback | None = None,
    ) -> MSM4SR:
        """Fine-tune what has been pre-trained, here or on another dataset; arguments as in ``fit``.

        It starts from ``run_dir/pretrained`` if that is there, else from this model's weights
        without their item ids.
        """
        found = self._find_features(data, features, run_dir)
        training, config, stage = self._prepare(data, found, split, run_dir, callback)
        place = Path(run_dir, "pretrained") if run_dir else None
        if place and (place / "config.json").is_file():
            require_text_encoder(found.table, read_record(place), place)
            net, _ = load_checkpoint(place)
        elif self._model is not None:
            require_text_encoder(found.table, self._model.record, Path("this model"))
            net = self._model.net
        else:
            raise UserError("nothing to fine-tune: call pretrain or from_pretrained first")
        net = stage.finetune(training, net, config.finetune)
        return self._keep(data, found, training, net, config, stage)

    def _find_features(
        self, data: Dataset, features: FeatureTable | str | Path | None, run_dir: str | Path | None
    ) -> Features:
        return find_or_compute_features(
            data,
            features,
            run_dir,
            self.config.features,
            text_encoder=self.text_encoder,
            clip=self.clip,
            dictionary=self.dictionary,
            device=resolve_device(self.device),
        )

    def _prepare(
        self,
        data: Dataset,
        features: Features,
        split: Split | None,
        run_dir: str | Path | None,
        callback: Callback | None,
    ) -> tuple[TrainingData, Config, Stage]:
        """Return what to train on, all settings, and how to run a stage."""
        self.run_dir = Path(run_dir) if run_dir else None
        config = self.config
        if split is None:
            config = self._with_best_epochs(data, features, callback)
        else:
            config = with_settings(config, {"data.split": split})
        config = with_settings(config, {"model.feature_dim": features.table.width})
        training = prepare_training_data(data, features.table, config.data)
        if split is None:
            training = TrainingData(hold_out_nothing(training.sequences), training.table)
        record = {
            "config": as_dict(config),
            "preset": self.preset,
            "seed": self.seed,
            "split": split,
            "domain": data.domain,
            "features": features.folder.as_posix() if features.folder else None,
        }
        device = resolve_device(self.device)
        return training, config, Stage(self.seed, device, self.run_dir, callback, record)

    def _with_best_epochs(
        self, data: Dataset, features: Features, callback: Callback | None
    ) -> Config:
        """Return the settings with the epochs that were best with ``leave_one_out``."""
        first = MSM4SR(**self.get_params(deep=False), **self.settings)
        place = self.run_dir / "selection" if self.run_dir else None
        say("fit: first run, with held-out interactions, to choose the numbers of epochs")
        first.fit(data, features=features.table, run_dir=place, callback=callback)
        best = {name: run["best"]["epoch"] for name, run in first.training_.items() if run}
        epochs = {"pretrain.epochs": best.get("pretrained", 0)}
        epochs["finetune.epochs"] = best.get("finetuned", 0)
        say(f"fit: second run, on every interaction: {epochs}")
        return with_settings(self.config, epochs)

    def _keep(
        self,
        data: Dataset,
        features: Features,
        training: TrainingData,
        net: M2SE,
        config: Config,
        stage: Stage,
    ) -> MSM4SR:
        self.training_ = dict(stage.summaries)
        record = {**(stage.record or {}), "settings": describe_training_data(training)}
        record.pop("config")
        trained = TrainedModel(
            net,
            training.sequences.items,
            training.table,
            replace(config, model=net.config),
            training.item_counts,
            features.keywords,
            features.dictionary,
            record,
        )
        self._serve(trained, data, training.sequences)
        return self

    def evaluate(
        self,
        data: Dataset | None = None,
        *,
        part: Part = "valid",
        filter_seen: bool = True,
        baselines: Sequence[str] = (),
        candidates: Sequence[str] | None = None,
    ) -> Report:
        """Rank the whole catalogue for every held-out interaction.

        Parameters
        ----------
        data
            By default the data of ``fit``.
        part
            ``valid``; or ``test``, which is entered in the access log of the run folder.
        filter_seen
            Whether items of a user's history are taken out of the ranking, as ``recommend`` does.
        baselines
            Names of baselines to fit on the same training part and evaluate beside the model.
        candidates
            Item ids that compete with each target; None for all items.

        Returns
        -------
        report
            Recall, NDCG and MRR with 95 % bootstrap intervals over users.

        Raises
        ------
        UserError
            If the model was trained on every interaction (``split=None``).
        """
        return evaluate_model(
            self._fitted(),
            self._data_or(data),
            self._sequences if data is None or data is self._data else None,
            part=part,
            filter_seen=filter_seen,
            baselines=baselines,
            candidates=candidates,
            device=resolve_device(self.device),
            log_folder=self.run_dir,
        )
