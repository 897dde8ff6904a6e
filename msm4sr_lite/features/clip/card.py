"""The model card: training data, figures, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msm4sr_lite.store.files import write_text

CARD = """\
---
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# A small dual encoder for labelled images

{weights:,} weights: a convolutional image encoder ({height} x {across} pixels) and a one-layer text
encoder, in the `vision-text-dual-encoder` format of `transformers`. `msm4sr train-clip` trained it
on {training_images:,} labelled images with columns {columns}: {words} label words (`words.txt`).

```
msm4sr keywords DATA --out DIR --clip {name} --dictionary {name}/words.txt
```

{epochs} epochs, the weights of epoch {best_epoch}, seed {seed}, {minutes} processor minutes on
{device} (torch {torch}, transformers {transformers}).

## Figures

All label words ranked by cosine for images that it was not trained on; prompt "{prompt}".

| images | precision@{k} | recall@10 | the most frequent labels: precision@{k} | recall@10 |
|---|---|---|---|---|
{rows}

The validation images selected the epoch, so their figures are slightly too high. Test images, if
there are any, selected nothing.

## Limits

It knows the words in `words.txt` and images like those of the training, and no others: the score of
any other word means little. Rare labels are often missed. Images, labels and weights belong to
whoever made this folder; their licence is not known here.
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
            rows.append(f"| {found['images']} of {part} | {numbers} |")
    text = CARD.format(
        **{
            **report,
            **report["versions"],
            "columns": ", ".join(report["columns"]),
            "rows": "\n".join(rows),
            "k": k,
            "height": report["image_size"][0],
            "across": report["image_size"][1],
        }
    )
    write_text(folder / "README.md", text)
