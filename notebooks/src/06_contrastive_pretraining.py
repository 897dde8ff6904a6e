# ---
# jupyter:
#   msm4sr:
#     title: Contrastive pre-training
#     minutes: 30
# ---

# %% [markdown]
# # 06 · Contrastive pre-training
#
# **Question: what can a model learn from purchases alone, when nobody tells it which answer is good?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00, 04 and 05; softmax and cross-entropy | derive both losses, say what temperature and λ do, leave out false negatives, and tell learning from collapse | 30 minutes of reading, about 40 seconds of computing |

# %%
from course import setup

session = setup("06")

# %% [markdown]
# ## A game of matching
#
# Take eight customers. Of each we know the purchases up to some day, and the one that came next. Shuffle the
# eight next purchases: which belongs to whom? Whoever can play this game has understood something about
# taste, and the game needs no labels: the purchases themselves are the answers.
#
# The encoder of notebook 05 makes a state $h$ of each history and a vector $g$ of each next item. The next
# cell lets the trained model of the sample play, with the states of the text side.

# %%
import torch
import torch.nn.functional as F
from msm4sr_lite import (
    Dataset,
    build_sequences,
    load_checkpoint,
)
from msm4sr_lite.encoder import gather_rows
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.sequences import pad
from msm4sr_lite.similarity import cosine_scores

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
trained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
histories, answers = sequences.held_out("valid")


@torch.inference_mode()
def states_and_items(model, users):
    """Return h and g of some users, each for both modalities."""
    rows, items = pad([histories[u] for u in users], 50), answers[users]
    z = model.item_embeddings(table, torch.arange(len(catalogue)))
    last = (rows > 0).sum(dim=1) - 1
    h = model.encode(gather_rows(z, rows))
    h = {m: state[torch.arange(len(rows)), last] for m, state in h.items()}
    return h, gather_rows(z, torch.as_tensor(items))


# Eight users, two of whom have the same next item.
first = next(u for u in range(100, 900) if (answers[100:u] == answers[u]).any())
same = 100 + int((answers[100:first] == answers[first]).argmax())
players = [same, first, *[u for u in range(40, 60) if answers[u] != answers[first]][:6]]
h, g = states_and_items(trained, players)
cosines = cosine_scores(h["text"], g["text"])
for row, u in enumerate(players):
    best = int(cosines[row].argmax())
    title = dataset.items[catalogue[answers[players[best]]]].title or "(no text)"
    right = "right" if answers[players[best]] == answers[u] else "wrong"
    print(f"user {row} gets: {title[:34]:<35} {right}")

# %% [markdown]
# It is far from perfect, and far from the one in eight of a guess. How does a model get there?
#
# ## From matching to a loss
#
# For customer $i$ the eight cosines $h_i \cdot g_j$ (all vectors have length 1 from here on) are eight scores. Divide them by a
# *temperature* $\tau$, take the softmax, and look at what is left for the right answer:
#
# $$\text{NIP}_i = -\log \frac{e^{h_i \cdot g_i / \tau}}{\sum_j e^{h_i \cdot g_j / \tau}}
#   = \log \sum_j e^{h_i \cdot g_j / \tau} - \frac{h_i \cdot g_i}{\tau}$$
#
# This is *next item prediction*. The other customers' next items are the *negatives*: nobody had to collect
# them. The right-hand form is the one to compute: its first term can be worked out without ever raising
# $e$ to a large power. Here are three rows by hand, with a temperature of 1.

# %%
scores = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 1.0]])
shares = scores.softmax(dim=1)
for i in range(3):
    print(
        f"row {i}: shares {[round(s, 2) for s in shares[i].tolist()]},"
        f" loss {-shares[i, i].log():.3f}"
    )

# %% [markdown]
# **Predict.** Row 1 gives all three the same score. Is its loss a coincidence? What would it be with 64 rows?
#
# $-\log \frac13 = \log 3 = 1.099$, and $\log 64 = 4.159$ (in *nats*, the unit of the natural logarithm). A loss near the logarithm
# of the batch size says: the model is guessing. Keep this in mind; whoever has learnt something lies below it.
#
# ## Temperature, and the twin
#
# The panel shows the shares of the eight customers, a row for each; the bar says how dark which share is. The darker a field of the diagonal, the surer the
# model is of the right answer. Two things can be set:
#
# - **temperature** $\tau$. **Predict** what the picture looks like at 1, and at 0.02.
# - **leave the twins out**. Customers 0 and 1 bought *the same* item next. To customer 0, item 1 is therefore a right
#   answer, listed under a wrong name: a *false negative*. Left out, it neither wins nor loses.

