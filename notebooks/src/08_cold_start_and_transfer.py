# ---
# jupyter:
#   msm4sr:
#     title: Cold start and transfer
#     minutes: 30
# ---

# %% [markdown]
# # 08 · Cold start and transfer
#
# **Question: can a model recommend what nobody has bought yet, and can it work in a shop that it has never seen?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 00, 05 and 07; NDCG and Recall | add an item to a trained model, measure cold items without fooling yourself, avoid the trap of fine-tuning, and say what another shop's data are worth | 30 minutes of reading, about a minute of computing |

# %%
from course import setup

session = setup("08")

# %% [markdown]
# ## On the shelf since this morning
#
# On the 5th of March the domain *home* of our sample shop got a new collection. The models of the sample know the
# purchases up to that day. Each customer's last purchase, the one to be found in the test, came after it. So there are
# items that no history holds: they are *strictly cold*. (96 are new, 8 are older and never sold; "new things" below means them all.)

# %% tags=["nbval-check-output"]
import numpy as np
from msm4sr_lite import (
    Dataset,
    build_sequences,
    load_checkpoint,
)
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.study.cold_start import cold_items

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
pretrained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
features = load_feature_table(folder / "features")
table = features.for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
cold = cold_items(sequences)
histories, targets = sequences.held_out("test")
asked = np.isin(targets, cold).sum()
print(f"{len(cold)} of {sequences.n_items} items are strictly cold;")
print(f"{asked} of {len(targets)} users have one of them as their target")

# %%
from course import show_images

shown = [
    dataset.items[catalogue[i]] for i in cold if dataset.items[catalogue[i]].images
][:6]
show_images(
    [folder / item.images[0] for item in shown],
    [item.title or "(no text)" for item in shown],
    caption="Six items without an interaction",
)

# %% [markdown]
# **Predict.** A quarter of all customers will buy one of these things next. Which of four recommenders can find any of them:
# popularity, ItemKNN, a Transformer over item ids (SASRec of notebook 01), the model of notebook 05?
#
# ## Two ways to know a thing

# %%
from course import show
from course.diagrams import new_item_diagram

show(*new_item_diagram())

# %% [markdown]
# The first three know an item by its number. The number of a new thing has never been counted or trained, so there is
# nothing to look up. The fourth computes its vectors from text and picture ($f$: all that comes before the Transformer):
#
# $$z_t = f_t(\text{text}), \qquad z_v = f_v(\text{picture}), \qquad
# \text{score} = \cos(h_t, z_t) + \cos(h_v, z_v)$$
#
# A fine-tuned model adds an id vector, $z + \mathrm{id}$. A new item has none; leave it out, and the same formula holds. To add
# items to a model that is at work is therefore no training, only a few more rows:

# %%
from course import source
from msm4sr_lite.scoring import ModelScorer

source(ModelScorer.append)

# %% [markdown]
# Here is a recommender that has never heard of the cold items: they are in none of its tables. It answers, gets the new
# collection, and answers again.

# %%
from msm4sr_lite import Recommender
from msm4sr_lite.features.table_files import read_keywords
from msm4sr_lite.recommend.describe import describe_recommendations

words = read_keywords(folder / "features")
old = ["", *(name for i, name in enumerate(catalogue[1:], 1) if i not in set(cold))]
new = [catalogue[i] for i in cold]
recommender = Recommender(ModelScorer(pretrained, table.for_items(old)), old)
user = dataset.user_history("uh0040")[:-1]  # what was known before the test
before = list(recommender.recommend({"uh0040": user}, k=100)["item_id"])

recommender.add_items(table.for_items(["", *new]))
after = describe_recommendations(
    recommender, user, k=100, items=dataset.items, keywords=words
)

places = [i for i, r in enumerate(after, 1) if r.item_id in new]
print(
    "the others stand in the same order:",
    [r.item_id for r in after if r.item_id not in new] == before[: 100 - len(places)],
)
print("the first new items have the ranks", places[:5])

# %%
bought = [dataset.items[name] for name in user[-3:]]
offered = [dataset.items[after[place - 1].item_id] for place in places[:3]]
show_images(
    [folder / i.images[0] if i.images else None for i in [*bought, *offered]],
    [*["history"] * 3, *(f"new, rank {p}" for p in places[:3])],
    [words[i.item_id][0] if i.item_id in words else () for i in [*bought, *offered]],
    caption="The newest items of user uh0040, and the new items with the highest rank",
)

