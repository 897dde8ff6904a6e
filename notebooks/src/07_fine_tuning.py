# ---
# jupyter:
#   msm4sr:
#     title: Fine-tuning, the race and the verdict
#     minutes: 32
# ---

# %% [markdown]
# # 07 · Fine-tuning, the race and the verdict
#
# **Question: how good is your model, how sure is that, and what does each part of it contribute?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 01 and 06; mean and standard error | write the loss of fine-tuning, compare models with intervals and paired tests, treat new items fairly, and read an ablation table | 32 minutes of reading, about a minute of computing |
#
# The method is MSM4SR ([arXiv 2303.11879](https://arxiv.org/abs/2303.11879)).

# %%
from course import setup

session = setup("07")

# %% [markdown]
# ## From the batch to the catalogue
#
# Pre-training asked which of the items *in a batch* comes next. A recommender must choose from the whole catalogue. *Fine-tuning* trains for exactly that, and it may give each item
# an *ID embedding*, which stands for what texts and images do not show.

# %%
from course import drawing

drawing("fine_tuning")

# %% [markdown]
# Let $\mathrm{id}_j$ be the ID embedding of item $j$; it starts near zero. The score of item $j$ and the loss of a target are
#
# $$s_j = \cos(h_t,\; z_{t,j} + \mathrm{id}_j) + \cos(h_v,\; z_{v,j} + \mathrm{id}_j),
# \qquad \mathcal L = -\log \frac{e^{s_{\text{target}}/\tau}}{\sum_{j} e^{s_j/\tau}} .$$
#
# The sum runs over the whole catalogue: a *full softmax*. With millions of items it is replaced by a *sampled softmax*, which draws some negatives.

# %%
import torch
import torch.nn.functional as F
from course import check, load_parts
from torch import Tensor, nn  # noqa: F401

# %% [markdown]
# **Your turn.** Three short parts, then your model is complete. First the scores of all items.

# %% tags=["exercise"]
check("07.match_scores", ...)

# %% [markdown]
# **Your turn.** The scores of all items after some histories. This function makes the recommendations.

# %% tags=["exercise"]
check("07.score_histories", ...)

# %% [markdown]
# **Your turn.** The loss of fine-tuning.

# %% tags=["exercise"]
check("07.ranking_loss", ...)

# %% [markdown]
# ## Fine-tune your model
#
# Does it matter that the model was pre-trained? To see it live, we train your model twice: once from the sample's pre-trained weights (142 epochs, as in
# notebook 06), and once from random weights. Both get three epochs of fine-tuning.

# %%
import numpy as np
from msm4sr_lite import Dataset, build_sequences, load_checkpoint
from msm4sr_lite.features.table_files import load_feature_table

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
pretrained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(catalogue)
sequences = build_sequences(dataset.interactions, catalogue[1:])
every = torch.arange(len(catalogue))
features = {m: getattr(table, m).gather(every) for m in ("text", "image")}
train = [s.tolist() for s in sequences.train() if len(s) > 1]
histories, targets = sequences.held_out("test")

# %% [markdown]
# The library can test every model that has a method `score`, which gives scores to all items. Each user is tested on the last interaction, among all items that the user does
# not have yet.

# %%
from msm4sr_lite.evaluation import metrics, target_ranks

mine = load_parts()
ranks = {}


class MyScorer:
    def __init__(self, model):
        self.model = model.eval()

    @torch.no_grad()
    def score(self, histories):
        lists = [history.tolist() for history in histories]
        return mine.score_histories(self.model, features, lists)


def measure(name, scorer):
    ranks[name] = target_ranks(scorer, histories, targets, filter_seen=True)
    return metrics(ranks[name])["ndcg@10"].mean()


# %%
from course import pick, predict

question = (
    "After three epochs of fine-tuning, Recall@20 of the model from random weights, "
)
question += "compared with the pre-trained one:"
predict("07.start", question, pick("less than half", "a little lower", "about equal"))

# %%
recall = {"pre-trained": [], "random weights": []}


