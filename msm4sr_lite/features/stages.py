"""Run the stages before training: images to keywords, then sentences and keywords to embeddings.

Each stage writes one folder in the run folder, whole or not at all, with a record of its inputs. A
stage is skipped if its inputs have not changed. The embeddings that an encoder has computed are
kept in ``run_dir/cache`` under a hash of their input. A stopped run therefore resumes where it
was, and after a change only what depends on it is computed again.
"""

import os
from pathlib import Path
from typing import Any

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import DEFAULT_CLIP, DEFAULT_TEXT_ENCODER, FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.device import resolve_device
from msm4sr_lite.feature_table import FeatureTable
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.embedding_cache import open_cache
from msm4sr_lite.features.image_keywords import extract_keywords, image_stamp
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table import (
    FILLING,
    content_hash,
    hash_sources,
    make_features,
    slot_sentences,
)
from msm4sr_lite.features.table_files import load_feature_table, read_keyword_folder, read_skipped
from msm4sr_lite.features.text_encoder import CLIP_PLACE, PLACE, TextEncoder
from msm4sr_lite.printable import counted, with_first
from msm4sr_lite.progress import bar, say
from msm4sr_lite.store.files import json_line, whole_folder, write_text
from msm4sr_lite.store.fingerprint import (
    fingerprint,
    folder_stamp,
    local_path,
    require_same,
    versions,
)
from msm4sr_lite.store.records import is_finished, read_record, require_run_dir, write_record
from msm4sr_lite.store.run_folder import in_run_folder

DEFAULT = FeatureConfig()
LARGE_SHARE = 0.2  # of unusable images, from which on a note becomes a warning


@in_run_folder(lambda dataset, run_dir, *_, **__: require_run_dir(run_dir))
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
        The run folder. The result is ``keywords/keywords.jsonl`` in it. Images that cannot be used
        are listed with the reason in ``keywords/skipped.jsonl``.
    config
        Settings; this stage uses ``n_keywords``, ``max_images``, ``prompt``, ``threshold`` and
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
    run_dir, clip = Path(run_dir), DEFAULT_CLIP if clip is None else clip
    folder, n = run_dir / "keywords", config.n_keywords
    usual = min(8, os.cpu_count() or 1)
    workers = usual if workers is None else ARGUMENTS["workers"].check(workers)
    words = read_dictionary(dictionary, dataset.items.values(), dataset.folder)
    root, limit = dataset.image_root, config.max_images
    items = dataset.items.values()
    images = [(item.item_id, name) for item in items for name in item.images[:limit]]
    if images and n > len(words):
        problem = f"n_keywords is {n}, but the dictionary has only {counted(len(words), 'word')}"
        raise UserError(f"{problem}; lower n_keywords or give a longer dictionary")
    made_from = {
        "images": [[*image, image_stamp(root, image[1])] for image in images],
        "clip": [clip, folder_stamp(clip)],
        "dictionary": words,
        "prompt": config.prompt,
        "n_keywords": n,
        "choice": [config.threshold, config.diversity],
    }
    if is_finished(folder, made_from):
        return folder
    record: dict[str, Any] = {}
    skipped: list[dict[str, Any]] = []
    with (
        whole_folder(folder, checksums=True) as draft,
        (draft / "keywords.jsonl").open("w", encoding="utf-8", newline="\n") as stream,
    ):
        if images:
            rule = {"threshold": config.threshold, "diversity": config.diversity}
            tokenizer = KeywordTokenizer(clip, words, config.prompt, resolve_device(device), **rule)
            record = {"max_images": limit, **tokenizer.describe()}
            if place := local_path(clip):
                record[CLIP_PLACE] = place.resolve().as_posix()
            with open_cache(run_dir / "cache", "images", record, "float32") as cache:
                found = extract_keywords(root, images, tokenizer, n, cache, workers=workers)
                for line in bar(found, name="keywords", unit="image", total=len(images)):
                    if "reason" in line:
                        skipped.append(line)
                    else:
                        stream.write(json_line(line))
            write_text(draft / "dictionary.txt", "".join(f"{word}\n" for word in words))
            record["versions"] = versions("torch", "transformers", "pillow")
        if skipped and len(skipped) == len(images):
            problem = f"no image of {len(images)} can be used, the first: {skipped[0]['reason']}"
            remedy = (
                "`msm4sr check` lists what is wrong; features.max_images=0 goes on without images"
            )
            raise UserError(f"{problem} ({remedy})")
        write_text(draft / "skipped.jsonl", "".join(map(json_line, skipped)))
        record |= {"images": len(images) - len(skipped), "skipped": len(skipped)}
        write_record(draft, made_from, {"n_keywords": n, **record})
    if skipped:
        share = len(skipped) / len(images)
        loud = f"WARNING: {share:.0%} of the images cannot be used; " if share > LARGE_SHARE else ""
        count = f"{loud}images skipped: {len(skipped)} of {len(images)}"
        first = f"{skipped[0]['reason']} (all in {folder / 'skipped.jsonl'})"
        say(f"keywords: {count}, the first: {first}")
    return folder


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
    if _has_images(dataset, config):
        made_by: dict[str, Any] = {"clip": clip, "dictionary": dictionary}
        compute_keywords(dataset, run_dir, config, **made_by, device=device, workers=workers)
    return encode_features(dataset, run_dir, config, text_encoder=text_encoder, device=device)


