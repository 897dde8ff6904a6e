"""Write recommendations to a file: .csv, .parquet or .jsonl."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import check_output_file, json_line, write_bytes

WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {
    ".csv": lambda frame: frame.to_csv(index=False, lineterminator="\n").encode(),
    ".parquet": lambda frame: frame.to_parquet(index=False),
    ".jsonl": lambda frame: "".join(map(json_line, frame.to_dict("records"))).encode(),
}


def write_recommendations(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a data frame of recommendations, whole or not at all.

    The ending of ``path`` chooses the format.

    Parameters
    ----------
    frame
        Result of ``Recommender.recommend``; other columns are also written.
    path
        A file that ends in ``.csv`` (UTF-8, with a header), ``.jsonl`` (one JSON object per row)
        or ``.parquet`` (needs pyarrow). It is replaced if it exists.

    Raises
    ------
    UserError
        If the ending is unknown, pyarrow is missing or the file cannot be written.
    """
    path = Path(path)
    check_output_path(path)
    write_bytes(path, WRITERS[path.suffix.lower()](frame))


def check_output_path(path: str | Path) -> None:
    """Refuse a path that ``write_recommendations`` cannot write, before anything is computed."""
    path = Path(path)
    check_output_file(path, WRITERS)
    if path.suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise UserError(f"{path}: .parquet needs pyarrow; install it, or write .csv or .jsonl")
