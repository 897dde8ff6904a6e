"""What a fitted model can be asked: recommendations, similar items, explanations, new items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.sequences import Sequences

if TYPE_CHECKING:
    import pandas as pd


class Serving:
    """The part of ``MSM4SR`` that answers questions once there is a trained model."""

    device: str
    text_encoder: str | None
    clip: str | None

    def __init__(self) -> None:
        self._model: TrainedModel | None = None
        self._data: Dataset | None = None
        self._sequences: Sequences | None = None
        self._recommender: Recommender | None = None
        self.run_dir: Path | None = None
        self.training_: dict[str, dict[str, Any]] = {}

    def _serve(
        self, trained: TrainedModel, data: Dataset | None, sequences: Sequences | None
    ) -> None:
        self._model, self._data, self._sequences = trained, data, sequences
        self._recommender = None

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

    # ------------------------------------------------------------------ recommendations

    def recommend(
        self,
        users: Iterable[str] | str | None = None,
        k: int = 10,
        *,
        items: Sequence[str] | None = None,
        data: Dataset | None = None,
        filter_seen: bool = True,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        on_unknown_user: Literal["popular", "error", "skip"] = "popular",
    ) -> pd.DataFrame:
        """Recommend the items that fit best after each user's history.

        Parameters
        ----------
        users
            User ids; None for all users of the data.
        k
            Number of items per user; fewer where fewer are left.
        items
            A history given as item ids, oldest first, instead of users.
        data
            Where the complete histories come from, held-out interactions included; by default the
            data of ``fit``. Items that are not in it are not offered.
        filter_seen
            Never offer an item of the user's own history.
        candidates, exclude
            Item ids to choose from; item ids never to offer.
        on_unknown_user
            For users without a known item in their history: offer the most popular items, raise an
            error, or leave them out.

        Returns
        -------
        frame
            ``user_id``, ``rank`` (from 1), ``item_id`` and ``score``; no ``user_id`` with
            ``items=``.
        """
        data = data if data is not None else self._data
        if items is not None:
            if users is not None:
                raise UserError("give users or items, not both")
            histories = {"": _item_list(items)}
            on_unknown_user = "error"
        else:
            histories = self._histories(users, self._data_or(data))
        if data is not None:
            known = set(data.items)
            offered = [item for item in self.recommender.item_ids[1:] if item in known]
            candidates = offered if candidates is None else _intersect(candidates, offered, data)
        found = self.recommender.recommend(
            histories,
            k,
            filter_seen=filter_seen,
            candidates=candidates,
            exclude=exclude,
            on_unknown_user=on_unknown_user,
        )
        return found.drop(columns="user_id") if items is not None else found

    def _histories(
        self, users: Iterable[str] | str | None, data: Dataset
    ) -> dict[str, list[str]]:
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

    def similar_items(
        self, item_id: str, k: int = 10, *, exclude: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the items whose embeddings are most similar to an item's: ``rank, item_id, score``.

        The score is the mean cosine over the modalities, between -1 and 1.
        """
        candidates = None
        if self._data is not None:
            known = set(self._data.items)
            candidates = [item for item in self.recommender.item_ids[1:] if item in known]
        return self.recommender.similar_items(item_id, k, candidates=candidates, exclude=exclude)

    # ------------------------------------------------------------------ saving

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model with its features, without user ids and interactions."""
        self._fitted().save(Path(folder))


def _item_list(items: Sequence[str]) -> list[str]:
    if isinstance(items, str):
        raise UserError(f"items must be a list of item ids; got the text {items!r}")
    return [str(item) for item in items]


def _intersect(candidates: Iterable[str], offered: list[str], data: Dataset) -> list[str]:
    """Return the candidates that can be offered; an item unknown to the data is an error."""
    wanted = list(dict.fromkeys(map(str, candidates)))
    if unknown := [item for item in wanted if item not in data.items]:
        raise UserError(f"candidate {unknown[0]!r} is not an item of {data.name}; check the item_id")
    allowed = set(offered)
    return [item for item in wanted if item in allowed]