def fine_tune(name, weights, loss):
    torch.manual_seed(0)
    model = mine.M2SE(table.width, n_items=sequences.n_items)
    model.load_state_dict(weights, strict=False)
    generator = torch.Generator().manual_seed(0)

    def report(epoch, loss):
        found = target_ranks(MyScorer(model), *sequences.held_out("valid"))
        recall.setdefault(name, []).append(metrics(found, [20])["recall@20"].mean())

    def loss_of(items, targets):
        return loss(model, features, items, targets)

    options = {"batch_size": 64, "weight_decay": 1e-3, "report": report}
    mine.train(model, loss_of, train, 3, 1e-3, generator, **options)
    return model


fine_tuned = fine_tune("pre-trained", pretrained.state_dict(), mine.ranking_loss)
fresh = fine_tune("random weights", {}, mine.ranking_loss)

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: the models trained above.
import matplotlib.pyplot as plt
from course import MARKERS, reveal, show

figure, axes = plt.subplots(figsize=(6.5, 3.2))
for (name, values), marker in zip(recall.items(), MARKERS, strict=False):
    axes.plot(range(1, 4), values, marker=marker, label=name)
axes.set(title="Fine-tuning", xlabel="epoch", xticks=[1, 2, 3], ylim=(0, 0.55))
axes.set(ylabel="Recall@20, validation")
axes.legend()
last = {name: values[-1] for name, values in recall.items()}
show(
    figure,
    "Recall@20 after three epochs: "
    + ", ".join(f"{n} {v:.1f}" for n, v in last.items())
    + ".",
)
share = last["random weights"] / last["pre-trained"]
bands = ("less than half", 0.5), ("a little lower", 0.9), ("about equal", 9)
reveal("07.start", next(band for band, limit in bands if share < limit))

# %% [markdown]
# With so little training, pre-training makes a large difference. But is this comparison fair? One model had 142 epochs of pre-training before its three epochs. The other had three
# epochs in all. What we see is a *head start*. Whether the pre-trained model is still better when both have trained until validation stops improving is another question. The verdict
# below answers it.
#
# A word on when to stop. Our three epochs simply end. A longer training keeps the weights of the epoch that was best on *validation* (*early stopping*). Choosing the epoch by the test
# part would be *data leakage*.
#
# ## The race
#
# Is your model better than simple methods? The opponents:
#
# - *popularity*: the best-sellers for everybody; *ItemKNN*: items that the same users bought;
# - *SASRec* (Kang & McAuley 2018, [arXiv 1808.09781](https://arxiv.org/abs/1808.09781)): the same Transformer, with ID embeddings only;
# - *text+image*: one sequence with the sum of text and image embeddings, without mixup, without contrastive losses, without pre-training (in stored rows:
#   *text+image, no mixup*).
#
# SASRec and text+image are trained now, for a few epochs.

# %%
from course import order

racers = "popularity", "ItemKNN", "SASRec", "my M²SE, fine-tuned"
predict(
    "07.race",
    "Order them by NDCG@10 on the test part, best first.",
    order(*racers),
)

# %%
from course import score
from msm4sr_lite.baselines import BaselineData, fit_baseline
from msm4sr_lite.config import Config, FinetuneConfig
from msm4sr_lite.intervals import summarise

data = BaselineData(sequences, table)
ids = Config(finetune=FinetuneConfig(lr=3e-3, epochs=10, batch_size=256))
simple = {"popularity": "popularity", "ItemKNN": "item_knn"}
scorers = {name: fit_baseline(one, data) for name, one in simple.items()}
scorers["SASRec, 10 epochs"] = fit_baseline("sasrec", data, config=ids)

# %%
contents = Config(
    finetune=FinetuneConfig(lr=1e-3, epochs=6, batch_size=256, use_ids=False)
)
scorers["text+image, 6 epochs"] = fit_baseline("text+image", data, config=contents)
bare = mine.M2SE(table.width)
bare.load_state_dict(pretrained.state_dict())
scorers["my M²SE, pre-trained"] = MyScorer(bare)
scorers["my M²SE, fine-tuned"] = MyScorer(fine_tuned)
for name, scorer in scorers.items():
    measure(name, scorer)
    found = summarise({"ndcg": metrics(ranks[name])["ndcg@10"]})["ndcg"]
    score(name, *found.values())

# %% tags=["nbval-ignore-output"]
# Not compared: holds the results of the models trained above.
from course import scoreboard

