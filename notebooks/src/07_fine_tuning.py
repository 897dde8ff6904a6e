# ---
# jupyter:
#   msm4sr:
#     title: Fine-tuning and honest figures
#     minutes: 35
# ---

# %% [markdown]
# # 07 · Fine-tuning, and what its figures are worth
#
# **Question: the pre-trained model has never seen an item id. Does it pay to fine-tune it on the shop, and how would we know?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 01 and 06; means, standard errors | fine-tune, rank the whole catalogue, put an interval on every figure, compare two models pair by pair, and say how far from the best possible they are | 35 minutes of reading, about 40 seconds of computing |

# %%
from course import setup

session = setup("07")

# %% [markdown]
# ## Where we stand
#
# We take the model that contrastive pre-training left (notebook 06), the same customers, and the purchase of each that has been
# held out for the test. Nothing is trained yet.

# %%
import torch
from msm4sr_lite import Dataset, load_checkpoint
from msm4sr_lite.baselines import ItemKNN, Popularity
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.evaluation import metrics, rank_of, target_ranks
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.scoring import ModelScorer

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
pretrained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
histories, targets = sequences.held_out("test")
print(f"{len(targets)} users, {sequences.n_items} items")

# %% [markdown]
# Everybody in a comparison must get the same: the same purchases to learn from, the same questions, the same candidates (here
# all items that the customer does not have yet), the same rule for ties. One contract makes that easy: whatever
# returns a score for every item can be ranked. (In the code of `rank_of`, look for
# `better_or_equal`: the items that score at least as high as the target. `target_ranks` calls it batch by batch.)

# %%
from course import source

source(rank_of)
source(target_ranks)

# %% [markdown]
# **Predict.** Three recommenders: the best-sellers for everybody; items that were bought by the same people; the pre-trained model, which
# knows texts, pictures and the order of purchases, but has no idea which item is popular. Which order will they have?

# %%
ranks = {}


def measure(name, scorer):
    ranks[name] = target_ranks(scorer, histories, targets, filter_seen=True)
    return metrics(ranks[name])["ndcg@10"].mean()


for name, scorer in (
    ("popularity", Popularity(sequences)),
    ("ItemKNN", ItemKNN(sequences)),
    ("pre-trained", ModelScorer(pretrained, table)),
):
    print(f"{name:<13} NDCG@10 {measure(name, scorer):.3f}")

# %% [markdown]
# Without having been told a single id, the pre-trained model is ahead. It learnt from the same purchases, mind you; what it may be
# worth in *another* shop is the subject of notebook 08.
#
# ## The loss of fine-tuning
#
# In pre-training a customer chose among the items of the batch. Now the choice is among **all** items $j$ of the catalogue,
# and an item may have a vector of its own, $\mathrm{id}_j$, added in both views, which starts near zero and is learnt:
#
# $$\hat y_{j} = \cos(h_t,\; z_{t,j} + \mathrm{id}_j) + \cos(h_v,\; z_{v,j} + \mathrm{id}_j)
# \qquad \mathcal L = -\log \frac{e^{\hat y_{\text{next}}/\tau}}{\sum_j e^{\hat y_j/\tau}}$$
#
# The states $h$ come from sequences of the same sums, so the ids work on both sides. In the library:

# %%
from msm4sr_lite.losses import ranking_loss

source(ranking_loss)

# %% [markdown]
# ## Fine-tune it
#
# Eight passes (*epochs*) over the training purchases with a learning rate of 0.001 (the paper's code takes 0.0001 and up to 300 passes; this is the
# short way). After each pass the purchase before the last, held out for validation, is ranked.
# **Predict**: by how much will Recall@20 rise? And does the loss, or the recall, stop improving first?

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
from course import PALETTE, show, watch
from msm4sr_lite.config import FinetuneConfig
from msm4sr_lite.initialize import transfer
from msm4sr_lite.training import finetune_steps, validation_recall

before = validation_recall(pretrained, table, sequences)
config = FinetuneConfig(lr=1e-3, epochs=8, batch_size=512)


def fine_tune(config, seed=0):
    torch.manual_seed(seed)
    model = transfer(pretrained, sequences.n_items if config.use_ids else 0)
    return model, finetune_steps(model, table, sequences, config, seed=seed)


