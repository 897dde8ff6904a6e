"""Recommendations for many users, filters, unknown users, similar items, new items."""

import numpy as np
import pandas as pd
import pytest
import torch
from toys import toy_table

from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend import top_items
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences

ITEMS = ["", *(f"i{n}" for n in range(12))]


class Fixed:
    """A scorer that gives the same scores to every history."""

    def __init__(self, *row):
        self.row = torch.tensor(row)

    def score(self, histories):
        return self.row.expand(len(histories), -1)


@pytest.fixture
def table():
    """Items with one, two or no slots of either modality, but never none of both."""
    return toy_table([1, 2, 0] * 4, [0, 1, 2] * 4, items=ITEMS[1:])


@pytest.fixture
def recommender(table):
    torch.manual_seed(0)
    net = M2SE(ModelConfig(feature_dim=11))
    return Recommender(ModelScorer(net, table), ITEMS, np.arange(13) % 5)


def names(frame, user=""):
    return frame.loc[frame["user_id"] == user, "item_id"].tolist()


# ------------------------------------------------------------------------ all users at once


def test_one_tidy_row_per_user_and_item_in_the_order_of_the_users(recommender):
    histories = {"b": ["i1", "i2"], "a": ["i5"], "c": ["i3", "i3", "i1"]}
    frame = recommender.recommend(histories, k=4)
    assert list(frame.columns) == ["user_id", "rank", "item_id", "score"]
    assert frame["user_id"].tolist() == ["b"] * 4 + ["a"] * 4 + ["c"] * 4
    assert frame["rank"].tolist() == [1, 2, 3, 4] * 3
    assert frame.dtypes["rank"].kind == "i"
    assert frame.dtypes["score"] == np.float64
    for user, history in histories.items():
        scores = recommender.scorer.score([recommender.known_items(history)])[0]
        own = frame[frame["user_id"] == user]
        expected = [float(scores[recommender.item_number[item]]) for item in own["item_id"]]
        assert own["score"].tolist() == pytest.approx(expected, abs=1e-6)
        best = [ITEMS[n] for n in scores[1:].argsort(descending=True) + 1]
        assert own["item_id"].tolist() == [item for item in best if item not in history][:4]


@pytest.mark.parametrize("block", [1, 2, 5])
def test_the_size_of_a_block_does_not_matter(recommender, monkeypatch, block):
    rng = np.random.default_rng(0)
    histories = {f"u{u}": [f"i{i}" for i in rng.permutation(12)[: 1 + u % 6]] for u in range(13)}
    whole = recommender.recommend(histories, k=5)
    monkeypatch.setattr(top_items, "HISTORIES", block)
    found = recommender.recommend(histories, k=5)
    pd.testing.assert_frame_equal(found, whole, rtol=0, atol=1e-6)


def test_memory_is_bounded_by_the_number_of_scores(monkeypatch):
    sizes = []

    class Counting(Fixed):
        def score(self, histories):
            sizes.append(len(histories))
            return super().score(histories)

    monkeypatch.setattr(top_items, "SCORES", 12)
    scorer = Counting(0.0, 1.0, 2.0, 3.0)
    Recommender(scorer, ["", "a", "b", "c"]).recommend({n: ["a"] for n in "uvwxyz12"}, 1)
    assert sizes == [3, 3, 2]


def test_the_order_of_the_history_matters(recommender):
    one = recommender.recommend({"": ["i1", "i2", "i5"]})["score"].tolist()
    assert one != recommender.recommend({"": ["i5", "i2", "i1"]})["score"].tolist()


def test_equal_scores_are_ordered_as_the_items():
    row = [9.0, 1.0, 3.0, 3.0, 2.0, 3.0, 2.0]
    recommender = Recommender(Fixed(*row), ["", *"abcdef"])
    for k in range(1, 7):
        found = names(recommender.recommend({"": ["x", "a"]}, k, filter_seen=False))
        assert found == ["b", "c", "e", "d", "f", "a"][:k]


def test_any_scorer_can_recommend():
    sequences = Sequences(["u"], ["", "a", "b", "c"], np.array([1, 2, 3, 3]), np.array([0, 4]))
    recommender = Recommender(ItemKNN(sequences), sequences.items)
    assert names(recommender.recommend({"": ["a"]}, 1)) == ["b"]
    for call in (
        lambda: recommender.similar_items("a"),
        lambda: recommender.add_items(toy_table([1], [1], items=["new"])),
    ):
        with pytest.raises(UserError, match="need a model with item embeddings"):
            call()