# %% [markdown]
# ## How well? It depends on whom you ask
#
# There are two fair questions, and they have very different answers:
#
# - **among the cold**: of the 104 new things, does the right one come first? Nothing else competes.
# - **among all**: does it come first in the whole shop, next to 296 things with a past?
#
# **Predict** for the pre-trained model: is it better than a guess in the first? In the second, what share of the ten best
# places goes to new things, which are 26% of the shop? (This is the last column of the table.)

# %%
from course.cold_start import report
from msm4sr_lite.baselines import ItemKNN, Popularity


def line(name, found):
    among_cold, among_all = (
        found["cold"][key]["metrics"]["ndcg@10"]["value"]
        for key in ("among_cold", "among_all")
    )
    shown = found["cold_in_top10"]
    print(f"{name:<28} {among_cold:>10.3f} {among_all:>9.3f} {shown:>15.1%}")


print(f"{'NDCG@10 of cold items':<28} among cold among all    cold in top 10")
starts = {"popularity_starts": (0, 1, 11, 21, 31, 51)}  # ranges, for later
scorers = {
    "popularity": Popularity(sequences),
    "ItemKNN": ItemKNN(sequences),
    "pre-trained": ModelScorer(pretrained, table),
}
reports = {n: report(scorer, sequences, **starts) for n, scorer in scorers.items()}
for name, found in reports.items():
    line(name, found)
guess = (1 / np.log2(np.arange(2, 12))).sum()
print(f"{'a guess':<28} {guess / len(cold):>10.3f} {guess / 400:>9.3f} {0.26:>15.1%}")

# %% [markdown]
# Among the cold the model is about four times as good as a guess. Among all it is much weaker: things with a past take the
# places. The model has seen their features again and again as right answers, those of new things never. Both numbers are true. A
# paper that prints only the first has not lied, but has not said whether anybody will *see* the new thing.

# %% [markdown] tags=["derivation"]
# Derivation: what a guess reaches
#
# Let $n$ candidates compete, put into a random order without ties. Then the rank $r$ of the right one is each of $1, 2, \dots, n$ with the chance $1/n$.
# Recall@$K$ counts 1 if $r \le K$, and else 0; NDCG@$K$ counts $1 / \log_2 (r + 1)$ if $r \le K$, and else 0. Their means, for $K \le n$, are
#
# $$\text{Recall@}K = \sum_{r=1}^{K} \frac1n = \frac{K}{n} \qquad\qquad
# \text{NDCG@}K = \frac1n \sum_{r=1}^{K} \frac{1}{\log_2 (r + 1)} .$$
#
# The second sum does not depend on $n$; for $K = 10$ it is 4.54. So a guess has an NDCG@10 of $4.54/n$: 0.044 among the 104 new things, 0.011
# among all 400. (What a customer has already does not compete, so $n$ is a little smaller than 400 and the guess a little better.)
# Whoever scores all items alike does worse than that here: in a tie the right one gets the last place.

# %% [markdown]
# ## The trap of fine-tuning
#
# Now fine-tune. The fine-tuned model that comes with the sample was trained on the whole catalogue, new things included:
# that is how one would do it, since they are in the list of products from the first day. The cell asks this model, and also trains
# a few quick epochs itself, so that a fair comparison can follow.
#
# **Predict**: what happens to the new things? The loss is a softmax over the catalogue, and a thing that nobody has bought is in
# every step a wrong answer, in no step the right one.

# %%
from dataclasses import replace

import torch
from course import progress_bar
from course.cold_start import replace_ids
from msm4sr_lite.config import FinetuneConfig
from msm4sr_lite.initialize import transfer
from msm4sr_lite.training import finetune_steps

config = FinetuneConfig(lr=1e-3, batch_size=256, epochs=3)
torch.manual_seed(0)
whole = transfer(pretrained, sequences.n_items)
for _ in progress_bar(finetune_steps(whole, table, sequences, config), "all items"):
    pass

# %%
ready, _ = load_checkpoint(folder / "states" / "home_finetuned")
trapped = ModelScorer(whole, table)
for name, scorer in {
    "fine-tuned, of the sample": ModelScorer(ready, table),
    "all items, 3 epochs": trapped,
    "... their ids set to zero": replace_ids(trapped, cold, "zero"),
}.items():
    reports[name] = report(scorer, sequences, **starts)
    line(name, reports[name])