def curves(records):
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    steps = [r for r in records if r.recall is None]
    epochs = [r for r in records if r.recall is not None]
    axes[0].plot([r.step for r in steps], [r.loss for r in steps])
    recall = [before, *(r.recall for r in epochs)]
    axes[0].set(
        title=f"Training loss: {steps[-1].loss:.2f} at the end",
        xlabel="step",
        ylabel="loss in nats",
    )
    axes[1].plot(range(len(recall)), recall, marker="o", color=PALETTE[1])
    axes[1].set(
        title=f"Validation: best after pass {recall.index(max(recall))}",
        xlabel="pass",
        ylabel="Recall@20",
    )
    return figure, (
        f"Over {len(steps)} steps the loss goes from {steps[0].loss:.2f} to"
        f" {steps[-1].loss:.2f} nats; Recall@20 on validation goes from {before:.3f}"
        f" before to {recall[-1]:.3f} after {len(epochs)} passes, at best"
        f" {max(recall):.3f}."
    )


model, training = fine_tune(config)
records = watch(training, curves, every=12)
print(
    f"{'fine-tuned':<13} NDCG@10 {measure('fine-tuned', ModelScorer(model, table)):.3f}"
)

# %% [markdown]
# The loss falls, with jumps, since every batch asks other questions; the recall rises by fits and starts. In a longer training it is usually the recall that stops first: a model with
# a vector for every item can always remember more of what it has seen. That is why the weights of the best pass on *validation* are kept, and why the
# test purchases play no part here: whoever looks at them to decide when to stop has no test any more.
#
# ## How sure is a figure?
#
# The test asked 1,200 customers one question each. Other customers would have given another figure. How different? The **bootstrap**
# draws 1,200 customers out of our 1,200, with replacement, takes the mean, and does so 1,000 times; the middle 95 % of
# these means are the interval.
# **Predict** how the interval's width changes with a quarter of the customers: the same, twice, four times as wide?

# %%
import numpy as np
from course import panel, slider
from course.intervals import draw_intervals, format_interval
from msm4sr_lite.intervals import summarise

ORDER = ["popularity", "ItemKNN", "pre-trained", "fine-tuned"]
user_order = np.random.default_rng(0).permutation(len(targets))


def forest(users):
    some = user_order[:users]
    found = summarise({n: metrics(ranks[n][some], [10])["ndcg@10"] for n in ORDER})
    width = found["fine-tuned"]["high"] - found["fine-tuned"]["low"]
    figure, axes = plt.subplots(figsize=(7.5, 2.4))
    draw_intervals(axes, found)
    axes.set(
        title=f"{users} users: fine-tuned ± {width / 2:.3f}",
        xlabel="NDCG@10, 95 % interval",
        xlim=(0, 0.3),
    )
    values = "; ".join(f"{name} {format_interval(found[name])}" for name in ORDER)
    return figure, f"{users} users, NDCG@10: {values}."


panel(
    forest,
    slider("users", [25, 50, 100, 300, 600, 1200], start=1200, label="users"),
    title="intervals",
    static=[{"users": 1200}, {"users": 300}, {"users": 50}],
)

# %% [markdown]
# A quarter of the customers, twice the width: the error goes with $1/\sqrt{n}$. With 50 customers almost any order could
# have come out, and you will find papers whose test sets are not much larger than that.
#
# Popularity found nothing for those 50. A bootstrap can only repeat what was seen, so it has nothing to vary: the marker is open and
# has no whisker, for a width of 0 would claim certainty. What can be said is the *rule of three*: if more than $3/n$ of all
# customers were hits, here 6 %, $n$ customers in a row would miss less than one time in twenty.

