"""Write and read model folders: configuration, weights, item ids and the record of the training."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.store.checksums import reading, verify_folder
from msm4sr_lite.store.files import recover, require_folder, whole_folder, write_json
from msm4sr_lite.store.schemas import FORMAT, ItemIds, StageRecord, read_json

FILES = ("config.json", "model.safetensors", "items.json", "record.json")
# The tensors of a sparse matrix of pairs in rows, and of the decay with which it is used.
PAIRS = {"values": torch.float64, "columns": torch.int64, "offsets": torch.int64}
PAIRS |= {"decay": torch.float64}
REMEDY = "restore a copy of the folder, or delete it and train the model again"


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

    Raises
    ------
    UserError
        If a weight is not a finite number, or the folder cannot be written.
    """
    from safetensors.torch import save

    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    require_finite(weights, f"{folder}: the model was not saved")
    with whole_folder(folder, checksums=True) as draft:
        (draft / "model.safetensors").write_bytes(save(weights, {"format": "pt"}))
        write_json(draft / "config.json", dict(sorted(asdict(model.config).items())))
        write_json(draft / "items.json", items[1:])
        write_json(draft / "record.json", {**record, "format": FORMAT})


def load_checkpoint(folder: str | Path, build: type[M2SE] = M2SE) -> tuple[M2SE, list[str]]:
    """Load a model folder; ``build`` is the class of the model.

    Returns
    -------
    model, items
        The model in evaluation mode, and its item ids in order; ``items[0]`` is padding.

    Raises
    ------
    UserError
        If a file is missing or has changed since it was written, or the files do not fit together:
        the weights must have exactly the names, shapes and types that the configuration demands,
        and be finite.
    """
    folder = Path(folder)
    require_folder(folder, "a trained model")
    verify_folder(folder, FILES, REMEDY)
    record = read_json(folder / "record.json", StageRecord, REMEDY)
    if record.get("format") != FORMAT:
        raise UserError(
            f"{folder / 'record.json'}: format {record.get('format')}, but this version of"
            f" msm4sr_lite reads format {FORMAT}; install the version that wrote it, or train again"
        )
    config = read_config(folder / "config.json")
    if "config" in record and record["config"].get("model") != asdict(config):
        raise UserError(f"{folder}: config.json and record.json differ; {REMEDY}")
    listed = read_json(folder / "items.json", ItemIds, REMEDY)
    if len(set(listed)) < len(listed):
        raise UserError(f"{folder / 'items.json'}: an item id occurs twice; {REMEDY}")
    if config.n_items > len(listed):
        raise UserError(f"{folder / 'items.json'}: lists fewer ids than the model has; {REMEDY}")
    with torch.device("meta"):  # shapes without memory: the file may be wrong
        expected = build(config).state_dict()
    path = folder / "model.safetensors"
    weights = read_tensors(path, expected, REMEDY)
    model = build(config)
    model.load_state_dict(weights)
    return model.eval(), ["", *listed]


def read_config(path: Path) -> ModelConfig:
    """Read ``config.json``: every setting of the model, and no other.

    Raises
    ------
    UserError
        If a setting is missing, unknown, or out of range.
    """
    found = read_json(path, dict[str, Any], REMEDY)
    known = {one.name for one in fields(ModelConfig)}
    if odd := sorted(known ^ found.keys()):
        kind = "has no setting" if odd[0] in known else "has an unknown setting"
        raise UserError(f"{path}: {kind} {odd[0]!r}; {REMEDY}")
    try:
        return ModelConfig(**found)
    except UserError as error:
        raise UserError(f"{path}: {error}; {REMEDY}") from None


def read_tensors(path: Path, expected: dict[str, Tensor], remedy: str) -> dict[str, Tensor]:
    """Read a safetensors file that must hold exactly these tensors.

    Parameters
    ----------
    path
        The file.
    expected
        Name -> a tensor of the right shape and type; its values do not matter.
    remedy
        What to do if the file cannot be used, for the message.

    Raises
    ------
    UserError
        If the file is damaged, or a tensor is missing, unknown, of another shape or type, or has
        values that are not finite.
    """
    from safetensors import safe_open

    with reading(path, remedy), safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        check_like(expected, found)
    require_finite(found, str(path))
    return found


def write_pairs(path: Path, pairs: sparse.csr_array, decay: float) -> None:
    """Write a square sparse matrix, and the decay with which it is used, as safetensors."""
    from safetensors.torch import save

    parts = {"values": pairs.data, "columns": pairs.indices, "offsets": pairs.indptr}
    tensors = {name: torch.from_numpy(part).to(PAIRS[name]) for name, part in parts.items()}
    path.write_bytes(save(tensors | {"decay": torch.tensor(decay, dtype=PAIRS["decay"])}))


def read_pairs(path: Path, most: int) -> tuple[sparse.csr_array, float]:
    """Read what ``write_pairs`` wrote; the matrix has at most ``most`` rows.

    Raises
    ------
    UserError
        If the file is damaged, or holds something else.
    """
    from safetensors.torch import load

    with reading(path, REMEDY):
        found = load(path.read_bytes())
        n_pairs, rows = (found[n].numel() if n in found else 0 for n in ("values", "offsets"))
        sizes = {"values": (n_pairs,), "columns": (n_pairs,), "offsets": (rows,), "decay": ()}
        check_like({n: torch.empty(sizes[n], dtype=kind) for n, kind in PAIRS.items()}, found)
        values, columns, offsets, decay = (found[name].numpy() for name in PAIRS)
        right = 1 < rows <= most + 1 and offsets[0] == 0 and offsets[-1] == n_pairs
        right = right and 0 <= decay <= 1 and bool(np.isfinite(values).all())
        inside = (columns >= 0) & (columns < rows - 1)
        if not (right and inside.all() and (np.diff(offsets) >= 0).all()):
            raise ValueError("not a matrix of pairs of these items")
    return sparse.csr_array((values, columns, offsets), (rows - 1, rows - 1)), float(decay)


def check_like(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` unless both have the same names, shapes and types."""
    if odd := sorted(expected.keys() ^ found.keys()):
        kind = "lacks the tensor" if odd[0] in expected else "has an unknown tensor"
        raise ValueError(f"{kind} {odd[0]!r}")
    for name, like in expected.items():
        kinds = [f"{one.dtype} {[*one.shape]}" for one in (found[name], like)]
        if kinds[0] != kinds[1]:
            raise ValueError(f"{name} is {kinds[0]}, not {kinds[1]}")


def require_finite(weights: dict[str, Tensor], what: str) -> None:
    """Raise a ``UserError`` if a weight is NaN or infinite; such a model ranks nothing."""
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise UserError(
                f"{what}: {name} has values that are not finite; train with a lower learning rate"
            )


def find_model_folder(path: Path) -> Path:
    """Return ``path`` if it is a model folder, else a model folder in this run folder.

    The fine-tuned model is preferred to the pre-trained one.
    """
    require_folder(path, "a run or of a model")
    for place in (path, path / "finetuned", path / "pretrained"):
        recover(place.parent, place.name)
        if (place / "config.json").exists() or (place / "model.safetensors").exists():
            return place
    raise UserError(f"{path}: no trained model in this folder; give a run folder or model folder")