def test_more_items_than_there_are_give_fewer_rows(recommender):
    frame = recommender.recommend({"": ["i1", "i2"]}, k=99)
    assert len(frame) == 10  # all but the history
    assert frame["score"].is_monotonic_decreasing
    assert len(recommender.recommend({"": ["i1", "i2"]}, k=99, filter_seen=False)) == 12
    everything = recommender.recommend({"": ITEMS[1:], "u": ["i1"]}, k=99)
    assert everything["user_id"].tolist() == ["u"] * 11


def test_no_user_gives_an_empty_frame_of_the_same_columns(recommender):
    for frame in (
        recommender.recommend({}),
        recommender.recommend({"u": []}, on_unknown_user="skip"),
        recommender.recommend({"u": ["i1"]}, candidates=[]),
    ):
        assert frame.shape == (0, 4)
        full = recommender.recommend({"u": ["i1"]})
        assert frame.dtypes.tolist() == full.dtypes.tolist()


@pytest.mark.parametrize("k", [0, -1, 2.5, "3", None])
def test_k_that_is_no_positive_whole_number_is_refused(recommender, k):
    for call in (lambda: recommender.recommend({"": ["i1"]}, k),
                 lambda: recommender.similar_items("i1", k)):  # fmt: skip
        with pytest.raises(UserError, match="k must be an integer >= 1 and <= 1000000; got"):
            call()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_not_finite_is_never_a_result(bad):
    recommender = Recommender(Fixed(bad, 1.0, 2.0, bad), ["", *"abc"])
    with pytest.raises(UserError, match="the scores are not finite numbers"):
        recommender.recommend({"": ["a"]})
    only_padding = Recommender(Fixed(bad, 1.0, 2.0, 3.0), ["", *"abc"])
    assert names(only_padding.recommend({"": ["a"]})) == ["c", "b"]


# ------------------------------------------------------------------------ filters


def test_candidates_and_exclude(recommender):
    free = names(recommender.recommend({"": ["i1"]}, k=12))
    some = ["i7", "i2", "i9", "i1", "i7"]  # an item twice, and one of the history
    found = names(recommender.recommend({"": ["i1"]}, candidates=some))
    assert found == [item for item in free if item in some]
    found = names(recommender.recommend({"": ["i1"]}, candidates=iter(some), exclude={"i2"}))
    assert found == [item for item in free if item in ("i7", "i9")]
    found = names(recommender.recommend({"": ["i1"]}, k=12, exclude=pd.Series(["i3", "i3"])))
    assert found == [item for item in free if item != "i3"]


@pytest.mark.parametrize("name", ["candidates", "exclude"])
def test_a_filter_with_an_unknown_item_is_refused(recommender, name):
    for call in (
        recommender.recommend,
        lambda _, **options: recommender.similar_items("i1", **options),
    ):
        with pytest.raises(UserError, match=f"{name}: item 'ghost' is not in the model"):
            call({"": ["i1"]}, **{name: ["i2", "ghost", "other"]})
        with pytest.raises(UserError, match=f"{name} must be a list of item ids; got 'i2'"):
            call({"": ["i1"]}, **{name: "i2"})
    with pytest.raises(UserError, match="candidates: '' is no item_id"):
        recommender.recommend({"": ["i1"]}, candidates=[""])


# ------------------------------------------------------------------------ unknown users

STRANGERS = [[], ["ghost"], ["ghost", "phantom"]]


@pytest.mark.parametrize("history", STRANGERS)
def test_unknown_users_get_the_most_popular_items(recommender, history):
    frame = recommender.recommend({"new": history, "old": ["i1"]}, k=3)
    assert names(frame, "new") == ["i3", "i8", "i2"]  # counts 4, 4 and the first of two with 3
    assert frame["score"].tolist()[:3] == [4, 4, 3]
    alone = recommender.recommend({"old": ["i1"]}, k=3)
    assert names(frame, "old") == names(alone, "old")
    limited = recommender.recommend({"new": history}, k=3, candidates=["i0", "i2"], exclude=["i2"])
    assert names(limited, "new") == ["i0"]


