# ---
# jupyter:
#   msm4sr:
#     title: Text and image features
#     minutes: 33
# ---

# %% [markdown]
# # 03 · Text and image features
#
# **Question: an item has a few sentences and a few images. How do they become one embedding per modality, what do these embeddings know, and do both live in one space?**
#
# These are the item features of MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)), from the tokens up to the input of the sequence encoder.
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00 and 02; mean, cosine, softmax | pool tokens into sentences and sentences into items, write a mixture-of-experts adaptor, test what embeddings know, and measure anisotropy and the modality gap | 33 minutes of reading, about 20 seconds of computing |

# %%
from course import setup

session = setup("03")

# %% [markdown]
# ## An item is a handful of sentences
#
# *Why now?* Notebook 02 turned each image into a sentence. The text of an item is cut into sentences, too, so that the model can give one of them more weight than the others.
#
# The library takes title and brand as the first sentence, the categories as the second one, and then the sentences of the description, ten at most. Each will be one embedding, a *slot* of the item. Real descriptions are untidy:

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
for number_of, sentence in enumerate(item_sentences(untidy), start=1):
    print(number_of, sentence)

# %% [markdown]
# Another product has the title "Desk lamp", the brand "Lumo", the category "lamp" and the description "Bright &amp;amp; small. Uses 0.5 watts per hour." How many slots?

# %%
import numpy as np
import torch
import torch.nn.functional as F
from course import check, drawing, load_parts
from torch import Tensor, nn  # noqa: F401

# %% tags=["exercise"]
check("03.slots", ...)

# %% [markdown]
# ## From tokens to a sentence embedding
#
# *Why now?* A BERT returns an embedding for every *token*, a word or a piece of one. We need one for the sentence.
#
# The mean over the tokens is called *mean pooling*. Sentences of a batch differ in length, so short ones are filled up with *padding*, and an *attention mask* tells which tokens are real.
# Padding must not change the mean.

# %% tags=["exercise"]
check("03.mean_pool", ...)

# %% [markdown]
# The encoder is all-MiniLM-L6-v2, a small BERT that was trained to give sentences of similar meaning similar embeddings, as in Sentence-BERT (Reimers & Gurevych 2019, [arXiv 1908.10084](https://arxiv.org/abs/1908.10084)).
# Its weights are not part of this repository. Where they are on the machine, the next cell reads the sentences of one clock with raw `transformers`. The stored embeddings of the sample, which we use everywhere else,
# were made in the same way.

# %%
from course import find_encoder
from msm4sr_lite import Dataset
from msm4sr_lite.features.table_files import load_feature_table, read_keywords

mine = load_parts()  # yours where it was accepted, else the course's
folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
catalogue = ["", *dataset.items]  # 0 is padding
table = load_feature_table(folder / "features").for_items(catalogue)
clock = catalogue.index("h0131")
sentences = item_sentences(dataset.items["h0131"])
stored = table.text.gather(torch.tensor([clock]))[0][0, : len(sentences)]
print(f"{len(sentences)} sentences, stored embeddings of shape {tuple(stored.shape)}")

# %% tags=["nbval-ignore-output"]
# Not compared: it needs the weights of the text encoder, which not every machine has.
from transformers import AutoModel, AutoTokenizer

encoder = find_encoder()
if encoder is None:
    print("No text encoder on this machine: the stored embeddings are used.")