scoreboard("SASRec", "text+image, no mixup", "paper", "tuned", "ensemble")
means = {name: metrics(ranks[name])["ndcg@10"].mean() for name in ranks}
best_first = sorted(racers, key=lambda n: -means.get(n, means["SASRec, 10 epochs"]))
reveal("07.race", best_first)

# %% [markdown]
# How to read the scoreboard:
#
# - **Live and stored.** Rows marked *stored* were not computed here. They are results of a study: three seeds, settings tuned on validation, up to 140 epochs. `paper` is M²SE with the
#   released settings, but for batch size, learning rate and IDs; `tuned` with the settings that this library recommends, `ensemble` adds the scores of simpler models.
# - **Share of the upper bound.** The users of the sample are simulated, so the true probability of every next item is known. The *oracle* ranks by it. No
#   model can be expected to do better. With real data nobody knows the upper bound.
# - **Budget.** A live row and a stored row have had different training budgets. That is why the stored SASRec may stand above the live one, although both are the same model. Compare models within
#   one budget.
#
# ## How sure is a number?
#
# The test part has 1,200 users. Other users would have given other numbers. The *bootstrap* estimates how different: draw as many users as there are, with replacement, take
# the mean, repeat this 1,000 times. The middle 95 % of these means are the *confidence interval*.

# %%
question = "With a quarter of the users, how many times as wide is the interval?"
predict("07.width", question, pick("about 1.4 times", "about 2 times", "about 4 times"))

# %%
from course import panel, slider
from course.intervals import draw_intervals, format_interval

shown = ["popularity", "ItemKNN", "my M²SE, pre-trained"]
user_order = np.random.default_rng(0).permutation(len(targets))


def forest(users):
    some = user_order[:users]
    found = summarise({n: metrics(ranks[n][some])["ndcg@10"] for n in shown})
    figure, axes = plt.subplots(figsize=(7.5, 2.2))
    draw_intervals(axes, found)
    axes.set(title=f"{users} users", xlabel="NDCG@10, 95 % interval", xlim=(0, 0.25))
    values = "; ".join(f"{name} {format_interval(found[name])}" for name in shown)
    return figure, f"{users} users, NDCG@10: {values}."


panel(
    forest,
    slider("users", [25, 50, 100, 300, 600, 1200], start=1200, label="users"),
    title="intervals",
    static=[{"users": 1200}, {"users": 300}],
)
widths = {}
for users in (300, 1200):
    values = metrics(ranks["ItemKNN"][user_order[:users]])["ndcg@10"]
    found = summarise({"ndcg": values})["ndcg"]
    widths[users] = found["high"] - found["low"]
factor = widths[300] / widths[1200]
bands = ("about 1.4 times", 1.7), ("about 2 times", 3), ("about 4 times", 9)
reveal("07.width", next(band for band, limit in bands if factor < limit))

# %% [markdown]
# The width goes with $1/\sqrt{n}$: four times as many users for half the width. With few users even the order can change: move the slider to 100.
#
# **Your turn.** The bootstrap interval of a mean.

# %% tags=["exercise"]
check("07.interval", ...)

# %% [markdown]
# **Pairs say more.** Two intervals may overlap although the difference is significant. Both models were tested on the *same* users, and easy users are easy for both. So subtract user by
# user, and put the interval on the *difference*. This is a *paired* comparison.

# %% tags=["nbval-ignore-output"]
# Not compared: holds the model trained above.
from msm4sr_lite.study.paired import paired

one, two = "my M²SE, fine-tuned", "my M²SE, pre-trained"
gain = paired([ranks[one]], [ranks[two]])["ndcg@10"]
a, b = (metrics(ranks[name])["ndcg@10"] for name in (one, two))
apart = 1.96 * np.sqrt(a.var() / len(a) + b.var() / len(b))
print(f"fine-tuned minus pre-trained: {gain['value']:+.3f}")
print(f"  paired:                        ± {(gain['high'] - gain['low']) / 2:.3f}")
print(f"  if each had users of its own:  ± {apart:.3f}")
print(f"smallest gain found 4 times in 5:  {gain['detectable']:.3f}")

