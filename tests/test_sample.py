"""The sample shop: reproducible, what each modality shows, and its exact ceiling."""

import itertools
import json
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from data_samples.make.catalogue import DOMAINS
from data_samples.make.drawing import (
    COLOURS,
    PATTERNS,
    SHAPES,
    draw,
    save_png,
)
from data_samples.make.shoppers import LAUNCH, make_world
from data_samples.make.upper_bound import (
    HiddenStateModel,
    hidden_state_model,
    next_item_probabilities,
    oracle_scores,
)
from data_samples.make.write import (
    TABLES,
    image_name,
    load_world,
    picture_seed,
    write_sample,
)
from msm4sr_lite.config import UserError
from msm4sr_lite.dataset.folder import read_folder


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample") / "dataset"
    write_sample(out, pictures=False)
    return out


def test_the_committed_files_are_what_the_command_writes(sample_dataset, written):
    for name in (*TABLES, "sample.json", "README.md", "LICENSE"):
        committed = (sample_dataset / name).read_bytes().replace(b"\r\n", b"\n")
        assert committed == (written / name).read_bytes(), name


def test_the_committed_pictures_are_what_the_command_draws(sample_dataset, world, tmp_path):
    """Pixel by pixel for every third item; all of them take three times as long."""
    names = [image_name(item, view) for item in world.items for view in range(item.modalities)]
    assert sorted(names) == sorted(
        f"images/{p.name}" for p in (sample_dataset / "images").iterdir()
    )
    for number, item in list(enumerate(world.items))[::3]:
        for view in range(item.modalities):
            save_png(draw(item.look, view, picture_seed(world.seed, number)), tmp_path / "new.png")
            with Image.open(sample_dataset / image_name(item, view)) as old:
                stored = np.asarray(old.convert("RGB"))
            with Image.open(tmp_path / "new.png") as new:
                drawn = np.asarray(new.convert("RGB"))
            assert np.array_equal(stored, drawn), image_name(item, view)


def test_another_seed_gives_another_shop(written, tmp_path):
    write_sample(tmp_path / "other", seed=8, pictures=False)
    for name in TABLES:
        assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_a_changed_table_has_no_known_ceiling(written, tmp_path):
    assert load_world(tmp_path) is None
    for name in (*TABLES, "sample.json"):
        (tmp_path / name).write_bytes((written / name).read_bytes())
    assert load_world(tmp_path) is not None
    about = json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))
    (tmp_path / "sample.json").write_text(json.dumps(about | {"version": 99}), encoding="utf-8")
    with pytest.raises(UserError, match="version 99"):
        load_world(tmp_path)
    (tmp_path / "sample.json").write_text(json.dumps(about), encoding="utf-8")
    (tmp_path / TABLES[0]).write_text("user_id,item_id,timestamp\n")
    with pytest.raises(UserError, match="so the ceiling is not known"):
        load_world(tmp_path)


def test_sizes_and_gaps(written, world):
    dataset = read_folder(written)
    for domain in DOMAINS:
        items = world.domain(domain)
        shoppers = [s for s in world.shoppers if s.domain == domain]
        assert (len(items), len(shoppers)) == (400, 1200)
        sold = Counter(item for shopper in shoppers for item in shopper.items)
        counts = sorted(sold.values(), reverse=True)
        assert sum(counts[:40]) > 2.5 * sum(counts) / 10  # a tenth sells more than a quarter
        assert sum(sold[item.item_id] <= 1 for item in items) >= 10
        assert sum(item.modalities == 0 for item in items) == 20
        assert sum(not item.has_text for item in items) == 20
        assert sum(item.modalities > 1 for item in items) == pytest.approx(400 / 3, abs=2)
        assert not any(item.modalities == 0 and not item.has_text for item in items)
    for item in dataset.items.values():
        assert item.has_text or item.images
        assert item.domain in DOMAINS


def test_looks_stand_in_no_text(world):
    forbidden = {*COLOURS, *PATTERNS, *SHAPES} - {"plain"} | {"stripes", "dots", "checks", "colour"}
    for item in world.items:
        words = set(re.findall(r"[a-z]+", f"{item.title} {item.brand} {item.description}".lower()))
        assert not words & forbidden, item


def test_new_items_are_strictly_cold(world):
    new = {item.item_id for item in world.items if item.is_new}
    tests = dict.fromkeys(DOMAINS, 0)
    for shopper in world.shoppers:
        assert len(set(shopper.items)) == len(shopper.items)
        assert list(shopper.times) == sorted(shopper.times)
        assert shopper.times[-1] > LAUNCH > shopper.times[-2]
        assert not new & set(shopper.items[:-1])
        tests[shopper.domain] += shopper.items[-1] in new
    assert min(tests.values()) >= 120
    assert sum(tests.values()) >= 300


