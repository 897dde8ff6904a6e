"""Tables as people save them (csv, csv.gz, parquet), and where in them a mistake is."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pandas as pd

from msm4sr_lite.config import UserError


def where(path: Path, row: int) -> str:
    """Name the place of a data row (0 = the first after the header), counting as an editor does."""
    if path.suffix == ".parquet":
        return f"{path} row {row + 1}"
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        seen = -1  # the header
        for record in reader:
            seen += bool(record)
            if seen == row + 1:
                return f"{path} line {reader.line_num}"
    return f"{path} row {row + 1}"


def read_table(path: Path) -> pd.DataFrame:
    """Return a table with all cells of a csv file as text."""
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except pd.errors.EmptyDataError:
        raise UserError(
            f"{path}: the file is empty; the first line must name the columns"
        ) from None
    except UnicodeDecodeError:
        raise UserError(not_utf8(path)) from None
    except ImportError:
        raise UserError(
            f"{path}: reading parquet needs pyarrow: pip install 'msm4sr_lite[parquet]'"
        ) from None
    except (pd.errors.ParserError, OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as a table: {str(error).splitlines()[0]}"
        ) from None


def not_utf8(path: Path) -> str:
    """Say in which line a file stops being UTF-8."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return f"{path} line {number}: not UTF-8; save the file as UTF-8"
    return f"{path}: not UTF-8; save the file as UTF-8"