# %% [markdown]
# The last line is the *smallest detectable effect*: a true gain of this size would be found in 80 % of such tests. A smaller one would often be missed. "Not significant" therefore never means "no effect".
#
# Two more sources of error. First, another *seed* gives another model, so a study trains each model several times and adds this variation to the interval. Second, a study asks many questions. The *p-value* of a difference is the
# probability of one at least as large if the models were equally good; below 5 % it counts as significant. So of twenty such questions, one gets a "significant" answer by chance, on average. *Holm's method* corrects the p-values for their number.
#
# **Your turn.** Holm's method.

# %% tags=["exercise"]
check("07.holm", ...)

# %% [markdown] tags=["derivation"]
# Derivation: why users are drawn, and not interactions
#
# With several test interactions per user, these are not independent. Let $n$ users have $m$ test cases each, $\sigma^2$ the variance of one case, and $\rho$ the correlation of two cases
# of one user. There are $m$ variances and $m(m-1)$ ordered pairs in the mean of a user, so
#
# $$\operatorname{Var}(\bar x_u) = \frac{1}{m^2} \big( m\,\sigma^2 + m (m - 1)\, \rho\, \sigma^2 \big) = \frac{\sigma^2}{m} \big( 1 + (m - 1)\, \rho \big),
# \qquad \operatorname{Var}(\bar x) = \frac{\sigma^2}{n m} \big( 1 + (m - 1)\, \rho \big) .$$
#
# Drawing the $n m$ cases one by one acts as if $\rho$ were 0. The interval is then too narrow by the factor $\sqrt{1 + (m - 1)\, \rho}$. A bootstrap that draws *users*, each with all cases, keeps together what
# belongs together (the argument `users` of `summarise`).

# %% [markdown]
# ## New items
#
# In this shop some items arrive so late that nobody has bought them in the training part. They are *cold-start* items: your model can score them, because they have texts and images. What
# does fine-tuning do to them?

# %%
question = (
    "On targets that nobody bought in training: your fine-tuned model, compared with "
)
question += "the pre-trained model that it came from, has"
predict("07.new", question, pick("a higher NDCG@10", "the same", "a lower NDCG@10"))

# %% [markdown]
# In the full softmax a new item is a wrong answer for *every* target, and never the right one. Three epochs teach the model that such items are not bought. Yet they could not be bought. The setting `candidates="seen"` of
# the library leaves them out of the softmax. In your code it is a small change:

# %%
counts = sequences.item_counts()
seen = torch.from_numpy(np.flatnonzero(counts > 0))
column = torch.zeros(len(catalogue), dtype=torch.long)
column[seen] = torch.arange(len(seen))


def loss_of_seen(model, features, items, targets, tau=0.07):
    rows, position = targets.nonzero(as_tuple=True)
    h = model(model.embed(features, items))
    h = {modality: states[rows, position] for modality, states in h.items()}
    logits = mine.match_scores(h, model.embed(features, seen)) / tau
    return F.cross_entropy(logits, column[targets[rows, position]])


weights = pretrained.state_dict()
fair = fine_tune("seen items only", weights, loss_of_seen)
name = "my M²SE, seen items only"
measure(name, MyScorer(fair))
found = summarise({"ndcg": metrics(ranks[name])["ndcg@10"]})["ndcg"]
score(name, *found.values())

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: holds the models trained above.
from course import PALETTE

groups = {"seen in training": counts[targets] > 0, "never seen": counts[targets] == 0}
names = [
    "ItemKNN",
    *(f"my M²SE, {n}" for n in ("pre-trained", "fine-tuned", "seen items only")),
]
means = {
    group: [metrics(ranks[name][rows])["ndcg@10"].mean() for name in names]
    for group, rows in groups.items()
}
figure, axes = plt.subplots(figsize=(8.5, 3.2))
for place, (group, values) in enumerate(means.items()):
    style = {"color": PALETTE[place], "hatch": ["", "//"][place], "width": 0.38}
    label = f"target {group} ({groups[group].sum()} users)"
    bars = axes.bar(np.arange(4) + 0.4 * place - 0.2, values, label=label, **style)
    axes.bar_label(bars, fmt="%.2f", padding=2)
