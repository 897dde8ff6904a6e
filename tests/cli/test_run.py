"""``msm4sr run``: all stages in order, each made once."""

import json

import pytest
from PIL import Image
from small_commands import QUICK
from toys import toy_dataset

from msm4sr_lite.features.table_files import load_feature_table, read_keywords

STAGES = ("features", "pretrained", "finetuned")


@pytest.fixture
def command(tmp_path, tiny_bert):
    """Return the words of a run on a dataset without images."""
    data = toy_dataset(tmp_path / "toys")
    return ["run", data, "--out", tmp_path / "out", "--text-encoder", tiny_bert, *QUICK]


def test_it_writes_results_and_a_second_run_makes_nothing_again(command, json_of, msm4sr, tmp_path):
    result = json_of(*command)
    assert result == json.loads((tmp_path / "out/results.json").read_text())
    assert set(result["models"]) == {"msm4sr", "popularity", "item_knn"}
    assert result["protocol"].items() >= {"part": "test", "users": 8, "items": 12}.items()
    value = result["models"]["msm4sr"]["ndcg@10"]
    assert 0 <= value["low"] <= value["value"] <= value["high"] <= 1
    assert len(json.loads((tmp_path / "out/access_log.json").read_text())) == 1
    assert not (tmp_path / "out/keywords").exists()  # there are no images

    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("model.safetensors")}
    assert len(times) == 2
    code, out, err = msm4sr(*command)
    assert code == 0
    assert [f"{stage}: done already" in err for stage in STAGES] == [True] * 3
    assert times == {p: p.stat().st_mtime_ns for p in times}
    assert "toys: 8 users, 12 items; test part (leave-one-out); all items ranked" in out
    assert not list((tmp_path / "out").glob(".*"))


@pytest.mark.thorough
def test_a_changed_setting_makes_again_what_depends_on_it(command, msm4sr):
    msm4sr(*command)
    err = msm4sr(*command, "--set", "finetune.lr=0.01")[2]
    assert "pretrained: done already" in err
    assert "finetuned: the input or a setting has changed" in err
    err = msm4sr(*command, "--set", "pretrain.lr=0.01")[2]
    assert "features: done already" in err
    assert "pretrained: the input or a setting has changed" in err
    assert "finetuned: the input or a setting has changed" in err


@pytest.mark.thorough
def test_a_large_batch_on_a_small_dataset_is_noted(command, msm4sr):
    large = ["--set", "pretrain.batch_size=1024"]
    note = "gives 1 steps per epoch; a dataset of this size may train better with batch_size=64"
    err = msm4sr(*command, *large)[2]
    assert f"pretrained: batch_size=1024 {note}" in err
    assert err.count("steps per epoch") == 1


@pytest.mark.thorough
def test_the_seed_changes_the_weights(command, msm4sr, tmp_path):
    weights = []
    for seed in (0, 0, 1):
        msm4sr(*command, "--out", tmp_path / "out", "--seed", seed)
        weights.append((tmp_path / "out/finetuned/model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.thorough
def test_images_become_keywords_and_features(command, msm4sr, mini_clip, tmp_path):
    images, records = tmp_path / "toys/images", []
    images.mkdir()
    for number in range(12):
        Image.new("RGB", (20, 20), (20 * number, 0, 200)).save(images / f"{number}.png")
        image = {"image": f"images/{number}.png"} if number else {}
        records.append({"item_id": f"i{number}", "title": f"Thing {number}", **image})
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "toys/items.jsonl").write_text(text)
    words = tmp_path / "words.txt"
    words.write_text("mug\ntent\nblue\nred\n")
    seen = ["--clip", mini_clip, "--dictionary", words, "--set", "features.n_keywords=2"]
    code, _, err = msm4sr(*command, *seen)
    assert code == 0, err
    keywords = read_keywords(tmp_path / "out/features")
    assert sorted(keywords) == sorted(f"i{n}" for n in range(1, 12))
    assert {len(words) for images in keywords.values() for words in images} == {2}
    table = load_feature_table(tmp_path / "out/features")
    assert table.image.counts.tolist() == [0, 0] + [1] * 11
    assert "keywords: done already" in msm4sr(*command, *seen)[2]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--baselines", "magic"], "no baseline 'magic'; there are popularity, item_knn"),
        (["--set", "data.min_user_interactions=1"], "min_user_interactions must be at least 3"),
        (["--set", "model.feature_dim=3"], "model.feature_dim is set by the data; leave it out"),
        (["--text-encoder", "nowhere/at/all"], "nowhere/at/all"),
        (["--features", "nowhere"], "nowhere: not a feature table"),
    ],
)
def test_mistakes_leave_nothing_behind(command, more, message, refused, tmp_path):
    assert message in refused(*command, *more)
    left = [p for p in (tmp_path / "out").rglob("*") if p.is_file()] if more[0] != "--text" else []
    assert [p for p in left if "cache" not in p.parts] == []


def test_it_runs_in_one_process(command, refused, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "under torchrun there are pretrain, finetune, evaluate" in refused(*command)
    assert not (tmp_path / "out").exists()
