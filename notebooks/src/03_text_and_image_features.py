# ---
# jupyter:
#   msm4sr:
#     title: Text and image features
#     minutes: 30
# ---

# %% [markdown]
# # 03 · Text and image features
#
# **Question: once texts and pictures are both words, do their vectors live in one space?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00 and 02; mean, cosine similarity | cut a text into slots, pool token vectors rightly, compare what texts and pictures know, and measure the modality gap | 30 minutes of reading, about 25 seconds of computing |

# %%
from course import setup

session = setup("03")

# %% [markdown]
# ## A text is a handful of sentences
#
# BERT reads one sentence at a time and returns one vector. So a product's text is first cut: title and
# brand, then the categories, then the sentences of the description. Real descriptions are untidy. Here is
# one as shops have them. **Predict** how many pieces it gives, and which dots are no ends of a sentence.

# %%
from msm4sr_lite.dataset.dataset import Item
from msm4sr_lite.features.sentences import item_sentences

untidy = Item(
    "1",
    title="Travel mug 0.5 l",
    brand="Norr &amp; Sons",
    categories=("Kitchen", "Mugs"),
    description="Keeps tea hot, e.g. on a train.<br>• Leak-proof\n• Weighs 5.5 oz.\n"
    "Designed in the U.S.A. by people who drink tea",
)
for number, sentence in enumerate(item_sentences(untidy), start=1):
    print(number, sentence)

# %% [markdown]
# At most ten are kept. Each is a **slot**: one vector of the item.
#
# ## From tokens to one vector
#
# BERT gives a vector for every *token* (a word or a piece of one) of a sentence. The sentence's vector is
# their mean: *mean pooling*. Sentences of a batch differ in length, so short ones are padded, and the
# padding must not be averaged in. By hand, two tokens and one padding:

# %%
import torch

states = torch.tensor([[2.0, 4.0], [4.0, 8.0], [0.0, 0.0]])  # third: padding
mask = torch.tensor([1.0, 1.0, 0.0])
print(
    "mean of the real tokens", ((states * mask[:, None]).sum(0) / mask.sum()).tolist()
)
print("mean of all three      ", [round(x, 2) for x in states.mean(0).tolist()])

# %% [markdown]
# Some models are trained to put the meaning of a sentence into their first token (`cls`). Whether a
# model wants the mean or the first token is written in its folder; the setting `pooling` overrules it. In
# the library:

# %%
from course import source
from msm4sr_lite import TextEncoder
from msm4sr_lite.features.table_files import load_feature_table

source(TextEncoder.encode)

# %% [markdown]
# ## What sentence vectors know
#
# The sample brings the vectors of all its sentences, made by all-MiniLM-L6-v2, a small BERT with vectors
# of width 384. (Where its weights are on your machine, the panel below also reads your own sentences.)
#
# **Predict**: which sentences of the shop will be nearest to "It brings calm into a noisy day."? Those with
# the same words, or those with the same meaning?

# %% tags=["nbval-ignore-output"]
# Not compared: it needs a text encoder, which not every machine has.
import torch.nn.functional as F
from course import find_encoder
from msm4sr_lite import Dataset

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
table = load_feature_table(folder / "features").for_items(["", *dataset.items])

vectors = {}  # sentence -> unit vector
for number, item in enumerate(dataset.items.values(), start=1):
    first = int(table.text.starts[number])
    for place, sentence in enumerate(item_sentences(item)):
        vectors[sentence] = F.normalize(
            table.text.vectors[first + place].float(), dim=0
        )
known, matrix = list(vectors), torch.stack(list(vectors.values()))
encoder = find_encoder()
print(len(known), "sentences;", "an encoder is here" if encoder else "no encoder here")

# %%
from course import (
    choice,
    entry,
    escape,
    explain_missing_encoder,
    panel,
)

asked = [
    "It brings calm into a noisy day.",
    "Good to have for days of rain, wind and snow.",
    "It saves room and weight on the road.",
    "mug",
]


