"""``msm4sr keywords`` and ``msm4sr features``: the stages before training."""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msm4sr_lite.cli.flags import from_flags
from msm4sr_lite.cli.opening import device_of, open_dataset
from msm4sr_lite.config import (
    DEFAULT_CLIP,
    DEFAULT_TEXT_ENCODER,
    FeatureConfig,
    UserError,
)
from msm4sr_lite.features import provenance
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import whole_folder
from msm4sr_lite.store.fingerprint import fingerprint, folder_stamp, stamp, versions
from msm4sr_lite.store.records import (
    finished,
    read_record,
    sign,
    writing,
)

if TYPE_CHECKING:
    from msm4sr_lite.features.embedding_cache import EmbeddingCache
    from msm4sr_lite.features.images import ItemImages
    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer


def keywords(args: argparse.Namespace) -> Path:
    """Write ``keywords/``: the best words of every picture, and the pictures that were skipped."""
    from msm4sr_lite.features.dictionary import read_dictionary
    from msm4sr_lite.features.images import ItemImages

    if args.workers < 1:
        raise UserError(f"--workers must be at least 1; got {args.workers}")
    dataset = open_dataset(args)
    config = from_flags(args, FeatureConfig())
    folder: Path = args.out / "keywords"
    clip = args.clip or DEFAULT_CLIP
    dictionary = read_dictionary(args.dictionary, dataset.items.values(), dataset.folder)
    pictures = ItemImages(dataset.items.values(), config.max_images)
    if len(pictures) and config.n_keywords > len(dictionary):
        raise UserError(
            f"{config.n_keywords} words per picture wanted, but the dictionary has {len(dictionary)};"
            f" lower --words or give a longer --dictionary"
        )
    made_from = {
        "pictures": _stamps(dataset.image_root, pictures),
        "clip": [clip, folder_stamp(clip)],
        "dictionary": dictionary,
        "prompt": config.prompt,
        "words": config.n_keywords,
        "choice": [config.threshold, config.diversity],
    }
    if finished(folder, made_from):
        return folder
    if not len(pictures):
        with writing(folder), whole_folder(folder) as draft:
            for name in ("keywords.jsonl", "skipped.jsonl"):
                (draft / name).touch()
            sign(draft, made_from, {"words": config.n_keywords, "pictures": 0, "skipped": 0})
        return folder

    from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

    choice = {"threshold": config.threshold, "diversity": config.diversity}
    tokenizer = KeywordTokenizer(clip, dictionary, config.prompt, device_of(args), **choice)
    encoder = provenance.describe_tokenizer(tokenizer)
    libraries = versions("torch", "transformers", "pillow")
    seen_by = [libraries, *(encoder.get(part) for part in ("weights", "config", "processor"))]
    with (
        _cache(args.out, "pictures", seen_by, "float32") as cache,
        writing(folder),
        whole_folder(folder) as draft,
    ):
        counts = _write_keywords(args, draft, pictures, tokenizer, config.n_keywords, cache)
        record = {"words": config.n_keywords, **encoder, **counts, "versions": libraries}
        sign(draft, made_from, record)
    if counts["skipped"]:
        path = folder / "skipped.jsonl"
        with path.open(encoding="utf-8") as stream:
            reason = json.loads(stream.readline())["reason"]
        say(
            f"keywords: {counts['skipped']} of {len(pictures)} pictures skipped, the first:"
            f" {reason} (all in {path})"
        )
    return folder


def _write_keywords(
    args: argparse.Namespace,
    draft: Path,
    pictures: ItemImages,
    tokenizer: KeywordTokenizer,
    words: int,
    cache: EmbeddingCache,
) -> dict[str, int]:
    """Write both lists of a keyword folder and return their lengths."""
    from msm4sr_lite.features.image_keywords import choose_words, encode_images

    with _work(len(pictures), "keywords", "picture") as advance:
        skipped = _write_lines(
            draft / "skipped.jsonl",
            encode_images(
                args.dataset, pictures, tokenizer, cache, workers=args.workers, advance=advance
            ),
        )
    with bar(total=len(pictures) - skipped, name="keywords: words", unit="picture") as progress:
        found = _write_lines(
            draft / "keywords.jsonl",
            choose_words(pictures, tokenizer, words, cache),
            progress.update,
        )
    return {"pictures": found, "skipped": skipped}


