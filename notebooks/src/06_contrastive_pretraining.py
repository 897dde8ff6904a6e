# ---
# jupyter:
#   msm4sr:
#     title: Contrastive pre-training
#     minutes: 32
# ---

# %% [markdown]
# # 06 · Contrastive pre-training
#
# **Question: how can a model learn to recommend when nobody tells it which recommendation is good?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 04 and 05; softmax and cross-entropy | write both losses and the training loop of MSM4SR, train your own model, explain temperature, hard negatives and false negatives, and distinguish learning from collapse | 32 minutes of reading, about 40 seconds of computing |
#
# The method is MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)). The two ideas behind its losses are InfoNCE (van den Oord et al., 2018,
# [arXiv 1807.03748](https://arxiv.org/abs/1807.03748)) and the view of alignment and uniformity (Wang & Isola, 2020,
# [arXiv 2005.10242](https://arxiv.org/abs/2005.10242)).

# %%
from course import setup

session = setup("06")

# %% [markdown]
# ## Which next item belongs to whom?
#
# A shop has no labels that say "this recommendation was good". It has sequences, and every sequence says which item came next. That is enough for a
# task: take eight users, hide the next item of each, shuffle the eight items, and ask which item belongs to which user. A model that can do this has learned
# something about taste. Learning from such a task, whose answers are in the data themselves, is called *self-supervised learning*.
#
# Here are the eight users. The first three rows show what they bought, the last row shows what came next. The next item is the one of the validation part, so
# no model of this course was trained on it.

# %%
import torch
import torch.nn.functional as F
from course import load_parts
from msm4sr_lite import Dataset, build_sequences, load_checkpoint
from msm4sr_lite.features.table_files import load_feature_table

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
trained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
histories, answers = sequences.held_out("valid")
every = torch.arange(len(catalogue))
features = {m: getattr(table, m).gather(every) for m in ("text", "image")}
players = [107, 109, 40, 41, 42, 43, 44, 45]

# %% tags=["plot"]
from course import item_card, show_html, strips


def make_card(user, place):
    item = dataset.items[catalogue[histories[user][place] if place else answers[user]]]
    return item_card(item, "image", folder, [[item.title or "no title"]], size=48)


rows = {"3rd last": -3, "2nd last": -2, "last": -1, "next": 0}
cards = {name: [make_card(u, place) for u in players] for name, place in rows.items()}
caption = "Eight users, a column each: their last three items, and the next one."
show_html(*strips(cards, [f"user {i}" for i in range(8)], caption))

# %% [markdown]
# Your model from notebook 05 plays now. It gets the weights that the library has pre-trained on the sample (those of its best epoch, the 142nd). They fit, because your model and the library's
# have the same parameters. For each user it computes the *sequence representation* $h$ from the history, for each candidate the *item embedding* $z$. A user gets the item
# whose $z$ has the highest cosine with $h$. Only the text modality plays for the moment.

# %%
from course import number, predict

question = "To how many of the eight users does the model give the right item? "
question += "A guess is right once, on average."
predict("06.match", question, number(0, 8, "users"))

# %%
from course import reveal
from course.learning import encode_users

mine = load_parts()
model = mine.M2SE(table.width)
model.load_state_dict(trained.state_dict())
eight = [histories[u] for u in players]
h, z = encode_users(mine, model.eval(), features, eight, answers[players])
cosines = mine.cosine_scores(h["text"], z["text"])
chosen = answers[players][cosines.argmax(dim=1)]
right = chosen == answers[players]
print("users who get the right item:", *right.nonzero()[0])
reveal("06.match", int(right.sum()), close=1)

# %% [markdown]
# Far from perfect, and far better than a guess. How does a model get there?
#
# ## InfoNCE: the loss of this task
#
# We need a loss that is low when every user finds the right item. The standard choice is *InfoNCE*. Each row of the table below is a classification: the
# cosines of $h_i$ with all candidates, divided by a *temperature* $\tau$, are the logits; the right class of row $i$ is column $i$. The loss is given in *nats*, the
# unit of the natural logarithm.

# %%
from course import drawing

drawing("infonce")

