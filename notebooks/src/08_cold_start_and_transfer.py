# ---
# jupyter:
#   msm4sr:
#     title: Cold start and transfer
#     minutes: 30
# ---

# %% [markdown]
# # 08 · Cold start and transfer
#
# **Question: can a model recommend items that nobody has bought yet, and can it work in a shop that it has never seen?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 01, 05 and 07; NDCG and Recall | add new items to a trained model, measure cold-start items with the right candidates, fine-tune without losing them, and judge what transfer to another domain is worth | 30 minutes of reading, about a minute of computing |

# %%
from course import setup

session = setup("08")

# %% [markdown]
# ## Items that nobody has bought
#
# *Why now?* Notebook 01 left a quarter of the test targets without a single hit. These targets are new items. Now you have a model that might find them.
#
# On the 5th of March, the domain *home* of the sample shop got a new collection. Each user's last purchase, the test target, came after that day. All others came before it.

# %% tags=["plot"]
from course import show_images
from msm4sr_lite import Dataset
from msm4sr_lite.features.table_files import read_keywords

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
words = read_keywords(folder / "features")
names = ["h0007", "h0010", "h0017", "h0028", "h0044", "h0150"]
show_images(
    [folder / dataset.items[name].images[0] for name in names],
    [dataset.items[name].title or "(no text)" for name in names],
    caption="Six items of the new collection",
)

# %% [markdown]
# *Cold start* means that a recommender has too few interactions of an item, or of a user, to learn from. The term goes back to Schein et al. (2002, [doi 10.1145/564376.564421](https://doi.org/10.1145/564376.564421)). An item is
# *strictly cold* if it occurs in no history at all. Find the users whose test target is one:

# %%
import torch
from course import check
from torch import Tensor  # noqa: F401

# %% tags=["exercise"]
check("08.cold_targets", ...)

# %%
import numpy as np
from msm4sr_lite import build_sequences, load_checkpoint
from msm4sr_lite.study.cold_start import cold_items

pretrained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
sequences = build_sequences(dataset.interactions, catalogue[1:])
histories, targets = sequences.held_out("test")
cold = cold_items(sequences)
unsold = (sequences.item_counts()[1:] == 0).sum()
print(f"{unsold} of {sequences.n_items} items have no interactions in training;")
print(f"{len(cold)} of them occur in no history of the test: they are strictly cold")
print(f"{np.isin(targets, cold).sum()} of {len(targets)} test targets are such items")

# %% [markdown]
# As in 01, the two counts differ by one: one item occurs as a validation target only. At test time it belongs to a history. Most of the strictly cold items are the new collection; a few are older items that nobody bought.
#
# ## What an ID embedding cannot know
#
# *Why now?* Popularity, ItemKNN and SASRec found none of these targets in 01. The reason is not a lack of training.

# %%
from course import drawing

drawing("new_item")

# %% [markdown]
# These three know an item by its number. For a new number they have no count and no trained row, so there is nothing to look up. Models that can only score what they were trained on are called *transductive*. M²SE is *inductive*: it computes the
# embeddings of any item from its text and its images, and needs no number.
#
# $$z_t = f_t(\text{text}), \qquad z_v = f_v(\text{images}), \qquad
# \text{score} = \cos(h_t, z_t) + \cos(h_v, z_v)$$
#
# Here $f$ stands for all that comes before the Transformer: BERT (for images, CLIP finds the keywords first), pooling and MoE adaptor. Scoring an item without any training on it is called *zero-shot*. Fine-tuning adds an ID embedding to both $z$ (07); a new item has none, so it is left out.
#
# To add items to a running model, the library appends rows:

# %%
from course import source
from msm4sr_lite.scoring import ModelScorer

source(ModelScorer.append)

# %% [markdown]
# Try it. The next recommender has never seen the cold items: they are in none of its tables. `add_items` gives it the new collection.

# %%
from msm4sr_lite import Recommender
from msm4sr_lite.features.table_files import load_feature_table

features = load_feature_table(folder / "features")
old = [name for i, name in enumerate(catalogue) if i not in set(cold)]
new = [catalogue[i] for i in cold]
recommender = Recommender(ModelScorer(pretrained, features.for_items(old)), old)
print("items before:", len(recommender.item_number))
recommender.add_items(features.for_items(["", *new]))
print("items after: ", len(recommender.item_number))

