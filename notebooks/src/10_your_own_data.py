# ---
# jupyter:
#   msm4sr:
#     title: Your own data, and larger machines
#     minutes: 30
# ---

# %% [markdown]
# # 10 · Your own data
#
# **Question: what do I need to run all this on my own shop, and what changes when it has a million items?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebook 00; a terminal | make a shop folder, or convert a public data set into one; read what is wrong with it; run the whole method by one command; judge how much memory and time a larger shop takes | 30 minutes of reading, about 20 seconds of computing |

# %%
from course import setup

session = setup("10")

# %% [markdown]
# ## A shop is a folder
#
# ```
# my_shop/
#   interactions.csv   user_id,item_id,timestamp
#   items.jsonl        {"item_id": ..., "title": ..., "description": ..., "image": "images/1.jpg"}
#   images/
# ```
#
# Nothing else. Only `item_id` is required of an item: what has no picture keeps its text, what has no text keeps its picture. We make one
# by hand, in a folder that vanishes again.

# %%
import json
import tempfile
from pathlib import Path

work = Path(tempfile.mkdtemp())
folder = work / "my_shop"
folder.mkdir()
lines = ["user_id,item_id,timestamp"]
for user in ("ann", "bo", "cy"):
    lines += [f"{user},{item},2024-03-0{day}" for day, item in enumerate("tamrs", 1)]
