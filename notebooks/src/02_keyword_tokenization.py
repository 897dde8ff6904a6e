# ---
# jupyter:
#   msm4sr:
#     title: Keyword tokenization
#     minutes: 25
# ---

# %% [markdown]
# # 02 · Keyword tokenization
#
# **Question: can a picture be written down in words, so that a model which only reads can see it?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebook 00; cosine similarity | turn a picture into its best N words, choose N, dictionary and prompt with a reason, and say what got lost | 25 minutes of reading, about 25 seconds of computing |

# %%
from course import setup

session = setup("02")

# %% [markdown]
# ## A picture and sixty words
#
# CLIP is a pair of encoders, one for pictures and one for texts, trained so that a picture and a text
# that belong together get vectors that point the same way. That makes it a judge: how well does this
# word fit this picture? Ask it about every word of a *dictionary* and keep the best N: these are the
# picture's **keywords**.
#
# The sample brings a small CLIP, trained on drawings like those of the shop. A large one is loaded by
# the same line, with its name in place of the folder.

# %%
from course import show_images
from msm4sr_lite import Dataset, KeywordTokenizer
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.images import open_image

folder = session.samples / "corner_shop"
clip = str(session.samples / "mini_clip")
dataset = Dataset.from_folder(folder, domain="home")
labels = read_dictionary(f"{clip}/words.txt", [])
tokenizer = KeywordTokenizer(clip, labels)
print(len(labels), "words:", ", ".join(labels[::6]), "...")

# %%
names = ["h0001", "h0004", "h0029", "h0087", "h0117", "h0131"]
shown = [dataset.items[name] for name in names]
opened = [open_image(folder, item.images[0]) for item in shown]
show_images(opened, names, caption="Six items of the dataset")

# %% [markdown]
# **Predict.** Write down the five words of the dictionary that you would give to `h0001` (colours, a
# pattern, a shape and a kind of product are among the sixty). Which of your five is CLIP least likely to
# find?

# %% tags=["nbval-check-output"]
for name, best in zip(names, tokenizer.keywords(opened, n=5), strict=True):
    print(name, ", ".join(word.word for word in best))

# %% [markdown]
# ## How it is done
#
# For `h0001` it found all there is to say: the kind, two colours, the pattern, the shape. With $v$ the unit
# vector of the picture and $w_i$ that of word $i$, put into a sentence such as "a photo of a mug" (the
# *prompt*),
#
# $$s_i = \cos(v, w_i) = v^\top w_i \qquad \text{keywords} = \text{the } N \text{ words with the largest } s_i$$
#
# That is *keyword tokenization*. There is no training and no threshold in it, only a sort. In the library:

# %%
from course import source
from msm4sr_lite.features.keyword_tokenizer import top_keywords

source(top_keywords)

# %% [markdown]
# ## How many words
#
# The released code of the paper takes $N = 15$. The generator of our shop knows what it has drawn, so we
# can count: of the N words, how many are true (*precision*), and how many of the true ones are among
# them (*recall*)?
#
# **Predict** both for $N = 5$ and $N = 15$. A drawing has four true words (kind, shape, pattern, colour), or
# five if it has a second colour. (In the figure, the dotted line stands at 15.)

# %%
from course import progress_bar
from data_samples.make.write import load_world

made = {item.item_id: item.look for item in load_world(folder).items}


def truth(name):
    look = made[name]
    words = {look.product, look.colour, look.pattern, look.shape}
    return words | ({look.accent} if look.pattern != "plain" else set())


pictured = [item for item in dataset.items.values() if item.images][:200]
batches = [pictured[start : start + 40] for start in range(0, 200, 40)]
found = []
for batch in progress_bar(batches, "200 images"):
    photos = [open_image(folder, item.images[0]) for item in batch]
    found += tokenizer.keywords(photos, n=15)

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import show

counts = range(1, 16)
hits = np.array(
    [
        [len({k.word for k in best[:n]} & truth(item.item_id)) for n in counts]
        for item, best in zip(pictured, found, strict=True)
    ]
)
true = np.array([len(truth(item.item_id)) for item in pictured])
precision, recall = (hits / counts).mean(axis=0), (hits / true[:, None]).mean(axis=0)

figure, axes = plt.subplots(figsize=(6.5, 3.4))
axes.plot(counts, precision, marker="o", label="precision")
axes.plot(counts, recall, marker="s", label="recall")
axes.axvline(15, color="#777777", linewidth=1, linestyle=":")
axes.set(
    title="After the fifth word there is nothing to win",
    xlabel="N, words per image",
    ylabel="share of words",
)
axes.legend(loc="center", bbox_to_anchor=(0.78, 0.6))
show(
    figure,
    f"Precision stays near 1 up to N = 4, is {precision[4]:.2f} at 5 and falls to"
    f" {precision[14]:.2f} at 15. Recall climbs to {recall[4]:.2f} at 5 and stays.",
)

