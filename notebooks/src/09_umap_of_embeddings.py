# ---
# jupyter:
#   msm4sr:
#     title: UMAP of embeddings
#     minutes: 30
# ---

# %% [markdown]
# # 09 · UMAP of embeddings
#
# **Question: what can you read from a map of 400 items, and what only seems to be there?**
#
# | you need | you will be able to | time |
# |---|---|---|
# | notebooks 03 and 06; cosine, exponentials | draw maps of items and users with UMAP, say what it optimises and what its settings do, measure how far to trust a map, and reject what it does not show | 30 minutes of reading, about a minute of computing |

# %%
from course import setup

session = setup("09")

# %% [markdown]
# ## Three models, one catalogue
#
# *Why now?* You have trained embeddings, but nobody can look at 128 dimensions. A map on two dimensions is the usual way out.
#
# We compare three models: *untrained* (random weights), *pre-trained* (06) and *fine-tuned* (07, with ID embeddings). Each gives an item two embeddings of 64 numbers, $z_t$ and $z_v$. We take both as unit vectors, side by side: 128 numbers per item. From here on, *the space* means these embeddings.

# %%
import torch
from msm4sr_lite import M2SE, Dataset, load_checkpoint
from msm4sr_lite.config import ModelConfig
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.scoring import ModelScorer

folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
pretrained, catalogue = load_checkpoint(folder / "states" / "home_pretrained")
finetuned, _ = load_checkpoint(folder / "states" / "home_finetuned")
table = load_feature_table(folder / "features").for_items(catalogue)
torch.manual_seed(0)
untrained = M2SE(ModelConfig(feature_dim=table.width))
models = {"untrained": untrained, "pre-trained": pretrained, "fine-tuned": finetuned}
scorers = {name: ModelScorer(model, table) for name, model in models.items()}
space = {name: s.units[1:].numpy() for name, s in scorers.items()}  # row 0 is padding
print("embeddings of the items:", space["pre-trained"].shape)

# %% [markdown]
# Three traits of each item are known, because the sample is simulated: its *kind* (mug, lamp, ...; 12 of them), its *pattern* (6), and its *purpose* (8), which only the text tells.

# %%
from course import pick, predict

predict(
    "09.trait",
    "Take the ten nearest neighbours of every item among the pre-trained embeddings."
    " Which trait do they share most often?",
    pick("kind", "pattern", "purpose"),
)

# %%
from course import reveal
from course.maps import find_neighbours, share_label
from data_samples.make.write import load_world

world = load_world(folder)
made = {item.item_id: item for item in world.items}
items = [dataset.items[name] for name in catalogue[1:]]
truth = [made[name] for name in catalogue[1:]]
traits = {
    "kind": [item.look.product for item in truth],
    "pattern": [item.look.pattern for item in truth],
    "purpose": [item.purpose for item in truth],
}
near = {name: find_neighbours(x, 10) for name, x in space.items()}


def share(neighbours):
    return {t: share_label(neighbours, labels).mean() for t, labels in traits.items()}


print(f"{'neighbours with the same':<25}" + "".join(f"{t:>9}" for t in traits))
for name in space:
    shares = share(near[name])
    print(f"{name:<25}" + "".join(f"{s:>9.0%}" for s in shares.values()))
print(f"{'a random item':<25}" + "".join(f"{1 / n:>9.0%}" for n in (12, 6, 8)))
shares = share(near["pre-trained"])
reveal("09.trait", max(shares, key=shares.get))

# %% tags=["plot"]
from course import show_images

CLOCK = [item.item_id for item in items].index("h0131")
for name in ("untrained", "pre-trained"):
    shown = [items[i] for i in (CLOCK, *near[name].indices[CLOCK, :5])]
    show_images(
        [folder / item.images[0] if item.images else None for item in shown],
        [item.title or "(no text)" for item in shown],
        [[made[item.item_id].purpose] for item in shown],
        size=64,
        caption=f"A clock and its five nearest neighbours, {name}, with their purposes",
    )

