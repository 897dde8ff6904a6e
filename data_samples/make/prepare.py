"""Make what comes ready with the sample shop: features, trained models, maps, left-out words.

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
from course.maps import lay_out

from data_samples.make.captions import DISTRACTORS, WORDS
from msm4sr_lite.cli import main as msm4sr
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.folder import read_folder
from msm4sr_lite.encoder import concat_normalized
from msm4sr_lite.explain.keyword_deletion import delete_each_keyword
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.files import whole_folder, write_json, write_text

DOMAIN = "home"
KEYWORDS = 5  # a drawing has four or five true words
NEIGHBOURS = 15
CUSTOMER = "uh0040"  # whose purchases notebooks 00, 04 and 05 look at


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all stages; a stage that is done already is skipped."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.prepare")
    parser.add_argument("samples", type=Path, help="the folder data_samples")
    samples: Path = parser.parse_args(arguments).samples
    shop, clip, work = samples / "corner_shop", samples / "mini_clip", Path("build/prepare")
    write_text(clip / "words.txt", "\n".join([*WORDS, *DISTRACTORS]) + "\n")

    run("keywords", shop, "--out", work, "--clip", clip, "--dictionary", clip / "words.txt",
        "--n-keywords", KEYWORDS)  # fmt: skip
    run("features", shop, "--out", work)
    replace(work / "features", shop / "features")
    for stage, state in (("pretrain", "pretrained"), ("finetune", "finetuned")):
        run(stage, shop, "--domain", DOMAIN, "--out", work / DOMAIN,
            "--features", shop / "features")  # fmt: skip
        replace(work / DOMAIN / state, shop / "states" / f"{DOMAIN}_{state}")
    write_map(shop)
    write_deletions(shop)


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
    model, items = load_checkpoint(shop / "states" / f"{DOMAIN}_pretrained")
    table = load_feature_table(shop / "features").for_items(items)
    with torch.inference_mode():
        views = model.item_embeddings(table, torch.arange(1, len(items)))
    places = lay_out(concat_normalized(views).numpy(), NEIGHBOURS)
    content = {
        "items": items[1:],
        "x": [round(float(x), 3) for x in places[:, 0]],
        "y": [round(float(y), 3) for y in places[:, 1]],
    }
    write_text(shop / "maps" / f"{DOMAIN}.json", json.dumps(content) + "\n")


def write_deletions(shop: Path) -> None:
    """Read the keywords of one customer's items again, each word left out in turn.

    ``vectors[i, 0]`` is the vector of all words of item i's first picture, ``vectors[i, k]`` that
    without its word k (counted from 1).
    """
    keywords = read_keywords(shop / "features")
    items = read_folder(shop, domain=DOMAIN).user_history(CUSTOMER)
    words = [keywords[item][0] for item in items]
    encoder = TextEncoder()
    vectors = np.stack([encoder.encode(delete_each_keyword(group)) for group in words])
    with whole_folder(shop / "deletions") as draft:
        np.save(draft / "vectors.npy", vectors)
        content = [{"item_id": i, "words": group} for i, group in zip(items, words, strict=True)]
        write_json(draft / "words.json", content)


if __name__ == "__main__":
    main()