else:
    tokenizer = AutoTokenizer.from_pretrained(encoder.folder)
    bert = AutoModel.from_pretrained(encoder.folder)
    batch = tokenizer(sentences, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = bert(**batch).last_hidden_state  # (sentences, tokens, D)
    pooled = mine.mean_pool(states, batch["attention_mask"])
    alike = F.cosine_similarity(pooled, stored)
    unmasked = F.cosine_similarity(states.mean(dim=1), stored)
    for row, sentence in enumerate(sentences):
        tokens = int(batch["attention_mask"][row].sum())
        print(f"{tokens:>2} tokens; cosine with the stored embedding {alike[row]:.2f},")
        print(f"   with padding in the mean {unmasked[row]:.2f}   {sentence}")

# %% [markdown]
# With the mask, your embeddings equal the stored ones. Without it, the shorter a sentence is, the more it is changed by padding, and thus by the other sentences of its batch. Some models put the sentence's meaning into their
# first token instead (`[CLS]` pooling). How a model was trained decides, and its folder says so.
#
# What does such an embedding know? The panel compares sentences of the shop. The first line is always the sentence itself. Does the next one have the same words, or the same meaning?

# %%
from course import choice, entry, escape, explain_missing_encoder, panel

embeddings = {}  # of every sentence of the shop
for row, item in enumerate(dataset.items.values(), start=1):
    first = int(table.text.starts[row])
    for place, sentence in enumerate(item_sentences(item)):
        embeddings[sentence] = table.text.vectors[first + place].float()
known = list(embeddings)
matrix = F.normalize(torch.stack([*embeddings.values()]), dim=1)


def find_similar(sentence, other):
    if other and encoder is None:
        return explain_missing_encoder()
    query = embeddings[sentence]
    if other:
        query = torch.from_numpy(encoder.encode([other])[0]).float()
    near = (matrix @ F.normalize(query, dim=0)).topk(6)
    rows = [(f"{c:.2f}", known[i]) for c, i in zip(*near, strict=True)]
    left = "style='text-align: left'"
    cells = "".join(
        f"<tr><td>{c}</td><td {left}>{escape(s)}</td></tr>" for c, s in rows
    )
    return f"<table>{cells}</table>", "; ".join(f"{c} {s}" for c, s in rows)


# %% tags=["plot"]
asked = [
    "It brings calm into a noisy day.",
    "Good to have for days of rain, wind and snow.",
    "It saves room and weight on the road.",
    "mug",
]
panel(
    find_similar,
    choice("sentence", asked, label="sentence"),
    entry("other", "", label="or another"),
    title="nearest sentences",
    static=[{"sentence": asked[0]}, {"sentence": asked[1]}],
)

# %% [markdown]
# Both. For the weather, sentences with the same words come first. For the calm, some share no word and still mean something similar. The encoder isn't infallible: the nearest other sentence is about a cold room.
#
# ## Attention pooling
#
# *Why now?* An item has several slots, but the model reads one embedding for each item and modality. The mean treats all slots alike. Yet a category says less than "It brings calm into a noisy day."
#
# *Attention pooling* takes a weighted mean, and learns the weights. Each slot $x_s$ gets an *energy* $\epsilon_s$ from two linear maps. A softmax over the item's real slots turns energies into weights:
#
# $$\epsilon_s = w_2^\top (W_1 x_s + b_1) + b_2 \qquad \alpha = \mathrm{softmax}(\epsilon) \qquad e = \sum_s \alpha_s\, x_s$$

# %%
drawing("attention_pooling")

# %% [markdown]
# (The weights in the drawing are an example.)

# %% tags=["exercise"]
check("03.attention_pooling", ...)

# %% [markdown]
# Here are the slots of the clock. A model was pre-trained on the shop's interactions, and your code will read its weights.

# %%
from course import pick, predict

print(*sentences, sep="\n")
predict(
    "03.slot",
    "Which slot of the clock has the largest weight after training?",
    pick("title and brand", "category", "made for winding down", "brings calm"),
)

# %%
from course import reveal, source
from msm4sr_lite import encoder as library
from msm4sr_lite import load_checkpoint

mine = load_parts()
model, _ = load_checkpoint(folder / "states" / "home_pretrained")
pool = {m: mine.AttentionPooling(table.width, 64) for m in ("text", "image")}
for modality, part in pool.items():
    part.load_state_dict(model.pool[modality].state_dict())
slots, valid = table.text.gather(torch.tensor([clock]))
with torch.no_grad():
    weights = pool["text"](slots, valid)[1][0]
options = ("title and brand", "category", "made for winding down", "brings calm")
reveal("03.slot", options[int(weights.argmax())])
source(library.AttentionPooling.pool)

# %% [markdown]
# Choose an item and look at its weights. The sentences on what an item is *for* get most of it, although nobody told the model that purposes matter. Users of this shop choose by purpose, and the loss rewards what predicts
# their next item.

# %%
from course import PALETTE, item_pictures, picture_choice
from matplotlib import pyplot as plt

keywords = read_keywords(folder / "features")


def inspect(item, modality):
    rows = torch.tensor([catalogue.index(item)])
    slots, valid = getattr(table, modality).gather(rows)
    with torch.no_grad():
        weights = pool[modality](slots, valid)[1][0, : int(valid.sum())].tolist()
    lines = item_sentences(dataset.items[item])
    if modality == "image":
        lines = [f"image {k}: {' '.join(w)}" for k, w in enumerate(keywords[item], 1)]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.34 * len(lines)))
    bars = axes.barh(lines[::-1], weights[::-1], color=PALETTE[modality == "image"])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(title=dataset.items[item].title, xlabel="weight", xlim=(0, 1.2))
    best = lines[weights.index(max(weights))]
    return figure, f"{len(lines)} slots; most weight, {max(weights):.1f}: {best}"


