"""The stages before training: images to keywords, then sentences and keywords to embeddings.

Each stage writes one folder in the run folder, whole or not at all, with a record of what it was
made from. A stage whose record still fits is skipped. What an encoder has computed is kept in
``run_dir/cache`` under a hash of its input. So a run that was stopped resumes where it was, and a
change costs only what depends on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msm4sr_lite.config import DEFAULT_CLIP, DEFAULT_TEXT_ENCODER, FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.embedding_cache import EmbeddingCache, open_cache
from msm4sr_lite.features.image_keywords import choose_keywords, encode_images
from msm4sr_lite.features.images import ItemImages
from msm4sr_lite.features.inspection import check_features, report_features, table_fits
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.provenance import describe_text_encoder, describe_tokenizer
from msm4sr_lite.features.table import DatasetSentences, make_features
from msm4sr_lite.features.table_files import DICTIONARY, load_feature_table, write_records
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import whole_folder, write_text
from msm4sr_lite.store.fingerprint import file_stamp, fingerprint, folder_stamp, versions
from msm4sr_lite.store.records import is_finished, read_record, report_write_errors, write_record

__all__ = [
    "check_features",
    "compute_features",
    "compute_keywords",
    "encode_features",
    "report_features",
    "table_fits",
]

DEFAULT = FeatureConfig()


def compute_keywords(
    dataset: Dataset,
    run_dir: str | Path,
    config: FeatureConfig = DEFAULT,
    *,
    clip: str | None = DEFAULT_CLIP,
    dictionary: str = "visual+texts",
    device: str = "cpu",
    workers: int | None = None,
) -> Path:
    """Find the best keywords of every image, unless ``run_dir`` holds them already.

    Parameters
    ----------
    dataset
        The dataset.
    run_dir
        The run folder. The result is ``keywords/keywords.jsonl`` in it; images that cannot be used
        are listed with the reason in ``keywords/skipped.jsonl``.
    config
        Settings; those in use are ``n_keywords``, ``max_images``, ``prompt``, ``threshold`` and
        ``diversity``.
    clip
        CLIP-like model, local folder or hub id; None for the default.
    dictionary
        The candidate keywords; see ``read_dictionary``.
    device
        ``auto``, ``cpu`` or ``cuda``.
    workers
        Threads that open images while CLIP computes (default: one per core, at most 8).

    Returns
    -------
    folder
        ``run_dir/keywords``.

    Raises
    ------
    UserError
        If the dictionary has fewer than ``n_keywords`` words, the model cannot be loaded, or the
        run folder cannot be written.
    """
    run_dir, clip = Path(run_dir), clip or DEFAULT_CLIP
    folder = run_dir / "keywords"
    workers = min(8, os.cpu_count() or 1) if workers is None else workers
    if workers < 1:
        raise UserError(f"workers must be at least 1; got {workers}")
    words = read_dictionary(dictionary, dataset.items.values(), dataset.folder)
    images = ItemImages(dataset.items.values(), config.max_images)
    if len(images) and config.n_keywords > len(words):
        raise UserError(
            f"n_keywords is {config.n_keywords}, but the dictionary has only {len(words)} words;"
            f" lower n_keywords or give a longer dictionary"
        )
    made_from = {
        "images": _image_stamps(dataset.image_root, images),
        "clip": [clip, folder_stamp(clip)],
        "dictionary": words,
        "prompt": config.prompt,
        "n_keywords": config.n_keywords,
        "choice": [config.threshold, config.diversity],
    }
    if is_finished(folder, made_from):
        return folder
    if not len(images):
        _write_no_keywords(folder, made_from, config.n_keywords)
        return folder
    choice = {"threshold": config.threshold, "diversity": config.diversity}
    tokenizer = KeywordTokenizer(clip, words, config.prompt, resolve_device(device), **choice)
    encoder = describe_tokenizer(tokenizer)
    libraries = versions("torch", "transformers", "pillow")
    encoded_by = [libraries, *(encoder.get(part) for part in ("weights", "config", "processor"))]
    with (
        open_cache(run_dir / "cache", "images", encoded_by, "float32") as cache,
        report_write_errors(folder),
        whole_folder(folder) as draft,
    ):
        n, root = config.n_keywords, dataset.image_root
        counts = _write_keywords(draft, root, images, tokenizer, n, cache, workers)
        write_text(draft / DICTIONARY, "".join(f"{word}\n" for word in words))
        record = {"n_keywords": n, "max_images": config.max_images, **encoder, **counts}
        write_record(draft, made_from, record | {"versions": libraries})
    _report_skipped(folder, counts["skipped"], len(images))
    return folder


def _write_no_keywords(folder: Path, made_from: object, n_keywords: int) -> None:
    with report_write_errors(folder), whole_folder(folder) as draft:
        write_records(draft / "keywords.jsonl", ())
        write_records(draft / "skipped.jsonl", ())
        write_record(draft, made_from, {"n_keywords": n_keywords, "images": 0, "skipped": 0})


def _write_keywords(
    draft: Path,
    image_root: Path,
    images: ItemImages,
    tokenizer: KeywordTokenizer,
    n_keywords: int,
    cache: EmbeddingCache,
    workers: int,
) -> dict[str, int]:
    """Write the keywords and the list of skipped images; return the length of both."""
    with _timed("keywords", "image", len(images)) as advance:
        skipped = write_records(
            draft / "skipped.jsonl",
            encode_images(image_root, images, tokenizer, cache, workers=workers, advance=advance),
        )
    chosen = choose_keywords(images, tokenizer, n_keywords, cache)
    total = len(images) - skipped
    found = write_records(
        draft / "keywords.jsonl",
        bar(chosen, name="keywords: comparing with the dictionary", unit="image", total=total),
    )
    return {"images": found, "skipped": skipped}


def _report_skipped(folder: Path, skipped: int, total: int) -> None:
    if skipped:
        path = folder / "skipped.jsonl"
        with path.open(encoding="utf-8") as stream:
            reason = json.loads(stream.readline())["reason"]
        say(f"keywords: {skipped} of {total} images skipped, the first: {reason} (all in {path})")


def _image_stamps(image_root: Path, images: ItemImages) -> str:
    """Return a hash of the names, sizes and times of all images."""
    digest = hashlib.sha256()
    for item_id, name in images:
        digest.update(json.dumps([item_id, name, file_stamp(image_root / name)]).encode())
    return digest.hexdigest()[:16]


def compute_features(
    dataset: Dataset,
    run_dir: str | Path,
    config: FeatureConfig = DEFAULT,
    *,
    clip: str | None = None,
    text_encoder: str | None = None,
    dictionary: str = "visual+texts",
    device: str = "cpu",
    workers: int | None = None,
) -> FeatureTable:
    """Make the feature table of a dataset, unless ``run_dir`` holds it already.

    This is ``compute_keywords`` if any item has an image, then ``encode_features``.

    Parameters
    ----------
    dataset
        The dataset.
    run_dir
        The run folder. The table is written to ``features`` in it, the keywords to ``keywords``.
    config
        Settings.
    clip
        CLIP-like model, local folder or hub id; None for the default.
    text_encoder
        BERT-like model, local folder or hub id; None for the default.
    dictionary
        The candidate keywords; see ``read_dictionary``.
    device
        ``auto``, ``cpu`` or ``cuda``.
    workers
        Threads that open images while CLIP computes (default: one per core, at most 8).

    Returns
    -------
    table
        The features of all items, in the order of ``dataset.items``.
    """
    if _has_images(dataset):
        compute_keywords(
            dataset,
            run_dir,
            config,
            clip=clip,
            dictionary=dictionary,
            device=device,
            workers=workers,
        )
    return encode_features(dataset, run_dir, config, text_encoder=text_encoder, device=device)


def encode_features(
    dataset: Dataset,
    run_dir: str | Path,
    config: FeatureConfig = DEFAULT,
    *,
    text_encoder: str | None = None,
    device: str = "cpu",
) -> FeatureTable:
    """Encode the texts of a dataset and the keywords in ``run_dir``; the second stage alone.

    Parameters and result are those of ``compute_features``. Of the settings, ``max_sentences``,
    ``pooling`` and ``image_slots`` are in use. A dataset without images needs no keywords.

    Raises
    ------
    UserError
        If there are images but no keywords, or those of other items.
    """
    run_dir, name = Path(run_dir), text_encoder or DEFAULT_TEXT_ENCODER
    folder, source = run_dir / "features", run_dir / "keywords"
    keywords = source / "keywords.jsonl" if _has_images(dataset) else None
    record = {k: v for k, v in read_record(source).items() if k != "made_from" and keywords}
    items, limit = dataset.items.values(), config.max_sentences
    sentences = DatasetSentences(items, keywords, limit, config.image_slots)
    made_from = {
        "content": sentences.survey.content,
        "keywords": record,
        "encoder": [name, folder_stamp(name)],
        "pooling": config.pooling,
        "max_sentences": config.max_sentences,
        "image_slots": config.image_slots,
    }
    if not is_finished(folder, made_from):
        encoder = TextEncoder(name, config.pooling, resolve_device(device))
        libraries = versions("torch", "transformers", "tokenizers")
        description = describe_text_encoder(encoder)
        encoded_by = [libraries, *(value for key, value in description.items() if key != "name")]
        total = int(sentences.survey.text.sum() + sentences.survey.image.sum())
        manifest = {"keywords": record, "made_from": fingerprint(made_from)}
        with (
            open_cache(run_dir / "cache", "sentences", encoded_by, "float16") as cache,
            report_write_errors(folder),
            _timed("features", "sentence", total) as advance,
        ):
            make_features(folder, sentences, encoder, cache, manifest=manifest, advance=advance)
    return load_feature_table(folder)


def _has_images(dataset: Dataset) -> bool:
    return any(item.images for item in dataset.items.values())


@contextmanager
def _timed(name: str, unit: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show a progress bar to advance by hand, and a line with the rate at the end."""
    start = time.perf_counter()
    with bar(total=total, name=name, unit=unit) as progress:
        yield progress.update
    seconds = time.perf_counter() - start
    say(f"{name}: {total} {unit}s in {seconds:.0f} s ({total / max(seconds, 1e-9):.0f} {unit}s/s)")
