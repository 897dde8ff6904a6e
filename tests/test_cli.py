"""The commands, from a shop folder to recommendations, and their words for mistakes."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest
from msm4sr_lite.cli.flags import from_flags
from safetensors.torch import load_file, save_file

from msm4sr_lite.cli import build_parser, main
from msm4sr_lite.config import (
    DataConfig,
    FeatureConfig,
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
)
from tests.toys import toy_dataset

QUICK = ["--pretrain-epochs", "2", "--finetune-epochs", "2", "--dim", "8", "--ffn-dim", "8"]


@pytest.fixture
def run(tmp_path, tiny_bert):
    """Return a function that runs ``msm4sr run`` on a toy shop."""
    dataset = toy_dataset(tmp_path / "dataset")

    def command(*extra):
        return main(["run", str(dataset), "--out", str(tmp_path / "out"), "--text-encoder", tiny_bert,
                     *QUICK, *extra])  # fmt: skip

    return command


def last_json(capsys):
    return json.loads(capsys.readouterr().out)


def test_run_writes_results_and_a_second_run_skips_every_stage(run, tmp_path, capsys):
    assert run("--json") == 0
    result = last_json(capsys)
    assert result == json.loads((tmp_path / "out/results.json").read_text())
    assert set(result["models"]) == {"msm4sr", "popularity", "item_knn"}
    assert result["protocol"]["split"] == "leave-one-out"
    assert (result["users"], result["items"], result["upper_bound"]) == (8, 12, {})
    value = result["models"]["msm4sr"]["ndcg@10"]
    assert 0 <= value["low"] <= value["value"] <= value["high"] <= 1

    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("model.safetensors")}
    assert len(times) == 2
    assert run() == 0
    told = capsys.readouterr().err
    for stage in ("keywords", "features", "pretrained", "finetuned"):
        assert f"{stage}: done already" in told
    assert times == {p: p.stat().st_mtime_ns for p in times}


def test_few_steps_an_epoch_are_told(run, capsys):
    run()
    told = capsys.readouterr().err
    for stage in ("pretrained", "finetuned"):
        assert f"{stage}: few steps an epoch, 1; a shop of this size may learn more" in told
    assert told.count("with a batch size of 64\n") == 2
    run("--pretrain-batch-size", "64", "--finetune-batch-size", "64")
    assert "few steps" not in capsys.readouterr().err


def test_a_changed_setting_redoes_exactly_what_depends_on_it(run, capsys):
    run()
    capsys.readouterr()
    run("--finetune-lr", "0.01")
    told = capsys.readouterr().err
    assert "pretrained: done already" in told
    assert "finetuned: the input or a setting has changed" in told
    run("--pretrain-lr", "0.01")
    told = capsys.readouterr().err
    assert "features: done already" in told
    assert "pretrained: the input or a setting has changed" in told
    assert "finetuned: the input or a setting has changed" in told


def test_the_stages_one_by_one_equal_run(run, tmp_path, tiny_bert, capsys):
    run("--json")
    expected = last_json(capsys)
    dataset, out = str(tmp_path / "dataset"), str(tmp_path / "steps")
    small = ["--dim", "8", "--ffn-dim", "8", "--epochs", "2"]
    assert main(["keywords", dataset, "--out", out, "--json"]) == 0
    assert last_json(capsys)["pictures"] == 0
    assert main(["features", dataset, "--out", out, "--text-encoder", tiny_bert]) == 0
    assert main(["features", dataset, "--out", out, "--text-encoder", tiny_bert, "--check"]) == 0
    assert main(["pretrain", dataset, "--out", out, *small]) == 0
    assert main(["finetune", dataset, "--out", out, "--epochs", "2"]) == 0
    capsys.readouterr()
    assert main(["evaluate", dataset, "--model", out, "--json"]) == 0
    assert last_json(capsys)["models"] == expected["models"]


def test_evaluate_both_ways_and_as_a_table(run, tmp_path, capsys):
    run("--filter-seen", "both", "--json")
    results = last_json(capsys)["results"]
    assert [r["protocol"]["filter_seen"] for r in results] == [False, True]
    dataset, out = str(tmp_path / "dataset"), str(tmp_path / "out")
    assert main(["evaluate", dataset, "--model", out, "--baselines", "popularity"]) == 0
    printed = capsys.readouterr().out
    assert "popularity" in printed
    assert "item_knn" not in printed
    assert main(["evaluate", dataset, "--model", out, "--baselines", "magic"]) == 2
    assert "no baseline 'magic'; there are popularity, item_knn" in capsys.readouterr().err


def test_recommend_for_user_and_basket(run, tmp_path, capsys):
    run()
    capsys.readouterr()
    dataset, out = str(tmp_path / "dataset"), str(tmp_path / "out")
    assert main(["recommend", dataset, "--model", out, "--user", "u3", "-k", "3", "--json"]) == 0
    answer = last_json(capsys)
    assert len(answer["history"]) == 6
    assert len(answer["recommendations"]) == 3
    first = answer["recommendations"][0]
    assert first["item_id"] not in answer["history"]
    assert first["sentences"] == [f"Thing {first['item_id'][1:]}"]
    assert first["score"] == pytest.approx(sum(first["by_modality"].values()), abs=1e-5)
    assert main(["recommend", dataset, "--model", out, "--basket", "i1,i2"]) == 0
    shown = capsys.readouterr().out
    assert "Thing" in shown
    assert shown.count("  (no image: the text is used for both)\n") == 10
    for arguments, message in (
        (["--user", "nobody"], "no purchases of user 'nobody'"),
        (["--basket", "ghost"], "item 'ghost' is not in the model; check the item_id"),
        (["--basket", " , "], "no item of the history is known"),
        (["--user", "u3", "-k", "0"], "-k must be at least 1; got 0"),
    ):
        assert main(["recommend", dataset, "--model", out, *arguments]) == 2
        assert message in capsys.readouterr().err


def test_what_is_new_in_the_shop_is_recommended_once_it_has_features(
    run, tmp_path, tiny_bert, capsys
):
    run()
    dataset, out = str(tmp_path / "dataset"), str(tmp_path / "out")
    command = ["recommend", dataset, "--model", out, "--basket", "i1,i2", "-k", "99"]
    with (tmp_path / "dataset" / "items.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"item_id": "n1", "title": "Thing 3"}\n')
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    told = capsys.readouterr()
    assert "note: 1 items of the dataset have no features" in told.err
    assert len(json.loads(told.out)["recommendations"]) == 10
    main(["keywords", dataset, "--out", out])
    main(["features", dataset, "--out", out, "--text-encoder", tiny_bert])
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    told = capsys.readouterr()
    assert "note: 1 items of the dataset are new to the model (the first is 'n1')" in told.err
    assert "no features" not in told.err
    found = json.loads(told.out)["recommendations"]
    assert [r["item_id"] for r in found if r["new"]] == ["n1"]
    (new,) = (r for r in found if r["new"])
    assert new["sentences"] == ["Thing 3"]
    assert main(command) == 0
    assert capsys.readouterr().out.count("(new)") == 1
    assert main([*command, "--no-new-items"]) == 0
    told = capsys.readouterr()
    assert "n1" not in told.out
    assert not told.err


def test_evaluate_among_listed_candidates(run, tmp_path, capsys):
    run()
    capsys.readouterr()
    dataset, out = str(tmp_path / "dataset"), str(tmp_path / "out")
    listed = tmp_path / "candidates.txt"
    command = ["evaluate", dataset, "--model", out, "--json"]
    assert main(command) == 0
    everything = last_json(capsys)
    for count in (12, 2):
        listed.write_text("".join(f"i{n}\n" for n in range(count)), encoding="utf-8")
        assert main([*command, "--candidates", str(listed)]) == 0
        found = last_json(capsys)
        assert found["protocol"]["candidates"] == count
        same = found["models"] == everything["models"]
        assert same == (count == 12)
        if count == 2:  # at most two rivals: the test item is always among the first five
            assert found["models"]["msm4sr"]["recall@5"]["value"] == 1
    for text, message in (
        ("i1\nghost\n", "candidates.txt line 2: item 'ghost' is not among the 12 items"),
        ("\n", "no item_id in it"),
    ):
        listed.write_text(text, encoding="utf-8")
        assert main([*command, "--candidates", str(listed)]) == 2
        assert message in capsys.readouterr().err
    assert main([*command, "--candidates", str(tmp_path / "none.txt")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_mistakes_are_one_line_and_leave_nothing_behind(tmp_path, capsys):
    dataset = toy_dataset(tmp_path / "dataset")
    for command, message in (
        (["keywords", "nowhere", "--out", str(tmp_path / "x")], "nowhere: no such folder"),
        (["pretrain", str(dataset), "--out", str(tmp_path / "x")], "no features in"),
        (
            ["evaluate", str(dataset), "--model", str(tmp_path / "x")],
            "no trained model in this folder",
        ),
        (
            ["features", str(dataset), "--out", str(tmp_path / "x")],
            "make it with `msm4sr keywords`",
        ),
        (
            [
                "pretrain",
                str(dataset),
                "--out",
                str(tmp_path / "x"),
                "--min-user-interactions",
                "1",
            ],
            "user_min must",
        ),
        (
            ["keywords", str(dataset), "--out", str(tmp_path / "x"), "--domain", "z"],
            "no department",
        ),
    ):
        assert main(command) == 2, command
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_model_of_another_catalogue_is_refused(run, tmp_path, capsys):
    run()
    other = toy_dataset(tmp_path / "other", items=13)
    features = str(tmp_path / "out/features")
    lines = (tmp_path / "shop/items.jsonl").read_text().splitlines()[:-1]
    (tmp_path / "shop/items.jsonl").write_text("\n".join(lines) + "\n")
    capsys.readouterr()
    command = [
        "evaluate",
        str(tmp_path / "dataset"),
        "--model",
        str(tmp_path / "out"),
        "--drop-unknown",
    ]
    assert main(command) == 2
    assert "fine-tune on this shop first" in capsys.readouterr().err
    command = ["evaluate", str(other), "--model", str(tmp_path / "out"), "--features", features]
    assert main(command) == 2
    assert "1 items of the shop have no features (the first is 'i12')" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["weights", "pooling"])
def test_features_of_another_text_encoder_are_refused(run, what, tmp_path, tiny_bert, capsys):
    """They can be as wide as the model's own, so nothing else would notice."""
    run()
    dataset, out, other = (str(tmp_path / name) for name in ("dataset", "out", "other"))
    if what == "weights":
        model = load_file(f"{tiny_bert}/model.safetensors")
        model["embeddings.word_embeddings.weight"] += 1
        shutil.copytree(tiny_bert, f"{other}/bert")
        save_file(model, f"{other}/bert/model.safetensors", metadata={"format": "pt"})
    read = {"weights": [f"{other}/bert"], "pooling": [tiny_bert, "--pooling", "cls"]}[what]
    main(["keywords", dataset, "--out", other])
    main(["features", dataset, "--out", other, "--text-encoder", *read])
    for command in (
        ["evaluate", dataset, "--model", out],
        ["recommend", dataset, "--model", out, "--basket", "i1,i2"],
        ["finetune", dataset, "--out", out],
    ):
        capsys.readouterr()
        assert main([*command, "--features", f"{other}/features"]) == 2
        told = capsys.readouterr().err
        assert f"trained on features of a text encoder with other {what} (" in told
        assert told.count("\n") == 1
        if command[0] != "finetune":
            assert main(command) == 0


