# ---
# jupyter:
#   msm4sr:
#     title: The encoder M²SE
#     minutes: 35
# ---

# %% [markdown]
# # 05 · The encoder M²SE
#
# **Question: how does a history of items, each with a text and an image embedding, become a representation from which the next item can be predicted?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 03 and 04; softmax and matrix products | write a causal Transformer and the whole encoder yourself, load trained weights into it, show that one pass trains every prefix, and read an attention map without being misled | 35 minutes of reading, about 15 seconds of computing |

# %%
from course import setup

session = setup("05")

# %% [markdown]
# ## From items to one representation
#
# *Why now?* You have all that goes into the encoder: item embeddings from 03, and their exchange from 04. What is missing is the part that reads a history in order.
#
# Here is the history of one user. Each item has a text embedding $z_t$ and an image embedding $z_v$. We look for a representation $h$ of the whole history that lies near the embedding of
# the next item.

# %% tags=["plot"]
from course import drawing, item_card, show_html, strips
from msm4sr_lite import Dataset
from msm4sr_lite.features.table_files import load_feature_table, read_keywords

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
keywords = read_keywords(folder / "features")
history = dataset.user_history("uh0040")
cards = {
    name: [
        item_card(dataset.items[i], modality, folder, keywords.get(i, []))
        for i in history
    ]
    for name, modality in (("Z_t", "text"), ("Z_v", "image"))
}
show_html(*strips(cards, range(1, 7), "Six items of one user, oldest first."))

# %% [markdown]
# The paper calls the encoder **M²SE**, *multimodal mixup sequence encoder*. Its last part is a causal Transformer, as in SASRec (Kang & McAuley 2018, [arXiv 1808.09781](https://arxiv.org/abs/1808.09781)).
# SASRec reads embeddings of item ids. M²SE reads embeddings of contents instead, and one Transformer reads both modalities.

# %%
drawing("m2se")

# %% [markdown]
# You wrote the upper half in 03: *attention pooling* averages the slots of an item with learned weights, and the *mixture-of-experts adaptor* maps the result from BERT's width $D$ to the model's width $d$.
# In this notebook you write the lower half. As a reference we load a model that was pre-trained on the sample:

# %%
import torch
from msm4sr_lite import build_sequences, load_checkpoint
from msm4sr_lite.encoder import gather_rows
from msm4sr_lite.sequences import pad

trained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
with torch.no_grad():
    z = trained.item_embeddings(table, torch.arange(len(catalogue)))
config = trained.config
print(f"D = {table.width}, d = {config.dim}")
print(f"{config.layers} layers with {config.heads} heads each")
for name, embeddings in z.items():
    print(
        f"z of {name}: {tuple(embeddings.shape)}, one row per item and one for padding"
    )

# %% [markdown]
# ## What should h depend on?
#
# *Why now?* Before building something that reads a history, ask what there is to read: which items matter, and does their order?
#
# The next cells change the histories of 256 users in four ways. Then they compare the representation of the trained model, $h_t$ at the last position, before and after the change.

# %%
from course import order, predict

changes = ("reversed, except the last item", "only the last item kept",
           "the last item removed", "the history of another user")  # fmt: skip
predict(
    "05.order",
    "Which change leaves h_t most similar (cosine)? Most similar first.",
    order(*changes),
)

# %%
import numpy as np
import torch.nn.functional as F


@torch.no_grad()
def encode_last(histories, model=trained, modality="text"):
    """Return h at the last position of each history, shape (histories, d)."""
    items = pad(histories, max_len=50)
    last = (items > 0).sum(dim=1) - 1
    h = model.encode(gather_rows(z, items))[modality]
    return h[torch.arange(len(items)), last]