user = dataset.user_history("uh0040")[:-1]  # without the test target
ranked = list(recommender.recommend({"": user}, k=100)["item_id"])
places = [i for i, name in enumerate(ranked, 1) if name in new]
print("the first new items have the ranks", *places[:3])

# %% tags=["plot"]
shown = [*user[-3:], *(ranked[place - 1] for place in places[:3])]
found = [dataset.items[name] for name in shown]
show_images(
    [folder / item.images[0] if item.images else None for item in found],
    [*["history"] * 3, *(f"new, rank {place}" for place in places[:3])],
    [words[name][0] if name in words else () for name in shown],
    caption="The last items of user uh0040, then the best new items; with keywords",
)

# %% [markdown]
# No weight was changed. The best new items of this user stand not far from the top, but none is among the first ten. Is that so for other users, too?
#
# ## Who competes?
#
# *Why now?* "How well are new items ranked?" is not one question but two, and the answers differ widely.
#
# - **Among the cold:** of the 104 cold items, does the right one come first? Nothing else competes.
# - **Among all:** does it come first among all 400 items?
#
# The set of items that compete is the set of *candidates*. Write the rank among any candidates:

# %% tags=["exercise"]
check("08.rank_among", ...)

# %% [markdown]
# Every value needs a baseline. Which Recall@10 does a random order of the 104 cold items reach?

# %% tags=["exercise"]
check("08.chance", ...)

# %% [markdown] tags=["derivation"]
# Derivation: NDCG of a random order
#
# Let $n$ candidates stand in a random order without ties. Then the rank $r$ of the target is each of $1, 2, \dots, n$ with probability $1/n$.
# Recall@$K$ counts 1 if $r \le K$, else 0; NDCG@$K$ counts $1 / \log_2 (r + 1)$ if $r \le K$, else 0. For $K \le n$, their means are
#
# $$\text{Recall@}K = \sum_{r=1}^{K} \frac1n = \frac{K}{n} \qquad\qquad
# \text{NDCG@}K = \frac1n \sum_{r=1}^{K} \frac{1}{\log_2 (r + 1)} .$$
#
# The second sum does not depend on $n$; for $K = 10$ it is 4.54. So a random order has an NDCG@10 of $4.54/n$: 0.044 among the 104 cold items, and 0.011
# among all 400. (Items of the history do not compete, so $n$ is a little smaller than 400 in practice.)
# A model that gives all items the same score does worse here: in a tie the target gets the last place.

# %%
from course import number, predict

predict(
    "08.places",
    "The pre-trained model ranks all 400 items for every user. The cold items are 26 %"
    " of the catalogue. Which share of the first ten places do they get?",
    number(0, 100, "%"),
)

# %%
from course import reveal
from course.cold_start import report
from msm4sr_lite.baselines import ItemKNN, Popularity

table = features.for_items(catalogue)
models = {
    "popularity": Popularity(sequences),
    "ItemKNN": ItemKNN(sequences),
    "pre-trained": ModelScorer(pretrained, table),
}
ranges = (0, 1, 11, 21, 31, 51)  # of training interactions, for the next section
reports = {
    name: report(scorer, sequences, popularity_starts=ranges)
    for name, scorer in models.items()
}


# %%
def ndcg(found, candidates="among_all"):
    return found["cold"][candidates]["metrics"]["ndcg@10"]["value"]


print(f"{'NDCG@10 of cold targets':<24} among cold  among all")
for name, found in reports.items():
    print(f"{name:<24} {ndcg(found, 'among_cold'):>10.3f} {ndcg(found):>10.3f}")
gain = (1 / np.log2(np.arange(2, 12))).sum()
print(f"{'a random order':<24} {gain / len(cold):>10.3f} {gain / 400:>10.3f}")
reveal("08.places", 100 * reports["pre-trained"]["cold_in_top10"], close=3)

# %% [markdown]
# Among the cold, the model is about four times as good as a random order. Among all it is much weaker, because items with interactions take most places. In pre-training the embeddings of old items were positives again and again; those of
# cold items never were. A model that offers frequent items more often than users choose them has a *popularity bias*. Here a quarter of the test targets are cold, but only a tenth of the offers.
#
# Both columns are correct. A paper that reports only the first doesn't say whether a user would ever *see* the new item.
#
# ## How many interactions does ItemKNN need?
#
# *Why now?* Strictly cold is an extreme. Most items of a shop lie between "never" and "often".

# %%
from course import pick

