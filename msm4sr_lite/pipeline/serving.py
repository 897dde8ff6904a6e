"""What a fitted model can be asked: recommendations, similar items, explanations, new items."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.sources import read_item_frame
from msm4sr_lite.device import resolve_device
from msm4sr_lite.explain import effects
from msm4sr_lite.explain.evidence import Evidence
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.text_encoder import load_table_encoder
from msm4sr_lite.pipeline.features import Features
from msm4sr_lite.pipeline.fitted import Fitted, item_list
from msm4sr_lite.recommend.describe import Recommendation, describe_recommendations


class Serving(Fitted):
    """The part of ``MSM4SR`` that answers questions once there is a trained model."""

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
            histories = {"": item_list(items)}
            if not len(self.recommender.numbers_of(histories[""], "items")):
                raise UserError("items is empty; give at least one item id")
        else:
            histories = self._histories(users, self._data_or(data))
        found = self.recommender.recommend(
            histories,
            k,
            filter_seen=filter_seen,
            on_unknown_user=on_unknown_user,
            **self._filters(data, candidates, exclude),
        )
        return found if items is None else found.drop(columns="user_id")

    def similar_items(
        self,
        item_id: str,
        k: int = 10,
        *,
        data: Dataset | None = None,
        exclude: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Return the items with the most similar embeddings: ``rank``, ``item_id``, ``score``.

        The score is the mean cosine over the modalities, between -1 and 1. Items that are not in
        ``data``, by default the data of ``fit``, are not offered.
        """
        data = data if data is not None else self._data
        (item,) = item_list([item_id])
        return self.recommender.similar_items(item, k, **self._filters(data, exclude=exclude))

    def explain(
        self,
        user: str | None = None,
        item_id: str | None = None,
        *,
        items: Sequence[str] | None = None,
        data: Dataset | None = None,
        keywords: bool = False,
    ) -> pd.DataFrame:
        """Return which inputs moved the score of an item, measured by leaving each one out.

        Parameters
        ----------
        user
            User id; left out with ``items=``.
        item_id
            The item to explain, recommended or not.
        items
            A history given as item ids, oldest first:
            ``model.explain(item_id="h0131", items=["h0001", "h0002"])``.
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
        if item_id is None:
            raise UserError("give the item to explain: item_id")
        if user is not None and items is None:
            history = self.history_of(user, data)
        elif items is not None and user is None:
            history = item_list(items)
        else:
            raise UserError("give a user or items, one of them")
        (evidence,) = self.evidence(history, item_list([item_id]), data=data, keywords=keywords)
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
        trained, data = self._fitted(), data if data is not None else self._data
        deletions = None
        if keywords:
            device, shown = resolve_device(self.device), [*history, *item_ids]
            encoder = load_table_encoder(trained.table.manifest, device)
            deletions = effects.embed_keyword_deletions(encoder, trained.keywords, shown)
        return effects.measure_effects(
            self.recommender,
            trained.table,
            history,
            item_ids,
            items=data.items if data else None,
            keywords=trained.keywords,
            keyword_deletions=deletions,
        )

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
        trained, root = self._fitted(), Path(image_root or ".")
        if isinstance(items, Dataset):
            known, root = set(trained.items), Path(image_root or items.image_root)
            new = [item for key, item in items.items.items() if key not in known]
        else:
            new = read_item_frame(items) if hasattr(items, "columns") else list(items)
        if new:
            encoders = {"text_encoder": self.text_encoder, "clip": self.clip}
            self.add_features(*trained.encode_items(new, root, self.device, **encoders))
        return [item.item_id for item in new]

    def add_features(
        self, table: FeatureTable, keywords: dict[str, list[list[str]]] | None = None
    ) -> None:
        """Make items known whose features are ready: entry i of ``table`` is the i-th new item."""
        self.recommender.add_items(table)
        self._added.update(table.items[1:])
        self._model = self._fitted().with_items(table, keywords or {})

    def add_known_features(self, data: Dataset, folder: Path) -> tuple[list[str], list[str]]:
        """Make the new items of a dataset known that a feature folder describes.

        Parameters
        ----------
        data
            The dataset as it is now.
        folder
            A feature folder; it may be missing.

        Returns
        -------
        added, without_features
            Ids of the items that were added, and of those that the features lack.
        """
        missing = [item for item in data.items if item not in self.recommender.item_number]
        if not missing or not (folder / "manifest.json").is_file():
            return [], missing
        found = Features.load(folder)
        described, listed = set(found.table.described()), set(found.table.items)
        added = [item for item in missing if item in described]
        if added:
            self.add_features(found.table.for_items(["", *added]), found.keywords)
        return added, [item for item in missing if item not in listed]

    def describe(
        self,
        history: Sequence[str],
        k: int = 10,
        *,
        data: Dataset | None = None,
        filter_seen: bool = True,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
    ) -> list[Recommendation]:
        """Recommend after one history, with scores by modality, sentences and keywords."""
        trained, data = self._fitted(), data if data is not None else self._data
        return describe_recommendations(
            self.recommender,
            history,
            k,
            items=data.items if data else None,
            keywords=trained.keywords,
            table=trained.table,
            filter_seen=filter_seen,
            **self._filters(data, candidates, exclude),
        )