# %%
from course import panel, slider, toggle
from course.similarity import draw_softmax
from msm4sr_lite.losses import false_negatives, next_item_loss

next_items = torch.as_tensor(answers[players])
everyone = torch.arange(len(players))


def contrast(tau, exclude):
    masked = torch.eye(len(players), dtype=torch.bool)
    if exclude:
        masked = false_negatives(next_items, everyone, same_user=False)
    loss = next_item_loss(h["text"], g["text"], masked, temperature=tau)
    others = masked & ~torch.eye(len(players), dtype=torch.bool)
    shares = (cosines / tau).masked_fill(others, -torch.inf).softmax(dim=1)
    right = shares.diagonal()
    return draw_softmax(shares, others, float(loss)), (
        f"Softmax of the eight users at temperature {tau:g}, false negatives"
        f" {'excluded' if exclude else 'kept'}: loss {loss:.2f}; the right item gets"
        f" {right.mean():.0%} on average, from {right.min():.0%} to {right.max():.0%}."
    )


panel(
    contrast,
    slider(
        "tau", [0.02, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0], start=0.07, label="temperature"
    ),
    toggle("exclude", False, label="exclude false negatives"),
    title="contrastive bench",
    static=[{"tau": 1.0}, {"tau": 0.07}, {"tau": 0.07, "exclude": True}],
)

# %% [markdown]
# At $\tau = 1$ nearly all is equally light: cosines lie between −1 and 1, and a softmax of such small numbers cannot tell
# much. The best loss one can reach with eight rows at $\tau = 1$, every right cosine 1 and every wrong one −1, is still
# $\log(1 + 7e^{-2}) = 0.67$. A small $\tau$ stretches the scores. Too small, and each row is certain of something, right or
# wrong. The method uses 0.07. (The dark column is the pan that five of the eight get.)
#
# In a shop with a best-seller, twins are the rule. The library leaves them out in both losses; the released code gives
# them the score 0 instead, so that each still counts as one candidate (`docs/differences.md`).
#
# ## Who pushes, and how hard?
#
# The gradient of the loss explains more than the loss. For unit vectors,
#
# $$\frac{\partial\, \text{NIP}_i}{\partial h_i} = \frac1\tau \Big( \sum_j p_{ij}\, g_j - g_i \Big)$$
#
# with the shares $p_{ij}$ of the panel. So a step pulls $h_i$ towards its own item and pushes it away from the others, from
# each as hard as its share. A negative that is far away has no share and does not push. **Predict**: at which temperature do
# all negatives push alike? The first cell compares the formula with autograd, the second measures.

# %% tags=["nbval-check-output"]
unit_h = F.normalize(h["text"], dim=1).clone().requires_grad_()
unit_g = F.normalize(g["text"], dim=1).clone()
tau = 0.07
logits = unit_h @ unit_g.T / tau
(logits.logsumexp(dim=1) - logits.diagonal()).sum().backward()
p = logits.detach().softmax(dim=1)
formula = (p @ unit_g - unit_g) / tau
print(
    "autograd agrees with the formula:", torch.allclose(unit_h.grad, formula, atol=1e-4)
)

# %%
import matplotlib.pyplot as plt
from course import show

figure, axes = plt.subplots(figsize=(6.5, 3.4))
hardest = {}
for tau, marker in ((0.05, "o"), (0.2, "s"), (1.0, "^")):
    p = (cosines / tau).softmax(dim=1)
    wrong = p[~torch.eye(8, dtype=torch.bool)].view(8, 7)
    weight = (
        (wrong / wrong.sum(dim=1, keepdim=True))
        .sort(dim=1, descending=True)
        .values.mean(dim=0)
    )
    hardest[tau] = weight[0].item()
    axes.plot(range(1, 8), weight, marker=marker, label=rf"$\tau$ = {tau:g}")
axes.set(
    title="A small temperature weighs hard negatives",
    xlabel="negatives of a row, the most similar first",
    ylabel="share of the gradient",
)
axes.legend()
show(
    figure,
    "The most similar of seven negatives does "
    + ", ".join(
        f"{v:.0%} of the gradient at temperature {t:g}" for t, v in hardest.items()
    )
    + "; at 1 all seven count almost alike (a seventh is 14%).",
)

