# ---
# jupyter:
#   msm4sr:
#     title: Sequence mixup
#     minutes: 25
# ---

# %% [markdown]
# # 04 · Sequence mixup
#
# **Question: how does one model learn to read a product from its text or from its picture, whichever
# it gets?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebook 00; tensors in PyTorch | write complementary mixup in two lines, say what it keeps and what it changes, and explain why items that are dropped are still predicted | 25 minutes of reading, about 10 seconds of computing |

# %%
from course import setup

session = setup("04")

# %% [markdown]
# ## One customer, two sequences
#
# A product stands in the model twice: as $z_t$, a vector made from its text, and as $z_v$, a vector
# made from the keywords of its pictures. So a customer's purchases are not one sequence but two, $Z_t$ and
# $Z_v$, and at every position both speak of the same product.

# %%
from course import item_card, show_html, strips
from msm4sr_lite import Dataset
from msm4sr_lite.features.table_files import load_feature_table, read_keywords

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
keywords = read_keywords(folder / "features")
bought = [dataset.items[i] for i in dataset.user_history("uh0040")]

cards = {
    modality: [
        item_card(i, modality, folder, keywords.get(i.item_id, [])) for i in bought
    ]
    for modality in ("text", "image")
}
show_html(
    *strips(
        {"Z_t": cards["text"], "Z_v": cards["image"]},
        positions=range(1, 7),
        caption="Six items, oldest first. Frames: text solid, image dashed.",
    )
)

# %% [markdown]
# Pictures tell what the texts do not (colours, patterns), and the other way round. A model that only
# ever sees $Z_t$ in one pass and $Z_v$ in another could learn two unrelated languages. **Mixup** forces
# it to learn one: at some positions, drawn at random, text and picture trade places.
#
# **Predict.** At position 2 the upper and the lower card trade places, and so they do at position 5. Write
# down, before you go on:
#
# 1. What does the upper sequence hold at position 2 now, and the lower one?
# 2. Add the two sequences, position by position. What has changed in the sum?
#
# ## By hand, with numbers
#
# To see it happen, let every "vector" have a single number: texts are 1 to 6, pictures are 10 times as
# large. $M_t$ and $M_v$ are the two sequences when they have been mixed.

# %%
import torch
from msm4sr_lite.mixup import complementary_mixup

text = torch.tensor([1.0, 2, 3, 4, 5, 6]).reshape(1, 6, 1)
image = 10 * text
swaps = torch.tensor([[False, True, False, False, True, False]])
mixed_text, mixed_image = complementary_mixup(text, image, swaps)
for name, values in (
    ("Z_t", text), ("Z_v", image), ("M_t", mixed_text), ("M_v", mixed_image),
    ("M_t + M_v", mixed_text + mixed_image),
):  # fmt: skip
    print(f"{name:>9}:", *(f"{value:3.0f}" for value in values.flatten()))

# %% [markdown]
# Check your two predictions. The last line is 11, 22, 33, ...: the sum of text and picture, as if
# nothing had happened.
#
# ## The equation
#
# With a bit $b_k$ for every position $k$, 1 where the two trade places,
#
# $$M_t^k = (1 - b_k)\,Z_t^k + b_k\,Z_v^k \qquad\qquad M_v^k = (1 - b_k)\,Z_v^k + b_k\,Z_t^k$$
#
# Both lines use the *same* bit. That is what *complementary* means: what one sequence gives away, the
# other receives. The bits are drawn with a probability $p$, and $p$ itself is drawn anew for each batch,
# evenly between 0 and 0.5. Here is all of it in the library:

# %%
from course import source
from msm4sr_lite.mixup import draw_swaps

source(complementary_mixup)
source(draw_swaps)

# %% [markdown]
# `items != 0` keeps padding out of it: a sequence that is shorter than its neighbours in the batch is
# filled up with zeros, and these trade no places.
#
# ## Move p
#
# The panel deals the cards of our customer again and again. *Deal* draws other bits for the same $p$.
# **Predict**: at which $p$ do the two sequences differ most from where they began? At which can you no
# longer say which one is "the text sequence"?

# %%
from course import panel, slider

ids = torch.arange(1, 7).reshape(1, 6)


