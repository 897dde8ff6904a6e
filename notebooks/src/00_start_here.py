# ---
# jupyter:
#   msm4sr:
#     title: Start here
#     minutes: 15
# ---

# %% [markdown]
# # 00 · Start here
#
# **Question: what can a shop offer next, when it knows what its products look like and what is
# written about them?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | Python; PyTorch helps, recommenders need not be known | check your machine, name the parts of the method, get a recommendation from a trained model and say what it rests on | 15 minutes of reading, under 30 seconds of computing |
#
# Run the cells from top to bottom with Shift+Enter.

# %%
from course import setup

session = setup("00")

# %% [markdown]
# ## Is this machine ready?
#
# The next cell lists what this course uses. The *time factor* says how your machine compares with
# the one on which all times in this course were measured: 2 means everything takes twice as long.
# A GPU is not needed.

# %% tags=["nbval-ignore-output"]
# Not compared: it describes this machine.
from course import machine_report

machine_report()

# %% [markdown]
# ## The shop
#
# *Corner shop* is a small made-up shop with two domains, *home* and *outdoor*. Its pictures are drawn and its customers
# are simulated, so that we know something no real shop knows: how well the best possible recommender
# could do. Here we stay in the domain *home*.

# %%
from msm4sr_lite import Dataset
from msm4sr_lite.features.table_files import load_feature_table

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
print(f"{len(dataset.items)} items, {len(dataset.users)} users,")
print(f"{len(dataset.interactions)} interactions")

# %% [markdown]
# These are the purchases of one customer, oldest first. The last one is kept back for now.

# %%
from course import show_images

USER = "uh0040"
history = dataset.user_history(USER)
known, target = history[:-1], history[-1]
bought = [dataset.items[i] for i in known]
show_images(
    [folder / item.images[0] if item.images else None for item in bought],
    [item.title for item in bought],
    caption=f"The items of user {USER}, oldest first",
)

# %% [markdown]
# **Predict.** What would you offer this customer next? Decide on two things before you go on: what
# should it *look* like, and what should it be *for*? Write it down; a guess you have written down is
# worth ten that you have only thought.
#
# ## The method on one page

# %%
from course import show
from course.diagrams import method_diagram

show(*method_diagram())

# %% [markdown]
# Read it from left to right. (The method is that of a paper, named in `docs/glossary.md`, which explains
# the words and symbols of this course, too. *The released code* will always be that of its authors.)
#
# 1. **Text** is cut into sentences, and a language model (BERT) turns each sentence into a vector.
# 2. A **picture** is turned into words: a model that knows pictures *and* words (CLIP) finds the words
#    of a dictionary that fit the picture best. The same BERT reads these keywords. From here on
#    pictures and texts speak one language.
# 3. An item's vectors, its *slots*, are weighed and added (*attention pooling*), and eight small networks
#    (*experts*) bring the sum from the width of BERT to the width of the model: $z_t$ from text, $z_v$
#    from pictures.
# 4. **Mixup**, only while learning: along a customer's sequence some places exchange $z_t$ and $z_v$,
#    so that the model learns to use either.
# 5. A **Transformer** reads the sequence. Its state after the last item, $h_t$ or $h_v$, points to where
#    the next item should be. The cosines with an item's own vectors (1: the same direction, 0: nothing in
#    common), added up, are the score of item $i$ for customer $u$:
#
# $$\mathrm{score}(u, i) = \cos(h_t, z_t^i) + \cos(h_v, z_v^i)$$
#
# In the library that is:

# %%
from course import source
from msm4sr_lite.encoder import match_scores

source(match_scores)

# %% [markdown]
# ## A picture becomes words
#
# The sample brings its own small CLIP. It was trained on drawings like these and knows little else,
# but the code that loads it is the code that loads a large one. The next cell shows the best five words
# of a dictionary of about sixty. **Predict** before you look, for the cushion above: which five? And
# which word that you would use for it will *not* be among them?

# %%
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

