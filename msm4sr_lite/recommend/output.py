"""Recommendations as a data frame and as a file: .csv, .parquet or .jsonl."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_bytes


def recommendation_frame(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray]], item_ids: Sequence[str]
) -> pd.DataFrame:
    """Return a data frame with one row per user and recommended item.

    Parameters
    ----------
    rows
        User id, item numbers and scores of each user, the best item first.
    item_ids
        The items in the order of their numbers.

    Returns
    -------
    recommendations
        Columns ``user_id``, ``rank`` from 1, ``item_id``, ``score``.
    """
    users = np.array([user for user, _, _ in rows], dtype=object)
    counts = [len(numbers) for _, numbers, _ in rows]
    numbers = np.concatenate([np.empty(0, int), *(numbers for _, numbers, _ in rows)])
    return pd.DataFrame(
        {
            "user_id": pd.Series(users.repeat(counts), dtype=str),
            "rank": np.concatenate([np.empty(0, int), *(np.arange(n) + 1 for n in counts)]),
            "item_id": pd.Series([item_ids[number] for number in numbers], dtype=str),
            "score": np.concatenate([np.empty(0), *(scores for _, _, scores in rows)]),
        }
    )


def write_recommendations(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame of recommendations, whole or not at all.

    The ending of ``path`` chooses the format.

    Parameters
    ----------
    frame
        As ``Recommender.recommend`` returns it; other columns are written, too.
    path
        A file that ends in ``.csv`` (UTF-8, with a header), ``.jsonl`` (one JSON object per row)
        or ``.parquet`` (needs pyarrow). It is replaced if it exists.

    Raises
    ------
    UserError
        If the ending is another one, pyarrow is missing or the file cannot be written.
    """
    path = Path(path)
    check_output_path(path)
    data = WRITERS[path.suffix.lower()](frame)
    try:
        write_bytes(path, data)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror})") from None


def check_output_path(path: str | Path) -> None:
    """Refuse a path that ``write_recommendations`` could not write, before anything is computed."""
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"{path}: the file name must end in {', '.join(WRITERS)}")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the name of a file")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise UserError(
                f"{path}: writing .parquet needs pyarrow; install it, or write .csv or .jsonl"
            ) from None


def _csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _jsonl(frame: pd.DataFrame) -> bytes:
    columns = (frame[name].tolist() for name in frame)
    rows = (dict(zip(frame, row, strict=True)) for row in zip(*columns, strict=True))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
}
