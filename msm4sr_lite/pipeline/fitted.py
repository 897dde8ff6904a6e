"""What a fitted estimator holds: the model, the data of ``fit``, and the users' histories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
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
        if data is None and self._data is None:
            raise UserError("a loaded model holds no interactions; give data= (or items=)")
        return data if data is not None else self._data  # type: ignore[return-value]

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
        return offered if candidates is None else _intersect(candidates, offered, data)

    def _histories(self, users: Iterable[str] | str | None, data: Dataset) -> dict[str, list[str]]:
        """Return the complete history of each user, oldest item first; empty if unknown."""
        frame = data.interactions
        if self._fitted().config.data.deduplicate:  # as in training
            frame = frame.drop_duplicates(["user_id", "item_id"], keep="last")
        if isinstance(users, str):
            users = [users]
        wanted = None if users is None else list(dict.fromkeys(map(str, users)))
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
        if history := self._histories([str(user)], data)[str(user)]:
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


def item_list(items: Sequence[str]) -> list[str]:
    """Return a history as a list of item ids; a single text is refused."""
    if isinstance(items, str):
        raise UserError(f"items must be a list of item ids; got the text {items!r}")
    return [str(item) for item in items]


def _intersect(candidates: Iterable[str], offered: list[str], data: Dataset) -> list[str]:
    """Return the candidates that can be offered; an item unknown to the data is an error."""
    wanted = list(dict.fromkeys(map(str, candidates)))
    if unknown := [item for item in wanted if item not in data.items]:
        raise UserError(f"candidates: {unknown[0]!r} is not an item of {data.name}; check its id")
    allowed = set(offered)
    return [item for item in wanted if item in allowed]
