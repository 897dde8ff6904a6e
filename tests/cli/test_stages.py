"""``msm4sr run``, its stages one by one, and ``evaluate``."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file
from small_commands import FINETUNE, MODEL, PRETRAIN, QUICK, dataset_with_features, read_log
from toys import toy_dataset

from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.store.checksums import write_checksums


@pytest.fixture
def made(tmp_path, tiny_bert, msm4sr):
    """A dataset without images, and a run folder with its features."""
    data = toy_dataset(tmp_path / "toys")
    command = ["features", data, "--out", tmp_path / "run", "--text-encoder", tiny_bert]
    assert msm4sr(*command)[0] == 0
    return command


def test_texts_need_no_keywords(made, json_of, tmp_path):
    assert not (tmp_path / "run/keywords").exists()
    found = json_of(*made)
    assert (found["stage"], found["folder"]) == ("features", str(tmp_path / "run/features"))
    assert found["width"] == 20


def test_without_images_the_stage_keywords_has_nothing_to_do(made, json_of, tmp_path):
    found = json_of("keywords", made[1], "--out", tmp_path / "run")
    assert (found["stage"], found["images"], found["skipped"]) == ("keywords", 0, 0)


def test_check_compares_with_new_embeddings(made, json_of, msm4sr, refused, tmp_path):
    assert json_of(*made, "--check")["text"] == {"n_embeddings": 12, "largest_difference": 0.0}
    assert "text          n_embeddings 12, largest_difference 0" in msm4sr(*made, "--check")[1]
    embeddings = np.load(tmp_path / "run/features/text.npy")
    np.save(tmp_path / "run/features/text.npy", embeddings + np.float16(0.5))
    assert "has changed since it was written" in refused(*made, "--check")
    write_checksums(tmp_path / "run/features")
    assert "text embeddings differ by" in refused(*made, "--check")


def test_report_describes_the_table(made, json_of, msm4sr):
    found = json_of(*made, "--report")
    assert (found["n_items"], found["width"], found["text"]["n_slots"]) == (12, 20, 12)
    out = msm4sr(*made, "--report")[1]
    assert "n_items       12\n" in out
    assert "mean_cosine" in out.splitlines()[-2]
    assert "mean_cosine" not in out.splitlines()[-1]  # no image, so no pair of images
    assert found["text"]["recommended"] == {"whitening": "none", "whitening_dim": 0}
    assert "recommended (whitening none, whitening_dim 0)" in out
    assert {"none", "centre", "pca"} <= set(found["text"]["ndcg@10"])


def test_report_without_validation_leaves_the_neighbours_out(made, msm4sr, tmp_path):
    table = "user_id,item_id,timestamp\nu,i1,1\n"
    (made[1] / "interactions.csv").write_text(table, encoding="utf-8")
    code, out, err = msm4sr(*made, "--report")
    assert code == 0
    assert "mean_cosine" in out
    assert "recommended" not in out
    assert "note: nearest neighbours are not compared: " in err


def test_a_feature_folder_can_be_named_itself(made, json_of, tmp_path):
    folder = tmp_path / "run/features"
    assert json_of("features", made[1], "--out", folder, "--report")["folder"] == str(folder)


def test_mistakes_are_one_line(made, refused, tmp_path):
    assert "not allowed with argument --check" in refused(*made, "--check", "--report")
    nowhere = ["features", made[1], "--out", tmp_path / "nowhere"]
    assert "no such folder; give the folder of the features" in refused(*nowhere, "--report")
    assert "workers must be an integer >= 1 and <= 1000; got 0" in refused(
        "keywords", made[1], "--out", tmp_path / "x", "--workers", "0"
    )
    assert not (tmp_path / "x").exists()
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "run").write_text("a file where the run folder should be")
    assert "run" in refused(*made)


def features_with(data, folder, encoder, msm4sr, *more):
    code, _, err = msm4sr("features", data, "--out", folder, "--text-encoder", encoder, *more)
    assert code == 0, err
    return folder / "features"


@pytest.mark.thorough
def test_the_stages_one_by_one_equal_run(tmp_path, tiny_bert, json_of, msm4sr):
    data, out = toy_dataset(tmp_path / "toys"), tmp_path / "steps"
    whole = ["run", data, "--out", tmp_path / "whole", "--text-encoder", tiny_bert, *QUICK]
    expected = json_of(*whole)
    features_with(data, out, tiny_bert, msm4sr)
    found = json_of("pretrain", data, "--out", out, *MODEL, *PRETRAIN)
    assert (found["stage"], found["folder"]) == ("pretrain", str(out / "pretrained"))
    assert found["training"]["epochs"] == 2
    assert msm4sr("finetune", data, "--out", out, *FINETUNE)[0] == 0
    assert json_of("evaluate", data, "--model", out, "--part", "test") == expected


def test_ready_features_are_used_if_they_fit(tmp_path, msm4sr, refused):
    data, out = dataset_with_features(tmp_path / "toys"), tmp_path / "out"
    command = ["pretrain", data, "--out", out, *MODEL, *PRETRAIN]
    code, _, err = msm4sr(*command)
    assert code == 0
    assert f"features: using those in {data / 'features'}" in err
    assert not (out / "features").exists()
    with (data / "items.jsonl").open("a") as stream:
        stream.write('{"item_id": "n1", "title": "New"}\n')
    message = "features does not fit toys: an item is missing"
    assert message in refused(*command, "--features", data / "features")


def test_fine_tuning_needs_a_pre_trained_model(tmp_path, refused):
    data = dataset_with_features(tmp_path / "toys")
    features = ["--features", data / "features"]
    message = "no pre-trained model; pre-train one"
    assert message in refused("finetune", data, "--out", tmp_path / "out", *features)


@pytest.mark.thorough
def test_fine_tuning_on_other_features_is_made_again(tmp_path, tiny_bert, msm4sr):
    data, out = toy_dataset(tmp_path / "toys"), tmp_path / "out"
    first = features_with(data, out, tiny_bert, msm4sr)
    assert msm4sr("pretrain", data, "--out", out, *MODEL, *PRETRAIN)[0] == 0
    command = ["finetune", data, "--out", out, *FINETUNE, "--features"]
    msm4sr(*command, first)
    assert "finetuned: done already" in msm4sr(*command, first)[2]
    titles = data / "items.jsonl"
    titles.write_text(titles.read_text().replace("Thing 1", "Another thing"))
    code, _, err = msm4sr(*command, first)
    assert (code, "a text or image has changed" in err) == (2, True)
    second = features_with(data, tmp_path / "other", tiny_bert, msm4sr)
    code, _, err = msm4sr(*command, second)
    assert code == 0
    assert "finetuned: an input or a setting has changed" in err


@pytest.mark.thorough
@pytest.mark.parametrize("what", ["weights", "pooling"])
def test_features_of_another_text_encoder_are_refused(what, tmp_path, tiny_bert, msm4sr, refused):
    """They can be as wide as the model's, so nothing else would notice."""
    data, out, other = toy_dataset(tmp_path / "toys"), tmp_path / "out", tmp_path / "other"
    features_with(data, out, tiny_bert, msm4sr)
    msm4sr("pretrain", data, "--out", out, *MODEL, *PRETRAIN)
    msm4sr("finetune", data, "--out", out, *FINETUNE)
    encoder, more = tiny_bert, ["--set", "features.pooling=cls"]
    if what == "weights":
        encoder, more = tmp_path / "bert", []
        shutil.copytree(tiny_bert, encoder)
        model = load_file(f"{tiny_bert}/model.safetensors")
        model["embeddings.word_embeddings.weight"] += 1
        save_file(model, encoder / "model.safetensors", metadata={"format": "pt"})
    features = features_with(data, other, encoder, msm4sr, *more)
    for command in (
        ["evaluate", data, "--model", out],
        ["recommend", data, "--model", out, "--items", "i1,i2"],
        ["finetune", data, "--out", out],
    ):
        message = f"text encoder of these features differs from that of its training in {what} ("
        assert message in refused(*command, "--features", features)
        if command[0] != "finetune":
            assert msm4sr(*command)[0] == 0