# %% [markdown]
# ## The second loss: two views of one customer
#
# NIP is computed twice: $h_t$ against the items' text vectors, $h_v$ against their picture vectors. Nothing yet says that
# $h_t$ and $h_v$, two readings of one and the same customer, belong together. *Cross-modality contrastive learning* does.
# Let $t_i$ and $v_i$ be the states $h_t$ and $h_v$ of row $i$. For $t_i$ the right answer is $v_i$; the wrong ones are the picture
# views *and* the text views of other rows:
#
# $$\text{CMCL}_i = -\log \frac{e^{t_i \cdot v_i / \tau}}{\sum_j e^{t_i \cdot v_j / \tau} + \sum_{j \ne i} e^{t_i \cdot t_j / \tau}}$$
#
# and the same with the views exchanged; the two are averaged. So far a row was a customer. In training it is a *position* of a
# sequence (notebook 05), and many rows are one customer a purchase earlier or later. As negatives they would tear apart
# what belongs together, so here they are left out. In NIP they stay: what a customer bought *before* must not be mistaken for what comes *next*.

# %%
targets = torch.tensor([31, 32, 33, 31, 40])
users = torch.tensor([1, 1, 1, 2, 3])
for name, same_user in (("NIP", False), ("CMCL", True)):
    masked = false_negatives(targets, users, same_user=same_user)
    print(f"{name}: rows of users {users.tolist()}, next items {targets.tolist()}")
    for i in range(5):
        marks = ["+" if i == j else "." if masked[i, j] else "-" for j in range(5)]
        print("   ", " ".join(marks))
print("+ positive   - negative   . excluded")

# %% [markdown]
# ## λ: how much of it?
#
# The loss of a step is $\text{NIP}_t + \text{NIP}_v + \lambda\,\text{CMCL}$. Both kinds pull at the same states. The panel measures how hard: the
# length of the gradient at $h_t$ that comes from each, for 64 customers of the sample and an **untrained** or the **trained** model.
# **Predict** at which λ the two pull equally.

# %%
from course import choice
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.losses import cross_modal_loss

torch.manual_seed(0)
untrained = M2SE(ModelConfig(feature_dim=table.width)).eval()
some = list(range(200, 264))
targets64 = torch.as_tensor(answers[some])
lengths = {}
for name, model in (("untrained", untrained), ("trained", trained)):
    h64, g64 = states_and_items(model, some)
    h64 = {m: state.clone().requires_grad_() for m, state in h64.items()}
    masked = false_negatives(targets64, torch.arange(64), same_user=False)
    nip = next_item_loss(h64["text"], g64["text"].clone(), masked, temperature=0.07)
    cmcl = cross_modal_loss(h64["text"], h64["image"], masked, temperature=0.07)
    lengths[name] = [
        torch.autograd.grad(loss, h64["text"])[0].norm().item() for loss in (nip, cmcl)
    ]


def pull(lam, model):
    nip, cmcl = lengths[model]
    share = lam * cmcl / (nip + lam * cmcl)
    figure, axes = plt.subplots(figsize=(5.2, 2))
    axes.barh(["NIP", "λ · CMCL"], [nip, lam * cmcl], color=["#0072B2", "#D55E00"])
    axes.set(
        title=f"CMCL makes {share:.0%} of the gradient",
        xlabel="length of the gradient at $h_t$",
    )
    return figure, (
        f"{model.capitalize()} model, lambda {lam:g}: gradient of NIP {nip:.3g},"
        f" of lambda CMCL {lam * cmcl:.3g}; CMCL makes {share:.0%} of the gradient."
    )


panel(
    pull,
    slider("lam", [0.0, 0.001, 0.01, 0.1, 0.3, 1.0, 3.0], start=0.01, label="λ"),
    choice("model", ["untrained", "trained"], label="model"),
    title="two losses, one state",
    static=[{"lam": 0.01}, {"lam": 1.0}, {"lam": 1.0, "model": "trained"}],
)

