"""The page's models in PyTorch, with the stored weights, and random histories to score."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from docs.explainer.build import HERE
from docs.explainer.export import CONFIG
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.feature_table import FeatureTable, make_slots
from msm4sr_lite.mixup import complementary_mixup
from msm4sr_lite.similarity import cosine_scores

DATA = json.loads((HERE / "items.json").read_text(encoding="utf-8"))
STORED = load_file(HERE / "weights.safetensors")
MODELS = sorted({name.partition(".")[0] for name in STORED if "." in name})
History = list[dict[str, Any]]  # the page's form: item, words, swapped


def load(name: str) -> M2SE:
    """Return a stored model."""
    weights = {
        key.partition(".")[2]: tensor.float()
        for key, tensor in STORED.items()
        if key.startswith(f"{name}.")
    }
    n_items = len(weights["ids.weight"]) - 1 if "ids.weight" in weights else 0
    model = M2SE(ModelConfig(**{**vars(CONFIG.model), "n_items": n_items}))
    model.load_state_dict(weights)
    return model.eval()


def draw_histories(count: int, seed: int = 0) -> list[History]:
    """Return random histories; some keywords are missing or exchanged, some positions swapped."""
    rng = random.Random(seed)

    def draw() -> dict[str, Any]:
        item = rng.randrange(len(DATA["items"]))
        words = [word for word in DATA["items"][item]["keywords"] if rng.random() < 0.8]
        words = [rng.choice(DATA["words"]) if rng.random() < 0.2 else word for word in words]
        words = [] if rng.random() < 0.1 else words
        return {"item": item, "words": words, "swapped": rng.random() < 0.4}

    return [[draw() for _ in range(rng.randint(1, 9))] for _ in range(count)]


@torch.no_grad()
def encode(model: M2SE, history: History) -> dict[str, dict[str, Tensor]]:
    """Return for each modality the catalogue's z, the mixed sequence and all h of a history."""
    items = DATA["items"]
    entries = [*range(len(items)), *(one["item"] for one in history)]
    words = [*(item["keywords"] for item in items), *(one["words"] for one in history)]
    firsts = np.cumsum([0, *(len(item["sentences"]) for item in items)])
    sentences = [STORED["sentences"][firsts[i] : firsts[i + 1]] for i in entries]
    pictures = [STORED["words"][[DATA["words"].index(word) for word in each]] for each in words]
    text, image = (
        make_slots(torch.cat(slots).numpy(), np.array([0, *map(len, slots)]))
        for slots in (sentences, pictures)
    )
    table = FeatureTable(["", *map(str, range(len(entries)))], text, image, {})
    z = model.item_embeddings(table, torch.arange(1, len(entries) + 1))
    z = model.with_ids(z, torch.tensor(entries) + 1)
    text, image = (z[modality][None, len(items) :] for modality in ("text", "image"))
    swaps = torch.tensor([[one["swapped"] for one in history]])
    mixed = dict(zip(("text", "image"), complementary_mixup(text, image, swaps), strict=True))
    h = model.encode(mixed)
    return {m: {"z": z[m][: len(items)], "mixed": mixed[m], "h": h[m][0]} for m in h}


def score(model: M2SE, history: History) -> dict[str, Tensor]:
    """Return the cosines of all items of the page for each modality, as PyTorch computes them."""
    found = encode(model, history).items()
    return {m: cosine_scores(one["h"][-1:], one["z"])[0] for m, one in found}


def known_history(user: int) -> History:
    """Return the history that the page shows of a user: all but the last interaction."""
    return [
        {"item": item, "words": DATA["items"][item]["keywords"], "swapped": False}
        for item in DATA["users"][user]["history"][:-1]
    ]
