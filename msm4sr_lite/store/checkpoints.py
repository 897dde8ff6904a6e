"""Write and read model folders: configuration, weights, item ids and the record of the training."""

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
        (draft / "model.safetensors").chmod(0o666 & ~umask)  # readable for others, too
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
            raise ValueError("items.json: holds no item ids")
        with redirect_stdout(None):  # the hub mixin prints a line that would spoil --json
            model = M2SE.from_pretrained(folder)
        if model.config.n_items >= len(items):
            raise ValueError(f"items.json: lists fewer than the model's {model.config.n_items} ids")
    except damage as error:
        raise UserError(
            f"{folder}: not a model folder ({str(error).splitlines()[0]});"
            f" give another folder, or train the model again"
        ) from None
    return model.eval(), items


def find_model_folder(path: Path) -> Path:
    """Return ``path`` if it is a model folder, else a model folder in this run folder.

    The fine-tuned model is preferred to the pre-trained one.
    """
    for place in (path, path / "finetuned", path / "pretrained"):
        if (place / "config.json").is_file():
            return place
    raise UserError(f"{path}: no trained model in this folder; give a run folder or model folder")