# %% [markdown]
# The right item is called the *positive*. The items of the other rows are the *in-batch negatives*: they are in the batch anyway, so nobody has to collect or to encode
# them. For row $i$ of a batch with $B$ rows,
#
# $$\text{NIP}_i = -\log \frac{e^{\cos(h_i,\, z_i)/\tau}}{\sum_{j=1}^{B} e^{\cos(h_i,\, z_j)/\tau}}
#   = \log \sum_{j=1}^{B} e^{\cos(h_i,\, z_j)/\tau} - \frac{\cos(h_i, z_i)}{\tau} .$$
#
# MSM4SR calls this use of InfoNCE *next item prediction* (NIP). It is computed twice, for $h_t$ with text embeddings and for $h_v$ with image embeddings. One value is worth
# remembering: if all cosines of a row are equal, the loss is $\log B$. That is the loss of a guess.
#
# One detail can spoil the loss. Users 0 and 1 above have the same next item. For user 0 the item of user 1 is a right answer, yet the loss
# would push it away. Such a pair is a *false negative*, and in a shop with best-sellers there are many. We exclude these pairs: they neither attract nor repel.
#
# **Your turn.** Which rows must not be negatives of each other? (The second argument is needed later in this notebook.)

# %%
from collections.abc import Callable  # noqa: F401

from course import check
from torch import Generator, Tensor, nn  # noqa: F401

# %% tags=["exercise"]
check("06.false_negatives", ...)

# %% [markdown]
# **Your turn.** NIP itself. Excluded pairs get the logit $-\infty$.

# %% tags=["exercise"]
check("06.next_item_loss", ...)

# %% [markdown]
# The library does the same in three lines. (The first axis of `logits` is for a variant with several states per row; here it has length 1.)

# %%
from course import source
from msm4sr_lite import losses

source(losses.next_item_loss, only=("logits =", "return"))

# %% [markdown]
# ## Temperature and hard negatives
#
# A cosine lies between −1 and 1, and a softmax of such small numbers is almost flat. So the cosines are divided by $\tau$ first. What does
# that change? The panel shows the softmax of the eight users; a dark diagonal means that the model is sure of the right items. Move the temperature, and
# exclude the false negatives of users 0 and 1.

# %%
from course import panel, slider, toggle
from course.similarity import draw_softmax

mine = load_parts()
next_items = torch.as_tensor(answers[players])
diagonal = torch.eye(len(players), dtype=torch.bool)


def contrast(tau, exclude):
    masked = mine.false_negatives(next_items) if exclude else diagonal
    loss = mine.next_item_loss(h["text"], z["text"], masked, tau)
    others = masked & ~diagonal
    p = (cosines / tau).masked_fill(others, -torch.inf).softmax(dim=1)
    return draw_softmax(p, others, float(loss)), (
        f"Softmax of the eight users at temperature {tau:g}, false negatives"
        f" {'excluded' if exclude else 'kept'}: loss {loss:.2f}; the right item gets"
        f" {p.diagonal().mean():.0%} on average."
    )


panel(
    contrast,
    slider(
        "tau", [0.02, 0.05, 0.07, 0.1, 0.2, 0.5, 1.0], start=0.07, label="temperature"
    ),
    toggle("exclude", False, label="exclude false negatives"),
    title="contrastive bench",
    static=[{"tau": 1.0}, {"tau": 0.07, "exclude": True}],
)

# %% [markdown]
# With $\tau = 1$ every row is almost flat, whatever the model knows. With a small $\tau$ each row is sure of something, right or wrong. MSM4SR's released code
# uses 0.07.
#
# The temperature also decides *which negatives teach*. A negative that is similar to $h_i$ is called a *hard negative*. Let $p_{ij}$ be the softmax
# probability of item $j$ in row $i$. The gradient of $\text{NIP}_i$ contains the embedding of each negative with the weight $p_{ij}$, so a negative without
# probability does not push at all.

# %%
question = (
    "Now 64 users, at temperature 0.05: add up the weights of a user's negatives."
)
question += " What share of the sum does the most similar negative get?"
predict("06.hard", question, number(0, 100, "%"))

# %%
from course.learning import USERS