predict(
    "08.counts",
    "Group the test targets by their interactions in training. In which group does"
    " ItemKNN become better than the pre-trained model?",
    pick("1-10", "11-20", "21-30", "31-50", "51+", "in none"),
)

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import MARKERS, show

figure, axes = plt.subplots(figsize=(7.5, 3.4))
alt = []
for spot, name in enumerate(("ItemKNN", "pre-trained")):
    groups = reports[name]["by_popularity"]
    values = [group["metrics"]["ndcg@10"] for group in groups.values()]
    middle = np.array([v["value"] for v in values])
    error = np.abs([[v[end] for v in values] - middle for end in ("low", "high")])
    axes.errorbar(
        [f"{k}\n({group['users']})" for k, group in groups.items()],
        middle, error, marker=MARKERS[spot], capsize=3, label=name,
    )  # fmt: skip
    alt.append(f"{name} " + ", ".join(f"{k}: {m:.2f}"
               for k, m in zip(groups, middle, strict=True)))  # fmt: skip
axes.set(title="ItemKNN wins for the most popular items only",
         xlabel="interactions of the target in training (test users)",
         ylabel="NDCG@10")  # fmt: skip
axes.legend()
show(figure, "NDCG@10 by interactions of the target. " + "; ".join(alt) + ".",
     "95 % intervals over users; no interval where no target was found.")  # fmt: skip

# %%
knn, model = (reports[name]["by_popularity"] for name in ("ItemKNN", "pre-trained"))
wins = [
    group
    for group in knn
    if knn[group]["metrics"]["ndcg@10"]["value"]
    > model[group]["metrics"]["ndcg@10"]["value"]
]
reveal("08.counts", wins[0] if wins else "in none")

# %% [markdown]
# ItemKNN finds no target of the first two groups, and it wins only for the most popular items. The model's curve rises as well. This doesn't show that it prefers popular items. An oracle that knows texts and images,
# but no popularity, is also better on frequent items: 0.22 for 11 and more interactions, 0.03 for 6 to 10 ([study](../docs/studies/corner_shop-home-128.md)). Items whose looks fit a taste well are chosen often, and are easier to foresee.
#
# ## Make a new item
#
# *Why now?* Averages hide what happens to a single item. In this section you put one together and see who gets it.
#
# For the seller of a new item, the useful measure is its *exposure*: the share of users who have it among their first $K$.

# %% tags=["exercise"]
check("08.share_offered", ...)

# %% [markdown]
# Take the image of one item and the text of another. Try to find
#
# - an image and a text that suit each other, so that more users get the item than an average one;
# - what the image is worth alone, and the text alone;
# - what the users at the top have in common with the image.

# %% tags=["plot"]
from course import (
    Picture,
    choice,
    entry,
    explain_missing_encoder,
    find_encoder,
    panel,
    picture_choice,
)  # fmt: skip
from course.cold_items import ColdItemMaker, NewItemScorer

looks = ["h0007", "h0010", "h0012", "h0017", "h0023", "h0025", "h0028", "h0044"]
looks += ["h0054", "h0065", "h0106", "h0150"]
pictures = [
    Picture(name, ", ".join(words[name][0][:3]), folder / dataset.items[name].images[0])
    for name in looks
] + [Picture("none", "no image")]
says = ["h0007", "h0012", "h0017", "h0022", "h0033", "h0044", "h0051", "h0145"]
titled = {dataset.items[name].title: name for name in says}
titles = list(titled)
encoder = find_encoder()
maker = ColdItemMaker(
    NewItemScorer(models["pre-trained"], table, sequences, models["ItemKNN"]),
    dataset,
    words,
)


def make(image, text, other):
    if other and encoder is None:
        return explain_missing_encoder()
    sentence = (other, encoder.encode([other])) if other else None
    return maker.draw(titled.get(text), None if image == "none" else image, sentence)


panel(
    make,
    picture_choice("image", pictures, label="image"),
    choice("text", [*titles, "no text"], start=titles[0], label="text"),
    entry("other", "", label="or another text"),
    title="cold-item maker",
    static=[
        {"image": "h0007", "text": titles[0]},
        {"image": "h0007", "text": titles[2]},
        {"image": "none", "text": titles[0]},
    ],
)

