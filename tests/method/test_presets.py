"""Every setting has an effect, presets differ where they say, one pass equals one per prefix."""

import sys
from contextlib import nullcontext
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from msm4sr_lite import fast, mixup, objectives, training
from msm4sr_lite.config import (
    Config,
    DataConfig,
    FeatureConfig,
    FinetuneConfig,
    ModelConfig,
    PretrainConfig,
    as_dict,
)
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE, match_scores
from msm4sr_lite.fast import objectives as fast_objectives
from msm4sr_lite.features import stages
from msm4sr_lite.features.keyword_tokenizer import Keyword
from msm4sr_lite.initialize import new_model, transfer
from msm4sr_lite.losses import false_negatives
from msm4sr_lite.objectives import finetuning_loss, pretraining_loss
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.sequences import (
    Batch,
    Sequences,
    pad,
    training_batches,
    windows,
)
from msm4sr_lite.store.fingerprint import fingerprint_sequences
from msm4sr_lite.training import finetune_steps, pretrain_steps
from tests.toys import toy_sequences, toy_table

SMALL = ModelConfig(feature_dim=11, dim=14, ffn_dim=17, max_len=5, experts=3, pooling_dim=5)
NO_DROPOUT = dict.fromkeys(("hidden_dropout", "attention_dropout", "adaptor_dropout"), 0.0)
SEQUENCES = toy_sequences([5, 7, 6, 9, 8, 5, 6], n_items=19)
TABLE = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2])

# ------------------------------------------------------------------- every setting

CONFIGS = (DataConfig, FeatureConfig, ModelConfig, PretrainConfig, FinetuneConfig)
# Another value for every setting, with what else has to change so that it can show.
BY_DATE = {"split": "time", "min_user_interactions": 1}
OTHERS = {
    DataConfig: {
        "min_user_interactions": 6,
        "min_item_interactions": 3,
        "deduplicate": False,
        "split": ("time", {"min_user_interactions": 3}),
        "n_test": 2,
        "test_share": (0.3, BY_DATE),
        "valid_from": ("5", BY_DATE),
        "test_from": ("20", BY_DATE),
    },
    FeatureConfig: {
        "n_keywords": 1,
        "max_sentences": 1,
        "max_images": 1,
        "prompt": "one {}",
        "threshold": 0.6,
        "diversity": 0.5,
        "pooling": "cls",
        "image_slots": "keywords",
        "text_units": "whole",
        "whitening": "zca",
        "whitening_dim": (3, {"whitening": "pca"}),
    },
    ModelConfig: {
        "feature_dim": 12,
        "whitened_dim": 5,
        "n_items": 19,
        "dim": 16,
        "layers": 1,
        "heads": 7,
        "ffn_dim": 16,
        "max_len": 4,
        "adaptor": "mlp",
        "experts": 2,
        "item_pooling": "mean",
        "pooling_dim": 4,
        "train_pooling": False,
        "mask_padding": False,
        "modalities": "text",
        "projections": True,
        "hidden_dropout": 0.5,
        "attention_dropout": 0.5,
        "adaptor_dropout": 0.5,
        "feature_dropout": 0.5,
    },
    PretrainConfig: {
        "lr": 1e-2,
        "weight_decay": 0.1,
        "batch_size": 7,
        "prefix_augmentation": True,
        "epochs": 1,
        "patience": 0,
        "clip_norm": 0.01,
        "temperature": 0.5,
        "nip_weight": 0.5,
        "cmcl_weight": 0.5,
        "mixup_max": 0.0,
        "mixup_draw": "fixed",
        "mixup_per": "sequence",
        "drop_max": 0.0,
        "drop_per": "sequence",
        "drop_keeps": ("last", {"prefix_augmentation": True}),
        "same_target": "zero_logit",
        "nip_same_user": "exclude",
        "cmcl_same_user": "keep",
        "cmcl_form": "rowwise",
        "targets_per_sequence": 2,
        "valid_users": 3,
        "precision": "bfloat16",
    },
    FinetuneConfig: {
        "lr": 1e-2,
        "weight_decay": 0.1,
        "batch_size": 7,
        "prefix_augmentation": True,
        "epochs": 1,
        "patience": 0,
        "clip_norm": 0.01,
        "temperature": 0.5,
        "use_ids": False,
        "pad_class": True,
        "candidates": "seen",
        "n_negatives": 9,
        "targets_per_sequence": 2,
        "valid_users": 3,
        "precision": "bfloat16",
    },
}
TRAINED = (ModelConfig, PretrainConfig, FinetuneConfig)
SETTINGS = [(kind, name) for kind in CONFIGS for name in OTHERS[kind]]