some = [histories[u] for u in USERS]
targets64 = torch.as_tensor(answers[list(USERS)])
h64, z64 = encode_users(mine, model, features, some, targets64.numpy())
cosines64 = mine.cosine_scores(h64["text"], z64["text"])
masked64 = mine.false_negatives(targets64)
weights = {}
for tau in (0.05, 0.2, 1.0):
    negatives = (cosines64 / tau).masked_fill(masked64, -torch.inf).softmax(dim=1)
    weights[tau] = negatives.sort(dim=1, descending=True).values.mean(dim=0)
reveal("06.hard", 100 * weights[0.05][0].item(), close=5)

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import show

figure, axes = plt.subplots(figsize=(6.5, 3.2))
for (tau, weight), marker in zip(weights.items(), "os^", strict=True):
    axes.plot(range(1, 11), weight[:10], marker=marker, label=rf"$\tau$ = {tau:g}")
axes.set(
    title="A small temperature favours hard negatives",
    xlabel="negatives of a row, the most similar first",
    ylabel="share of the weight",
    ylim=(0, None),
)
axes.legend()
show(
    figure,
    "Share of the weight of the most similar negative: "
    + ", ".join(f"{w[0]:.0%} at temperature {t:g}" for t, w in weights.items())
    + f". An equal share would be {1 / 63:.0%}.",
)

# %% [markdown]
# At $\tau = 1$ all negatives push about alike. At a small $\tau$ a few hard negatives do most of the work. This makes training effective, and it makes
# false negatives expensive, because they are among the hardest negatives.
#
# The exact gradient with respect to $h$ contains one more factor, the derivative of the normalization. It is derived in the fold below, and the cell after it compares the
# formula with autograd.

# %% [markdown] tags=["derivation"]
# Derivation: the gradient of NIP with respect to h
#
# Write $\hat h = h / \lVert h \rVert$ and $\hat z = z / \lVert z \rVert$ for unit vectors. With respect to the unit vector, treated as a free variable,
#
# $$\frac{\partial\, \text{NIP}_i}{\partial \hat h_i} = \frac1\tau \Big( \sum_j p_{ij}\, \hat z_j - \hat z_i \Big) .$$
#
# But $\hat h_i$ is not free: it is $h_i$ after normalization, and the Jacobian of the normalization is $(I - \hat h_i \hat h_i^\top) / \lVert h_i \rVert$. So
#
# $$\frac{\partial\, \text{NIP}_i}{\partial h_i} = \frac{1}{\tau\, \lVert h_i \rVert} \big( I - \hat h_i \hat h_i^\top \big) \Big( \sum_j p_{ij}\, \hat z_j - \hat z_i \Big) .$$
#
# The matrix $I - \hat h_i \hat h_i^\top$ projects onto the *tangent space* of the sphere at $\hat h_i$: it removes the component along $h_i$. That must be so, because the
# length of $h_i$ has no effect on a cosine. A step of descent turns $h_i$ towards its own item, and away from each negative in proportion to its probability.

# %%
free = h["text"].clone().requires_grad_()
loss = mine.next_item_loss(free, z["text"], diagonal, 0.07)
(gradient,) = torch.autograd.grad(len(free) * loss, free)  # the sum over the rows

unit_h, unit_z = F.normalize(h["text"], dim=1), F.normalize(z["text"], dim=1)
p = (cosines / 0.07).softmax(dim=1)
pull = (p @ unit_z - unit_z) / 0.07
tangent = pull - (pull * unit_h).sum(dim=1, keepdim=True) * unit_h
formula = tangent / h["text"].norm(dim=1, keepdim=True)
print(f"autograd against the formula: {(gradient - formula).abs().max():.4f} apart")
print(f"without the projection:       {(gradient - pull).abs().max():.2f} apart")

# %% [markdown]
# ## CMCL: two modalities of one user
#
# NIP compares $h_t$ with texts and $h_v$ with images. Nothing yet says that $h_t$ and $h_v$ describe the same user. *Cross-modality contrastive learning* (CMCL) does. For
# $h_{t,i}$, called the *anchor*, the positive is $h_{v,i}$, the image representation of the same sequence.

# %%
drawing("cross_modality")

