"""On a GPU: scores, losses, gradients and image embeddings of the CPU, and whole stages run.

The GPU adds in another order, so numbers agree to a few digits, not to the last bit. Dropout draws
its own numbers there, so what is compared has none.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from msm4sr_lite import fast
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.explain.effects import measure_effects
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.initialize import transfer
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.store.training_files import StateFile
from msm4sr_lite.study.compare import Comparison
from msm4sr_lite.study.config import StudyConfig, TrainingBudget
from msm4sr_lite.study.models import MODELS
from msm4sr_lite.study.specs import StudyData
from msm4sr_lite.training import finetune_steps, pretrain_steps
from tests.toys import toy_dataset, toy_sequences, toy_table

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

SAMPLE = Path(__file__).parents[2] / "data_samples"
SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6] * 3, n_items=90)
TABLE = toy_table([2, 1, 3] * 30, [1, 2, 0] * 30)
NO_DROPOUT = {"hidden_dropout": 0.0, "attention_dropout": 0.0, "adaptor_dropout": 0.0}
CONFIG = ModelConfig(feature_dim=11, dim=16, ffn_dim=20, max_len=6, experts=3, pooling_dim=5)


def model(**options):
    torch.manual_seed(0)
    return M2SE(replace(CONFIG, **options))


@pytest.mark.parametrize("ids", [0, 90])
def test_the_scores_are_those_of_the_cpu(ids):
    histories, targets = SEQUENCES.held_out("test")
    net = model(n_items=ids).eval()
    scorer = ModelScorer(net, TABLE, "cpu")
    here, ranks = scorer.score(histories), target_ranks(scorer, histories, targets)
    there = ModelScorer(net.to(DEVICE), TABLE, DEVICE)
    torch.testing.assert_close(there.score(histories).cpu(), here, rtol=1e-4, atol=1e-4)
    # Two items whose scores are as good as equal may change places.
    assert np.abs(target_ranks(there, histories, targets) - ranks).max() <= 1


@pytest.mark.parametrize("form", [nullcontext, fast.switched_off], ids=["fast", "plain"])
@pytest.mark.parametrize(
    ("stage", "options"),
    [
        ("pretrain", {}),
        ("pretrain", {"prefix_augmentation": True}),
        ("finetune", {}),
        ("finetune", {"candidates": "seen"}),
        ("finetune", {"n_negatives": 20}),
    ],
)
def test_losses_and_gradients_are_those_of_the_cpu(stage, options, form):
    found = []
    for device, here in (("cpu", nullcontext), (DEVICE, form)):
        net = model(n_items=90 if stage == "finetune" else 0, **NO_DROPOUT).to(device)
        batch = next(training_batches(SEQUENCES, 6, 10**6, torch.Generator().manual_seed(1)))
        generator = torch.Generator().manual_seed(2)
        table, batch = TABLE.to(device), batch.to(device)
        with here():
            if stage == "pretrain":
                loss, _ = pretraining_loss(net, table, batch, PretrainConfig(**options), generator)
            else:
                popularity = torch.full((91,), 1 / 90, device=device)
                popularity[0] = 0
                config = FinetuneConfig(**options)
                loss, _ = finetuning_loss(net, table, batch, config, generator, popularity)
        loss.backward()
        found.append([loss.detach(), *(p.grad for p in net.parameters() if p.grad is not None)])
    assert len(found[0]) == len(found[1])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there.cpu(), here, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_both_stages_learn(precision):
    net = model()
    kind = {"precision": precision, "patience": 99}
    before = PretrainConfig(epochs=30, **kind)
    losses = [r.loss for r in pretrain_steps(net, TABLE, SEQUENCES, before, device=DEVICE)]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    net = transfer(net, 90)
    after = FinetuneConfig(epochs=30, **kind)
    losses = [r.loss for r in finetune_steps(net, TABLE, SEQUENCES, after, device=DEVICE)]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert next(net.parameters()).device.type == DEVICE


def test_a_training_that_was_stopped_goes_on(tmp_path):
    """It begins where it was, weights and optimizer on the GPU again."""
    config = PretrainConfig(epochs=4, patience=99)
    whole = list(pretrain_steps(model(), TABLE, SEQUENCES, config, device=DEVICE))
    path = tmp_path / "state.pt"
    first = pretrain_steps(
        model(), TABLE, SEQUENCES, config, device=DEVICE, state=StateFile(path, 0.0)
    )
    stopped = [next(first) for _ in range(len(whole) // 2)]
    again = pretrain_steps(
        model(), TABLE, SEQUENCES, config, device=DEVICE, state=StateFile(path, 0.0)
    )
    rest = list(again)
    assert 0 < len(rest) < len(whole)
    assert rest[-1].step == whole[-1].step
    assert rest[0].step in (stopped[-1].step, stopped[-1].step + 1)
    assert rest[-1].loss == pytest.approx(whole[-1].loss, rel=1e-2)


def test_a_study_in_several_processes_shares_the_gpu(tmp_path):
    dataset = Dataset.from_folder(toy_dataset(tmp_path / "dataset", users=12, items=12))
    sequences = toy_sequences([6] * 12, n_items=12)
    table = toy_table([1] * 12, [1] * 12, width=384)
    budget = TrainingBudget(pretrain_epochs=1, finetune_epochs=1)
    data = StudyData(sequences, table, dataset, DEVICE)
    config = StudyConfig(budget=budget, n_seeds=1, jobs=2)
    study = Comparison(data, tmp_path / "study", config, MODELS)
    chosen = {name: {"settings": {}} for name in ("popularity", "sasrec", "msm4sr")}
    found = study.test(list(chosen), chosen)
    assert {name: len(runs[0]["keep_seen"]) for name, runs in found.items()} == dict.fromkeys(
        chosen, 12
    )


def test_the_embeddings_of_images_are_those_of_the_cpu():
    from PIL import Image

    files = sorted((SAMPLE / "corner_shop" / "images").rglob("*.*"))[:12]
    images = [Image.open(file).convert("RGB") for file in files]
    folder = str(SAMPLE / "mini_clip")
    here, there = (
        KeywordTokenizer(folder, ["image"], device=device).image_embeddings(images).float().cpu()
        for device in ("cpu", DEVICE)
    )
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)


def test_recommendations_and_their_reasons():
    items = [f"i{n}" for n in range(12)]
    table = toy_table([1] * 12, [1] * 12, items=items)
    net = model(n_items=12).eval()
    found = []
    for device in ("cpu", DEVICE):
        scorer = ModelScorer(net.to(device), table, device)
        recommender = Recommender(scorer, ["", *items])
        best = list(recommender.recommend({"": ["i1", "i2", "i3"]}, k=5)["item_id"])
        (pieces,) = measure_effects(recommender, table, ["i1", "i2", "i3"], ["i5"])
        found.append(
            (
                best,
                sorted((piece.kind, piece.position, piece.index, piece.effect) for piece in pieces),
            )
        )
    (best, pieces), (same_best, same_pieces) = found
    assert same_best == best
    assert [piece[:3] for piece in same_pieces] == [piece[:3] for piece in pieces]
    assert [p[3] for p in same_pieces] == pytest.approx([p[3] for p in pieces], abs=1e-3)