def settings_of(*kinds):
    """Each setting of some configurations, as parameters of a test."""
    chosen = [(kind, name) for kind, name in SETTINGS if kind in kinds]
    ids = [f"{kind.__name__}.{name}" for kind, name in chosen]
    return pytest.mark.parametrize(("kind", "name"), chosen, ids=ids)


def changed(kind, name):
    """A pair of configurations that differ in one setting."""
    value = OTHERS[kind][name]
    value, also = value if isinstance(value, tuple) else (value, {})
    base = replace(SMALL if kind is ModelConfig else kind(), **also)
    return base, replace(base, **{name: value})


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_setting_has_another_value_here(kind):
    assert set(OTHERS[kind]) == {field.name for field in fields(kind)}
    for name in OTHERS[kind]:
        one, two = changed(kind, name)
        assert getattr(one, name) != getattr(two, name)


class Flat:
    """Validation that never improves, so that patience and nothing else ends a training."""

    def __init__(self):
        self.recall = 1.0

    def __call__(self, *arguments):
        self.users = arguments[-1]
        self.recall /= 2
        return self.recall


def trained(model_config, config, monkeypatch):
    """What two epochs do: losses, the number of steps, and all weights at the end."""
    torch.manual_seed(0)
    monkeypatch.setattr(training, "validation_recall", validation := Flat())
    table = toy_table([2, 1, 3] * 6 + [4], [1, 1, 2] * 6 + [2], width=model_config.feature_dim)
    config = replace(config, epochs=min(config.epochs, 3))
    net = M2SE(model_config)
    if isinstance(config, PretrainConfig):
        records = list(pretrain_steps(net, table, SEQUENCES, config))
    else:  # as the command line does it
        net = transfer(net, SEQUENCES.n_items if config.use_ids else 0)
        records = list(finetune_steps(net, table, SEQUENCES, config))
    weights = torch.cat([p.detach().flatten() for p in net.parameters()])
    return [round(record.loss, 5) for record in records] + [validation.users], weights


@settings_of(*TRAINED)
def test_every_setting_of_model_and_training_changes_the_result(kind, name, monkeypatch):
    stage = FinetuneConfig() if kind is FinetuneConfig else PretrainConfig()
    results = []
    for config in changed(kind, name):
        pair = (config, stage) if kind is ModelConfig else (SMALL, config)
        results.append(trained(*pair, monkeypatch))
    (losses, weights), (other_losses, other_weights) = results
    assert len(losses) > 3
    same = len(weights) == len(other_weights) and torch.equal(weights, other_weights)
    assert losses != other_losses or not same


@settings_of(DataConfig)
def test_every_filter_changes_the_sequences(kind, name):
    histories = {"u": "abcdea", "v": "bcdef", "w": "cdefga", "x": "abcdefg"}
    rows = [(user, item) for user, items in histories.items() for item in items]
    interactions = pd.DataFrame(rows, columns=["user_id", "item_id"])
    interactions["timestamp"] = np.random.default_rng(0).permutation(len(rows))
    interactions = interactions.sort_values("timestamp")
    one, two = (build_sequences(interactions, list("abcdefg"), c) for c in changed(kind, name))
    assert fingerprint_sequences(one) != fingerprint_sequences(two)


class FewWords:
    """Stands in for CLIP: the keywords of an image name its settings and their number."""

    def __init__(self, name, dictionary, prompt, device, threshold, diversity):
        self.said = [prompt, "t" * round(9 + 9 * threshold), "d" * round(9 * diversity)]
        self.device, self.model = device, self

    def describe(self):
        return {"identity": "few words"}

    def image_processor(self, images, return_tensors):
        return {"pixel_values": torch.ones(len(images), 1)}

    def encode(self, inputs):
        return inputs["pixel_values"]

    def choose(self, vectors, n):
        words = [Keyword(word, 0.5) for word in [*self.said, *"abcdefghijklmnop"]]
        return [words[:n] for _ in vectors]