# %% [markdown] tags=["derivation"]
# Derivation: why it is customers that are drawn, and not purchases
#
# Here each customer was asked one question. With a split by date, or with several test purchases each, a customer answers several, and these
# are not independent: who buys what everybody buys is easy each time, who has a rare taste is hard each time.
#
# Let $n$ customers answer $m$ questions each. Let $\sigma^2$ be the variance of one answer (of its NDCG, say) and $\rho$ the correlation of two
# answers of the *same* customer; different customers are independent. The mean $\bar x_u$ of customer $u$ has the variance
#
# $$\operatorname{Var}(\bar x_u) = \frac{1}{m^2} \big( m\,\sigma^2 + m (m - 1)\, \rho\, \sigma^2 \big) = \frac{\sigma^2}{m} \big( 1 + (m - 1)\, \rho \big) ,$$
#
# since there are $m$ variances and $m (m - 1)$ ordered pairs. The mean over all customers has an $n$-th of it:
#
# $$\operatorname{Var}(\bar x) = \frac{\sigma^2}{n m} \big( 1 + (m - 1)\, \rho \big) .$$
#
# Whoever draws the $n m$ answers one by one acts as if $\rho$ were 0, and gets an interval that is too narrow by the factor
# $\sqrt{1 + (m - 1)\, \rho}$. With 5 questions and $\rho = 0.3$ that is 1.5; with $\rho = 1$, the same answer five times, it is $\sqrt 5$: nothing was learnt by asking again.
# A bootstrap that draws *customers*, each with all their answers, needs to know no $\rho$: what belongs together stays together
# (the argument `users` of `summarise`).

# %% [markdown]
# ## Pairs say more
#
# The intervals of two models overlap. Can the difference still be statistically significant? Often yes. Both have answered the *same* questions: easy customers
# are easy for both. So subtract first, customer by customer, and put the interval on the **difference**.

# %%
from msm4sr_lite.study.paired import paired

gain = paired([ranks["fine-tuned"]], [ranks["pre-trained"]])["ndcg@10"]
one = metrics(ranks["fine-tuned"])["ndcg@10"]
two = metrics(ranks["pre-trained"])["ndcg@10"]
apart = 1.96 * np.sqrt(one.var() / len(one) + two.var() / len(two))
together = (gain["high"] - gain["low"]) / 2
print(f"fine-tuned minus pre-trained: {gain['value']:+.4f}")
print(f"  as two independent samples: ± {apart:.4f}")
print(f"  pair by pair:                    ± {together:.4f}")
print(f"  correlation of the two:          {np.corrcoef(one, two)[0, 1]:.2f}")
print(f"  smallest gain it could show:     {gain['detectable']:.4f}")

# %% [markdown]
# The last line is worth asking *before* a study: with these customers, a true gain smaller than that would be missed more than one time in
# five. It is larger than the ± above it: a true gain just as large as the ± (1.96 standard errors) is found only every second time; to be
# found four times in five it must be 2.8 of them. A small test set does not only blur; it makes you miss what is there.
#
# One more doubt: the model itself. Another seed gives other first weights, another order, another dropout. A
# study therefore repeats every training with several seeds and adds both kinds of doubt. `msm4sr study main` does all this for a dozen models, tunes each
# with the same budget on validation alone, and corrects for having asked many questions at once (exercise 3):
#
# ```
# msm4sr study main data_samples/corner_shop --domain home --quick
# ```
#
# ## How far from the best possible?
#
# An NDCG@10 of 0.14: is that good or bad? In a real shop nobody knows; people are not that predictable. In the sample they are simulated, so the
# best possible forecast can be worked out exactly: the **oracle** knows everything about how people shop here; the **content
# oracle** knows it too, but sees of an item only what its text and pictures show.
# **Predict** the share of the content oracle's NDCG that the fine-tuned model reaches.

# %%
from msm4sr_lite.baselines.oracle import load_oracles

for kind, oracle in load_oracles(folder, sequences).items():
    print(f"upper bound, {kind:<8} NDCG@10 {measure(kind, oracle):.3f}")
best = metrics(ranks["content"])["ndcg@10"].mean()
for name in ORDER:
    print(f"{name:<13} {metrics(ranks[name])['ndcg@10'].mean() / best:5.0%} of content")

# %% [markdown]
# Even the oracle, which nobody can beat, is right at the first place only now and then: chance decides the rest. Judge a figure by what
# is possible, not by 1.
#
# ## Where is it lost?
#
# In this shop new items come at a certain day, and every customer's last purchase lies after it. So some test items
# have never been bought by anybody. **Predict**: is the fine-tuned model better or worse on them than the pre-trained one it came from?

