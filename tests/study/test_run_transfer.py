"""Transfer: joined domains, sources and target, the study from the command line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from msm4sr_lite import cli
from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.study import run
from msm4sr_lite.study.config import StudyConfig
from msm4sr_lite.study.run import TRANSFER, join, open_domain, transfer_data
from tests.tiny_study import ONE, TWO, three_tests

SIZES = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)


def test_joined_domains_hold_the_items_and_users_of_both():
    both = join([ONE, TWO])
    table, sequences = both.table, both.sequences
    assert sequences.items == table.items
    assert sequences.n_items == 22
    assert sequences.items[1] == "0/i1"
    assert sequences.items[10] == "1/i1"
    torch.manual_seed(0)
    net = M2SE(SIZES).eval()
    whole = net.item_embeddings(table, torch.arange(23))
    for data, first, before in ((ONE, 0, 0), (TWO, 3, 9)):
        domain_table, domain = data.table, data.sequences
        alone = net.item_embeddings(domain_table, torch.arange(len(domain_table.items)))
        for modality, z in alone.items():
            torch.testing.assert_close(whole[modality][1 + before : len(z) + before], z[1:])
        for user in range(len(domain.users)):
            assert (
                sequences.user_sequence(first + user) - before
            ).tolist() == domain.user_sequence(user).tolist()
            assert sequences.users[first + user].endswith(f"/{domain.users[user]}")


def test_a_renumbered_table_can_be_joined():
    """``for_items`` leaves the vectors where they are, so that starts are in any order."""
    sequences = TWO.sequences
    turned = TWO.table.for_items(["", *TWO.table.items[:0:-1]])
    other = replace(sequences, items=turned.items, interactions=14 - sequences.interactions)
    joined = join([ONE, replace(TWO, sequences=other, table=turned)]).table
    plain = join([ONE, TWO]).table
    for part in ("text", "image"):
        one = getattr(joined, part).gather(torch.arange(10, 23))
        two = getattr(plain, part).gather(torch.arange(10, 23).flip(0))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])


def test_a_joined_batch_mixes_the_users_of_both():
    batch = next(
        training_batches(join([ONE, TWO]).sequences, 50, 1000, torch.Generator().manual_seed(0))
    )
    inputs = batch.items[batch.items > 0]
    assert (inputs <= 9).any()
    assert (inputs > 9).any()


def test_other_features_of_a_joined_domain_are_noticed():
    """Which model was pre-trained is decided by the features of all domains."""
    other = replace(TWO.table, manifest={**TWO.table.manifest, "content": "other"})
    one, two = (join([ONE, domain]) for domain in (TWO, replace(TWO, table=other)))
    assert one.table.manifest["content"] != two.table.manifest["content"]


def test_what_is_held_out_never_trains():
    """Not in joined datasets, however much is held out."""
    both = join([ONE, three_tests(TWO)]).sequences
    plain = [row.tolist() for row in ONE.sequences.train()]
    moved = [[9 + item for item in row] for row in three_tests(TWO).sequences.train()]
    assert [row.tolist() for row in both.train()] == plain + moved


def test_features_of_another_text_encoder_are_refused(monkeypatch):
    made = {"text_encoder": {"weights": "abc", "pooling": "mean"}}
    home = replace(ONE, table=replace(ONE.table, manifest={**ONE.table.manifest, **made}))
    for key in ("weights", "pooling"):
        other = {"text_encoder": {**made["text_encoder"], key: "cls"}}
        outdoor = replace(TWO, table=replace(TWO.table, manifest=other))
        domains = {"home": home, "outdoor": outdoor}
        monkeypatch.setattr(run, "open_domain", lambda name, *_, of=domains: of[name])
        config = StudyConfig(sources=("home",), target="outdoor")
        with pytest.raises(UserError, match=f"home: .* text encoder .* in {key} "):
            transfer_data(None, None, config)


def test_a_source_that_holds_what_the_target_holds_out_is_refused(monkeypatch):
    one, two = run.interactions_of(ONE.sequences, True), run.interactions_of(ONE.sequences, False)
    assert len(one) + len(two) == len(ONE.sequences.interactions)
    assert not one & two
    assert len(one) == sum(len(ONE.sequences.cases(part)[0]) for part in ("valid", "test"))
    here = replace(ONE, dataset=replace(ONE.dataset, folder=Path("here")))
    ends = np.diff(ONE.sequences.offsets)  # nothing is held out
    longer = replace(here, sequences=replace(ONE.sequences, cuts=np.stack([ends, ends], axis=1)))
    absolute = replace(longer, dataset=replace(ONE.dataset, folder=Path("here").resolve()))
    domains = {"whole": longer, "home": here, "absolute": absolute}
    monkeypatch.setattr(run, "open_domain", lambda name, *_: domains[name])
    config = StudyConfig(sources=("home",), target="home")
    assert transfer_data(None, None, config).source.sequences.n_items == ONE.sequences.n_items
    for name in ("whole", "absolute"):
        with pytest.raises(
            UserError, match=f"{name}: trains on interactions that the target holds"
        ):
            transfer_data(None, None, replace(config, sources=("home", name)))


@pytest.fixture
def command(sample_dataset, tmp_path):
    start = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out")]
    return [*start, "--source", "home", "--target", "outdoor"]


def test_the_command_compares_with_a_model_from_scratch(command, tmp_path, monkeypatch, capsys):
    domains = {"home": ONE, "outdoor": TWO}
    monkeypatch.setattr(run, "open_domain", lambda name, *_: domains[name])
    epochs = ["--set", "budget.pretrain_epochs=1", "--set", "budget.finetune_epochs=1"]
    assert cli.main([*command, "--quick", *epochs]) == 0
    path = tmp_path / "out" / "transfer.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["source"], found["items"], found["against"]) == ("home", 13, "from scratch")
    assert set(found["models"]) == set(TRANSFER)
    assert len(found["access_log"]) == 1
    text = capsys.readouterr().out
    assert "pre-trained on other data (home): 6 users" in text
    assert "Differences are to from scratch" in text


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


def test_sources_are_domains_and_folders_of_other_datasets(sample_dataset, other_dataset):
    dataset = Dataset.from_folder(sample_dataset)
    table = load_feature_table(sample_dataset / "features")
    config = StudyConfig(sources=(str(other_dataset),))
    with pytest.raises(UserError, match="1 such interactions"):
        transfer_data(dataset, table, config)
    config = replace(config, unknown_items="drop")
    found = transfer_data(dataset, table, config)
    assert (found.sequences.n_items, found.source.sequences.n_items) == (800, 800)
    config = replace(config, sources=("home", str(other_dataset)), target="outdoor")
    found = transfer_data(dataset, table, config)
    assert (found.sequences.n_items, found.source.sequences.n_items) == (400, 1200)
    assert (found.dataset.domain, len(found.sequences.users)) == ("outdoor", 1200)


def test_another_dataset_without_all_features_is_named(
    sample_dataset, other_dataset, tmp_path, capsys
):
    lines = (sample_dataset / "items.jsonl").read_text(encoding="utf-8")
    (other_dataset / "items.jsonl").unlink()
    ghost = json.dumps({"item_id": "ghost", "title": "A ghost"})
    (other_dataset / "items.jsonl").write_text(f"{lines}{ghost}\n", encoding="utf-8")
    command = ["study", "transfer", str(sample_dataset), "--source", str(other_dataset)]
    assert cli.main([*command, "--out", str(tmp_path / "out")]) == 2
    expected = r"their dataset: items of .* without features: 1 \(the first is 'ghost'\)"
    assert re.search(expected, capsys.readouterr().err)


def test_a_domain_with_too_few_interactions_is_named(command, capsys):
    assert cli.main([*command, "--set", "data.min_item_interactions=60"]) == 2
    assert "study: outdoor: no user has" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--source", "home"], ["--target", "home"], []])
def test_a_transfer_study_needs_both_ends(sample_dataset, tmp_path, given, capsys):
    command = ["study", "transfer", str(sample_dataset), "--out", str(tmp_path / "out"), *given]
    assert cli.main(command) == 2
    assert "such as source home and target outdoor" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_domains_of_data_frames_cannot_be_opened():
    with pytest.raises(UserError, match="needs a dataset folder, not data frames"):
        open_domain("home", ONE.dataset, ONE.table, StudyConfig())