# %% [markdown]
# The negatives are the image *and* the text representations of other rows:
#
# $$\text{CMCL}_i = -\log \frac{e^{\cos(h_{t,i},\, h_{v,i})/\tau}}{\sum_j e^{\cos(h_{t,i},\, h_{v,j})/\tau} + \sum_{j \ne i} e^{\cos(h_{t,i},\, h_{t,j})/\tau}}$$
#
# and the same with text and image exchanged. The loss is the mean of both directions.
#
# In training a row is a *position* of a sequence (notebook 05), so many rows belong to one user. Their representations should be similar. As negatives they would be
# pushed apart, so CMCL excludes rows of the same user as well. NIP keeps them: an item that the user bought *earlier* is a good negative for what comes *next*.
#
# **Your turn.** CMCL, the mean of both directions.

# %% tags=["exercise"]
check("06.cross_modal_loss", ...)

# %% [markdown]
# The loss of a step is $\text{NIP}_t + \text{NIP}_v + \lambda\,\text{CMCL}$. Both kinds pull at the same $h_t$. How much of the pull comes from CMCL?

# %%
from course import pick

question = (
    "λ is 0.01. In an untrained model, CMCL's gradient at h_t is what part of NIP's?"
)
predict("06.weight", question, pick("about 1 %", "about 10 %", "about the same"))

# %%
torch.manual_seed(0)
untrained = mine.M2SE(table.width).eval()
pulls = {}
for name, its in (("untrained", untrained), ("trained", model)):
    state, item = encode_users(mine, its, features, some, targets64.numpy())
    text = state["text"].clone().requires_grad_()
    nip = mine.next_item_loss(text, item["text"], masked64)
    cmcl = mine.cross_modal_loss(text, state["image"], masked64)
    pulls[name] = [torch.autograd.grad(one, text)[0].norm() for one in (nip, cmcl)]
for name, (of_nip, of_cmcl) in pulls.items():
    share = 0.01 * of_cmcl / of_nip
    print(f"{name}: {share:.1%} with λ = 0.01; equal with λ = {of_nip / of_cmcl:.1f}")
ratio = float(0.01 * pulls["untrained"][1] / pulls["untrained"][0])
bands = ("about 1 %", 0.03), ("about 10 %", 0.3), ("about the same", 9)
reveal("06.weight", next(band for band, limit in bands if ratio < limit))

# %% [markdown]
# With the default λ, CMCL pulls very little. Does it help at all? Only an ablation can tell: a comparison with the same model trained without it. Notebook 07
# shows the ablations of every part, with intervals.
#
# ## Your model learns
#
# All parts are there. One step of pre-training goes like this: drop items and exchange modalities (notebook 04), encode (notebook 05), compare with the targets (this notebook).

# %%
drawing("gradients")

# %% [markdown]
# **Your turn.** The loss of one step.

# %% tags=["exercise"]
check("06.pretraining_loss", ...)

# %% [markdown]
# **Your turn.** The training loop. Nearly every network is trained by these ten lines.

# %% tags=["exercise"]
check("06.train", ...)

# %% [markdown]
# Now train it from random weights. The figure shows the loss of every step minus the loss of a guess in the same batch, so 0 means "no better than a guess".

# %%
question = "Where is the loss of the very first step, with random weights?"
answer = pick("far above a guess", "about a guess", "below a guess")
predict("06.first", question, answer)

# %% tags=["nbval-ignore-output"]
# Not compared: trained for 150 steps, in which rounding differs between processors.
from course.learning import Learning, users_by_purpose

mine = load_parts()
torch.manual_seed(0)
model = mine.M2SE(table.width)
generator = Generator().manual_seed(0)
items = [None, *(dataset.items[one] for one in catalogue[1:])]
notes = Learning(mine, model, features, sequences, users_by_purpose(items, answers))
train = [s.tolist() for s in sequences.train() if len(s) > 1]


def loss_of(items, targets):
    return mine.pretraining_loss(model, features, items, targets, generator)


options = {"batch_size": 64, "report": notes.report}
mine.train(model, notes.watch(loss_of), train, 8, 2e-3, generator, **options)
notes.finish()

# %%
start = notes.excess[0]
far = "far above a guess" if start > 1 else "about a guess"
reveal("06.first", far if start > -1 else "below a guess")