def test_the_log_has_the_parts_of_the_loss(tmp_path, msm4sr):
    data, out = dataset_with_features(tmp_path / "toys"), tmp_path / "out"
    command = ["pretrain", data, "--out", out, "--features", data / "features", *MODEL]
    assert msm4sr(*command, "--set", "pretrain.epochs=3")[0] == 0
    lines = read_log(out)
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert set(line["parts"]) == {"nip_text", "nip_image", "cmcl"}
        total = line["parts"]["nip_text"] + line["parts"]["nip_image"]
        assert line["loss"] == pytest.approx(total + 0.01 * line["parts"]["cmcl"], abs=1e-4)
        assert line["targets"] == 60 * 3


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path, refused):
    data = dataset_with_features(tmp_path / "toys")
    (tmp_path / "out").write_text("a file where the run folder should be")
    command = ["pretrain", data, "--out", tmp_path / "out", "--features", data / "features"]
    assert "out: " in refused(*command, *MODEL, *PRETRAIN)


# ----------------------------------------------------------------------------- run

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
    assert {path.name for path in (tmp_path / "out").glob(".*")} <= {".lock"}


@pytest.mark.thorough
def test_a_changed_setting_makes_again_what_depends_on_it(command, msm4sr):
    msm4sr(*command)
    err = msm4sr(*command, "--set", "finetune.lr=0.01")[2]
    assert "pretrained: done already" in err
    assert "finetuned: an input or a setting has changed" in err
    err = msm4sr(*command, "--set", "pretrain.lr=0.01")[2]
    assert "features: done already" in err
    assert "pretrained: an input or a setting has changed" in err
    assert "finetuned: an input or a setting has changed" in err