def find_similar(sentence, other):
    if other and encoder is None:
        return explain_missing_encoder()
    query = vectors[sentence]
    if other:
        query = F.normalize(torch.from_numpy(encoder.encode([other])[0]).float(), dim=0)
    near = (matrix @ query).topk(6)
    rows = [(f"{c:.2f}", known[i]) for c, i in zip(*near, strict=True)]
    cells = "".join(f"<tr><td>{c}</td><td>{escape(s)}</td></tr>" for c, s in rows)
    return f"<table>{cells}</table>", "; ".join(f"{c} {s}" for c, s in rows)


panel(
    find_similar,
    choice("sentence", asked, label="sentence"),
    entry("other", "", label="or another"),
    title="nearest sentences",
    static=[{"sentence": asked[0]}, {"sentence": asked[1]}],
)

# %% [markdown]
# Both. For the weather, sentences that share words come first. For the calm, some share none and still mean
# something like it: "Peace and quiet come with it." That is what BERT brings into a recommender. (It is not
# infallible: the nearest after the sentence itself is about a cold room.)
#
# ## Keywords go the same way
#
# The keywords of a picture, in a row, are a sentence too: "mug blue zigzag red round". The same BERT reads
# them, so every picture gets a vector of the same width. It is strange English, but it works:

# %%
from msm4sr_lite.features.table_files import read_keywords

keywords = read_keywords(folder / "features")
seen, rows = [], []
for number, item in enumerate(dataset.items, start=1):
    for place, words in enumerate(keywords.get(item, [])):
        seen.append((item, " ".join(words)))
        rows.append(int(table.image.starts[number]) + place)
images = F.normalize(table.image.vectors[rows].float(), dim=1)
for cosine, i in zip(*(images @ images[0]).topk(5), strict=True):
    print(f"{cosine:.2f}", *seen[i])

# %% [markdown]
# ## Two witnesses who disagree
#
# Now compare *items*: nearest by text, nearest by picture. **Predict**: what will the text neighbours of a
# product have in common, and what its picture neighbours?

# %%
from course import item_card, strips


def item_means(slots):
    values, valid = slots.gather(torch.arange(1, len(dataset.items) + 1))
    return F.normalize(values.sum(1) / valid.sum(1, keepdim=True).clamp_min(1), dim=1)


means = {"text": item_means(table.text), "image": item_means(table.image)}
items = list(dataset.items.values())


def compare(item):
    here = [i.item_id for i in items].index(item)
    strip = {}
    for modality, name in (("text", "by text"), ("image", "by image")):
        cosines = means[modality] @ means[modality][here]
        cosines[here] = -1
        near = [items[here], *(items[i] for i in cosines.topk(4).indices)]
        strip[name] = [
            item_card(i, modality, folder, keywords.get(i.item_id, [])) for i in near
        ]
    return strips(strip, [item, 1, 2, 3, 4], "An item and its four nearest neighbours")


panel(
    compare,
    choice("item", ["h0131", "h0038", "h0201", "h0331", "h0199"], label="item"),
    title="neighbours by text and by image",
    static=[{"item": "h0131"}, {"item": "h0038"}],
)

# %% [markdown]
# For the whole shop, with the help of the generator, which knows each item's purpose and looks: how often
# does the nearest neighbour share them? Chance alone would give 0.12 for the eight purposes, 0.17 for the
# six patterns and 0.08 for the twelve kinds.

# %%
import numpy as np
from data_samples.make.write import load_world
from msm4sr_lite import load_checkpoint

made = {item.item_id: item for item in load_world(folder).items}
both = torch.nonzero((table.text.counts > 0) & (table.image.counts > 0)).flatten()
traits = {
    "purpose": [made[table.items[i]].purpose for i in both],
    "pattern": [made[table.items[i]].look.pattern for i in both],
    "kind": [made[table.items[i]].look.product for i in both],
}


