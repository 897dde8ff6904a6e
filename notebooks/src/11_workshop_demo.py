# ---
# jupyter:
#   msm4sr:
#     title: A demo to play with
#     minutes: 25
# ---

# %% [markdown]
# # 11 · A demo to play with
#
# **Question: what does the model use of a user's history, and can it give a reason for a recommendation?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00 and 04; 05 helps | say which changes of a history change the recommendations, what mixup adds, how an explanation is computed, and how to test one | 25 minutes of reading and playing, about 15 seconds of computing |
#
# The model is M²SE, pre-trained and fine-tuned as in MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)).
# `python run.py workshop` shows this notebook as a page without code, for a screen in front of a room.

# %%
from course import setup

session = setup("11")

# %% [markdown]
# ## Four predictions
#
# Intuition about a model is worth most when it is written down before the result. The model reads a user's history, the items
# that the user chose, oldest first. It recommends ten other items. We will change the histories of 120 users and count how many of
# the ten recommendations stay.

# %%
from course import number, order, predict

predict(
    "11.oldest",
    "The oldest item is removed. How many of the ten recommendations stay, on average?",
    number(0, 10),
)
predict(
    "11.newest",
    "The newest item is removed. How many of the ten recommendations stay, on average?",
    number(0, 10),
)
predict(
    "11.exchanged",
    "The order stays, but the text and image embeddings of every item are exchanged, as"
    " in mixup with p = 1. How many stay, on average?",
    number(0, 10),
)
predict(
    "11.guide",
    "One sentence or image is left out: the one with the largest effect on the score,"
    " the one with the largest attention weight, or a random one. Order them by how far"
    " the score falls, the largest fall first.",
    order("by attention", "at random", "by effect"),
)

# %% [markdown]
# ## The shop window
#
# A recommender is easiest to understand when you can change its input and see the answer at once. Tap a picture to add the item to the
# history. Move items, remove them, or choose what the model may read of an item: text and picture, one of them, or both exchanged.
# Choose a second model to compare. Below each offer stands its strongest reason; how it is computed comes later.

# %%
from course import History, show_window
from course.offers import KNNModel, PopularModel, ReadingModel
from msm4sr_lite import Dataset, build_sequences, load_checkpoint
from msm4sr_lite.baselines import ItemKNN, Popularity
from msm4sr_lite.features.table_files import load_feature_table, read_keywords

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
net, catalogue = load_checkpoint(folder / "states" / "home_finetuned")
table = load_feature_table(folder / "features").for_items(catalogue)
training = build_sequences(dataset.interactions, catalogue[1:])
titles = {item.item_id: item.title or item.item_id for item in dataset.items.values()}
m2se = ReadingModel(net, table, titles)
models = {
    "M²SE": m2se,
    "ItemKNN (co-occurrence)": KNNModel(ItemKNN(training), catalogue, titles),
    "popularity": PopularModel(Popularity(training), catalogue),
}
ready = {
    f"user {user}": History.from_items(dataset.user_history(user))
    for user in ("uh0040", "uh0007", "uh0123")
}

# %%
show_window(dataset, models, ready)

# %% [markdown]
# **Try this.** Exchange text and picture of all items, then hide all pictures, then all texts: how many recommendations change? Move the newest
# item to the front. Empty the history and add one item: ItemKNN has little to count, M²SE still reads a text and an image.
#
# ## What changes the recommendations
#
# One history is an anecdote, so we now make the same changes for every tenth user of the shop and count.

# %%
import numpy as np
import pandas as pd
from course import reveal

users = sorted(set(dataset.interactions["user_id"]))[::10]
histories = [History.from_items(dataset.user_history(user)) for user in users]
before = m2se.top(histories)


def share_kept(change):
    """Return how many of the ten recommendations stay after a change, on average."""
    after = m2se.top([change(history) for history in histories])
    pairs = zip(before, after, strict=True)
    return np.mean([len({*old} & {*new}) for old, new in pairs])


changes = {
    "oldest item removed": lambda h: h.remove(1),
    "newest item removed": lambda h: h.remove(len(h.items)),
    "newest item moved to the front": lambda h: h.move(len(h.items), -len(h.items)),
    "only the newest item": lambda h: History(h.entries[-1:]),
}
kept = {name: share_kept(change) for name, change in changes.items()}
reveal("11.oldest", kept["oldest item removed"], close=1)
reveal("11.newest", kept["newest item removed"], close=1)
for name, count in kept.items():
    print(f"{name + ':':<33}{count:.0f} of 10 recommendations stay")