@pytest.fixture
def dataset(tmp_path):
    """A dataset with two items that have several sentences and images."""
    (tmp_path / "dataset").mkdir()
    for number in range(3):
        Image.new("RGB", (9, 9), (80 * number, 0, 0)).save(tmp_path / f"dataset/{number}.png")
    items = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "description": ["A cup. It is red.", "A long tent. It is blue. It has two doors."],
            "images": [["0.png", "1.png"], ["2.png"]],
        }
    )
    items.to_json(tmp_path / "dataset/items.jsonl", orient="records", lines=True)
    interactions = "\n".join(f"u,{item},{time}" for time, item in enumerate("ababa"))
    text = f"user_id,item_id,timestamp\n{interactions}\n"
    (tmp_path / "dataset/interactions.csv").write_text(text, encoding="utf-8")
    return tmp_path / "dataset"


@settings_of(FeatureConfig)
def test_every_setting_of_the_features_changes_the_table_or_its_whitening(
    kind, name, dataset, tiny_bert, tmp_path, monkeypatch
):
    monkeypatch.setattr(stages, "KeywordTokenizer", FewWords)
    tables, encoder = [], {"text_encoder": tiny_bert}
    for config in changed(kind, name):
        out = tmp_path / f"out{len(tables)}"
        table = stages.compute_features(Dataset.from_folder(dataset), out, config, **encoder)
        sequences = Sequences(["u"], table.items, np.array([1, 2, 1, 2]), np.array([0, 4]))
        whitening = new_model(Config(features=config), table, sequences).state_dict()
        learned = {name: x.tolist() for name, x in whitening.items() if "whiten" in name}
        tables.append((table.text.vectors.tolist(), table.image.vectors.tolist(), learned))
    assert tables[0] != tables[1]


def test_every_setting_of_model_and_training_is_read(monkeypatch):
    """The same without a table of values: nothing of a configuration is left unread."""
    read = set()

    def watching(self, name):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        settings = ("msm4sr_lite.config", "msm4sr_lite.settings")
        if caller.startswith("msm4sr_lite.") and caller not in settings:
            read.add((type(self), name))
        return object.__getattribute__(self, name)

    for kind in TRAINED:
        monkeypatch.setattr(kind, "__getattribute__", watching, raising=False)
    net = M2SE(SMALL)
    list(pretrain_steps(net, TABLE, SEQUENCES, PretrainConfig(epochs=1)))
    list(finetune_steps(transfer(net, 19), TABLE, SEQUENCES, FinetuneConfig(epochs=1)))
    unread = {
        (kind.__name__, field.name)
        for kind in TRAINED
        for field in fields(kind)
        if (kind, field.name) not in read
    }
    # Whether there are IDs is decided where the model is made.
    assert unread == {("FinetuneConfig", "use_ids")}


# ---------------------------------------------------------------------- presets


def flat(config):
    """Return ``part.setting -> value``."""
    return {
        f"{part}.{name}": value
        for part, settings in as_dict(config).items()
        for name, value in settings.items()
    }


def test_the_presets_differ_in_these_settings_and_no_other():
    paper, authors = flat(PRESETS["paper"]), flat(PRESETS["authors"])
    assert PRESETS["paper"] == Config()
    assert {
        name: (paper[name], authors[name]) for name in paper if paper[name] != authors[name]
    } == {
        "model.train_pooling": (True, False),
        "model.mask_padding": (True, False),
        "pretrain.prefix_augmentation": (False, True),
        "pretrain.drop_keeps": ("first", "last"),
        "pretrain.same_target": ("exclude", "zero_logit"),
        "pretrain.cmcl_same_user": ("exclude", "keep"),
        "pretrain.cmcl_form": ("symmetric", "rowwise"),
        "finetune.prefix_augmentation": (False, True),
        "finetune.pad_class": (False, True),
    }
    tuned = flat(PRESETS["tuned"])
    assert {name: tuned[name] for name in paper if paper[name] != tuned[name]} == {
        "model.experts": 1,
        "model.adaptor_dropout": 0.0,
        "model.feature_dropout": 0.5,
        "pretrain.lr": 2e-3,
        "finetune.lr": 1e-3,
        "finetune.candidates": "seen",
    }


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_trains(preset):
    base = PRESETS[preset]
    sizes = {name: getattr(SMALL, name) for name in ("feature_dim", "dim", "ffn_dim", "max_len")}
    net = M2SE(replace(base.model, **sizes))
    for run, config in ((pretrain_steps, base.pretrain), (finetune_steps, base.finetune)):
        records = list(run(net, TABLE, SEQUENCES, replace(config, epochs=2)))
        assert np.isfinite([record.loss for record in records]).all()
        net = transfer(net, 19)


# ------------------------------------------- one pass equals one pass per prefix


