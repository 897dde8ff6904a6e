# ---
# jupyter:
#   msm4sr:
#     title: The encoder M²SE
#     minutes: 35
# ---

# %% [markdown]
# # 05 · The encoder M²SE
#
# **Question: how do five sentences and three pictures become one vector, and a row of such vectors one
# forecast?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00 and 04; softmax, matrix products | name the shape at every step, say which sentences and pictures count, read an attention map, and show that one pass trains every prefix | 35 minutes of reading, about 15 seconds of computing |

# %%
from course import setup

session = setup("05")

# %% [markdown]
# ## The chain
#
# M²SE, the *multimodal mixup sequence encoder*, has three parts. Text and pictures have an attention pooling
# and an adapter (eight experts and a gate) each; the Transformer at the end is shared. In the shapes, $D$ is
# the width of BERT's vectors, $d$ that of the model, and *time* counts positions.

# %%
from course import show
from course.diagrams import encoder_diagram

show(*encoder_diagram())

# %% [markdown]
# We build it from left to right, with a trained model at hand, and stop at every arrow.

# %%
import torch
from msm4sr_lite import Dataset, load_checkpoint
from msm4sr_lite.features.table_files import load_feature_table

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
model, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
number = {item: i for i, item in enumerate(catalogue)}
print(f"D = {table.width}, d = {model.config.dim}, E = {model.config.experts} experts")

# %% [markdown]
# ## Slots: an item is a handful of vectors
#
# BERT has read each sentence of an item's text: one vector, one *slot*. A picture has been turned into
# keywords, and BERT has read them as one sentence: one slot too. Items have different numbers of slots,
# so short ones are filled up, and `valid` says which slots are real.

# %%
from msm4sr_lite.features.sentences import item_sentences

chosen = ["h0331", "h0131", "h0144", "h0333"]
rows = torch.tensor([number[item] for item in chosen])
text_slots, text_valid = table.text.gather(rows)
image_slots, image_valid = table.image.gather(rows)
print("text slots ", tuple(text_slots.shape), " image slots", tuple(image_slots.shape))
for item, t, v in zip(chosen, text_valid.sum(1), image_valid.sum(1), strict=True):
    title = dataset.items[item].title or "(no text)"
    print(f"{item}  {title:<28} {t} sentences, {v} images")

# %% [markdown]
# **Predict.** `h0131` is called "Restful clock in oak". Its four slots are its title, its category and
# two sentences (below). Customers of this shop buy by what a thing is *for*. After training, which
# sentence will count most in the item's vector, and which hardly at all?

# %%
for sentence in item_sentences(dataset.items["h0131"]):
    print("-", sentence)

# %% [markdown]
# ## Attention pooling
#
# Every slot $x_s$ gets an *energy* by two learnt linear maps, a softmax makes shares of the energies, and the
# shares weigh the slots:
#
# $$\epsilon_s = w_2^\top (W_1 x_s + b_1) + b_2 \qquad \alpha = \mathrm{softmax}(\epsilon)
# \qquad e = \sum_s \alpha_s\, x_s$$
#
# The softmax runs over the item's *real* slots only. By hand, with three slots of two numbers, the last
# one padding:

# %%
slots = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
energy = torch.tensor([0.0, 1.0, 0.0])
real = torch.tensor([True, True, False])
share = energy.masked_fill(~real, -torch.inf).softmax(dim=0)
print("shares", [round(a, 2) for a in share.tolist()], "→ e =",
      [round(a, 2) for a in (share @ slots).tolist()])  # fmt: skip
open_share = energy.softmax(dim=0)
print("without the mask", [round(a, 2) for a in open_share.tolist()], "→ e =",
      [round(a, 2) for a in (open_share @ slots).tolist()])  # fmt: skip

# %% [markdown]
# Without the mask the padding takes a share and gives nothing in return: $e$ shrinks. In the library:

# %%
from course import source
from msm4sr_lite.encoder import AttentionPooling

source(AttentionPooling.forward)

# %% [markdown]
# Now the trained attention. Choose an item and look where its weight goes.

# %%
import matplotlib.pyplot as plt
from course import PALETTE, choice, panel
from msm4sr_lite.features.table_files import read_keywords

keywords = read_keywords(folder / "features")
history = dataset.user_history("uh0040")


def inspect(item, modality):
    slots, valid = getattr(table, modality).gather(torch.tensor([number[item]]))
    with torch.no_grad():
        weights = model.pool[modality](slots, valid)[1][0, : int(valid.sum())].tolist()
    names = item_sentences(dataset.items[item])
    if modality == "image":
        names = [f"image {k}: {' '.join(w)}" for k, w in enumerate(keywords[item], 1)]
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.34 * len(names)))
    bars = axes.barh(names[::-1], weights[::-1], color=PALETTE[modality == "image"])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(
        title=dataset.items[item].title, xlabel="share of the weight", xlim=(0, 1.12)
    )
    best = names[weights.index(max(weights))]
    return figure, f"{len(names)} slots; most weight, {max(weights):.2f}: {best}"