clip = session.samples / "mini_clip"
dictionary = read_dictionary(str(clip / "words.txt"), [])
tokenizer = KeywordTokenizer(str(clip), dictionary)
shown = [item for item in bought if item.images][:5]
found = tokenizer.keywords([open_image(folder, i.images[0]) for i in shown], n=5)
show_images(
    [folder / item.images[0] for item in shown],
    [item.title for item in shown],
    [[keyword.word for keyword in words] for words in found],
    caption=f"The best 5 of {len(dictionary)} words for each image",
)

# %% [markdown]
# Compare with the titles: nowhere does the shop *write* which colour or pattern a product has. This is
# what pictures add. Move N in the panel: how many words does it take until one is wrong?

# %%
import matplotlib.pyplot as plt
from course import (
    PALETTE,
    choice,
    panel,
    slider,
)

scores = {
    item.title: tokenizer.keywords([open_image(folder, item.images[0])], n=15)[0]
    for item in shown
}


def draw(item, n):
    best = scores[item][:n]
    figure, axes = plt.subplots(figsize=(6, 0.6 + 0.26 * n))
    axes.barh(
        [k.word for k in best][::-1], [k.score for k in best][::-1], color=PALETTE[0]
    )
    axes.set(title=item, xlabel="cosine of image and word", xlim=(-0.1, 0.5))
    return figure, f"{item}: " + ", ".join(k.word for k in best)


panel(
    draw,
    choice("item", list(scores), label="item"),
    slider("n", [3, 5, 8, 10, 15], start=5, label="N"),
    title="keywords of a image",
    static=[{"n": 5}, {"n": 15}],
)

# %% [markdown]
# ## A recommendation
#
# This model was trained before, by `msm4sr run`, on this domain. It has learnt from all but
# the last two purchases of each customer (01 says what these two are kept for). What would it offer
# after the five above?

# %%
from msm4sr_lite import MSM4SR

model = MSM4SR.from_pretrained(
    folder / "states" / "home_finetuned", features=folder / "features"
)
recommendations = model.describe(known, k=5, data=dataset)
show_images(
    [
        folder / i[0] if (i := dataset.items[r.item_id].images) else None
        for r in recommendations
    ],
    [dataset.items[r.item_id].title for r in recommendations],
    [r.keywords[0][:4] if r.keywords else [] for r in recommendations],
    caption="The model's five recommendations, best first",
)
print("The true next item:", dataset.items[target].title)

# %% [markdown]
# Was your prediction among them? Compare the offers with the five purchases: which looks come back? And
# what are the texts about? Each term of the score can be read by itself (rounded), and with it the last
# sentence of the offer's text:

# %%
for entry in recommendations:
    terms = ", ".join(
        f"{modality} {value:.1f}" for modality, value in entry.by_modality.items()
    )
    print(f"{entry.item_id}  score {entry.score:.1f} = {terms}")
    print("   ", entry.sentences[-1])

# %% [markdown] tags=["solution"]
# Grey comes back, and so do checks. Three of the five are for cold and rain, as the second purchase
# was: it, too, came right after something for travelling. (The basket is for "people who are often on
# the road", says its text.) Customers of this shop go through their needs in a certain order, and the
# model has noticed.

# %% [markdown]
# ## Watch it learn
#
# Now a fresh model. Each step of *pre-training* draws customers, mixes text and pictures, and asks the
# model to pick the right next item out of all next items of the batch, once by text and once by
# picture. The loss counts how surprised it is by the right answer. Somebody who knows nothing and
# says so, giving each of the $B$ next items the same chance, would have a loss of $2 \log B$ (the
# logarithm is the natural one; its unit is the *nat*).
# **Predict**: where does an untrained model begin, above that line or on it?

# %%
from itertools import islice

import numpy as np
from msm4sr_lite import (
    M2SE,
    build_sequences,
)
from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.training import pretrain_steps

