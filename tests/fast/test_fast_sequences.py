"""Batches sorted by length beside those of the plain form."""

import numpy as np
import pandas as pd
import torch

from msm4sr_lite import fast
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.sequences import training_batches


def interactions(*histories):
    rows = [(user, item) for user, items in histories for item in items]
    table = pd.DataFrame(rows, columns=["user_id", "item_id"])
    return table.assign(timestamp=np.arange(len(table), dtype=float))


def test_rows_of_a_batch_are_those_of_the_plain_form():
    """The fast form sorts the rows of a batch by length; which rows it has stays the same."""
    table = interactions(*((f"u{n}", "abcdefghijklm"[: 5 + n]) for n in range(8)))
    s = build_sequences(table, list("abcdefghijklm"))
    quick = list(training_batches(s, 6, 9, torch.Generator().manual_seed(0)))
    with fast.switched_off():
        plain = list(training_batches(s, 6, 9, torch.Generator().manual_seed(0)))
    assert len(quick) == len(plain) > 2
    for one, other in zip(quick, plain, strict=True):
        order = np.argsort((other.items != 0).sum(dim=1).numpy(), kind="stable")
        for name in ("items", "targets", "users"):
            assert torch.equal(getattr(one, name), getattr(other, name)[order])
    assert any(not torch.equal(a.items, b.items) for a, b in zip(quick, plain, strict=True))