@pytest.mark.thorough
def test_a_large_batch_on_a_small_dataset_is_noted(command, msm4sr):
    large = ["--set", "pretrain.batch_size=1024"]
    note = ": 1 step per epoch; a dataset of this size may train better with batch_size=64"
    err = msm4sr(*command, *large)[2]
    assert f"pretrained: batch_size=1024{note}" in err
    assert err.count("step per epoch") == 1


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


def test_training_on_everything_evaluates_nothing(toy, msm4sr, json_of, refused, tmp_path):
    out = tmp_path / "out"
    command = ["run", toy.data, "--out", out, "--features", toy.data / "features", *QUICK]
    json_of(*command)
    code, printed, err = msm4sr(*command, "--all-data")
    assert code == 0
    assert printed == f"{out}: trained on every interaction; nothing is held out or evaluated\n"
    assert "second run: on every interaction" in err
    assert not (out / "results.json").exists()  # those of the model before
    assert json_of(*command, "--all-data") == {"run": str(out), "evaluated": False}
    assert json.loads((out / "finetuned/record.json").read_text())["split"] is None
    assert "trained on every interaction (split=None)" in refused(
        "evaluate", toy.data, "--model", out
    )
    assert json_of("recommend", toy.data, "--model", out, "--user", "u1")["recommendations"]
    message = "--baselines has no effect with --all-data; leave it out"
    assert message in refused(*command, "--all-data", "--baselines", "popularity")


def test_no_baselines_at_all(toy, json_of):
    found = json_of("evaluate", toy.data, "--model", toy.run, "--baselines", "")
    assert list(found["models"]) == ["msm4sr"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--baselines", "magic"], "no baseline 'magic'; choose from popularity, item_knn"),
        (["--set", "data.min_user_interactions=1"], "min_user_interactions must be at least 3"),
        (["--set", "model.feature_dim=3"], "model.feature_dim is set by the data; leave it out"),
        (["--text-encoder", "nowhere/at/all"], "nowhere/at/all"),
        (
            ["--features", "nowhere", "--set", "features.n_keywords=3"],
            "--set features.n_keywords has no effect with --features",
        ),
        (["--features", "nowhere"], "nowhere: no such folder; give the folder of the features"),
    ],
)
def test_mistakes_leave_nothing_behind(command, more, message, refused, tmp_path):
    assert message in refused(*command, *more)
    left = [p for p in (tmp_path / "out").rglob("*") if p.is_file()] if more[0] != "--text" else []
    assert [p for p in left if "cache" not in p.parts] == []