# %% [markdown]
# The first two items differ in their text only, and yet their exposure differs a lot. Without an image the text embedding takes its place (05), and here even more users get the lamp. Text and image act together: a simulated user buys what fits the present need *and* the taste. What an item is for shows in its text only, its looks
# in its images only. ItemKNN offers none of these items to anybody.
#
# ## Fine-tuning that forgets new items
#
# *Why now?* In 07 the fine-tuned model found fewer new items than the pre-trained one. Here you find out which weights are to blame.
#
# To recall: the fine-tuning loss is a softmax over the catalogue. If the catalogue holds the new items, each of them is a negative for *every* target and a positive for none. With `candidates="seen"`, only items with training interactions are in the
# softmax. We fine-tune in both ways, from the same start.

# %%
from dataclasses import replace

from course import progress_bar
from msm4sr_lite.config import FinetuneConfig
from msm4sr_lite.initialize import transfer
from msm4sr_lite.training import finetune_steps

config = FinetuneConfig(lr=1e-3, batch_size=256, epochs=3)
tuned = {}
for candidates in ("all", "seen"):
    torch.manual_seed(0)
    net = transfer(pretrained, sequences.n_items)
    settings = replace(config, candidates=candidates)
    for _ in progress_bar(finetune_steps(net, table, sequences, settings), candidates):
        pass
    tuned[candidates] = ModelScorer(net, table)

# %% [markdown]
# There are two suspects. The ID embeddings of the cold items were pushed away from every user. And the weights that compute $z$ from text and image, which all items share, may have learnt what cold items look like. An experiment separates them: set the
# ID embeddings of the cold items to zero.

# %%
predict(
    "08.ids",
    "After fine-tuning on all items, the ID embeddings of the cold items are set to"
    " zero. How much of the NDCG@10 that was lost on cold targets comes back?",
    pick("almost all", "about half", "hardly any"),
)

# %% tags=["nbval-ignore-output"]
# Not compared: trained numbers differ in their last digits between machines.
from course.cold_start import replace_ids

variants = {
    "pre-trained": models["pre-trained"],
    "all": tuned["all"],
    "all, cold IDs zero": replace_ids(tuned["all"], cold, "zero"),
    "all, every ID zero": replace_ids(tuned["all"], np.arange(1, 401), "zero"),
    "seen, cold IDs zero": replace_ids(tuned["seen"], cold, "zero"),
}
print(f"{'NDCG@10':<20} cold targets  all targets  places of cold items")
for name, scorer in variants.items():
    reports[name] = found = report(scorer, sequences)
    every = found["all"]["metrics"]["ndcg@10"]["value"]
    share = found["cold_in_top10"]
    print(f"{name:<20} {ndcg(found):>12.3f} {every:>12.3f} {share:>21.1%}")

# %%
before, after, zeroed = (
    ndcg(reports[name]) for name in ("pre-trained", "all", "all, cold IDs zero")
)
repaired = (zeroed - after) / (before - after)
verdict = "about half" if repaired > 0.3 else "hardly any"
reveal("08.ids", "almost all" if repaired > 0.7 else verdict)

# %% [markdown]
# Hardly any, not even without *all* IDs. So most of the damage is in the shared weights: they have learnt from text and image which items are never bought. Removing IDs cannot repair that. With `candidates="seen"` it doesn't happen, and the metric
# over all targets is about the same.
#
# After `candidates="seen"`, nothing has trained the IDs of cold items, and Adam's weight decay has shrunk their random initial values to almost 0. `add_items` gives new items none. That is why the last row has them at zero; here it changes nothing.
#
# **To find out** (no check). Some shops reserve places. Give the last two of ten places to the best cold items, whatever else scores higher. What does this do to NDCG@10 on cold targets, and what does it cost on the others?

# %% [markdown] tags=["solution"]
# Compute `scores = variants["seen, cold IDs zero"].score(histories)`, set padding and the items of each history to a low value, and take the best eight items, then the best two cold ones that are not among them. A hit counts with its place
# in this list. Expect a clear gain in NDCG@10 on cold targets, a small loss on the others, and almost no change over all targets.

# %% [markdown]
# ## Another domain, without training
#
# *Why now?* If one item may be new, all of them may be, and all users as well. Then a model can move to another shop.
#
# The domain *outdoor* of the sample has 400 other items and 1200 other users. Using a model of one domain in another is called *domain transfer*. No weight of the pre-trained model belongs to one item or one user:

# %%
drawing("transfer")

# %% [markdown]
# First without any training on outdoor: zero-shot transfer. The table of features is all that changes. Popularity and ItemKNN know the interactions of outdoor; the model from home knows none of them.

# %%
from course import order

