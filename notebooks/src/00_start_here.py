# ---
# jupyter:
#   msm4sr:
#     title: Start here
#     minutes: 17
# ---

# %% [markdown]
# # 00 · Start here
#
# **Question: what can a shop offer next, when it knows what its products look like and what is
# written about them?**
#
# The course explains and rebuilds one method, MSM4SR: *Multimodal Pre-training Framework for
# Sequential Recommendation via Contrastive Learning*
# ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)).
#
# | you need | you will be able to | time |
# |---|---|---|
# | Python; a little PyTorch from notebook 03 on | get a recommendation from a trained model, name the parts of the method, and use the course's predictions, checks and files | 17 minutes of reading, under 30 seconds of computing |
#
# Run the cells from top to bottom with Shift+Enter.

# %%
from course import setup

session = setup("00")

# %% [markdown]
# ## Play first
#
# Before you read, play. M²SE is the model that you build in this course. *Follow one user through M²SE* is a page in which a trained one runs:
# you change a history, its keywords, its texts and images, and see what the model makes of it. The page's tour shows the way. What you do not
# understand yet, the course explains. (The [site](../docs/index.md) opens with the same page.)

# %%
from course import live_page

live_page()

# %% [markdown]
# ## A first recommendation
#
# We start with the result: a trained model, one customer, five offers. The *corner shop* is a small
# sample shop with two *domains*, home and outdoor; this course mostly uses home. Its pictures are drawn and its customers are simulated, so we know how they decide.
# Here are five purchases of one customer, oldest first. There was a sixth, which we hide.

# %%
from course import check, pick, predict, reveal, show_images
from msm4sr_lite import Dataset

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
history = dataset.user_history("uh0040")
known, target = history[:-1], history[-1]


def pictures(item_ids, caption, words=()):
    items = [dataset.items[i] for i in item_ids]
    images = [folder / i.images[0] if i.images else None for i in items]
    show_images(images, [i.title for i in items], words, caption=caption)


pictures(known, "Five purchases of user uh0040, oldest first")

# %% [markdown]
# One of the next four items was the sixth purchase. Look at the colours and patterns, and at the titles.

# %%
four = ["h0053", "h0018", "h0331", "h0002"]
pictures(four, "Which one was bought next?")
titles = [dataset.items[i].title for i in four]
predict("00.next", "Which of the four was bought next?", pick(*titles))

# %% [markdown]
# The model has learnt from the earlier purchases of all customers. It has not seen the hidden purchase. It
# ranks all items that this customer does not have, not just these four.

# %%
from msm4sr_lite import MSM4SR

state = folder / "states" / "home_finetuned"
model = MSM4SR.from_pretrained(state, features=folder / "features")
offers = model.describe(known, k=5, data=dataset)
offered = [offer.item_id for offer in offers]
pictures(offered, "The model's five recommendations, best first")
if target in offered:
    print("The hidden purchase is offer number", offered.index(target) + 1)
reveal("00.next", dataset.items[target].title)

# %% [markdown]
# Five items out of almost 400, and the right one is among them. Luck plays a part: most
# recommendations are not bought next, and notebook 01 shows how to measure this. But the offers are not
# arbitrary. Many are grey or checked, like the purchases. And several are for cold or rainy weather, like the *all-weather*
# pan, which this customer bought after a *travel* cushion. The simulated customers keep their taste in colour, pattern and shape, and their needs
# tend to follow one another in a fixed order. Nobody told the model; it has learnt both from purchases.
#
# ## The method on one page
#
# How does it do that? This drawing is the map of the course.

# %%
from course import drawing

drawing("method")