def small_model(rng, needs=3, tastes=2, items=5):
    return HiddenStateModel(
        first=rng.dirichlet(np.ones(needs)),
        transition=rng.dirichlet(np.ones(needs), size=needs),
        tastes=rng.dirichlet(np.ones(tastes)),
        weights=rng.integers(1, 9, (needs, tastes, items)).astype(float),
        is_new=np.array([False] * (items - 1) + [True]),
    )


def by_enumeration(model, history, after_launch):
    """Sum over every path of hidden states."""
    needs, tastes, items = model.weights.shape
    total = np.zeros(items)
    for taste in range(tastes):
        for path in itertools.product(range(needs), repeat=len(history) + 1):
            chance = model.tastes[taste] * model.first[path[0]]
            for a, b in itertools.pairwise(path):
                chance *= model.transition[a, b]
            on_sale = ~model.is_new
            for need, item in zip(path, history, strict=False):
                weights = model.weights[need, taste] * on_sale
                chance *= weights[item] / weights.sum()
                on_sale = on_sale & (np.arange(items) != item)
            if after_launch:
                on_sale = on_sale | model.is_new
            weights = model.weights[path[-1], taste] * on_sale
            total += chance * weights / weights.sum()
    return total / total.sum()


@pytest.mark.parametrize("after_launch", [False, True])
def test_the_forward_algorithm_is_exact(after_launch):
    rng = np.random.default_rng(0)
    for _ in range(5):
        model = small_model(rng)
        histories = [np.array([], dtype=int), np.array([2]), np.array([0, 3, 1])]
        fast = next_item_probabilities(model, histories, after_launch)
        for history, row in zip(histories, fast, strict=True):
            np.testing.assert_allclose(
                row, by_enumeration(model, history, after_launch), atol=1e-12
            )


def test_probabilities_sum_to_one_and_bought_items_have_none(world):
    histories = [list(s.items[:-1]) for s in world.shoppers[::200]]
    for kind in ("oracle", "content"):
        scores = oracle_scores(world, histories, kind)
        np.testing.assert_allclose(scores.sum(axis=1), 1)
        column = {item.item_id: i for i, item in enumerate(world.items)}
        for row, history in zip(scores, histories, strict=True):
            assert (row[[column[item] for item in history]] == 0).all()
            here = world.items[column[history[0]]].domain
            other = [i for i, item in enumerate(world.items) if item.domain != here]
            assert (row[other] == 0).all()


def test_no_other_forecast_is_as_likely_as_the_oracles(world):
    histories = [list(s.items[:-1]) for s in world.shoppers]
    bought = [next(i for i, x in enumerate(world.items) if x.item_id == s.items[-1])
              for s in world.shoppers]  # fmt: skip
    likely = {
        kind: np.log(oracle_scores(world, histories, kind)[np.arange(len(bought)), bought]).mean()
        for kind in ("oracle", "content")
    }
    assert likely["content"] < likely["oracle"] < 0
    home = world.domain("home")
    model = hidden_state_model(home, "oracle")
    number = {item.item_id: i for i, item in enumerate(home)}
    rows = [s for s in world.shoppers if s.domain == "home"]
    paths = [np.array([number[i] for i in s.items[:-1]]) for s in rows]
    last = [number[s.items[-1]] for s in rows]

    def log_likelihood(model):
        found = next_item_probabilities(model, paths, after_launch=True)
        return np.log(found[np.arange(len(last)), last]).mean()

    true = log_likelihood(model)
    uniform = np.full_like(model.transition, 1 / len(model.transition))
    shuffled = model.weights[::-1]  # needs named in the wrong order
    for wrong in (
        {"transition": uniform},
        {"transition": model.transition.T},
        {"weights": shuffled},
    ):
        assert log_likelihood(HiddenStateModel(**{**model.__dict__, **wrong})) < true


def test_ids_and_items_are_refused_with_a_line(world):
    with pytest.raises(UserError, match="has no item 'x1'"):
        oracle_scores(world, [["x1"]])
    with pytest.raises(UserError, match="items of both departments"):
        oracle_scores(world, [["h0001", "o0001"]])


def test_sample_json_names_version_and_seed(sample_dataset):
    about = json.loads((sample_dataset / "sample.json").read_text(encoding="utf-8"))
    assert (about["name"], about["version"], about["seed"]) == ("corner_shop", 1, 7)