predict(
    "08.order",
    "Order four recommenders by NDCG@10 on outdoor's test targets, best first.",
    order("untrained M²SE", "popularity", "M²SE from home", "ItemKNN"),
)

# %%
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import metrics, target_ranks

outdoor = Dataset.from_folder(folder, domain="outdoor")
there = build_sequences(outdoor.interactions, list(outdoor.items))
items_there = features.for_items(there.items)
torch.manual_seed(0)
movers = {
    "untrained M²SE": ModelScorer(M2SE(pretrained.config), items_there),
    "popularity": Popularity(there),
    "M²SE from home": ModelScorer(pretrained, items_there),
    "ItemKNN": ItemKNN(there),
}
test = there.held_out("test")
score = {
    name: metrics(target_ranks(scorer, *test, filter_seen=True))["ndcg@10"].mean()
    for name, scorer in movers.items()
}
for name, value in score.items():
    print(f"{name:<15} NDCG@10 {value:.3f}")
reveal("08.order", sorted(score, key=score.get, reverse=True))

# %% [markdown]
# Without one interaction of outdoor, the model is far above an untrained one and above popularity, but below ItemKNN. What did it bring along? The sample's users are simulated, so we can ask. Each has a *need*, which mostly moves on to the
# next one in a fixed order, and a *taste* in looks, which stays. Both domains share these rules. We count how many of the first ten items fit the next need, and how many have a pattern that the user's taste prefers.

# %%
from course.transfer import share_fitting
from data_samples.make.write import load_world

world = load_world(folder)
print(f"{'first ten items':<15} fit the next need  have a preferred pattern")
for name, scorer in movers.items():
    need, pattern = share_fitting(scorer, there, world)
    print(f"{name:<15} {need:>17.0%} {pattern:>25.0%}")
print(f"{'a random item':<15} {1 / 8:>17.0%} {1 / 3:>25.0%}")

# %% [markdown]
# The two best recommenders know different things. The model from home knows what comes next, and a part of the taste. ItemKNN knows almost nothing of the order, but much of the taste. The order of the needs
# is the same in both domains, and texts of both describe the same purposes. That is why it transfers.
#
# ## Another domain, with few users
#
# *Why now?* A real shop has a few users, soon after it has opened. What is pre-training worth then?
#
# Suppose that outdoor has 60 users, 5 % of the sample. We fine-tune on these, once from home and once *from scratch*, that is from random weights. The users and the maximum number of epochs are the same. The learning rates differ, because a model from scratch has a longer
# way to go. The validation targets of the 60 users decide when to stop. The test uses all 1200 users.

# %% tags=["nbval-ignore-output"]
# Not compared: trained numbers differ in their last digits between machines.
from course.transfer import fine_tuned
from msm4sr_lite.pipeline.stages import TrainingData

domain = TrainingData(there, items_there)
for name, (start, rate) in progress_bar(
    {"from home": (pretrained, 3e-4), "from scratch": (None, 1e-3)}.items(), "60 users"
):
    few = FinetuneConfig(lr=rate, batch_size=64, epochs=15, patience=10)
    scorer = ModelScorer(fine_tuned(start, domain, 0.05, few), items_there)
    value = metrics(target_ranks(scorer, *test, filter_seen=True))["ndcg@10"].mean()
    print(f"60 users, {name:<12} NDCG@10 {value:.3f}")

# %% [markdown]
# One run per start says little. A longer study has repeated this with ten seeds for the pre-training, the choice of users and the fine-tuning, and for four shares of the users.
#
#     python -m benchmarks.studies.transfer_curve data_samples/corner_shop --source home --target outdoor --seeds 10 --out DIR

# %%
predict(
    "08.lead",
    "With all 1200 users of outdoor to learn from: by how many percent is NDCG@10"
    " higher if the model was pre-trained on home?",
    number(-50, 200, "%"),
)

# %% tags=["plot"]
import json

from course import PALETTE

curve = json.loads((folder / "curves" / "home_to_outdoor.json").read_text("utf-8"))
shares = [float(share) for share in curve["shares"]]
figure, axes = plt.subplots(figsize=(7.5, 3.8))
alt = []
for spot, (start, label) in enumerate(
    (("pretrained", "pre-trained on home"), ("scratch", "from scratch"))
):
    values = [part[start]["ndcg@10"] for part in curve["shares"].values()]
    middle = [v["value"] for v in values]
    axes.plot(shares, middle, marker=MARKERS[spot], label=label)
    for share, v in zip(shares, values, strict=True):
        place = share * (0.94, 1.06)[spot]  # side by side: none hides another
        axes.plot([place] * len(v["seeds"]), v["seeds"], MARKERS[spot], markersize=5,
                  color=PALETTE[spot], markerfacecolor="white")  # fmt: skip
    lines = ", ".join(f"{s:.0%}: {m:.3f}" for s, m in zip(shares, middle, strict=True))
    alt.append(f"{label} {lines}")