def _write_lines(
    path: Path,
    records: Iterable[dict[str, Any]],
    advance: Callable[[int], object] = lambda count: None,
) -> int:
    """Write records as JSON lines and return their number."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for record in records:
            count += 1
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            advance(1)
    return count


def _stamps(folder: Path, pictures: ItemImages) -> str:
    """Return a hash of the names, sizes and times of all pictures."""
    digest = hashlib.sha256()
    for item_id, name in pictures:
        digest.update(json.dumps([item_id, name, stamp(folder / name)]).encode())
    return digest.hexdigest()[:16]


def features(args: argparse.Namespace) -> Path:
    """Write ``features/``: the feature table, its manifest, the keywords it was made from."""
    if getattr(args, "check", False):
        return check(args)
    from msm4sr_lite.features.table import DatasetSentences, make_features

    dataset = open_dataset(args)
    config = from_flags(args, FeatureConfig())
    folder: Path = args.out / "features"
    source: Path = args.out / "keywords"
    sentences = DatasetSentences(
        dataset.items.values(), source / "keywords.jsonl", config.max_sentences, config.image_slots
    )
    name = args.text_encoder or DEFAULT_TEXT_ENCODER
    record = {key: value for key, value in read_record(source).items() if key != "made_from"}
    made_from = {
        "content": sentences.survey.content,
        "keywords": record,
        "encoder": [name, folder_stamp(name)],
        "pooling": config.pooling,
        "sentences": config.max_sentences,
        "image_slots": config.image_slots,
    }
    if finished(folder, made_from):
        return folder
    from msm4sr_lite.features.text_encoder import TextEncoder

    encoder = TextEncoder(name, config.pooling, device_of(args))
    made_by = provenance.describe_text_encoder(encoder)
    libraries = versions("torch", "transformers", "tokenizers")
    read_by = [libraries, *(value for key, value in made_by.items() if key != "name")]
    slots = int(sentences.survey.text.sum() + sentences.survey.image.sum())
    with (
        _cache(args.out, "sentences", read_by, "float16") as cache,
        writing(folder),
        _work(slots, "features", "sentence") as advance,
    ):
        make_features(
            folder,
            sentences,
            encoder,
            cache,
            manifest={"keywords": record, "made_from": fingerprint(made_from)},
            advance=advance,
        )
    return folder


def check(args: argparse.Namespace) -> Path:
    """Encode the stored keywords and the shop's texts again and compare with the stored vectors."""
    from msm4sr_lite.features.embedding_cache import EmbeddingCache
    from msm4sr_lite.features.table import DatasetSentences, make_features
    from msm4sr_lite.features.table_files import load_feature_table
    from msm4sr_lite.features.text_encoder import TextEncoder

    folder: Path = args.out if (args.out / "manifest.json").is_file() else args.out / "features"
    stored = load_feature_table(folder)
    made = stored.manifest["text_encoder"]
    dataset = open_dataset(args)
    gone = [item for item in stored.items[1:] if item not in dataset.items]
    if gone:
        raise UserError(f"{folder}: item {gone[0]!r} is no longer in the shop; make features again")
    sentences = DatasetSentences(
        [dataset.items[item] for item in stored.items[1:]],
        folder / "keywords.jsonl",
        stored.manifest["max_sentences"],
        stored.manifest.get("image_slots_hold", "images"),
    )
    encoder = TextEncoder(args.text_encoder or made["name"], made["pooling"], device_of(args))
    slots = len(stored.text.vectors) + len(stored.image.vectors)
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as place,  # Windows: the table is open
        EmbeddingCache(Path(place) / "vectors.sqlite") as cache,
        bar(total=slots, name="features --check", unit="sentence") as progress,
    ):
        make_features(Path(place) / "features", sentences, encoder, cache, advance=progress.update)
        fresh = load_feature_table(Path(place) / "features")
        for part in ("text", "image"):
            old, new = getattr(stored, part), getattr(fresh, part)
            if old.counts.tolist() != new.counts.tolist():
                raise UserError(
                    f"{folder}: the shop's {part} has changed since; make features again"
                )
            differences = (old.vectors.float() - new.vectors.float()).abs()
            gap = float(differences.max()) if differences.numel() else 0.0
            say(
                f"features --check: {part}: {len(old.vectors)} vectors,"
                f" largest difference {gap:.1e}"
            )
            if gap > 1e-3:
                raise UserError(f"{folder}: {part} vectors differ by {gap:.1e}, more than 1e-3")
    return folder


@contextmanager
def _cache(out: Path, kind: str, made_by: list[Any], dtype: str) -> Iterator[EmbeddingCache]:
    """Open the vectors that exactly these encoders made; on success those of others are deleted."""
    from msm4sr_lite.features.embedding_cache import EmbeddingCache

    path = out / "cache" / f"{kind}-{fingerprint(made_by)}.sqlite"
    with EmbeddingCache(path, dtype) as cache:
        yield cache
    for other in path.parent.glob(f"{kind}-*"):
        if not other.name.startswith(path.name):
            other.unlink(missing_ok=True)


@contextmanager
def _work(total: int, name: str, unit: str) -> Iterator[Any]:
    """Show a bar on a terminal, and everywhere a line at the end."""
    start = time.perf_counter()
    with bar(total=total, name=name, unit=unit) as progress:
        yield progress.update
    seconds = time.perf_counter() - start
    say(f"{name}: {total} {unit}s in {seconds:.0f} s ({total / max(seconds, 1e-9):.0f} {unit}s/s)")
