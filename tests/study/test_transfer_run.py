"""`msm4sr study transfer`: sources, target, settings."""

import json
import re
from dataclasses import replace

import pytest

from msm4sr_lite import cli
from msm4sr_lite.config import UserError
from msm4sr_lite.study import transfer_curve
from msm4sr_lite.study.config import QUICK, StudyConfig, TransferConfig
from tests.tiny_study import ONE, TWO


@pytest.fixture
def command(sample_dataset, tmp_path):
    start = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out")]
    return [*start, "--source", "home", "--target", "outdoor"]


def test_the_command_writes_the_curve(command, tmp_path, monkeypatch, capsys):
    domains = {"home": ONE, "outdoor": TWO}
    monkeypatch.setattr(transfer_curve, "open_domain", lambda *_, domain: domains[domain])
    assert cli.main([*command, "--quick"]) == 0
    path = tmp_path / "out" / "transfer.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["source"], found["target"], found["items"]) == ("home", "outdoor", 13)
    assert set(found["shares"]) == {"1"}  # a twentieth of six users is skipped
    assert set(found["shares"]["1"]) >= {"pretrained", "scratch", "gain", "ratio"}
    assert "share 5% skipped: 1 users are too few" in capsys.readouterr().err


def test_flags_change_the_protocol(command, monkeypatch):
    asked, opened = [], []

    def spy(sources, target, config, out, jobs, device):
        asked.append((config, jobs, device))
        raise UserError("enough")

    def open_domain(folder, table, config, *, domain):
        opened.append(config.data.n_test)

    monkeypatch.setattr(transfer_curve, "open_domain", open_domain)
    monkeypatch.setattr("msm4sr_lite.device.resolve_device", lambda name: f"asked for {name}")
    monkeypatch.setattr(transfer_curve, "TransferCurve", spy)
    given = ["--set", "data.n_test=2", "--set", "transfer.patience=3", "--seeds", "5"]
    given += ["--set", "transfer.finetune_epochs=7", "--set", "transfer.pretrain_epochs=9"]
    given += ["--jobs", "2", "--device", "cuda"]
    for more in ([], given, ["--quick"], ["--quick", "--set", "transfer.finetune_epochs=7"]):
        assert cli.main([*command, *more]) == 2
    plain, quick = TransferConfig(), QUICK.transfer
    other = replace(plain, seeds=5, patience=3, finetune_epochs=7, pretrain_epochs=9)
    expected = [plain, other, quick, replace(quick, finetune_epochs=7)]
    assert [config for config, _, _ in asked] == expected
    assert [jobs for _, jobs, _ in asked] == [1, 2, 1, 1]
    assert [device[10:] for _, _, device in asked] == ["auto", "cuda", "auto", "auto"]
    assert opened == [1, 1, 2, 2, 1, 1, 1, 1]  # source and target


@pytest.fixture
def other_dataset(sample_dataset, tmp_path):
    """Return the folder of another dataset: the sample with an interaction of an unlisted item."""
    folder = tmp_path / "their dataset"
    folder.mkdir()
    lines = (sample_dataset / "interactions.csv").read_text(encoding="utf-8")
    (folder / "interactions.csv").write_text(lines + "uh0001,ghost,2000000000\n", encoding="utf-8")
    for name in ("items.jsonl", "features", "images"):
        (folder / name).symlink_to((sample_dataset / name).resolve())
    return folder


def test_sources_are_domains_and_folders_of_other_datasets(
    sample_dataset, other_dataset, tmp_path, monkeypatch, capsys
):
    class Fake:
        def __init__(self, sources, target, config, out, jobs, device):
            self.domains = [*sources, target]

        def results(self):
            return {"shares": {}, "sizes": [sequences.n_items for _, sequences in self.domains]}

    monkeypatch.setattr(transfer_curve, "TransferCurve", Fake)
    monkeypatch.setattr("msm4sr_lite.study.pages.as_text", lambda part, result: "")
    command = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out"), "--json"]
    theirs = ["--source", str(other_dataset)]
    assert cli.main([*command, *theirs]) == 2
    assert "1 such interactions" in capsys.readouterr().err
    assert cli.main([*command, *theirs, "--drop-unknown"]) == 0
    found = json.loads(capsys.readouterr().out)["transfer"]
    assert found["sizes"] == [800, 800]
    assert (found["source"], found["target"]) == ("their dataset", "the whole dataset")
    both = ["--source", f"home,{other_dataset}", "--target", "outdoor"]
    assert cli.main([*command, *both, "--drop-unknown"]) == 0
    found = json.loads(capsys.readouterr().out)["transfer"]
    assert found["sizes"] == [400, 800, 400]
    assert (found["source"], found["target"]) == ("home and their dataset", "outdoor")
    assert (found["users"], found["items"]) == (1200, 400)


def test_another_dataset_without_all_features_is_named(
    sample_dataset, other_dataset, tmp_path, capsys
):
    lines = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    (other_dataset / "items.jsonl").unlink()
    ghost = json.dumps({"item_id": "ghost", "title": "A ghost"})
    (other_dataset / "items.jsonl").write_text(f"{lines}{ghost}\n", encoding="utf-8")
    command = ["study", "transfer", str(sample_dataset), "--source", str(other_dataset)]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 2
    expected = r"their dataset: 1 items of the dataset have no features \(the first is 'ghost'\)"
    assert re.search(expected, capsys.readouterr().err)


def test_a_source_with_too_few_interactions_is_named(command, capsys):
    assert cli.main([*command, "--set", "data.min_item_interactions=60"]) == 2
    assert "study: home: no user has" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--source", "home"], ["--target", "home"], []])
def test_a_transfer_study_needs_both_ends(sample_dataset, tmp_path, given, capsys):
    command = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out"), *given]
    assert cli.main(command) == 2
    assert "as in --source home --target outdoor" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_domains_of_data_frames_cannot_be_opened():
    with pytest.raises(UserError, match="needs a dataset folder, not data frames"):
        transfer_curve.open_domain(None, ONE[0], StudyConfig(), domain="home")