panel(
    inspect,
    choice("item", history, start="h0131", label="item"),
    choice("modality", ["text", "image"], label="modality"),
    title="attention pooling",
    static=[{"item": "h0131"}, {"item": "h0331", "modality": "image"}],
)

# %% [markdown]
# Nearly all weight is on one of the two sentences that say what the clock is for; one seems enough. Nobody
# told the model that purposes matter; it found out, because customers buy by them. The category, which every
# clock shares, gets next to nothing *here*: the pictures tell it anyway. Is that so for the whole shop?

# %%
ids = torch.arange(1, len(catalogue))
slots, valid = table.text.gather(ids)
with torch.no_grad():
    weights = model.pool["text"](slots, valid)[1]
described = valid.any(dim=1)
parts = {
    "title and brand": weights[described, 0],
    "category": weights[described, 1],
    "description": weights[described, 2:].sum(dim=1),
}
for name, share in parts.items():
    print(f"{name:<16} {share.mean():.2f} of an item's weight on average")

# %% [markdown]
# ## When padding takes part
#
# The released code of the paper lets empty slots into the softmax. **Predict**: an item with $k$
# sentences stands in a table of 10 slots, and the attention is still untrained, so all energies are
# about equal. Which share of the weight do its real sentences get? (The last column compares the length of
# $e$ with the masked one.)

# %%
torch.manual_seed(0)
open_attention = AttentionPooling(table.width, 64, mask_padding=False)
masked = AttentionPooling(table.width, 64)
masked.load_state_dict(open_attention.state_dict())
real_slots = table.text.vectors[:10].float()
for k in (1, 2, 5, 10):
    padded = torch.zeros(1, 10, table.width)
    padded[0, :k] = real_slots[:k]
    valid_k = torch.arange(10)[None] < k
    with torch.no_grad():
        e_open, alpha = open_attention(padded, valid_k)
        e_masked, _ = masked(padded, valid_k)
    shrunk = (e_open.norm() / e_masked.norm()).item()
    share = alpha[0, :k].sum()
    print(f"{k:>2} sentences: {share:.1f} of the weight; length × {shrunk:.1f}")

# %% [markdown]
# About $k / 10$. So an item's vector depends on the wordiest item of the shop, and short texts shrink
# towards zero, all alike. The setting `mask_padding` switches between the two; what the difference costs
# is measured in `docs/differences.md`.
#
# ## The influence of one keyword
#
# The keywords of a picture share one slot, so no weight belongs to a single word. To learn what a word
# does, leave it out, let BERT read the rest again, and see how far the item's image vector $z_v$ moves.
# (The sample brings these re-readings for one customer's items, so that no BERT is needed here.)

# %%
import json

import numpy as np
from course.explainer import keyword_influence
from msm4sr_lite.explain.effects import delete_each_keyword

left_out = json.loads((folder / "deletions" / "words.json").read_text())
reread = torch.from_numpy(np.load(folder / "deletions" / "vectors.npy"))
print(*delete_each_keyword(left_out[2]["words"]), sep="\n")

# %% [markdown]
# **Predict**: which of the five words of this clock moves its vector most?

# %%
figure, panels = plt.subplots(2, 3, figsize=(10, 4.6), sharex=True)
lines = []
for axes, record, vectors in zip(panels.flat, left_out, reread, strict=True):
    slots, valid = table.image.gather(torch.tensor([number[record["item_id"]]]))
    moved = keyword_influence(model, slots[0, valid[0]], 0, vectors[1:]).tolist()
    axes.barh(record["words"][::-1], moved[::-1], color=PALETTE[1])
    axes.set_title(dataset.items[record["item_id"]].title, fontsize=12)
    most = record["words"][moved.index(max(moved))]
    lines.append(f"{dataset.items[record['item_id']].title}: {most}")
for axes in panels[1]:
    axes.set_xlabel("1 − cosine")
show(
    figure,
    "Bars for the five words of six images. The word that moves most: "
    + "; ".join(lines),
    "How far the image vector moves when one keyword is left out.",
)

