# ---
# jupyter:
#   msm4sr:
#     title: Sequences
#     minutes: 33
# ---

# %% [markdown]
# # 01 · Sequences
#
# **Question: before we build a recommender, how would we know that it is any good?**
#
# The method of this course is MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)). This chapter
# prepares the data and the test for it, and for every other recommender.
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebook 00; averages, logarithms, a little PyTorch | filter and split interactions without data leakage, build training batches, compute ranks, Recall and NDCG, and compare three recommenders with intervals | 33 minutes of reading, under 40 seconds of computing |

# %%
from course import setup

session = setup("01")

# %% [markdown]
# ## Three columns
#
# A recommender can only be as good as its data, so we look at these first. All that we know about users is one table: *who* chose *what*, *when*. The file holds both domains of the shop, home (`h`) and outdoor (`o`); we use home.

# %%
import pandas as pd
from course import item_card, show_html, strips
from msm4sr_lite import Dataset, build_sequences
from msm4sr_lite.features.table_files import read_keywords

folder = session.samples / "corner_shop"
print(pd.read_csv(folder / "interactions.csv").head(3), "\n")
dataset = Dataset.from_folder(folder, domain="home")
interactions = dataset.interactions
print(f"{len(interactions)} interactions, {len(dataset.users)} users,"
      f" {len(dataset.items)} items")  # fmt: skip

# %% [markdown]
# There are no stars and no reviews. A row says that somebody bought this item at this time. No row says what somebody did *not* want.
# Such data are called *implicit feedback* ([Hu et al., 2008](https://doi.org/10.1109/ICDM.2008.22)). A missing pair of user and item
# can mean "not interested" or "never seen".
#
# The interactions of one user, ordered by time, are a *sequence*. This one belongs to the user of notebook 00:

# %%
USER = "uh0040"
rows = interactions[interactions["user_id"] == USER]
days = pd.to_datetime(rows["timestamp"], unit="s").dt.strftime("%Y-%m-%d")
keywords = read_keywords(folder / "features")
bought = [dataset.items[i] for i in rows["item_id"]]
cards = [item_card(i, "image", folder, keywords.get(i.item_id, [])[:1]) for i in bought]
show_html(*strips({USER: cards}, days, "The interactions of one user, oldest first."))

# %% [markdown]
# Now all users at once: one row for each user, one column for each item, and a dot for each interaction. The next cell gives every item a
# number from 1 on; 0 is kept for padding. `sequences.interactions` holds the item numbers of all users, one user after the other, and `sequences.offsets` says where each user begins.

# %%
import numpy as np