# %% [markdown]
# 1. **Words.** A *sentence encoder* (a BERT) reads each sentence of an item's text. It returns an *embedding*: a list of numbers. Sentences with
#    similar meanings get similar embeddings (notebook 03). For an image, CLIP, a model that compares images with words, finds the $N$ words of a
#    dictionary that fit best. This is *keyword tokenization* (02). The same BERT reads these keywords, so both *modalities*, text and image, are language now.
# 2. **Item embeddings.** *Attention pooling* and a *mixture of experts* turn all embeddings of an item into one for each modality:
#    $z_t$ for its text, $z_v$ for its images (03).
# 3. **Sequence.** A Transformer reads a user's items in order. Its output is the *sequence representation*: $h_t$ from the texts, $h_v$ from
#    the images (05). In pre-training, *sequence mixup* exchanges $z_t$ and $z_v$ at random positions (04).
# 4. **Score.** Every item of the catalogue is compared with $h_t$ and $h_v$. The best are recommended.
#
# The model is trained in two stages. In *pre-training*, a *contrastive loss* pulls $h$ towards the embedding of the next item, and pushes it away from
# others (06). *Fine-tuning* adapts the model to one domain, and adds an embedding for every item number (07).
#
# The score of item $i$ for user $u$ is the sum of two cosines. A cosine is 1 if two embeddings have the same direction, and 0 if these are at right angles:
#
# $$\mathrm{score}(u, i) = \cos(h_t, z_t^i) + \cos(h_v, z_v^i)$$
#
# In the library this is one line. (`Float[Tensor, "rows items"]` is a type with a shape: here one row for each user, one column for each item.) All symbols and terms are in the [glossary](../docs/glossary.md).

# %%
from course import source
from msm4sr_lite.encoder import match_scores

source(match_scores)

# %% [markdown]
# ## From image to keywords
#
# The keywords of step 1 are unusual, so let us see it at work. Most methods use an image's own embedding; this one uses words. The sample has its own small CLIP,
# trained on drawings like these.

# %%
predict(
    "00.keywords",
    "Which of these is NOT among the best five words for the first cushion?",
    pick("grey", "round", "checked", "soft"),
)

# %%
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer

clip = session.samples / "mini_clip"
dictionary = read_dictionary(str(clip / "words.txt"), [])
tokenizer = KeywordTokenizer(str(clip), dictionary)
shown = {i: open_image(folder, dataset.items[i].images[0]) for i in known}
found = tokenizer.keywords(list(shown.values()), n=5)
words = [[keyword.word for keyword in keywords] for keywords in found]
pictures(shown, f"The best 5 of {len(dictionary)} words for each image", words)
(missing,) = {"grey", "round", "checked", "soft"} - set(words[0])
reveal("00.keywords", missing)

# %% [markdown]
# *Soft* is not in the dictionary. CLIP can only choose from the words that it is given. The shop's texts never mention a colour or a
# pattern, so images really add information here. How many of the words are true? Choose an item, move N, and watch where the
# wrong ones begin.

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import PALETTE, item_pictures, panel, picture_choice, slider

ranked = dict(zip(shown, tokenizer.keywords(list(shown.values()), n=15), strict=True))


def draw(item, n):
    best, title = ranked[item][:n], dataset.items[item].title
    figure, axes = plt.subplots(figsize=(6, 4.6))
    names = [k.word for k in best]
    axes.barh(names[::-1], [k.score for k in best][::-1], color=PALETTE[0])
    axes.set(title=title, xlabel="cosine of image and word", xlim=(-0.1, 0.5))
    axes.set_ylim(n - 15.5, n - 0.5)
    return figure, f"{title}, the best {n}: " + ", ".join(names)


panel(
    draw,
    picture_choice("item", item_pictures(dataset, known), label="item"),
    slider("n", range(1, 16), start=5, label="N", live=True),
    title="Keywords of an image",
    static=[{"n": 5}, {"n": 15}],
)

# %% [markdown]
# ## Watch it learn
#
# The model above was trained before. Now we train a fresh one for twelve steps. In each step it sees a batch of sequences with $B$ next items
# in all. For each position it has to pick the right one among these $B$ *candidates*, once by text
# and once by image. The loss is high when the right one gets a low probability.
#
# Imagine a model that gives all candidates the same probability. Its loss is about
#
# $$2 \log B + \lambda \log(2B - 1)$$
#
# The first term belongs to *next-item prediction* (NIP) in two modalities. The second one belongs to *cross-modality contrastive learning* (CMCL), which compares $h_t$ with $h_v$ and has a small weight $\lambda$. Notebook 06 derives both.
# The next figure shows this value as a grey line, *guessing*.

# %%
predict(
    "00.start",
    "Where does the loss of an untrained model begin?",
    pick("far below guessing", "at guessing", "far above guessing"),
)