# %% [markdown]
# For the clock it is *clock*, with *black* close behind. Two things to notice. Words that *describe* move the
# vector about as much as the word that *names* the thing: in this shop looks matter as much as kinds. And
# the last item hardly moves, but for one word: it has two more pictures, and the attention pooling (choose
# `h0331` and *image* in the panel above) had given this one little weight.
#
# ## Experts
#
# $e$ has the width of BERT; the model works in $d = 64$. Eight small linear maps do the translation, each
# with its own layer norm, and a *gate* says how much each is listened to, anew for every item:
#
# $$z = \sum_{k=1}^{8} g_k(e)\; \mathrm{LayerNorm}\big(W_k\, e + b_k\big) \qquad
# g(e) = \mathrm{softmax}(e\, W_g)$$

# %%
from msm4sr_lite.encoder import MoEAdaptor

source(MoEAdaptor.forward)

# %% [markdown]
# All eight maps are one matrix product of width $8 \cdot 64$, cut into eight afterwards. $W_g$ starts at
# zero. **Predict** the gate of an untrained adapter; then look at the trained one.

# %%
with torch.no_grad():
    e = model.pool["image"](*table.image.gather(ids))[0]
    fresh = MoEAdaptor(table.width, 64, 8, dropout=0.2).eval()
    gate_fresh = fresh.gate(e).softmax(dim=-1)
    gate = model.adapt["image"].gate(e).softmax(dim=-1)
    z = model.adapt["image"](e)
print("e", tuple(e.shape), "→ gate", tuple(gate.shape), "→ z", tuple(z.shape))
print("untrained gate:", sorted({round(g, 3) for g in gate_fresh.flatten().tolist()}))

# %%
import seaborn as sns
from data_samples.make.write import load_world

made = {item.item_id: item.look for item in load_world(folder).items}
pictured = table.image.counts[1:] > 0
patterns = sorted({made[item].pattern for item in catalogue[1:]})
wears = [made[item].pattern for item in catalogue[1:]]
grid = torch.stack(
    [
        gate[pictured & torch.tensor([w == pattern for w in wears])].mean(dim=0)
        for pattern in patterns
    ]
)
figure, axes = plt.subplots(figsize=(7.5, 3.6))
sns.heatmap(
    grid.numpy(),
    annot=True,
    fmt=".2f",
    cmap="cividis",
    yticklabels=patterns,
    xticklabels=range(1, 9),
    cbar_kws={"label": "mean gate"},
    ax=axes,
)
axes.set(
    title="Experts have their favourite patterns", xlabel="expert of the image adaptor"
)
show(
    figure,
    f"Mean gate of 8 experts for {len(patterns)} patterns: from {grid.min():.2f} to"
    f" {grid.max():.2f}, where equal shares would be 0.12.",
)

# %% [markdown]
# No expert owns a pattern, but for most patterns two or three experts are heard more than the rest.
# (Which expert takes what is an accident of the seed.)
#
# ## The sequence: positions
#
# The $z$ of a customer's items, in order, get a learnt vector for each position added, and go through
# the Transformer. **Predict** how much the last state changes (cosine, 1 = not at all) if we
#
# 1. reverse all purchases but the last,
# 2. put everything in random order, so that another purchase comes last,
# 3. take another customer.

# %%
import torch.nn.functional as F
from msm4sr_lite import build_sequences
from msm4sr_lite.encoder import gather_rows
from msm4sr_lite.sequences import pad

sequences = build_sequences(dataset.interactions, list(dataset.items))
bought = sequences.train()[:256]
with torch.no_grad():
    embeddings = model.item_embeddings(table, torch.arange(len(catalogue)))


@torch.no_grad()
def last_state(histories):
    items = pad(histories, max_len=50)
    last = (items > 0).sum(dim=1) - 1
    return model.encode(gather_rows(embeddings, items))["text"][
        torch.arange(len(items)), last
    ]


rng = np.random.default_rng(0)
true = last_state(bought)
others = {
    "all but the last reversed": last_state(
        [np.append(h[-2::-1], h[-1]) for h in bought]
    ),
    "in random order": last_state([rng.permutation(h) for h in bought]),
    "another user": true.roll(1, dims=0),
}
for name, state in others.items():
    print(f"{name:<26} cosine {F.cosine_similarity(true, state).mean():.1f}")

# %% [markdown]
# What came last matters most, and the order of the rest hardly at all. That fits how people shop here: the
# *need* moves on with every purchase, so the newest one tells where it is now, while the *taste* stays, so
# that the older ones tell it in any order. The model has found both.
#
# ## Attention maps
#
# Which purchases does each position take in? Two layers with two *heads* (attentions side by side) make four
# maps. A row is a position that looks, and its shares add up to 1. **Predict**: what stands in the upper
# right triangle?

# %%
from course.attention import compute_attention, draw_attention

