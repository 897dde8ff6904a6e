"""Train a small CLIP: labelled images in, a folder that `msm4sr keywords` reads out."""

import json
import random
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from toy_images import COLOURS, SHAPES, labelled_folder, paint

from msm4sr_lite.cli import main
from msm4sr_lite.config import UserError
from msm4sr_lite.features.clip.labelled_images import load_images, read_labels
from msm4sr_lite.features.clip.objective import PROMPT
from msm4sr_lite.features.clip.train_clip import precision_and_recall, train_clip
from msm4sr_lite.features.clip.training import ClipTrainingConfig
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.store.training_files import read_state

TINY = partial(ClipTrainingConfig, batch_size=8, image_size=32, width=0.25, lr=2e-3)


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("clip") / "model"
    return out, train_clip(folder, out, config=TINY(epochs=6), n_test=40, seed=1)


def test_labels_of_unseen_images_are_found(trained):
    _, report = trained
    test = report["test"]
    assert test["images"] == 40
    assert test["precision@2"] > test["by_frequency"]["precision@2"] + 0.2
    assert test["first_of_column"]["colour"] > 0.5  # chance: 0.25
    assert test["first_of_column"]["shape"] > 0.9  # chance: 0.5


def test_shuffled_labels_cannot_be_learnt(tmp_path):
    folder = labelled_folder(tmp_path / "data", shuffled=True)
    test = train_clip(folder, tmp_path / "out", config=TINY(epochs=3), n_test=40, seed=1)["test"]
    assert test["precision@2"] < test["by_frequency"]["precision@2"] + 0.15
    assert test["first_of_column"]["colour"] < 0.5


def test_the_folder_is_an_ordinary_one(trained):
    out, report = trained
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "config.json",
        "evaluation.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "words.txt",
    }
    assert (out / "words.txt").read_text().split() == [*sorted(COLOURS), *sorted(SHAPES)]
    assert json.loads((out / "evaluation.json").read_text()) == report
    card = (out / "README.md").read_text()
    assert f"{report['test']['precision@2']:.3f}" in card
    assert "{" not in card.replace(PROMPT, "")


def test_keywords_reads_the_folder(trained, tmp_path, capsys):
    out, _ = trained
    dataset = tmp_path / "dataset"
    (dataset / "images").mkdir(parents=True)
    paint("blue", "disc", random.Random(5)).save(dataset / "images/1.png")
    (dataset / "items.jsonl").write_text('{"item_id": "1", "image": "images/1.png"}\n')
    (dataset / "interactions.csv").write_text("user_id,item_id,timestamp\nu,1,1\n")
    command = ["keywords", str(dataset), "--out", str(tmp_path / "run"), "--clip", str(out)]
    assert (
        main([*command, "--dictionary", str(out / "words.txt"), "--set", "features.n_keywords=2"])
        == 0
    )
    line = json.loads((tmp_path / "run/keywords/keywords.jsonl").read_text())
    assert "disc" in line["keywords"]
    assert len(line["keywords"]) == 2


def test_same_seed_same_weights_and_report(folder, tmp_path):
    config = TINY(epochs=1, batch_size=64)
    reports = [train_clip(folder, tmp_path / name, config=config) for name in ("a", "b")]
    for report in reports:
        del report["name"], report["minutes"]
    assert reports[0] == reports[1]
    a, b = (tmp_path / name / "model.safetensors" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()


def test_it_stops_early_and_keeps_the_best_epoch(folder, tmp_path, monkeypatch):
    from msm4sr_lite.features.clip import training

    scores = iter([0.2, 0.5, 0.4, 0.3, 0.6])
    monkeypatch.setattr(training, "average_precision", lambda *_: next(scores))
    seen = []
    config = TINY(epochs=5, patience=2, batch_size=64)
    report = train_clip(folder, tmp_path / "out", config=config, callback=seen.append)
    assert (report["epochs"], report["best_epoch"]) == (4, 2)
    assert [epoch.best for epoch in seen] == [True, True, False, False]


def test_nothing_is_written_when_training_fails(folder, tmp_path, monkeypatch):
    from msm4sr_lite.features.clip import train_clip as module

    monkeypatch.setattr(module, "write_card", lambda *_: 1 / 0)
    config = TINY(epochs=1, batch_size=64)
    with pytest.raises(ZeroDivisionError):
        train_clip(folder, tmp_path / "out", config=config)
    (state,) = tmp_path.iterdir()
    assert state.suffix == ".state"
    monkeypatch.undo()
    train_clip(folder, tmp_path / "out", config=config)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_model_that_was_made_meanwhile_is_not_replaced(folder, tmp_path):
    def finish(_):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "model.safetensors").write_text("of another process")

    with pytest.raises(UserError, match="out: already exists; choose a new folder"):
        train_clip(folder, tmp_path / "out", TINY(epochs=1, batch_size=64), callback=finish)
    assert (tmp_path / "out" / "model.safetensors").read_text() == "of another process"