sequences = build_sequences(interactions, list(dataset.items))
n_users, n_items = len(sequences.users), sequences.n_items
users = np.repeat(np.arange(n_users), np.diff(sequences.offsets))
times = np.bincount(sequences.interactions, minlength=n_items + 1)[1:]
popular_first = np.argsort(-times, kind="stable")
filled = len(sequences.interactions) / (n_users * n_items)
top_tenth = times[popular_first[: n_items // 10]].sum() / times.sum()
print(f"{filled:.1%} of the table is filled;")
print(f"the most popular tenth of the items has {top_tenth:.0%} of all interactions")

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import PALETTE, show

column = np.empty(n_items, dtype=int)
column[popular_first] = np.arange(n_items)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
some = users % 4 == 0  # every fourth user: all would be one grey
left.scatter(
    column[sequences.interactions[some] - 1], users[some] // 4, s=0.7, color="black"
)
left.set(title="Sparse", xlabel="items, most popular first", ylabel="every fourth user")
right.fill_between(range(n_items), times[popular_first], step="mid", alpha=0.6)
right.axvspan(0, n_items // 10, color=PALETTE[1], alpha=0.3)
right.text(n_items // 10 + 8, times.max() * 0.9, f"first tenth: {top_tenth:.0%}")
right.set(title="A long tail", xlabel="items, most popular first")
right.set(ylabel="interactions", xlim=(0, n_items), ylim=(0, None))
words = f"Interactions of each item: from {times.max()} down to {times.min()}"
show(figure, f"Users by items, more dots at popular items. {words}.")

# %% [markdown]
# The table is *sparse*: of a hundred pairs, 98 are empty. And items are not equally popular. Whoever offers everybody the most popular items is right more often than chance,
# without knowing anybody. This recommender is called *popularity*. It is the first *baseline*: a simple method that a better one has to beat.
#
# ## Ties, repeats, filters
#
# Three decisions are made before any model sees the data. They change all results, so they belong beside every result.
#
# **Ties.** Ann's tea and jam have the same timestamp. Which of them was last?

# %%
ann = pd.DataFrame(
    [("milk", 1), ("bread", 2), ("tea", 3), ("jam", 3)], columns=["item", "time"]
)
print("in the order of the file:", *ann.sort_values("time", kind="stable")["item"])
print("sorted by name, too:     ", *ann.sort_values(["time", "item"])["item"])

# %% [markdown]
# Both orders are sorted by time, but they end differently, and the last item is the one that we shall hide for the test. The library sorts *stably*: equal times keep the order of the
# file.
#
# **Repeats.** Somebody who buys bread every week teaches a model to offer bread. The released code of the method's authors keeps only the last interaction of a user with an item, and the library does the same by default
# (`deduplicate`). In the sample, nobody buys an item twice.
#
# **Filters.** A user with two interactions leaves nothing to learn from. So most studies drop users and items with few interactions. But if an item is dropped, users lose interactions, and
# may now have too few themselves. So one repeats both filters until nothing changes. What is left is a *k-core*: every user and every item in it has enough interactions. These are the library's lines:

# %%
from course import source
from msm4sr_lite.dataset import split

source(split.filter_interactions, only=("while True", "table = table[keep]"))

# %%
from course import number, pick, predict, reveal

predict(
    "01.core",
    "Every user has at least 5 interactions. We keep users with 6 or more and items"
    " with 20 or more, until nothing changes. How many of the 1200 users are left?",
    number(0, 1200, "users"),
)

# %%
from course.protocol import count_filter_rounds

for least in (5, 6):
    rounds = [users for users, _, _ in count_filter_rounds(interactions, least, 20)]
    print(f"users with {least}, items with 20, round by round:", *rounds)
reveal("01.core", rounds[-1], close=60)

# %% [markdown]
# From 5 to 6, everything disappears, in small steps. A filter that looks harmless decides whom a result is about. What stays are users and items with many interactions, which are the easy ones. We keep
# users with 5 interactions, and all items.
#
# ## Leave-one-out, and a training batch
#
# A model must be tested on interactions that it has not learnt from. In *leave-one-out* the newest interaction of each user is the **test** target. The one before it is the **validation** target,
# with which we choose settings and decide when to stop. The rest is for training.

# %%
from course import check, drawing

drawing("leave_one_out")

# %% [markdown]
# Write the split for one user. What may the model look at when it predicts the test target: is the validation target part of the history?

# %% tags=["exercise"]
check("01.leave_one_out", ...)

# %% [markdown]
# At the time of the test the validation target lies in the past, so it belongs to the history. It never becomes a training target. In the library:

# %%
from msm4sr_lite.sequences import Sequences

source(Sequences.train)
source(Sequences.held_out)

# %% [markdown]
# The corner shop put new items on sale shortly before the end. Each user's last interaction lies after that day, and all others before it.

# %%
predict(
    "01.cold",
    "For how many of the 1200 users is the test target an item without a single"
    " interaction in the training part?",
    number(0, 1200, "users"),
)

# %%
train, test = sequences.train(), sequences.held_out("test")
histories, targets = test
train_counts = np.bincount(np.concatenate(train), minlength=n_items + 1)
seen = np.bincount(np.concatenate(histories), minlength=n_items + 1)
cold = train_counts[targets] == 0  # one entry for each user
print("items without interactions in training:", (train_counts[1:] == 0).sum())
print("items in no history of the test:       ", (seen[1:] == 0).sum())
reveal("01.cold", int(cold.sum()), close=60)

# %% [markdown]
# A quarter of all test targets are *cold-start items*: a model that knows items by their numbers has never learnt anything about them. The two counts of items differ by one, because one
# item occurs as a validation target only. Notebook 08 uses the second count and calls these items *strictly cold*.
#
# Training needs batches. A sequence of four items contains three predictions: the second item from the first, the third from the first two, and so on. A *causal* Transformer, in which a position sees only earlier ones, makes all of
# them in one pass (notebook 05). So the targets are the inputs, shifted by one:

# %%
drawing("batch")

# %%
import torch
from torch import Tensor  # noqa: F401

# %% tags=["exercise"]
check("01.make_batch", ...)

# %% [markdown]
# From here on we use your functions where the check accepted them, and the course's where not.

# %%
from course import load_parts

mine = load_parts()
whole = [sequences.user_sequence(user) for user in range(n_users)]
split_users = [mine.leave_one_out(items.tolist()) for items in whole]
items, next_items = mine.make_batch([known for known, _, _ in split_users], 50)
print(f"one batch of {len(items)} users holds {(next_items > 0).sum():,} predictions")

# %% [markdown]
# ## Data leakage
#
# A split does not help if the answer reaches the model in another way. This is *data leakage*
# ([Ji et al., 2023](https://arxiv.org/abs/2010.11060)). The result is a score that no real user will ever confirm. Four examples:
#
# 1. **A random target.** Hide any interaction, not the last one. The model then knows what the user did *afterwards*.
# 2. **The test part in training.** Counts are made from the whole file, test targets included.
# 3. **A filter that knows the future.** "Items with 15 interactions", counted in the whole file, drops the new items, which are the hard ones.
# 4. **The best-sellers of the test.** Popularity is counted in the test part.
#
# We try the first three with *ItemKNN* ([Sarwar et al., 2001](https://doi.org/10.1145/371920.372071)), here in its simplest form: it counts for each pair of items how many users chose both. The last one we try with popularity.
# The score is NDCG@10. It is explained in the next section; for now: 1 is perfect, and higher is better.

# %%
LEAKS = ("random target", "test part in training", "filter on the whole file",
         "best-sellers of the test")  # fmt: skip
predict("01.leak", "Which leak raises NDCG@10 most?", pick(*LEAKS))

# %%
from course.protocol import hide_random_item, replace_training
from msm4sr_lite.baselines import ItemKNN, Popularity
from msm4sr_lite.config import DataConfig
from msm4sr_lite.evaluation import evaluate


def ndcg(model, histories, targets):
    return evaluate(model, histories, targets, filter_seen=True)["ndcg@10"]


def knn(training, test):  # ItemKNN that counts in `training`
    return ndcg(ItemKNN(replace_training(sequences, training)), *test)


correct = knn(train, test)

# %% [markdown]
# Each leak is compared with the correct test:

# %%
before, others, hidden = hide_random_item(sequences)
only_frequent = DataConfig(min_item_interactions=15)
frequent = build_sequences(interactions, list(dataset.items), only_frequent)
best_sellers = Popularity(replace_training(sequences, [s[-1:] for s in whole]))
pairs = [
    (knn(before, (before, hidden)), knn(others, (others, hidden))),
    (correct, knn(whole, test)),
    (correct, ndcg(ItemKNN(frequent), *frequent.held_out("test"))),
    (ndcg(Popularity(sequences), *test), ndcg(best_sellers, *test)),
]
leaks = dict(zip(LEAKS, pairs, strict=True))

# %% tags=["plot"]
figure, axes = plt.subplots(figsize=(8, 3.4))
for place, pair in enumerate(leaks.values()):
    for kind, (found, marker) in enumerate(zip(pair, "oX", strict=True)):
        axes.errorbar(
            found["value"],
            place + 0.24 * kind - 0.12,
            xerr=[[found["value"] - found["low"]], [found["high"] - found["value"]]],
            fmt=marker,
            color=PALETTE[kind],
            capsize=4,
            label=("correct", "with leakage")[kind] if place == 0 else None,
        )
axes.set(yticks=range(len(leaks)), yticklabels=leaks, xlim=(0, None))
axes.set(xlabel="NDCG@10, 95 % interval", title="What the test must not know")
axes.invert_yaxis()
axes.legend(loc="lower right")
show(figure, "NDCG@10, correct and with leakage: " + "; ".join(
    f"{name} {pair[0]['value']:.3f} and {pair[1]['value']:.3f}"
    for name, pair in leaks.items()) + ".")  # fmt: skip
gain = {name: leaky["value"] - fair["value"] for name, (fair, leaky) in leaks.items()}
reveal("01.leak", max(gain, key=gain.get))

# %% [markdown]
# All four raise the score, and no user is served any better. The second leak raises it most: its counts contain the very pairs of history and target that the test asks for. (In the first pair the correct test also has fewer interactions to learn from. This is part of its difference.)
#
# Leave-one-out itself can leak: one user's test target may be older than another user's training interactions. In the sample this cannot happen, because all test targets are the newest. In
# most files it can. There, a split at one *date* for all users is the stricter test (`split="time"`).
#
# ## Ranks, Recall, NDCG
#
# Now we need a number that says how good a list of recommendations is. A model gives every item $i$ a score $s_i$. The *rank* of the target $y$ counts the items that score at least as high, and the target itself:
#
# $$r = 1 + \#\{\, i \ne y : s_i \ge s_y \,\}$$

# %%
drawing("rank")

# %% [markdown]
# Why $\ge$, and not $>$? Imagine a model that gives all items the same score. With $>$ every target has rank 1, and the most useless model gets a perfect result. So equal scores count *against* the model.

# %% tags=["exercise"]
check("01.ranks", ...)

# %% [markdown]
# Two metrics turn a rank into a value from 0 to 1, for a list of $K$ recommendations. Both are 0 if $r > K$. Else
#
# $$\text{Recall@}K = 1 \qquad\qquad \text{NDCG@}K = \frac{1}{\log_2(r + 1)}$$
#
# Recall only asks whether the target is in the list. NDCG, *normalised discounted cumulative gain*
# ([Järvelin and Kekäläinen, 2002](https://doi.org/10.1145/582415.582418)), also asks how early. With one target per user the formulas are as short as this. (A third metric, MRR@$K$, is $1 / r$.) The result of a model is the mean over all users.

# %% tags=["exercise"]
check("01.recall_ndcg", ...)

# %%
mine = load_parts()
five = torch.tensor([1, 3, 10, 11, 200])
recall, gain = mine.recall_ndcg(five, 10)
columns = {"rank": five, "Recall@10": recall, "NDCG@10": gain}
print(pd.DataFrame(columns).round(2).to_string(index=False))

# %% [markdown]
# ## Three recommenders
#
# With split, ranks and metrics we can compare. These three know items by their numbers only:
#
# | | score of item $i$ after the items $i_1, \dots, i_n$ |
# |---|---|
# | popularity | how many users have chosen $i$ |
# | ItemKNN | $\sum_k 0.8^{\,n-k}\, c(i_k, i)$, where $c(j, i)$ users have chosen both; recent items count more |
# | SASRec | $\cos(h, e_i)$, where a causal Transformer computes $h$ from the embeddings $e_{i_1}, \dots, e_{i_n}$ |
#
# The first two only count, so they need no training. Your functions rank the targets. Items that a user already has get the score $-\infty$: we do not recommend them again (`filter_seen`).

# %%
from course import score, scoreboard
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.intervals import summarise

models = {"popularity": Popularity(sequences), "ItemKNN": ItemKNN(sequences)}
answers = torch.tensor([target for _, _, (_, target) in split_users])
for name, model in models.items():
    scores = model.score([np.array(known) for _, _, (known, _) in split_users])
    scores = scores.clone()
    for row, (_, _, (known, _)) in zip(scores, split_users, strict=True):
        row[known] = -torch.inf
    r = mine.ranks(scores, answers)
    same = (r.numpy() == target_ranks(model, *test, filter_seen=True)).mean()
    result = summarise({"ndcg": mine.recall_ndcg(r, 10)[1].numpy()})["ndcg"]
    score(name, result["value"], result["low"], result["high"])
    print(f"{name}: {same:.0%} of the ranks are those of the library")
scoreboard()

# %% [markdown]
# The square brackets are a *95 % interval* from the *bootstrap*: draw 1200 of the 1200 users at random, with repetition, and take the mean; do this a thousand times; 95 % of these means lie in the interval. It says how much the
# result depends on the users that happened to be in the test. (Notebook 00 explained the oracle upper bound.)
#
# Which of two models is better? Overlapping intervals do not answer this. It is better to take the *difference* for each user first. Some users are easy for both models and some are hard for both, and this
# cancels in the difference (a *paired* comparison). If the interval of the mean difference contains 0, the difference is *not significant*.
#
# The third one, SASRec ([Kang and McAuley, 2018](https://arxiv.org/abs/1808.09781)), has to be trained. Each item gets an embedding that starts at random. The loss is a *cross-entropy*: at every position $k$, the next item should get the highest score of all items.
#
# $$\mathcal L = -\log \frac{e^{\cos(h_k,\, e_{i_{k+1}}) / \tau}}{\sum_j e^{\cos(h_k,\, e_j) / \tau}}$$
#
# The *temperature* $\tau$ is a small constant; dividing by it makes differences between cosines count more. (The original draws one wrong item for each position instead of summing over all, and it has no cosine.)

# %%
OUTCOMES = ["not significantly better than either", "better than popularity only",
            "significantly better than both"]  # fmt: skip
predict(
    "01.sasrec",
    "SASRec against popularity and ItemKNN: what will the intervals of the differences"
    " in NDCG@10 say?",
    pick(*OUTCOMES),
)

# %%
from dataclasses import replace

from course import watch
from msm4sr_lite.baselines import SASRec
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.training import finetune_steps

table = load_feature_table(folder / "features").for_items(sequences.items)
torch.manual_seed(0)
sasrec = SASRec(ModelConfig(feature_dim=table.width, n_items=n_items))
config = replace(PRESETS["paper"].finetune, lr=3e-3, epochs=20)
steps = finetune_steps(sasrec, table, sequences, config)

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: a trained model's figures depend on the processor's rounding.
valid = sequences.held_out("valid")
bar = (target_ranks(models["popularity"], *valid) <= 20).mean()


def curves(records):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
    epochs = [record.epoch for record in records]
    left.plot(epochs, [record.loss for record in records], marker="o")
    left.axhline(np.log(n_items), color="#777777", linestyle=":", label="guessing")
    left.set(title="Training loss", xlabel="epoch", ylabel="nats")
    right.plot(epochs, [record.recall for record in records], marker="o")
    right.axhline(bar, color="#777777", linestyle=":", label="popularity")
    right.set(title="Validation Recall@20", xlabel="epoch", ylim=(0, None))
    left.legend()
    right.legend(loc="lower right")
    first, last = records[0], records[-1]
    return figure, (
        f"{len(epochs)} epochs: loss from {first.loss:.1f} to {last.loss:.1f};"
        f" Recall@20 goes from {first.recall:.2f} to {last.recall:.2f},"
        f" popularity has {bar:.2f}."
    )


records = watch((step for step in steps if step.recall is not None), curves, every=2)

# %% [markdown]
# For some epochs SASRec is no better than popularity. Somebody who stopped there would say that Transformers do not work. Validation chooses the epoch whose weights are kept; the test plays no part in this.
#
# Is it better than the other two? We take the differences for each user:

# %% tags=["nbval-ignore-output"]
# Not compared: a trained model's figures depend on the processor's rounding.
from msm4sr_lite.evaluation import metrics
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.study.paired import paired

models["SASRec"] = ModelScorer(sasrec, table)
rank_of = {
    (name, filtered): target_ranks(model, *test, filter_seen=filtered)
    for name, model in models.items()
    for filtered in (False, True)
}
result = summarise(metrics(rank_of["SASRec", True], [10]))["ndcg@10"]
score("SASRec, 20 epochs", result["value"], result["low"], result["high"])
scoreboard()
better = []
for other in ("popularity", "ItemKNN"):
    gain = paired([rank_of["SASRec", True]], [rank_of[other, True]])["ndcg@10"]
    low, high = gain["low"], gain["high"]
    print(f"SASRec minus {other}: 95 % interval {low:+.3f} to {high:+.3f}")
    better.append(low > 0)
reveal("01.sasrec", OUTCOMES[better.count(True)])

# %% [markdown]
# On small data, counting is a strong baseline. Many published improvements vanished when the baselines were tuned as carefully as the new model
# ([Dacrema et al., 2019](https://arxiv.org/abs/1907.06902)). Our SASRec had 20 epochs and one learning rate; notebook 07 shows it after longer training, with tuned settings.
#
# And the quarter of the users with a cold-start target? How many of them get it among the first ten?

# %%
for name in models:
    hits = (rank_of[name, True][cold] <= 10).sum()
    print(f"{name:<10} {hits} of {cold.sum()} cold-start targets found")

# %% [markdown]
# None. Counts of zero explain the first two. SASRec has embeddings for new items, but in training they were only ever wrong answers, so the loss has pushed them away from every $h$. However good a model of item numbers becomes, a quarter of the users here
# is out of its reach. A model that reads texts and images has no such limit, and this is where the course is going.
#
# ## A hundred candidates
#
# With millions of items, ranking all of them was once too slow. So many papers draw 100 items at random and rank the target among these. Are such results comparable with ours?

# %%
predict(
    "01.sampled",
    "A target has rank 41 among 400 items. What is its rank, on average, among itself"
    " and 100 others that are drawn at random?",
    number(1, 101),
)

# %%
rng = np.random.default_rng(0)
draws = [(rng.choice(399, 100, replace=False) < 40).sum() + 1 for _ in range(1000)]
print("the rank in eight draws:", *draws[:8])
reveal("01.sampled", float(np.mean(draws)), close=2)

# %% [markdown]
# A quarter of the others is drawn, and so a quarter of the 40 better ones: $1 + 40 \cdot \frac{100}{399} \approx 11$. So Recall@10 among 100 is roughly *Recall@40* among all. It is a different question under the same name.
#
# The panel shows the three models under both protocols; in the lower part, the line styles stand for the same models. Move the controls. Which model gains most from 100 candidates? Does the order of the models stay the same?

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: a trained model's figures depend on the processor's rounding.
from course import choice, panel, slider, toggle
from course.microscope import compare_protocols
from course.protocol import count_competitors

rivals = {f: count_competitors(*test, n_items, f) for f in (False, True)}
cutoffs = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50)
panel(
    compare_protocols(rank_of, rivals, cutoffs),
    slider("k", cutoffs, start=10, label="K", live=True),
    choice("candidates", ["all items", "100 drawn"], label="candidates"),
    toggle("filtered", True, label="seen items filtered"),
    title="One set of ranks under every protocol",
    static=[{"candidates": "all items"}, {"candidates": "100 drawn"}],
)

# %%
from course.protocol import sampled_metrics

for name in ("popularity", "ItemKNN"):
    full = metrics(rank_of[name, True], [10])["recall@10"].mean()
    drawn = sampled_metrics(rank_of[name, True], rivals[True])["recall@10"].mean()
    print(f"{name}: Recall@10 {full:.3f} among all, {drawn:.3f} among 100 drawn")

# %% [markdown]
# No model has changed, yet all values are much higher, and the weakest model is multiplied by the largest factor. (For popularity and ItemKNN, Recall@K among 100 ends near three quarters: all cold-start items tie, and ties count against the target.) Even the order of two models can change
# ([Krichene and Rendle, 2020](https://doi.org/10.1145/3394486.3403226)). From here on, this course ranks all items, with seen items filtered.
#
# ## What can mislead
#
# - **An interval covers only what was varied.** Ours cover the choice of users. They do not cover another seed, another month or other settings.
# - **The cold quarter is a property of this shop.** All test targets lie after the launch of new items. Other datasets have fewer or more.
# - **A miss need not be a bad recommendation.** The test knows one item that was bought. The other nine may have been welcome too.
# - **Overlapping intervals do not mean "equal".** Compare in pairs, and say "not significant" if 0 is inside.

# %%
from course import quiz

quiz("01")

# %% [markdown]
# ## Take-aways
#
# Order, filters and split come before any model, and one leak can be worth more than a better model. Rank the target among all items, let ties count against the model, and give intervals, paired where two models are compared. Models of
# item numbers cannot recommend new items.
#
# **Next:** [02](02_keyword_tokenization.ipynb) turns images into words, so that a model can know something about an item before anybody has bought it.