table = load_feature_table(folder / "features")
sequences = build_sequences(dataset.interactions, list(dataset.items))
table = table.for_items(sequences.items)
model = M2SE(ModelConfig(feature_dim=table.width))
steps = pretrain_steps(model, table, sequences, PretrainConfig(batch_size=512))
records = list(islice(steps, 12))
losses = [record.loss for record in records]
guess = np.mean([2 * np.log(record.targets) for record in records])

figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.plot(range(1, len(losses) + 1), losses, marker="o", label="model")
axes.axhline(guess, color="#555555", linestyle="--", label="guessing")
axes.set(title="First it learns to doubt", xlabel="step", ylabel="loss (nats)")
axes.legend()
show(
    figure,
    f"Loss in 12 steps: {losses[0]:.0f} to {losses[-1]:.1f}; guessing {guess:.1f}.",
)

# %% [markdown]
# It begins far above the line: an untrained model is sure of itself and wrong. In a few steps it learns
# to doubt, which is not yet to know. Knowing takes longer. The model that made the offers above has
# gone on from a start like this. Its batches were larger, so guessing costs more there; this is what its
# record says:

# %%
import json

record = json.loads((folder / "states/home_pretrained/record.json").read_text())
best = record["training"]["best"]
print(f"pre-trained: {best['step']} steps, loss {best['loss']:.1f},")
print(f"guessing in its batches: {2 * np.log(1031):.1f}")

# %% [markdown]
# ## A map of the shop
#
# UMAP lays the items' vectors out on a plane, so that near neighbours stay near. Drawing it takes a
# while, so this map was made before and is part of the sample; notebook 09 draws its own and explains
# what such a map does *not* say.

# %%
import seaborn as sns
from course import MARKERS
from data_samples.make.write import load_world

places = json.loads((folder / "maps" / "home.json").read_text())
made = {item.item_id: item for item in load_world(folder).items}
purpose = [made[i].purpose for i in places["items"]]
names = sorted(set(purpose))
figure, axes = plt.subplots(figsize=(7.5, 4.4))
sns.scatterplot(
    x=places["x"],
    y=places["y"],
    hue=purpose,
    style=purpose,
    hue_order=names,
    style_order=names,
    palette=list(PALETTE),
    markers=list(MARKERS),
    s=40,
    ax=axes,
)
axes.set(title="Things for the same purpose lie together", xticks=[], yticks=[])
sns.move_legend(axes, "center left", bbox_to_anchor=(1, 0.5), title="purpose")
show(
    figure,
    f"{len(purpose)} items on a plane, marked by {len(names)} purposes, in groups.",
)

# %% [markdown]
# The colours come from the generator of the shop, which knows what it made each item for (*rest* is for
# resting, not for what is left over). No field of the shop names the purpose; it can only be read between
# the lines of the texts. The model found it, because customers buy by it.
#
# Neighbourhoods on such a map can mostly be trusted, distances and sizes cannot. And what it does not
# show may be there all the same: looks matter to these customers too.
#
# ## Exercises
#
# Two small pieces from which every recommender here is built. Replace the dots; the check tells you what
# is wrong. `hint("00.most_popular")` helps; the solution is folded below.

# %%
import numpy as np
from course import check

# %% tags=["exercise"]
check("00.most_popular", ...)

# %% tags=["exercise"]
check("00.cosine", ...)

# %% [markdown]
# ## What could mislead you here
#
# - The shop is simulated, and the small CLIP was trained on drawings from the same pen. Real pictures
#   are harder; notebook 02 shows how it fails on them.
# - Five good-looking offers prove nothing. Whether a model is good is a question for all customers and
#   for a comparison: notebook 07.
# - The score's two terms explain what the model *used*, not what the customer *wanted*.
#
# ## In three lines
#
# - Pictures become words, words become vectors, a sequence of vectors points to the next item.
# - What has been learnt is about words and looks, not about product numbers: it holds for new products.
# - A trained model, its features and this shop fit into one small folder.
#
# **Next:** the notebooks are numbered; each one runs alone.
