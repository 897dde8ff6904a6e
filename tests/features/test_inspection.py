"""Checking a feature table against its encoder, and describing one."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import text_model
from toys import toy_dataset, toy_table

from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.features.inspection import (
    changed_items,
    check_features,
    report_features,
    table_fits,
)
from msm4sr_lite.features.stages import compute_features
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.store.checksums import write_checksums


@pytest.fixture
def made(tiny_bert, tmp_path):
    """A dataset folder and a run folder with its features."""
    folder = toy_dataset(tmp_path / "dataset")
    compute_features(Dataset.from_folder(folder), tmp_path / "run", text_encoder=tiny_bert)
    return folder, tmp_path / "run"


def test_a_table_equals_what_its_encoder_makes_again(made, tiny_bert):
    folder, run = made
    for place in (run, run / "features"):
        report = check_features(Dataset.from_folder(folder), place, text_encoder=tiny_bert)
        assert report["text"] == {"n_embeddings": 12, "largest_difference": 0.0}
        assert report["image"] == {"n_embeddings": 0, "largest_difference": 0.0}


def test_a_changed_table_or_dataset_is_refused(made, tiny_bert, tmp_path):
    folder, run = made
    changed = shutil.copytree(run, tmp_path / "changed")
    embeddings = np.load(changed / "features/text.npy")
    embeddings[3] += 0.01
    np.save(changed / "features/text.npy", embeddings)
    write_checksums(changed / "features")
    with pytest.raises(UserError, match=r"text embeddings differ by 1\.\de-02, more than 0.001"):
        check_features(Dataset.from_folder(folder), changed, text_encoder=tiny_bert)

    items = folder / "items.jsonl"
    text = items.read_text(encoding="utf-8")
    items.write_text(text.replace('"Thing 3"', '"Thing 3", "description": "A mug."'))
    with pytest.raises(UserError, match="the dataset's text has changed since"):
        check_features(Dataset.from_folder(folder), run, text_encoder=tiny_bert)
    items.write_text(text.replace('"i3"', '"another"'))
    dataset = Dataset.from_folder(folder, unknown_items="drop")
    with pytest.raises(UserError, match="item 'i3' is no longer in the dataset"):
        check_features(dataset, run, text_encoder=tiny_bert)


def test_the_report_counts_slots():
    table = toy_table(text=[2, 0, 3], image=[0, 0, 1])
    report = report_features(table)
    assert (report["n_items"], report["width"]) == (3, 11)
    text, image = report["text"], report["image"]
    assert (text["n_slots"], text["items_without"], text["max_slots"]) == (5, 1, 3)
    assert (text["mean_slots"], text["n_distinct"]) == (2.5, 5)
    assert image["mean_cosine"] is None  # one slot has no pair


def test_the_mean_cosine_is_that_of_all_pairs():
    embeddings = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float16)
    slots = make_slots(np.concatenate([embeddings, embeddings[:1]]), np.array([0, 3, 4]))
    report = report_features(FeatureTable(["", "a", "b"], slots, slots, {}))["text"]
    unit = torch.nn.functional.normalize(slots.vectors.float(), dim=-1)
    pairs = [float(unit[i] @ unit[j]) for i in range(7) for j in range(i)]
    assert report["mean_cosine"] == pytest.approx(np.mean(pairs), abs=1e-6)
    assert report["n_distinct"] == 6


def test_a_table_fits_the_dataset_that_it_was_made_from(made):
    folder, run = made
    table = load_feature_table(run / "features")
    assert table_fits(Dataset.from_folder(folder), table)
    assert not table_fits(Dataset.from_folder(folder), table.for_items(table.items[:-1]))
    items = folder / "items.jsonl"
    text = items.read_text(encoding="utf-8")
    items.write_text(text.replace('"Thing 3"', '"Thing 3", "description": "A mug."'))
    changed = Dataset.from_folder(folder)
    assert not table_fits(changed, table)
    assert changed_items(changed, table) == ["i3"]
    assert changed_items(changed, table, ["i2", "gone"]) == []


def test_a_local_encoder_is_found_again_from_anywhere(tiny_bert, tmp_path, monkeypatch):
    """It is remembered where it lay; the hub is never asked for the last part of a path."""
    folder = toy_dataset(tmp_path / "dataset")
    shutil.copytree(tiny_bert, tmp_path / "models" / "bert")
    monkeypatch.chdir(tmp_path)
    table = compute_features(
        Dataset.from_folder(folder), tmp_path / "run", text_encoder="models/bert"
    )
    assert table.manifest["text_encoder"]["name"] == "bert"
    monkeypatch.chdir(folder)
    monkeypatch.setattr("huggingface_hub.snapshot_download", pytest.fail)
    check = partial(check_features, Dataset.from_folder(folder), tmp_path / "run")
    assert check()["text"]["largest_difference"] == 0
    shutil.move(tmp_path / "models", tmp_path / "moved")
    with pytest.raises(UserError, match=r"'bert' of the features is no longer in .*models/bert;"):
        check()
    assert check(text_encoder=str(tmp_path / "moved" / "bert"))["text"]["n_embeddings"] == 12
    # Another encoder in the old place.
    text_model("bert", tmp_path / "models" / "bert")
    with pytest.raises(UserError, match=r"differs from the text encoder .* in weights"):
        check()


def test_the_place_of_an_encoder_does_not_change_the_features(tiny_bert, tmp_path):
    dataset = Dataset.from_folder(toy_dataset(tmp_path / "dataset"))
    copy = shutil.copytree(tiny_bert, tmp_path / "other" / "place" / Path(tiny_bert).name)
    tables = [
        compute_features(dataset, tmp_path / f"run{number}", text_encoder=str(name))
        for number, name in enumerate((tiny_bert, copy))
    ]
    places = [table.manifest.pop("text_encoder_path") for table in tables]
    assert places == [Path(name).resolve().as_posix() for name in (tiny_bert, copy)]
    same = ("content", "text_encoder")
    assert [tables[0].manifest[key] for key in same] == [tables[1].manifest[key] for key in same]
