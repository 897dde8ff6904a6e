"""``msm4sr keywords`` and ``msm4sr features``: the stages before training."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import device_of, open_shop
from msm4sr_lite.cli.progress import bar, say
from msm4sr_lite.cli.records import fingerprint, finished, read_record, sign, stamp
from msm4sr_lite.config import FeatureConfig, UserError, whole_folder


def keywords(args: argparse.Namespace) -> Path:
    """Write ``keywords/``: the best words of every picture, and the pictures that were skipped."""
    from msm4sr_lite.extract.dictionary import read_dictionary
    from msm4sr_lite.extract.pictures import PictureKeywords, extract_keywords
    from msm4sr_lite.extract.provenance import describe_tokenizer
    from msm4sr_lite.keywords import DEFAULT_CLIP, KeywordTokenizer

    shop = open_shop(args)
    config = from_flags(args, FeatureConfig())
    folder: Path = args.out / "keywords"
    clip = args.clip or DEFAULT_CLIP
    dictionary = read_dictionary(args.dictionary, shop.items.values())
    pictures = [
        (item.item_id, name)
        for item in shop.items.values()
        for name in item.images[: config.images]
    ]
    if pictures and config.words > len(dictionary):
        raise UserError(
            f"{config.words} words per picture wanted, but the dictionary has {len(dictionary)};"
            f" lower --words or give a longer --dictionary"
        )
    made_from = {
        "pictures": [(item_id, name, stamp(shop.path / name)) for item_id, name in pictures],
        "clip": [clip, stamp(Path(clip) / "model.safetensors")],
        "dictionary": dictionary,
        "prompt": config.prompt,
        "words": config.words,
    }
    if finished(folder, made_from):
        return folder

    result, encoder = PictureKeywords(), {}
    if pictures:
        tokenizer = KeywordTokenizer(clip, dictionary, config.prompt, device_of(args))
        encoder = describe_tokenizer(tokenizer)
        queue = bar(pictures, "keywords", "picture")
        result = extract_keywords(shop.path, queue, tokenizer, config.words)
    counts = {"pictures": len(result.found), "skipped": len(result.skipped)}
    with whole_folder(folder) as draft:
        _write_lines(draft / "keywords.jsonl", result.found)
        _write_lines(draft / "skipped.jsonl", result.skipped)
        sign(draft, made_from, {"words": config.words, **encoder, **counts})
    if result.skipped:
        say(
            f"keywords: {len(result.skipped)} of {len(pictures)} pictures skipped, the first:"
            f" {result.skipped[0]['reason']} (all in {folder / 'skipped.jsonl'})"
        )
    return folder


def features(args: argparse.Namespace) -> Path:
    """Write ``features/``: the feature table, its manifest, the keywords it was made from."""
    if getattr(args, "check", False):
        return check(args)
    from msm4sr_lite.extract.table import content_hash, make_features
    from msm4sr_lite.features import DEFAULT_TEXT_ENCODER, TextEncoder, read_keywords

    shop = open_shop(args)
    config = from_flags(args, FeatureConfig())
    folder: Path = args.out / "features"
    source: Path = args.out / "keywords"
    words = read_keywords(source)
    items = list(shop.items.values())
    name = args.text_encoder or DEFAULT_TEXT_ENCODER
    made_from = {
        "content": content_hash(items, words, config.image_slots),
        "encoder": [name, stamp(Path(name) / "model.safetensors")],
        "pooling": config.pooling,
        "sentences": config.sentences,
    }
    if finished(folder, made_from):
        return folder
    record = {key: value for key, value in read_record(source).items() if key != "made_from"}
    table = make_features(
        items,
        words,
        TextEncoder(name, config.pooling, device_of(args)),
        sentences=config.sentences,
        image_slots=config.image_slots,
        record=record,
        progress=lambda steps: bar(steps, "features", "batch"),
    )
    table.manifest["made_from"] = fingerprint(made_from)
    table.save(folder, source / "keywords.jsonl")
    return folder


def check(args: argparse.Namespace) -> Path:
    """Encode the stored keywords and the shop's texts again and compare with the stored vectors."""
    from msm4sr_lite.extract.table import make_features
    from msm4sr_lite.features import FeatureTable, TextEncoder, read_keywords

    folder: Path = args.out if (args.out / "manifest.json").is_file() else args.out / "features"
    stored = FeatureTable.load(folder)
    made = stored.manifest["text_encoder"]
    shop = open_shop(args)
    gone = [item for item in stored.items[1:] if item not in shop.items]
    if gone:
        raise UserError(f"{folder}: item {gone[0]!r} is no longer in the shop; make features again")
    fresh = make_features(
        [shop.items[item] for item in stored.items[1:]],
        read_keywords(folder),
        TextEncoder(args.text_encoder or made["name"], made["pooling"], device_of(args)),
        sentences=stored.manifest["max_sentences"],
        image_slots=stored.manifest.get("image_slots_hold", "pictures"),
        progress=lambda steps: bar(steps, "features --check", "batch"),
    )
    for part in ("text", "image"):
        old, new = getattr(stored, part), getattr(fresh, part)
        if old.counts.tolist() != new.counts.tolist():
            raise UserError(f"{folder}: the shop's {part} has changed since; make features again")
        differences = (old.vectors.float() - new.vectors.float()).abs()
        gap = float(differences.max()) if differences.numel() else 0.0
        say(f"features --check: {part}: {len(old.vectors)} vectors, largest difference {gap:.1e}")
        if gap > 1e-3:
            raise UserError(f"{folder}: {part} vectors differ by {gap:.1e}, more than 1e-3")
    return folder


def _write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