def mix(p, seed):
    generator = torch.Generator().manual_seed(seed)
    bits = draw_swaps(ids, torch.tensor([[p]]), generator)[0].tolist()
    rows = {
        name: [cards[other if bit else first][k] for k, bit in enumerate(bits)]
        for name, first, other in (("M_t", "text", "image"), ("M_v", "image", "text"))
    }
    head = [f"{k} ⇅" if bit else k for k, bit in enumerate(bits, start=1)]
    return strips(
        rows,
        head,
        f"p = {p}: at {sum(bits)} of 6 positions text and image trade places.",
    )


panel(
    mix,
    slider("p", [i / 10 for i in range(11)], start=0.3, label="p"),
    slider("seed", list(range(1, 9)), label="seed"),
    title="mixup bench",
    static=[{"p": 0.3}, {"p": 0.5}, {"p": 1.0}],
)

# %% [markdown]
# At $p = 1$ everything has moved, and that is once more a text sequence and a picture sequence, under
# each other's name. The greatest confusion is at $p = 0.5$: each sequence is half and half. This is why
# the method draws $p$ from 0 to 0.5 only; beyond it, the same mixtures come again with their names
# exchanged.
#
# ## What is certain about it
#
# Six statements; five follow from the equation, one is false. **Predict** which, from the names in the next
# cell, before you look at what it prints.

# %%
generator = torch.Generator().manual_seed(4)
Z_t, Z_v = torch.randn(2, 8, 6, 64, generator=generator)
lengths = torch.tensor([6, 2, 5, 6, 3, 4, 6, 1])
items = (torch.arange(6) < lengths[:, None]).long()  # 1: an item, 0: padding
half = torch.full((8, 1), 0.5)
b = draw_swaps(items, half, generator)
M_t, M_v = complementary_mixup(Z_t, Z_v, b)
back = complementary_mixup(M_t, M_v, b)

no, every = torch.zeros_like(b), items.bool()
statements = {
    "the sum is kept": torch.allclose(M_t + M_v, Z_t + Z_v),
    "mixing again with the same bits undoes it": torch.equal(back[0], Z_t),
    "p = 0 changes nothing": torch.equal(complementary_mixup(Z_t, Z_v, no)[0], Z_t),
    "p = 1 exchanges all items": torch.equal(
        complementary_mixup(Z_t, Z_v, every)[0][every], Z_v[every]
    ),
    "padding stays where it is": not (b & (items == 0)).any(),
    "every embedding of M_t is a blend of text and image": bool(
        ((M_t != Z_t) & (M_t != Z_v)).any()
    ),
}
for statement, true in statements.items():
    print(f"{statement:<52} {true}")

# %% [markdown]
# The last one is false, and it tells this mixup from the better-known one. *Ordinary* mixup adds two
# vectors with weights $\lambda$ and $1 - \lambda$, and the result is a vector that no item has.
# Complementary mixup never blends: each of its vectors is the text or the picture of a real item. The
# next cell looks how far from the catalogue a blend of two items is, with the vectors of a trained
# model.

# %%
import torch.nn.functional as F
from msm4sr_lite import load_checkpoint

model, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
with torch.inference_mode():
    z = model.item_embeddings(table, torch.arange(len(catalogue)))
known = F.normalize(torch.cat([z["text"][1:], z["image"][1:]]), dim=1)


def nearest(vectors):
    return (F.normalize(vectors, dim=1) @ known.T).amax(dim=1).mean()


text_z = z["text"][1:]
other = text_z.roll(1, dims=0)  # each item is paired with the one before it
print(f"a swapped embedding: nearest item at cosine {nearest(text_z):.2f}")
print(f"half and half of two items: nearest at {nearest((text_z + other) / 2):.2f}")

# %% [markdown]
# A cosine of 0.96 is near, and yet it is no item's vector.
#
# ## What the encoder makes of it
#
# One Transformer reads both sequences; it does not know which of the two it is reading. Now mix the
# histories of 256 customers with growing $p$ and ask where the state after the last item, $h_t$, has
# gone: is it still near the $h_t$ of the unmixed text, or has it moved towards the $h_v$ of the unmixed
# pictures?
#
# **Predict** the two curves from $p = 0$ to $p = 1$. Two of their values you can know for certain.

# %%
import numpy as np
from msm4sr_lite import build_sequences
from msm4sr_lite.encoder import gather_rows
from msm4sr_lite.sequences import pad

