# ---
# jupyter:
#   msm4sr:
#     title: Your own data
#     minutes: 30
# ---

# %% [markdown]
# # 10 · Your own data
#
# **Question: you have a table of interactions and a table of items. How do you get from them to recommendations that you can ship?**
#
# The method is MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)), as in all notebooks of this course.
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebook 00; a little pandas | train and evaluate a model on data of your own, find faults in the data first, write recommendations for all users to a file, and judge memory, time and rights | 30 minutes of reading, about 30 seconds of computing |

# %%
from course import setup

session = setup("10")

# %% [markdown]
# ## From two tables to recommendations
#
# The other notebooks open a prepared dataset. At work you start with tables from a database. So here are two data frames: who interacted with what and when, and what each
# item is. Replace them by yours.

# %%
import pandas as pd

folder = session.samples / "corner_shop"
interactions = pd.read_csv(folder / "interactions.csv")
items = pd.read_json(folder / "items.jsonl", lines=True)
items = items.rename(columns={"department": "domain"})
print(interactions.head(2), "\n")
print(items[["item_id", "domain", "title", "images"]].head(2))

# %% [markdown]
# Ten lines train a model, compare it with baselines, and recommend. Only `user_id`, `item_id` and `timestamp` are required of the interactions, and only
# `item_id` of the items. An item without image keeps its text, and an item without text its image. The two batch sizes suit a thousand users. We train for a
# few epochs only, so that you need not wait, and leave out the score ensemble, which would train three more models.
#
# The model is compared with two baselines: popularity, which offers everybody the best-sellers, and ItemKNN, which counts which items occur together.

# %%
from course import order, pick, predict

predict(
    "10.order",
    "Order them by NDCG@10 on validation, best first.",
    order("popularity", "ItemKNN", "M²SE"),
)

# %%
from course import show_messages
from msm4sr_lite import MSM4SR, Dataset

data = Dataset.from_frames(interactions, items, image_root=folder, domain="home")
settings = {"pretrain__batch_size": 128, "finetune__batch_size": 128}
settings |= {"pretrain__epochs": 5, "finetune__epochs": 5}
model = MSM4SR(preset="tuned", seed=0, ensemble="none", **settings)
with show_messages():
    model.fit(data, features=folder / "features")
report = model.evaluate(baselines=["popularity", "item_knn"])
offers = model.recommend(["uh0040", "uh0041"], k=5)

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import show
from course.intervals import draw_intervals

table = report.to_frame()
found = table[table["metric"] == "ndcg@10"].set_index("model")
names = {"popularity": "popularity", "item_knn": "ItemKNN", "msm4sr": "M²SE"}
values = {label: dict(found.loc[name]) for name, label in names.items()}
figure, axes = plt.subplots(figsize=(7.5, 2.2))
draw_intervals(axes, values)
axes.set(title="Validation", xlabel="NDCG@10, 95 % interval", xlim=(0, None))
best_first = sorted(values, key=lambda name: -values[name]["value"])
show(figure, "NDCG@10 on validation, best first: " + ", ".join(best_first) + ".")

# %%
from course import reveal

reveal("10.order", best_first)

# %% [markdown]
# The intervals say how much other users would change the numbers (notebook 07). If a baseline is ahead on your data, ship the baseline: it is
# cheaper. (ItemKNN cannot recommend new items, however.)
#
# What was recommended? The history of a user is on top, the five offers below.

# %% tags=["nbval-ignore-output"]
# Not compared: which items are offered depends on the processor's rounding.
from course import blank_card, item_card, show_html, strips
from msm4sr_lite.features.table_files import read_keywords

keywords = read_keywords(folder / "features")  # by item
rows = {}
for user in ("uh0040", "uh0041"):
    history = data.user_history(user)[-5:]
    best = list(offers[offers["user_id"] == user]["item_id"])
    for name, listed in ((f"{user}, history", history), (f"{user}, offers", best)):
        cards = [
            item_card(
                data.items[i], "image", folder, keywords[i], note=data.items[i].title
            )
            for i in listed
        ]
        rows[name] = cards + [blank_card()] * (5 - len(cards))
show_html(
    *strips(rows, range(1, 6), "The latest items of two users, and their offers.")
)

# %% [markdown]
# Your system probably exports orders with several items each. Turn them into rows of the interaction table:

# %%
from typing import Any  # noqa: F401

from course import check

# %% tags=["exercise"]
check("10.rows", ...)

# %% [markdown]
# ## Faults in the data
#
# Many failures of recommenders in practice are failures of data, and some are silent. Some faults are certain mistakes. The library refuses them and names the row.
# Others may be intended; these it only counts.

# %%
predict(
    "10.refused",
    "Which of these does the library accept?",
    pick(
        "an interaction with an unknown item",
        "a date that cannot be read",
        "the same interaction twice",
        "an item that is listed twice",
    ),
)

# %%
from msm4sr_lite.config import UserError