def agreement(x):
    x = F.normalize(x, dim=1)
    nearest = (x @ x.T).fill_diagonal_(-9).argmax(dim=1).tolist()
    return {
        trait: np.mean([values[i] == values[j] for i, j in enumerate(nearest)])
        for trait, values in traits.items()
    }


model, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
slots, valid = table.text.gather(both)
with torch.no_grad():
    attended, _ = model.pool["text"](slots, valid)
pooled = {
    "text, title alone": slots[:, 0],
    "text, mean of slots": means["text"][both - 1],
    "text, attention pooling": attended,
    "images, mean of slots": means["image"][both - 1],
}
print(f"{'nearest neighbour shares':<26}", *(f"{trait:>8}" for trait in traits))
for name, x in pooled.items():
    print(f"{name:<26}", *(f"{share:8.2f}" for share in agreement(x).values()))

# %% [markdown]
# Read the table by columns.
#
# - *Purpose*: only the text knows it. The title alone says little; the mean of all slots more; most of all
#   the mean that a trained **attention pooling** weighs (notebook 05): it has learnt which sentences to trust.
# - *Pattern*: only the pictures know it.
# - *Kind*: both know it. The trained attention has begun to forget it on the text side: pictures say it
#   already.
#
# One alone is half blind. This is why the method keeps two views and lets them speak at every position.
#
# ## The modality gap
#
# CLIP puts a picture near its own text, compared with other texts. And yet all pictures lie in one region
# of its space and all texts in another, far apart. The distance between the two middles is the **modality
# gap**:
#
# $$\mathrm{gap} = \Big\lVert \frac1n \sum_i \frac{x_i}{\lVert x_i \rVert} -
# \frac1n \sum_i \frac{y_i}{\lVert y_i \rVert} \Big\rVert$$
#
# where $x_i$ is the text vector and $y_i$ the picture vector of item $i$, of $n$ items in all.
#
# A model that reads one and then the other would step over this gap each time. Words instead of picture
# vectors should close it: that is the paper's reason for keywords. **Predict**: how large is the gap (0 to
# 2) in CLIP's space, how large between texts and keywords in BERT's? Can a straight cut (a plane, found by a
# linear classifier) still separate the two clouds? The figure draws each space along the two directions in
# which it spreads most, its *principal axes*.

# %%
from course.modality_gap import clip_embeddings, measure_gap
from msm4sr_lite import KeywordTokenizer

chosen = [table.items[i] for i in both[::2]]
clip = KeywordTokenizer(str(session.samples / "mini_clip"), ["image"])
captions = [
    f"a photo of a {look.shape} {look.colour} {look.product}"
    for look in (made[item].look for item in chosen)
]
with torch.no_grad():
    z = model.item_embeddings(table, torch.tensor([catalogue.index(i) for i in chosen]))
half = (both - 1)[::2]
texts, photos = clip_embeddings([dataset.items[item] for item in chosen], folder, clip)
clouds = {
    "CLIP: texts and images": (texts, photos),
    "CLIP: true captions and images": (
        clip.text_embeddings(captions).numpy(),
        photos,
    ),
    "BERT: texts and keywords": (
        means["text"][half].numpy(),
        means["image"][half].numpy(),
    ),
    "trained: z_t and z_v": (z["text"].numpy(), z["image"].numpy()),
}
gaps = {name: measure_gap(*pair) for name, pair in clouds.items()}
for name, g in gaps.items():
    print(f"{name:<33} gap {g.distance:.2f}; accuracy of a linear probe: {g.probe:.0%}")

# %%
from course import show
from course.clouds import draw_clouds