sequence = torch.tensor([[number[item] for item in history]])
maps = compute_attention(model.transformer, gather_rows(embeddings, sequence)["text"])
figure = draw_attention(maps, [dataset.items[item].categories[0] for item in history])
most = int(maps[-1][0, :, -1].mean(dim=0).argmax()) + 1
show(
    figure,
    "Four triangular maps over six items, nothing above the diagonal. In the last"
    f" layer the last position has its largest weight at position {most}.",
)

# %% [markdown]
# Nothing stands there: a position that saw the future would only have to copy it. This is the *causal*
# mask, and it has a consequence that makes training cheap. (The last row gives its own item only a small
# share, and yet what came last mattered most above: the state starts from it, and what is looked at is added.)
#
# ## One pass is worth as many as there are prefixes
#
# The state at position $k$ has seen the first $k$ items, a *prefix*, and nothing else. So it must be *the
# same* as if the sequence had ended there. **Predict**: how far apart are the states of one pass over six
# items and those of six passes over its six prefixes?

# %% tags=["nbval-check-output"]
with torch.no_grad():
    whole = model.encode(gather_rows(embeddings, sequence))["text"][0]
    prefixes = [
        model.encode(gather_rows(embeddings, sequence[:, :k]))["text"][0, -1]
        for k in range(1, 7)
    ]
gap = (whole - torch.stack(prefixes)).abs().max()
print("states of one pass    ", tuple(whole.shape))
print("largest difference below 0.00001:", bool(gap < 1e-5))
print("passes: 1 instead of", len(prefixes))

# %% [markdown]
# The released code trains one prefix per row, and so computes the early items of a sequence again and again.
# Here each position of one pass is a training example of its own.
#
# ## The whole model
#
# `M2SE` only puts the parts together. This is how an item becomes $z_t$ and $z_v$:

# %% tags=["nbval-check-output"]
from msm4sr_lite import M2SE

source(M2SE.item_embeddings)
for part, module in (("attention pooling", model.pool), ("adaptors", model.adapt),
                     ("Transformer", model.transformer)):  # fmt: skip
    print(f"{part:<15} {sum(p.numel() for p in module.parameters()):>8,} parameters")

# %% [markdown]
# ## Exercises
#
# `hint("05.causal_mask")` helps; a solution is folded below each task.

# %%
import torch
import torch.nn.functional as F
from course import check, load_parts
from torch import Tensor, nn  # noqa: F401

parts = load_parts()
AttentionPooling, MoEAdaptor = parts.AttentionPooling, parts.MoEAdaptor

# %% [markdown]
# **1.** Who may look at whom?

# %% tags=["exercise"]
check("05.causal_mask", ...)

# %% [markdown]
# **2.** Causal attention: what each position reads from itself and earlier positions.

# %% tags=["exercise"]
check("05.causal_attention", ...)

# %% [markdown]
# **3.** A Transformer block with several heads.

# %% tags=["exercise"]
check("05.block", ...)

# %% [markdown]
# **4.** Position embeddings and the blocks.

# %% tags=["exercise"]
check("05.transformer", ...)

# %% [markdown]
# **5.** The whole encoder, for two modalities.

# %% tags=["exercise"]
check("05.m2se", ...)

# %% [markdown]
# **6.** How many parameters has one expert adapter with $D = 384$, $d = 64$ and 8 experts? Count first,
# then ask the library, with `model.adapt["text"]`.

# %% tags=["exercise"]
check("05.parameters", ...)

# %% [markdown]
# **7. To find out** (no check). Set the position vectors of the model to zero
# (`model.transformer.position.weight.data.zero_()`) and run the cell on order again. Predict the three
# numbers first. How does a model without positions know which purchase came last?

# %% [markdown] tags=["solution"]
# Hardly anything changes, which surprises most people. The last position starts from its own item and adds
# what it has looked at, so it needs no position vector to know what came last; and this shop asks for
# little more. Reversing the older purchases does not give exactly 1 even now: their own states depend on
# what stood before them. (Run the notebook again afterwards: the model in memory has lost its positions.)

# %% [markdown]
# ## What could mislead you here
#
# - A large weight is not yet a large *effect*: a slot can have much weight and lie where the others lie. To
#   measure an effect, take the slot away, as we did with keywords.
# - An attention map shows what *one* layer takes in. What is taken in has itself been mixed below.
# - The sample shop was made so that texts and pictures carry different things. In a real shop they overlap,
#   and weights are less tidy.
#
# ## In three lines
#
# - Slots become one vector by a softmax over the real ones; experts translate it; a Transformer reads the row.
# - Padding must not take part: not in the slots, not in the sequence.
# - The encoder is causal, so one pass is worth as many as there are prefixes.
#
# **Next:** 06 asks this encoder questions and trains it by contrast.