# %% [markdown]
# For drawings with five true words, $N = 15$ means ten wrong ones. Photographs of real products have more
# that is worth saying, and a dictionary of thousands has more ways to say it; there 15 is not too many.
# *N is a setting to be chosen with the pictures in view.* The sample's own features use 5.
#
# ## Move everything
#
# Four dictionaries, three prompts, six pictures. Try to find:
#
# - a setting in which the colours disappear (and look what takes their place, with which score);
# - a dictionary that gives two names for one thing;
# - whether the prompt matters (`{}` is the bare word), and whether CLIP understands "not".

# %%
from course import (
    PALETTE,
    choice,
    panel,
    slider,
)

colours = {look.colour for look in made.values()}
dictionaries = {
    "labels": labels,
    "labels without colours": [word for word in labels if word not in colours],
    "visual words": read_dictionary("visual", []),
    "the shop's own words": read_dictionary("texts", dataset.items.values()),
}
prompts = ["a photo of a {}", "{}", "not a {}"]
readers = {
    (name, prompt): KeywordTokenizer(clip, words, prompt).word_embeddings
    for name, words in progress_bar(dictionaries.items(), "dictionaries")
    for prompt in prompts
}
looked = tokenizer.image_embeddings(opened)


def explore(item, n, dictionary, prompt):
    row, words = names.index(item), readers[dictionary, prompt]
    best = top_keywords(looked[row : row + 1], words, dictionaries[dictionary], n)[0]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7, 0.9 + 0.26 * n), width_ratios=[1, 2]
    )
    left.imshow(opened[row])
    left.axis("off")
    right.barh(
        [k.word for k in best][::-1], [k.score for k in best][::-1], color=PALETTE[0]
    )
    right.axvline(0, color="black", linewidth=0.8)
    right.set(
        title=f"Fits best: {best[0].word}",
        xlabel="cosine of image and word",
        xlim=(-0.2, 0.4),
    )
    return figure, f"{item}: " + ", ".join(f"{k.word} {k.score:.2f}" for k in best)


panel(
    explore,
    choice("item", names, label="item"),
    slider("n", [3, 5, 8, 10, 15], start=5, label="N"),
    choice("dictionary", list(dictionaries), label="dictionary"),
    choice("prompt", prompts, label="prompt"),
    title="keyword explorer",
    static=[
        {"n": 5},
        {"n": 5, "dictionary": "labels without colours"},
        {"n": 8, "dictionary": "visual words"},
        {"n": 5, "prompt": "not a {}"},
    ],
)

# %% [markdown]
# What there is to see:
#
# - **The dictionary decides what can be seen.** Without colour words the picture has no colour. The places
#   are filled all the same, by words with a third of the score. The shop's own words are no help here,
#   since no text in this shop ever names a colour. That is why the library's default joins both, a list of
#   visual words and the shop's own (`visual+texts`).
# - **Two names for one thing** (mug and cup, striped and stripes) each take a place. The setting `diversity`
#   prefers words that are unlike those already chosen.
# - **"Not" is not understood.** All scores fall, since nobody captions a picture like that; but "not a mug" is
#   still nearest to the mug. CLIP compares what is *mentioned*. The bare word does as well as the sentence.
#
# Low scores could be cut off with `threshold`. Here is what the two settings do to one picture:

# %%
visual = dictionaries["visual words"]
for options in ({}, {"diversity": 0.6}, {"threshold": 0.3}):
    reader = KeywordTokenizer(clip, visual, **options)
    words = [k.word for k in reader.keywords(opened[:1], n=8)[0]]
    print(f"{options or 'as it is'!s:<20}", ", ".join(words))

# %% [markdown]
# Both have a price: `diversity` lost *round* to the similar *curved* and filled up with colours that are not
# there; `threshold` needs a number that suits this CLIP and this prompt.
#
# ## See it fail
#
# CLIP has no word for "I do not know". Here is a gallery of pictures that it was not made for: the mug of
# `h0001` changed in five ways, an empty page, and a photograph, of which this small CLIP has never seen one.
# **Predict** for each: which words survive?

# %%
from PIL import Image, ImageFilter, ImageOps
from sklearn.datasets import load_sample_image

mug = opened[0]
changed = {
    "as it is": mug,
    "upside down": mug.rotate(180),
    "no colour": ImageOps.grayscale(mug).convert("RGB"),
    "blurred": mug.filter(ImageFilter.GaussianBlur(4)),
    "far away": ImageOps.expand(mug.resize((32, 32)), 32, "white"),
    "a detail": mug.crop((30, 30, 66, 66)),
    "empty page": Image.new("RGB", (96, 96), "white"),
    "photograph": Image.fromarray(load_sample_image("flower.jpg")).resize((160, 107)),
}
answers = tokenizer.keywords(list(changed.values()), n=5)
show_images(
    list(changed.values()),
    list(changed),
    [[k.word for k in best] for best in answers],
    columns=4,
    caption="Eight images, five words each. Photo: vultilion (Flickr), CC BY 2.0",
)

