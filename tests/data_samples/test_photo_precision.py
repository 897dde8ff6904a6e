"""How the keywords of photographs are counted, and what is added to a model's evaluation."""

import json
import shutil
from pathlib import Path

import pytest
from toy_photos import make_source

from data_samples.make import photo_precision
from data_samples.make.photo_precision import main, score
from data_samples.make.photos import Photo

ROOT = Path(__file__).parents[2]
APPLE = Photo("a.jpg", "granny smith", "apple", "fruit")
LEEK = Photo("b.jpg", "leek", "leek", "vegetable")


def test_precision_and_recall_are_those_counted_by_hand() -> None:
    ranked = [
        ["fruit", "leek", "apple", "lime", "granny smith", "vegetable"],
        ["leek", "granny smith", "fruit", "vegetable", "apple", "lime"],
    ]
    report = score([APPLE, LEEK], ranked)
    assert report["images"] == 2
    assert report["precision"] == [1.0, 0.5, 0.5, 0.5, 0.5]
    assert report["best_possible"] == [1.0, 1.0, 0.8333, 0.625, 0.5]
    assert report["recall"] == [0.4167, 0.4167, 0.5833, 0.8333, 1.0]
    assert report["right_product"] == 0.5  # "leek" is named before "granny smith"
    assert report["right_kind"] == 0.5


def test_the_command_adds_figures_to_the_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"images/val_{k}.jpg,val,leek,leek,vegetable" for k in "12"]
    shipped = make_source(tmp_path / "shipped", rows[:1])
    make_source(tmp_path, [*rows, "images/train_3.jpg,train,leek,leek,vegetable"])
    clip = tmp_path / "clip"
    shutil.copytree(ROOT / "data_samples" / "mini_clip", clip)
    (clip / "words.txt").write_text("leek\nvegetable\nmug\n", "utf-8")
    (clip / "evaluation.json").write_text('{"seed": 5, "best_epoch": 2, "weights": 1}', "utf-8")
    monkeypatch.setattr(photo_precision, "SHIPPED", shipped)
    monkeypatch.setenv("MSM4SR_DATA", str(tmp_path / "nowhere"))
    assert main([str(clip)]) == 2
    monkeypatch.setenv("MSM4SR_DATA", str(tmp_path))
    assert main([str(tmp_path / "no_clip")]) == 2
    assert main([str(clip), "--others", str(clip)]) == 0
    report = json.loads((clip / "evaluation.json").read_text("utf-8"))
    assert report["weights"] == 1
    assert (report["held_out"]["images"], report["shipped"]["images"]) == (2, 1)
    assert report["held_out"]["precision"][2] == 0.6667  # all words: leek, vegetable and mug
    (other,) = report["other_seeds"]
    assert other == {"seed": 5, "best_epoch": 2, **report["held_out"]}