@in_run_folder(lambda dataset, run_dir, *_, **__: require_run_dir(run_dir))
def encode_features(
    dataset: Dataset,
    run_dir: str | Path,
    config: FeatureConfig = DEFAULT,
    *,
    text_encoder: str | None = None,
    device: str = "cpu",
) -> FeatureTable:
    """Encode the texts of a dataset and the keywords in ``run_dir``: the second stage alone.

    Parameters and result are those of ``compute_features``. This stage uses the settings
    ``max_sentences``, ``text_units``, ``pooling`` and ``image_slots``. A dataset without images
    needs no keywords.

    Raises
    ------
    UserError
        If no item has a text or an image, or there are images but ``run_dir`` holds no keywords.
        Whether the keywords belong to these items is not checked.
    """
    if not dataset.has_content:
        raise UserError(
            f"{dataset.name}: no item has a text or an image; there is nothing to embed"
        )
    run_dir, name = Path(run_dir), DEFAULT_TEXT_ENCODER if text_encoder is None else text_encoder
    folder = run_dir / "features"
    source = run_dir / "keywords" if _has_images(dataset, config) else None
    without = {} if config.max_images else {"max_images": 0}  # then new items need none either
    keywords, made_by = read_keyword_folder(source) if source else ({}, without)
    if source:
        known = keywords.keys() | read_skipped(source)
        with_images = [item.item_id for item in dataset.items.values() if item.images]
        if missing := [item for item in with_images if item not in known]:
            problem = f"items whose images have no keywords: {with_first(missing)}"
            raise UserError(f"{source}: {problem}; compute the keywords of this dataset first")
    filling: dict[str, Any] = {s: getattr(config, s) for s in FILLING}
    sentences = slot_sentences(dataset.items.values(), keywords, **filling)
    made_from = {
        "content": content_hash(sentences),
        "keywords": made_by,
        "encoder": [name, folder_stamp(name)],
        "pooling": config.pooling,
        **filling,
    }
    if not is_finished(folder, made_from):
        encoder = TextEncoder(name, config.pooling, resolve_device(device))
        described = encoder.describe()
        for stage in ("pretrained", "finetuned"):  # whose features would be lost
            require_same(
                f"the text encoder of the model in {run_dir / stage} differs",
                described,
                read_record(run_dir / stage).get("settings", {}).get("text_encoder", {}),
                "use the same one, or choose another run folder",
            )
        manifest = {"keywords": made_by, **filling, "made_from": fingerprint(made_from)}
        if place := local_path(name):  # so that it is found again, whatever the working directory
            manifest[PLACE] = place.resolve().as_posix()
        with open_cache(run_dir / "cache", "sentences", described, "float16") as cache:
            limit, items = config.max_images, dataset.items.items()
            sources = {i: hash_sources(item, dataset.image_root, limit) for i, item in items}
            options: dict[str, Any] = {"manifest": manifest, "sources": sources}
            make_features(folder, sentences, encoder, cache, keywords=source, **options)
    return load_feature_table(folder)


def _has_images(dataset: Dataset, config: FeatureConfig) -> bool:
    return config.max_images > 0 and any(item.images for item in dataset.items.values())