# %% tags=["nbval-check-output"]
for name, best in zip(changed, answers, strict=True):
    sure = sum(k.score > 0.25 for k in best)
    print(f"{name:<12} words with a cosine above 0.25: {'#' * sure}")

# %% [markdown]
# The empty page gets three words with good scores. A cosine says which word fits *best*, not whether any
# fits. So a threshold catches filler words, but not a picture that the model has never learnt to read.
# Before you trust keywords for a shop of your own, look at fifty of them.
#
# ## What did the picture lose?
#
# Here are two chairs of the shop, `h0029` and `h0117`. **Predict** in which of their keywords they differ.

# %%
chairs = {name: opened[names.index(name)] for name in ("h0029", "h0117")}
sets = [{k.word for k in best} for best in tokenizer.keywords(list(chairs.values()), 5)]
show_images(
    list(chairs.values()), list(chairs), [sorted(words) for words in sets], columns=2
)
print("the same words:", sets[0] == sets[1])

# %% [markdown]
# One is red with grey flowers, the other grey with red flowers. Five words in a row cannot say which colour is
# where, how many flowers there are, or how elegantly the back is curved. Whatever the words do not say is
# lost for everything that follows: this is the price for reading pictures and texts with one encoder. How
# often does it happen?

# %%
from collections import Counter

sets = Counter(frozenset(k.word for k in best[:5]) for best in found)
same = sum(count for count in sets.values() if count > 1)
print(f"{len(sets)} different sets of words for {len(found)} images;")
print(f"{same} images share theirs with another")

# %% [markdown]
# ## Several pictures, several sentences
#
# Many items have two or three pictures. Each is tokenized by itself and becomes a pseudo-sentence of its
# own, which BERT will read (notebook 03).

# %%
from msm4sr_lite.features.table_files import read_keywords

for words in read_keywords(folder / "features")["h0131"]:
    print(repr(" ".join(words)))

# %% [markdown]
# ## Exercises
#
# `hint("02.cosine_scores")` helps; a solution is folded below each task.

# %%
import numpy as np
import torch  # noqa: F401
import torch.nn.functional as F  # noqa: F401
from course import check
from torch import Tensor  # noqa: F401

# %% [markdown]
# **1.** The cosine of every embedding with every other.

# %% tags=["exercise"]
check("02.cosine_scores", ...)

# %% [markdown]
# **2.** A prompt for each word of the dictionary.

# %% tags=["exercise"]
check("02.prompts", ...)

# %% [markdown]
# **3.** Keyword tokenization: the words nearest to an image.

# %% tags=["exercise"]
check("02.top_keywords", ...)

# %% [markdown]
# **4.** The keywords of an image as one sentence.

# %% tags=["exercise"]
check("02.keyword_sentences", ...)

# %% [markdown]
# **5.** Several prompts together: "a photo of a mug", "a drawing of a mug", "mug".

# %% tags=["exercise"]
check("02.ensemble", ...)

# %% [markdown]
# **6.** How good are the words?

# %% tags=["exercise"]
check("02.precision_recall", ...)

# %% [markdown]
# **7. To find out** (no check). Take the word of the *product* out of `labels` (all "mug"s, "chair"s,
# ...), make keywords for ten pictures, and read only the words. Could a friend still pick out the right
# picture of the ten? What does that say about which words a recommender needs?

# %% [markdown] tags=["solution"]
# Mostly yes: colours, pattern and shape together are nearly as good as a name, since few items share all of
# them. A recommender does not need to know *what* a thing is called. It needs words that come back when
# customers come back.

# %% [markdown]
# ## What could mislead you here
#
# - This CLIP was trained on drawings from the same pen, and the dictionary of labels was made for it. On
#   photographs, with thousands of words, expect worse; notebook 10 tries it on data of your own.
# - Scores of different CLIPs, prompts or dictionaries cannot be compared. They rank words for one picture.
# - That words are *true* does not make them *useful*. Whether they help to recommend is measured in
#   notebook 07.
#
# ## In three lines
#
# - A picture's keywords are the N dictionary words whose vectors lie nearest to the picture's.
# - The dictionary decides what can be seen; a larger N pays for recall with precision; the prompt matters
#   least, as long as it does not say "not".
# - What the words do not say is lost, and a CLIP that does not know will not tell.
#
# **Next:** 03 lets BERT read these words, beside the texts.