# %% [markdown]
# Before training, the neighbours of a clock are clocks: BERT has read the word. After pre-training, they serve the same purpose. No label told the model about purposes; purchases did.
#
# These numbers need no map. **What you can measure in the space, measure there.** A map helps you find out *what* to measure.
#
# ## What UMAP optimises
#
# *Why now?* To know what a map can show, you have to know what it was made for.
#
# UMAP (McInnes et al. 2018, [arXiv 1802.03426](https://arxiv.org/abs/1802.03426)) builds a graph in the space, then looks for points on the plane that have a similar graph.
#
# **1. A k-nearest-neighbour graph.** Every item gets edges to its $k$ nearest items (`n_neighbors`; UMAP counts the item itself as one of them). Let $d_{ij}$ be the distance and $\rho_i$ that of the nearest neighbour. The weight of an edge is
#
# $$\mu_{j|i} = \exp\!\big(-(d_{ij} - \rho_i)/\sigma_i\big), \qquad \sigma_i \text{ such that } \textstyle\sum_j \mu_{j|i} = \log_2 k .$$
#
# Write it for one item:

# %%
import numpy as np
from course import check

# %% tags=["exercise"]
check("09.edge_weights", ...)

# %%
predict(
    "09.lonely",
    "One item has four neighbours at the distances 0.04, 0.05, 0.07, 0.12. For another"
    " one, all four are ten times as far away. How do its edge weights compare?",
    pick("ten times smaller", "a little smaller", "the same"),
)

# %% [markdown]
# UMAP's own function finds σ. (It is compiled on its first use, which takes some seconds.)

# %%
from umap.umap_ import smooth_knn_dist

dense = np.array(
    [0, 0.04, 0.05, 0.07, 0.12], dtype=np.float32
)  # first: the item itself
sigmas, rhos = smooth_knn_dist(np.stack([dense, 10 * dense]), 5.0)
for name, d, sigma, rho in zip(
    ("crowded", "lonely"), (dense, 10 * dense), sigmas, rhos, strict=True
):
    weights = np.exp(-(d[1:] - rho) / sigma)
    print(f"{name:<8} sigma {sigma:.3f}, weights", *(f"{w:.2f}" for w in weights))
reveal("09.lonely", "the same")

# %% [markdown]
# Each item measures with its own scale $\sigma_i$. So the first step already removes how crowded a region is. **The size and the density of a group on a map mean nothing.**
#
# **2. Both directions are joined.** $\mu_{ij} = \mu_{j|i} + \mu_{i|j} - \mu_{j|i}\,\mu_{i|j}$: an edge counts if one of its ends has it.
#
# **3. Points on the plane get a similarity, too.** For points $y_i$ it is $\nu_{ij} = 1 / (1 + a \lVert y_i - y_j \rVert^{2b})$. The setting `min_dist` decides $a$ and $b$, and thereby how close neighbours may lie:

# %% tags=["plot"]
import matplotlib.pyplot as plt
from course import show
from umap.umap_ import find_ab_params

distance = np.linspace(0, 3, 200)
figure, axes = plt.subplots(figsize=(6.5, 2.8))
for min_dist, style in ((0.0, "-"), (0.1, "--"), (0.5, "-."), (0.99, ":")):
    a, b = find_ab_params(1.0, min_dist)
    axes.plot(distance, 1 / (1 + a * distance ** (2 * b)), style, label=f"{min_dist:g}")
axes.set(title="min_dist: how far the similarity stays high", ylabel="similarity ν")
axes.set(xlabel="distance on the map")
axes.legend(title="min_dist")
show(figure, "Similarity on the map against distance, falling from 1 towards 0. The"
     " larger min_dist is, the longer the curve stays near 1.")  # fmt: skip

# %% [markdown]
# **4. The points move until both graphs agree.** The measure of disagreement is a cross-entropy over all pairs:
#
# $$L = -\sum_{i \ne j} \Big( \underbrace{\mu_{ij} \log \nu_{ij}}_{\text{attraction}} + \underbrace{(1 - \mu_{ij}) \log (1 - \nu_{ij})}_{\text{repulsion}} \Big)$$
#
# That is the loss in the paper. The program optimises a *sampled* version: it draws edges in proportion to $\mu_{ij}$, pulls their ends together, and for each draw pushes five random items away (*negative sampling*). How much repulsion is that, compared with the formula?

# %%
from course.maps import knn_graph
from umap.umap_ import fuzzy_simplicial_set

x = space["pre-trained"]
indices, distances = knn_graph(x, 15)
graph, *_ = fuzzy_simplicial_set(
    x, 15, None, None, knn_indices=indices, knn_dists=distances.astype(np.float32)
)
attraction = graph.sum()
repulsion = len(x) * (len(x) - 1) - attraction
print(f"formula: {repulsion / attraction:.0f} units of repulsion for 1 of attraction")
print("sampled: 5 units of repulsion for 1 of attraction")