# %%
from itertools import islice

import numpy as np
from msm4sr_lite import M2SE, build_sequences
from msm4sr_lite.config import ModelConfig, PretrainConfig
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.training import pretrain_steps

sequences = build_sequences(dataset.interactions, list(dataset.items))
table = load_feature_table(folder / "features").for_items(sequences.items)
config = PretrainConfig(batch_size=512)
fresh = M2SE(ModelConfig(feature_dim=table.width))
steps = list(islice(pretrain_steps(fresh, table, sequences, config), 12))
losses = [step.loss for step in steps]
B = np.array([step.targets for step in steps])
guessing = 2 * np.log(B) + config.cmcl_weight * np.log(2 * B - 1)

# %% tags=["plot"]
from course import show

figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.plot(range(1, 13), losses, marker="o", label="model")
axes.plot(range(1, 13), guessing, color="#555555", linestyle="--", label="guessing")
axes.set(title="Loss in the first twelve steps", xlabel="step", ylabel="loss")
axes.legend()
words = f"Loss: {losses[0]:.0f} at first, {losses[-1]:.0f} after twelve steps"
show(figure, f"{words}; guessing: {guessing.mean():.0f}.")
place = "above" if losses[0] > 1.2 * guessing[0] else "near"
reveal("00.start", {"above": "far above guessing", "near": "at guessing"}[place])

# %% [markdown]
# An untrained model is worse than guessing: its random embeddings give very different probabilities, and they are wrong. In the first steps it only
# learns not to be sure. What it needs for good offers comes later, over hundreds of steps. In notebook 06 you train
# your own model and watch all of it.
#
# ## How this course works
#
# You will not only read. Over notebooks 01 to 07 you write a working model of your own, piece by piece. Five things help you.
#
# - **Your copies.** `python run.py lab` opens copies of the notebooks in `notebooks/work/`. Change what you like; the originals
#   keep their outputs.
# - **Predictions.** You have made three. Each is stored before the result is shown, and scored afterwards. Wrong ones cost nothing.
# - **Exercises.** You replace `...` by a few lines, and a check says what is right or wrong. `hint("00.most_popular")` helps. If you skip an exercise, the course goes on with
#   its own solution.
# - **`my_m2se.py`.** This file in `notebooks/work/` keeps every part of the model that you have solved. `load_parts()` puts the parts together, yours
#   and, where one is missing, the course's. In the end the file runs without the course.
# - **The scoreboard.** It compares what you build with simple *baselines* and with models that were trained longer.
#
# Try it with the simplest recommender of all: it offers everybody what is bought most.

# %% tags=["exercise"]
check("00.most_popular", ...)

# %% [markdown]
# In notebook 01 this becomes the first entry of the scoreboard. So far the scoreboard knows the *oracle upper bound* only. The oracle knows the rules by which
# our simulated customers decide, so no model can expect to do better. The measure is NDCG@10: 1 if the next purchase always comes first in the list, 0 if it is never among
# the first ten (01). The oracle is far below 1, because customers decide partly by chance.

# %%
from course import scoreboard

scoreboard()

# %% [markdown]
# Last, your machine. The *time factor* compares it with the one on which the times of this course were measured; 2 means twice as slow. You do not need a GPU.

# %% tags=["nbval-ignore-output"]
# Not compared: it describes this machine.
from course import machine_report

machine_report()

# %% [markdown]
# ## What can mislead
#
# - **One good example proves nothing.** We chose a customer whose hidden item is among the offers.
# - **The shop is simulated**, and the small CLIP was trained on drawings in the same style. Real photographs are harder (notebook 02).
# - **The two terms of a score** say how much text and image each contribute, not why a customer buys.

# %%
from course import quiz

quiz("00")

# %% [markdown]
# ## Take-aways
#
# Sentences and keywords become embeddings, and a Transformer turns a sequence of them into the direction of the next item. The score is a
# sum of two cosines, one for text and one for image. The pre-trained model reads content, not item numbers, so it can also
# score an item that nobody has bought yet.
#
# **Next:** [01](01_sequences.ipynb) asks how we would know that a recommender is any good.
