"""Train the page's models and choose its items and users: ``python -m docs.explainer.export``.

It writes ``weights.safetensors`` and ``items.json`` beside this file. All numbers are stored in
half precision, and the stored numbers are the reference: what the page computes is compared with
PyTorch on these. It needs the default text encoder and about five minutes on one core. On one
machine it writes the same bytes each time.

The page's models differ from the preset ``paper`` in these points, and in ``CONFIG``:

- Each keyword has a slot of its own. Only so can a keyword be exchanged without the text encoder.
- Embeddings have 64 numbers, the first principal components of the encoder's 384.
- Only the first image of an item is read.
- Items without training interactions are left out of the softmax of fine-tuning, as in ``tuned``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from docs.explainer.build import HERE, SAMPLE
from msm4sr_lite.config import Config, FinetuneConfig, ModelConfig, PretrainConfig
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.feature_table import FeatureTable, Slots, make_slots
from msm4sr_lite.features.sentences import text_slots
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.initialize import transfer
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import Sequences
from msm4sr_lite.store.files import write_bytes, write_text
from msm4sr_lite.training import finetune, pretrain

FIRST_USER = "uh0040"  # whose history the notebooks look at
N_USERS, N_ITEMS, WIDTH, SEED = 12, 60, 64, 0
CONFIG = Config(
    model=ModelConfig(feature_dim=WIDTH, max_len=15),
    pretrain=PretrainConfig(batch_size=256),
    finetune=FinetuneConfig(batch_size=256, lr=5e-4, candidates="seen"),
)


def main() -> None:
    """Train, choose, and write both files."""
    torch.set_num_threads(1)
    dataset = Dataset.from_folder(SAMPLE, domain="home")
    keywords = read_first_keywords(SAMPLE / "features")
    texts = {i: text_slots(item, 10, "sentences") for i, item in dataset.items.items()}
    words = (SAMPLE / "features" / "dictionary.txt").read_text("utf-8").split()
    sentences = sorted({sentence for text in texts.values() for sentence in text})
    vector_of, kept = reduce_width([*words, *sentences])
    table = feature_table(list(dataset.items), texts, keywords, vector_of)
    sequences = build_sequences(dataset.interactions, list(dataset.items))

    users = choose_users(dataset, {i for i in dataset.items if keywords.get(i) and texts[i]})
    items = choose_items(dataset, users, set(keywords))
    rows = torch.tensor([0, *(table.items.index(item) for item in items)])
    tensors = {"words": torch.stack([vector_of[word] for word in words])}
    tensors["sentences"] = torch.stack([vector_of[s] for item in items for s in texts[item]])
    quality: dict[str, float] = {}
    for name, model in train_models(table, sequences).items():
        quality[name] = recall(model, table, sequences)
        print(f"{name}: Recall@20 {quality[name]:.3f} (validation, all items)", flush=True)
        weights = {f"{name}.{key}": value for key, value in model.state_dict().items()}
        if model.ids is not None:
            weights[f"{name}.ids.weight"] = model.ids.weight[rows]
        tensors |= weights
    half = {name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}
    write_bytes(HERE / "weights.safetensors", save(half))
    content = {
        "made_by": {
            "seed": SEED,
            "width": WIDTH,
            "variance_kept": round(kept, 3),
            "recall@20": quality,
        },
        "words": words,
        "items": [describe_item(dataset.items[i], texts[i], keywords[i]) for i in items],
        "users": [
            {"id": user, "history": [items.index(i) for i in dataset.user_history(user)]}
            for user in users
        ],
    }
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write_text(HERE / "items.json", text + "\n")


def read_first_keywords(features: Path) -> dict[str, list[tuple[str, float]]]:
    """Return the keywords of each item's first image with their cosines, best first."""
    found: dict[str, list[tuple[str, float]]] = {}
    for line in (features / "keywords.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        pairs = list(zip(record["keywords"], record["scores"], strict=True))
        found.setdefault(record["item_id"], pairs)
    return found


def reduce_width(texts: Sequence[str]) -> tuple[dict[str, Tensor], float]:
    """Return the first principal components of all texts' embeddings, in half precision.

    The second result is the share of the variance that they keep.
    """
    embeddings = torch.from_numpy(TextEncoder().encode(list(texts))).double()
    centred = embeddings - embeddings.mean(dim=0)
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    sign = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True)).sign()  # the same everywhere
    reduced = (centred @ (axes * sign)[:WIDTH].T).half()
    kept = float((singular[:WIDTH] ** 2).sum() / (singular**2).sum())
    return dict(zip(texts, reduced, strict=True)), kept


