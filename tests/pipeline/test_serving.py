"""Recommendations, similar items, explanations and new items of a fitted model."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_dataset import (
    N_ITEMS,
    SMALL,
    dataset,
    feature_table,
    fitted,
    interaction_frame,
    item_frame,
)

from msm4sr_lite import MSM4SR, Dataset, UserError
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.feature_table import make_slots
from msm4sr_lite.features.table import hash_sources
from msm4sr_lite.features.table_files import save_feature_table


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


def smaller_dataset(domain=""):
    frame = interaction_frame()
    left = frame[~frame["item_id"].isin(["item7", "item8"])]
    items = item_frame().drop([7, 8])
    options = {"name": "toys", "domain": domain}
    return Dataset.from_frames(left, items.assign(domain="home"), **options)


def test_items_no_longer_in_the_dataset_are_never_offered(model, capsys):
    smaller = smaller_dataset()
    capsys.readouterr()
    found = model.recommend(data=smaller, k=30, filter_seen=False)
    assert set(found["item_id"]) == set(smaller.items)
    note = "note: items of the model that are not in toys: 2 (the first is 'item7'), left out"
    assert capsys.readouterr().err == f"{note}\n"
    history = smaller.user_history("user1")
    assert not {"item7", "item8"} & {one.item_id for one in model.describe(history, data=smaller)}
    assert not {"item7", "item8"} & set(model.similar_items("item1", 30, data=smaller)["item_id"])
    model.evaluate(smaller)
    assert capsys.readouterr().err == ""  # once for each dataset
    model.recommend(data=smaller_dataset("home"), k=1)
    assert "are not in domain 'home' of toys: 2" in capsys.readouterr().err
    model.recommend(k=1)
    assert capsys.readouterr().err == ""  # nor for the data of the training


def test_items_whose_texts_have_changed_since_are_noted(capsys):
    table = feature_table()
    data = dataset()
    table.sources.update({key: hash_sources(item, Path(), 10) for key, item in data.items.items()})
    model = fitted(data, features=table)
    capsys.readouterr()
    frame = item_frame()
    frame.loc[3, "title"] = "Another title"
    changed = dataset(items=frame)
    for call in (
        lambda: model.recommend(data=changed, k=1),
        lambda: model.describe(["item1"], data=changed),
        lambda: model.explain("user1", "item1", data=changed),
    ):
        model._compared = None
        call()
        note = capsys.readouterr().err
        assert note.startswith("note: items of toys with other texts or images than the features")
        assert "(the first is 'item3'); scores use the old ones" in note
    model.recommend(data=dataset(), k=1)
    assert capsys.readouterr().err == ""


def test_repeated_items_of_a_history_count_once_as_in_training(model):
    for call in (
        lambda items: model.recommend(items=items),
        lambda items: model.explain(item_id="item5", items=items),
    ):
        pd.testing.assert_frame_equal(call(["item1", "item2", "item1"]), call(["item2", "item1"]))
    assert model.describe(["item1", "item2", "item1"]) == model.describe(["item2", "item1"])
    repeats = fitted(settings={"data__deduplicate": False})
    assert repeats.as_history(["item1", "item2", 1]) == ["item1", "item2", "1"]
    assert not repeats.recommend(items=["item1", "item2", "item1"])["score"].equals(
        repeats.recommend(items=["item2", "item1"])["score"]
    )


def test_nothing_left_and_unknown_users_are_said(model, capsys):
    capsys.readouterr()
    everything = [f"item{i}" for i in range(30)]
    assert model.recommend(items=everything).empty
    left = "nothing is left to recommend"
    assert capsys.readouterr().err == f"note: {left}: every item is in the history or filtered\n"
    assert model.recommend(["user1", "user2"], candidates=["item1"], exclude=["item1"]).empty
    assert f"{left} to 2 users (the first is 'user1')" in capsys.readouterr().err
    model.recommend(["user1", "nobody", "none"])
    assert "note: users without an interaction" in (said := capsys.readouterr().err)
    assert "(the first is 'nobody'); they get the most popular items" in said
    model.recommend(["nobody"], on_unknown_user="skip")
    assert "they are left out" in capsys.readouterr().err
    assert len(model.recommend(["user1"], k=1000)) == 22
    assert capsys.readouterr().err == ""


def test_no_candidate_at_all_is_refused(model):
    for call in (
        lambda: model.recommend(["user1"], candidates=[]),
        lambda: model.describe(["item1"], candidates=[]),
    ):
        with pytest.raises(UserError, match="candidates is empty; give at least one item_id"):
            call()


@pytest.mark.parametrize("wrong", ["yes", 1, None, "no"])
def test_filter_seen_is_true_or_false(model, wrong):
    for call in (model.recommend, model.evaluate, lambda **o: model.describe(["item1"], **o)):
        with pytest.raises(UserError, match=r"^filter_seen must be true or false; got"):
            call(filter_seen=wrong)


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


@pytest.mark.thorough
def test_new_images_are_read_by_the_clip_of_the_features(
    tmp_path, tiny_bert, mini_clip, monkeypatch
):
    shutil.copytree(mini_clip, tmp_path / "myclip")
    Image.new("RGB", (9, 9), "red").save(tmp_path / "0.png")
    monkeypatch.chdir(tmp_path)
    data = dataset(items=item_frame().assign(image="0.png"))
    encoders = {"text_encoder": tiny_bert, "clip": "myclip", "finetune__use_ids": False}
    MSM4SR(**SMALL | encoders).fit(data, run_dir=tmp_path / "run")
    monkeypatch.chdir(tmp_path.parent)
    loaded = MSM4SR.from_pretrained(tmp_path / "run")
    new = [Item("new", "a mug", images=("0.png",))]
    assert loaded.add_items(new, image_root=tmp_path) == ["new"]
    loaded.save_pretrained(tmp_path / "model")
    assert str(tmp_path) not in (tmp_path / "model/features/manifest.json").read_text()
    saved = MSM4SR.from_pretrained(tmp_path / "model")
    more = [Item("more", "a mug", images=("0.png",))]
    saved.text_encoder = tiny_bert
    with pytest.raises(UserError, match="clip 'myclip' of the features was in a local folder;"):
        saved.add_items(more, image_root=tmp_path)
    saved.clip = str(tmp_path / "myclip")
    assert saved.add_items(more, image_root=tmp_path) == ["more"]


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


def test_new_items_of_a_frame_with_other_columns(tmp_path, model, monkeypatch):
    given = []

    def encode(self, items, root, device, **encoders):
        given.append((items, root))
        return feature_table(31).for_items(["", "item30"]), {}

    monkeypatch.setattr("msm4sr_lite.pipeline.trained_model.TrainedModel.encode_items", encode)
    frame = pd.DataFrame({"sku": ["item30"], "name": ["New"], "picture": ["a.png"], "visitor": [1]})
    columns = {"sku": "item_id", "name": "title", "picture": "image", "visitor": "user_id"}
    model = fitted()
    assert model.add_items(frame, columns=columns, image_root=tmp_path) == ["item30"]
    (((item,), root),) = given
    assert (item.item_id, item.title, item.images, root) == ("item30", "New", ("a.png",), tmp_path)
    for wrong, message in (
        ({"skuu": "item_id"}, "there is no column 'skuu'|no column item_id"),
        ({**columns, "heading": "title"}, "there is no column 'heading'"),
        ({"sku": "id"}, "'sku' as 'id': choose from"),
    ):
        with pytest.raises(UserError, match=message):
            model.add_items(frame, columns=wrong)
    with pytest.raises(UserError, match="columns renames the columns of a data frame"):
        model.add_items(dataset(), columns=columns)


@pytest.mark.parametrize("wrong", [None, 3, ["item1"], [{"item_id": "x"}]])
def test_new_items_of_another_kind_are_refused(model, wrong):
    with pytest.raises(UserError, match="items must be a Dataset, a data frame or Item objects"):
        model.add_items(wrong)


def test_new_items_without_usable_features_are_reported(tmp_path):
    table = feature_table(32)
    for slots in (table.text, table.image):
        slots.counts[table.items.index("item31")] = 0
    for name in ("text", "image"):
        slots = getattr(table, name)
        object.__setattr__(
            table, name, make_slots(slots.vectors[:31].numpy(), slots.counts.numpy())
        )
    save_feature_table(tmp_path / "features", table, {})
    model = fitted()
    bigger = dataset(items=item_frame(33))
    found = model.add_known_features(bigger, tmp_path / "features")
    assert found == (["item30"], ["item31", "item32"])
    assert set(model.recommend(data=bigger, candidates=["item30", "item31"])["item_id"]) == {
        "item30"
    }


def test_the_renames_of_the_data_are_kept(tmp_path):
    frame = interaction_frame().rename(columns={"user_id": "visitor"})
    columns = {"visitor": "user_id"}
    data = Dataset.from_frames(frame, item_frame(), columns=columns)
    assert data.columns == columns
    model = fitted(data, run_dir=tmp_path / "run")
    assert model.columns == MSM4SR.from_pretrained(tmp_path / "run").columns == columns
    assert fitted().columns == {}


def test_only_items_of_the_domain_of_the_model_are_offered_or_added(capsys, monkeypatch):
    rooms = ["home"] * 28 + ["garden"] * 4
    options = {"columns": None, "name": "toys"}
    frame = interaction_frame()
    frame = frame[~frame["item_id"].isin(["item28", "item29"])]
    items = item_frame(32).assign(domain=rooms)
    home = Dataset.from_frames(frame, items, domain="home", **options)
    model = fitted(home)
    assert model.domain == "home"
    rooms[3], rooms[30] = "garden", "home"
    whole = Dataset.from_frames(frame, items.assign(domain=rooms), **options)
    more = feature_table(31).for_items(["", "item30"])
    added = []
    monkeypatch.setattr(
        "msm4sr_lite.pipeline.trained_model.TrainedModel.encode_items",
        lambda self, items, *_, **__: added.extend(items) or (more, {}),
    )
    assert model.add_items(whole) == ["item30"]
    assert [item.item_id for item in added] == ["item30"]
    capsys.readouterr()
    offered = set(model.recommend(data=whole, k=99, filter_seen=False)["item_id"])
    assert offered == {f"item{i}" for i in range(28) if i != 3} | {"item30"}
    where = "in domain 'home' of toys: 1 (the first is 'item3'), left out"
    note = f"note: items of the model that are not {where}"
    assert note in capsys.readouterr().err


def test_data_that_are_no_dataset_are_refused(model):
    for call in (
        lambda: model.recommend(items=["item1"], data="folder"),
        lambda: model.similar_items("item1", data=interaction_frame()),
        lambda: model.describe(["item1"], data="folder"),
        lambda: model.explain("user1", "item1", data="folder"),
    ):
        with pytest.raises(
            UserError, match=r"data must be a Dataset; got (str|DataFrame); make one"
        ):
            call()


@pytest.mark.parametrize("user", [np.int64(7), 7, 7.0, "7", [7], np.array([7])])
def test_a_single_user_may_be_a_number(user):
    frame = interaction_frame()
    frame["user_id"] = frame["user_id"].str.removeprefix("user").astype(int)
    model = fitted(dataset(frame))
    assert set(model.recommend(user, on_unknown_user="error")["user_id"]) == {"7"}


def test_new_items_with_features_of_another_encoder_are_refused(tmp_path):
    model, table = fitted(), feature_table(N_ITEMS + 1)
    table.manifest["text_encoder"] = {"weights": "other"}
    model._model.table.manifest["text_encoder"] = {"weights": "own"}
    save_feature_table(tmp_path / "features", table, {})
    items = item_frame(N_ITEMS + 1)
    with pytest.raises(UserError, match=r"made with another text encoder .* in weights \(other"):
        model.add_known_features(dataset(items=items), tmp_path / "features")