@pytest.mark.parametrize("history", STRANGERS)
def test_unknown_users_are_skipped_or_refused(recommender, history):
    histories = {"old": ["i1"], "new": history}
    frame = recommender.recommend(histories, on_unknown_user="skip")
    assert set(frame["user_id"]) == {"old"}
    with pytest.raises(UserError, match="user 'new' has no interaction with an item of the model"):
        recommender.recommend(histories, on_unknown_user="error")
    with pytest.raises(UserError, match="on_unknown_user must be one of popular, error, skip"):
        recommender.recommend(histories, on_unknown_user="random")


def test_popular_items_need_counts(recommender):
    bare = Recommender(recommender.scorer, ITEMS)
    assert len(bare.recommend({"old": ["i1"]})) == 10
    with pytest.raises(UserError, match=r"user 'new' .* the model has no item counts"):
        bare.recommend({"old": ["i1"], "new": []})


def test_items_of_a_history_that_the_model_does_not_know_are_passed_over(recommender):
    one = recommender.recommend({"": ["ghost", "i1", "gone", "i4"]})
    assert one.equals(recommender.recommend({"": ["i1", "i4"]}))
    with pytest.raises(UserError, match="a history must be a list of item ids; got 'i1'"):
        recommender.recommend({"u": "i1"})


def test_ids_of_other_types_are_read_as_text():
    recommender = Recommender(Fixed(0.0, 1.0, 2.0, 3.0), ["", "1", "2", "3"])
    frame = recommender.recommend({7: [3, 1]}, exclude=[3])
    assert frame.iloc[0].tolist() == ["7", 1, "2", 2.0]
    assert len(frame) == 1


def test_counts_and_items_must_fit_the_scorer(recommender):
    with pytest.raises(UserError, match=r"popularity has 12 entries.* item_ids has 13"):
        Recommender(recommender.scorer, ITEMS, np.zeros(12))
    with pytest.raises(UserError, match="scorer has 13 entries, padding included, but item_ids"):
        Recommender(recommender.scorer, ITEMS[:5])


# ------------------------------------------------------------------------ similar items


def test_similar_items_by_the_mean_cosine_of_the_modalities(recommender):
    frame = recommender.similar_items("i4", k=99)
    assert list(frame.columns) == ["rank", "item_id", "score"]
    assert frame["rank"].tolist() == list(range(1, 12))
    assert "i4" not in set(frame["item_id"])
    z = recommender.scorer.items
    for item, score in zip(frame["item_id"], frame["score"], strict=True):
        one, two = recommender.numbers_of(["i4", item])
        cosines = [torch.cosine_similarity(v[one], v[two], dim=0) for v in z.values()]
        assert score == pytest.approx(float(sum(cosines)) / 2, abs=1e-6)
    assert frame["score"].is_monotonic_decreasing
    three = recommender.similar_items("i4", candidates=["i1", "i4", "i7", "i8"], exclude=["i1"])
    assert set(three["item_id"]) == {"i7", "i8"}
    with pytest.raises(UserError, match="item 'ghost' is not in the model; check the item_id"):
        recommender.similar_items("ghost")


# ------------------------------------------------------------------------ new items


def shortened(recommender, table, held):
    """The same recommender, made for items that lack ``held``."""
    items = [item for item in ITEMS if item not in held]
    net = M2SE(recommender.scorer.model.config)
    net.load_state_dict(recommender.scorer.model.state_dict())
    return Recommender(ModelScorer(net, table.for_items(items)), items, np.ones(len(items)))


@pytest.mark.parametrize("held", [["i11"], ["i3", "i7"], ["i0", "i1", "i2", "i5", "i8", "i9"]])
def test_an_added_item_is_as_if_it_had_been_there_from_the_start(recommender, table, held):
    fewer = shortened(recommender, table, held)
    before = fewer.scorer.units.clone()
    fewer.add_items(table.for_items(["", *held]))
    assert torch.equal(fewer.scorer.units[: len(before)], before)  # the old ones as they were
    history = ["i4", held[0], "i6"]  # a new item can be in a history, too
    whole, found = (r.recommend({"": history}, k=12) for r in (recommender, fewer))
    expected = dict(zip(whole["item_id"], whole["score"], strict=True))
    assert set(held[1:]) <= set(found["item_id"])
    assert dict(zip(found["item_id"], found["score"], strict=True)) == pytest.approx(
        expected, abs=1e-5
    )
    numbers = [fewer.known_items(history)]
    torch.testing.assert_close(fewer.scorer.score_on_device(numbers), fewer.scorer.score(numbers))
    assert fewer.popularity.tolist() == [1] * (13 - len(held)) + [0] * len(held)


