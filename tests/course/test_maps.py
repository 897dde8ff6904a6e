"""Maps on a plane and the numbers beside them, at points where the answer is known."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from course.checks import find_exercise
from course.maps import (
    Neighbours,
    continuity,
    count_components,
    find_neighbours,
    fit_umap,
    knn_graph,
    share_kept,
    share_label,
    trustworthiness,
)

from data_samples.make.phrases import PURPOSES
from data_samples.make.prepare import write_map
from data_samples.make.write import load_world
from msm4sr_lite.config import UserError
from msm4sr_lite.encoder import concat_normalized
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.store.checkpoints import load_checkpoint

pytestmark = pytest.mark.thorough  # UMAP takes seconds to import

LINE = np.array([[0.0], [1.0], [3.0], [7.0], [15.0]])


def cloud(count=60, width=8, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width))


def two_groups(count=80):
    """Two clouds far apart: rows 0 to count / 2 - 1, and the rest."""
    vectors = cloud(count)
    vectors[count // 2 :, 0] += 30
    return vectors


def test_neighbours_on_a_line():
    near = find_neighbours(LINE, 2)
    assert near.indices.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1], [3, 2]]
    assert near.distances.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6], [8, 12]]


def test_nobody_is_its_own_neighbour_even_among_twins():
    near = find_neighbours(np.zeros((6, 3), dtype=np.float32), 5)
    for row, others in enumerate(near.indices.tolist()):
        assert sorted(others) == [i for i in range(6) if i != row]


@pytest.mark.parametrize("k", [0, 5, 9])
def test_wrong_numbers_of_neighbours_are_refused(k):
    with pytest.raises(UserError, match=f"between 1 and 4.*got {k}"):
        find_neighbours(LINE, k)


def test_a_map_keeps_groups_apart_and_neighbours_together():
    vectors = two_groups()
    places = fit_umap(vectors, n_neighbors=10)
    assert places.shape == (80, 2)
    assert np.isfinite(places).all()
    assert trustworthiness(vectors, places) > 0.85
    assert continuity(vectors, places) > 0.85
    assert share_label(find_neighbours(places, 10), [0] * 40 + [1] * 40).mean() == 1


def test_a_seed_fixes_a_map_and_another_gives_another():
    vectors = cloud()
    one = fit_umap(vectors, seed=3)
    assert np.array_equal(one, fit_umap(vectors, seed=3))
    assert not np.allclose(one, fit_umap(vectors, seed=4))


def test_umap_gets_the_exact_neighbours_itself_first(monkeypatch):
    """No distance of an item to itself but 0: a rounding error there would be taken for rho."""
    asked = {}

    class Recorder:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, vectors):
            return vectors[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Recorder))
    vectors = cloud(30).astype(np.float32)
    fit_umap(vectors, n_neighbors=4, seed=7, min_dist=0.3, init="pca")
    indices, distances = asked.pop("precomputed_knn")
    assert indices[:, 0].tolist() == list(range(30))
    assert not distances[:, 0].any()
    assert np.array_equal(indices[:, 1:], find_neighbours(vectors, 3).indices)
    assert np.array_equal(distances[:, 1:], find_neighbours(vectors, 3).distances)
    assert asked == {
        "n_neighbors": 4,
        "min_dist": 0.3,
        "init": "pca",
        "force_approximation_algorithm": True,
        "random_state": 7,
        "n_jobs": 1,
    }


def test_too_few_vectors_for_a_map():
    for count, n_neighbors in ((5, 6), (5, 5), (3, 2), (0, 2)):
        with pytest.raises(UserError, match=f"needs more than {max(n_neighbors, 3)} vectors; got"):
            fit_umap(LINE[:count], n_neighbors)
    with pytest.raises(UserError, match="between 1 and 4"):
        fit_umap(LINE, n_neighbors=1)
    assert fit_umap(LINE[:4], n_neighbors=3).shape == (4, 2)
    assert fit_umap(np.ones((20, 3)), n_neighbors=5).shape == (20, 2)  # all alike


@pytest.mark.parametrize(
    "vectors", [np.full((20, 3), np.nan), np.full((20, 3), np.inf), np.ones(20), [["a"] * 3] * 20]
)
def test_vectors_that_are_no_table_of_numbers_make_no_map(vectors):
    with pytest.raises(UserError, match="must be a table of numbers without NaN and infinity"):
        fit_umap(vectors, n_neighbors=5)


def by_hand(space, plane, k):
    """The formula, item by item and neighbour by neighbour."""
    n, excess = len(space), 0
    for i in range(n):
        far = [np.linalg.norm(space[i] - space[j]) for j in range(n)]
        near = [np.linalg.norm(plane[i] - plane[j]) for j in range(n)]
        true = [j for j in np.argsort(far) if j != i]
        for j in [j for j in np.argsort(near) if j != i][:k]:
            excess += max(0, true.index(j) + 1 - k)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess


def test_trustworthiness_is_the_formula():
    space = cloud(20, 3)
    plane = space[:, :2] + 0.2 * cloud(20, 2, seed=1)
    trust = trustworthiness(space, plane, k=4)
    assert trust == pytest.approx(by_hand(space, plane, 4))
    assert continuity(space, plane, k=4) == pytest.approx(by_hand(plane, space, 4))
    assert trust != pytest.approx(continuity(space, plane, k=4), abs=1e-3)
    assert trustworthiness(space, space, k=4) == 1
    assert trustworthiness(cloud(300), cloud(300, 2, seed=1)) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("k", [0, 10])
def test_trustworthiness_needs_twice_as_many_items_as_neighbours(k):
    with pytest.raises(UserError, match="less than half of the 20"):
        trustworthiness(cloud(20), cloud(20, 2), k=k)


def test_kept_neighbours_are_counted_whatever_their_order():
    truth = Neighbours(np.array([[1, 2], [0, 2], [0, 1]]), np.zeros((3, 2)))
    on_map = Neighbours(np.array([[2, 1], [2, 3], [3, 4]]), np.zeros((3, 2)))
    assert share_kept(truth, on_map).tolist() == [1.0, 0.5, 0.0]
    with pytest.raises(UserError, match=r"\(3, 2\) and \(3, 1\)"):
        share_kept(truth, Neighbours(np.zeros((3, 1)), np.zeros((3, 1))))


def test_agreement_compares_with_the_item_in_the_middle():
    near = find_neighbours(LINE, 2)
    assert share_label(near, ["a", "a", "b", "b", "b"]).tolist() == [0.5, 0.5, 0, 0.5, 1]
    with pytest.raises(UserError, match="5 labels were expected; got 2"):
        share_label(near, ["a", "b"])


def test_components_of_the_graph_are_counted():
    assert count_components(find_neighbours(two_groups(), 5)) == 2
    assert count_components(find_neighbours(cloud(), 5)) == 1
    assert count_components(find_neighbours(np.array([[0.0], [1], [10], [11], [20], [21]]), 1)) == 3


def test_the_ties_of_the_exercise_are_umaps():
    """UMAP's own strengths, with UMAP's own sigma."""
    from umap.umap_ import compute_membership_strengths, smooth_knn_dist

    near = find_neighbours(cloud(30), 5)
    indices = np.concatenate([np.arange(30)[:, None], near.indices], axis=1)
    distances = np.concatenate([np.zeros((30, 1)), near.distances], axis=1).astype(np.float32)
    sigmas, rhos = smooth_knn_dist(distances, 6.0)
    _, _, strengths, _ = compute_membership_strengths(indices, distances, sigmas, rhos)
    strengths = strengths.reshape(30, 6)[:, 1:]
    ties = find_exercise("09.edge_weights").solution
    for row in range(30):
        assert np.allclose(ties(near.distances[row], sigmas[row]), strengths[row], atol=1e-4)
    assert np.allclose(strengths.sum(axis=1), np.log2(6), atol=1e-3)


def test_the_trustworthiness_of_the_exercise_is_the_librarys():
    space, plane = cloud(40, 5), cloud(40, 2, seed=1)
    trust = find_exercise("09.trust").solution
    for k in (1, 5, 12):
        assert trust(space, plane, k) == pytest.approx(trustworthiness(space, plane, k))


def test_the_graph_for_umap_begins_with_the_item_itself():
    indices, distances = knn_graph(LINE, 3)
    assert indices.tolist() == [[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 2, 1], [4, 3, 2]]
    assert distances[:2].tolist() == [[0, 1, 3], [0, 1, 2]]


def test_min_dist_spreads_the_nearest_out_and_the_start_changes_the_map():
    vectors = two_groups(60)
    tight, wide, other = (
        fit_umap(vectors, 5, min_dist=0.0),
        fit_umap(vectors, 5, min_dist=0.99),
        fit_umap(vectors, 5, min_dist=0.0, init="random"),
    )
    nearest = [find_neighbours(places, 1).distances.mean() for places in (tight, wide)]
    assert nearest[1] > 1.5 * nearest[0]
    assert not np.allclose(tight, other)


@pytest.fixture(scope="module")
def home(sample_dataset):
    """Return the pre-trained embeddings of home's items and what the generator knows of them."""
    model, catalogue = load_checkpoint(sample_dataset / "states" / "home_pretrained")
    table = load_feature_table(sample_dataset / "features").for_items(catalogue)
    with torch.inference_mode():
        vectors = concat_normalized(model.item_embeddings(table, torch.arange(1, len(catalogue))))
    made = {item.item_id: item for item in load_world(sample_dataset).items}
    return vectors.numpy(), [made[item] for item in catalogue[1:]]