# %% [markdown]
# They are gone: a quarter of the shop is left with hardly a place. And it is not only their ids. Take the trained
# ids of the cold items away, and they stay nearly as invisible: the adapters have learnt, too, that what looks like *these*
# things is never bought.
#
# The mend is one setting, `candidates="seen"`: in the softmax the next item competes with what was *bought* in training, not
# with all there is. And the new ones are left without an id.

# %%
model = transfer(pretrained, sequences.n_items)
fair = replace(config, candidates="seen")
for _ in progress_bar(finetune_steps(model, table, sequences, fair), "seen items"):
    pass
repaired = replace_ids(ModelScorer(model, table), cold, "zero")
reports["seen items only"] = report(repaired, sequences, **starts)
line("seen items only", reports["seen items only"])

# %%
from msm4sr_lite.baselines.oracle import load_oracles

oracle = load_oracles(folder, sequences)["content"]
best = report(oracle, sequences)["cold"]["among_all"]["metrics"]["ndcg@10"]["value"]

# %%
import matplotlib.pyplot as plt
from course import MARKERS, PALETTE

names = ["pre-trained", *list(reports)[-3:]]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), sharey=True)
for row, name in enumerate(names):
    value = reports[name]["cold"]["among_all"]["metrics"]["ndcg@10"]
    left.plot([value["low"], value["high"]], [row, row], "-", color=PALETTE[0])
    left.plot(value["value"], row, MARKERS[row], color=PALETTE[0])
    right.barh(row, reports[name]["cold_in_top10"], color=PALETTE[1], height=0.5)
left.set(
    title="New items among all",
    xlabel="NDCG@10, 95% interval",
    yticks=range(len(names)),
    yticklabels=names,
    ylim=(len(names) - 0.5, -0.5),
    xlim=(0, None),
)
right.axvline(0.26, color="#555555", linestyle=":")
right.set(
    title="Places they get", xlabel="share of the first ten (dotted: of all items)"
)
show(
    figure,
    "NDCG@10 of new items among all items, and their share of the first ten places: "
    + "; ".join(
        f"{n} {reports[n]['cold']['among_all']['metrics']['ndcg@10']['value']:.3f} and"
        f" {reports[n]['cold_in_top10']:.1%}"
        for n in names
    )
    + ". They are 26% of all items.",
)
print(f"upper bound from text and image: {best:.3f}")

# %% tags=["nbval-check-output"]
gain = [
    reports[name]["cold"]["among_all"]["metrics"]["ndcg@10"]["value"]
    for name in ("seen items only", "all items, 3 epochs", "pre-trained")
]
print("new items are found at least 5 times as well:", gain[0] > 5 * gain[1])
print("and better than by the model before fine-tuning:", gain[0] > gain[2])

# %% [markdown]
# Same data, same settings, same number of steps; the second way even has less to compute, since its catalogue is smaller. Still,
# the way to what text and pictures allow is long: new things keep too few places. A shop would set some of its places aside
# for them (exercise 5).
#
# Does an appended item need an id vector? One could give it the mean of the learnt ones. In a long fine-tuning on what was bought
# (the library's settings, 136 epochs) it made no difference: 0.048 with the mean, 0.049 with nothing. So `append` takes nothing.
#
# ## How cold is cold?
#
# Between "never" and "often" lies most of a shop. **Predict**: from how many purchases on do counts catch up with the model?