# %% tags=["plot"]
some = ["h0131", *dataset.user_history("uh0040"), "h0201"]
some = [i for i in dict.fromkeys(some) if dataset.items[i].has_text and keywords.get(i)]
panel(
    inspect,
    picture_choice("item", item_pictures(dataset, some), label="item"),
    choice("modality", ["text", "image"], label="modality"),
    title="attention pooling",
    static=[{"item": "h0131"}, {"item": "h0331", "modality": "image"}],
)

# %% [markdown]
# A weight is no explanation, however. The three images of the bowl have the same keywords in another order, and still one of them gets nearly all the weight. Notebook 05 compares attention weights with the effect of a removal.
#
# **Two linear maps without an activation are one.** Between $W_1$ and $w_2$ there is no activation function in the released code. So we can multiply the maps:
#
# $$\epsilon_s = (W_1^\top w_2)^\top x_s + (w_2^\top b_1 + b_2) = u^\top x_s + c$$
#
# The constant $c$ is the same for all slots, and a softmax ignores it. All that attention pooling has learned is one vector $u$ of width $D$. It ranks sentences in the same way for every item:

# %%
layers = pool["text"]
with torch.no_grad():
    u = (layers.outer.weight @ layers.inner.weight)[0]
    one_vector = (slots[0] @ u).masked_fill(~valid[0], -1e9).softmax(dim=0)
parameters = sum(p.numel() for p in layers.parameters())
print(f"two maps: {parameters} parameters; one vector: {u.numel()}")
print(f"largest difference of the weights: {(one_vector - weights).abs().max():.4f}")
energies = {s: float(embeddings[s] @ u) for s in known}
ranked = sorted(known, key=energies.get)
print("highest energy:", *ranked[:-4:-1], sep="\n  ")
print("lowest energy:", *ranked[:3], sep="\n  ")

# %% [markdown]
# The bare categories come last. A slot is good or bad by itself; this attention can't say "the second sentence repeats the first". The library keeps the two maps of the released code. That code also lets
# empty slots take part in the softmax; the setting `mask_padding` switches between both.
#
# ## The mixture-of-experts adaptor
#
# *Why now?* The pooled embedding $e$ has BERT's width $D$. The recommender works with a smaller width $d$, and with other similarities: items that are chosen one after the other should be near, not items with similar words.
#
# One linear map would be the simplest *adaptor*. A *mixture of experts* (MoE) has several, the *experts*, and a *gate* that weighs them for each input. So different items can be translated in different ways:
#
# $$z = \sum_{k=1}^{E} g_k(e)\; \mathrm{LayerNorm}\big(W_k\, e + b_k\big) \qquad g(e) = \mathrm{softmax}(W_g^\top e)$$

# %%
drawing("moe_adaptor")

# %% tags=["exercise"]
check("03.moe_adaptor", ...)

# %% [markdown]
# This mixture is *dense*: all experts are computed for every item. Large language models use *sparse* mixtures, where the gate selects a few experts to save time (Shazeer et al. 2017, [arXiv 1701.06538](https://arxiv.org/abs/1701.06538)).
# In recommendation, UniSRec maps text embeddings to item embeddings by a dense mixture (Hou et al. 2022, [arXiv 2206.05941](https://arxiv.org/abs/2206.05941)). MSM4SR has one for each modality.
#
# The gate starts at zero, so that at first all experts have the same weight. Do they differ after training?

# %%
mine = load_parts()
config = model.config
adapt = {
    m: mine.MoEAdaptor(table.width, config.dim, config.experts, dropout=0.2).eval()
    for m in ("text", "image")
}
both = torch.nonzero((table.text.counts > 0) & (table.image.counts > 0)).flatten()
e, z, gates = {}, {}, {}
with torch.no_grad():
    for m, part in adapt.items():
        part.load_state_dict(model.adapt[m].state_dict())
        e[m] = pool[m](*getattr(table, m).gather(both))[0]
        z[m], gates[m] = part(e[m]), part.gate(e[m]).softmax(dim=-1)
    reference = model.item_embeddings(table, both)
