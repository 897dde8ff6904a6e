"""Make batches whose neighbouring rows have similar lengths."""

from typing import Any

from msm4sr_lite import sequences
from msm4sr_lite.fast.distributed import process_rank
from msm4sr_lite.sequences import Batch, Window


def make_batch(rows: list[Window], *options: Any, **named: Any) -> Batch:
    """Make a batch with its rows sorted by length; each of several processes gets all lengths.

    The rows are drawn at random before they are sorted, so the negatives of the batch stay the
    same. Neighbours are then encoded together, trimmed to the longest of them (``objectives``).
    """
    rows, (_, world) = sorted(rows, key=lambda row: len(row[1])), process_rank()
    rows = [row for rank in range(world) for row in rows[rank::world]]
    return sequences.make_batch.plain(rows, *options, **named)  # type: ignore[attr-defined]
