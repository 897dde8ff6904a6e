"""Settings and state of the estimator, with methods in the style of scikit-learn."""

from collections.abc import Iterable
from pathlib import Path
from types import NoneType
from typing import Any, Self

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import FROM_DATA, Config, UserError, as_dict, flatten, with_settings
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.ids import id_of, item_list, known_ids
from msm4sr_lite.device import resolve_device
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.inspection import changed_items
from msm4sr_lite.features.text_encoder import CLIP_PLACE, PLACE, last_place
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.presets import ENSEMBLES, PRESETS
from msm4sr_lite.printable import with_first
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.settings import in_one_line

# In the order in which records list them.
ENCODERS = {"text_encoder": None, "clip": None, "dictionary": "visual+texts"}
DEFAULTS = {"preset": "paper", "seed": 0, "device": "auto", "ensemble": None, **ENCODERS}


class Fitted:
    """Settings and state of ``MSM4SR``: its trained model, and the data that it was fitted on."""

    def __init__(
        self,
        preset: str = "paper",
        *,
        seed: int = 0,
        device: str = "auto",
        ensemble: str | None = None,
        text_encoder: str | Path | None = None,
        clip: str | Path | None = None,
        dictionary: str = "visual+texts",
        **settings: Any,
    ) -> None:
        self.preset = ARGUMENTS["preset"].check(preset)
        self.seed = ARGUMENTS["seed"].check(seed)
        self.device = ARGUMENTS["device"].check(device)
        self.ensemble = None if ensemble is None else ARGUMENTS["ensemble"].check(ensemble)
        self.text_encoder: str | None = _name_of("text_encoder", text_encoder)
        self.clip: str | None = _name_of("clip", clip)
        self.dictionary: str = _name_of("dictionary", dictionary)
        self.settings = settings
        _ = self.config  # refuses unknown settings at once
        self._model: TrainedModel | None = None
        self._data: Dataset | None = None
        self._sequences: Sequences | None = None
        self._recommender: Recommender | None = None
        self._added: set[str] = set()  # items added after training
        self._compared: Dataset | None = None  # the data that were last compared with the model
        self.run_dir: Path | None = None
        self.training_: dict[str, dict[str, Any]] = {}

    def __repr__(self) -> str:
        given = self.get_params(deep=False).items()
        changed = (f"{name}={value!r}" for name, value in given if DEFAULTS.get(name) != value)
        return f"{type(self).__name__}({', '.join(changed)})"

    # ------------------------------------------------------------------ settings

    @property
    def config(self) -> Config:
        """The preset with the settings given."""
        given = {name.replace("__", ".", 1): value for name, value in self.settings.items()}
        if fixed := [name for name in given if name in FROM_DATA]:
            raise UserError(f"{fixed[0]} is set by the data; leave it out")
        return with_settings(PRESETS[self.preset], given)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all settings by the constructor's names; without ``deep``, only those given."""
        found = {name: getattr(self, name) for name in DEFAULTS} | self.settings
        return found | (_arguments(self.config) if deep else {})

    def set_params(self, **params: Any) -> Self:
        """Change settings, and discard the trained model."""
        new = type(self)(**{**self.get_params(deep=False), **params})
        self.__dict__.update(new.__dict__)
        return self

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, features: str | Path | None = None, device: str = "auto"
    ) -> Self:
        """Load a saved model, or the best model of a run folder.

        A saved model holds no user ids and no histories. Pass the histories to ``recommend``,
        ``explain`` and ``evaluate`` with ``data=`` or ``items=``.

        Parameters
        ----------
        folder
            Folder that ``save_pretrained`` wrote, or a run folder.
        features
            Feature folder; by default the one in the model folder, else that of the run folder,
            else the one that the model was trained on.
        device
            ``auto``, ``cpu`` or ``cuda``.

        Raises
        ------
        UserError
            If there is no model or no features, or they do not fit together.
        """
        trained = TrainedModel.load(Path(folder), Path(features) if features else None)
        preset = (record := trained.record).get("preset", "paper")
        defaults, known = _arguments(PRESETS[preset]), _arguments(trained.config)
        settings = {name: value for name, value in known.items() if value != defaults[name]}
        if (ensemble := record.get("ensemble", ENSEMBLES[preset])) != ENSEMBLES[preset]:
            settings["ensemble"] = ensemble
        encoders = dict(zip(ENCODERS, record.get("encoders", ()), strict=False))
        manifest = trained.table.manifest
        clip_place = manifest.get("keywords", {}).get(CLIP_PLACE)
        for name, place in (("text_encoder", manifest.get(PLACE)), ("clip", clip_place)):
            encoders[name] = last_place(place, encoders.get(name))
        model = cls(preset, seed=record.get("seed", 0), device=device, **encoders, **settings)
        model.run_dir = None if Path(folder, "config.json").is_file() else Path(folder)
        model._serve(trained, None, None)
        return model

    # ------------------------------------------------------------------ what is fitted

    def _serve(
        self, trained: TrainedModel, data: Dataset | None, sequences: Sequences | None
    ) -> None:
        self._model, self._data, self._sequences = trained, data, sequences
        self._recommender, self._added, self._compared = None, set(), None

    def _fitted(self) -> TrainedModel:
        if self._model is None:
            raise UserError("this model is not fitted; call fit or from_pretrained first")
        return self._model

    def _given(self, data: Dataset | None) -> Dataset | None:
        """Return the data given, else those of ``fit``; None for a loaded model."""
        self._fitted()
        return self._data if data is None else require_dataset(data)

    def _data_or(self, data: Dataset | None) -> Dataset:
        if (data := self._given(data)) is None:
            raise UserError("a loaded model holds no interactions; give data= (or items=)")
        return data

    @property
    def recommender(self) -> Recommender:
        """Recommender with the trained model and the embeddings of all items."""
        if self._recommender is None:
            self._recommender = self._fitted().recommender(resolve_device(self.device))
        return self._recommender

    def _filters(
        self,
        data: Dataset | None,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
    ) -> dict[str, set[str]]:
        """Return which items to choose from and which to leave out; refuse unknown ids.

        Only items that are both in the data and in the model are offered.
        """
        self._note_changes(data)
        model, where = self.recommender.item_number.keys(), data.name if data else "the model"
        listed = {*data.items} if data else {*model}
        if data and data is self._data:
            listed |= self._added
        offered = model & (listed if data is None else self._offered(data))
        if not offered:
            raise UserError(f"no item of {where} is in the model; give the data of its training")
        if candidates is not None:
            wanted = known_ids(candidates, listed, "candidates", where)
            if not wanted:
                raise UserError("candidates is empty; give at least one item_id, or leave it out")
            offered &= wanted
        exclude = () if exclude is None else exclude
        excluded = known_ids(exclude, model | listed, "exclude", where)
        return {"candidates": offered, "exclude": model & excluded}

    def _offered(self, data: Dataset) -> set[str]:
        """Return the items that may be offered: those of the data, in the model's domain.

        Data of one domain are taken as they are, since the caller chose that domain.
        """
        anywhere = data.domain or not self.domain
        found = {key for key, item in data.items.items() if anywhere or item.domain == self.domain}
        return found | self._added if data is self._data else found

    def _note_changes(self, data: Dataset | None) -> None:
        """Say, once for each dataset, how its items differ from those that the model was given."""
        if data is None or data is self._data or data is self._compared:
            return
        self._compared, trained = data, self._fitted()
        items, offered = trained.items[1:], self._offered(data)
        if gone := [item for item in items if item not in offered]:
            domain = data.domain or self.domain
            where = f"in domain {domain!r} of" if domain else "in"
            what = f"items of the model that are not {where} {data.name}"
            say(f"note: {what}: {with_first(gone)}, left out")
        if changed := changed_items(data, trained.table, items):
            what = f"items of {data.name} with other texts or images than the features"
            note = "scores use the old ones: compute keywords and features again"
            say(f"note: {what}: {with_first(changed)}; {note}")

    def as_history(self, items: Iterable[str], what: str = "items") -> list[str]:
        """Return item ids as a history like those of training.

        With the setting ``data.deduplicate``, only the last of repeated items is kept. ``what``
        names the argument for messages.
        """
        ids = item_list(items, what)
        once = self._fitted().config.data.deduplicate
        return list(dict.fromkeys(reversed(ids)))[::-1] if once else ids

    def _histories(self, users: Iterable[Any] | Any | None, data: Dataset) -> dict[str, list[str]]:
        """Return the complete history of each user, oldest item first; empty if unknown."""
        if hasattr(users, "columns"):
            raise UserError("users must be user ids, not a data frame; give one of its columns")
        frame = data.interactions
        if self._fitted().config.data.deduplicate:  # as in training
            frame = frame.drop_duplicates(["user_id", "item_id"], keep="last")
        histories: dict[str, list[str]] = {}
        if users is not None:
            single = isinstance(users, (str, bytes)) or not isinstance(users, Iterable)
            users = [users] if single else users
            histories = {id_of(user, "user_id"): [] for user in users}
            frame = frame[frame["user_id"].isin(histories)]
        items_of = frame.groupby("user_id")["item_id"]
        return histories | {str(user): items.tolist() for user, items in items_of}

    def history_of(self, user: str, data: Dataset | None = None) -> list[str]:
        """Return the complete history of a user, oldest item first.

        Raises
        ------
        UserError
            If the data have no interaction of this user.
        """
        data = self._data_or(data)
        ((user, history),) = self._histories([user], data).items()
        if not history:
            raise UserError(f"{data.name} has no interactions of user {user!r}; check the user_id")
        return history

    @property
    def domain(self) -> str:
        """The domain that the model was trained on; empty for all."""
        return str(self._fitted().record.get("domain", ""))

    @property
    def columns(self) -> dict[str, str]:
        """The renames of columns with which the training data were read; see ``Dataset``."""
        return dict(self._fitted().record.get("columns") or {})

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model with its features, without user ids and interactions."""
        self._fitted().save(Path(folder))


def _name_of(argument: str, value: object) -> Any:
    """Return a name or a folder as text; None stands for the default of an encoder."""
    if value is None and argument in ("text_encoder", "clip"):
        return None
    name = ARGUMENTS[argument].check(str(value) if isinstance(value, Path) else value)
    parts = name.split("+") if argument == "dictionary" else [name]
    if not (parts[0].strip() and parts[-1].strip()):  # names of files may have + in the middle
        raise UserError(f"{argument}: {in_one_line(name)} has an empty name in it; leave it out")
    return name


def _arguments(config: Config) -> dict[str, Any]:
    """Return settings by their names in the constructor, such as ``pretrain__lr``."""
    known = flatten(as_dict(config)).items()
    return {name.replace(".", "__"): value for name, value in known if name not in FROM_DATA}


def require_dataset(data: object) -> Dataset:
    """Return ``data`` if it is a dataset; otherwise raise an error that says how to make one."""
    if not isinstance(data, Dataset):
        got = type(data).__name__
        raise UserError(f"data must be a Dataset; got {got}; make one with Dataset.from_folder")
    return data


def require_features(features: object) -> None:
    """Refuse features that are neither a table nor the name of a folder."""
    if not isinstance(features, (FeatureTable, str, Path, NoneType)):
        got = in_one_line(features)
        raise UserError(f"features must be a FeatureTable or a folder; got {got}")
