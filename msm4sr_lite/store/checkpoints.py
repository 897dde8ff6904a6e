"""Model folders; ``training.load_checkpoint`` reads them."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.files import whole_folder, write_json


def save_checkpoint(model: M2SE, folder: Path, items: list[str], record: dict[str, Any]) -> None:
    """Write a model folder, whole or not at all: config, weights, item order, record."""
    with whole_folder(folder) as draft:
        model.save_pretrained(draft)
        (draft / "README.md").unlink(missing_ok=True)  # the hub mixin's empty model card
        (draft / "items.json").write_text(json.dumps(items[1:]), encoding="utf-8", newline="\n")
        write_json(draft / "record.json", record)


def load_checkpoint(folder: str | Path) -> tuple[M2SE, list[str]]:
    """Return the model of a folder and the items it was trained on, ``items[0]`` being padding."""
    folder = Path(folder)
    try:
        items = ["", *json.loads((folder / "items.json").read_text(encoding="utf-8"))]
        with redirect_stdout(None):  # the hub mixin prints a line that would spoil --json
            model = M2SE.from_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(
            f"{folder}: not a model folder ({str(error).splitlines()[0]});"
            f" make one with `msm4sr pretrain` or `msm4sr finetune`"
        ) from None
    return model.eval(), items