sequences = build_sequences(dataset.interactions, list(dataset.items))
histories = pad(sequences.train()[:256], max_len=50)
rows, last = torch.arange(256), (histories > 0).sum(dim=1) - 1


@torch.inference_mode()
def states(p):
    z_seq = gather_rows(z, histories)
    generator = torch.Generator().manual_seed(0)
    bits = draw_swaps(histories, torch.full((256, 1), p), generator)
    m_t, m_v = complementary_mixup(z_seq["text"], z_seq["image"], bits)
    return {
        v: h[rows, last] for v, h in model.encode({"text": m_t, "image": m_v}).items()
    }


shares = [round(0.1 * i, 1) for i in range(11)]
pure, mixed = states(0.0), [states(p)["text"] for p in shares]
near = {
    modality: [F.cosine_similarity(h, pure[modality]).mean().item() for h in mixed]
    for modality in ("text", "image")
}

# %%
import matplotlib.pyplot as plt
from course import show

figure, axes = plt.subplots(figsize=(6.5, 3.6))
for modality, marker, name in (("text", "o", "$h_t$"), ("image", "s", "$h_v$")):
    axes.plot(shares, near[modality], marker=marker, label=f"unmixed {name}")
axes.axvspan(0, 0.5, color="#dddddd", alpha=0.5, zorder=0)
axes.text(0.25, min(near["text"]), "used in training", ha="center", fontsize=12)
axes.set(
    title="Half-way, the state belongs to neither modality",
    xlabel="p, share of positions that trade places",
    ylabel="cosine of mixed $h_t$ with",
)
axes.legend(loc="center right")
show(
    figure,
    "Over p, the cosine of the mixed text state with the unmixed text state falls"
    f" from 1.00 to {near['text'][-1]:.2f}, that with the unmixed image state rises"
    f" from {near['image'][0]:.2f} to 1.00; the curves cross at p = 0.5.",
)

# %% tags=["nbval-check-output"]
same = torch.equal(states(1.0)["text"], pure["image"])
print("at p = 1 the text state is the unmixed image state, to the last bit:", same)
gaps = [abs(t - v) for t, v in zip(near["text"], near["image"], strict=True)]
print("the curves are closest at p =", shares[int(np.argmin(gaps))])

# %% [markdown]
# In the grey range a state is pulled towards the other view, yet keeps more of its own. (Mind the scale: in
# this trained model even the two unmixed states have a cosine of 0.95.) For the loss (notebook 06) it is
# still "the text side": it must find the next item's $z_t$, although up to half of what it has read were
# pictures. It can only do so if texts and pictures are understood alike.
#
# ## One p for a batch, or one for each sequence
#
# The released code draws one $p$ per batch. The library can also draw one per sequence
# (`mixup_per="sequence"`). On average the same share is exchanged. **Predict** what differs: how alike
# are the sequences *within* a batch?

# %%
from msm4sr_lite.mixup import draw_probability

generator = torch.Generator().manual_seed(1)
long = torch.ones(64, 50, dtype=torch.long)  # 64 sequences of 50 items
swapped = {
    per: [
        draw_swaps(long, draw_probability(0.5, 64, generator, per=per), generator)
        .float()
        .mean(dim=1)
        .numpy()
        for _ in range(8)
    ]
    for per in ("batch", "sequence")
}

titles = {"batch": "One p: a batch is alike", "sequence": "Many p: a batch has all"}
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for axes, (per, batches) in zip(panels, swapped.items(), strict=True):
    for number, values in enumerate(batches, start=1):
        axes.scatter(np.full(64, number), values, s=14, alpha=0.5, color="#0072B2")
    axes.set(title=titles[per], xlabel="batch number", ylim=(-0.03, 0.75))
panels[0].set_ylabel("share exchanged")
within = {per: np.mean([v.std() for v in batches]) for per, batches in swapped.items()}
show(
    figure,
    "Eight batches of 64 sequences. With one p per batch the shares of a batch lie"
    f" close together (spread {within['batch']:.2f}); with one p per sequence each"
    f" batch covers the range from 0 to 0.6 (spread {within['sequence']:.2f}).",
    "Every point is one sequence.",
)