before = [s for s in sequences.train() if len(s) > 2][:256]
after = dict(zip(changes, (
    [np.append(s[-2::-1], s[-1]) for s in before],
    [s[-1:] for s in before],
    [s[:-1] for s in before],
    [*before[1:], before[0]],
), strict=True))  # fmt: skip
h = encode_last(before)
alike = {
    name: F.cosine_similarity(h, encode_last(changed)).mean().item()
    for name, changed in after.items()
}

# %% [markdown]
# Is the model right to behave so? The sample can tell. Its users are simulated, so the exact probability of every next item is known. This *oracle* knows how users behave and what texts and images
# show. The second panel says how many of the oracle's ten best items stay the same under each change.

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import PALETTE, reveal, show
from data_samples.make.upper_bound import hidden_state_model, next_item_probabilities
from data_samples.make.write import load_world

made = load_world(folder).domain_items("home")
place = {item.item_id: number for number, item in enumerate(made)}
knowing = hidden_state_model(made, "content")


def ten_best(histories):
    rows = [np.array([place[catalogue[i]] for i in s]) for s in histories]
    chances = next_item_probabilities(knowing, rows, after_launch=False)
    return [set(row[:10]) for row in (-chances).argsort(axis=1, kind="stable")]


best = ten_best(before)
kept = {
    name: np.mean(
        [len(a & b) / 10 for a, b in zip(best, ten_best(changed), strict=True)]
    )
    for name, changed in after.items()
}
figure, panels = plt.subplots(
    1, 2, figsize=(9.5, 2.6), sharey=True, layout="constrained"
)
for axes, values, title in (
    (panels[0], alike, "Model: cosine of $h_t$"),
    (panels[1], kept, "Oracle: share of ten best kept"),
):
    bars = axes.barh(changes[::-1], [values[name] for name in changes[::-1]],
                     color=PALETTE[0 if values is alike else 2])  # fmt: skip
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(title=title, xlim=(0, 1.15))
show(
    figure,
    "Model and oracle put the four changes in the same order. "
    + "; ".join(f"{n}: cosine {alike[n]:.1f}, oracle {kept[n]:.1f}" for n in changes),
)
reveal("05.order", sorted(changes, key=lambda name: -alike[name]))

# %% [markdown]
# Model and oracle agree on the order of the four changes. The reason lies in how the sample's users behave:
#
# - Every user has a *taste* in colours, patterns and shapes that stays the same. Older items show it, in whatever order they come.
# - Every user also has a *need*, the purpose of the next purchase. It moves on after each purchase. So the last item says most about it.
#
# An encoder must therefore read all items, and must treat the last one differently. Other users behave in other ways, and then other items matter. Attention learns from data which.

# %% [markdown]
# ## Causal self-attention
#
# *Why now?* We need an operation that combines a growing number of items, with weights that depend on the items themselves. This is *self-attention* (Vaswani et al. 2017, [arXiv 1706.03762](https://arxiv.org/abs/1706.03762)).
#
# Learned linear maps make three vectors of each position's input: a *query* $q$ (what the position looks for), a *key* $\kappa$ (what others can find there) and a *value* $v$ (what it passes on).
# The output $o_k$ of position $k$ is a weighted sum of the values at the positions $j$ up to $k$:
#
# $$\alpha_{kj} = \frac{\exp(q_k^\top \kappa_j / \sqrt{w})}{\sum_{j' \le k} \exp(q_k^\top \kappa_{j'} / \sqrt{w})}
# \quad (j \le k), \qquad o_k = \sum_{j \le k} \alpha_{kj}\, v_j$$
#
# Here $w$ is the width of queries and keys. Without the division by $\sqrt{w}$, scores would grow with the width, and the softmax would tend to put almost all weight on one position.
#
# The sum ends at $k$: a position must not see later items. Otherwise it could copy the item that it shall predict, which would be *data leakage*. The rule is called the **causal mask**.

# %%
drawing("causal_mask")

# %%
from course import number

predict(
    "05.first",
    "The first position has the scores 2, 7 and 1 for three items. The mask is"
    " causal. Which weight does the first position give to its own item?",
    number(0, 1),
)