short = [name.removeprefix("my M²SE, ") for name in names]
axes.set(title="Fine-tuning loses new items", ylabel="NDCG@10", ylim=(0, 0.3))
axes.set(xticks=range(4), xticklabels=short)
axes.legend()
show(
    figure,
    "NDCG@10 on targets seen in training, and never seen: "
    + "; ".join(
        f"{n} {a:.2f}, {b:.2f}" for n, a, b in zip(short, *means.values(), strict=True)
    )
    + ".",
)
before, after = means["never seen"][1:3]
reveal("07.new", "a lower NDCG@10" if after < before else "a higher NDCG@10")

# %% [markdown]
# The full softmax drives new items out of the lists almost completely. Without them in the softmax, the model keeps what it knew about them from pre-training. ItemKNN cannot recommend a new item at all. Notebook 08 treats new items and new shops.
#
# ## The verdict: what does each part contribute?
#
# A method with many parts invites the question which of them are needed. An *ablation* answers it: leave one part out, train again, compare in pairs. The *gain* is the full model minus the one without the part. This takes many trainings, so the results are stored:
# three datasets, several seeds, intervals over users and seeds, p-values corrected by Holm's method. H&M holds real purchases of fashion; the other two are the simulated sample.

# %%
question = "Which of these brings the largest significant gain on H&M, the real data?"
answer = pick("complementary mixup", "pre-training", "score ensemble", "item dropping")
predict("07.part", question, answer)

# %%
from course.effects import draw_effects, read_effects

effects = read_effects()
show(*draw_effects(effects))
verdicts = [effect.verdict for of in effects.values() for effect in of.values()]
for verdict in ("helps", "not significant", "harms"):
    print(f"{verdict}: {verdicts.count(verdict)} of {len(verdicts)} comparisons")
hm = {part: of["H&M, real data"] for part, of in effects.items()}
largest = max((p for p in hm if hm[p].verdict == "helps"), key=lambda p: hm[p].value)
reveal("07.part", largest.split(",")[0])

# %% [markdown]
# What the figure says, plainly:
#
# - **Contents help the Transformer.** M²SE with texts and images is significantly better than SASRec, which has item ids alone, on all three datasets. ItemKNN, which also has ids alone, is as good as M²SE on H&M, as the table below shows.
# - **Mixup and CMCL: null results.** Neither has a significant effect on any dataset. On the sample with both domains the intervals are narrow, so large effects are ruled out there. On H&M they are
#   wider, so smaller effects could be hidden. What mixup does contribute is in notebook 04: on the sample, with preset `tuned`, it makes a model more robust to mixed modalities.
# - **Pre-training on the same data: a null result** in these studies, where every model trains until validation stops improving or its epochs are used up. The head start that you saw live is gone by then. Pre-training on another domain helps on the sample, and not between two domains of H&M (notebook 08).
# - **Fine-tuning** helps on the sample with both domains, the settings `tuned` on both samples. On H&M neither effect is significant after correction.
# - **Item dropping (04), NIP, attention pooling: null results** in these studies.
# - **Images** help on the sample, whose simulated users look at them. On H&M the effect is not significant.
# - **The whole of M²SE against the plain sum of text and image embeddings**: better on the sample with both domains, not significantly different on *home*, significantly *worse* on H&M.
# - **The score ensemble** brings the largest significant gain on H&M.
#
# A null result is a result. It says where not to spend effort, and the interval says how large the effect can still be. It does not say that the authors' results on their data are wrong: these are other datasets, smaller ones,
# with other features.
#
# How does M²SE do on real data next to methods that train nothing? *TF-IDF neighbours* offers items whose texts share rare words with those of the history.

# %%
from course.effects import HM, read_model

rows = {
    "SASRec": "sasrec",
    "ItemKNN": "item_knn",
    "TF-IDF neighbours": "tfidf_knn",
    "M²SE, paper": "msm4sr",
    "M²SE, tuned": "msm4sr_tuned",
    "text+image, no mixup": "text+image",
    "ItemKNN + TF-IDF": "item_knn+tfidf",
    "ensemble of the library": "ensemble",
}
for label, model in rows.items():
    print(f"{label:<27} {format_interval(read_model(HM, model))}")

