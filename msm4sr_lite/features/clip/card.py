"""The card of a trained model: what it was made from, how good it is, what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msm4sr_lite.store.files import write_text

CARD = """\
---
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# A small dual encoder for labelled pictures

{weights:,} weights: a convolutional tower for pictures ({height} x {across} pixels) and a one-layer
text tower, in the `vision-text-dual-encoder` format of `transformers`. `msm4sr train-clip` made it
from {learnt:,} labelled pictures, columns {columns}: {words} label words (`words.txt`).

```
msm4sr keywords SHOP --out DIR --clip {name} --dictionary {name}/words.txt --words 5
```

{epochs} epochs, the weights of epoch {best_epoch}, seed {seed}, {minutes} processor minutes on
{device} (torch {torch}, transformers {transformers}).

## How good it is

All label words ranked by cosine for pictures that it did not learn from; prompt "{prompt}".

| pictures | precision@{k} | recall@10 | the most frequent labels: precision@{k} | recall@10 |
|---|---|---|---|---|
{rows}

The validation pictures chose the epoch, so that their figures are a little too good; those of the
test pictures, if there are any, are not.

## What it cannot do

It knows the words in `words.txt` and pictures like those it learnt from, and no others: any other
word gets a score that means little. Rare labels are often missed. Pictures, labels and weights
are those of whoever made this folder; their terms are not known here.
"""


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights, with the figures of ``evaluation.json``."""
    k = len(report["columns"])
    rows = []
    for part in ("validation", "test"):
        if found := report.get(part):
            prior = found["by_frequency"]
            cells = [found[f"precision@{k}"], found["recall@10"]]
            cells += [prior[f"precision@{k}"], prior["recall@10"]]
            numbers = " | ".join(f"{cell:.3f}" for cell in cells)
            rows.append(f"| {found['pictures']} of {part} | {numbers} |")
    text = CARD.format(
        **{
            **report,
            **report["recipe"],
            **report["versions"],
            "epochs": report["epochs"],
            "columns": ", ".join(report["columns"]),
            "rows": "\n".join(rows),
            "k": k,
            "height": report["picture"][0],
            "across": report["picture"][1],
        }
    )
    write_text(folder / "README.md", text)