# %% [markdown]
# The newest item matters most: without it, only 2 of 10 stay. But alone it keeps only 4, so the older items matter, too. Notebook 05 found the same in the sequence representation.
#
# ## What mixup is for
#
# A shop rarely has a good text *and* a good image of every item, so a model should be able to use one in place of the other. Sequence
# mixup (notebook 04) trains for this: in each batch it exchanges the text and image embeddings of some positions, and the targets
# stay the same. We test the ability by exchanging or hiding modalities, for the same 120 users.

# %%
readings = {
    "exchanged": "exchanged",
    "images hidden": "text",
    "texts hidden": "image",
}
kept_after = {
    name: share_kept(lambda h, reading=reading: h.read_all(reading))
    for name, reading in readings.items()
}
reveal("11.exchanged", kept_after["exchanged"], close=1)
for name, count in kept_after.items():
    print(f"{name + ':':<33}{count:.0f} of 10 recommendations stay")

# %% [markdown]
# Seven or eight of ten recommendations stay, whichever modality is read. Is this due to mixup?
# A claim about one part of the training needs models without this part. A stored study has them: each model was trained with and without mixup, with three seeds
# and two presets. Then it had to recommend after *mixed histories*, in which the text and image embeddings of all items are exchanged.

# %%
import json

results = session.samples.parent / "docs" / "results"
rows = {}
for preset, name in (
    ("paper", "corner_shop-home-mixup-paper"),
    ("tuned", "corner_shop-home-mixup"),
):
    study = json.loads((results / name / "mixup.json").read_text("utf-8"))
    for training, model in study["models"].items():
        rows[f"{preset}, {training}"] = {
            change: model[f"pre-trained, {change}"]["ndcg@10"]["value"]
            for change in ("unchanged", "mixed histories: 100%")
        }
pd.DataFrame(rows).T.round(3)

# %% [markdown]
# The values are NDCG@10 of pre-trained models. With mixup, less is lost; with the preset `tuned` the difference is significant, with `paper` it is not ([studies](../docs/studies/index.md)). But models
# without mixup keep a part of the ability, too: most of it with `paper`, less than half with `tuned`. Which part of the training it comes from was not tested. With unchanged histories, mixup brings no significant gain.
#
# The live page of notebook 00 shows the same exchange for one user, with every number in between: move its mixup probability and flip
# single positions. It also has the model that was pre-trained without mixup.

# %%
from course import live_page

live_page()

# %% [markdown]
# ## How a reason is computed
#
# A recommendation with a reason can be questioned. The reason in the shop window is a *leave-one-out effect* (not the split of notebook 01): the model scores the
# recommended item again without one input, and the effect of this input is the difference of the scores.
#
# $$\mathrm{effect}(x) = \mathrm{score}(\text{all inputs}) - \mathrm{score}(\text{all inputs without } x)$$
#
# Write it for any recommender: `score` is a function of a history.

# %%
from collections.abc import Callable  # noqa: F401

from course import check

# %% tags=["exercise"]
check("11.leave_one_out", ...)

# %% [markdown]
# The library does the same for interactions, sentences and images. Here are the effects of the interactions on the best recommendation for one user:

# %%
from msm4sr_lite.explain.effects import measure_effects
from msm4sr_lite.recommend.recommender import Recommender

recommender = Recommender(m2se.scorer, catalogue)
keywords = read_keywords(folder / "features")


def explain(history, item_id):
    """Return the evidence for an item, the strongest first."""
    inputs = {"items": dataset.items, "keywords": keywords}
    (evidence,) = measure_effects(recommender, table, history, [item_id], **inputs)
    return evidence


history = dataset.user_history("uh0040")
best = m2se.top([History.from_items(history)], 1)[0][0]
print(f"recommended: {titles[best]}")
for piece in explain(history, best):
    if piece.kind == "interaction":
        print(f"effect {piece.effect:+z.2f}: item {piece.position}, {piece.text}")

# %% [markdown]
# ## Is it a good reason?
#
# A reason can sound right and be wrong, so an explanation needs a test of its own. The *deletion test* leaves out what the explanation calls
# important: the score must fall more than without a randomly chosen input. We compare two explanations of single sentences and
# images: the effect, and the weight of the attention pooling (notebook 03).