# %% [markdown]
# So the program repels far less than the formula says, and the more items there are, the larger the difference. Damrich and Hamprecht (2021, [arXiv 2103.14608](https://arxiv.org/abs/2103.14608)) derive the loss that UMAP really minimises. One consequence: even at its optimum, the map
# doesn't reproduce the weights $\mu_{ij}$. It mostly shows *whether* there is an edge. **Distances on a map are not distances of the space.**
#
# **5. The start.** The search begins at places that are computed from the graph (`init="spectral"`: eigenvectors of its Laplacian matrix), or at random points. The draws depend on a seed. We give UMAP exact neighbours, a fixed seed and one thread, so a map is the same again on this machine:

# %%
from course import source
from course.maps import fit_umap

source(fit_umap, only=("reducer = UMAP(", ")"))

# %% [markdown]
# Another processor rounds differently, and small differences grow during the search. **Never compare coordinates between machines.** Compare measures of quality instead, and round them. For the same reason, no test compares the outputs of the cells marked *Not compared*.
#
# ## How far can you trust a map?
#
# *Why now?* You need a measure before you see the map, or you will believe the pretty one.
#
# A map can make two errors. It can put items side by side that are not neighbours, and it can separate neighbours. *Trustworthiness* (Venna and Kaski 2001, [doi 10.1007/3-540-44668-0_68](https://doi.org/10.1007/3-540-44668-0_68)) counts the first kind. Let $U_i$ be the
# false neighbours: items among the $k$ nearest of $i$ on the map that are not among its $k$ nearest in the space. Let $r(i, j)$ be the rank of $j$ among the neighbours of $i$ in the space. For $n$ items:
#
# $$T(k) = 1 - \frac{2}{n k (2n - 3k - 1)} \sum_{i=1}^{n} \sum_{j \in U_i} \big( r(i, j) - k \big)$$
#
# A perfect map has $T = 1$; points placed at random have about 0.5. *Continuity* exchanges space and map, and so counts the second kind of error.

# %% tags=["exercise"]
check("09.trust", ...)

# %% [markdown]
# The simplest measure needs no formula: how many of the ten true neighbours of an item are among its ten nearest on the map?
#
# ## Items before and after pre-training
#
# *Why now?* This is the figure that you would put into a paper. We look at it together with its errors.

# %%
predict(
    "09.exaggerate",
    "On the map of the pre-trained model, how many of an item's ten nearest share its"
    " purpose, compared with the ten nearest in the space?",
    pick("fewer", "about as many", "more"),
)

# %% tags=["plot"]
from course import draw_map, progress_bar
from course.maps import continuity, share_kept, trustworthiness

maps = {name: fit_umap(space[name]) for name in progress_bar(list(space), "maps")}
near_on_map = {name: find_neighbours(places, 10) for name, places in maps.items()}
trusted = {name: trustworthiness(space[name], maps[name]) for name in maps}
figure, panels = plt.subplots(2, 3, figsize=(10.5, 6.4))
for row, trait in zip(panels, ("purpose", "kind"), strict=True):
    for axes, (name, places) in zip(row, maps.items(), strict=True):
        draw_map(axes, places, traits[trait], size=13, key=name == "fine-tuned")
    row[0].set_ylabel(f"marked by {trait}")
    row[2].get_legend().set(bbox_to_anchor=(1, 0.5))
    for text in row[2].get_legend().get_texts():
        text.set_fontsize(9.5)
for axes, name in zip(panels[0], maps, strict=True):
    axes.set_title(f"{name}: T = {trusted[name]:.2f}")
show(
    figure,
    "Six maps of 400 items: untrained, pre-trained and fine-tuned, marked by purpose"
    " above and by kind below. Trustworthiness about "
    + ", ".join(f"{value:.1f}" for value in trusted.values())
    + ". Left, items of one kind lie together; in the middle and on the right, items"
    " of one purpose.",
    "Each column is one map, marked twice. T is its trustworthiness for k = 10.",
)

# %% [markdown]
# The untrained map is sorted by kind, the others by purpose. It looks as if pre-training had replaced one order by another, and thrown away the kinds. Is that so? Measure it in the space, then on the map:

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: a UMAP differs between processors, and with it what is measured on it.
from course import PALETTE

figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.2), sharey=True)
told = []
for axes, trait in zip(panels, traits, strict=True):
    labels = traits[trait]
    for spot, (where, found) in enumerate((("space", near), ("map", near_on_map))):
        values = [share_label(found[name], labels).mean() for name in maps]
        axes.bar(np.arange(3) + 0.4 * spot, values, 0.38, color=PALETTE[spot],
                 hatch="//" if spot else None, label=where)  # fmt: skip
        told.append(f"{trait}, {where}: " + ", ".join(f"{v:.2f}" for v in values))
    by_chance = np.mean([labels.count(label) for label in labels]) / len(labels)
    axes.axhline(by_chance, color="#555555", linestyle=":")
    axes.set(title=trait, xticks=np.arange(3) + 0.2, xticklabels=list(maps))
    axes.tick_params(axis="x", labelsize=10)
panels[0].set_ylabel("same among the nearest ten")
panels[2].legend(loc="upper left")
show(figure, "Share of the ten nearest with the same trait (untrained, pre-trained,"
     " fine-tuned). " + "; ".join(told) + ".", "Dotted: a random item.")  # fmt: skip

# %% tags=["nbval-ignore-output"]
# Not compared: a UMAP differs between processors, and with it what is measured on it.
print(f"{'':<12} trustworthiness  continuity  kept of 10 true neighbours")
for name, places in maps.items():
    kept = 10 * share_kept(near[name], near_on_map[name]).mean()
    spread = continuity(space[name], places)
    print(f"{name:<12} {trusted[name]:>15.2f} {spread:>11.2f} {kept:>27.1f}")

# %%
in_space, on_map = (
    share(found["pre-trained"])["purpose"] for found in (near, near_on_map)
)
change = on_map - in_space
reveal(
    "09.exaggerate",
    "more" if change > 0.05 else "fewer" if change < -0.05 else "about as many",
)

# %% [markdown]
# Look at the pre-trained model. In the space, seven of ten neighbours share the purpose; on the map it is clearly more. Patterns are shared about twice as often as by chance in the space; the map shows about half of that advantage. A plane has little room, and UMAP uses it for the strongest order:
# **a map exaggerates what is strong and hides what is weak.** Absence on a map is not absence in the space.
#
# Is the kind gone? Its share fell, but it is still well above chance in the space. Users of this simulation choose without regard to kind, so nothing in the training asks the model to keep it.
#
# And the numbers: a trustworthiness of about 0.9 sounds good, but more than half of the true neighbours are lost. False neighbours are cheap in $T$ if they are not far down in the true ranking.
#
# ## Settings: which map is the right one?
#
# *Why now?* You have seen one map per model. UMAP can draw many, and an author chooses one of them for the paper.
#
# In the panel, click on an item, or reach it with the arrow keys. Lines lead to its ten *true* neighbours. Below their pictures stands the rank that each has on the map.
#
# - Find an item whose true neighbours lie in two groups.
# - Move the seed, then `n_neighbors`. Which statements stay true: "gift lies next to rest", "travel lies on top", "guests is small"?
# - Mark by *neighbours kept*. Where are the items that the map serves badly?

# %% tags=["plot", "nbval-ignore-output"]
# Not compared: a UMAP differs between processors, and with it what is measured on it.
from course import MapView, explore_map

settings = [(n, seed) for n in (5, 15, 50) for seed in (0, 1)]
grid = {at: fit_umap(x, *at) for at in progress_bar(settings, "maps")}
keywords = read_keywords(folder / "features")
view = MapView(grid, x, items, folder, keywords, traits)
explore_map(
    view,
    {"n_neighbors": 15, "seed": 0, "mark": "purpose", "item": "h0131"},
    title="map with its errors",
)

# %% [markdown]
# `n_neighbors` sets how far around each item UMAP looks. With few neighbours it draws strands, and keeps more of the nearest neighbours. With many, the whole becomes rounder, and more of the nearest ones are lost. Two other choices, `min_dist` and the start:

