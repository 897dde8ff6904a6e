"""What is noted of a training, which stays the same as without notes."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from course import learning, load_parts
from course.learning import Learning, encode_users, guess_loss, users_by_purpose

from data_samples.make.phrases import LABELS, PURPOSES
from data_samples.make.simulation import STEPS
from msm4sr_lite import Dataset, load_checkpoint
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.features.table_files import load_feature_table


@pytest.fixture
def home(sample_dataset: Path) -> SimpleNamespace:
    state = sample_dataset / "states" / "home_pretrained"
    trained, catalogue = load_checkpoint(state)
    table = load_feature_table(sample_dataset / "features").for_items(catalogue)
    every = torch.arange(len(catalogue))
    dataset = Dataset.from_folder(sample_dataset, domain="home")
    parts = load_parts()
    model = parts.M2SE(table.width)
    model.load_state_dict(trained.state_dict())
    return SimpleNamespace(
        parts=parts,
        model=model.eval(),
        features={m: getattr(table, m).gather(every) for m in ("text", "image")},
        sequences=build_sequences(dataset.interactions, catalogue[1:]),
        items=[None, *(dataset.items[one] for one in catalogue[1:])],
    )


def test_a_guess_costs_what_the_losses_cost_when_all_embeddings_are_equal() -> None:
    parts = load_parts()
    targets = torch.tensor([[3, 4, 0], [4, 5, 6], [3, 0, 0]])
    rows, position = targets.nonzero(as_tuple=True)
    target, same = targets[rows, position], torch.ones(6, 4)
    nip = parts.next_item_loss(same, same, parts.false_negatives(target))
    cmcl = parts.cross_modal_loss(same, same, parts.false_negatives(target, rows))
    assert guess_loss(targets, 0.3) == pytest.approx(float(2 * nip + 0.3 * cmcl), abs=1e-5)
    assert guess_loss(torch.tensor([[1], [1]])) == 0
    assert guess_loss(torch.tensor([[1], [2]]), 1.0) == pytest.approx(2 * math.log(2) + math.log(3))


def test_the_state_of_a_user_is_the_one_after_the_last_item(home: SimpleNamespace) -> None:
    histories, answers = home.sequences.held_out("valid")
    given = home.parts, home.model, home.features
    h, z = encode_users(*given, histories[:9], answers[:9])
    scores = home.parts.match_scores(h, z).diagonal()
    lists = [history.tolist() for history in histories[:9]]
    with torch.no_grad():
        wanted = home.parts.score_histories(home.model, home.features, lists)
    torch.testing.assert_close(scores, wanted[torch.arange(9), torch.as_tensor(answers[:9])])


def test_users_are_sorted_by_what_their_next_item_is_for(home: SimpleNamespace) -> None:
    answers = home.sequences.held_out("valid")[1]
    users = users_by_purpose(home.items, answers, each=8)
    assert len(set(users)) == 64
    titles = [home.items[answers[user]].title.lower() for user in users]
    for row, (purpose, labels) in enumerate(LABELS.items()):
        block = titles[8 * row : 8 * row + 8]
        starts = tuple(f"{label.lower()} " for label in labels)
        assert all(title.startswith(starts) for title in block), purpose


def test_the_next_purposes_are_the_neighbours_in_the_order_of_the_film() -> None:
    assert list(LABELS) == PURPOSES
    assert sorted(range(8), key=lambda step: -STEPS[step])[:2] == [1, 2]  # one on, two on


def test_notes_change_nothing_and_say_what_happened(
    home: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSM4SR_STATIC", "0")
    drawn: list[str] = []
    monkeypatch.setattr(learning.FigurePlace, "show", lambda self, fig, alt: drawn.append(alt))
    train = [sequence.tolist() for sequence in home.sequences.train() if len(sequence) > 1][:40]
    histories, answers = home.sequences.held_out("valid")
    monkeypatch.setattr(
        type(home.sequences), "held_out", lambda self, part: (histories[:300], answers[:300])
    )
    losses = []
    for noted in (False, True):
        torch.manual_seed(0)
        model, generator = home.parts.M2SE(384), torch.Generator().manual_seed(0)
        notes = Learning(home.parts, model, home.features, home.sequences, range(9), every=2)

        def loss_of(*batch: Any, m: Any = model, g: Any = generator) -> torch.Tensor:
            loss: torch.Tensor = home.parts.pretraining_loss(m, home.features, *batch, g)
            return loss

        report = notes.report if noted else (lambda *_: None)
        loss = notes.watch(loss_of) if noted else loss_of
        given = model, loss, train, 2, 1e-3, generator
        losses.append(home.parts.train(*given, batch_size=16, report=report))
    assert losses[0] == losses[1]
    assert [*notes.film] == [0, 2, 3, 4, 6]
    assert len(notes.excess) == 6
    assert notes.ends == [3, 6]
    assert len(notes.recalls) == 2
    assert notes.film[0]["cosines"].shape == (9, 9)
    assert notes.film[0]["uniformity"] < 0 < notes.film[0]["modalities"]
    assert notes.excess[0] > 1
    assert len(drawn) == 3  # at step 4 and after each epoch
    assert drawn[-1].startswith("The loss is above that of a guess at the first step")
    assert f"Recall@20 after 2 epochs: {notes.recalls[-1]:.1f}; chance: 0.05." in drawn[-1]
    plt.close("all")
