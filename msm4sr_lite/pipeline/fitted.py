"""What a fitted estimator holds: the model, the data of ``fit``, and the users' histories."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.cells import id_text
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.sequences import Sequences


class Fitted:
    """What ``MSM4SR`` has learnt, and the data that it was fitted on."""

    device: str

    def __init__(self) -> None:
        self._model: TrainedModel | None = None
        self._data: Dataset | None = None
        self._sequences: Sequences | None = None
        self._recommender: Recommender | None = None
        self._added: set[str] = set()  # items made known after training
        self.run_dir: Path | None = None
        self.training_: dict[str, dict[str, Any]] = {}

    def _serve(
        self, trained: TrainedModel, data: Dataset | None, sequences: Sequences | None
    ) -> None:
        self._model, self._data, self._sequences = trained, data, sequences
        self._recommender, self._added = None, set()

    def _fitted(self) -> TrainedModel:
        if self._model is None:
            raise UserError("this model is not fitted; call fit or from_pretrained first")
        return self._model

    def _data_or(self, data: Dataset | None) -> Dataset:
        self._fitted()
        data = data if data is not None else self._data
        if data is None:
            raise UserError("a loaded model holds no interactions; give data= (or items=)")
        return require_dataset(data)

    @property
    def recommender(self) -> Recommender:
        """The model at work, with the embeddings of all items."""
        if self._recommender is None:
            self._recommender = self._fitted().recommender(resolve_device(self.device))
        return self._recommender

    def _offered(
        self, candidates: Iterable[str] | None, data: Dataset | None
    ) -> Iterable[str] | None:
        """Return the candidates that are still in the data; None for all items of the model."""
        if data is None:
            return candidates
        known = data.items.keys() | (self._added if data is self._data else set())
        offered = [item for item in self.recommender.item_ids[1:] if item in known]
        if candidates is None:
            return offered
        wanted = known_ids(candidates, known, "candidates", data.name)
        allowed = set(offered)
        return [item for item in wanted if item in allowed]

    def _excluded(self, exclude: Iterable[str] | None, data: Dataset | None) -> list[str] | None:
        """Return the ids to exclude that the model knows; others of the data need no excluding."""
        if exclude is None:
            return None
        known = self.recommender.item_number
        places = known.keys() | (data.items.keys() if data is not None else set())
        wanted = known_ids(exclude, places, "exclude", data.name if data else "the model")
        return [item for item in wanted if item in known]

    def _histories(self, users: Iterable[Any] | Any | None, data: Dataset) -> dict[str, list[str]]:
        """Return the complete history of each user, oldest item first; empty if unknown."""
        if hasattr(users, "columns"):
            raise UserError("users must be user ids, not a data frame; give one of its columns")
        frame = data.interactions
        if self._fitted().config.data.deduplicate:  # as in training
            frame = frame.drop_duplicates(["user_id", "item_id"], keep="last")
        if isinstance(users, (str, int, float)):
            users = [users]
        wanted = None if users is None else list(dict.fromkeys(_id(u, "user_id") for u in users))
        if wanted is not None:
            frame = frame[frame["user_id"].isin(wanted)]
        known = {str(user): group.tolist() for user, group in frame.groupby("user_id")["item_id"]}
        return known if wanted is None else {user: known.get(user, []) for user in wanted}

    def _history(
        self, user: str | None, items: Sequence[str] | None, data: Dataset | None
    ) -> list[str]:
        if (user is None) == (items is None):
            raise UserError("give a user or items, one of them")
        if items is not None:
            return item_list(items)
        data = self._data_or(data)
        user = _id(user, "user_id")
        if history := self._histories([user], data)[user]:
            return history
        raise UserError(f"{data.name} has no interactions of user {user!r}; check the user_id")

    def history_of(self, user: str, data: Dataset | None = None) -> list[str]:
        """Return the complete history of a user, oldest item first.

        Raises
        ------
        UserError
            If the data have no interaction of this user.
        """
        return self._history(user, None, data)

    @property
    def domain(self) -> str:
        """The domain that the model was trained on; empty for all."""
        return str(self._fitted().record.get("domain", ""))

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model with its features, without user ids and interactions."""
        self._fitted().save(Path(folder))


def require_dataset(data: object) -> Dataset:
    """Return ``data`` if it is a dataset; name the way to make one if it is not."""
    if not isinstance(data, Dataset):
        raise UserError(
            f"data must be a Dataset; got {type(data).__name__}; make one with Dataset.from_folder"
            f" or Dataset.from_frames"
        )
    return data


def item_list(items: Sequence[str]) -> list[str]:
    """Return a history as a list of item ids; a single text is refused."""
    if isinstance(items, str):
        raise UserError(f"items must be a list of item ids; got the text {items!r}")
    return [_id(item, "item_id") for item in items]


def _id(value: object, name: str) -> str:
    """Return an id as text, written as ids are when data are read: 7 and 7.0 are "7"."""
    try:
        return id_text(value, name)
    except ValueError as error:
        raise UserError(f"{value!r} is not a {name}: {error}") from None


def known_ids(ids: Iterable[str], known: Container[str], what: str, where: str) -> list[str]:
    """Return ids as text, each once; one that is not known is an error."""
    wanted = list(dict.fromkeys(_id(item, "item_id") for item in ids))
    if unknown := [item for item in wanted if item not in known]:
        raise UserError(f"{what}: {unknown[0]!r} is not an item of {where}; check its id")
    return wanted