# %% [markdown]
# Write the mask first. It says which positions may look at which:

# %%
import torch
import torch.nn.functional as F
from course import check, load_parts
from torch import Tensor, nn  # noqa: F401

# %% tags=["exercise"]
check("05.causal_mask", ...)

# %% [markdown]
# Then the attention. Set forbidden scores to $-\infty$ *before* the softmax, so that their weights are exactly 0:

# %% tags=["exercise"]
check("05.causal_attention", ...)

# %% [markdown]
# From here on the notebook uses your accepted parts, and the course's in place of those that you skipped. First the prediction, then a comparison with PyTorch's own attention, which the library uses because it needs less memory:

# %%
mine = load_parts()
scores = torch.tensor([2.0, 7.0, 1.0]).repeat(3, 1)
weights = scores.masked_fill(~mine.causal_mask(3), -torch.inf).softmax(dim=1)
for k, row in enumerate(weights.tolist(), start=1):
    print(f"position {k}: weights", *(f"{share:.3f}" for share in row))
reveal("05.first", weights[0, 0].item(), close=0.01)

# %%
q, k, v = torch.randn(3, 4, 2, 6, 32, generator=torch.Generator().manual_seed(0))
ours = mine.causal_attention(q, k, v)
torchs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
print(f"typical size of an output: {torchs.abs().mean():.2f}")
print(f"largest difference to PyTorch's: {(ours - torchs).abs().max():.5f}")

# %% [markdown]
# The first position has nobody else to read, so its weight is 1, whatever the scores are.
#
# ## A Transformer block
#
# *Why now?* Attention only averages. To compute something *from* what was read, a network needs non-linear layers. A Transformer block adds them, with four ingredients:
#
# - **Several heads.** The width is cut into $H$ parts; each has its own attention weights. One head can look for similar colours while another reads the most recent items.
# - **Residual connections.** What attention has read is *added* to the input $x$. So the output starts from the position's own item.
# - **Layer normalization** after each sum (*post-norm*, as in BERT) keeps the numbers in a range that is good for training.
# - **A feed-forward network**, the same at every position: a wider layer with the activation GELU, and back.
#
# $$x' = \mathrm{LN}\big(x + \mathrm{MultiHead}(x)\big) \qquad
# x'' = \mathrm{LN}\big(x' + W_2\, \mathrm{GELU}(W_1 x' + b_1) + b_2\big)$$
#
# In training, dropout is applied to the attention weights and to what is added.

# %% tags=["exercise"]
check("05.block", ...)

# %% [markdown]
# This is the library's version. It is as short as yours:

# %%
from course import source
from msm4sr_lite import encoder

source(encoder.Block.attend)
source(encoder.Block.forward)

# %% [markdown]
# ## Positions
#
# *Why now?* The attention sum does not depend on the order of its terms. If the order of items shall matter, it must be written into the input.
#
# SASRec and M²SE add a learned **position embedding**: a vector for position 1, one for position 2, and so on, the same for all users. How much does the trained model rely on them? We set all of them to zero
# and measure Recall@20 on the validation targets.

# %%
from course import pick

predict(
    "05.positions",
    "All position embeddings of the trained model become 0. What happens to Recall@20?",
    pick("it changes little", "it falls by about half", "it falls to chance"),
)

# %%
import copy

without = copy.deepcopy(trained)
without.transformer.position.weight.data.zero_()
histories, targets = sequences.held_out("valid")
chance = 20 / (len(catalogue) - 1)


def measure_recall(model):
    scores = sum(
        F.normalize(encode_last(histories, model, modality), dim=1)
        @ F.normalize(z[modality], dim=1).T
        for modality in ("text", "image")
    )
    scores[:, 0] = -9  # padding is no item
    scores.scatter_(1, pad(histories, max_len=50), -9.0)  # nor what the user has
    hits = mine.ranks(scores, torch.as_tensor(targets)) <= 20
    return hits.float().mean().item()