# %%
rng = np.random.default_rng(0)
falls = {"by effect": [], "by attention": [], "at random": []}
effects_of = {"newest": [], "older": [], "older, summed": []}
for h, (top, *_) in zip(histories, before, strict=True):
    pieces = explain(h.items, top)
    slots = [p for p in pieces if p.kind in ("sentence", "image")]
    falls["by effect"].append(max(p.effect for p in slots))
    falls["by attention"].append(max(slots, key=lambda p: p.attention).effect)
    falls["at random"].append(slots[rng.integers(len(slots))].effect)
    by_place = {p.position: p.effect for p in pieces if p.kind == "interaction"}
    effects_of["newest"].append(by_place.pop(len(h.items)))
    effects_of["older"] += by_place.values()
    effects_of["older, summed"].append(sum(by_place.values()))
means = {name: float(np.mean(values)) for name, values in falls.items()}
reveal("11.guide", sorted(means, key=means.get, reverse=True))

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import PALETTE, show

errors = [np.std(values) / len(values) ** 0.5 for values in falls.values()]
figure, axes = plt.subplots(figsize=(7.5, 2.8))
names, values = list(means)[::-1], list(means.values())[::-1]
bars = axes.barh(names, values, xerr=errors[::-1], color=PALETTE[0])
axes.bar_label(bars, fmt="%.2f", padding=12)
axes.set(
    title="Attention is a weak guide to what matters",
    xlabel="fall of the score without the chosen sentence or image",
    xlim=(0, 0.15),
)
show(
    figure,
    f"Mean fall of the score for {len(histories)} recommendations when one sentence or"
    " image is left out: "
    + ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    + ".",
    "Lines are standard errors over 120 users.",
)

# %% [markdown]
# The choice by effect must win here, because it is chosen by the very quantity that is measured. The interesting bar is attention: it is better than a random
# choice and far behind the effect. An attention weight says how much of an embedding enters the pooled item embedding. It
# does not say whether this changes the score of a given recommendation.
#
# Several inputs at once are a harder test, because effects of single inputs need not add up. Write it:

# %% tags=["exercise"]
check("11.joint_fall", ...)

# %% [markdown]
# ## What leave-one-out cannot see
#
# Small effects seem to say that older items do not matter, so we check that: we remove all of them at once.

# %%
alone = [History(h.entries[-1:]) for h in histories]
at = [(row, m2se.number[top]) for row, (top, *_) in enumerate(before)]
rows, columns = (list(place) for place in zip(*at, strict=True))
fall = (m2se.score(histories) - m2se.score(alone))[rows, columns].mean()
facts = {
    "effect of the newest item": np.mean(effects_of["newest"]),
    "effect of one older item": np.mean(effects_of["older"]),
    "effects of all older items, summed": np.mean(effects_of["older, summed"]),
    "effect of all older items, removed together": float(fall),
}
pd.DataFrame({"mean of 120 users": {k: f"{v:.2f}" for k, v in facts.items()}})

# %% [markdown]
# Together the older items matter more than the sum of their single effects. Users keep their taste, so older items carry
# redundant information: when one is removed, the others still provide it. A leave-one-out effect does not see what two inputs have in common.
#
# ## What can mislead you
#
# - A reason describes the *model*. It does not show that the item caused a user's choice.
# - Without one input, a history may be unlike those in training. Part of an effect can be due to that.
# - Redundant inputs have small effects each. Test them together.
# - Attention weights sum to 1, which makes them look like an explanation. Apply the deletion test first.
#
# **To find out.** In the shop window, start with an empty history and add the same item twice. What is the reason now?

# %% [markdown] tags=["solution"]
# "No single item decides": when one copy is removed, the other still provides the same information, and the score hardly changes.

# %%
from course import quiz

quiz("11")

# %% [markdown]
# ## Take-aways
#
# - The newest item matters most; the older items matter together.
# - After pre-training, text and image can partly replace each other. Mixup trains for this; with preset `paper`, most of it is there without mixup.
# - A leave-one-out effect is exact for one input and blind to redundancy; a deletion test shows whether an explanation deserves trust.
#
# **Next:** recommend from your own data with notebook 10, or show this page to somebody who has not seen it.
