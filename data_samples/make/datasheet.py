"""The datasheet and the licence that lie beside the tables of the sample shop."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from data_samples.make.catalogue import DEPARTMENTS
from data_samples.make.phrases import PURPOSES
from data_samples.make.reach import table
from data_samples.make.shoppers import LAUNCH, N_TASTES, World

LICENSE = """\
The sample shop "corner_shop": tables, texts, pictures, features, model states and maps in this
folder.

Copyright the msm4sr_lite contributors.
Licensed under the Creative Commons Attribution 4.0 International licence (CC BY 4.0).
The licence: https://creativecommons.org/licenses/by/4.0/legalcode

You may share and adapt the material for any purpose, also commercially, if you name the source,
link to the licence and say what you changed. For example:

    "corner_shop" sample shop by the msm4sr_lite contributors, CC BY 4.0.

Where it comes from:

* Tables, texts and pictures were written and drawn by the generator `data_samples.make`
  (command `msm4sr sample`). No photograph, no text and no record of a real person or shop went
  into them. All brands are invented.
* Sentence vectors in `features/` and `deletions/` were computed with the model all-MiniLM-L6-v2
  of the Sentence-Transformers project (Apache License 2.0), from the texts above and from
  keywords that the small CLIP in `data_samples/mini_clip` (CC BY 4.0) read from the pictures.
"""


def datasheet(world: World) -> str:
    """Return the datasheet as Markdown; all counts and ceilings are computed from ``world``."""
    return TEMPLATE.format(
        seed=world.seed,
        launch=f"{datetime.fromtimestamp(LAUNCH, UTC):%Y-%m-%d}",
        counts=_counts(world),
        purposes=", ".join(PURPOSES),
        needs=len(PURPOSES),
        tastes=N_TASTES,
        states=len(PURPOSES) * N_TASTES,
        reach=table(world),
    )


def _counts(world: World) -> str:
    columns = []
    for department in DEPARTMENTS:
        items = world.department(department)
        shoppers = [s for s in world.shoppers if s.department == department]
        new = {item.item_id for item in items if item.is_new}
        sold = Counter(item for s in shoppers for item in s.items)
        early = Counter(item for s in shoppers for item in s.items[:-1])
        best = sorted(early.values(), reverse=True)[: len(items) // 10]
        lengths = [len(s.items) for s in shoppers]
        columns.append(
            {
                "items": len(items),
                "users": len(shoppers),
                "purchases": sum(lengths),
                "purchases a user: fewest, mean, most": (
                    f"{min(lengths)}, {sum(lengths) / len(lengths):.2f}, {max(lengths)}"
                ),
                "pictures": sum(item.views for item in items),
                "items with two or three pictures": sum(item.views > 1 for item in items),
                "items without picture": sum(item.views == 0 for item in items),
                "items without text": sum(not item.has_text for item in items),
                "new items, on sale only after the launch": len(new),
                "test purchases of new items": sum(s.items[-1] in new for s in shoppers),
                "older items never bought": sum(
                    not sold[item.item_id] for item in items if not item.is_new
                ),
                "share of the best-selling tenth before the launch": (
                    f"{sum(best) / early.total():.0%}"
                ),
            }
        )
    lines = ["| | " + " | ".join(DEPARTMENTS) + " |", "|---" * (1 + len(DEPARTMENTS)) + "|"]
    lines += [
        f"| {name} | " + " | ".join(str(column[name]) for column in columns) + " |"
        for name in columns[0]
    ]
    return "\n".join(lines)


TEMPLATE = """\
# corner_shop, version 1

A small shop that exists only on paper: drawn products, written texts, simulated shoppers. It is
an ordinary shop folder, so everything that works on it works on a folder of your own.

**Why it was made.** To learn and to teach multimodal sequential recommendation without a
download, and to measure what no real data allow: since the shoppers are simulated by a machine
with few hidden states, the best possible forecast is known exactly, and every model can be
compared with it. Version 1 is frozen; another difficulty would be a new version.

**How it was made.** `msm4sr sample --out DIR --seed {seed}` writes the tables byte for byte, and
the pictures pixel for pixel, as they lie here (a test compares them).
`python -m data_samples.make.prepare data_samples` then made what else comes with the
repository's copy, in `features/`, `states/` and `maps/`.

## Files

* `interactions.csv`: `user_id`, `item_id`, `timestamp` (seconds since 1970, UTC), sorted by time.
* `items.jsonl`: `item_id`, `department`, `title`, `brand`, `categories` (the kind of product),
  `description`, `images`. An item without text or without picture lacks these fields.
* `images/`: drawings of 96 x 96 pixels; `_1` from the front, `_2` from the other side, `_3` a
  detail.
* `sample.json`: name, version, seed, digests of the two tables.
* `LICENSE`: CC BY 4.0, with the origin of every part.
* In the repository's copy also: `features/` (keywords that `mini_clip` read from the pictures,
  sentence vectors by all-MiniLM-L6-v2, manifest), `states/` (M²SE for *home*, pre-trained and
  fine-tuned), `maps/` (UMAP places of the items of *home*), `deletions/` (the keywords of one
  customer's items, read again without each word in turn) and `curves/` (how much pre-training on
  *home* helps in *outdoor*, by `msm4sr study transfer`).

## Counts

{counts}

Items and users of the two departments are disjoint; `--department home` takes one. Nobody buys a
thing twice. The new items come on {launch}: each user's last purchase lies after it and all
others before, so that under the leave-one-out split the new items are strictly cold, never an
input and never a training target.

## What each modality carries

| | pictures | text | neither |
|---|---|---|---|
| kind of product | yes | yes | |
| colour, second colour, pattern, silhouette | yes | | |
| purpose, brand, material | | yes | |
| popularity | | | yes |

Purposes, the same in both departments: {purposes}.
Brand and material lean towards some purposes. No text contains a word for a colour, a pattern or
a silhouette (a test reads them all).

## How people shop here

A shopper has a *need* (one of {needs}, the purposes) and a *taste* in looks (one of {tastes}):
{states} hidden states. The taste lasts. The need moves after every purchase, mostly one step on
round the circle of purposes, so the order of purchases matters. Both departments share circle and
tastes. An item is bought in proportion to popularity x fit to the need x fit to the taste, among
the things on sale that the shopper does not have.

## How far a recommender can get

NDCG@10 for the last purchase of every user; all items of the department compete but those the user
has already. *Expected* is the mean over the true distribution of the next purchase, *measured* is
on the purchases that happened, *on new items* on those of them that went to new items. "Text and
pictures" knows how people shop and sees what the shop shows, but no popularity. A model that
learns item ids may pass it on older items, because purchases reveal popularity; only "everything"
is out of reach.

{reach}

Print the table again with the first command; the second sets the two ceilings beside a model and
simple baselines (with seed 7, item-to-item counts reach 0.089 in home and 0.093 in outdoor):

    python -m data_samples.make DIR
    msm4sr evaluate DIR --department home --model MODEL --mask-history yes

## Limits

It is a toy. Shoppers here follow one simple rule, texts are put together from a few hundred
phrases, and drawings are easier to read than photographs. What works here may fail in a real shop,
and what fails here may work there: use it to understand a method and to find mistakes, not to rank
methods. The people, purchases and brands are invented; there are no personal data. The phrases are
English and describe European households.

## Licence

CC BY 4.0, see `LICENSE`.
"""