def feature_table(
    items: Sequence[str],
    texts: dict[str, list[str]],
    keywords: dict[str, list[tuple[str, float]]],
    vector_of: dict[str, Tensor],
) -> FeatureTable:
    """Return the features of all items: a slot for each sentence and one for each keyword."""

    def slots(groups: list[list[str]]) -> Slots:
        vectors = torch.stack([vector_of[text] for group in groups for text in group])
        return make_slots(vectors.numpy(), np.array([0, *map(len, groups)]))

    text = slots([texts[item] for item in items])
    image = slots([[word for word, _ in keywords.get(item, [])] for item in items])
    return FeatureTable(["", *items], text, image, {})


def choose_users(dataset: Dataset, complete: set[str]) -> list[str]:
    """Choose users that share many items, so that few items are needed for all histories.

    Only users with 6 to 9 interactions count, all of them with items that have text and image. The
    choice looks at no model.
    """
    history = {user: set(dataset.user_history(user)) for user in dataset.users}
    able = [u for u, found in history.items() if 6 <= len(found) <= 9 and found <= complete]
    users, known = [FIRST_USER], set(history[FIRST_USER])
    while len(users) < N_USERS:
        rest = (user for user in able if user not in users)
        users.append(min(rest, key=lambda user: (len(history[user] - known), user)))
        known |= history[users[-1]]
    return users


def choose_items(dataset: Dataset, users: Sequence[str], with_image: set[str]) -> list[str]:
    """Return the items of these users, and the most popular others up to ``N_ITEMS``, by id."""
    known = {item for user in users for item in dataset.user_history(user)}
    popular = dataset.interactions["item_id"].value_counts()
    others = sorted(set(dataset.items) - known, key=lambda i: (-popular.get(i, 0), i))
    complete = [i for i in others if i in with_image and dataset.items[i].description]
    return sorted([*known, *complete[: max(0, N_ITEMS - len(known))]])


def train_models(table: FeatureTable, sequences: Sequences) -> dict[str, M2SE]:
    """Return the models by name: the start, and both stages with and without mixup."""
    torch.manual_seed(SEED)
    start = M2SE(CONFIG.model)
    models = {"start": start}
    for name, limit in (("mixup", CONFIG.pretrain.mixup_max), ("plain", 0.0)):
        model = transfer(start, 0)
        pretrain(model, table, sequences, replace(CONFIG.pretrain, mixup_max=limit), seed=SEED)
        models[f"{name}_pretrained"] = model
        torch.manual_seed(SEED)
        tuned = transfer(model, sequences.n_items)
        finetune(tuned, table, sequences, CONFIG.finetune, seed=SEED)
        models[f"{name}_finetuned"] = tuned
    return models


def recall(model: M2SE, table: FeatureTable, sequences: Sequences) -> float:
    """Return the Recall@20 of the validation part among all items of the domain."""
    histories, targets = sequences.held_out("valid")
    ranks = target_ranks(ModelScorer(model, table), histories, targets)
    return round(float(metrics(ranks, [20])["recall@20"].mean()), 3)


def describe_item(
    item: Item, sentences: list[str], keywords: list[tuple[str, float]]
) -> dict[str, Any]:
    """Return what the page shows of an item."""
    return {
        "id": item.item_id,
        "title": item.title,
        "image": item.images[0],
        "sentences": sentences,
        "keywords": [word for word, _ in keywords],
        "scores": [score for _, score in keywords],
    }


if __name__ == "__main__":
    main()