for m in z:
    difference = (z[m] - reference[m]).abs().max()
    print(f"{m}: e {tuple(e[m].shape)}, z {tuple(z[m].shape)},")
    print(f"   largest difference to the library's z {difference:.4f}")

# %% tags=["plot"]
from course import show
from data_samples.make.write import load_world

made = {item.item_id: item for item in load_world(folder).items}
facts = [made[catalogue[row]] for row in both]
traits = {
    "purpose": np.array([fact.purpose for fact in facts]),
    "pattern": np.array([fact.look.pattern for fact in facts]),
    "kind": np.array([fact.look.product for fact in facts]),
}
patterns = sorted({*traits["pattern"]})
grid = np.stack(
    [gates["image"].numpy()[traits["pattern"] == p].mean(axis=0) for p in patterns]
)
figure, axes = plt.subplots(figsize=(7.5, 3.4))
drawn = axes.imshow(grid, cmap="cividis", aspect="auto", vmin=0)
for (row, column), share in np.ndenumerate(grid):
    ink = "black" if share > grid.max() / 2 else "white"
    axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=ink)
axes.set_xticks(range(config.experts), range(1, config.experts + 1))
axes.set_yticks(range(len(patterns)), patterns)
axes.grid(visible=False)
axes.set(title="Mean gate of the image adaptor", xlabel="expert")
show(
    figure,
    f"Mean gate for {len(patterns)} patterns and {config.experts} experts, from"
    f" {grid.min():.1f} to {grid.max():.1f}; equal weights would be 0.12.",
)

# %% [markdown]
# They do, but moderately. No expert owns a pattern; for most patterns, a few experts have more weight than the rest. Which expert takes what depends on the random start. Notebook 05 counts the parameters: most of the
# model's are in the two adaptors.
#
# ## What do the embeddings know?
#
# *Why now?* Before we train on such embeddings, we should find out what is in them. The sample allows it, since its generator knows each item's purpose, pattern and kind.
#
# The test: take an item's ten nearest neighbours by cosine. How many share its purpose, its pattern, its kind? If an embedding knows nothing of a trait, the share is that of chance, about 1 in 8 for the eight purposes, 1 in 6 for the patterns, 1 in 12 for the kinds.
#
# Category and image both tell the kind of an item, for example "clock". What will training do with it?

# %%
predict(
    "03.kind",
    "With the mean of the sentences, nearly all ten neighbours are of the same kind."
    " How many are it with z_t, after training?",
    pick("nearly all", "about half", "fewer than a quarter"),
)

# %%


def agreement(x, k=10, rows=slice(None)):
    """Share of the k nearest neighbours with the same trait, for each trait."""
    x = F.normalize(x.double(), dim=1)
    near = (x @ x.T).fill_diagonal_(-2).topk(k).indices.numpy()
    return {t: (v[near] == v[:, None])[rows].mean() for t, v in traits.items()}


means = {m: getattr(table, m).means()[both].float() for m in ("text", "image")}
spaces = {
    "title alone": table.text.gather(both)[0][:, 0],
    "mean of sentences": means["text"],
    "attention pooling": e["text"],
    "z_t": z["text"],
    "mean of keywords": means["image"],
    "z_v": z["image"],
}
shares = {name: agreement(x) for name, x in spaces.items()}
kinds = shares["z_t"]["kind"]
bands = ((0.25, "fewer than a quarter"), (0.7, "about half"), (2, "nearly all"))
reveal("03.kind", next(word for limit, word in bands if kinds < limit))

# %% tags=["plot"]
chance = {
    t: np.mean([(v == x).sum() - 1 for x in v]) / (len(v) - 1)
    for t, v in traits.items()
}
figure, panels = plt.subplots(1, 3, figsize=(10, 3.1), sharey=True)
told = []
for axes, trait in zip(panels, traits, strict=True):
    values = [share[trait] for share in shares.values()]
    colours = [PALETTE["v" in name or "keywords" in name] for name in shares]
    bars = axes.barh(list(shares), values, color=colours)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.axvline(chance[trait], color="black", linestyle=":", label="chance")
    axes.set(title=f"same {trait}", xlim=(0, 1.2), xlabel="share of 10 neighbours")
    found = ", ".join(f"{n} {v:.1f}" for n, v in zip(shares, values, strict=True))
    told.append(f"{trait}, chance {chance[trait]:.2f}: {found}")
