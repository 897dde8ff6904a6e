"""What the page holds is what its export chooses; the training itself is not repeated."""

from __future__ import annotations

import torch
from stored_models import DATA, MODELS, STORED

from docs.explainer import export
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.features.sentences import text_slots


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


def test_five_models_are_stored_in_half_precision() -> None:
    stages = ("pretrained", "finetuned")
    wanted = {"start", *(f"{kind}_{stage}" for kind in ("mixup", "plain") for stage in stages)}
    assert {*MODELS} == wanted
    assert {tensor.dtype for tensor in STORED.values()} == {torch.float16}
    assert len(STORED["words"]) == len(DATA["words"])
    assert len(STORED["sentences"]) == sum(len(item["sentences"]) for item in DATA["items"])