# %% [markdown]
# With one $p$ per batch some whole batches are hardly mixed at all. The library keeps that as its default,
# because the released code does it; what the choice costs is measured in `docs/differences.md`.
#
# ## An item with one modality
#
# Some products have no picture, some no text. An empty vector in a sequence would be a hole, and mixup
# would move holes around. So an item that lacks a modality stands in *both* sequences with the one that
# it has, and trading places changes nothing there.

# %%
lone = [catalogue.index(i) for i in ("h0333", "h0144")]  # no text; no image
for i in lone:
    item = dataset.items[catalogue[i]]
    has = "text only" if item.has_text else "image only"
    same = torch.equal(z["text"][i], z["image"][i])
    print(f"{item.item_id}: {has}; z_t equals z_v: {same}")

# %% [markdown]
# ## The other augmentation: sequence drop
#
# Before mixup, pre-training also *drops* items: each with a probability of up to 0.2, never the first.
# The gaps are closed. Every item but the first is a *target*: it is to be predicted from those before it.
# What about the target that followed a dropped item? It stays a target. It is predicted from the last
# survivor before it, that is, from an older state.

# %%
from msm4sr_lite.mixup import drop_items

items = torch.tensor([[11, 12, 13, 14, 15]])
survives = torch.tensor([[True, True, False, True, True]])
shortened, state = drop_items(items, survives)
print("after the drop:", shortened[0].tolist())
for k in range(4):
    reader = shortened[0, state[0, k]]
    print(f"target {items[0, k + 1]} is predicted from the state after item {reader}")

# %% [markdown]
# Item 13 is gone from the input, but 13 itself is still predicted (from 12), and so is 14, which followed
# it: also from 12. One state serves two targets. The line that finds the place of this state is short, the
# first one:

# %%
source(drop_items)

# %% [markdown]
# ## Exercises
#
# From recall to research. `hint("04.draw_positions")` helps; a solution is folded below each task.

# %%
import torch
from course import check
from torch import Generator, Tensor  # noqa: F401

# %% [markdown]
# **1.** Draw positions with a random probability: for item drop and for mixup.

# %% tags=["exercise"]
check("04.draw_positions", ...)

# %% [markdown]
# **2.** Item drop: remove items and close the gaps.

# %% tags=["exercise"]
check("04.drop_items", ...)

# %% [markdown]
# **3.** $p$ is drawn evenly between 0 and 0.5. At which share of all positions do text and picture trade
# places, on average?

# %% tags=["exercise"]
check("04.share", ...)

# %% [markdown]
# **4.** For every position: at which place of the shortened sequence is the state from which the item after
# it is predicted?

# %% tags=["exercise"]
check("04.last_kept", ...)

# %% [markdown]
# **5.** Complementary mixup, written by you.

# %% tags=["exercise"]
check("04.complementary_mixup", ...)

# %% [markdown]
# **6.** Somebody has mixed two sequences and left you the bits. Get the original ones back.

# %% tags=["exercise"]
check("04.repair", ...)

# %% [markdown]
# **7. To find out** (no check, half an hour). `msm4sr pretrain` draws $p$ from 0 to `pretrain.mixup_max`; with
# `--set pretrain.mixup_draw=fixed` $p$ is always that. Pre-train on *outdoor* with `--set pretrain.mixup_max=0`, `0.5` and `1.0`, drawn
# or fixed as you like, 30 epochs each, and compare the validation Recall@20 that the command prints. Do
# three seeds agree on the order?

# %% [markdown] tags=["solution"]
# There is no right answer to copy here, and one seed proves nothing. Look first whether the three seeds of
# one setting differ less from each other than the settings do. If they do not, what you have measured is
# the seed.

# %% [markdown]
# ## What could mislead you here
#
# - Keeping the *sum* does not mean that the encoder's *output* stays the same: the two states move, as the
#   curves above show.
# - A high cosine between $h_t$ and $h_v$ is not a merit by itself: states that were all alike would
#   have it too, and could not tell one customer from another.
# - That mixup is elegant does not show that it helps. That is a question for a comparison with
#   intervals, over several seeds.
#
# ## In three lines
#
# - Complementary mixup exchanges text and picture at random positions; the same bits serve both sequences.
# - It only re-deals: the sum is kept, no vector is invented, mixing again with the same bits undoes it.
# - Dropped items leave the input, never the targets.
#
# **Next:** 05 builds the encoder that reads these sequences.
