# ---
# jupyter:
#   msm4sr:
#     title: A demo to play with
#     minutes: 20
# ---

# %% [markdown]
# # 11 · A demo to play with
#
# **Question: what does the model use of a basket, and can it say so?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00 and 04; 05 helps | change a basket and foresee what that does to the offers, say what an offer rests on, and put such reasons to the test | 20 minutes of reading and playing, about 15 seconds of computing |
#
# For a screen at the front of the room, without code: `python run.py workshop`.

# %%
from course import setup

session = setup("11")

# %% [markdown]
# **Predict.** A customer has bought six things; the model makes ten offers. How many of the ten stay the
# same if we
#
# 1. take the *oldest* purchase out of the basket,
# 2. take the *newest* out,
# 3. keep all six, but move the newest to the front,
# 4. keep the order, but *exchange* text and picture of the newest: its text vector stands in the image
#    view and the other way round, as in mixup?
#
# Write four numbers down. Then try it out.
#
# ## The editor
#
# Choose a place of the basket and move, exchange or remove what stands there; or start from an empty basket and
# fill it yourself. The upper row is what the model reads as text, the lower one what it reads as picture.

# %%
import json

import numpy as np
import torch
from course import History, edit_history
from course.explainer import Explainer
from msm4sr_lite import Dataset

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
explainer = Explainer.load(
    dataset, folder / "states" / "home_finetuned", folder / "features"
)

# Keywords of one user's images, read again by BERT without each word in turn.
left_out = json.loads((folder / "deletions" / "words.json").read_text())
reread = torch.from_numpy(np.load(folder / "deletions" / "vectors.npy"))
without = {
    (record["item_id"], 1): vectors[1:]
    for record, vectors in zip(left_out, reread, strict=True)
}

# %%
first = History.from_items(dataset.user_history("uh0040"))
ready = {"user uh0040": first, "uh0040 without the newest": first.remove(6)}
ready |= {
    f"user {user}": History.from_items(dataset.user_history(user))
    for user in ("uh0007", "uh0123")
}
edit_history(explainer, dataset, ready, deletions=without)

# %% [markdown]
# ## What happened, for 120 customers
#
# One basket is an anecdote. Here are your four changes, and two more, for every tenth customer of the shop.

# %% tags=["nbval-check-output"]
users = sorted(set(dataset.interactions["user_id"]))[::10]
histories = [History.from_items(dataset.user_history(user)) for user in users]


def recommend(history):
    found = explainer.recommend(history.items, 10, swapped=history.swapped)
    return {entry.item_id for entry in found}


def swap_all(history):
    return History(tuple((item, True) for item in history.items))


changes = {
    "oldest taken out": lambda h: h.remove(1),
    "newest taken out": lambda h: h.remove(len(h.items)),
    "newest moved to the front": lambda h: h.move(len(h.items), -len(h.items)),
    "all but the newest reversed": lambda h: History.from_items(
        h.items[-2::-1] + h.items[-1:]
    ),
    "newest swapped": lambda h: h.swap(len(h.items)),
    "all swapped": swap_all,
}
before = [recommend(history) for history in histories]
lines = []
for name, change in changes.items():
    after = [recommend(change(history)) for history in histories]
    kept = np.mean([len(old & new) for old, new in zip(before, after, strict=True)])
    lines.append(f"{name:<28} {kept:.0f} of 10 recommendations stay")
print("\n".join(lines))

# %% [markdown]
# The newest purchase rules; notebook 05 found the same in the encoder's states. Exchanging text and picture
# costs little, even everywhere at once: this is what mixup was for. The model has learnt to read either of them in
# either view.
#
# ## How a reason is found
#
# Whatever may have moved a score (a purchase, a sentence, a picture, a word) is left out, and the model is
# asked again:
#
# $$\mathrm{effect}(\text{piece}) = \mathrm{score}(\text{everything}) - \mathrm{score}(\text{everything without the piece})$$
#
# For a purchase, by hand:

# %% tags=["nbval-check-output"]
history = first.items
best = explainer.recommend(history, 1)[0].item_id
number = explainer.recommender.item_number


def score(items):
    numbers = np.array([number[item] for item in items])
    return float(explainer.scorer.score([numbers])[0, number[best]])


by_hand = [score(history) - score(history[:k] + history[k + 1 :]) for k in range(6)]
evidence = explainer.explain(history, best)
pieces = {piece.position: piece for piece in evidence if piece.kind == "interaction"}
same = all(abs(pieces[k].effect - e) < 1e-5 for k, e in enumerate(by_hand, 1))
print(
    f"recommended: {dataset.items[best].title}",
    *(f"{e:+z.2f}  {pieces[k].text}" for k, e in enumerate(by_hand, 1)),
    f"the library finds the same: {same}",
    sep="\n",
)