# %% [markdown]
# Three phases. An untrained model is not undecided: its cosines differ at random, and a small $\tau$ makes it confident and wrong. Then the loss falls to that of a
# guess and stays there for a while. At last it falls below, slowly. The loss itself will never come near 0, because most next items cannot be foreseen.
#
# The gain below the line looks tiny. Yet Recall@20, measured among all items for the validation item of every user, rises to several times the level of chance. Ranking needs
# only small differences in the right direction.
#
# ## Learning or collapse?
#
# What happens while the loss stays at the level of a guess? The film shows the cosines of 64 users ($h_t$) and their next items ($z_t$). From each
# cosine the mean of its row is subtracted, because only differences within a row change the loss or a ranking: orange is above the mean, purple below. The
# users are sorted by what their next item is *for* (eight purposes, eight users each). The model is not told these purposes.

# %%
question = "What does the film show while the loss stays at the level of a guess?"
answer = pick("almost all fields white", "strong colours at random", "orange blocks")
predict("06.film", question, answer)

# %% tags=["nbval-ignore-output"]
# Not compared: the frames of the trained model above.
from course.similarity import centre_rows, draw_cosines

steps = sorted(notes.film)
stills = [{"step": s} for s in (steps[0], steps[3], steps[-1])]


def frame(step):
    figure, alt = draw_cosines(notes.film[step]["cosines"], step)
    for border in range(8, 64, 8):  # between two purposes
        figure.axes[0].axhline(border - 0.5, color="black", linewidth=0.5)
        figure.axes[0].axvline(border - 0.5, color="black", linewidth=0.5)
    same = torch.eye(8).repeat_interleave(8, 0).repeat_interleave(8, 1).bool()
    centred = centre_rows(notes.film[step]["cosines"])
    inside, outside = centred[same].mean(), centred[~same].mean()
    return (
        figure,
        f"{alt} Mean in the blocks: {inside:+.2f}, elsewhere: {outside:+.2f}.",
    )


film_slider = slider("step", steps, start=steps[-1], label="step", live=True)
panel(frame, film_slider, title="training film", static=stills)

# %%
spread = {s: centre_rows(notes.film[s]["cosines"]).std() for s in (0, steps[3])}
faint = spread[steps[3]] < spread[0] / 5
reveal("06.film", "almost all fields white" if faint else "strong colours at random")

# %% [markdown]
# In that phase all representations are almost the same vector. This is *representation collapse*. It is the shortest way out of being confidently wrong: equal vectors give equal
# scores, and equal scores cost no more than a guess. Here the collapse ends, because small differences that agree with the data lower the loss, and the gradient makes
# them grow. With a learning rate that is too high a training can stay collapsed.
#
# Then orange blocks appear on the diagonal. The model has found out what a user's next item is for, although nobody told it. Neighbouring blocks are orange too: the simulated users go
# through the purposes in this order, and sometimes skip one. Which item of a purpose it will be depends on looks, popularity and chance, so the diagonal itself stays faint.
#
# **Your turn.** NIP of a collapsed model is $\log B$. What is the value of CMCL, in a batch of 64 rows of 64 users with 64 different next items?

# %% tags=["exercise"]
check("06.collapse", ...)

# %% [markdown] tags=["derivation"]
# Derivation: why a training goes to collapse, and why it may stay there
#
# **Why it goes there.** At first the scores $s_{ij} = \cos(h_i, z_j) / \tau$ know nothing about users: the positive may stand in any of the $B$ columns with equal
# probability. The expected loss of a row is then
#
# $$\log \sum_{j} e^{s_{ij}} - \frac1B \sum_j s_{ij} \;=\; \log B + \log \Big( \frac1B \sum_j e^{s_{ij}} \Big) - \frac1B \sum_j s_{ij} \;\ge\; \log B ,$$
#
# because the logarithm of a mean of $e^s$ is never below the mean of $s$ (Jensen's inequality). Equality holds only if all scores of the row are equal. So for a model that knows
# nothing, equal scores are best, and one vector for everything is a simple way to have them.
#
# **Why it may stay.** In exact collapse all $p_{ij}$ are $1/B$ and all $\hat z_j$ are one vector $\hat z$. Then
# $\sum_j p_{ij}\, \hat z_j - \hat z_i = 0$, so the gradient of every $h_i$ is 0. The items do not move either: the push of all rows on item $j$ adds up to $B \cdot \frac1B = 1$ and cancels the
# pull of its own row. Only the differences that are left can lead out.