(folder / "interactions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
names = {"t": "Tent", "a": "Axe", "m": "Mug", "r": "Rope", "s": "Stove"}
items = [{"item_id": key, "title": title} for key, title in names.items()]
text = "\n".join(map(json.dumps, items))
(folder / "items.jsonl").write_text(text, encoding="utf-8")

from msm4sr_lite import Dataset

dataset = Dataset.from_folder(folder)
print(f"{len(dataset.items)} items, {len(dataset.interactions)} interactions")
print("ann:", dataset.user_history("ann"))

# %% [markdown]
# ## What is wrong with mine?
#
# Real folders are never this tidy. The reader checks everything on the way in and stops at what cannot be right, with the file, the
# line and the mend. **Predict** which of these six it will refuse.

# %%
from msm4sr_lite.config import UserError

TROUBLE = {
    "an interaction with an unknown item": (
        "interactions.csv",
        [*lines, "ann,ghost,2024-03-09"],
    ),
    "a date that is none": ("interactions.csv", [*lines, "ann,t,yesterday"]),
    "the same interaction twice": ("interactions.csv", [*lines, lines[1]]),
    "a missing column": ("interactions.csv", ["user,item,timestamp", *lines[1:]]),
    "an image outside the folder": (
        "items.jsonl",
        [json.dumps({**item, "image": "../../secret.png"}) for item in items],
    ),
    "an item listed twice": (
        "items.jsonl",
        [json.dumps(item) for item in [*items, items[0]]],
    ),
}


def trouble(what):
    name, changed = TROUBLE[what]
    path = folder / name
    tidy = path.read_text(encoding="utf-8")
    path.write_text("\n".join(changed), encoding="utf-8")
    try:
        return "\n".join(Dataset.from_folder(folder).notes) or "accepted without a note"
    except UserError as error:
        return str(error).replace(str(work), "...")
    finally:
        path.write_text(tidy, encoding="utf-8")


for what in TROUBLE:
    print(f"{what}:\n    {trouble(what)}")

# %% [markdown]
# Buying a thing again is no mistake: training decides what it means (`--set data.deduplicate=false`). Broken pictures are another matter: one bad file among a million must not stop the rest. They are counted and listed in
# `skipped.jsonl`.
#
# ## A public data set
#
# Most public data come as something else. `msm4sr convert` knows Amazon reviews (2018 and 2023), MovieLens, RecBole files and
# H&M. Here is a tiny Amazon-like export: the purchases of 24 customers of the sample, as reviews, packed as Amazon packs them.

# %%
import gzip

sample = Dataset.from_folder(session.samples / "corner_shop", domain="home")
users = list(dict.fromkeys(sample.interactions["user_id"]))[:24]
rows = sample.interactions[sample.interactions["user_id"].isin(users)]
export = work / "download"
export.mkdir()


def pack(name, records):
    with gzip.open(export / name, "wt", encoding="utf-8") as stream:
        for record in records:
            stream.write(json.dumps(record) + "\n")


pack(
    "Home_5.json.gz",
    (
        {
            "reviewerID": e.user_id,
            "asin": e.item_id,
            "overall": 5,
            "unixReviewTime": int(e.timestamp),
        }
        for e in rows.itertuples()
    ),
)
bought = [sample.items[item] for item in dict.fromkeys(rows["item_id"])]
pack(
    "meta_Home.json.gz",
    (
        {
            "asin": item.item_id,
            "title": item.title,
            "brand": item.brand,
            "category": list(item.categories),
            "description": [item.description],
        }
        for item in bought
    ),
)

# %% [markdown]
# In a terminal it would be `msm4sr convert download/Home_5.json.gz --out dataset --images images`; in a notebook `command` calls the same.
# The images are named by item id.

# %%
import shutil

from course import command

images = work / "images"
images.mkdir()
for item in bought:
    for image in item.images[:1]:
        source = session.samples / "corner_shop" / image
        shutil.copy(source, images / f"{item.item_id}.png")

converted = work / "dataset"
command("convert", export / "Home_5.json.gz", "--out", converted, "--images", images)
counts = json.loads((converted / "converted.json").read_text(encoding="utf-8"))
print("written:", sorted(path.name for path in converted.iterdir()))
dataset = Dataset.from_folder(converted)
seen = sum(bool(item.images) for item in dataset.items.values())
print(f"{len(dataset.items)} items, {seen} with an image")

# %% [markdown]
# ## The whole method, one command
#
# `msm4sr run DATA --out RUN` does everything in order: keywords, features, pre-training, fine-tuning, evaluation. Each stage writes a
# folder, whole or not at all, with a record of what it was made from. Here with the small CLIP of the course, and only so long
# that you need not wait. **Predict** what happens when it is called a second time.

# %%
from course import find_encoder

words = ["run", converted, "--out", work / "run", "--json"]
words += ["--set", "pretrain.epochs=2", "--set", "finetune.epochs=2"]
clip = session.samples / "mini_clip"
if find_encoder() is None:
    print("no sentence encoder on this machine: the sample's features are used instead")
    words += ["--features", session.samples / "corner_shop" / "features"]
else:
    words += ["--clip", clip, "--dictionary", clip / "words.txt"]
    words += ["--set", "features.n_keywords=5"]
command(*words)
for path in sorted((work / "run").iterdir()):
    print(" ", path.name + "/" * path.is_dir())


# %%
from course.intervals import format_interval


def models():
    return {
        path: path.stat().st_mtime_ns for path in (work / "run").rglob("*.safetensors")
    }


first = models()
result = json.loads(command(*words))
print("called again; models made again:", models() != first)
for name, values in result["models"].items():
    print(f"{name:<11} NDCG@10 {format_interval(values['ndcg@10'])}")

# %% [markdown]
# A second call finds every stage done; change one setting, and exactly what depends on it is made again. Stop it with Ctrl-C, or
# pull the plug: it goes on where it was.
#
# And the figures? With 24 customers and two passes they say nothing, as the width of the first interval shows; where there was not one hit there is not even an interval (notebook 07). For a verdict about your shop ask
# `msm4sr study main my_shop`, which tunes and tests a dozen models, simple ones first (notebook 07).
#
# ## No CLIP at hand, or one that does not know your goods?
#
# `msm4sr train-clip PHOTOS --out my_clip` trains a small one on a folder of labelled photographs: `labels.csv` with a column `image` and label
# columns such as colour and pattern. In about a quarter of an hour on one core it learnt 132 labels from 1,800 fashion photographs well enough
# to put about 1.8 of the 3 true ones among its first three (`docs/train_clip.md`).
#
# ## How large can it be?
#
# Three things grow with the shop: the table of features, the id vectors, and the scores of a training step. **Predict** which of them is
# the first to trouble a laptop with 16 GB of memory when the shop grows to a million items, and to ten. Then move the sliders.

# %%
from course import panel, slider

STATE = 64  # d, the width of the model


def budget(items, slots, width):
    table = items * slots * width * 2 / 1e9  # float16, on disk, mapped into memory
    ids = items * STATE * 4 * 3 / 1e9  # the ids and Adam's two moments, float32
    softmax = 1024 * items * 4 / 1e9  # scores of one step, if they were held at once
    rows = [
        ("feature table (on disk, mapped)", table),
        ("id embeddings with Adam's state", ids),
        ("all scores of a step, if held", softmax),
    ]
    cells = "".join(
        f"<tr><td style='text-align:left'>{name}</td><td>{size:.2f} GB</td></tr>"
        for name, size in rows
    )
    text = f"{items:,} items, {slots} slots, D = {width}: " + "; ".join(
        f"{name} {size:.2f} GB" for name, size in rows
    )
    return f"<table>{cells}</table>", text


panel(
    budget,
    slider(
        "items",
        [10_000, 100_000, 1_000_000, 10_000_000],
        start=1_000_000,
        label="items",
    ),
    slider("slots", [2, 5, 11, 20], start=5, label="slots an item"),
    slider("width", [384, 768], start=384, label="width D"),
    title="how large",
    static=[{"items": 10_000}, {"items": 1_000_000}],
)

# %% [markdown]
# - **The feature table** stays on disk; only the slots of a batch's items are read in pre-training, so its step hardly slows down with the
#   catalogue (20,000 to 200,000 items: +2 %, `docs/performance.md`).
# - **All scores of a step** would be the first, so they are never held: the exact softmax goes through the catalogue in pieces. It still *computes* them, every step, which is what
#   takes time in fine-tuning. `--set finetune.n_negatives=5000` draws 5,000 items in their place and corrects for how likely each was drawn.
# - **Evaluation** counts how many items score at least as high as the right one, batch after batch, in bounded memory. `--set finetune.valid_users=5000` looks at
#   so many customers after each pass.
#
# ## A GPU, or several
#
# With a GPU nothing changes but the speed: `--device auto` finds it. `--set pretrain.precision=bfloat16` lets the encoder
# compute with numbers of 16 bits; in training it gained nothing at the sizes that we measured (`docs/performance.md`). With several:
#
# ```
# torchrun --nproc-per-node 4 -m msm4sr_lite pretrain my_shop --out RUN
# ```
#
# Every process encodes its share of the batch; then they exchange their rows, so that each row has the same negatives as with one process, and the same
# gradient comes out (a test holds this). `batch_size` counts the targets of all processes together.

# %%
import torch

count = torch.cuda.device_count() if session.device == "cuda" else 0
print("GPUs that torch can use here:", count)

# %% [markdown]
# `msm4sr doctor` says the same for a whole machine, and what else may be missing.
#
# ## Exercises
#
# `hint("10.rows")` helps; a solution is folded below tasks 1 to 3.

# %%
from typing import Any  # noqa: F401

from course import check

# %% [markdown]
# **1.** Your shop's system exports orders with baskets. Turn them into the rows of `interactions.csv`.

# %% tags=["exercise"]
check("10.rows", ...)

# %% [markdown]
# **2.** How many GB will a feature table take?

# %% tags=["exercise"]
check("10.gigabytes", ...)

# %% [markdown]
# **3.** `torchrun --nproc-per-node 4 ... --set pretrain.batch_size=1024`, no customer and no next item twice. How many negatives has a row in NIP?

# %% tags=["exercise"]
check("10.negatives", ...)

# %% [markdown]
# **4. To find out** (no check). Take your own shop, or a public data set, and run `msm4sr study main DATA --quick`. Does anything beat ItemKNN? If not: are
# the histories too short, the texts too alike, the pictures too few? Look at the items with the fewest purchases first.
#
# ## What could mislead you here
#
# - **Catalogue codes as texts.** "SKU 4711-B" has words, but no meaning: look at some sentences before you train
#   (notebook 03).
# - **Returns and gifts** are purchases too, in the file; what people wanted is another matter.
# - **Time that is only a day.** Within a day the order of the file decides; reading it notes how many purchases this
#   concerns. If your export sorts by item name, the model learns the alphabet.
# - **Rights.** Purchases are personal data, photographs have owners. Check both before a file leaves the house.

# %%
shutil.rmtree(work)

# %% [markdown]
# ## In three lines
#
# - A folder with two files is a shop; what is wrong with it is said with file, line and mend.
# - One command runs the method, and goes on where it was; converters bring public data into the same form.
# - Large shops cost disk first, time in the full softmax second; memory stays bounded.
#
# **Next:** 11 lets you build a basket, see what is offered, and ask why.
