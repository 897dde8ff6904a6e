"""Compare the speed of feature extraction with that of its encoders alone, in one run.

::

    python -m benchmarks.features                 # ViT-B/32 and MiniLM sizes, random weights
    python -m benchmarks.features --text base     # a text encoder as large as BERT base
    python -m benchmarks.features --tiny          # the bundled small CLIP; also opening alone
    python -m benchmarks.features --json          # the same as one JSON object

The image stage opens, resizes and encodes images, stores embeddings and chooses keywords. The text
stage splits texts into sentences, encodes them, stores embeddings and writes the table. The bare
encoder only runs its model on prepared batches. Stage and encoder take turns, so that other
programs slow down both. Wall seconds are the time that a user waits. Processor seconds do not
depend on other programs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    BertConfig,
    BertModel,
    BertTokenizerFast,
    CLIPConfig,
    CLIPModel,
)
from transformers.utils.logging import disable_progress_bar

from benchmarks.measure import machine
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.dictionary import word_list
from msm4sr_lite.features.embedding_cache import open_cache
from msm4sr_lite.features.image_keywords import extract_keywords
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import make_features, slot_sentences
from msm4sr_lite.features.text_encoder import TextEncoder

MINI_CLIP = Path(__file__).resolve().parents[1] / "data_samples" / "mini_clip"
SIZES = {  # layers, width, heads
    "minilm": (6, 384, 12),
    "base": (12, 768, 12),
}


def side_by_side(jobs: dict[str, Callable[[], object]], count: int, repeats: int) -> dict:
    """Run all in turn, several times; return the rate of each per second, and the ratio.

    The ratio of the stage's rate to the bare encoder's is computed in each turn, since the speed of
    a machine drifts. The result holds its median and quartiles.
    """
    rates: dict[str, dict[str, list[float]]] = {n: {"wall": [], "processor": []} for n in jobs}
    for turn in range(repeats):
        names = list(jobs) if turn % 2 else list(jobs)[::-1]
        for name in names:
            wall, processor = time.perf_counter(), time.process_time()
            jobs[name]()
            rates[name]["wall"].append(count / (time.perf_counter() - wall))
            rates[name]["processor"].append(count / (time.process_time() - processor))
    found: dict[str, dict] = {
        name: {clock: statistics.median(turns) for clock, turns in clocks.items()}
        for name, clocks in rates.items()
    }
    shares = {
        clock: np.divide(rates["stage"][clock], rates["bare"][clock])
        for clock in ("wall", "processor")
    }
    found["stage / bare"] = {clock: float(np.median(share)) for clock, share in shares.items()}
    found["quartiles"] = {
        clock: np.quantile(share, [0.25, 0.75]).round(3).tolist() for clock, share in shares.items()
    }
    return found


def write_photos(folder: Path, count: int, size: tuple[int, int]) -> list[tuple[str, str]]:
    """Write JPEG files as detailed as product photos; return item ids and names."""
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    names = []
    for number in range(count):
        coarse = rng.integers(0, 255, (size[1] // 20, size[0] // 20, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        image.filter(ImageFilter.SHARPEN).save(folder / f"images/{number}.jpg", quality=85)
        names.append((f"i{number}", f"images/{number}.jpg"))
    return names


def large_clip(folder: Path) -> str:
    """Write a CLIP whose image encoder has the size of ViT-B/32; its text encoder is small."""
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "vocab_size": 1150, "bos_token_id": 1148}
    torch.manual_seed(0)
    config = CLIPConfig(text_config=small | {"eos_token_id": 1149, "pad_token_id": 1149})
    vision = config.vision_config
    assert (vision.hidden_size, vision.num_hidden_layers, vision.patch_size) == (768, 12, 32)
    CLIPModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINI_CLIP).save_pretrained(folder)
    images = AutoImageProcessor.from_pretrained(MINI_CLIP, backend="pil")
    images.size, images.crop_size = {"shortest_edge": 224}, {"height": 224, "width": 224}
    images.save_pretrained(folder)
    return str(folder)


def image_rates(place: Path, args: argparse.Namespace) -> dict:
    """Return the images per second of the stage and of CLIP's bare image encoder."""
    names = write_photos(place, args.images, (args.width, args.height))
    clip = str(MINI_CLIP) if args.tiny else large_clip(place / "clip")
    tokenizer = KeywordTokenizer(clip, word_list("visual_words"))

    def opened() -> list[torch.Tensor]:
        images = ([open_image(place, name)] for _, name in names)
        process = tokenizer.image_processor
        return [process(images=one, return_tensors="pt")["pixel_values"] for one in images]

    pixels = torch.cat(opened())

    @torch.inference_mode()
    def bare() -> None:
        for start in range(0, len(pixels), 64):
            tokenizer.model.get_image_features(pixel_values=pixels[start : start + 64])

    def stage() -> None:
        with open_cache(place / "cache", "images", {"identity": "x"}, "float32") as cache:
            found = extract_keywords(place, names, tokenizer, 15, cache, workers=args.workers)
            assert len(list(found)) == len(names)
        shutil.rmtree(place / "cache")

    bare()
    jobs: dict[str, Callable[[], object]] = {"bare": bare, "stage": stage}
    if args.tiny:
        jobs["open and resize"] = opened
    return side_by_side(jobs, len(names), args.repeats)


