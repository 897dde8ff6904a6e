"""A saved model: what it holds, what it replaces, and what is wrong with a damaged one."""

import json
import shutil

import pytest
from small_dataset import (
    dataset,
    feature_table,
    fitted,
)

from msm4sr_lite import MSM4SR, UserError
from msm4sr_lite.store.checksums import write_checksums


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model; copy it before changing it."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted().save_pretrained(folder)
    return folder


def test_it_holds_no_user_ids_and_no_interactions(tmp_path):
    fitted().save_pretrained(tmp_path / "model")
    for path in (tmp_path / "model").rglob("*"):
        if path.is_file():
            assert b"user1" not in path.read_bytes(), path


def test_it_recommends_as_before(tmp_path):
    model = fitted()
    model.save_pretrained(tmp_path / "model")
    loaded = MSM4SR.from_pretrained(tmp_path / "model")
    assert loaded.recommend(items=["item1", "item2"]).equals(
        model.recommend(items=["item1", "item2"])
    )
    assert loaded.recommend(data=dataset()).equals(model.recommend())
    assert loaded.get_params()["pretrain__batch_size"] == 64
    assert loaded.evaluate(dataset()).models == model.evaluate().models


def test_it_replaces_a_model_but_nothing_else(tmp_path):
    model = fitted()
    model.save_pretrained(tmp_path / "model")
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="not a model folder"):
        model.save_pretrained(tmp_path / "notes")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep me"


def test_it_does_not_replace_a_stage_of_a_run_folder(tmp_path):
    model = fitted(run_dir=tmp_path / "run")
    stage = tmp_path / "run" / "finetuned"
    before = (stage / "record.json").read_bytes()
    with pytest.raises(UserError, match="not a model folder"):
        model.save_pretrained(stage)
    assert (stage / "record.json").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"x"])
@pytest.mark.parametrize("name", ["config.json", "items.json", "record.json", "model.safetensors"])
def test_a_damaged_file_is_one_line(tmp_path, saved, name, content):
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(content)
    with pytest.raises(UserError):
        MSM4SR.from_pretrained(tmp_path / "model")


def test_features_of_another_text_encoder_are_refused(tmp_path):
    table = feature_table()
    table.manifest["text_encoder"] = {"name": "one", "weights": "a", "pooling": "mean"}
    model = fitted(features=table)
    model.save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "features" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["text_encoder"]["weights"] = "b"
    path.write_text(json.dumps(manifest))
    write_checksums(path.parent)
    with pytest.raises(UserError, match="differs from that of its training in weights"):
        MSM4SR.from_pretrained(tmp_path / "model")


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(UserError, match="no trained model in this folder"):
        MSM4SR.from_pretrained(tmp_path)


def test_a_model_with_new_items_can_be_saved(tmp_path):
    from msm4sr_lite import MSM4SR

    model = fitted()
    model.add_features(feature_table(32).for_items(["", "item30", "item31"]))
    before = model.recommend(items=["item1"], k=32)
    model.save_pretrained(tmp_path / "model")
    assert (
        MSM4SR.from_pretrained(tmp_path / "model").recommend(items=["item1"], k=32).equals(before)
    )
