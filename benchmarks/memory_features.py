"""Measure the memory of feature extraction by number of items, with tiny encoders.

::

    python -m benchmarks.memory_features            # 10 thousand, 50 thousand, 200 thousand items
    python -m benchmarks.memory_features --sizes 1000,4000 --json

Each size runs in a new process. Items are generated while they are read. Every item has a unique
title, one of 97 descriptions, and one of 64 images under a unique name. Only the extraction is
measured; a dataset that is read from a folder also keeps its texts in memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import machine, peak_memory
from msm4sr_lite.dataset.dataset import Item

N_IMAGES = 64


class Generated:
    """Items that exist only while they are iterated over."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Item]:
        for number in range(self.count):
            yield Item(
                f"i{number}",
                title=f"thing {number}",
                description=f"A mug of kind {number % 97}. It holds tea.",
                images=(f"images/{number}.png",),
            )


def extract(folder: Path, count: int) -> dict[str, float]:
    """Run both stages in this process; return seconds and peak memory in MB."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils.logging import disable_progress_bar

    from msm4sr_lite.features.embedding_cache import open_cache
    from msm4sr_lite.features.image_keywords import extract_keywords
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
    from msm4sr_lite.features.table import make_features, slot_sentences
    from msm4sr_lite.features.table_files import read_keywords
    from msm4sr_lite.features.text_encoder import WORDS, TextEncoder

    disable_progress_bar()
    clip = Path(__file__).resolve().parents[1] / "data_samples" / "mini_clip"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "thing", *"0123456789", *WORDS]
    (folder / "bert").mkdir()
    (folder / "bert/vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=384,  # embeddings as wide as those of the default encoder, computed quickly
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab=str(folder / "bert/vocab.txt")).save_pretrained(folder / "bert")
    torch.set_num_threads(1)
    tokenizer = KeywordTokenizer(str(clip), ["red mug", "blue mug", "red tent", "blue tent"])
    encoder = TextEncoder(str(folder / "bert"))
    items = Generated(count)
    start, before = time.process_time(), peak_memory()
    with (
        open_cache(folder, "images", {"identity": "x"}, "float32") as cache,
        (folder / "keywords.jsonl").open("w", encoding="utf-8") as stream,
    ):
        images = [(item.item_id, item.images[0]) for item in items]
        for record in extract_keywords(folder, images, tokenizer, 3, cache):
            stream.write(json.dumps(record) + "\n")
    keywords = peak_memory()
    with open_cache(folder, "sentences", {"identity": "x"}, "float16") as cache:
        sentences = slot_sentences(items, read_keywords(folder))
        make_features(folder / "features", sentences, encoder, cache, keywords=folder)
    table = sum((folder / f"features/{part}.npy").stat().st_size for part in ("text", "image"))
    return {
        "items": count,
        "models loaded, MB": round(before, 1),
        "after keywords, MB": round(keywords, 1),
        "after features, MB": round(peak_memory(), 1),
        "table on disk, MB": round(table / 2**20, 1),
        "processor seconds": round(time.process_time() - start, 1),
    }


def main() -> None:
    """Measure each size in a new process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="10000,50000,200000", help="numbers of items")
    parser.add_argument("--large", action="store_true", help="open 63-megapixel images instead")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.large:
        open_large()
        return
    if args.one:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            _write_images(folder, args.one)
            print(json.dumps(extract(folder, args.one)))
        return
    rows = []
    for size in args.sizes.split(","):
        command = [sys.executable, "-m", "benchmarks.memory_features", "--one", size]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        rows.append(json.loads(done.stdout))
        if not args.json:
            print("  ".join(f"{name}: {value}" for name, value in rows[-1].items()), flush=True)
    if args.json:
        print(json.dumps({"machine": machine(), "rows": rows}, indent=2))


LARGE = ("x.jpg", "progressive.jpg", "grey16.png", "x.png", "transparent.png", "x.webp")


def open_large(threads: int = 4) -> None:
    """Open 63-megapixel images in several threads; print the peak memory for each kind."""
    code = (
        "import sys; from concurrent.futures import ThreadPoolExecutor as Pool;"
        "from pathlib import Path; from benchmarks.measure import peak_memory;"
        "from msm4sr_lite.features.images import open_image;"
        "folder, name, n = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]);"
        "list(Pool(n).map(lambda _: open_image(folder, name).size, range(n)));"
        "print(f'{name}: {peak_memory():.0f} MB')"
    )
    with tempfile.TemporaryDirectory() as place:
        # In another process: a new one inherits the peak memory of the one that starts it.
        writer = multiprocessing.get_context("spawn").Process(target=_write_large, args=(place,))
        writer.start()
        writer.join()
        for name in LARGE:
            subprocess.run([sys.executable, "-c", code, place, name, str(threads)], check=True)


def _write_large(folder: str) -> None:
    from PIL import Image

    grey = Image.linear_gradient("L").resize((9000, 7000))
    for name in LARGE:
        bands = [grey] * (4 if name.startswith("transparent") else 3)
        image = Image.merge("RGBA" if len(bands) == 4 else "RGB", bands)
        image = grey.convert("I;16") if name.startswith("grey16") else image
        options = {"progressive": True} if name.startswith("progressive") else {}
        image.save(Path(folder) / name, **options)


def _write_images(folder: Path, count: int) -> None:
    """Write 64 images and link them under ``count`` names."""
    from PIL import Image

    (folder / "images").mkdir()
    for number in range(count):
        path = folder / f"images/{number}.png"
        if number < N_IMAGES:
            Image.new("RGB", (16, 16), (4 * number, 9, 200)).save(path)
        else:
            os.link(folder / f"images/{number % N_IMAGES}.png", path)


if __name__ == "__main__":
    main()
