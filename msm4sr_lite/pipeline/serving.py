"""Use a fitted model: recommendations, similar items, explanations, new items."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.ids import item_list
from msm4sr_lite.dataset.sources import read_item_frame
from msm4sr_lite.device import resolve_device
from msm4sr_lite.explain import effects
from msm4sr_lite.explain.evidence import Evidence
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.text_encoder import load_table_encoder
from msm4sr_lite.pipeline.features import Features
from msm4sr_lite.pipeline.fitted import Fitted
from msm4sr_lite.recommend.describe import Recommendation, describe_recommendations
from msm4sr_lite.settings import in_one_line


class Serving(Fitted):
    """The part of ``MSM4SR`` that uses a trained model."""

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
        """Recommend the items that fit each user's history best.

        Parameters
        ----------
        users
            User ids; None for all users of the data.
        k
            Number of items per user. A user gets fewer if fewer are left after filtering.
        items
            A history given as item ids, oldest first, instead of users.
        data
            Dataset with the users' complete histories, held-out interactions included; by default
            the data of ``fit``. Items that are not in it are not offered.
        filter_seen
            Whether to leave out the items of the user's own history.
        candidates, exclude
            Ids of the only items to offer; ids of items that are never offered.
        on_unknown_user
            What to do for users without a known item in their history: offer the most popular
            items, raise an error, or leave them out.

        Returns
        -------
        frame
            ``user_id``, ``rank`` (from 1), ``item_id`` and ``score``, that of the ensemble if there
            is one; no ``user_id`` with ``items=``.

        Raises
        ------
        UserError
            If both users and items are given, an item id is unknown, a loaded model has no
            histories, or a user is unknown and ``on_unknown_user="error"``.
        """
        data = self._given(data)
        if items is not None:
            if users is not None:
                raise UserError("give users or items, not both")
            histories = {"": self.as_history(items)}
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
        data = self._given(data)
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
            User id; leave it out if ``items`` is given.
        item_id
            The item to explain, recommended or not.
        items
            A history given as item ids, oldest first:
            ``model.explain(item_id="h0131", items=["h0001", "h0002"])``.
        data
            Dataset with the history and the texts; by default the data of ``fit``.
        keywords
            Whether to explain also single keywords of the images, which the text encoder of the
            features then encodes again.

        Returns
        -------
        frame
            One row per input, strongest first: ``kind`` (interaction, sentence, image, keyword),
            ``item_id`` it belongs to, ``position`` in the history (from 1; 0: the item itself),
            ``text``, ``effect`` (the score minus the score without this input), ``attention`` (its
            weight in attention pooling). Parts of an ensemble (kind ``part``) come first.

        Raises
        ------
        UserError
            If no item to explain is given, user and items are both given or both missing, an id is
            unknown, or the text encoder for ``keywords`` is not found.
        """
        if item_id is None:
            raise UserError("item_id is missing; give the id of the item to explain")
        if user is not None and items is None:
            history = self.history_of(user, data)
        elif items is not None and user is None:
            history = self.as_history(items)
        else:
            raise UserError("give either user or items")
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
        """Return the evidence for and against several items, given one history; see ``explain``."""
        trained, data = self._fitted(), self._given(data)
        self._note_changes(data)
        ARGUMENTS["keywords"].check(keywords)
        history, item_ids = self.as_history(history, "history"), item_list(item_ids, "item_ids")
        deletions = None
        if keywords:
            device, shown = resolve_device(self.device), [*history, *item_ids]
            encoder = load_table_encoder(trained.table.manifest, device, self.text_encoder)
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
        columns: Mapping[str, str] | None = None,
        image_root: str | Path | None = None,
    ) -> list[str]:
        """Add new items, so that they can be recommended from their content alone.

        Nothing is trained. The encoders of the features read the texts and images of the new items.

        Parameters
        ----------
        items
            A dataset, whose items of the model's domain are added unless the model already knows
            them; or a data frame or ``Item`` objects that are all new.
        columns
            Renames of the columns of a data frame, as in ``Dataset.from_frames``.
        image_root
            The folder that image names are relative to; by default the dataset's folder, or the
            working directory.

        Returns
        -------
        item_ids
            Ids of the items added.

        Raises
        ------
        UserError
            If an item is not new or has neither text nor image, an image cannot be opened, or the
            encoders are not found or not those of the features.
        """
        trained, root = self._fitted(), Path(image_root or ".")
        is_frame = hasattr(items, "columns") and not isinstance(items, Dataset)
        if columns is not None and not is_frame:
            raise UserError("columns renames the columns of a data frame; leave it out")
        given: Any = items if isinstance(items, Iterable) else [items]
        if isinstance(items, Dataset):
            more = self._offered(items) - {*trained.items}
            root = Path(image_root or items.image_root)
            given = [item for key, item in items.items.items() if key in more]
        new = read_item_frame(items, columns) if is_frame else list(given)
        if wrong := [item for item in new if not isinstance(item, Item)]:
            got = in_one_line(wrong[0])
            raise UserError(f"items must be a Dataset, a data frame or Item objects; got {got}")
        if new:
            encoders = {"text_encoder": self.text_encoder, "clip": self.clip}
            self.add_features(*trained.encode_items(new, root, self.device, **encoders))
        return [item.item_id for item in new]

    def add_features(
        self, table: FeatureTable, keywords: dict[str, list[list[str]]] | None = None
    ) -> None:
        """Add items whose features are ready: entry i of ``table`` is the i-th new item."""
        self.recommender.add_items(table)
        self._added.update(table.items[1:])
        self._model = self._fitted().with_items(table, keywords or {})

    def add_known_features(self, data: Dataset, folder: Path) -> tuple[list[str], list[str]]:
        """Add the new items of a dataset that have features in a feature folder.

        Parameters
        ----------
        data
            The dataset as it is now.
        folder
            A feature folder; it may be missing.

        Returns
        -------
        added, without_features
            Ids of the items that were added, and of those without usable features in the folder.
        """
        offered = self._offered(data) - self.recommender.item_number.keys()
        missing = [item for item in data.items if item in offered]
        if not missing or not (folder / "manifest.json").is_file():
            return [], missing
        found = Features.load(folder)
        self._fitted().require_same_encoders(found.table, folder)
        described = set(found.table.described())
        added = [item for item in missing if item in described]
        if added:
            self.add_features(found.table.for_items(["", *added]), found.keywords)
        return added, [item for item in missing if item not in described]

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
        """Recommend items for one history, with scores by modality, sentences and keywords."""
        trained, data = self._fitted(), self._given(data)
        return describe_recommendations(
            self.recommender,
            self.as_history(history, "history"),
            k,
            items=data.items if data else None,
            keywords=trained.keywords,
            table=trained.table,
            filter_seen=filter_seen,
            **self._filters(data, candidates, exclude),
        )