def bert(folder: Path, size: str) -> str:
    """Write a BERT with random weights and a vocabulary of the library's words."""
    layers, width, heads = SIZES[size]
    words = sorted({word for phrase in word_list("visual_words") for word in phrase.split()})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, "."]
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


def sentence_rates(place: Path, args: argparse.Namespace) -> dict:
    """Return the sentences per second of the stage and of the bare text encoder."""
    words, rng = word_list("visual_words"), random.Random(0)
    items = [
        Item(str(n), title=" ".join(rng.choices(words, k=rng.randint(3, 30))))
        for n in range(args.sentences)
    ]
    encoder = TextEncoder(bert(place / "bert", args.text))
    titles = sorted({item.title for item in items}, key=lambda title: (len(title), title))
    assert len(titles) == len(items)
    batches = [
        encoder.tokenizer(titles[start : start + 64], padding=True, return_tensors="pt")
        for start in range(0, len(titles), 64)
    ]

    @torch.inference_mode()
    def bare() -> None:
        for batch in batches:
            encoder.model(**batch)

    def stage() -> None:
        with open_cache(place / "cache", "sentences", {"identity": "x"}, "float16") as cache:
            make_features(place / "features", slot_sentences(items, {}), encoder, cache)
        shutil.rmtree(place / "cache")

    return side_by_side({"bare": bare, "stage": stage}, len(titles), args.repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--sentences", type=int, default=1024)
    parser.add_argument("--width", type=int, default=360, help="width of an image in pixels")
    parser.add_argument("--height", type=int, default=540, help="height of an image in pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--text", choices=SIZES, default="minilm", help="size of the text encoder")
    parser.add_argument("--tiny", action="store_true", help="only images, with the small CLIP")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    disable_progress_bar()
    found: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        found["images/s"] = image_rates(Path(folder), args)
    if not args.tiny:
        with tempfile.TemporaryDirectory() as folder:
            found["sentences/s"] = sentence_rates(Path(folder), args)
    if args.json:
        print(json.dumps({"machine": machine(), "workers": args.workers, **found}, indent=2))
        return
    for what, rows in found.items():
        print(f"{what:<20}{'wall':>10}{'processor':>12}")
        for name, clocks in rows.items():
            if name == "quartiles":
                ranges = (f"{low:.2f}-{high:.2f}" for low, high in clocks.values())
                print(f"  {name:<18}" + "".join(f"{text:>12}" for text in ranges))
                continue
            print(f"  {name:<18}{clocks['wall']:>10.2f}{clocks['processor']:>12.2f}")


if __name__ == "__main__":
    main()