panels[0].invert_yaxis()
panels[0].legend(loc="lower right")
show(figure, "Neighbours with the same trait. " + "; ".join(told) + ".")

# %% [markdown]
# - **Purpose** is in the texts alone. The title knows a good part of it, far more than chance: three of four titles start with a word for the purpose, such as "Restful". The mean of all sentences gives more weight to the kind. Attention
#   pooling and training bring the purpose to the front.
# - **Pattern** is in the images alone.
# - **Kind** is in both, and training lets both forget it. One might think that the text forgets it *because* the image has it. But then one of the two would keep it. The reason is in the generator: the probability of an item depends on its
#   purpose, its look and its popularity, and not on its kind (`data_samples/make/simulation.py`). Nothing in the training asks the model to keep what doesn't help to predict the next item, and most of it is lost.
#
# Two values deserve suspicion. First, after training, neighbours by *image* share the purpose more often than by chance, though images don't show it. To see what $z_v$ knows, we split the items into those that were in training and the new
# ones. Second, with one neighbour in place of ten, the untrained image embeddings are *below* chance:

# %%
new = np.array([fact.is_new for fact in facts])
print(f"same purpose, by chance: {chance['purpose']:.2f}")
for name, rows in (("items in training", ~new), ("new items", new)):
    of_text, of_image = (agreement(z[m], rows=rows)["purpose"] for m in z)
    print(f"{name}: by z_t {of_text:.1f}, by z_v {of_image:.1f}")
one = agreement(means["image"], k=1)["purpose"]
print(f"all items, mean of keywords, only 1 neighbour: {one:.2f}")

# %% [markdown]
# For new items, $z_v$ is at chance. So it has *memorised* which training items are chosen together. That isn't knowledge about images, and it doesn't transfer to other items. What $z_t$ has learned about purposes does: it
# recognises those of new items as well.
#
# The last line is half of chance. The generator draws purposes and looks independently, so there is no effect to explain. With one neighbour, 360 items are a small sample, and among some twenty numbers one may
# well look unusual. With ten neighbours, the value is at chance. Be careful with explanations: first ask whether there is anything to explain.
#
# ## Anisotropy and whitening
#
# *Why now?* Cosines compare directions. That works best if the embeddings use all directions.
#
# Often they don't. Embeddings of BERT-like models lie in a narrow cone, so that even unrelated texts have a high cosine. This is *anisotropy* (Ethayarajh 2019, [arXiv 1909.00512](https://arxiv.org/abs/1909.00512)). A simple measure is the *mean
# cosine* of two different items.

# %%
from course import number

predict(
    "03.cone",
    "What is the mean cosine of two different items of the shop, by their mean"
    " sentence embeddings?",
    number(-1, 1),
)

# %%


def mean_cosine(x):
    x = F.normalize(x.double(), dim=1)
    return ((x.sum(dim=0).square().sum() - len(x)) / (len(x) * (len(x) - 1))).item()


reveal("03.cone", mean_cosine(means["text"]), close=0.1)
for name in ("mean of keywords", "z_t", "z_v"):
    print(f"{name}: {mean_cosine(spaces[name]):.1f}")

# %% [markdown]
# If all directions were used alike, the mean cosine would be about 0. The shop's sentences and keywords lie in a wide cone, the trained $z$ in a narrow one.
# The drawing shows such a cone, and what can be done about it:

# %%
drawing("whitening")

# %% [markdown]
# *Whitening* removes the cone. With the mean $\mu$ of the embeddings, the eigenvectors $V$ of their covariance and its eigenvalues $\Lambda$,
#
# $$\tilde x = \Lambda^{-1/2}\, V^\top (x - \mu)$$
#
# has mean 0 and variance 1 in every direction. Directions in which the items hardly differ become as important as the others. One may keep only the first $w$ directions (Su et al. 2021, [arXiv 2103.15316](https://arxiv.org/abs/2103.15316)). For
# recommendation, see WhitenRec (Zhang et al. 2024, [arXiv 2402.10602](https://arxiv.org/abs/2402.10602)).