# %%
shown = {"ItemKNN": reports["ItemKNN"]}
shown["seen items only"] = reports["seen items only"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
alt = []
for panel_axes, key, label in (
    (axes[0], "by_popularity", "interactions of the item in training"),
    (axes[1], "by_history", "length of the user's history"),
):
    for number, (name, found) in enumerate(shown.items()):
        ranges = {k: v for k, v in found[key].items() if v["users"] >= 20}
        values = [v["metrics"]["ndcg@10"] for v in ranges.values()]
        middle = [v["value"] for v in values]
        error = [[v["value"] - v["low"] for v in values]]
        error += [[v["high"] - v["value"] for v in values]]
        panel_axes.errorbar(
            [f"{k}\n({v['users']})" for k, v in ranges.items()],
            middle,
            error,
            marker=MARKERS[number],
            capsize=3,
            label=name,
        )
        lines = ", ".join(f"{k}: {m:.3f}" for k, m in zip(ranges, middle, strict=True))
        alt.append(f"{name} by {label}: {lines}")
    panel_axes.set(xlabel=f"{label}\n(users)")
axes[0].set(title="By popularity of the item", ylabel="NDCG@10")
axes[1].set(title="By length of the history")
axes[0].legend(fontsize=11)
show(
    figure,
    "; ".join(alt) + ".",
    "Whiskers: 95% intervals over the users. A point at 0 without one had not one"
    " hit, and then a bootstrap has nothing to vary (notebook 07).",
)

# %% [markdown]
# Of a thing without a purchase the counts know nothing, up to twenty purchases next to nothing; only beyond fifty do they catch up with
# the model. The model's own curve begins higher than it goes on: what was bought once to ten times is what few people want, and
# fine-tuning has learnt that; new things are not unwanted, only unknown. The length of the history matters less than one might think:
# taste shows in a few pictures.
#
# ## The cold-item maker
#
# Make a thing of your own: take the picture of one new item and the text of another. Who would be offered it, and what is it
# like? Try to find
#
# - a picture and a text that go well together (more customers than an item drawn by lot would get), and two that do not;
# - what the picture alone is worth, and what the text alone;
# - whom a look attracts: what do the three customers have in common with the picture?

# %%
from course import (
    choice,
    entry,
    explain_missing_encoder,
    find_encoder,
    panel,
)
from course.cold_items import ColdItemMaker, NewItemScorer

looks = ["h0007", "h0010", "h0012", "h0017", "h0023", "h0025", "h0028", "h0044"]
looks += ["h0054", "h0065", "h0106", "h0150"]
says = ["h0007", "h0012", "h0017", "h0022", "h0033", "h0044", "h0051", "h0145"]
seen_as = {f"{name} ({', '.join(words[name][0][:3])})": name for name in looks}
titled = {dataset.items[name].title: name for name in says}
encoder, first = find_encoder(), next(iter(seen_as))
new_items = NewItemScorer(repaired, table, sequences, ItemKNN(sequences))
maker = ColdItemMaker(new_items, dataset, words)


def make(image, text, other):
    if other and encoder is None:
        return explain_missing_encoder()
    sentence = (other, encoder.encode([other])) if other else None
    return maker.draw(titled.get(text), seen_as.get(image), sentence)


panel(
    make,
    choice("image", [*seen_as, "no image"], label="image"),
    choice("text", [*titled, "no text"], start=list(titled)[5], label="text"),
    entry("other", "", label="or another text"),
    title="cold-item maker",
    static=[
        {"image": first, "text": list(titled)[5]},
        {"image": first, "text": "no text"},
        {"image": list(seen_as)[9], "text": list(titled)[4]},
    ],
)

# %% [markdown]
# ItemKNN offers none of these things to anybody, and that is no weakness of counting: whatever knows an item by its
# number must wait for the first purchases.
#
# ## Another shop altogether
#
# If all items may be new, why not all of them at once, with all customers? Nothing in the pre-trained model belongs to one shop:

# %% tags=["nbval-check-output"]
sizes = [tuple(weight.shape) for weight in pretrained.parameters()]
print("parts as long as the catalogue:", sum(400 in s or 401 in s for s in sizes))
print("after fine-tuning:", sum(401 in w.shape for w in whole.parameters()))

# %% [markdown]
# The domain *outdoor* has other products, other customers, and not one item in common with *home*. **Predict**: the model
# that was pre-trained on home is asked for outdoor's test purchases, among 400 items it has never seen. Is it better than chance?
# Better than outdoor's own best-sellers?

# %% tags=["nbval-check-output"]
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.pipeline.stages import TrainingData

outdoor = Dataset.from_folder(folder, domain="outdoor")
there = build_sequences(outdoor.interactions, list(outdoor.items))
domain = TrainingData(there, features.for_items(there.items))
torch.manual_seed(0)
scorers = {
    "untrained": ModelScorer(M2SE(pretrained.config), domain.table),
    "popularity": Popularity(there),
    "from home": ModelScorer(pretrained, domain.table),
    "ItemKNN": ItemKNN(there),
}
ranks = {
    name: target_ranks(scorer, *there.held_out("test"))
    for name, scorer in scorers.items()
}
score = {name: metrics(r)["ndcg@10"].mean() for name, r in ranks.items()}
print(" < ".join(sorted(score, key=score.get)))
print(
    "from home at least three times the untrained:",
    score["from home"] > 3 * score["untrained"],
)

# %%
from course import item_card, show_html, strips

recommender = Recommender(scorers["from home"], there.items)
history = [there.items[i] for i in there.held_out("test")[0][53]]
found = list(recommender.recommend({"": history}, k=4)["item_id"])


def cards(names):
    row = [outdoor.items[name] for name in names]
    return [
        item_card(
            item,
            "image" if item.images else "text",
            folder,
            words.get(item.item_id, []),
        )
        for item in row
    ]


rows = {"newest items": cards(history[-4:]), "recommended": cards(found)}
caption = (
    "A user of outdoor with a clear taste, and what a model trained on home recommends"
)
show_html(*strips(rows, [1, 2, 3, 4], caption))
for name, value in score.items():
    print(f"{name:<20} NDCG@10 {value:.3f}")

# %% [markdown]
# Without one purchase of outdoor the model from home is far above an untrained one, and above outdoor's best-sellers; not above
# its ItemKNN, which has seen outdoor's purchases. It has brought along what the
# two domains share: people who like zigzag and purple go on liking them, and after one kind of need comes another.
# It has no item ids to bring, and needs none.
#
# ## A few customers
#
# What if outdoor has just opened, and 60 customers, 5% of what the sample has, are all there is? We fine-tune on these 60, once from
# home and once *from scratch*, from random weights; same customers, same number of epochs at most. Only the learning rate differs: a
# model from scratch has a longer way to go, and would be starved by the small steps that suit the other. Whether to stop is
# decided by the validation purchases of the 60; the test asks for the next purchase of all 1200.

# %%
from course.transfer import fine_tuned

tuned = {"5%, from home": (pretrained, 3e-4), "5%, from scratch": (None, 1e-3)}
for name, (start, rate) in progress_bar(tuned.items(), "60 users"):
    few = FinetuneConfig(lr=rate, batch_size=64, epochs=25, patience=10)
    model = ModelScorer(fine_tuned(start, domain, 0.05, few), domain.table)
    ranks[name] = target_ranks(model, *there.held_out("test"))
    score[name] = metrics(ranks[name])["ndcg@10"].mean()
for name in ("from home", *tuned):
    print(f"{name:<18} NDCG@10 {score[name]:.3f}")
ratio = score["5%, from home"] / score["5%, from scratch"]
print(f"from home is {ratio:.2f} times as good as from scratch")

# %% tags=["nbval-check-output"]
better = score["5%, from home"] > score["5%, from scratch"]
print("with 60 users the model from home is ahead:", better)

# %% [markdown]
# One run is one run. The next figure was made by a command that trains every start ten times (small open points), with other seeds for
# the pre-training, the customers drawn and the fine-tuning. On small shares it tries two learning rates for each start and lets the
# validation choose. On two cores it takes about half an hour:
#
#     python -m benchmarks.studies.transfer_curve data_samples/corner_shop --source home --target outdoor --seeds 10 --out DIR
#
# **Predict** the share of the customers at which the two curves meet.

# %%
import json

curve = json.loads(
    (folder / "curves" / "home_to_outdoor.json").read_text(encoding="utf-8")
)
figure, axes = plt.subplots(figsize=(7, 3.8))
alt = []
for number, (start, label) in enumerate(
    (("pretrained", "pre-trained on home"), ("scratch", "from scratch"))
):
    shares = [float(share) for share in curve["shares"]]
    values = [part[start]["ndcg@10"] for part in curve["shares"].values()]
    middle = [v["value"] for v in values]
    axes.plot(shares, middle, marker=MARKERS[number], label=label)
    for share, v in zip(shares, values, strict=True):
        place = share * (0.94, 1.06)[number]  # side by side: none hides another
        axes.plot(
            [place] * len(v["seeds"]),
            v["seeds"],
            MARKERS[number],
            color=PALETTE[number],
            markerfacecolor="white",
            markersize=5,
        )
    lines = ", ".join(f"{s:.0%} {m:.3f}" for s, m in zip(shares, middle, strict=True))
    alt.append(f"{label}: {lines}")
flat = curve["zero_shot"]["ndcg@10"]["value"]
axes.axhline(flat, color="#555555", linestyle=":", label="from home, as it is")
axes.set(
    xscale="log",
    xticks=shares,
    xticklabels=[f"{share:.0%}" for share in shares],
    xlabel="share of outdoor's users to learn from",
    ylabel="NDCG@10",
    ylim=(0, None),
    title="What another domain's data are worth",
)
axes.minorticks_off()
axes.legend()
show(figure, "NDCG@10 in outdoor. " + "; ".join(alt) + f"; as it is {flat:.3f}.")
for share, part in curve["shares"].items():
    gain = part["gain"]["ndcg@10"]
    span = f"[{gain['low']:.3f}, {gain['high']:.3f}]"
    print(
        f"{float(share):>4.0%} of the users: {part['ratio']:.2f} times as good,"
        f" {gain['value']:.3f} {span} more NDCG@10"
    )

# %% [markdown]
# They do not meet. Twelve customers add nothing to the model as it came from home; with sixty it is twice as good as one that has
# only these sixty, and even with all 1200 a lead of a fifth remains. As it came, without one purchase of outdoor, it is better than
# what sixty customers teach from scratch. To pre-train on the same sixty customers first (`own` in the file) does not help: 0.037,
# from scratch 0.036. It is home's customers that make the difference, not the exercise.
#
# Look at the open points before you believe a ratio. With sixty validation purchases the moment to stop is half chance, and from scratch
# some runs end at 0.02, others at 0.05. Of the ten runs the first three alone say 2.03 times, a difference of
# 0.041 with an interval from 0.004 to 0.078; all ten say 0.034, from 0.023 to 0.046. That is what more runs buy.
#
# Several shops can be joined for pre-training (`study.run.join`): their items and customers are put behind one another, and a
# batch holds some of each.
#
# ## Exercises
#
# `hint("08.cold_targets")` helps; a solution is folded below each task.

# %%
import torch
from course import check
from torch import Tensor  # noqa: F401

# %% [markdown]
# **1.** Which of the things to be found are strictly cold?

# %% tags=["exercise"]
check("08.cold_targets", ...)

# %% [markdown]
# **2.** The place of an item among some candidates only.

# %% tags=["exercise"]
check("08.rank_among", ...)

# %% [markdown]
# **3.** 104 cold items compete with one another. What is the Recall@10 of a guess?

# %% tags=["exercise"]
check("08.chance", ...)

# %% [markdown]
# **4.** Who would be offered a new thing?

# %% tags=["exercise"]
check("08.share_offered", ...)

# %% [markdown]
# **5. To find out** (no check). Some shops give every new thing its turn: the last two of ten places go to the best new
# things, whatever else scores higher. Change the lists of `repaired` so. What does it do to NDCG@10 on new items, and
# what does it cost on the others?

# %% [markdown] tags=["solution"]
# Take `scores = repaired.score(...)`, hide what was bought, take the best eight, then the best two cold ones that are not among
# them; count a hit at its place in that list. New items gain much, since places 9 and 10 were closed to them before; the others lose
# only those who stood on 9 and 10, where the gain 1 / log2(place + 1) is smallest.

# %% [markdown]
# ## What could mislead you here
#
# - **The candidates.** Among the cold, among all, among a hundred drawn ones: three figures of one model. Always say who competes.
# - **Cold that is not cold.** An item that is in the catalogue of fine-tuning has taken part in training, as a wrong answer. And an item with
#   one purchase is not strictly cold. In a shop without new items, `without_items` of `msm4sr_lite.study.cold_start` makes some: it draws a random
#   share of the items and takes them out of all training and validation.
# - **Two domains of one simulated world.** The shoppers of home and outdoor follow the same rule; the products differ, but they are
#   drawn by the same pen and described by the same phrases. Between two real shops expect less: between two domains of
#   a real one, H&M, nothing at all was gained (`docs/results.md`).
# - **From scratch, but how?** A baseline that is trained too briefly makes every transfer look good. Here both starts may choose their
#   learning rate; try others before you believe a ratio.
#
# ## In three lines
#
# - A new item needs no training: its vector comes from its text and picture; what it lacks is an id, and that can be left out.
# - Fine-tune with `candidates="seen"`, or the softmax teaches the model that new means never.
# - A model without ids moves to another shop as it is; its head start is largest where purchases are few.
#
# **Next:** 09 looks at all these vectors on a map.
