"""The labelled folder that a small CLIP is trained on."""

from pathlib import Path

import pytest
from PIL import Image

from data_samples.make.drawing import Look
from data_samples.make.keyword_precision import keyword_precision
from data_samples.make.labelled_images import COLUMNS, main, write_labelled_images
from data_samples.make.labels import WORDS, is_held_out, true_words
from msm4sr_lite.features.clip.labelled_images import label_words, read_labels
from msm4sr_lite.features.clip.train_clip import train_clip
from msm4sr_lite.features.clip.training import ClipTrainingConfig


def looks(folder: Path) -> list[Look]:
    cells = [line.split(",") for line in (folder / "labels.csv").read_text("utf-8").splitlines()]
    assert cells[0] == ["image", *COLUMNS]
    return [Look(*row[1:]) for row in cells[1:]]


def test_a_folder_that_is_there_is_not_replaced(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SystemExit, match="2"):
        main(["--out", str(tmp_path), "--count", "1"])
    assert f"{tmp_path}: already exists; choose a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_labels_are_the_true_words_of_the_images(tmp_path):
    main(["--out", str(tmp_path / "drawings"), "--count", "60"])
    labels, _ = read_labels(tmp_path / "drawings", COLUMNS)
    assert len(labels) == 60
    assert {word for words in label_words(labels).values() for word in words} <= set(WORDS)
    rows = [{word for cell in row for word in cell} for row in labels.to_numpy()]
    assert rows == [set(true_words(look)) for look in looks(tmp_path / "drawings")]
    with Image.open(tmp_path / "drawings" / labels.index[0]) as image:
        assert image.size == (96, 96)


def test_no_held_out_look_is_drawn_and_the_same_seed_draws_the_same(tmp_path):
    for name in ("a", "b"):
        write_labelled_images(tmp_path / name, 40, seed=3)
    assert not any(is_held_out(look) for look in looks(tmp_path / "a"))
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*")]
    assert len(files) == 41
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_an_accent_that_cannot_be_seen_is_no_label(tmp_path):
    write_labelled_images(tmp_path / "a", 40, seed=3)
    for look in looks(tmp_path / "a"):
        assert (look.accent == "") == (look.pattern == "plain")


def test_train_clip_makes_a_model_whose_keywords_can_be_measured(tmp_path):
    """The whole way in a minute; docs/train_clip.md says what a full training reaches."""
    write_labelled_images(tmp_path / "drawings", 150)
    config = ClipTrainingConfig(epochs=1, image_size=32, width=0.25)
    train_clip(tmp_path / "drawings", tmp_path / "clip", config, columns=COLUMNS)
    report = keyword_precision(tmp_path / "clip", count=4)
    assert report["dictionary"]["labels"] == len(WORDS)
    assert 0 < report["all_views"]["top5_precision"] < report["all_views"]["best_possible"]
