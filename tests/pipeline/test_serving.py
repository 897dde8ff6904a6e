"""Recommendations, similar items, explanations and new items of a fitted model."""

import pandas as pd
import pytest
from small_dataset import (
    SMALL,
    dataset,
    feature_table,
    fitted,
    interaction_frame,
    item_frame,
)

from msm4sr_lite import UserError


@pytest.fixture(scope="module")
def model():
    return fitted()


def test_all_users_at_once(model):
    found = model.recommend(k=4)
    assert list(found.columns) == ["user_id", "rank", "item_id", "score"]
    assert len(found) == 40 * 4
    assert found.groupby("user_id")["rank"].apply(list).map(lambda r: r == [1, 2, 3, 4]).all()


def test_seen_items_are_filtered_held_out_ones_included(model):
    found = model.recommend(["user3"], k=30)
    history = set(dataset().user_history("user3"))
    assert len(history) == 8
    assert set(found["item_id"]) == {f"item{i}" for i in range(30)} - history
    assert len(model.recommend(["user3"], k=30, filter_seen=False)) == 30


def test_candidates_and_exclude(model):
    found = model.recommend(["user3"], candidates=["item1", "item2", "item3"], exclude=["item2"])
    assert set(found["item_id"]) <= {"item1", "item3"}
    with pytest.raises(UserError, match="'nothing' is not an item of toys"):
        model.recommend(["user3"], candidates=["nothing"])


def test_ids_come_in_any_sequence(model):
    wanted = model.recommend(["user1"], k=3)["item_id"]
    for exclude in (wanted, wanted.to_numpy(), wanted.tolist(), set(wanted)):
        found = model.recommend(["user1"], k=3, exclude=exclude)["item_id"]
        assert not set(found) & set(wanted)
    assert set(model.recommend(["user1"], k=3, candidates=wanted)["item_id"]) == set(wanted)


def test_an_item_may_be_the_number_0(model):
    with pytest.raises(UserError, match="item '0' is not in the model"):
        model.explain("user1", 0)


def test_unknown_users(model):
    popular = model.recommend(["nobody"], k=2)
    counts = model._model.item_counts
    assert popular["score"].tolist() == sorted(counts, reverse=True)[:2]
    assert model.recommend(["nobody"], on_unknown_user="skip").empty
    with pytest.raises(UserError, match="nobody"):
        model.recommend(["nobody"], on_unknown_user="error")


def test_items_no_longer_in_the_dataset_are_never_offered(model):
    frame = interaction_frame()
    smaller = dataset(frame[~frame["item_id"].isin(["item7", "item8"])], item_frame().drop([7, 8]))
    found = model.recommend(data=smaller, k=30, filter_seen=False)
    assert set(found["item_id"]) == set(smaller.items)


def test_a_history_of_items(model):
    found = model.recommend(items=["item1", "item2"], k=3)
    assert list(found.columns) == ["rank", "item_id", "score"]
    assert not set(found["item_id"]) & {"item1", "item2"}
    with pytest.raises(UserError, match="must be a list"):
        model.recommend(items="item1")
    with pytest.raises(UserError, match="users or items"):
        model.recommend(["user1"], items=["item1"])


def test_similar_items(model):
    found = model.similar_items("item1", k=5)
    assert "item1" not in set(found["item_id"])
    assert found["score"].is_monotonic_decreasing
    with pytest.raises(UserError, match="'nothing'"):
        model.similar_items("nothing")


def test_an_explanation_names_every_input(model):
    found = model.explain("user1", model.recommend(["user1"], k=1)["item_id"][0])
    assert set(found["kind"]) == {"interaction", "sentence", "image"}
    assert found["effect"].is_monotonic_decreasing
    assert (found["kind"] == "interaction").sum() == 8
    with pytest.raises(UserError, match="either user or items"):
        model.explain(item_id="item1")
    with pytest.raises(UserError, match="give the id of the item to explain"):
        model.explain("user1")
    same = model.explain(item_id="item1", items=model.history_of("user1"))
    assert same["effect"].tolist() == model.explain("user1", "item1")["effect"].tolist()
    with pytest.raises(UserError, match="no interactions of user 'nobody'"):
        model.explain("nobody", "item1")