small = interactions[interactions["user_id"].str.startswith("uh")].head(200)
first = small.iloc[[0]]
rows_added = {
    "an interaction with an unknown item": first.assign(item_id="ghost"),
    "a date that cannot be read": first.assign(timestamp="yesterday"),
    "the same interaction twice": first,
    "an item that is listed twice": first.head(0),
}
for name, added in rows_added.items():
    twice = pd.concat([items, items.head(1)]) if "listed" in name else items
    try:
        table = pd.concat([small, added])
        said = Dataset.from_frames(table, twice, image_root=folder).notes
    except UserError as error:
        said = [f"refused: {error}"]
    print(f"{name}:", *(f"\n    {line}" for line in said or ["accepted"]))
reveal("10.refused", "the same interaction twice")

# %% [markdown]
# A repeated interaction may be a double click or a second purchase; only you know. By default, training keeps the last one (`data__deduplicate=False` keeps all).
#
# What is not refused stands in the summary. Read it before you train. For a folder, `msm4sr check DATA` prints the same, and more.

# %%
print(data.summary())

# %% [markdown]
# Look at five things: users that training drops; equal timestamps, because the order within a tie is arbitrary; repeated pairs; items without text or image; dates that lie in the future or
# before your shop opened.
#
# Public datasets come in other forms. `msm4sr convert` reads Amazon reviews (2014, 2018 and 2023), MovieLens, RecBole files and H&M, and writes a dataset
# folder ([docs/convert.md](../docs/convert.md)).
#
# ## What the features know
#
# A model can only use what its features contain. Before any training, nearest neighbours tell how much that is: each item is scored by the cosine of its embedding with those of
# the history. `msm4sr features DATA --out RUN --report` prints this for a dataset folder. It compares raw embeddings with centred and *whitened* ones, because BERT's embeddings are anisotropic (notebook 03), and with
# TF-IDF vectors, which count words, rare ones more.

# %%
predict(
    "10.modality",
    "Whose neighbours predict the next item of this shop better?",
    pick("texts", "images (their keywords)"),
)

# %%
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.pipeline.geometry import report_neighbours

neighbours = report_neighbours(data, load_feature_table(folder / "features"))

# %% tags=["plot"]
from course import PALETTE

figure, panels = plt.subplots(1, 2, figsize=(9, 2.8), sharex=True)
for axes, modality, colour in zip(panels, ("text", "image"), PALETTE, strict=False):
    ndcg = neighbours[modality]["ndcg@10"]
    axes.barh(list(ndcg)[::-1], list(ndcg.values())[::-1], color=colour)
    axes.set(
        title=modality,
        xlabel="NDCG@10 of nearest neighbours",
        xticks=[0, 0.01, 0.02, 0.03],
    )
best = {m: max(neighbours[m]["ndcg@10"].values()) for m in ("text", "image")}
show(
    figure,
    "NDCG@10 of nearest neighbours by raw, centred and whitened embeddings; at best"
    f" {best['text']:.2f} for texts and {best['image']:.2f} for images.",
    "none: raw; centre: minus the mean; pca n: whitened, the first n directions kept;"
    " pca: whitened, all directions.",
)

# %%
for modality in ("text", "image"):
    print(modality, "recommended:", neighbours[modality]["recommended"]["whitening"])
reveal(
    "10.modality",
    "texts" if best["text"] > best["image"] else "images (their keywords)",
)

# %% [markdown]
# Whitening with the full width fails here. The shop has about as many items as the embeddings have dimensions, so afterwards all items are equally far apart. With
# 20,000 items, whitening to 128 directions helped ([docs/log.md](../docs/log.md)). The report only recommends what is significantly better on your data: here *none*, the raw embeddings.
#
# If no CLIP knows your kind of picture, `msm4sr train-clip` trains a small one on labelled photographs ([docs/train_clip.md](../docs/train_clip.md)).
#
# ## Recommendations for everybody
#
# A shop needs a file with the offers for all users, without items that are out of stock. And somebody should look at it before it is shipped: a model can have a good NDCG and still
# offer everybody the same few items.

# %%
from course import number

predict(
    "10.share",
    "Every user gets 10 of 400 items. One item is offered most often. To what"
    " percentage of the users?",
    number(0, 100, "%"),
)

# %%
import tempfile
from pathlib import Path

