"""What a fitted model can be asked: recommendations, similar items, explanations, new items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.frames import read_item_frame
from msm4sr_lite.device import resolve_device
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend.describe import Recommendation, describe_recommendations
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.sequences import Sequences

if TYPE_CHECKING:
    import pandas as pd

    from msm4sr_lite.explain.evidence import Evidence


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
        candidates = self._offered(candidates, data)
        found = self.recommender.recommend(
            histories,
            k,
            filter_seen=filter_seen,
            candidates=candidates,
            exclude=exclude,
            on_unknown_user=on_unknown_user,
        )
        return found.drop(columns="user_id") if items is not None else found

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

    def similar_items(
        self, item_id: str, k: int = 10, *, exclude: Iterable[str] | None = None
    ) -> pd.DataFrame:
        """Return the items with the most similar embeddings: ``rank``, ``item_id``, ``score``.

        The score is the mean cosine over the modalities, between -1 and 1.
        """
        candidates = self._offered(None, self._data)
        return self.recommender.similar_items(item_id, k, candidates=candidates, exclude=exclude)

    def explain(
        self,
        user: str | None,
        item_id: str,
        *,
        items: Sequence[str] | None = None,
        data: Dataset | None = None,
        keywords: bool = False,
    ) -> pd.DataFrame:
        """Return which inputs moved the score of an item, measured by leaving each one out.

        Parameters
        ----------
        user
            User id, or None with ``items=``.
        item_id
            The item to explain, recommended or not.
        items
            A history given as item ids, oldest first.
        data
            Where the history and the texts come from; by default the data of ``fit``.
        keywords
            Whether single keywords of the images are explained too: the text encoder of the
            features reads them again.

        Returns
        -------
        frame
            One row per input, strongest first: ``kind`` (interaction, sentence, image, keyword),
            ``item_id`` it belongs to, ``position`` in the history (from 1; 0: the item itself),
            ``text``, ``effect`` (the score minus the score without this input) and ``attention``
            (its weight in attention pooling).
        """
        import pandas as pd

        history = self._history(user, items, data)
        (evidence,) = self.evidence(history, [item_id], data=data, keywords=keywords)
        columns = ["kind", "item_id", "position", "text", "effect", "attention"]
        return pd.DataFrame([asdict(piece) for piece in evidence], columns=columns)

    def evidence(
        self,
        history: Sequence[str],
        item_ids: Sequence[str],
        *,
        data: Dataset | None = None,
        keywords: bool = False,
    ) -> list[list[Evidence]]:
        """Return the evidence for and against several items after one history; see ``explain``."""
        from msm4sr_lite.explain.explainer import Explainer
        from msm4sr_lite.explain.keyword_deletion import embed_keyword_deletions, load_table_encoder

        trained, data = self._fitted(), data if data is not None else self._data
        texts = data.items if data is not None else {}
        deletions = None
        if keywords:
            encoder = load_table_encoder(trained.table.manifest, resolve_device(self.device))
            deletions = embed_keyword_deletions(encoder, trained.keywords, [*history, *item_ids])
        explainer = Explainer(self.recommender, trained.table, texts, trained.keywords)
        return explainer.explain_many(history, item_ids, keyword_deletions=deletions)

    def _history(
        self, user: str | None, items: Sequence[str] | None, data: Dataset | None
    ) -> list[str]:
        if (user is None) == (items is None):
            raise UserError("give a user or items, one of them")
        if items is not None:
            return _item_list(items)
        data = self._data_or(data)
        if history := self._histories([str(user)], data)[str(user)]:
            return history
        raise UserError(f"{data.name} has no interactions of user {user!r}; check the user_id")

    # ------------------------------------------------------------------ new items, saving

    def add_items(
        self,
        items: Dataset | pd.DataFrame | Iterable[Item],
        *,
        image_root: str | Path | None = None,
    ) -> list[str]:
        """Make new items known, so that they can be recommended from their content alone.

        Nothing is trained. Their texts and images are read by the encoders of the features.

        Parameters
        ----------
        items
            A dataset, of which the items that the model does not know are taken; or a data frame
            or ``Item`` objects, all of them new.
        image_root
            Where the images lie that the items name; by default the dataset's folder.

        Returns
        -------
        item_ids
            Of the items added.
        """
        trained, device = self._fitted(), resolve_device(self.device)
        new, root = _new_items(items, image_root, set(trained.items))
        if not new:
            return []
        table, keywords = trained.encode_items(
            new, root, text_encoder=self.text_encoder, clip=self.clip, device=device
        )
        self.add_features(table, keywords)
        return [item.item_id for item in new]

    def add_features(
        self, table: FeatureTable, keywords: dict[str, list[list[str]]] | None = None
    ) -> None:
        """Make items known whose features are ready: entry i of ``table`` is the i-th new item."""
        self.recommender.add_items(table)
        self._added.update(table.items[1:])
        self._model = self._fitted().with_items(table, keywords or {})

    def describe(
        self, history: Sequence[str], k: int = 10, *, data: Dataset | None = None, **options: Any
    ) -> list[Recommendation]:
        """Recommend after one history, with scores by modality, sentences and keywords.

        ``options`` are ``filter_seen``, ``candidates`` and ``exclude`` of ``recommend``.
        """
        data = data if data is not None else self._data
        options["candidates"] = self._offered(options.get("candidates"), data)
        return describe_recommendations(
            self.recommender,
            history,
            k,
            items=data.items if data is not None else None,
            keywords=self._fitted().keywords,
            table=self._fitted().table,
            **options,
        )

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


def _new_items(
    items: Dataset | pd.DataFrame | Iterable[Item], image_root: str | Path | None, known: set[str]
) -> tuple[list[Item], Path]:
    """Return the items to add and the folder of their images."""
    if isinstance(items, Dataset):
        new = [item for key, item in items.items.items() if key not in known]
        return new, Path(image_root) if image_root else items.image_root
    found = read_item_frame(items) if hasattr(items, "columns") else list(items)
    return found, Path(image_root or ".")


def _item_list(items: Sequence[str]) -> list[str]:
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
