"""The benchmarks run; how fast anything is, is not tested here."""

import json
import sys
from importlib import import_module

import pytest
import torch

from benchmarks import measure, synthetic
from benchmarks.training import Steps
from msm4sr_lite.store.fingerprint import fingerprint_sequences

TINY = ["--users", "60", "--width", "8", "--text-slots", "2", "--repeats", "1", "--targets", "32"]
COMMANDS = {
    "training": [*TINY, "--items", "80"],
    "training --stage finetune": [*TINY, "--items", "80"],
    "evaluation": [*TINY[:-2], "--items", "80"],
    "scaling catalogue --values 10000 20000": TINY,
    "scaling targets_per_sequence --values 1 2": TINY,
}


@pytest.mark.thorough
@pytest.mark.parametrize("command", COMMANDS)
def test_it_measures_and_writes_what_it_found(command, tmp_path, monkeypatch, capsys):
    name, *arguments = command.split()
    out = ["--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [name, *arguments, *COMMANDS[command], *out])
    import_module(f"benchmarks.{name}").main()
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["machine"]["threads"] == 1
    assert len(record["rows"]) >= 2
    assert all(row["seconds"] > 0 for row in record["rows"])
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(record["rows"]) + 1
    assert len(capsys.readouterr().out.splitlines()) > len(record["rows"])


def test_steps_have_one_target_a_row_only_where_prefixes_are_wanted():
    sequences = synthetic.sequences(40, 30, 8.0)

    def loss(model, batch, generator):
        return model(torch.ones(1, 1)).sum()

    def targets_of_rows(**options):
        steps = Steps(loss, torch.nn.Linear(1, 1), sequences, 32, **options)
        steps()
        return (steps.batch.targets > 0).sum(dim=1)

    assert targets_of_rows().max() > 1
    assert targets_of_rows(prefixes=True).tolist() == [1] * 32
    assert targets_of_rows(targets_per_sequence=2).max() == 2


def test_rounds_go_forwards_and_backwards_and_the_first_is_not_counted():
    calls = []
    works = {name: lambda name=name: calls.append(name) or len(calls) for name in "ab"}
    assert measure.rounds(works, 2) == {"a": [3, 6], "b": [4, 5]}
    assert calls == list("baabba")


def test_a_ratio_is_taken_round_by_round():
    assert measure.paired_ratio([2.0, 30.0, 4.0], [1.0, 10.0, 4.0]) == (2.0, 1.0, 3.0)


def test_the_same_seed_gives_the_same_dataset():
    first, again = (synthetic.sequences(20, 30, 8.0) for _ in range(2))
    assert fingerprint_sequences(first) == fingerprint_sequences(again)
    assert len(first.users) == 20
    assert min(map(len, map(first.user_sequence, range(20)))) >= 5
    table = synthetic.table(9, text_slots=3, image_slots=1, width=4, ragged=True)
    assert table.width == 4
    assert set(table.text.counts[1:].tolist()) <= {1, 2, 3}
    assert table.image.counts.tolist() == [0] + [1] * 9