# %% [markdown]
# For a sentence or a picture the item is pooled again without that slot, and for a word BERT has to read the
# other keywords of the picture again. All these variants of a basket go through the encoder in one batch.
#
# ## Are they good reasons?
#
# An explanation can be put to the test: **leave out what it calls strong, and see whether the score falls more
# than it does without a piece drawn by lot.** For single sentences and pictures there are two candidates: the effect, and
# the weight that the attention pooling gives. **Predict**: how good a guide is attention?

# %%
rng = np.random.default_rng(0)
falls = {"by effect": [], "by attention": [], "at random": []}
newest, older, summed = [], [], []
for h in histories:
    top = explainer.recommend(h.items, 1)[0].item_id
    pieces = explainer.explain(h.items, top)
    slots = [p for p in pieces if p.kind in ("sentence", "image")]
    falls["by effect"].append(max(p.effect for p in slots))
    falls["by attention"].append(max(slots, key=lambda p: p.attention).effect)
    falls["at random"].append(slots[rng.integers(len(slots))].effect)
    effects = {p.position: p.effect for p in pieces if p.kind == "interaction"}
    newest.append(effects.pop(len(h.items)))
    older += effects.values()
    summed.append(sum(effects.values()))

# %%
import matplotlib.pyplot as plt
from course import PALETTE, show

means = {name: float(np.mean(values)) for name, values in falls.items()}
errors = [np.std(values) / len(values) ** 0.5 for values in falls.values()]
figure, axes = plt.subplots(figsize=(7, 2.8))
bars = axes.barh(
    list(means)[::-1], list(means.values())[::-1], xerr=errors[::-1], color=PALETTE[0]
)
axes.bar_label(bars, fmt="%.3f", padding=12)
axes.set(
    title="Attention is a guide, but a poor one",
    xlabel="fall of the score without the chosen sentence or image",
    xlim=(0, 0.15),
)
show(
    figure,
    f"Mean fall of the score for {len(histories)} recommendations, one slot left out: "
    + ", ".join(f"{name} {value:.3f}" for name, value in means.items())
    + ".",
    "Lines are standard errors over 120 users.",
)

# %% [markdown]
# What is chosen by effect must win here, for one slot is what its effect has measured; that the same holds for
# several at once is not certain in advance and is among the library's tests. Attention is the interesting bar:
# clearly better than a random choice, and far behind. A weight says how much of a slot *goes in*. It does not say whether
# it comes out as something that matters for *this* offer.
#
# ## The blind spot
#
# The older purchases seem to count for nothing:

# %% tags=["nbval-check-output"]
drop, stay = [], []
for h, old in zip(histories, before, strict=True):
    top = explainer.recommend(h.items, 1)[0]
    rest = explainer.scorer.score([np.array([number[h.items[-1]]])])[0]
    drop.append(top.score - float(rest[number[top.item_id]]))
    stay.append(len(old & recommend(History.from_items(h.items[-1:]))))
print(
    f"effect of the newest interaction:         {np.mean(newest):.2f}",
    f"of an older one:                       {np.mean(older):.2f}",
    f"of all older ones, added up:           {np.mean(summed):.2f}",
    f"of all older ones, left out at once:   {np.mean(drop):.2f}",
    f"kept without the older ones:           {np.mean(stay):.0f} of 10",
    sep="\n",
)

# %% [markdown]
# They count, together, and for more than their effects add up to. Customers keep
# their taste, so the older purchases say similar things, and any one of them can go and the others
# still say it. *Leave one out* cannot see what is said twice.
#
# ## Exercises
#
# `hint("11.leave_one_out")` helps; a solution is folded below each task.

# %%
from collections.abc import Callable  # noqa: F401

from course import check

# %% [markdown]
# **1.** Explain any recommender: leave one out.

# %% tags=["exercise"]
check("11.leave_one_out", ...)

# %% [markdown]
# **2.** Put the explanation to the test: leave out the k strongest at once.

# %% tags=["exercise"]
check("11.joint_fall", ...)

# %% [markdown]
# **3. To find out** (no check). In the editor, put one thing into an empty basket. Which kind of reason is missing, and why? Then
# add the same thing a second time. Predict the effect of each of the two.

# %% [markdown] tags=["solution"]
# No purchase is among the reasons: without it there would be no basket, and no score to compare with. With the thing in
# it twice, both have the same effect, and next to none: whichever is left out, the other remains. Replace the first by
# anything else, and the second becomes by far the strongest reason. The model has not changed its mind about it; the
# question has changed.

# %% [markdown]
# ## What could mislead you here
#
# - A reason tells what moved the *model*. Whether it moves a customer is another question.
# - A basket with a hole, or a picture read without a word, is something that the model has seldom or never seen. Part
#   of an effect is surprise.
# - What is said twice has no effect alone. An item with two pictures loses little with either.
# - The weights of an attention look like an explanation because they sum to 1. Test before you trust.
#
# ## In three lines
#
# - The newest purchase rules, the older ones count together, and text and picture can stand in for each other.
# - An effect is what the score loses when a piece is left out: exact, for this offer, and blind to repetition.
# - An explanation is worth what its deletion test shows.
#
# **Next:** a shop of your own, with notebook 10; or back to 00 with somebody who has not seen it yet.
