"""Compare the speed of feature extraction with version 1: images and sentences, in one run.

::

    python -m benchmarks.extraction_against_version_1              # sizes of ViT-B/32 and MiniLM
    python -m benchmarks.extraction_against_version_1 --tiny --images 256   # bundled small CLIP

Both versions run ``msm4sr keywords`` and ``msm4sr features`` on the same generated dataset, each
time into a new folder. Each has its own process, and they take turns, round after round. A command
covers everything from reading the dataset to the finished stage, without imports. ``ratio`` is
version 1's seconds divided by this checkout's in the same round: median, lowest, highest. ``same``
is the share of images with equal keywords. The exit code is 1 if a median is below ``--least``.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path

import torch
from transformers.utils.logging import disable_progress_bar

from benchmarks.features import MINI_CLIP, bert, large_clip, write_photos
from benchmarks.measure import Row, paired_ratio, report
from benchmarks.versions import NAMES, ROOT, Version, unpack_version_1
from msm4sr_lite.features.dictionary import word_list

COMMANDS = ("keywords", "features")


def write_dataset(folder: Path, n_images: int, n_items: int) -> Path:
    """Write a dataset with one interaction: photos for some items, a title for each."""
    folder.mkdir()
    rng, words = random.Random(0), word_list("visual_words")
    images = dict(write_photos(folder, n_images, (360, 540)))
    with (folder / "items.jsonl").open("w", encoding="utf-8") as stream:
        for number in range(max(n_images, n_items)):
            item = f"i{number}"
            title = " ".join(rng.choices(words, k=rng.randint(3, 30)))
            record = {
                "item_id": item,
                "title": title,
                "images": [images[item]] if item in images else [],
            }
            stream.write(json.dumps(record) + "\n")
    (folder / "interactions.csv").write_text(
        "user_id,item_id,timestamp\nu1,i0,1\n", encoding="utf-8"
    )
    return folder


def keywords_of(run: Path) -> dict[str, list[str]]:
    """Return the keywords of every item's image in a run folder."""
    lines = (run / "keywords" / "keywords.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {record["item_id"]: record.get("keywords") or record["words"] for record in records}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--sentences", type=int, default=1024, help="items with a title")
    parser.add_argument("--tiny", action="store_true", help="the small CLIP of the sample")
    parser.add_argument("--repeats", type=int, default=7, help="number of rounds")
    parser.add_argument("--least", type=float, default=0.95, help="lowest median ratio allowed")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    args = parser.parse_args()
    disable_progress_bar()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        data = write_dataset(place / "data", args.images, args.sentences)
        clip = str(MINI_CLIP) if args.tiny else large_clip(place / "clip")
        options = {
            "keywords": ["--clip", clip, "--dictionary", "visual", "--workers", "2"],
            "features": ["--text-encoder", bert(place / "bert", "minilm")],
        }
        (place / "v1").mkdir()
        folders = unpack_version_1(place / "v1"), ROOT
        versions = [Version(*pair) for pair in zip(NAMES, folders, strict=True)]
        seconds: dict[tuple[str, str], list[dict[str, float]]] = {
            (command, name): [] for command in COMMANDS for name in NAMES
        }
        for turn in range(args.repeats + 1):  # the first is a warm-up
            for version in versions[:: 1 if turn % 2 else -1]:
                run = str(place / f"{NAMES.index(version.name)}_{turn}")
                for command in COMMANDS:
                    arguments = [command, str(data), "--out", run, *options[command]]
                    found = version.ask("command", arguments=[*arguments, "--device", "cpu"])
                    if turn:
                        seconds[command, version.name].append(found)
        for version in versions:
            version.close()
        old, new = (keywords_of(place / f"{number}_0") for number in range(2))
    rows: list[Row] = []
    for command in COMMANDS:
        for clock in ("processor", "wall"):
            both = {n: [found[clock] for found in seconds[command, n]] for n in NAMES}
            median, low, high = paired_ratio(*both.values())
            medians = {name: statistics.median(values) for name, values in both.items()}
            row = {"command": command, "clock": clock, **medians}
            rows.append(row | {"ratio": median, "low": low, "high": high})
    rows[0]["same"] = sum(old[item] == new.get(item) for item in old) / len(old)
    report(rows, args.out)
    return int(any(row["ratio"] < args.least for row in rows if row["clock"] == "processor"))


if __name__ == "__main__":
    sys.exit(main())