def test_it_runs_in_one_process(command, refused, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "torchrun is only for pretrain, finetune, evaluate" in refused(*command)
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------ evaluate


@pytest.fixture
def evaluation(toy):
    """Return the words of an evaluation of the finished run."""
    return ["evaluate", toy.data, "--model", toy.run]


def test_json_has_the_documented_keys(evaluation, json_of, toy):
    found = json_of(*evaluation, "--part", "test")
    assert set(found) == {"dataset", "protocol", "models", "upper_bound", "notes"}
    assert found == json.loads((toy.run / "results.json").read_text())
    assert set(found["models"]["msm4sr"]["ndcg@10"]) == {"value", "low", "high"}
    assert found["protocol"] == {
        "part": "test",
        "split": "leave-one-out",
        "users": 60,
        "items": 40,
        "candidates": "all",
        "filter_seen": True,
    }


def test_the_validation_part_is_measured_by_default(evaluation, json_of):
    found = json_of(*evaluation)
    assert found["protocol"]["part"] == "valid"
    assert found["models"] != json_of(*evaluation, "--part", "test")["models"]


def test_seen_items_are_filtered_or_kept_or_both(evaluation, json_of, msm4sr):
    both = json_of(*evaluation, "--filter-seen", "both")["results"]
    assert [one["protocol"]["filter_seen"] for one in both] == [False, True]
    assert both[0] == json_of(*evaluation, "--filter-seen", "no")
    assert both[1] == json_of(*evaluation)
    assert both[0]["models"] != both[1]["models"]
    out = msm4sr(*evaluation, "--filter-seen", "both")[1]
    assert out.count("seen items kept\n") == out.count("seen items filtered out\n") == 1


def test_baselines_are_those_asked_for(evaluation, msm4sr, refused):
    out = msm4sr(*evaluation, "--baselines", "popularity, sequential_rules")[1]
    assert "\nsequential_rules  " in out
    assert "item_knn" not in out
    assert msm4sr(*evaluation, "--baselines", "")[0] == 0
    message = "no baseline 'magic'; choose from popularity, item_knn"
    assert message in refused(*evaluation, "--baselines", "magic")


def test_listed_candidates_compete_with_each_target(evaluation, json_of, refused, tmp_path):
    everything, listed = json_of(*evaluation), tmp_path / "candidates.txt"
    for count in (40, 2):
        listed.write_text("".join(f"i{n}\n" for n in range(count)))
        found = json_of(*evaluation, "--candidates", listed)
        assert found["protocol"]["candidates"] == count
        assert (found["models"] == everything["models"]) == (count == 40)
    assert found["models"]["msm4sr"]["recall@5"]["value"] == 1  # at most two rivals
    listed.write_text("i1\nghost\n")
    assert "candidates: 'ghost' is not an item of the model" in refused(
        *evaluation, "--candidates", listed
    )
    listed.write_text("\n")
    assert "candidates.txt: no item_id in it" in refused(*evaluation, "--candidates", listed)
    nowhere = tmp_path / "none.txt"
    assert "none.txt: no such file" in refused(*evaluation, "--candidates", nowhere)


def test_a_folder_without_a_model_is_refused(toy, refused, tmp_path):
    message = "no trained model in this folder; give a run folder"
    assert message in refused("evaluate", toy.data, "--model", tmp_path)


def test_items_that_the_model_does_not_know_are_refused(toy, refused, tmp_path):
    data = tmp_path / "bigger"
    data.mkdir()
    item = '{"item_id": "new", "title": "N"}\n'
    for name, more in (("interactions.csv", "u1,new,9\n"), ("items.jsonl", item)):
        (data / name).write_text((toy.data / name).read_text() + more)
    assert "(the first is 'new')" in refused("evaluate", data, "--model", toy.run)


def test_an_ensemble_is_chosen_evaluated_used_and_explained(msm4sr, json_of, tmp_path):
    data, out = dataset_with_features(tmp_path / "dataset", without_image=["i0"]), tmp_path / "run"
    words = [data, "--out", out, "--ensemble", "auto", *QUICK]
    code, printed, err = msm4sr("run", *words)
    assert code == 0
    rows = [line.split()[0] for line in printed.splitlines()[3:5]]
    assert rows == ["msm4sr", "ensemble"]
    assert "; validation NDCG@10 0." in err
    results = json.loads((out / "results.json").read_text())
    assert [*results["models"]][:2] == ["msm4sr", "ensemble"]
    assert [*json_of("evaluate", data, "--model", out)["models"]][:2] == ["msm4sr", "ensemble"]

    found = json_of("recommend", data, "--model", out, "--user", "u3", "--why")
    first = found["recommendations"][0]
    assert first["score"] == pytest.approx(sum(first["by_part"].values()))
    parts = [piece for piece in first["why"] if piece["kind"] == "part"]
    assert first["why"][: len(parts)] == parts
    assert {piece["text"]: piece["effect"] for piece in parts} == pytest.approx(first["by_part"])
    name, value = next(iter(first["by_part"].items()))
    printed = msm4sr("recommend", data, "--model", out, "--user", "u3", "--why")[1]
    start = f"  score {first['score']:.3f} = {name} {value:.3f} "
    line = next(line for line in printed.splitlines() if line.startswith(" 1. "))
    assert start in line
    assert f"  (neural model: text {first['by_modality']['text']:.3f} + image " in line
    assert "      because:  part " not in printed

    msm4sr("finetune", *words[:3], *FINETUNE)  # the preset has none
    assert [*json_of("evaluate", data, "--model", out, "--baselines", "")["models"]] == ["msm4sr"]
    msm4sr("finetune", *words[:5], *FINETUNE)
    assert msm4sr("check", out)[0] == 0
    assert "ensemble" in json_of("evaluate", data, "--model", out)["models"]