# %%
counts = np.bincount(np.concatenate(sequences.train()), minlength=len(catalogue))
groups = {"seen in training": counts[targets] > 0, "never seen": counts[targets] == 0}
names = ["ItemKNN", "pre-trained", "fine-tuned", "content"]
means = {
    group: [metrics(ranks[name][rows])["ndcg@10"].mean() for name in names]
    for group, rows in groups.items()
}
figure, axes = plt.subplots(figsize=(8, 3.2))
for place, (group, values) in enumerate(means.items()):
    bars = axes.bar(
        np.arange(len(names)) + 0.4 * place - 0.2,
        values,
        width=0.38,
        label=f"{group} ({groups[group].sum()} users)",
        color=PALETTE[place],
        hatch=["", "//"][place],
    )
    axes.bar_label(bars, fmt="%.3f", padding=2)
axes.set(
    title="New items are lost in fine-tuning",
    ylabel="NDCG@10",
    xticks=range(len(names)),
    xticklabels=[*names[:3], "oracle (content)"],
    ylim=(0, 0.3),
)
axes.legend()
show(
    figure,
    "NDCG@10 on items seen in training and on items never seen: "
    + "; ".join(
        f"{name} {a:.3f} and {b:.3f}"
        for name, a, b in zip(names, *means.values(), strict=True)
    )
    + ".",
)

# %% [markdown]
# In the softmax over the catalogue an item that nobody has bought is a wrong answer in *every* row, never a right one. Eight passes
# teach the model that such items are not bought. But they had not come yet! The setting `candidates="seen"` leaves them out of
# the sum. **Predict** what that does to the items sold before.

# %%
fair, training = fine_tune(replace(config, candidates="seen"))
for _ in training:
    pass
measure("fair", ModelScorer(fair, table))
everybody = np.ones(len(targets), dtype=bool)
for group, rows in {**groups, "all": everybody}.items():
    old, new = (
        metrics(ranks[name][rows])["ndcg@10"].mean() for name in ("fine-tuned", "fair")
    )
    print(f"{group:<16} all items compete {old:.3f}   only those seen {new:.3f}")

# %% [markdown]
# The new ones gain, and those sold before lose: now there are more rivals to be taken seriously. On average little changes, yet one
# of the two models can recommend what has just arrived and the other cannot. And it is still far from what texts and pictures
# would allow: how to treat items without a past is the whole of notebook 08.
#
# ## Do two models serve the same users?
#
# ItemKNN counts who bought what, and our model reads texts, images and the order of the purchases. Two models with equal NDCG may
# find the targets of *different* users. Then they are **complementary**, and a combination can be better than both. So we count
# four shares of the users: the target is among the first ten of both lists, of one of them, or of neither. The *oracle union*
# counts everybody whom at least one model serves: no choice between the two lists can do better. **Predict**: of the users whom
# ItemKNN serves, how many does the fine-tuned model miss?

# %%
from msm4sr_lite.study.complementarity import complementarity

pairs = [("fair", "fine-tuned"), ("fair", "pre-trained"), ("fair", "ItemKNN")]
shares = {
    pair: complementarity(*(ranks[name] for name in pair), k=10) for pair in pairs
}
labels = [f"{a} (a)\n{b} (b)" for a, b in pairs]
figure, axes = plt.subplots(figsize=(8, 2.8))
left = np.zeros(len(pairs))
for place, (part, label) in enumerate(
    {"only_a": "only a", "both": "both", "only_b": "only b"}.items()
):
    widths = np.array([shares[pair][part] for pair in pairs])
    bars = axes.barh(
        labels,
        widths,
        left=left,
        label=label,
        color=PALETTE[place],
        hatch=["", "//", ".."][place],
    )
    axes.bar_label(
        bars,
        fmt="%.2f",
        label_type="center",
        bbox={"fc": "white", "ec": "none", "pad": 1},
    )
    left += widths
axes.set(
    title="Models of other kinds serve other users", xlabel="share of the test users"
)
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(
    figure,
    "Share of users whose target is among the first ten (only a, both, only b): "
    + "; ".join(
        f"{a} and {b} {one['only_a']:.2f}, {one['both']:.2f}, {one['only_b']:.2f}"
        for (a, b), one in shares.items()
    )
    + ".",
)