# %% tags=["plot"]
others = {
    "min_dist 0": {"min_dist": 0.0},
    "min_dist 0.1 (default)": {},
    "min_dist 0.99": {"min_dist": 0.99},
    "start: principal components": {"init": "pca"},
    "start: random, seed 0": {"init": "random"},
    "start: random, seed 1": {"init": "random", "seed": 1},
}
drawn = {name: fit_umap(x, **given) for name, given in others.items()}
figure, panels = plt.subplots(2, 3, figsize=(10.5, 6.2))
quality = {name: trustworthiness(x, places) for name, places in drawn.items()}
for axes, (name, places) in zip(panels.flat, drawn.items(), strict=True):
    draw_map(axes, places, traits["purpose"], size=9)
    axes.set_title(f"{name}\nT = {quality[name]:.2f}", fontsize=12)
show(
    figure,
    "Six maps of the pre-trained items, marked by purpose. Trustworthiness about "
    + ", ".join(f"{name}: {value:.1f}" for name, value in quality.items())
    + ". A large min_dist spreads the groups out; another start turns the map.",
    "Marked by purpose, as above. T is the trustworthiness.",
)

# %% tags=["nbval-ignore-output"]
# Not compared: a UMAP differs between processors, and with it what is measured on it.
for n in (5, 15, 50):
    one, two = (find_neighbours(grid[n, seed], 10) for seed in (0, 1))
    print(f"n_neighbors {n:>2}, seeds 0 and 1: T {view.trust[n, 0]:.2f} and"
          f" {view.trust[n, 1]:.2f}; {10 * share_kept(one, two).mean():.1f} of 10"
          " neighbours are the same")  # fmt: skip

# %% [markdown]
# There is no right map. By trustworthiness, most are about equally good; only a very large `min_dist` costs something. And yet two seeds agree in little more than half of the neighbours (for 15 and 50). Two rules follow: report settings, seed and a measure of quality with each map, and believe only what several maps show.
#
# The start can matter a lot: Kobak and Linderman (2021, [doi 10.1038/s41587-020-00809-z](https://doi.org/10.1038/s41587-020-00809-z)) show data whose large-scale structure a random start destroys. Here, with 400 items, it doesn't: all starts find the same ring, only turned or mirrored.
#
# ## Distances between groups
#
# *Why now?* "These two groups lie far apart, so they have little in common" is a sentence that you will often read below a map. Here it can be tested.
#
# The purposes form a ring: basics, everyday, travel, weather, rest, gift, guests, children, and back to basics. This is the order in which needs follow each other in the simulation. So the map has found something true. Two purposes are 0 to 4 steps apart on this ring.

# %%
predict(
    "09.ring",
    "From two steps to four steps on the ring, the mean distance on the map grows by"
    " about a third. What does the mean distance 1 - cosine in the space do?",
    pick("it grows as much", "it grows half as much", "it hardly changes"),
)

# %%
RING = ["basics", "everyday", "travel", "weather", "rest", "gift", "guests", "children"]
spot = np.array([RING.index(purpose) for purpose in traits["purpose"]])
steps = np.abs(spot[:, None] - spot)
steps = np.minimum(steps, 8 - steps)  # the short way round
pairs = ~np.eye(len(x), dtype=bool)


def mean_by_steps(values):
    return np.array([values[pairs & (steps == n)].mean() for n in range(5)])


in_space = mean_by_steps(1 - x @ x.T / 2)  # two unit vectors side by side
on_maps = [
    mean_by_steps(np.linalg.norm(grid[15, seed][:, None] - grid[15, seed], axis=2))
    for seed in (0, 1)
]
print("1 - cosine by steps on the ring:", *(f"{value:.3f}" for value in in_space))
change = in_space[4] / in_space[2] - 1
half = "it grows half as much" if change > 0.1 else "it hardly changes"
reveal("09.ring", "it grows as much" if change > 0.25 else half)

# %% tags=["plot"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3))
left.plot(range(5), in_space, marker="o")
left.set(title="In the space", ylabel="1 − cosine", ylim=(0, None))
for seed, values in enumerate(on_maps):
    right.plot(range(5), values, marker="os"[seed], label=f"seed {seed}")
right.set(title="On the map", ylabel="distance", ylim=(0, None))
right.legend()
for axes in (left, right):
    axes.set(xlabel="steps apart on the ring", xticks=range(5))
grows = all((np.diff(values) > 0).all() for values in on_maps)
show(figure, "Mean distance of items by steps between their purposes. In the space it"
     " rises for two steps, then stays level; on the map it "
     + ("grows" if grows else "does not grow") + " with every step.")  # fmt: skip