def test_items_can_be_added_again_and_again(recommender, table):
    fewer = shortened(recommender, table, ["i3", "i5", "i7"])
    for name in ("i7", "i3", "i5"):
        fewer.add_items(table.for_items(["", name]))
    assert fewer.item_ids[-3:] == ["i7", "i3", "i5"]
    assert [fewer.item_ids[n] for n in fewer.item_number.values()] == list(fewer.item_number)
    one, two = (names(r.recommend({"": ["i5", "i1"]}, k=12)) for r in (recommender, fewer))
    assert one == two


def test_a_new_item_has_no_id_embedding():
    """Its embedding is that of its text and image alone; those of the others contain their ids."""
    table = toy_table([1] * 12, [1] * 12, items=ITEMS[1:])
    net = M2SE(ModelConfig(feature_dim=11, n_items=11)).eval()
    torch.nn.init.normal_(net.ids.weight[1:])
    recommender = Recommender(ModelScorer(net, table.for_items(ITEMS[:12])), ITEMS[:12])
    recommender.add_items(table.for_items(["", "i11"]))
    with torch.inference_mode():
        content = net.item_embeddings(table, torch.arange(13))
    for modality, z in recommender.scorer.items.items():
        assert z.shape == (13, 64)
        torch.testing.assert_close(z[12], content[modality][12])
        assert not torch.allclose(z[11], content[modality][11])


def test_a_user_gets_the_new_item_that_fits_and_not_the_other(sample_dataset):
    """Of two new items the one that resembles the user's best item comes first."""
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    model = sample_dataset / "states" / "home_pretrained"
    recommender = TrainedModel.load(model, sample_dataset / "features").recommender("cpu")
    table = load_feature_table(sample_dataset / "features")
    rows = dataset.interactions["user_id"] == "uh0040"
    history = {"": dataset.interactions.loc[rows, "item_id"].tolist()}
    best, *_, worst = names(recommender.recommend(history, k=400))
    # Two new ids with the features of the item that fits best and of the one that fits least.
    rows = torch.tensor([0, *(table.items.index(item) for item in (best, worst))])
    new = FeatureTable(
        ["", "fits", "does not"], table.text.select(rows), table.image.select(rows), {}
    )
    recommender.add_items(new)
    found = recommender.recommend(history, k=10)
    assert set(names(found)[:2]) == {"fits", best}
    assert "does not" not in names(found)
    assert found["score"][0] == pytest.approx(found["score"][1], abs=1e-5)


@pytest.mark.parametrize(
    ("new", "slots", "width", "message"),
    [
        (["i3"], [1], 11, "item 'i3' is already in the model"),
        (["new", "new"], [1, 1], 11, "item 'new' is already in the model"),
        (["new", "bare"], [1, 0], 11, "item 'bare' has neither text nor image"),
        (["new"], [1], 7, "width 7, but the model was trained on width 11"),
    ],
)
def test_of_items_that_cannot_be_added_none_is_added(recommender, new, slots, width, message):
    before = dict(recommender.item_number), recommender.item_ids.copy()
    size = len(recommender.scorer.units)
    with pytest.raises(UserError, match=message):
        recommender.add_items(toy_table(slots, [0] * len(slots), width, items=new))
    assert before == (recommender.item_number, recommender.item_ids)
    assert size == len(recommender.scorer.units) == len(recommender.scorer.items["text"])


def test_whole_floats_are_the_ids_that_they_mean_and_other_objects_are_refused():
    recommender = Recommender(Fixed(0.0, 1.0, 2.0, 3.0), ["", "1", "2", "3"])
    assert recommender.recommend({"u": [1.0, 3]}).equals(recommender.recommend({"u": ["1", "3"]}))
    for history in (b"ab", 3, [None], [["1"]]):
        with pytest.raises(UserError):
            recommender.recommend({"u": history})
