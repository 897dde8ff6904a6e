"""What the page holds is what its export chooses; the training itself is not repeated."""

from __future__ import annotations

import re
from dataclasses import asdict

import torch
from stored_models import DATA, MODELS, STORED

from docs.explainer import export
from docs.explainer.build import HERE, build_page
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features.sentences import text_slots
from msm4sr_lite.presets import PRESETS


def test_items_and_users_are_those_that_the_export_chooses() -> None:
    dataset = Dataset.from_folder(export.SAMPLE, domain="home")
    keywords = export.read_first_keywords(export.SAMPLE / "features")
    texts = {i: text_slots(item, 10, "sentences") for i, item in dataset.items.items()}
    users = export.choose_users(dataset, {i for i in texts if keywords.get(i) and texts[i]})
    items = export.choose_items(dataset, users, set(keywords))
    described = [export.describe_item(dataset.items[i], texts[i], keywords[i]) for i in items]
    assert [user["id"] for user in DATA["users"]] == users
    assert len(described) == export.N_ITEMS
    assert DATA["items"] == described
    for user in DATA["users"]:
        assert [items[number] for number in user["history"]] == dataset.user_history(user["id"])


def about() -> str:
    """Return the text of the page's section on itself."""
    section = re.search(r'<section id="about".*?</section>', build_page(), re.S)
    assert section
    return re.sub(r"<[^>]+>", "", section[0])


SAID = {  # each difference from the preset, and how the page says it
    "model.feature_dim": "The 64 numbers of an embedding are principal components",
    "model.max_len": "Histories have at most 15 items",
    "pretrain.batch_size": "a batch has 256 targets",
    "finetune.batch_size": "a batch has 256 targets",
    "finetune.lr": "fine-tuning has a learning rate of 0.0005",
    "finetune.candidates": "Items without training interactions are left out of fine-tuning",
}


def test_the_page_names_every_difference_from_the_preset() -> None:
    ours, preset = asdict(export.CONFIG), asdict(PRESETS["paper"])
    parts = ("model", "pretrain", "finetune")
    differences = {f"{p}.{f}" for p in parts for f in ours[p] if ours[p][f] != preset[p][f]}
    assert differences == {*SAID}
    for sentence in SAID.values():
        assert sentence in about()


def test_sizes_that_the_page_repeats() -> None:
    model = export.CONFIG.model
    script = (HERE / "model.js").read_text("utf-8")
    for size in (
        f"dim: {model.dim}, heads: {model.heads}, layers: {model.layers}",
        f"experts: {model.experts}, featureDim: {model.feature_dim}",
    ):
        assert size in script
    dataset = Dataset.from_folder(export.SAMPLE, domain="home")
    counts = f"of its {len(dataset.items)} items and {len(DATA['users'])} of its"
    assert f"{counts} {len(dataset.users)} users" in about()
    assert f"the first 20 of all {len(dataset.items)} items" in build_page()
    longest = max(len(user["history"]) for user in DATA["users"])
    assert "LONGEST = 9;" in (HERE / "state.js").read_text("utf-8")
    assert longest <= 9 <= model.max_len


def test_five_models_are_stored_in_half_precision() -> None:
    stages = ("pretrained", "finetuned")
    wanted = {"start", *(f"{kind}_{stage}" for kind in ("mixup", "plain") for stage in stages)}
    assert {*MODELS} == wanted
    assert {tensor.dtype for tensor in STORED.values()} == {torch.float16}
    assert len(STORED["words"]) == len(DATA["words"])
    assert len(STORED["sentences"]) == sum(len(item["sentences"]) for item in DATA["items"])