# %% [markdown]
# Items one step apart are nearer than items two steps apart, in the space and on the map. So *who lies next to whom* was right. But in the space everything beyond two steps is equally far. On a plane, opposite sides of a ring must lie far apart; in 128 dimensions they need not.
# **That two groups touch may mean something. How far apart they lie if they don't touch means nothing.**
#
# ## A map of noise
#
# *Why now?* You need to know what a map looks like when there is nothing to see. Take 400 random vectors: no groups of any kind.

# %%
from course import number

predict(
    "09.noise",
    "400 random vectors with 128 dimensions, n_neighbors 15: which trustworthiness"
    " has their map?",
    number(0, 1),
)

# %%
from course.maps import count_components

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6))
noise_trust = {}
for axes, (width, n) in zip(panels, ((128, 2), (128, 15), (10, 3)), strict=True):
    noise = np.random.default_rng(0).standard_normal((400, width))
    places = fit_umap(noise, n)
    noise_trust[width, n] = trustworthiness(noise, places)
    draw_map(axes, places, ["noise"] * 400, size=8)
    parts = count_components(find_neighbours(noise, n - 1))
    axes.set_title(f"{width} dimensions, {n} neighbours\nT ="
                   f" {noise_trust[width, n]:.2f}, components: {parts}",
                   fontsize=11)  # fmt: skip
show(figure, "Three maps of noise. Trustworthiness about " + "; ".join(
    f"{t:.1f} ({width} dimensions, {n} neighbours)"
    for (width, n), t in noise_trust.items())
    + ". On the left there are many small islands, on the right strings and gaps.",
    "Components: parts of the k-NN graph without an edge between them.")  # fmt: skip
reveal("09.noise", noise_trust[128, 15], close=0.1)

# %% [markdown]
# The left map has dozens of neat islands, the right one has strings and gaps, and for each of them someone will find a story. Trustworthiness exposes the first two maps. The third looks better, because 10 dimensions are easier to flatten. But it still shows no groups, since there are none.
#
# So read trustworthiness as what it is: it says whether neighbours on the map are neighbours. **Whether there are groups, no map can tell.** Compare with noise of the same width and settings, and measure in the space.
#
# ## Text and image on one map
#
# *Why now?* Notebook 03 measured the modality gap. Can you see it?
#
# We put $z_t$ and $z_v$ of 180 items on one map. The *gap* above each map is the distance between the two means in the space, from 0 to 2.

# %% tags=["plot"]
from course.modality_gap import measure_gap
from msm4sr_lite.similarity import normalize

both = torch.nonzero((table.text.counts > 0) & (table.image.counts > 0)).flatten()[::2]
labels = ["text"] * len(both) + ["image"] * len(both)
figure, panels = plt.subplots(1, 3, figsize=(10.5, 3.7))
told = []
for axes, (name, scorer) in zip(panels, scorers.items(), strict=True):
    pair = [scorer.items[modality][both].numpy() for modality in ("text", "image")]
    joint = normalize(torch.as_tensor(np.concatenate(pair))).numpy()
    gap = measure_gap(*pair).distance
    alike = share_label(find_neighbours(joint, 10), labels).mean()
    draw_map(axes, fit_umap(joint), labels, size=10)
    axes.set_title(f"{name}\ngap {gap:.2f}, same modality {alike:.0%}", fontsize=11)
    told.append(f"{name}: gap {gap:.2f}, {alike:.0%}")
panels[0].legend(loc="best", fontsize=10)
show(figure, "Text and image embeddings of 180 items on three maps, with the gap and"
     " the share of the ten nearest of the same modality in the space. "
     + "; ".join(told) + ".", "Both numbers are measured in the space.")  # fmt: skip

# %% [markdown]
# Before training, the modalities don't touch. How *wide* the gap is, the map cannot say: without an edge between two groups, any distance will do. After pre-training they lie side by side. Even so, most nearest neighbours are of the same modality, so the gap is smaller but not gone.
#
# ## Users, and what you mark them by
#
# *Why now?* Users can be drawn, too. Their map shows one more way to be misled.
#
# A user is the last sequence representation, $h_t$ and $h_v$ side by side. We draw 600 users, and one of them after every purchase: one pass of the encoder gives the representations of all prefixes (05).

# %%
from msm4sr_lite import build_sequences
from msm4sr_lite.encoder import concat_normalized, gather_rows
from msm4sr_lite.sequences import pad