# %%
predict(
    "03.whiten",
    f"We whiten the {len(both)} items, once with the first 128 directions and once with"
    f" all {table.width}. With which do more neighbours share the purpose?",
    pick("128 directions", "all directions", "no difference"),
)

# %%
from msm4sr_lite.whitening import Whitening

source(Whitening.fit, only=("variances, directions = torch", "matrix = whitened"))
widths = (8, 16, 32, 64, 128, 256, 384)
white, cosines = {}, {}
for width in widths:
    whitening = Whitening(table.width, width)
    whitening.fit(means["text"], "pca")
    x = whitening(means["text"])
    white[width], cosines[width] = agreement(x), mean_cosine(x)
best = white[128]["purpose"], white[384]["purpose"]
reveal("03.whiten", "128 directions" if best[0] > best[1] else "all directions")

# %% tags=["plot"]
figure, axes = plt.subplots(figsize=(7.5, 3.2))
for trait, marker, colour in zip(("purpose", "kind"), "os", PALETTE, strict=False):
    values = [white[w][trait] for w in widths]
    style = {"marker": marker, "color": colour, "linestyle": "-"}
    axes.plot(widths, values, label=f"same {trait}", **style)
    before = shares["mean of sentences"][trait]
    axes.axhline(before, color=colour, linestyle=":", linewidth=1.5)
axes.set_xscale("log", base=2)
axes.set_xticks(widths, widths)
axes.set(xlabel="directions kept (dotted: without whitening)", ylabel="share of 10")
axes.set(title="Neighbours after whitening", ylim=(0, 1.05))
axes.legend()
told = ", ".join(f"{w}: {white[w]['purpose']:.1f}" for w in widths)
show(figure, f"Neighbours with the same purpose by directions kept: {told}.")

# %% [markdown]
# Without any training, whitening doubles the share of neighbours with the same purpose. The kind lies in the directions of largest variance (with 8 directions, all neighbours are of the same kind), and whitening scales these down. Is that good? Here yes, because users choose by purpose. In a shop
# whose users stay with one kind it would do harm.
#
# With all directions, nearly everything is lost. There are fewer items than directions, so the whitened items are all equally far from each other. Keep clearly fewer directions than there are items. `msm4sr features --report`
# compares settings on the validation part, and `features.whitening` sets one.
#
# A high mean cosine isn't wrong by itself. The trained $z$ above has the highest one, and its neighbours are the best: only *differences* of cosines count for a ranking. Now the photographs of notebook 02:

# %%
import csv

from msm4sr_lite import KeywordTokenizer
from msm4sr_lite.features.images import open_image

photos = session.samples / "photos"
with (photos / "labels.csv").open(encoding="utf-8") as stream:
    products = np.array([row["product"] for row in csv.DictReader(stream)])
    stream.seek(0)
    names = [row["image"] for row in csv.DictReader(stream)]
photo_clip = KeywordTokenizer(str(session.samples / "photo_clip"), sorted({*products}))
batches = [names[start : start + 50] for start in range(0, 200, 50)]
photo = torch.cat(
    [photo_clip.image_embeddings([open_image(photos, n) for n in b]) for b in batches]
)
whitening = Whitening(photo.shape[1], 32)
whitening.fit(photo, "pca")
for name, x in (("as they are", photo), ("whitened", whitening(photo))):
    unit = F.normalize(x, dim=1)
    nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(dim=1).numpy()
    same = (products[nearest] == products).mean()
    print(f"photographs {name}: mean cosine {mean_cosine(x):z.1f}")
    print(f"   nearest neighbour of the same product: {same:.0%}")

# %% [markdown]
# The cone disappears, and the neighbours hardly improve. This CLIP was trained on these products, so its directions of large variance are probably the useful ones already. Whitening helps if what you need is in directions with *small* variance.
#
# ## The modality gap
#
# *Why now?* From 04 on, one sequence encoder reads text embeddings and image embeddings in the same sequence. That works best if both live in one space.
#
# In CLIP's space they don't: all images lie in one region and all texts in another one. The distance of the two centroids is the **modality gap** (Liang et al. 2022, [arXiv 2203.02053](https://arxiv.org/abs/2203.02053)):
#
# $$\mathrm{gap} = \Big\lVert \frac1n \sum_i \frac{x_i}{\lVert x_i \rVert} - \frac1n \sum_i \frac{y_i}{\lVert y_i \rVert} \Big\rVert$$
#
# with the text embeddings $x_i$ and image embeddings $y_i$ of $n$ items. Liang et al. trace it to two causes: two separately initialised encoders start in different cones, and the contrastive loss at a low temperature keeps them apart. Keywords are
# the answer of MSM4SR: one encoder, BERT, reads texts and images.
#
# A second measure is a *linear probe*: a linear classifier gets an embedding and says whether it is of a text or of an image.

