"""Recommend items with a trained model: to many users at once, with filters, also new items."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.baselines.ensemble import MAIN, ScoreEnsemble
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.ids import item_list
from msm4sr_lite.evaluation import Scorer
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.printable import counted, with_first
from msm4sr_lite.progress import say
from msm4sr_lite.recommend.top_items import top_items
from msm4sr_lite.scoring import ModelScorer

OnUnknownUser: TypeAlias = Literal["popular", "error", "skip"]


class Recommender:
    """Recommends items from histories of items; it needs neither user ids nor a dataset.

    Parameters
    ----------
    scorer
        A model with the embeddings of its items, a ``ScoreEnsemble`` with such a model among its
        parts, or any other ``Scorer``, such as a baseline. ``similar_items`` and ``add_items`` need
        a ``ModelScorer``.
    item_ids
        The items in the scorer's order; ``item_ids[0]`` stands for padding.
    popularity
        Number of training interactions of each item, ``(items + 1,)``, to recommend popular items
        to users without a known history; None if it is not known.

    Attributes
    ----------
    item_number
        ``item_id -> item number``, padding not included.

    Examples
    --------
    >>> import torch
    >>> class Fixed:
    ...     def score(self, histories):
    ...         return torch.tensor([[0.0, 0.1, 0.9, 0.5]] * len(histories))
    >>> recommender = Recommender(Fixed(), ["", "mug", "tent", "clock"])
    >>> recommender.recommend({"ann": ["tent"], "bob": ["mug"]}, k=1)
      user_id  rank item_id  score
    0     ann     1   clock    0.5
    1     bob     1    tent    0.9
    """

    def __init__(
        self, scorer: Scorer, item_ids: Sequence[str], popularity: np.ndarray | None = None
    ) -> None:
        self.scorer = scorer
        given = {"popularity": popularity, "scorer": getattr(self._model(), "units", None)}
        for name, entries in given.items():
            if entries is not None and len(entries) != len(item_ids):
                raise UserError(
                    f"{name} has {len(entries)} entries, padding included, but item_ids has"
                    f" {len(item_ids)}; give both in the same order"
                )
        self.item_ids, self.popularity = list(item_ids), popularity
        self.item_number = {item: i for i, item in enumerate(self.item_ids) if i}

    def recommend(
        self,
        histories: Mapping[str, Sequence[str]],
        k: int = 10,
        *,
        filter_seen: bool = True,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        on_unknown_user: OnUnknownUser = "popular",
    ) -> pd.DataFrame:
        """Recommend the k best items to every user.

        Parameters
        ----------
        histories
            ``user_id ->`` item ids, oldest first. Items that the model does not know are ignored.
            ``{"": [...]}`` gives one history without a user.
        k
            Number of items per user. A user gets fewer if fewer are left after filtering.
        filter_seen
            Whether to leave out the items of the user's history.
        candidates
            Ids of the only items that may be recommended; None for all.
        exclude
            Ids of items that must not be recommended.
        on_unknown_user
            What to do for a user whose history has no item that the model knows. ``"popular"``
            recommends the items with the most training interactions; the score is their number.
            ``"error"`` raises an error, ``"skip"`` returns no rows.

        Returns
        -------
        recommendations
            One row per user and item, in the order of ``histories``: ``user_id``, ``rank`` from 1,
            ``item_id``, ``score``. A model's score is the sum of the cosines of all modalities;
            that of an ensemble is the weighted sum of the standardised scores of its parts.
            Items with equal scores are in the order of ``item_ids``.

        Raises
        ------
        UserError
            If k is below 1, an id in ``candidates`` or ``exclude`` is unknown, a user is unknown
            and ``on_unknown_user="error"``, or popular items are needed and counts are missing.
        """
        ARGUMENTS["on_unknown_user"].check(on_unknown_user)
        filter_seen = ARGUMENTS["filter_seen"].check(filter_seen)
        allowed = self._allowed(k, candidates, exclude)
        known = {user: self.known_items(history) for user, history in histories.items()}
        unknown = [user for user, numbers in known.items() if not len(numbers)]
        found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if unknown and on_unknown_user == "error":
            raise UserError(
                f"user {unknown[0]!r} has no interaction with an item of the model;"
                f" to accept such users, set on_unknown_user to 'popular' or 'skip'"
            )
        if unknown and on_unknown_user == "popular":
            found = dict.fromkeys(unknown, self._popular_items(k, allowed, unknown[0]))
        asked = [user for user, numbers in known.items() if len(numbers)]
        score = getattr(self.scorer, "score_on_device", self.scorer.score)
        best = top_items(score, [known[user] for user in asked], k, allowed, filter_seen)
        found |= dict(zip(asked, best, strict=True))
        _say_who_gets_less(unknown, on_unknown_user, found)
        return self._frame({user: found[user] for user in histories if user in found})

    def _frame(self, found: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
        """Make a table with a row per user and item from each user's item numbers and scores."""
        none = np.empty(0, int), np.empty(0)  # the types of an empty column
        numbers, scores = map(np.concatenate, zip(none, *found.values(), strict=True))
        counts = [len(of_user) for of_user, _ in found.values()]
        users, items = np.array([*found], dtype=object), np.array(self.item_ids, dtype=object)
        return pd.DataFrame(
            {
                "user_id": pd.Series(users.repeat(counts), dtype=str),
                "rank": np.concatenate([none[0], *(np.arange(n) + 1 for n in counts)]),
                "item_id": pd.Series(items[numbers], dtype=str),
                "score": scores,
            }
        )

    def similar_items(
        self,
        item_id: str,
        k: int = 10,
        *,
        candidates: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
    ) -> pd.DataFrame:
        """Return the k items whose embeddings are most similar to that of ``item_id``.

        Parameters
        ----------
        item_id
            An item of the model; it is not returned itself.
        k, candidates, exclude
            As in ``recommend``.

        Returns
        -------
        similar
            ``rank``, ``item_id`` and ``score``: the cosine of the items' embeddings, averaged over
            the modalities, between -1 and 1.

        Raises
        ------
        UserError
            If an id is unknown, k is below 1 or the scorer has no item embeddings.
        """
        scorer = self.model_scorer("similar items")

        def cosines(histories: Sequence[np.ndarray]) -> Tensor:
            rows = torch.tensor([history[-1] for history in histories], device=scorer.units.device)
            return scorer.units[rows] @ scorer.units.T / len(scorer.items)

        allowed = self._allowed(k, candidates, exclude)
        (best,) = top_items(cosines, [self.numbers_of([item_id])], k, allowed)
        return self._frame({"": best}).drop(columns="user_id")

    def add_items(self, table: FeatureTable) -> None:
        """Add new items, which are recommended from their texts and images without training.

        The new items can also occur in histories.

        Parameters
        ----------
        table
            Features of the new items only, computed like those of the model's other items.
            ``FeatureTable.for_items(["", *ids])`` selects items of a larger table.

        Raises
        ------
        UserError
            If the model already has an item, an item has neither text nor image, or the width of
            the features is not that of the model. No item is added then.
        """
        self.model_scorer("new items")
        numbers, described = dict(self.item_number), set(table.described())
        for item in table.items[1:]:
            if item in numbers:
                raise UserError(f"item {item!r} is already in the model; give it a new item_id")
            if item not in described:
                raise UserError(f"item {item!r} has neither text nor image; give it one of them")
            numbers[item] = len(numbers) + 1
        self.scorer.append(table)  # type: ignore[attr-defined]
        self.item_number, self.item_ids = numbers, ["", *numbers]
        if self.popularity is not None:
            self.popularity = np.append(self.popularity, np.zeros(len(table.items) - 1))

    def numbers_of(self, item_ids: Iterable[str], where: str = "items") -> np.ndarray:
        """Return the numbers of items, and refuse items that the model does not know.

        ``where`` names the argument that the items come from, for the message.
        """
        ids = item_list(item_ids, where)
        for item in ids:
            if item not in self.item_number:
                raise UserError(f"{where}: item {item!r} is not in the model; check the item_id")
        return np.array([self.item_number[item] for item in ids], dtype=np.int64)

    def known_items(self, history: Iterable[str]) -> np.ndarray:
        """Return the numbers of those items of a history that the model knows."""
        numbers = (self.item_number.get(item, 0) for item in item_list(history, "a history"))
        return np.array([number for number in numbers if number], dtype=np.int64)

    def _allowed(
        self, k: int, candidates: Iterable[str] | None, exclude: Iterable[str] | None
    ) -> np.ndarray:
        """Check k, and return which items may be recommended, ``(items + 1,)``, without padding."""
        ARGUMENTS["k"].check(k)
        allowed = np.ones(len(self.item_ids), dtype=bool)
        if candidates is not None:
            allowed[:] = False
            allowed[self.numbers_of(candidates, "candidates")] = True
        if exclude is not None:
            allowed[self.numbers_of(exclude, "exclude")] = False
        allowed[0] = False
        return allowed

    def _popular_items(
        self, k: int, allowed: np.ndarray, user: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers and counts of the k most popular items, for unknown users."""
        if self.popularity is None:
            raise UserError(
                f"user {user!r} has no interaction with an item of the model, and the model has no"
                f" item counts to find popular items; train it again, or leave out such users"
            )
        order = np.argsort(-self.popularity, kind="stable")
        best = order[allowed[order]][:k]
        return best, self.popularity[best]

    def model_scorer(self, wanted: str) -> ModelScorer:
        """Return the model, which may be part of an ensemble; ``wanted`` needs it."""
        if not isinstance(model := self._model(), ModelScorer):
            raise UserError(f"{wanted} need a model with item embeddings; this scorer has none")
        return model

    def _model(self) -> Scorer:
        """Return the neural part of an ensemble; any other scorer itself."""
        part = self.scorer.parts.get(MAIN) if isinstance(self.scorer, ScoreEnsemble) else None
        return getattr(part, "scorer", self.scorer)

    def score_by_part(self, history: np.ndarray) -> dict[str, np.ndarray]:
        """Return the terms of an ensemble's scores for one history; empty without an ensemble."""
        whole = self.scorer if isinstance(self.scorer, ScoreEnsemble) else None
        terms = whole.score_by_part([history]) if whole else {}
        return {name: term[0].numpy() for name, term in terms.items()}


def _say_who_gets_less(
    unknown: Sequence[str], what: str, found: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Print a note for users that the model does not know, and for users without any item."""
    if unknown:
        get = "they get the most popular items" if what == "popular" else "they are left out"
        who = f"users without an interaction with an item of the model: {with_first(unknown)}"
        say(f"note: {who}; {get}")
    if none := [user for user, (numbers, _) in found.items() if not len(numbers)]:
        who = f" to {counted(len(none), 'user')} (the first is {none[0]!r})" if none[0] else ""
        say(f"note: nothing is left to recommend{who}: every item is in the history or filtered")