def test_a_stopped_training_goes_on_to_the_same_result(folder, tmp_path):
    config, seen = TINY(epochs=4, batch_size=32), []

    def stop(epoch):
        seen.append(epoch.number)
        if epoch.number == 2:
            raise KeyboardInterrupt

    whole = train_clip(folder, tmp_path / "whole", config=config)
    with pytest.raises(KeyboardInterrupt):
        train_clip(folder, tmp_path / "stopped", config=config, callback=stop)
    assert not (tmp_path / "stopped").exists()
    (state,) = tmp_path.glob("stopped.*.state")
    log = read_state(state)[1]["log"]
    assert [line["recall@20"] for line in log] == [None, None]  # another measure
    assert round(log[1]["parts"]["average_precision"], 4) == whole["log"][1][2]
    other = train_clip(folder, tmp_path / "stopped.2", config=config, seed=1)  # starts anew
    stopped = train_clip(
        folder, tmp_path / "stopped", config=config, callback=lambda e: seen.append(e.number)
    )
    assert seen == [1, 2, 3, 4]
    assert stopped["log"] == whole["log"] != other["log"]
    a, b = (tmp_path / name / "model.safetensors" for name in ("whole", "stopped"))
    assert a.read_bytes() == b.read_bytes()
    assert not list(tmp_path.glob("*.state"))


def test_too_few_images_and_a_full_folder_are_refused(tmp_path, folder):
    with pytest.raises(UserError, match="30 training images; at least 50 needed"):
        train_clip(folder, tmp_path / "out", TINY(), n_test=150)
    with pytest.raises(UserError, match="n_test must be an integer >= 0"):
        train_clip(folder, tmp_path / "out", TINY(), n_test=-1)
    with pytest.raises(UserError, match="epochs must be an integer >= 1 and <= 1000000; got 0"):
        ClipTrainingConfig(epochs=0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match="full: already exists; choose a new folder"):
        train_clip(folder, tmp_path / "full", TINY())


def test_unreadable_images_are_counted_and_left_out(tmp_path, capsys):
    bad = tmp_path / "bad"
    labelled_folder(bad)
    (bad / "images/p3.png").write_bytes(b"no image")
    (bad / "images/p4.png").unlink()
    config = TINY(epochs=1, batch_size=64)
    report = train_clip(bad, tmp_path / "out", config=config)
    told = capsys.readouterr().err
    assert report["unusable_images"] == 2
    assert report["training_images"] + report["validation"]["images"] == 198
    assert "images that cannot be read: 1, the first: images/p3.png" in told
    assert "images of labels.csv that are not in the folder: 1" in told


def test_training_sees_images_as_keywords_will(folder, trained):
    labels = read_labels(folder)[0][:3]
    images, problems = load_images(folder, labels, 32)
    assert (list(images.labels.index), problems) == (list(labels.index), [])
    clip = KeywordTokenizer(str(trained[0]), ["red"])
    seen = clip.image_processor(
        images=[Image.open(folder / name).convert("RGB") for name in labels.index],
        return_tensors="pt",
    )["pixel_values"]
    mean = torch.tensor(clip.image_processor.image_mean)[:, None, None]
    std = torch.tensor(clip.image_processor.image_std)[:, None, None]
    torch.testing.assert_close((images.pixels / 255 - mean) / std, seen, atol=0.02, rtol=0)


def test_precision_counts_missing_labels_as_wrong():
    assert precision_and_recall([["a", "b", "c"]], [{"a"}], 2) == {
        "precision@2": 0.5,
        "recall@10": 1.0,
    }


@pytest.mark.slow
def test_real_photographs(real_data: Path, tmp_path):
    columns = ["product_type_name", "graphical_appearance_name", "perceived_colour_master_name"]
    report = train_clip(
        real_data / "hm_captions",
        tmp_path / "out",
        ClipTrainingConfig(epochs=3),
        columns=columns,
        n_test=400,
    )
    test = report["test"]
    assert test["precision@3"] > test["by_frequency"]["precision@3"] + 0.05


def test_states_of_other_settings_are_named_and_removed_after_success(folder, tmp_path, capsys):
    def stop(_):
        raise KeyboardInterrupt

    config, out = TINY(epochs=1, batch_size=64), tmp_path / "model[1]"
    for seed in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            train_clip(folder, out, config=config, seed=seed, callback=stop)
        said = capsys.readouterr().err
        assert said.count("starting anew") == seed - 1
    other = tmp_path / "model[1].notes.state"
    other.write_text("mine")
    assert len(list(tmp_path.glob("*.state"))) == 3
    train_clip(folder, out, config=config, seed=2)
    assert "starting anew" not in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {out.name, other.name}
    (tmp_path / f"{out.name}.{'0' * 16}.state").touch()  # stopped before it was removed
    with pytest.raises(UserError, match="already exists"):
        train_clip(folder, out, config=config, seed=2)
    assert {path.name for path in tmp_path.iterdir()} == {out.name, other.name}