short = ("CLIP", "BERT reads both", "after training")
names = [name for name in clouds if "captions" not in name]
figure, seen_shares = draw_clouds(
    {
        f"{title}: gap {gaps[name].distance:.2f}": clouds[name]
        for title, name in zip(short, names, strict=True)
    }
)
show(
    figure,
    "Texts and images on two principal axes, three times. "
    + "; ".join(
        f"{t}: gap {gaps[n].distance:.2f}, {share:.0%} of the spread can be seen"
        for t, n, share in zip(short, names, seen_shares, strict=True)
    ),
    f"{len(chosen)} of the {len(dataset.items)} items (every second one that has both a"
    " text and a image), in three spaces, to one scale; no point lies outside.",
)

# %% tags=["nbval-check-output"]
raw, words, trained = (gaps[name] for name in names)
print("keywords at least halve the gap:", words.distance < raw.distance / 2)
print("training narrows it again:", trained.distance < words.distance)
print("a linear classifier still separates them:", words.probe > 0.95)

# %% [markdown]
# Two findings, and the second is the honest one.
#
# - Words **narrow** the gap to less than half, and training narrows it further, since both views must find
#   the same next items. (Part of CLIP's gap here is ignorance: our small CLIP never learnt to read such
#   texts. The second line, with captions that it does know, shows what is left without that:
#   0.93, from where the step to 0.57 is smaller.)
# - Words do **not close** it. "mug blue zigzag red round" is no sentence that a shop would write, and a
#   straight cut still tells keywords from texts every time. So it does after training, where two axes show
#   one cloud: the model has 64. A small gap is no proof that two clouds mix.
#
# ## Where features are kept
#
# All vectors of a shop are made once, by `msm4sr keywords` and `msm4sr features`, and kept in a folder, in
# half precision, with a manifest that says how they were made (here for both domains):

# %%
for key in ("text_encoder", "keywords", "n_items", "without_text", "without_image"):
    print(f"{key}: {table.manifest[key]}")

# %% [markdown]
# ## Exercises
#
# `hint("03.slots")` helps; a solution is folded below each task.

# %%
import numpy as np  # noqa: F811
import torch
import torch.nn.functional as F
from course import check
from torch import Tensor, nn  # noqa: F401

# %% [markdown]
# **1.** A product: title "Desk lamp", brand "Lumo", category "lamp", description "Bright &amp;amp; small.
# Uses 0.5 watts per hour." How many slots?

# %% tags=["exercise"]
check("03.slots", ...)

# %% [markdown]
# **2.** One vector per sentence, without the padding.

# %% tags=["exercise"]
check("03.mean_pool", ...)

# %% [markdown]
# **3.** Attention pooling: the embeddings of an item's sentences become one, and empty slots have no say.

# %% tags=["exercise"]
check("03.attention_pooling", ...)

# %% [markdown]
# **4.** The mixture-of-experts adaptor, from BERT's width to the model's.

# %% tags=["exercise"]
check("03.moe_adaptor", ...)

# %% [markdown]
# **5.** The modality gap.

# %% tags=["exercise"]
check("03.gap", ...)

# %% [markdown]
# **6. To find out** (no check). From every keyword vector in `means["image"]` take off the difference of the
# two middles (keywords minus texts), so that the gap becomes 0. Does a nearest neighbour across the two
# clouds now share the purpose more often? What was in the gap, then?

# %% [markdown] tags=["solution"]
# The clouds lie on each other, and yet hardly any text finds a picture with its purpose: pictures do not know
# purposes. The gap is a difference in *style*, the same for all items. Taking it off brings no knowledge.

# %% [markdown]
# ## What could mislead you here
#
# - The gap is one number about two middles. Look at the cut and at neighbours too before you say "one space".
# - Principal axes show where the variance is, not where the meaning is.
# - In this shop texts never name a colour. In a real shop texts and pictures overlap more, and the duel is
#   less clear.
#
# ## In three lines
#
# - A sentence is a slot, a picture's keywords are a slot, and one BERT reads them all.
# - Texts and pictures know different things; each finds other neighbours.
# - Keywords narrow the modality gap; they do not close it.
#
# **Next:** 04 mixes the two views along a sequence.