in_stock = [item for item in data.items if item not in {"h0001", "h0002"}]
everybody = model.recommend(k=10, candidates=in_stock)
place = Path(tempfile.mkdtemp()) / "recommendations.csv"
everybody.to_csv(place, index=False)
print(f"{len(everybody):,} rows for {everybody['user_id'].nunique():,} users")

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: how often an item is offered depends on the processor's rounding.
times = everybody["item_id"].value_counts()
share = 100 * times / everybody["user_id"].nunique()
figure, axes = plt.subplots(figsize=(8, 2.8))
axes.fill_between(range(len(share)), share, step="mid", alpha=0.6)
axes.set(
    title=f"{len(share)} of {len(in_stock)} items are offered to somebody",
    xlabel="items, the most offered first",
    ylabel="% of users",
    xlim=(0, len(share)),
    ylim=(0, None),
)
most = f"the most offered item: {share.iloc[0]:.0f} %"
axes.plot(0, share.iloc[0], "o", color=PALETTE[1], clip_on=False, label=most)
axes.legend()
show(
    figure,
    f"Share of users who are offered each item: from {share.iloc[0]:.0f} % for the most"
    f" offered one down; {len(share)} of {len(in_stock)} items are offered.",
)
reveal("10.share", float(share.iloc[0]), close=5)

# %% [markdown]
# The model that you ship should also learn from the interactions that were held out: `MSM4SR(...).fit(data, split=None)` trains on all of them, for as many epochs as a first run found best.
# `save_pretrained` writes it without user ids. New items need no training: `add_items` reads their texts and images (notebook 08).
#
# ## Larger data
#
# Three things grow with the catalogue: the feature table, the ID embeddings, and the scores of a training step (here of 1,024 targets). Move the sliders to see which of them would be the first to fill a laptop's memory.

# %%
from course import panel, slider

WIDTH = 64  # d, the width of the model


def memory(items, slots, width):
    sizes = {
        "feature table, on disk": items * slots * width * 2 / 1e9,  # float16
        "ID embeddings with Adam's state": items * WIDTH * 4 * 3 / 1e9,  # float32
        "all scores of a step, if held": 1024 * items * 4 / 1e9,
    }
    figure, axes = plt.subplots(figsize=(8, 2))
    bars = axes.barh(list(sizes)[::-1], list(sizes.values())[::-1], color=PALETTE[0])
    axes.bar_label(bars, fmt="%.2f GB", padding=3)
    axes.set(xscale="log", xlim=(0.001, 9000), xlabel="GB")
    text = "; ".join(f"{name} {size:.2f} GB" for name, size in sizes.items())
    return figure, f"{items:,} items, {slots} embeddings each, width {width}: {text}."


panel(
    memory,
    slider("items", [10_000, 100_000, 1_000_000, 10_000_000], start=1_000_000),
    slider("slots", [2, 5, 11, 20], start=5, label="embeddings per item"),
    slider("width", [384, 768], start=384, label="width D"),
    title="memory",
    static=[{"items": 10_000}, {"items": 1_000_000}],
)

# %% [markdown]
# By default, the library does not hold the scores of a step. The exact softmax goes through the catalogue in blocks; above 10,000 items, 2,048 *sampled negatives* take its place (07). The feature table stays on disk,
# and pre-training reads only the items of a batch. [docs/performance.md](../docs/performance.md) has times and memory for a million items, and for a GPU, which needs no change but `device="cuda"`.
#
# How large is the feature table of your own catalogue? Write the function:

# %% tags=["exercise"]
check("10.gigabytes", ...)

# %% [markdown]
# ## Licence, privacy and consent
#
# Data that you may read are not always data that you may use. Three questions come before the first training.
#
# 1. **Are the interactions personal data?** A list of purchases can identify a person, even without a name. In the EU the GDPR then applies: you need a legal basis, a purpose, and a date of deletion. Say in plain
#    words what you do, and let people decline. Some histories reveal health, religion or sexuality; leave those items out.
# 2. **What does the model keep?** A saved model has no user ids and no histories. But its ID embeddings and pair counts were made from them, so a model is only as shareable as its data. If
#    somebody asks to be deleted, delete the history now, and train anew at the next regular date.
# 3. **Who owns texts and photographs?** Scraped pictures and reviews have owners, and a dataset's licence may forbid commercial use, or passing on what was computed from it. Keep a note of source and
#    licence beside each dataset, as `data_samples/photos/README.md` does.
#
# Recommendations also change what people see. Look at who is served badly: new users, rare tastes, small brands. Notebook 07 shows how to compare groups.
#
# ## What can mislead
#
# - **Product codes as texts.** "SKU 4711-B" has words but no meaning. Look at twenty items before you train.
# - **Returns and gifts** are interactions too, but not what the user wanted.
# - **Timestamps that are only days.** Within a day the order of the file decides. If the export sorts by item name, the model learns the alphabet.
# - **A good value on validation.** Validation chose the settings, so it flatters them. Open the test part once, at the end: `model.evaluate(part="test")`.

# %%
from course import quiz

quiz("10")

# %% [markdown]
# ## Take-aways
#
# Two tables are enough: `Dataset.from_frames`, `fit`, `evaluate`, `recommend`. Read the summary and the feature report before you train, and look at the recommendations before you ship them. Know whose data you use, and
# what they agreed to.
#
# **Next:** [11](11_workshop_demo.ipynb) is a shop window: build a history by tapping, and see what the model offers and why.
