"""Make the files that come ready with the sample: features, trained models, a map, deletions.

    python -m data_samples.make.prepare data_samples

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
from course.maps import fit_umap

from data_samples.make.labels import DISTRACTORS, WORDS
from msm4sr_lite.cli import main as msm4sr
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.encoder import concat_normalized
from msm4sr_lite.explain.effects import delete_each_keyword
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.files import whole_folder, write_json, write_text

DOMAIN = "home"
KEYWORDS = 5  # a drawing has four or five true words
NEIGHBOURS = 15
USER = "uh0040"  # whose history notebooks 00, 04 and 05 look at


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all stages; a stage that is done already is skipped."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.prepare")
    parser.add_argument("samples", type=Path, help="the folder data_samples")
    samples: Path = parser.parse_args(arguments).samples
    sample, clip, work = samples / "corner_shop", samples / "mini_clip", Path("build/prepare")
    write_text(clip / "words.txt", "\n".join([*WORDS, *DISTRACTORS]) + "\n")

    run("keywords", sample, "--out", work, "--clip", clip, "--dictionary", clip / "words.txt",
        "--set", f"features.n_keywords={KEYWORDS}")  # fmt: skip
    run("features", sample, "--out", work)
    replace(work / "features", sample / "features")
    for stage, state in (("pretrain", "pretrained"), ("finetune", "finetuned")):
        run(stage, sample, "--domain", DOMAIN, "--out", work / DOMAIN,
            "--features", sample / "features")  # fmt: skip
        replace(work / DOMAIN / state, sample / "states" / f"{DOMAIN}_{state}")
    write_map(sample)
    write_deletions(sample)


def run(*command: object) -> None:
    """Run one command of ``msm4sr``."""
    if code := msm4sr([str(word) for word in command]):
        raise UserError(f"msm4sr {command[0]} ended with code {code}")


def replace(source: Path, target: Path) -> None:
    """Copy a folder over another one."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)


def write_map(sample: Path) -> None:
    """Write the UMAP coordinates of the pre-trained model's item embeddings, both modalities."""
    model, items = load_checkpoint(sample / "states" / f"{DOMAIN}_pretrained")
    table = load_feature_table(sample / "features").for_items(items)
    with torch.inference_mode():
        embeddings = model.item_embeddings(table, torch.arange(1, len(items)))
    points = fit_umap(concat_normalized(embeddings).numpy(), NEIGHBOURS)
    content = {
        "items": items[1:],
        "x": [round(float(x), 3) for x in points[:, 0]],
        "y": [round(float(y), 3) for y in points[:, 1]],
    }
    write_text(sample / "maps" / f"{DOMAIN}.json", json.dumps(content) + "\n")


def write_deletions(sample: Path) -> None:
    """Encode the keywords of one user's items again, without each keyword in turn.

    ``vectors[i, 0]`` is the embedding of all keywords of item i's first image, ``vectors[i, k]``
    that without its keyword k (counted from 1).
    """
    keywords = read_keywords(sample / "features")
    items = Dataset.from_folder(sample, domain=DOMAIN).user_history(USER)
    words = [keywords[item][0] for item in items]
    encoder = TextEncoder()
    embeddings = np.stack([encoder.encode(delete_each_keyword(group)) for group in words])
    with whole_folder(sample / "deletions") as draft:
        np.save(draft / "vectors.npy", embeddings)
        content = [{"item_id": i, "words": group} for i, group in zip(items, words, strict=True)]
        write_json(draft / "words.json", content)


if __name__ == "__main__":
    main()