def test_the_map_exaggerates_the_purpose_and_hides_pattern_and_kind(home):
    """As notebook 09 says."""
    vectors, items = home
    marks = {
        "purpose": [item.purpose for item in items],
        "pattern": [item.look.pattern for item in items],
        "kind": [item.look.product for item in items],
    }
    places = fit_umap(vectors)
    near, on_map = find_neighbours(vectors, 10), find_neighbours(places, 10)
    gain = {m: (share_label(on_map, x) - share_label(near, x)).mean() for m, x in marks.items()}
    assert gain["purpose"] > 0.1
    assert gain["pattern"] < -0.05
    assert gain["kind"] < -0.05
    assert share_label(near, marks["kind"]).mean() > 2 / 12  # twice what chance gives
    assert share_kept(near, on_map).mean() < 0.5


@pytest.mark.parametrize("init", ["spectral", "pca", "random"])
def test_the_ring_of_purposes_has_a_diameter_on_the_map_only(home, init):
    """Whatever the start, as notebook 09 says; the generator's needs follow in this order."""
    vectors, items = home
    spot = np.array([PURPOSES.index(item.purpose) for item in items])
    steps = np.abs(spot[:, None] - spot)
    steps = np.minimum(steps, len(PURPOSES) - steps)
    places = fit_umap(vectors, init=init)
    on_map = np.linalg.norm(places[:, None] - places, axis=2)
    in_space = 1 - vectors @ vectors.T / 2
    grows = [np.diff([x[steps == n].mean() for n in range(1, 5)]) for x in (on_map, in_space)]
    assert (grows[0] > 0).all()
    assert on_map[steps == 4].mean() > 1.25 * on_map[steps == 2].mean()
    assert in_space[steps == 4].mean() < 1.03 * in_space[steps == 2].mean()
    assert grows[1][0] > 0


@pytest.mark.parametrize("fresh", [False, True], ids=["committed", "made now"])
def test_the_reference_map_of_the_sample_can_be_believed(sample_dataset, tmp_path, fresh):
    """Its places are not compared: they differ between processors."""
    folder = sample_dataset
    if fresh:
        folder = tmp_path
        for name in ("states", "features"):
            shutil.copytree(sample_dataset / name, folder / name)
        (folder / "maps").mkdir()
        write_map(folder)
    content = json.loads((folder / "maps" / "home.json").read_text(encoding="utf-8"))
    model, catalogue = load_checkpoint(sample_dataset / "states" / "home_pretrained")
    table = load_feature_table(sample_dataset / "features").for_items(catalogue)
    with torch.inference_mode():
        vectors = concat_normalized(model.item_embeddings(table, torch.arange(1, len(catalogue))))
    assert content["items"] == catalogue[1:]
    places = np.stack([content["x"], content["y"]], axis=1)
    assert trustworthiness(vectors.numpy(), places) > 0.87