found = measure_recall(trained), measure_recall(without)
print(f"Recall@20: {found[0]:.2f} with positions, {found[1]:.2f} without")
print(f"by chance: {chance:.2f}")
verdict = "it falls by about half" if found[1] > 2 * chance else "it falls to chance"
reveal("05.positions", "it changes little" if found[1] > 0.9 * found[0] else verdict)

# %% [markdown]
# It changes little. Two facts explain it. First, even without positions the model knows which item came last: the residual connection starts from it, and only its position sees all items. Second, the oracle has shown that the
# order of the *older* items carries little information in this sample. Both are no general law. On data where the order of older items matters, positions may matter more.
#
# Now put it together: position embeddings, a norm, and the blocks.

# %% tags=["exercise"]
check("05.transformer", ...)

# %% [markdown]
# ## Two modalities, one Transformer
#
# *Why now?* All parts exist. The last step puts pooling, adaptors and Transformer together, for texts and images.
#
# Pooling and adaptor exist twice, because sentences and keywords are different inputs. The Transformer exists once. Mixup (04) needs that: an exchanged embedding must be readable in either sequence. It also saves parameters. An item that has only a text uses $z_t$ in both sequences, and an item that has only images uses $z_v$ in both.

# %%
AttentionPooling, MoEAdaptor = mine.AttentionPooling, mine.MoEAdaptor

# %% tags=["exercise"]
check("05.m2se", ...)

# %% [markdown]
# Your encoder has the same parameters as the library's. So it can load the library's trained weights, and must then compute the same hidden states:

# %%
mine = load_parts()
model = mine.M2SE(table.width)
model.load_state_dict(trained.state_dict())
model.eval()
features = {m: getattr(table, m).gather(torch.arange(len(catalogue)))
            for m in ("text", "image")}  # fmt: skip
items = pad(sequences.train()[:64], max_len=50)
with torch.no_grad():
    h_mine = model(model.embed(features, items))
    h_library = trained.encode(gather_rows(z, items))
for modality, states in h_library.items():
    away = (h_mine[modality] - states)[items > 0].abs().max()
    size = states[items > 0].abs().mean()
    print(f"{modality}, shape {tuple(states.shape)}: mean size of an entry {size:.1f},")
    print(f"    largest difference between yours and the library's {away:.4f}")

# %% [markdown]
# The differences that remain are rounding. You have written a model that computes what a trained M²SE computes. In 06 you train it yourself.
#
# Where do its parameters sit? Count those of one adaptor (class `MoEAdaptor` in 03) before you look:

# %% tags=["exercise"]
check("05.parameters", ...)

# %%
for name, part in (("attention pooling", model.pool), ("MoE adaptors", model.adapt),
                   ("Transformer", model.transformer)):  # fmt: skip
    print(f"{name:<17} {sum(p.numel() for p in part.parameters()):>8,} parameters")

# %% [markdown]
# Most of them are in the adaptors, which translate BERT's embeddings. The Transformer, which reads the history, is smaller. No part has a row per item, so the whole model can be moved to another catalogue (08).
#
# ## One pass trains every prefix
#
# *Why now?* Training needs many examples. A user with six items gives five: one item predicts the second, two predict the third, and so on. Must the encoder run five times?

# %%
predict(
    "05.moved",
    "You exchange the item at position 4 of 6. At how many of the six positions does"
    " the hidden state change?",
    number(0, 6),
)

# %%
sequence = torch.tensor([[catalogue.index(item) for item in history]])
other = next(i for i in range(1, len(catalogue)) if i not in sequence)


@torch.no_grad()
def find_changes(position, modality="text"):
    """Return how far each state moves (1 − cosine) if one item is another one."""
    changed = sequence.clone()
    changed[0, position - 1] = other
    states = [
        trained.encode(gather_rows(z, s))[modality][0] for s in (sequence, changed)
    ]
    moved = (states[0] - states[1]).abs().amax(dim=1) > 1e-5
    return (1 - F.cosine_similarity(*states)) * moved, moved


