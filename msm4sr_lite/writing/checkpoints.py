"""Model folders; ``training.load_checkpoint`` reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msm4sr_lite.encoder import M2SE
from msm4sr_lite.writing.files import whole_folder, write_json


def save_checkpoint(model: M2SE, folder: Path, items: list[str], record: dict[str, Any]) -> None:
    """Write a model folder, whole or not at all: config, weights, item order, record."""
    with whole_folder(folder) as draft:
        model.save_pretrained(draft)
        (draft / "README.md").unlink(missing_ok=True)  # the hub mixin's empty model card
        (draft / "items.json").write_text(json.dumps(items[1:]), encoding="utf-8", newline="\n")
        write_json(draft / "record.json", record)