# %% [markdown]
# They pull equally near λ = 0.9 before training, near 1.5 after it. With the default λ = 0.01 CMCL is a whisper. Whether it helps at all, and how loud it should be, is not a matter of belief:
# an ablation has to tell (exercise 4).
#
# ## Watch it learn
#
# Now the whole thing, from random weights: items are dropped, sequences mixed (notebook 04) and encoded in one pass
# (notebook 05), and both losses are minimised. The cell takes about 15 seconds; interrupt
# it whenever you like.
# **Predict** the first value of NIP (a batch has about 256 rows).

# %%
from itertools import islice

from course import watch
from course.sphere import alignment, uniformity
from msm4sr_lite.config import PretrainConfig
from msm4sr_lite.training import pretrain_steps

torch.manual_seed(0)
model = M2SE(ModelConfig(feature_dim=table.width))
config = PretrainConfig(batch_size=256, epochs=20, lr=3e-3)
film = {}  # step -> similarity matrix, alignment, uniformity
recalls = []  # after each epoch


def look(step):
    model.eval()
    h, g = states_and_items(model, some)
    film[step] = {
        "matrix": cosine_scores(h["text"], g["text"])[:24, :24],
        "modalities": alignment(h["text"], h["image"]),
        "next": alignment(h["text"], g["text"]),
        "spread": uniformity(h["text"]),
    }
    model.train()


def training():
    look(0)
    for record in islice(pretrain_steps(model, table, sequences, config), 200):
        if record.recall is not None:
            recalls.append(record.recall)
        else:
            if record.step % 10 == 0:
                look(record.step)
            yield record


def curves(records):
    figure, axes = plt.subplots(figsize=(6.5, 3.4))
    steps = [record.step for record in records]
    for name, label in (
        ("nip_text", "NIP text"),
        ("nip_image", "NIP image"),
        ("cmcl", "CMCL"),
    ):
        axes.plot(steps, [record.parts[name] for record in records], label=label)
    rows = sum(record.targets for record in records) / len(records)
    guess = torch.log(torch.tensor(rows)).item()
    axes.axhline(guess, color="#777777", linestyle=":", label="guessing, NIP")
    axes.set(
        title=f"Step {steps[-1]}: NIP text at {records[-1].parts['nip_text']:.2f}",
        xlabel="step",
        ylabel="loss in nats",
        ylim=(guess - 1, guess + 2),
    )
    axes.legend(fontsize=10)
    start, end = records[0].parts, records[-1].parts
    return figure, (
        f"Losses over {steps[-1]} steps: NIP text from {start['nip_text']:.2f} to"
        f" {end['nip_text']:.2f}, NIP image from {start['nip_image']:.2f} to"
        f" {end['nip_image']:.2f}, CMCL from {start['cmcl']:.2f} to {end['cmcl']:.2f};"
        f" guessing would be {guess:.2f}."
    )


records = watch(training(), curves, every=10)

# %% [markdown]
# Three stages. The first value lies far *above* the line of guessing, beyond the frame of the picture: an untrained model is not
# indifferent, it is confidently wrong. It falls to the line and stands on it for some seventy steps, as if
# nothing could be learnt. Then it comes off, slowly, and it will never reach 0, since most next purchases cannot
# be foreseen. (CMCL does the same on a higher line of its own: it has twice as many candidates.) Is so small a gain worth anything? After each epoch the library ranks all 400 items for the purchase
# held out for validation, and counts how often it is among the first 20 (by chance: 0.05).

# %%
print("Recall@20 after each epoch:", *(f"{recall:.2f}" for recall in recalls))

# %% [markdown]
# A few tenths of a nat are the difference between a guess and a recommendation. What happens on the line?
#
# ## The film
#
# The same training as 24 × 24 cosines of states and next items: the darker, the more alike. **Predict**: what does the
# picture look like on the line of guessing? And how will the diagonal appear: do its fields get darker, or the others lighter?

# %%
from course.similarity import draw_cosines

steps = sorted(film)


def frame(step):
    return draw_cosines(film[step]["matrix"], step)