class Masks:
    """The same dropped items and swapped places for a sequence and for all of its prefixes.

    They are drawn once for each sequence; a prefix takes the beginning of its sequence's mask.
    """

    def __init__(self, width, rows):
        self.kept = torch.rand(rows, width) > 0.3
        self.kept[:, 0] = True
        self.swaps = torch.rand(rows, width) < 0.4

    def install(self, monkeypatch, rows):
        """Hand the masks of these rows to pre-training."""
        monkeypatch.setattr(
            mixup,
            "draw_kept",
            lambda items, *_, **__: self.kept[rows, : items.shape[1]] & (items != 0),
        )
        monkeypatch.setattr(
            mixup,
            "draw_swaps",
            lambda items, *_: self.swaps[rows, : items.shape[1]] & (items != 0),
        )


def outcome(stage, net, table, batch, monkeypatch):
    """Loss, gradients, and the hidden states of every target, sorted by user and target."""
    states, form = [], fast_objectives if fast.is_on() else objectives

    def spy(function, at):
        def call(*arguments, **options):
            states.append(torch.stack(list(arguments[at].values())).detach())
            return function(*arguments, **options)

        return call

    net.zero_grad()
    if stage == "pretrain":
        spied = spy(objectives.contrastive_losses, at=1)
        with monkeypatch.context() as patch:
            patch.setattr(form, "contrastive_losses", spied)
            loss, _ = pretraining_loss(net, table, batch, PretrainConfig(), torch.Generator())
    else:
        name = "match_scores" if form is objectives else "concat_normalized"
        spied = spy(getattr(form, name), at=0)
        with monkeypatch.context() as patch:
            patch.setattr(form, name, spied)
            loss, _ = finetuning_loss(net, table, batch, FinetuneConfig(), torch.Generator())
    loss.backward()
    row, place = batch.targets.nonzero(as_tuple=True)
    order = np.lexsort([batch.targets[row, place].numpy(), batch.users[row].numpy()])
    grads = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    return loss.detach(), states[0][:, order], grads