reveal("05.moved", int(find_changes(4)[1].sum()), close=0)

# %% tags=["plot"]
from course import choice, panel, slider


def draw_changes(position, modality):
    away, moved = find_changes(position, modality)
    names = [f"{k}\n{dataset.items[i].categories[0]}" for k, i in enumerate(history, 1)]
    figure, axes = plt.subplots(figsize=(6, 3))
    colours = [PALETTE[1] if k == position else PALETTE[0] for k in range(1, 7)]
    bars = axes.bar(names, away, color=colours)
    axes.bar_label(
        bars, [f"{a:.2f}" if m else "0" for a, m in zip(away, moved, strict=True)]
    )
    axes.set(title=f"Item {position} exchanged: earlier states stay",
             xlabel="position", ylabel="1 − cosine of $h$", ylim=(0, 1.3))  # fmt: skip
    return figure, (
        f"Position {position} exchanged, {modality}: states {position} to 6 move,"
        " those before do not. The largest move is at position"
        f" {int(away.argmax()) + 1}."
    )


panel(
    draw_changes,
    slider(
        "position", list(range(1, 7)), start=4, label="exchanged position", live=True
    ),
    choice("modality", ["text", "image"], label="modality"),
    title="who sees an exchanged item",
    static=[{"position": 4}, {"position": 1}],
)

# %% [markdown]
# States *before* the exchanged item do not move at all: they cannot see it. So the state at position $k$ depends on the first $k$ items only, which are called a **prefix**. It must be the same as if the
# history had ended there. Compare the six states of one pass with six passes over the six prefixes:

# %%
with torch.no_grad():
    whole = trained.encode(gather_rows(z, sequence))["text"][0]
    alone = [trained.encode(gather_rows(z, sequence[:, :k]))["text"][0, -1]
             for k in range(1, 7)]  # fmt: skip