panel(
    frame,
    slider("step", steps, start=steps[-1], label="step"),
    title="training film",
    static=[{"step": s} for s in (steps[0], steps[len(steps) // 4], steps[-1])],
)

# %% [markdown]
# On the line everything is one dark blue: all vectors have run together, for that is the quickest way out of being wrong.
# It is the *collapse* of the next section, and a training can stay in it: with `lr=1e-2` it does (try it). Here it ends, because
# the gradient of each row still pushes its nearest negatives away.

# %% [markdown] tags=["derivation"]
# Derivation: the loss when all vectors are equal, and why a training goes there
#
# **The value.** Let all states and all next items be one unit vector. Then $h_i \cdot g_j = 1$ for every row $i$ and every
# column $j$. With $B$ next items in the batch, none of them left out,
#
# $$\text{NIP}_i = -\log \frac{e^{1/\tau}}{\sum_{j=1}^{B} e^{1/\tau}} = -\log \frac1B = \log B ,$$
#
# whatever the temperature $\tau$: what all scores have in common cancels. It is the logarithm of the number of candidates that
# compete in the row; what is left out does not count. (CMCL has other candidates; count them in exercise 2.)
#
# **Why the way leads there.** At first the scores $s_{ij} = h_i \cdot g_j / \tau$ know nothing: the right answer stands in any of the $B$
# columns with the same chance, whatever the scores are. So the mean loss of a row, over these chances, is
#
# $$\log \sum_{j} e^{s_{ij}} - \frac1B \sum_j s_{ij} \;=\; \log B + \log \Big( \frac1B \sum_j e^{s_{ij}} \Big) - \frac1B \sum_j s_{ij} \;\ge\; \log B ,$$
#
# since the logarithm of a mean of $e^s$ is never below the mean of $s$ (Jensen), and equal to it only if all scores of the row are
# equal. For a model that knows nothing the best is to be indifferent, and the nearest way to equal scores is to let all vectors
# run together.
#
# **Why it may stay.** There all shares $p_{ij}$ are $1/B$ and all $g_j$ are one vector $g$. The gradient above becomes
#
# $$\frac1\tau \Big( \sum_j \frac1B\, g - g \Big) = 0 .$$
#
# (The items are not pushed either: what item $j$ is pushed by all rows, $B \cdot \frac1B$, and what its own row pulls, 1, cancel.) In exact
# collapse nothing moves. What leads out are the small differences that are left: where they agree with what people buy, to make them
# larger lowers the loss.

# %% [markdown]
# After that *all* fields get lighter, the diagonal a little less than the others. Even at the end it hardly catches the eye: many of
# these customers might well have bought each other's items. How can so small a gap lift the recall so much?

# %%
last = film[steps[-1]]["matrix"]
gap = last.diagonal().mean() - last[~torch.eye(24, dtype=torch.bool)].mean()
print(f"mean cosine of the right item: {gap:.3f} above that of the others")
print(f"divided by 0.07 and put into e^x: a factor of {torch.exp(gap / 0.07):.2f}")

# %% [markdown]
# The right item gets 1.8 times the share of an average rival. Ranking asks for no more than a small difference in the right
# direction, for many customers.
#
# ## Learning or collapse?
#
# A loss curve can mislead. Two numbers say more (Wang & Isola, 2020):
#
# - **alignment**: the mean squared distance of what belongs together; 0 if equal.
# - **uniformity**: how evenly vectors fill their sphere. It is the logarithm of the mean of $e^{-2d^2}$, $d$ the distance of two of
#   them: 0 if all are the same vector, the lower the better spread.
#
# Whoever maps every customer to one vector has perfect alignment and has learnt nothing.

# %%
figure, panels = plt.subplots(1, 2, figsize=(9, 3.4))
panels[0].plot(
    steps, [film[s]["modalities"] for s in steps], marker="o", label="$h_t$ and $h_v$"
)
panels[0].plot(
    steps, [film[s]["next"] for s in steps], marker="s", label="$h_t$ and next item"
)
panels[0].legend()
panels[1].plot(steps, [film[s]["spread"] for s in steps], marker="o", color="#009E73")
begin, end = film[steps[0]], film[steps[-1]]
panels[0].set(
    title=f"Alignment: next items at {end['next']:.2f}",
    xlabel="step",
    ylabel="mean squared distance",
)
panels[1].set(
    title=f"Uniformity: {begin['spread']:.2f}, then {end['spread']:.2f}",
    xlabel="step",
    ylabel="log mean e^(-2 d²)",
)
show(
    figure,
    f"Over {steps[-1]} steps the distance of the two modalities goes from"
    f" {begin['modalities']:.2f} to {end['modalities']:.2f}, that of state and next"
    " item from"
    f" {begin['next']:.2f} to {end['next']:.2f}; uniformity goes from"
    f" {begin['spread']:.2f} to {end['spread']:.2f}.",
)

# %% [markdown]
# Both must be read together. In the first steps pairs come nearer simply because everything does, and uniformity
# rises towards 0, the mark of collapse. From there on it falls: the states spread out, and the pairs pay for it with a little
# distance.
#
# ## On a GPU
#
# Nothing changes but a word, `device="cuda"`. The next cell times some steps on the device that the notebook has found, in
# targets (rows with a loss) per second.


# %%
def targets_per_second(device):
    torch.manual_seed(0)
    fresh = M2SE(ModelConfig(feature_dim=table.width))
    config = PretrainConfig(batch_size=1024, epochs=1)
    seen = list(
        islice(pretrain_steps(fresh, table, sequences, config, device=device), 6)
    )
    steps = [r for r in seen if r.recall is None]  # the first one warms up
    return sum(r.targets for r in steps[1:]) / (steps[-1].seconds - steps[0].seconds)


print(f"cpu: {targets_per_second('cpu'):.0f} targets a second")
if session.device == "cuda":
    print(f"cuda: {targets_per_second('cuda'):.0f} targets a second")
else:
    print("no GPU was found here; with one, this cell compares both")

# %% [markdown]
# `python -m benchmarks.gpu --out gpu.json` measures more: bfloat16, memory, evaluation, keywords. On an NVIDIA H200 a step of
# pre-training took 0.026 seconds for 142 targets, 0.025 for 1,036, and 0.037 for 8,204 (20,000 items, width 768): with small batches the GPU
# mostly waits for its next order, so it pays for large shops and batches (`docs/performance.md`).
#
# ## Exercises
#
# `hint("06.false_negatives")` helps; a solution is folded below each task.

# %%
from collections.abc import Callable  # noqa: F401

import torch
import torch.nn.functional as F
from course import check
from torch import Generator, Tensor, nn  # noqa: F401

# %% [markdown]
# **1.** Which rows must not be negatives of each other?

# %% tags=["exercise"]
check("06.false_negatives", ...)

# %% [markdown]
# **2.** NIP: InfoNCE with the next items of the other rows as in-batch negatives.

# %% tags=["exercise"]
check("06.next_item_loss", ...)

# %% [markdown]
# **3.** CMCL, in both directions.

# %% tags=["exercise"]
check("06.cross_modal_loss", ...)

# %% [markdown]
# **4.** A batch of 64 rows of 64 customers, no next item twice. All vectors have collapsed into one. What
# value has CMCL?

# %% tags=["exercise"]
check("06.collapse", ...)

# %% [markdown]
# **5.** The loss of one step of pre-training: item drop, mixup, NIP and CMCL.

# %% tags=["exercise"]
check("06.pretraining_loss", ...)

# %% [markdown]
# **6.** The training loop.

# %% tags=["exercise"]
check("06.train", ...)

# %% [markdown]
# **7. To find out** (no check, an hour). Pre-train on *outdoor* (`msm4sr pretrain`) with `--set pretrain.cmcl_weight=0`, `0.01` and `1`,
# three seeds each, then fine-tune and evaluate. Is there a difference larger than that between two seeds?

# %% [markdown] tags=["solution"]
# Compare the intervals that `msm4sr evaluate` prints, and the spread of the seeds. On the domain *home*, 12 epochs and
# three seeds could not tell any of the released code's differences from zero (`docs/differences.md`). If yours can, say with
# how many seeds and customers.

# %% [markdown]
# ## What could mislead you here
#
# - The loss depends on the batch size: 3.0 with 64 rows (guessing: 4.2) is better than 2.5 with 16 (2.8). Compare losses of equal batches only.
# - A lower temperature changes the scale of the loss. A lower number is then no better model.
# - The customers of the film are part of the training data up to their last purchases. Whether the model serves
#   *anybody* is shown by ranking the whole catalogue for held-out purchases, not by this picture.
#
# ## In three lines
#
# - NIP is classification among the batch's own next items; CMCL makes the two readings of a customer agree.
# - The temperature decides which negatives push, λ how loud CMCL is; twins and neighbours are no negatives.
# - $\log B$ and $\log(2B - 1)$ are the marks of guessing; alignment without uniformity is collapse.
#
# **Next:** 07 fine-tunes this model for one shop and measures it properly.