def assert_one_pass_equals_many(stage, sequences, max_len, whole, separate, masks_of, monkeypatch):
    n_items = sequences.n_items
    table = toy_table([2, 1, 3, 1, 2] * (n_items // 5), [1, 2] * (n_items // 2))
    torch.manual_seed(0)
    ids = 0 if stage == "pretrain" else n_items
    net = M2SE(replace(SMALL, max_len=max_len, n_items=ids, **NO_DROPOUT))
    results = []
    for batch in (whole, separate):
        masks_of(batch)
        results.append(outcome(stage, net, table, batch, monkeypatch))
    (loss, hidden, grads), (other_loss, other_hidden, other_grads) = results
    assert hidden.shape[1] == int((whole.targets > 0).sum()) == len(separate.items)
    torch.testing.assert_close(loss, other_loss, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(hidden, other_hidden, atol=1e-5, rtol=1e-5)
    assert grads.keys() == other_grads.keys()
    for name, gradient in grads.items():
        torch.testing.assert_close(gradient, other_grads[name], atol=1e-5, rtol=1e-4)


@pytest.fixture(params=["fast", "plain"])
def each_form(request):
    """Both forms of the method."""
    with nullcontext() if request.param == "fast" else fast.switched_off():
        yield


@pytest.mark.usefixtures("each_form")
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_one_pass_equals_one_pass_per_prefix(stage, monkeypatch):
    """Up to 50 items and the same masks: states, losses, gradients of prefix augmentation."""
    sequences = toy_sequences([5, 12, 9, 53, 31], n_items=60)
    whole, separate = (
        next(training_batches(sequences, 50, 10**6, torch.Generator(), rows))
        for rows in (False, True)
    )
    assert len(separate.items) > len(whole.items)
    masks = Masks(50, rows=5)
    assert_one_pass_equals_many(
        stage,
        sequences,
        50,
        whole,
        separate,
        lambda batch: masks.install(monkeypatch, batch.users),
        monkeypatch,
    )


@pytest.mark.usefixtures("each_form")
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_beyond_the_longest_sequence_windows_are_cut(stage, monkeypatch):
    """More than 50 items: the same as separate prefixes that begin where the windows begin."""
    sequences = toy_sequences([130, 7, 74], n_items=130)
    whole = next(training_batches(sequences, 50, 10**6, torch.Generator()))
    cut = [
        (user, window)
        for user, sequence in enumerate(sequences.train())
        for window in windows(sequence, 50)
    ]
    assert len(cut) == 3 + 1 + 2
    # A window is identified by its user and its first item.
    number = {(user, int(window[0])): place for place, (user, window) in enumerate(cut)}
    rows = [(user, window[: k + 1]) for user, window in cut for k in range(1, len(window))]
    items = pad([prefix[:-1] for _, prefix in rows], 50)
    targets = torch.zeros_like(items)
    for row, (_, prefix) in enumerate(rows):
        targets[row, len(prefix) - 2] = int(prefix[-1])
    separate = Batch(items, targets, torch.tensor([user for user, _ in rows]))
    masks = Masks(50, rows=len(cut))

    def masks_of(batch):
        keys = zip(batch.users.tolist(), batch.items[:, 0].tolist(), strict=True)
        masks.install(monkeypatch, torch.tensor([number[key] for key in keys]))

    assert_one_pass_equals_many(stage, sequences, 50, whole, separate, masks_of, monkeypatch)


# ----------------------------------------------------------------- model sanity


def exact_losses(hidden, z_target, targets, users, tau):
    """NIP of both modalities and CMCL in double precision."""
    hidden, z_target = (
        {modality: F.normalize(x.detach().double(), dim=-1) for modality, x in side.items()}
        for side in (hidden, z_target)
    )
    diagonal = torch.eye(len(targets), dtype=torch.bool)

    def cross_entropy(positive, logits, masked):
        logits = torch.cat([positive[:, None], logits.masked_fill(masked, -torch.inf)], dim=1)
        return (logits.logsumexp(dim=1) - positive).mean().item()

    nip = false_negatives(targets, users, same_user=False) | diagonal
    cmcl = false_negatives(targets, users, same_user=True) | diagonal
    found = {}
    for modality in ("text", "image"):
        logits = hidden[modality] @ z_target[modality].T / tau
        found[f"nip_{modality}"] = cross_entropy(logits.diagonal(), logits, nip)
    directions = []
    for anchor, other in ((hidden["text"], hidden["image"]), (hidden["image"], hidden["text"])):
        logits = torch.cat([anchor @ other.T, anchor @ anchor.T], dim=1) / tau
        directions.append(cross_entropy(logits.diagonal(), logits, torch.cat([cmcl, cmcl], dim=1)))
    found["cmcl"] = sum(directions) / 2
    return found


@pytest.mark.usefixtures("each_form")
@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("tau", [0.07, 0.01])
@pytest.mark.parametrize(
    ("rows", "one_target"), [(1, False), (2, False), (2, True), (61, True), (1024, False)]
)
def test_losses_are_finite_and_right(rows, one_target, tau, autocast, monkeypatch):
    """Tiny and large batches, all targets equal, sharp temperature, half precision around it."""
    seen = []
    form = fast_objectives if fast.is_on() else objectives
    real = objectives.contrastive_losses

    def spy(model, hidden, z_target, target, users, config):
        seen.append((hidden, z_target, target, users))
        return real(model, hidden, z_target, target, users, config)

    monkeypatch.setattr(form, "contrastive_losses", spy)
    generator = torch.Generator().manual_seed(rows)
    items = torch.randint(1, 20, (rows, 3), generator=generator)
    targets = torch.zeros_like(items)
    targets[:, 2] = 7 if one_target else torch.randint(1, 20, (rows,), generator=generator)
    batch = Batch(items, targets, torch.arange(rows) // 2)
    net = M2SE(SMALL).train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        loss, parts = pretraining_loss(
            net, TABLE, batch, PretrainConfig(temperature=tau), generator
        )
    expected = exact_losses(*seen[0], tau)
    assert loss.dtype == torch.float32
    for name, part in parts.items():
        assert part.item() == pytest.approx(expected[name], abs=2e-5, rel=2e-5)
        assert part.item() == 0 or not (rows == 1 or one_target)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)

    net = M2SE(replace(SMALL, n_items=19, **NO_DROPOUT))
    losses = []
    for enabled in (False, autocast):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            loss, _ = finetuning_loss(net, TABLE, batch, FinetuneConfig(temperature=tau), generator)
        losses.append(loss)
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    # bfloat16 keeps 8 bits: a cosine may be off by 0.01, a score by twice that.
    assert losses[1].item() == pytest.approx(losses[0].item(), abs=0.02 / tau)


def test_scores_are_not_rounded_by_autocast():
    """Half precision stays around the encoder: cosines are computed in float32."""
    states, vectors = torch.randn(5, 14), torch.randn(7, 14)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = match_scores({"text": states}, {"text": vectors})
    assert half.dtype == torch.float32
    assert torch.equal(half, match_scores({"text": states}, {"text": vectors}))