def test_new_items_are_scored_once_their_features_are_known():
    model = fitted()
    more = feature_table(32)
    model.add_features(more.for_items(["", "item30", "item31"]))
    bigger = dataset(items=item_frame(32))
    found = model.recommend(data=bigger, k=32)
    assert {"item30", "item31"} <= set(found["item_id"])
    model.recommend(items=["item30"], k=1)


def test_added_items_are_offered_and_can_be_candidates():
    model = fitted()
    model.add_features(feature_table(32).for_items(["", "item30", "item31"]))
    assert set(model.recommend(["user1"], candidates=["item30"])["item_id"]) == {"item30"}
    assert "item31" in set(model.recommend(["user1"], k=32)["item_id"])


def test_ids_are_asked_for_as_they_are_read():
    frame = interaction_frame()
    frame["user_id"] = frame["user_id"].str.removeprefix("user").astype(float)
    frame["item_id"] = frame["item_id"].str.removeprefix("item").astype(int)
    items = item_frame().assign(item_id=range(30))
    table = feature_table()
    table.items[1:] = [str(i) for i in range(30)]
    model = fitted(dataset(frame, items), features=table)
    assert model.recommend([1.0]).equals(model.recommend(1))
    assert model.recommend(items=[1, 2.0, "3"]).equals(model.recommend(items=["1", "2", "3"]))
    assert model.similar_items(4).equals(model.similar_items("4"))


def test_items_of_the_data_that_the_model_lacks_may_be_excluded(model):
    bigger = dataset(items=item_frame(31))
    assert len(model.recommend(["user1"], data=bigger, exclude=["item30"])) == 10
    with pytest.raises(UserError, match="exclude: 'nothing'"):
        model.recommend(["user1"], exclude=["nothing"])


def test_new_items_are_read_from_their_texts(tmp_path, tiny_bert):
    """Texts alone, with the encoder that made the features."""
    from msm4sr_lite import MSM4SR

    settings = {"text_encoder": tiny_bert, "finetune__use_ids": False}
    titles = [f"{chr(97 + i % 26)} {chr(97 + i // 26)} title" for i in range(30)]
    data = dataset(items=item_frame().assign(title=titles))
    model = MSM4SR(**SMALL | settings).fit(data, run_dir=tmp_path / "run")
    new = pd.DataFrame({"item_id": ["fresh"], "title": [titles[3]]})
    assert model.add_items(new) == ["fresh"]
    assert model.add_items(data) == []
    similar = model.similar_items("fresh", k=1)
    assert similar["item_id"][0] == "item3"  # the same text
    model.save_pretrained(tmp_path / "model")
    loaded = MSM4SR.from_pretrained(tmp_path / "model")
    assert "fresh" in set(loaded.recommend(items=["item1"], k=31)["item_id"])


def test_a_dataset_with_new_interacted_items_is_not_evaluated(model):
    frame = pd.concat(
        [
            interaction_frame(),
            pd.DataFrame([("user0", "item30", 1e6)], columns=["user_id", "item_id", "timestamp"]),
        ]
    )
    with pytest.raises(UserError, match=r"'item30'.*fine-tune"):
        model.evaluate(dataset(frame, item_frame(31)))


def test_first_mistakes_are_answered(model):
    from msm4sr_lite import MSM4SR

    with pytest.raises(UserError, match="data must be a Dataset; got DataFrame"):
        MSM4SR().fit(interaction_frame())
    with pytest.raises(UserError, match="data must be a Dataset; got str"):
        model.evaluate("folder")
    with pytest.raises(UserError, match="not fitted"):
        MSM4SR().recommend()
    with pytest.raises(UserError, match="users must be user ids, not a data frame"):
        model.recommend(interaction_frame())
    with pytest.raises(UserError, match="'zz' is not in the model"):
        model.recommend(items=["zz", "item1"])
    with pytest.raises(UserError, match="items is empty"):
        model.recommend(items=[])
