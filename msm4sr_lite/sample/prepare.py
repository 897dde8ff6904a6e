"""Make what comes ready with the sample shop: features, trained models, reference maps.

    python -m msm4sr_lite.sample.prepare data_samples

It needs the default text encoder and about a quarter of an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from msm4sr_lite.cli import main as msm4sr
from msm4sr_lite.config import UserError, write_text
from msm4sr_lite.features import FeatureTable
from msm4sr_lite.sample.captions import DISTRACTORS, WORDS
from msm4sr_lite.training import load_checkpoint

DEPARTMENT = "home"
KEYWORDS = 5  # a drawing has four or five true words
NEIGHBOURS = 15


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all stages; a stage that is done already is skipped."""
    parser = argparse.ArgumentParser(prog="python -m msm4sr_lite.sample.prepare")
    parser.add_argument("samples", type=Path, help="the folder data_samples")
    samples: Path = parser.parse_args(arguments).samples
    shop, clip, work = samples / "corner_shop", samples / "mini_clip", Path("build/prepare")
    write_text(clip / "words.txt", "\n".join([*WORDS, *DISTRACTORS]) + "\n")

    run("keywords", shop, "--out", work, "--clip", clip, "--dictionary", clip / "words.txt",
        "--words", KEYWORDS)  # fmt: skip
    run("features", shop, "--out", work)
    replace(work / "features", shop / "features")
    for stage, state in (("pretrain", "pretrained"), ("finetune", "finetuned")):
        run(stage, shop, "--department", DEPARTMENT, "--out", work / DEPARTMENT,
            "--features", shop / "features")  # fmt: skip
        replace(work / DEPARTMENT / state, shop / "states" / f"{DEPARTMENT}_{state}")
    write_map(shop)


def run(*command: object) -> None:
    """Run one command of ``msm4sr``."""
    if code := msm4sr([str(word) for word in command]):
        raise UserError(f"msm4sr {command[0]} ended with code {code}")


def replace(source: Path, target: Path) -> None:
    """Copy a folder to where another one may stand."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def write_map(shop: Path) -> None:
    """Lay the items out on a plane: UMAP of the pre-trained model's item vectors, both views."""
    from sklearn.neighbors import NearestNeighbors
    from umap import UMAP

    model, items = load_checkpoint(shop / "states" / f"{DEPARTMENT}_pretrained")
    table = FeatureTable.load(shop / "features").for_items(items)
    with torch.inference_mode():
        views = model.item_vectors(table, torch.arange(1, len(items)))
    vectors = torch.cat([torch.nn.functional.normalize(z, dim=1) for z in views.values()], dim=1)
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(vectors.numpy())
    distances, indices = near.kneighbors(vectors.numpy())
    reducer = UMAP(
        n_neighbors=NEIGHBOURS,
        precomputed_knn=(indices, distances),
        force_approximation_algorithm=True,
        random_state=0,
        n_jobs=1,
    )
    places = np.asarray(reducer.fit_transform(vectors.numpy()))
    content = {
        "items": items[1:],
        "x": [round(float(x), 3) for x in places[:, 0]],
        "y": [round(float(y), 3) for y in places[:, 1]],
    }
    write_text(shop / "maps" / f"{DEPARTMENT}.json", json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