# %% [markdown]
# The length of a bar is the oracle union. Two models that come from the same pre-training find nearly the same targets. ItemKNN
# finds some that our model misses: *only b*, divided by all whom ItemKNN serves (*both* and *only b*), answers the question above.
# Here are two users whom only one of the two models serves:

# %%
ours, theirs = ranks["fair"] <= 10, ranks["ItemKNN"] <= 10
for name, rows in (("only fair", ours & ~theirs), ("only ItemKNN", theirs & ~ours)):
    user = int(np.flatnonzero(rows)[0])
    titles = [
        dataset.items[catalogue[item]].title or "(no title)"
        for item in [*histories[user][-3:], targets[user]]
    ]
    print(f"{name}: {' → '.join(titles[:-1])} → target: {titles[-1]}")

# %% [markdown]
# A **score ensemble** is the simplest combination: divide the scores of each model by their standard deviation over the items, and
# add them with weights. The weights are chosen on the validation part, never on the test part. The library does this with
# `MSM4SR(ensemble="auto")`, which also trains models of ids, texts and images alone.

# %%
from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble
from msm4sr_lite.baselines.selection import choose_weights

parts = {
    "fair": Probabilities(ModelScorer(fair, table), config.temperature),
    "ItemKNN": ItemKNN(sequences),
}
choice = choose_weights(parts, *sequences.held_out("valid"))
measure("ensemble", ScoreEnsemble(parts, choice.weights))
gain = paired([ranks["ensemble"]], [ranks["fair"]])["ndcg@10"]
print("weights", {name: round(weight, 1) for name, weight in choice.weights.items()})
for name in (*parts, "ensemble"):
    print(f"{name:<9} NDCG@10 {metrics(ranks[name])['ndcg@10'].mean():.3f}")
interval = f"[{gain['low']:+.3f}, {gain['high']:+.3f}]"
print(f"ensemble minus fair: {gain['value']:+.3f} {interval}")

# %% [markdown]
# On real data this matters more than here: on H&M a sum of two baselines that train nothing is better than the neural model alone.
#
# ## Exercises
#
# `hint("07.loss")` helps; a solution is folded below tasks 1 to 4.

# %%
from course import check
from torch import Tensor  # noqa: F401

# %% [markdown]
# **1.** The loss of fine-tuning for one customer.

# %% tags=["exercise"]
check("07.loss", ...)

# %% [markdown]
# **2.** The bootstrap interval of a mean.

# %% tags=["exercise"]
check("07.interval", ...)

# %% [markdown]
# **3.** You compare twelve models with yours: eleven tests too many to trust "p < 0.05" in each. (p is how often chance alone would show at
# least such a difference between equals.) Correct for it.

# %% tags=["exercise"]
check("07.holm", ...)

# %% [markdown]
# **4.** The differences of two models, customer by customer, have a standard deviation of 0.25. How many customers must a test have to
# find a true difference of 0.01 in NDCG@10 four times in five (at p < 0.05)?

# %% tags=["exercise"]
check("07.n_users", ...)

# %% [markdown]
# **5. To find out** (no check). Is it the ids that help, or the further training? Fine-tune once more with `use_ids=False` and compare the two pair by pair. Then
# change the learning rate to 1e-2: what happens in the first pass? And what does `patience` (how many
# passes the library waits for a better validation) make of it?
#
# ## What could mislead you here
#
# - **One seed.** Everything above is one training. Whether fine-tuning with another seed gives the same order is not shown here;
#   the study shows it.
# - **A baseline that was never tuned.** `ItemKNN` has settings too. A new method wins easily against what nobody has looked after.
# - **Sampled candidates.** Among 100 random items every model looks brilliant, and the order of models may change (notebook 01).
# - **Better on average** is not better for everybody: look at groups before you decide.
#
# ## In three lines
#
# - Fine-tuning is one softmax over the catalogue, with a learnt vector per item; validation decides when to stop.
# - A figure without an interval is half a figure; two models are compared pair by pair, with several seeds, and corrected for many questions.
# - Know the upper bound if you can, and look where the hits are lost.
#
# **Next:** 08 asks for items nobody has bought yet, and shops the model has never seen.
