"""The card of the small CLIP: what it is, how it was made, how good it is, what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CARD = """\
---
license: cc-by-4.0
language: en
library_name: transformers
pipeline_tag: zero-shot-image-classification
---

# mini_clip: a very small CLIP that knows drawn products

A vision and a text transformer with {weights:,} weights in all, in the ordinary CLIP format of
`transformers`. It turns the drawn pictures of the sample shop into words without any download,
by the code that loads a large CLIP:

```python
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

model = AutoModel.from_pretrained("data_samples/mini_clip")
tokenizer = AutoTokenizer.from_pretrained("data_samples/mini_clip")
processor = AutoImageProcessor.from_pretrained("data_samples/mini_clip")
```

## What it was trained on

On {pictures:,} pictures that `data_samples.make.drawing` drew for this purpose, and on captions
put together from what is known to be in them: 24 products, 10 colours, 6 patterns, 3 shapes,
alone ("striped"), in groups ("tall blue mug") and in short sentences ("a photo of a tall blue
mug"). A few everyday synonyms ("cup", "stripes") were mixed in, and several hundred ordinary
words that are true of no picture. Nothing was taken from anywhere else; no person, brand or
real product is shown.

## How it was made

```
{command}
```

{steps:,} steps of {batch} pictures, seed {seed}, one thread: {cpu_minutes} minutes of processor
time on the machine where it was made, the drawing of the pictures included (torch {torch}).
On one machine, with the same versions and one thread, a seed gives the same losses every time;
on another machine the weights differ a little. The numbers below are in `evaluation.json`.

## How good it is

The five nearest words of each test picture, out of a dictionary of all {labels} label words and
{distractors} words that are never true and were not met in training ("guitar", "pizza"). Test
pictures show looks (product, colour, pattern and shape together) that were kept out of
training, {test_pictures} for each view, saved and read as PNG; prompt "{prompt}".

| | view 0 (whole product) | all three views |
|---|---|---|
{rows}

A patterned picture has five true words, a plain one only four: the best possible precision of
five words is therefore below 1.

## What it cannot do

It has seen nothing but these drawings. Expect poor words for photographs: use a large CLIP for
those. It knows no brands, materials or purposes, nor the colour white. Its scores are cosines
that rank words, not probabilities. What it misses most is a pattern where little of it is seen:
on clocks beside the dial, or between two colours with little contrast. With a larger
dictionary, the synonyms it was taught ("dots" for "dotted", "slim" for "tall") come up beside
the labels.

## Licence

Pictures, captions and weights were made for this package and may be used under CC BY 4.0.
"""

ROWS = (
    ("words of the five that are true", ("top5_precision",)),
    ("best possible", ("best_possible",)),
    ("product among the five", ("recall", "product")),
    ("colour among the five", ("recall", "colour")),
    ("accent colour among the five (if patterned)", ("recall", "accent")),
    ("pattern among the five", ("recall", "pattern")),
    ("shape among the five", ("recall", "shape")),
    ("product words given that are true", ("precision", "product")),
    ("colour words given that are true", ("precision", "colour")),
    ("pattern words given that are true", ("precision", "pattern")),
    ("shape words given that are true", ("precision", "shape")),
    ("never-true words among the five", ("distractors",)),
)


def write_card(folder: Path, report: dict[str, Any]) -> None:
    """Write ``README.md`` beside the weights, with the numbers of ``evaluation.json``.

    Parameters
    ----------
    folder
        Folder of the model.
    report
        What ``mini_clip.train_folder`` measured.
    """
    rows = []
    for name, path in ROWS:
        cells = []
        for view in ("view_0", "all_views"):
            value: Any = report[view]
            for key in path:
                value = value[key]
            cells.append(f"{100 * value:.1f} %")
        rows.append(f"| {name} | {cells[0]} | {cells[1]} |")
    recipe = report["recipe"]
    options = " ".join(
        f"--{name} {recipe[name]}" for name in ("pictures", "steps", "batch", "seed")
    )
    text = CARD.format(
        weights=report["weights"],
        pictures=recipe["pictures"],
        command=f"python -m data_samples.make.mini_clip --out data_samples/mini_clip {options}",
        steps=recipe["steps"],
        batch=recipe["batch"],
        seed=recipe["seed"],
        cpu_minutes=report["processor_minutes"],
        torch=report["torch"],
        labels=report["dictionary"]["labels"],
        distractors=report["dictionary"]["distractors"],
        test_pictures=report["pictures_per_view"],
        prompt=report["prompt"],
        rows="\n".join(rows),
    )
    (folder / "README.md").write_text(text, encoding="utf-8", newline="\n")