# %% [markdown]
# On H&M the sum of two simple scores, ItemKNN and TF-IDF neighbours, is significantly better than M²SE alone, and the difference to the ensemble of the library, which also holds trained models, is not significant. So on real
# data begin with simple baselines, and let a neural model show that it adds something.
#
# ## Why do ensembles help?
#
# Two models with equal NDCG may serve *different* users. Then they are *complementary*, and a combination can be better than both. We count users whose target is among the first ten of
# both lists, or of one of them.

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: holds the models trained above.
from msm4sr_lite.study.complementarity import complementarity

ours = "my M²SE, fine-tuned"
others = "my M²SE, seen items only", "my M²SE, pre-trained", "ItemKNN"
shares = {name: complementarity(ranks[ours], ranks[name], k=10) for name in others}
figure, axes = plt.subplots(figsize=(8.5, 2.4))
left = np.zeros(3)
parts = {"only_a": "only fine-tuned", "both": "both", "only_b": "only the other"}
for place, (part, label) in enumerate(parts.items()):
    widths = np.array([shares[name][part] for name in others])
    style = {"color": PALETTE[place], "hatch": ["", "//", ".."][place], "label": label}
    bars = axes.barh(range(3), widths, left=left, **style)
    box = {"fc": "white", "ec": "none", "pad": 1}
    axes.bar_label(bars, fmt="%.2f", label_type="center", bbox=box)
    left += widths
axes.set(title="Fine-tuned model and another one", xlabel="share of the test users")
axes.set(
    yticks=range(3), yticklabels=[name.removeprefix("my M²SE, ") for name in others]
)
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(
    figure,
    "Share of users with the target among the first ten (only fine-tuned, both, only"
    " the other): "
    + "; ".join(
        f"{n} {s['only_a']:.2f}, {s['both']:.2f}, {s['only_b']:.2f}"
        for n, s in shares.items()
    )
    + ".",
)

# %% [markdown]
# Relatives of one model serve nearly the same users. ItemKNN serves some others. A *score ensemble* uses this: divide the scores of each model by their standard deviation, and add them with weights. (`Probabilities`
# turns our model's scores into a softmax first.) A study chooses the weights on validation; here they are fixed.

# %% tags=["nbval-ignore-output"]
# Not compared: holds the model trained above.
from msm4sr_lite.baselines.ensemble import Probabilities, ScoreEnsemble

models = {
    "fine-tuned": Probabilities(MyScorer(fine_tuned), 0.07),
    "ItemKNN": scorers["ItemKNN"],
}
both = ScoreEnsemble(models, {"fine-tuned": 0.7, "ItemKNN": 0.3})
measure("both", both)
gain = paired([ranks["both"]], [ranks[ours]])["ndcg@10"]
interval = f"[{gain['low']:+.3f}, {gain['high']:+.3f}]"
verdict = "significant" if gain["p"] < 0.05 else "not significant"
print(f"ensemble minus fine-tuned: {gain['value']:+.3f} {interval}, {verdict}")

# %% [markdown]
# On this sample, with one seed and fixed weights, there is little to gain: ItemKNN is much weaker than your model here. On H&M the ensemble is much better than M²SE alone; there ItemKNN is as good as M²SE. On validation the ensemble's trained models added nothing certain to its parts that only count interactions and words ([log](../docs/log.md)). `MSM4SR(ensemble="auto")` trains models of ids, texts and
# images alone and chooses the weights.
#
# ## What could mislead you here
#
# - **One seed.** Every live row is a single training. Another seed may change the order of close models.
# - **Untuned baselines.** A new method easily beats a baseline whose settings nobody has tuned.
# - **Sampled candidates.** Among 100 random items every model looks excellent, and the order of models may change (notebook 01).
# - **Better on average** is not better for every group. Look at groups, such as new items, before you decide.

# %%
from course import quiz

quiz("07")

# %% [markdown]
# ## What to remember
#
# - Fine-tuning is a softmax over the catalogue; leave items that nobody could buy out of it.
# - Compare models in pairs, with intervals, several seeds, one budget, and a correction for many questions.
# - Ensembles make a difference on H&M, and contents a difference to SASRec everywhere; mixup and CMCL have no significant effect. Simple baselines can win on real data.
#
# **Next:** 08 asks about items that nobody has bought yet, and about shops that the model has never seen.