sequences = build_sequences(dataset.interactions, catalogue[1:])
histories, _ = sequences.held_out("test")
history = histories[sequences.users.index("uh0040")]
group = [*histories[:600], *(history[:n] for n in range(1, len(history) + 1))]
rows = pad(group, 50)
ends = torch.arange(len(rows)), (rows > 0).sum(dim=1) - 1
with torch.inference_mode():
    scorer = scorers["pre-trained"]
    h = scorer.model.encode(gather_rows(scorer.items, rows))
    users = concat_normalized({m: states[ends] for m, states in h.items()}).numpy()
need = [traits["purpose"][items_of[-1] - 1] for items_of in group]
tastes = {user.user_id: str(user.taste) for user in world.users}
taste = [tastes[user] for user in [*sequences.users[:600], *["uh0040"] * len(history)]]
neighbours = find_neighbours(users[:600], 10)
for name, marks in (("purpose of the last item", need), ("taste", taste)):
    alike = share_label(neighbours, marks[:600]).mean()
    by_chance = np.mean([marks[:600].count(mark) for mark in marks[:600]]) / 600
    print(f"same {name:<24} {alike:.0%} of the ten nearest in the space,"
          f" {by_chance:.0%} by chance")  # fmt: skip

# %% tags=["plot"]
from course.map_drawing import draw_path

places = fit_umap(users)
figure, panels = plt.subplots(1, 2, figsize=(11, 4.4))
for axes, marks, name in zip(
    panels, (need, taste), ("purpose of the last item", "taste in looks"), strict=True
):
    draw_map(axes, places, marks, size=9, key=axes is panels[0])
    axes.set_title(f"Marked by {name}")
draw_path(panels[0], places[600:])
show(
    figure,
    "One map of 600 users, marked twice. Users whose last items have the same purpose"
    " lie together; users of one taste stand in small clumps all over the map. The"
    f" path of one user: {', '.join(need[600:])}.",
    "The numbers are user uh0040 after that many purchases.",
)

# %% [markdown]
# Users lie together by the purpose of their last item, and one user walks through the map with every purchase. Marked by taste, the same map shows something else: small clumps of one mark, all over the map. So within a purpose, users of one taste stand together. From the left map alone you would never know.
#
# **A map shows you what you mark it by.** If you see nothing, there are three possible reasons: it is not in the space, the plane had no room for it, or nobody marked the map by it.
#
# ## What can mislead you
#
# A colleague shows you a UMAP of items with trustworthiness 0.92, and another of users with trustworthiness 0.64. Which of these sentences would you sign?
#
# - **A** On the first map, items side by side are mostly near each other in the space, too.
# - **B** On the first map, *gift* is twice as far from *everyday* as from *weather*, so gifts have less in common with everyday items.
# - **C** On the first map, *gift* covers twice the area of *rest*, so gifts are more diverse.
# - **D** On the first map, colours are scattered, so the embeddings know nothing about colour.
# - **E** On the second map there are clear islands, so there are types of users.
# - **F** On the second map there are clear islands, but I would not rely on them.

# %% tags=["exercise"]
check("09.claims", ...)

# %% [markdown]
# Two more traps:
#
# - **Hubs.** In many dimensions, a few items are among the nearest neighbours of very many others (*hubness*). On a plane, nobody can be near to everybody, so a map hides hubs. Count in the space.
# - **Marks chosen afterwards.** In your own data, traits are often chosen after looking at the map. Choose them before.
#
# **To find out** (no check). Multiply the last 64 of the 128 numbers by 3 before you call `fit_umap`, so that images count more. What happens to purposes and patterns? And how trustworthy is the new map with regard to the *unchanged* embeddings?

# %% [markdown] tags=["solution"]
# The share of neighbours on the map with the same pattern rises clearly, that with the same purpose falls, and so does the trustworthiness, measured against the unchanged embeddings. This is a map of other embeddings, not a better map: the model weighs text and image equally in its score.

# %% [markdown]
# ## Quiz

# %%
from course import quiz

quiz("09")

# %% [markdown]
# ## Take-aways
#
# - UMAP keeps who is near to whom. It removes densities by construction, and distances between separate groups mean nothing.
# - Trustworthiness and kept neighbours say how far to trust a map; whether there are groups, only the space can tell.
# - Pre-training turned a catalogue ordered by kind into one ordered by purpose, because purchases follow purposes.
#
# **Next:** 10 brings your own data.