# %% [markdown]
# A loss curve alone does not show collapse. Two measures do, both of embeddings that are scaled to length 1:
#
# - *alignment*: the mean squared distance of vectors that belong together, $\mathbb E\,\lVert \hat a - \hat b \rVert^2$; 0 if they are equal;
# - *uniformity*: the logarithm of the mean of $e^{-2 d^2}$, where $d$ is the distance of two different users; 0 if all are equal, and lower the more evenly they are spread.
#
# A collapsed model has perfect alignment and the worst uniformity. Good representations need both to be low.

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: alignment and uniformity of the trained model above.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for key, label, marker in (
    ("modalities", "$h_t$ and $h_v$", "o"),
    ("next_items", "$h_t$ and next $z_t$", "s"),
):
    left.plot(steps, [notes.film[s][key] for s in steps], marker=marker, label=label)
left.set(
    title="Alignment", xlabel="step", ylabel="mean squared distance", ylim=(0, None)
)
left.legend(fontsize=10)
spread = [notes.film[s]["uniformity"] for s in steps]
right.plot(steps, spread, marker="o", color="#009E73")
right.set(
    title="Uniformity: near 0 is collapse", xlabel="step", ylabel="uniformity of $h_t$"
)
show(
    figure,
    f"Uniformity starts at {spread[0]:.1f}, rises to {max(spread):z.1f} and ends at"
    f" {spread[-1]:.1f}. The distance of users and next items starts at"
    f" {notes.film[0]['next_items']:.1f}, falls to"
    f" {min(f['next_items'] for f in notes.film.values()):.1f} and ends at"
    f" {notes.film[steps[-1]]['next_items']:.1f}.",
)

# %% [markdown]
# Read both together. At first pairs come closer only because everything comes closer: uniformity rises to almost 0. Then the users spread out again, while the
# distance within pairs grows only a little. That is learning.
#
# ## On a GPU
#
# How fast is pre-training on a GPU? That depends on the batch. We measure it on yours, or show a stored log of one.

# %%
question = (
    "On a GPU, a step of 1,036 targets takes how many times as long as one of 142?"
)
predict("06.gpu", question, pick("about as long", "about 3 times", "about 7 times"))

# %% tags=["plot"]
from course.gpu_log import draw_gpu_log, measure_gpu, read_gpu_log

about, log = measure_gpu() if session.device == "cuda" else read_gpu_log()
show(*draw_gpu_log(about, log))
times = log[1]["float32"] / log[0]["float32"]
bands = ("about as long", 2), ("about 3 times", 5), ("about 7 times", 99)
reveal("06.gpu", next(band for band, limit in bands if times < limit))

# %% [markdown]
# With small batches a GPU mostly waits for the CPU to give it the next operation, so a larger batch costs almost no time. *bfloat16* is a number format of 16 bits that speeds up
# large matrix products; a model as small as this one gains nothing from it. `python -m benchmarks.gpu --out gpu.json` measures more
# ([performance](../docs/performance.md)).
#
# ## What could mislead you here
#
# - **The loss depends on the batch size.** The loss of a guess is $\log B$. Compare losses only between equal batches, or subtract that of a guess.
# - **A lower temperature changes the scale of the loss.** A lower loss at another temperature does not mean a better model.
# - **In-batch negatives are not random items.** Popular items occur in many batches and are negatives often, which lowers their scores. Notebook 08 looks at how popular the recommended items are.
# - **The share of the gradient is not the benefit.** Gradients say how strongly a loss pulls, not whether the pull helps.

# %%
from course import quiz

quiz("06")

# %% [markdown]
# ## What to remember
#
# - NIP is InfoNCE with the next items of the batch as negatives; CMCL brings the two modalities of a user together.
# - The temperature decides how much hard negatives count; false negatives must be excluded.
# - $\log B$ is the loss of a guess; alignment without uniformity is collapse.
#
# **Next:** 07 fine-tunes your model, races it against baselines, and asks what each part of the method contributes.