# %% tags=["exercise"]
check("03.gap", ...)

# %%
from course import order

predict(
    "03.gap",
    "Where is the gap between texts and images largest? Largest first.",
    order("CLIP, on drawings", "BERT, texts and keywords", "z_t and z_v, trained"),
)

# %%
from course.modality_gap import clip_embeddings, measure_gap

rows = both[::2]
items = [dataset.items[catalogue[row]] for row in rows]
clip = KeywordTokenizer(str(session.samples / "mini_clip"), ["image"])
looks = [made[item.item_id].look for item in items]
captions = [f"a photo of a {k.shape} {k.colour} {k.product}" for k in looks]
_, drawn = clip_embeddings(items, folder, clip)
texts = photo_clip.text_embeddings([f"a photo of a {p}" for p in products])
clouds = {
    "CLIP, on drawings": (clip.text_embeddings(captions).numpy(), drawn),
    "BERT, texts and keywords": tuple(means[m][::2].numpy() for m in means),
    "z_t and z_v, trained": tuple(z[m][::2].numpy() for m in z),
    "CLIP, on photographs": (texts.numpy(), photo.numpy()),
}
gaps = {name: measure_gap(*pair) for name, pair in clouds.items()}
three = list(gaps)[:3]
reveal("03.gap", sorted(three, key=lambda name: -gaps[name].distance))
for name, g in gaps.items():
    print(f"{name:<25} gap {g.distance:.1f}, a linear probe is right {g.probe:.0%}")

# %% tags=["plot"]
from course.clouds import draw_clouds

figure, seen = draw_clouds(
    {f"{n.split(',')[0]}: gap {gaps[n].distance:.1f}": clouds[n] for n in three}
)
show(
    figure,
    "Texts and images on two principal axes, three times. "
    + "; ".join(
        f"{n}: gap {gaps[n].distance:.1f}, {share:.1f} of the variance visible"
        for n, share in zip(three, seen, strict=True)
    ),
    f"{len(rows)} items in three spaces, to one scale, along the two directions of"
    " largest variance.",
)

# %% [markdown]
# On the drawings, keywords **narrow** the gap, and training narrows it further. One reason is that all distances become smaller in a narrow cone. But the gap also shrinks in relation to the distances within a modality. It is **not closed**. The linear probe is right every time. In BERT's space that is no surprise: "mug blue zigzag red round" is no sentence that a shop would write. After training, two axes show nearly one cloud, and yet the probe is right: the space has 64 dimensions. The
# photographs have a gap too, although their captions name exactly what they show.
#
# Would it help to shift one cloud onto the other? The gap is one vector $\delta$, the same for all items. For a text $x$ and images $y_i$,
#
# $$x^\top (y_i + \delta) = x^\top y_i + x^\top \delta$$
#
# The last term is the same for all images. So the ranking of the images by dot product doesn't change at all. A gap is no lack of knowledge, and closing it adds none. It matters where texts and images are *mixed*, as candidates in one list or, from
# notebook 04 on, in one sequence.
#
# ## What could mislead you here
#
# *Why now?* The features are fixed from now on, and later results depend on them.
#
# - Whether a trait is in the neighbours depends on the number of neighbours, and chance differs from trait to trait. State both.
# - The sample's texts never name a colour, and its images never show a purpose. In a real shop, texts and images overlap more.
# - A gap is measured between centroids, and a plot shows two axes. Neither says that two clouds mix; use a probe and neighbours as well.

# %%
from course import quiz

quiz("03")

# %% [markdown]
# ## In three sentences
#
# - Tokens become sentences by mean pooling, sentences and images become one embedding per modality by attention pooling, and a mixture-of-experts adaptor maps it to the width of the recommender.
# - Texts and images know different things, and training keeps what helps to predict the next item: here purpose and pattern, but not the kind.
# - On the drawings keywords narrow the modality gap without closing it, and whitening can help if what you need lies in directions of small variance.
#
# **Next:** 04 mixes both modalities along a sequence, so that one encoder learns to read either.