print(f"largest difference: {(whole - torch.stack(alone)).abs().max():.5f}")
inputs = np.array([len(s) - 1 for s in sequences.train()])  # the last is only a target
one, each = inputs.sum(), (inputs * (inputs + 1) // 2).sum()
print(f"items to encode, one pass per user: {one:,}")
print(f"items to encode, one pass per prefix: {each:,}, {each / one:.1f} times as many")

# %% [markdown]
# Therefore one pass over a sequence gives a training example at every position. The paper's released code makes a separate row of each prefix (*prefix augmentation*) and encodes the early items again and again.
# The library computes the loss over all positions. A history of $L$ inputs then costs $L$ items instead of $L(L+1)/2$, so the saving grows with the length.
#
# ## What attention maps show, and what they don't
#
# *Why now?* Attention weights are often shown as an explanation of what a model used. Test whether they are one before you do the same.
#
# The panel shows the maps of both layers and both heads. A row is a position that looks, and its weights sum to 1. The triangle above the diagonal is empty because of the mask.

# %% tags=["plot"]
from course.attention import compute_attention, draw_attention


def draw_maps(user, modality):
    items = dataset.user_history(user)[:8]
    row = torch.tensor([[catalogue.index(item) for item in items]])
    maps = compute_attention(trained.transformer, gather_rows(z, row)[modality])
    names = [(*dataset.items[item].categories, "none")[0] for item in items]
    most = int(maps[-1][0, :, -1].mean(dim=0).argmax()) + 1
    return draw_attention(maps, names), (
        f"Four triangular maps over {len(items)} items. In the last layer the last"
        f" position has its largest mean weight at position {most}."
    )


panel(
    draw_maps,
    choice("user", ["uh0040", "uh0041", "uh0043", "uh0050"], label="user"),
    choice("modality", ["text", "image"], label="modality"),
    title="attention maps",
    static=[{"user": "uh0040"}],
)

# %% [markdown]
# If weights were an explanation, the item with the largest weight would be the one that matters most. To measure what *matters*, remove one item from the history, encode it again, and see how far $h_t$ moves.

# %%
predict(
    "05.attention",
    "For how many of 100 users is the item with the largest attention weight (last"
    " layer, mean of both heads) also the item whose removal changes h_t most?",
    number(0, 100),
)

# %%
chosen = [s for s in sequences.train() if len(s) >= 5][:100]
rows = pad(chosen, max_len=50)
maps = compute_attention(trained.transformer, gather_rows(z, rows)["text"])
weight, effect = [], []
for b, s in enumerate(chosen):
    n = len(s)
    weight.append(maps[-1][b, :, n - 1, :n].mean(dim=0))
    removed = encode_last([np.delete(s, k) for k in range(n)])
    effect.append(1 - F.cosine_similarity(encode_last([s]), removed))
same = sum(int(w.argmax() == e.argmax()) for w, e in zip(weight, effect, strict=True))
guess = sum(1 / len(s) for s in chosen)
print(f"the same item for {same} of 100 users")
print(f"a random item would be the right one {guess:.0f} times")
reveal("05.attention", same, close=5)

# %% tags=["plot"]
shares = {
    "attention weight": torch.stack([w[-5:] for w in weight]).mean(dim=0),
    "effect of removal": torch.stack([(e / e.sum())[-5:] for e in effect]).mean(dim=0),
}
figure, axes = plt.subplots(figsize=(7.5, 3.2))
spots = np.arange(5)
for shift, (name, values) in enumerate(shares.items()):
    axes.bar(spots + 0.4 * shift - 0.2, values, width=0.38, label=name,
             color=PALETTE[shift], hatch="//" if shift else None)  # fmt: skip
axes.set(title="The last item matters most and gets little attention",
         xlabel="item", ylabel="mean share", xticks=spots,
         xticklabels=["5th from last", "4th", "3rd", "2nd", "last"])  # fmt: skip
axes.legend()
w, e = (values[-1].item() for values in shares.values())
words = (
    f"The last has {w:.1f} of the attention weight, {e:.1f} of the effect of removal."
)
show(figure, f"Shares of the last five items. {words}")

# %% [markdown]
# Attention is a *worse* guide than a random item here. A likely reason is the residual connection: $h$ starts from the last item, and attention only says what is *added* to it. So the most important item needs no attention weight.
# One caution about the measure: removing the last item also makes another item the last one. That is part of its effect.
#
# Whether attention is an explanation has been debated (Jain & Wallace 2019, [arXiv 1902.10186](https://arxiv.org/abs/1902.10186); Wiegreffe & Pinter 2019, [arXiv 1908.04626](https://arxiv.org/abs/1908.04626)). For explanations the library therefore removes
# items, sentences and keywords and measures the change of the score (11).

# %% [markdown]
# ## What can mislead you
#
# - **A map shows one layer.** The second layer reads states that the first one has already mixed. Its column "item 2" is not item 2 alone.
# - **"Causal" is a statement about order, not about causes.** The mask hides the future. It says nothing about why a user buys.
# - **Padding must be to the right.** Then the causal mask hides it from all real positions. With padding to the left, every position would read it, unless another mask hides it.
# - **A synthetic sample.** The sample's rule (a taste that stays, a need that moves on) decides how little the order of older items matters here. Measure it on your data before you remove positions.
#
# ## Quiz

# %%
from course import quiz

quiz("05")

# %% [markdown]
# ## Take-aways
#
# - M²SE encodes texts and images separately (pooling, adaptor), and reads both sequences with one causal Transformer.
# - The state at position $k$ has seen the first $k$ items and nothing else, so one pass trains every prefix.
# - Attention weights say what is added to an item's own state. They are no measure of importance; removing an input is.
#
# **Next:** in 06 you train this encoder. InfoNCE compares its representations with the embeddings of the next items.
