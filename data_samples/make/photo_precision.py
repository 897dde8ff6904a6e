"""Measure the keywords of a CLIP on photographs that it was not trained on.

    python -m data_samples.make.photo_precision data_samples/photo_clip

The figures are added to the model's ``evaluation.json``. MSM4SR_DATA names the folder that holds
all photographs; see ``data_samples.make.photos``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_samples.make.labels import DISTRACTORS
from data_samples.make.photos import Photo, find_source, read_photos
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.store.files import write_json

SHIPPED = Path(__file__).parents[1] / "photos"
FILE = "evaluation.json"
TOP = 5
BATCH_SIZE = 64


def rank_words(tokenizer: KeywordTokenizer, folder: Path, photos: Sequence[Photo]) -> list[Any]:
    """Return the whole dictionary for each photograph, best word first."""
    ranked = []
    for start in range(0, len(photos), BATCH_SIZE):
        images = [open_image(folder, photo.image) for photo in photos[start : start + BATCH_SIZE]]
        best = tokenizer.keywords(images, len(tokenizer.dictionary))
        ranked += [[keyword.word for keyword in row] for row in best]
    return ranked


def score(photos: Sequence[Photo], ranked: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Compare ranked words with the true ones.

    Parameters
    ----------
    photos
        The photographs with their labels.
    ranked
        For each photograph the words of the dictionary, best first.

    Returns
    -------
    report
        Lists over N from 1 to 5, all averaged over the photographs: ``precision`` (share of the
        first N words that are true), ``best_possible`` (its upper bound: a photograph has two or
        three true words), ``recall`` (share of the true words that are among the first N).
        ``right_product`` and ``right_kind``: how often the first word of all names of products, or
        of kinds, is true.

    Examples
    --------
    >>> photo = Photo("a.jpg", "kiwi", "kiwi", "fruit")
    >>> score([photo], [["kiwi", "lime", "fruit"]])["recall"]
    [0.5, 0.5, 1.0, 1.0, 1.0]
    """
    pairs = [(photo.words, row) for photo, row in zip(photos, ranked, strict=True)]
    sizes = range(1, TOP + 1)
    found = [[len(true & {*row[:n]}) for true, row in pairs] for n in sizes]
    firsts = {}
    for column in ("product", "kind"):
        names = {getattr(photo, column) for photo in photos}
        firsts[f"right_{column}"] = _mean(
            next(word for word in row if word in names) == getattr(photo, column)
            for photo, row in zip(photos, ranked, strict=True)
        )
    true = [len(true) for true, _ in pairs]
    return {
        "images": len(photos),
        "precision": [_mean(hit / n for hit in hits) for n, hits in zip(sizes, found, strict=True)],
        "best_possible": [_mean(min(count, n) / n for count in true) for n in sizes],
        "recall": [_mean(h / count for h, count in zip(hits, true, strict=True)) for hits in found],
        **firsts,
    }


def _mean(values: Any) -> float:
    values = [*values]
    return round(sum(values) / len(values), 4)


def photo_precision(clip: Path | str, folder: Path, photos: Sequence[Photo]) -> dict[str, Any]:
    """Measure the keywords of a CLIP folder, chosen from its ``words.txt``.

    Parameters
    ----------
    clip
        Folder of the model.
    folder
        Folder of the photographs.
    photos
        The photographs.

    Returns
    -------
    report
        As in `score`; ``distractors`` is the share of other words among the first five when words
        that are true of no photograph are added to the dictionary.
    """
    words = read_dictionary(f"{clip}/words.txt", [])
    others = [word for word in DISTRACTORS if word not in words]
    report = score(photos, rank_words(KeywordTokenizer(str(clip), words), folder, photos))
    ranked = rank_words(KeywordTokenizer(str(clip), [*words, *others]), folder, photos)
    share = _mean(len({*row[:TOP]} & {*others}) / TOP for row in ranked)
    return {**report, "distractors": share}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.photo_precision")
    parser.add_argument("clip", type=Path, help="CLIP folder that train-clip made")
    parser.add_argument(
        "--others", type=Path, nargs="*", default=[], help="CLIP folders with other seeds"
    )
    args = parser.parse_args(arguments)
    try:
        source = find_source()
        held_out, shipped = read_photos(source, ("val", "test")), read_photos(SHIPPED)
        report, *others = (
            json.loads((clip / FILE).read_text("utf-8")) for clip in (args.clip, *args.others)
        )
        report["held_out"] = photo_precision(args.clip, source, held_out)
        report["shipped"] = photo_precision(args.clip, SHIPPED, shipped)
        report["other_seeds"] = [
            {key: other[key] for key in ("seed", "best_epoch")}
            | photo_precision(clip, source, held_out)
            for clip, other in zip(args.others, others, strict=True)
        ]
        write_json(args.clip / FILE, report)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
