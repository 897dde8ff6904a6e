"""Model folders: configuration, weights, item ids and the record of their training."""

import json
import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.files import whole_folder, write_json


def save_checkpoint(model: M2SE, folder: Path, items: list[str], record: dict[str, Any]) -> None:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    model
        Its configuration and weights become ``config.json`` and ``model.safetensors``.
    folder
        Where to write; what was there is replaced.
    items
        Item ids in the order of the model; ``items[0]``, padding, is not written.
    record
        How the model was made, for ``record.json``.
    """
    with whole_folder(folder) as draft:
        model.save_pretrained(draft)
        umask = os.umask(0)
        os.umask(umask)
        (draft / "model.safetensors").chmod(0o666 & ~umask)  # it is written for its owner alone
        (draft / "README.md").unlink(missing_ok=True)  # the hub mixin's empty model card
        (draft / "items.json").write_text(json.dumps(items[1:]), encoding="utf-8", newline="\n")
        write_json(draft / "record.json", record)


def load_checkpoint(folder: str | Path) -> tuple[M2SE, list[str]]:
    """Load a model folder.

    Returns
    -------
    model, items
        The model in evaluation mode, and its item ids in order; ``items[0]`` is padding.

    Raises
    ------
    UserError
        If the folder holds no model, or its files do not fit together.
    """
    from safetensors import SafetensorError

    folder = Path(folder)
    damage = OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError
    try:
        items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
        if len(items) == 1:
            raise ValueError("items.json: no item ids in it")
        with redirect_stdout(None):  # the hub mixin prints a line that would spoil --json
            model = M2SE.from_pretrained(folder)
        if model.config.n_items >= len(items):
            raise ValueError(f"items.json: fewer items than the {model.config.n_items} with an id")
    except damage as error:
        raise UserError(
            f"{folder}: not a model folder ({str(error).splitlines()[0]});"
            f" make one with `msm4sr pretrain` or `msm4sr finetune`"
        ) from None
    return model.eval(), items


def find_model_folder(path: Path) -> Path:
    """Return ``path`` if it is a model folder, else the best model in this run folder.

    A fine-tuned model is better than a pre-trained one.
    """
    for place in (path, path / "finetuned", path / "pretrained"):
        if (place / "config.json").is_file():
            return place
    raise UserError(f"{path}: no trained model in this folder; make one with `msm4sr run`")