flat = curve["zero_shot"]["ndcg@10"]["value"]
axes.axhline(flat, color="#555555", linestyle=":", label="from home, zero-shot")
axes.set(
    xscale="log",
    xticks=shares,
    xticklabels=[f"{share:.0%}" for share in shares],
    xlabel="share of outdoor's 1200 users to learn from",
    ylabel="NDCG@10",
    ylim=(0, None),
    title="The fewer users, the more pre-training is worth",
)
axes.minorticks_off()
axes.legend()
show(
    figure,
    "NDCG@10 in outdoor. " + "; ".join(alt) + f"; zero-shot {flat:.3f}.",
    "Stored results. Small open points: single runs. Items of the history compete, too,"
    " which makes all values a little lower than those above.",
)

# %%
for share, part in curve["shares"].items():
    gain = part["gain"]["ndcg@10"]
    print(f"{float(share):>4.0%} of the users: {part['ratio']:.2f} times as good,"
          f" gain {gain['value']:.3f}"
          f" [{gain['low']:.3f}, {gain['high']:.3f}]")  # fmt: skip
reveal("08.lead", 100 * (curve["shares"]["1"]["ratio"] - 1), close=10)

# %% [markdown]
# The gain is significant at every share (no interval contains 0), and the ratio is largest where users are few. Zero-shot, the model from home is better than one trained from scratch on 60 users.
#
# Look at the open points before you believe a ratio from a single run. With 60 users, the runs from scratch differ by more than a factor of two. The seeds decide which users are drawn, and 60 validation targets decide when to stop.
#
# Is that so outside of a simulated world? The same study between two domains of H&M, real data:

# %%
from course.session import ROOT

for name in ("hm_fashion-ladieswear-to-divided", "hm_fashion-divided-to-ladieswear"):
    file = ROOT / "docs" / "results" / name / "transfer.json"
    study = json.loads(file.read_text("utf-8"))
    print(f"from {study['source']} to {study['target']}:")
    for part in study["shares"].values():
        gain = part["gain"]["ndcg@10"]
        print(f"  {part['users']:>3} users: gain {gain['value']:+.3f}"
              f" [{gain['low']:+.3f}, {gain['high']:+.3f}]")  # fmt: skip

# %% [markdown]
# All intervals contain 0: between these two domains, pre-training had no significant effect. (Zero-shot, the pre-trained models were even below untrained ones: 0.018 against 0.031, and 0.007 against 0.011, [log](../docs/log.md).) If it makes a model worse, this is called *negative transfer*. Published transfer across real domains, such as UniSRec (Hou et al. 2022, [arXiv 2206.05941](https://arxiv.org/abs/2206.05941)), pre-trains on
# far more interactions than these two domains have. The sample shows what is possible if the rules are shared; whether they are, only a test on your own domains can tell.
#
# ## What can mislead you
#
# - **The candidates.** Among the cold, among all, among a hundred sampled ones: one model has three values. Always say who competes.
# - **Cold items that are not cold.** An item in the fine-tuning catalogue has taken part in the training, as a negative. If your data has no cold items, `without_items` in `msm4sr_lite.study.cold_start` makes some: it removes a random share of items from all training data.
# - **Two domains of one simulation.** Users of home and outdoor follow the same rules, and the texts come from the same phrases. Expect less between real shops.
# - **A weak "from scratch".** A baseline that is trained too briefly makes every transfer look good. In the stored study, validation chose between two learning rates for both starts when users were few.
#
# ## Quiz

# %%
from course import quiz

quiz("08")

# %% [markdown]
# ## Take-aways
#
# - A new item needs no training: M²SE computes its embeddings from text and images, and the ID embedding is left out.
# - Fine-tune with `candidates="seen"`; otherwise the shared weights learn that such items are never bought, and removing IDs does not repair it.
# - A model without IDs can move to another domain as it is. On the sample this helps most with few users; between two domains of H&M it did not help.
#
# **Next:** 09 draws all these embeddings as maps, and asks how far to trust them.