def test_fine_tuning_on_other_features_is_made_anew(run, tmp_path, tiny_bert, capsys):
    run()
    dataset, out, other = (str(tmp_path / name) for name in ("dataset", "out", "other"))
    titles = tmp_path / "shop/items.jsonl"
    titles.write_text(titles.read_text().replace("Thing 1", "Another thing"))
    main(["keywords", dataset, "--out", other])
    main(["features", dataset, "--out", other, "--text-encoder", tiny_bert])
    once = ["finetune", dataset, "--out", out, "--epochs", "1", "--features"]
    main([*once, f"{out}/features"])
    capsys.readouterr()
    for features, told in ((out, "done already"), (other, "the input or a setting has changed")):
        assert main([*once, f"{features}/features"]) == 0
        assert f"finetuned: {told}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "prefix", "command"),
    [
        (DataConfig(min_user_interactions=10), "", "run"),  # enough for 8 tests
        (FeatureConfig(), "", "run"),
        (ModelConfig(), "", "run"),
        (PretrainConfig(prefix_augmentation=True), "pretrain_", "run"),
        (FinetuneConfig(), "finetune_", "run"),
        (PretrainConfig(prefix_augmentation=True), "", "pretrain"),
        (FinetuneConfig(), "", "finetune"),
    ],
)
def test_every_setting_is_a_flag_and_comes_back(config, prefix, command):
    parser = build_parser()
    base = [command, "dataset", "--out", "out"]
    assert from_flags(parser.parse_args(base), config, prefix) == config
    for field in dataclasses.fields(config):
        if field.name in ("feature_dim", "n_items"):
            continue  # facts of the features and the shop, not settings
        flag = "--" + (prefix + field.name).replace("_", "-")
        value = {bool: not field.default, int: 8, float: 0.125}.get(type(field.default))
        if type(field.default) is str:
            actions = parser._subparsers._group_actions[0].choices[command]._actions
            choices = next(a.choices for a in actions if flag in a.option_strings)
            value = choices[-1] if choices else "a {}"
        given = [flag, str(value)]
        if isinstance(value, bool):
            given = [flag] if value else [f"--no-{flag[2:]}"]
        back = from_flags(parser.parse_args([*base, *given]), config, prefix)
        assert getattr(back, field.name) == value


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from msm4sr_lite.cli import build_parser; build_parser().format_help();"
        "print(sorted({'torch','pandas','transformers','numpy','matplotlib'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_doctor(capsys):
    main(["doctor", "--json"])
    found = last_json(capsys)
    assert found["torch"].startswith("2.")
    assert isinstance(found["problems"], list)
