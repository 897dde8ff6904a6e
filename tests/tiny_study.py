"""A tiny dataset with features, ready for a study, and settings of a short one."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.study.cold_start import cold_table
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import StudyConfig, TrainingBudget
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.specs import StudyData
from tests.toys import toy_sequences, toy_table

TINY = {"model.dim": 8, "model.ffn_dim": 8, "model.layers": 1, "model.experts": 2}
SHORT = StudyConfig(budget=TrainingBudget(batch_size=32, pretrain_epochs=1, finetune_epochs=1))


def tiny_study_data(lengths=(7, 8, 6, 9, 7, 8)):
    """Study data of 19 items with a title each; histories of the given lengths."""
    titles = ["red oak clock", "red tent", "oak table", "blue tent", "blue clock"]
    items = {f"i{n}": Item(f"i{n}", title=titles[n % 5]) for n in range(1, 20)}
    table = toy_table([2, 1, 3] * 6 + [0], [1, 0, 2] * 6 + [1])
    sequences = toy_sequences(list(lengths), n_items=19)
    return StudyData(sequences, table, Dataset(items, pd.DataFrame(), name="toy"))


def letters(*rows):
    """Interactions as ``user: items``, one letter per item; time goes on with every letter."""
    found = []
    for row in rows:
        user, _, items = row.partition(": ")
        found += [(user, item, float(time)) for time, item in enumerate(items) if item != " "]
    frame = pd.DataFrame(found, columns=["user_id", "item_id", "timestamp"])
    return frame.sort_values("timestamp", kind="stable")


def study_data_with_more():
    """Study data of eight users and items; the dataset has two more users and six more items.

    The second result is the feature table of all items.
    """
    rng = np.random.default_rng(0)
    rows = ["".join(rng.permutation(list("abcdefgh"))[:6]) for _ in range(8)]
    core_users = [f"u{n}: {row}" for n, row in enumerate(rows)]
    interactions = letters(*core_users, "few: ab", "out: uvwxyz")
    items = {item: Item(item, title=item) for item in "abcdefghuvwxyz"}
    table = toy_table([1] * 14, [1] * 14, items=list(items))
    core = build_sequences(interactions, list("abcdefgh"))
    return StudyData(
        core, table.for_items(core.items), Dataset(items, interactions, name="toy")
    ), table


def tiny_result(folder):
    """What a study of three baselines would write for its parts main and cold."""
    data = tiny_study_data([6, 5, 6, 4, 5])
    names = ["popularity", "item_knn", "tfidf_knn"]
    study = Comparison(data, folder, replace(SHORT, n_seeds=1), MODELS)
    found = study.test(names, study.tune(names))
    about = {"dataset": "toy", "domain": "", "users": 5, "cases": 5, "items": 19, "seeds": [1]}
    about |= {"split": "leave-one-out", "cold_cases": 2, "quick": False, "upper_bound": {}}
    cold = {**about, "items_removed": False, **cold_table(data, found)}
    return {"main": {**about, **study.table(found)}, "cold": cold}


class ConstantScorer:
    """Gives every history the same scores."""

    def __init__(self, *scores):
        self.scores = torch.tensor(scores)

    def score(self, histories):
        return self.scores.expand(len(histories), -1)


def sequences_of(rows, n_items):
    """Sequences with the given histories."""
    return Sequences(
        users=[f"u{u}" for u in range(len(rows))],
        items=["", *(f"i{n}" for n in range(1, n_items + 1))],
        interactions=np.array([item for row in rows for item in row]),
        offsets=np.cumsum([0, *map(len, rows)]),
    )


def tiny_domain(n_items, lengths, seed):
    """Features and sequences of a domain."""
    slots = [1 + n % 3 for n in range(n_items)]
    table = toy_table(slots, slots[::-1], seed=seed)
    sequences = toy_sequences(lengths, n_items, seed=seed)
    items = {item: Item(item, title=item) for item in sequences.items[1:]}
    return StudyData(sequences, table, Dataset(items, pd.DataFrame(), name="toy"))


ONE, TWO = tiny_domain(9, [6, 7, 5], seed=1), tiny_domain(13, [8, 5, 6, 9, 7, 5], seed=2)


def three_tests(domain):
    """The last three interactions of each user test, the one before them validates."""
    cuts = np.diff(domain.sequences.offsets)[:, None] - [4, 3]
    return replace(domain, sequences=replace(domain.sequences, cuts=cuts))
