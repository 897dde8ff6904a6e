from __future__ import annotations

import hashlib
import itertools
import random
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from data_samples.make.drawing import (
    COLOURS,
    PATTERNS,
    PRODUCTS,
    SHAPES,
    Look,
    draw,
    save_png,
)

ALL = [product for names in PRODUCTS.values() for product in names]


def looks(count: int, seed: int) -> list[Look]:
    rng = random.Random(seed)
    return [
        Look(
            rng.choice(ALL),
            *rng.sample(sorted(COLOURS), 2),
            rng.choice(PATTERNS),
            rng.choice(SHAPES),
        )
        for _ in range(count)
    ]


def share_near(image: Image.Image, colour: str, distance: float = 45) -> float:
    """Share of the pixels that are the named colour, in a little more or less light."""
    gaps = np.asarray(image, dtype=float) - np.array(COLOURS[colour])
    return float((np.linalg.norm(gaps, axis=-1) < distance).mean())


def silhouette(image: Image.Image) -> np.ndarray:
    """Where the image is not its pale background."""
    pixels = np.asarray(image, dtype=int)
    return np.abs(pixels - pixels[0, 0]).sum(axis=-1) > 90


def test_the_words_of_the_sample() -> None:
    assert {name: len(words) for name, words in PRODUCTS.items()} == {"home": 12, "outdoor": 12}
    assert len(set(ALL)) == 24
    assert len(COLOURS) == 10
    assert PATTERNS == ("plain", "striped", "dotted", "checked", "zigzag", "floral")
    assert SHAPES == ("round", "tall", "square")


def test_colours_are_far_apart() -> None:
    gaps = {
        pair: np.linalg.norm(np.subtract(COLOURS[pair[0]], COLOURS[pair[1]]))
        for pair in itertools.combinations(COLOURS, 2)
    }
    assert min(gaps.values()) > 80, min(gaps, key=gaps.__getitem__)


@pytest.mark.parametrize("product", ALL)
def test_every_product_in_every_shape_and_view(product: str) -> None:
    for shape, view in itertools.product(SHAPES, range(3)):
        image = draw(Look(product, "green", "pink", "dotted", shape), view, seed=3)
        assert image.mode == "RGB"
        assert image.size == (96, 96)
        assert share_near(image, "green") > 0.03
        assert share_near(image, "pink") > 0.01


def test_same_arguments_same_pixels_in_another_process() -> None:
    script = (
        "import hashlib; from data_samples.make.drawing import Look, draw;"
        "look = Look('teapot', 'red', 'blue', 'floral', 'round');"
        "print(hashlib.sha256(b''.join(draw(look, v, 5).tobytes() for v in (2, 0, 1))).hexdigest())"
    )
    look = Look("teapot", "red", "blue", "floral", "round")
    here = hashlib.sha256(b"".join(draw(look, v, 5).tobytes() for v in (2, 0, 1))).hexdigest()
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert run.stdout.strip() == here


def test_neither_reads_nor_moves_the_global_random_state() -> None:
    look = looks(1, seed=1)[0]
    random.seed(1)
    before = random.getstate()
    first = draw(look, 1, seed=9)
    assert random.getstate() == before
    random.seed(2)
    assert draw(look, 1, seed=9).tobytes() == first.tobytes()


def test_order_of_drawing_does_not_matter() -> None:
    some = looks(6, seed=4)
    forward = [draw(look, 0, seed=2).tobytes() for look in some]
    assert [draw(look, 0, seed=2).tobytes() for look in reversed(some)] == forward[::-1]


def test_seed_and_view_vary_the_image_and_plain_has_no_accent() -> None:
    look = Look("mug", "blue", "yellow", "striped", "tall")
    images = {draw(look, view, seed).tobytes() for view in range(3) for seed in range(4)}
    assert len(images) == 12
    plain = [draw(Look("mug", "blue", accent, "plain", "tall"), 0, 1) for accent in ("red", "grey")]
    assert plain[0].tobytes() == plain[1].tobytes()


@pytest.mark.parametrize("product", ALL)
def test_shapes_have_different_silhouettes_and_stay_in_the_image(product: str) -> None:
    masks = [
        silhouette(draw(Look(product, "blue", "red", "plain", shape), 0, seed=0))
        for shape in SHAPES
    ]
    for one, other in itertools.combinations(masks, 2):
        assert (one & other).sum() / (one | other).sum() < 0.9
    for mask in masks:
        border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        assert border.mean() < 0.03
    tall = masks[SHAPES.index("tall")]
    height, width = (np.flatnonzero(tall.any(axis=axis)).size for axis in (1, 0))
    assert height > width * 0.75  # a rail, a handle or a shadow may be wide


@pytest.mark.parametrize("colour", COLOURS)
def test_the_main_colour_is_the_one_seen_most(colour: str) -> None:
    for product in ALL:
        image = draw(Look(product, colour, colour, "plain", "square"), 0, seed=6)
        shares = {name: share_near(image, name) for name in COLOURS}
        assert max(shares, key=shares.__getitem__) == colour, product


def test_patterns_differ() -> None:
    for view in (0, 2):
        images = [
            np.asarray(draw(Look("cushion", "blue", "yellow", pattern, "square"), view, 1), float)
            for pattern in PATTERNS
        ]
        for one, other in itertools.combinations(images, 2):
            assert np.abs(one - other).mean() > 5


def test_saved_images_are_small_and_look_the_same(tmp_path) -> None:
    sizes = []
    for k, look in enumerate(looks(60, seed=8)):
        image, path = draw(look, k % 3, seed=k), tmp_path / f"{k}.png"
        save_png(image, path)
        sizes.append(path.stat().st_size)
        with Image.open(path) as saved:
            gap = np.asarray(saved.convert("RGB"), float) - np.asarray(image, float)
        assert np.abs(gap).mean() < 3
    assert np.mean(sizes) < 3500


def test_saving_twice_gives_the_same_file(tmp_path) -> None:
    image = draw(looks(1, seed=3)[0], 0, seed=1)
    for name in ("a.png", "b.png"):
        save_png(image, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("product", "car"),
        ("colour", "gold"),
        ("accent", ""),
        ("pattern", "wavy"),
        ("shape", "flat"),
    ],
)
def test_unknown_words_are_refused(field: str, value: str) -> None:
    words = {
        "product": "mug",
        "colour": "red",
        "accent": "blue",
        "pattern": "plain",
        "shape": "tall",
    }
    with pytest.raises(ValueError, match=rf"^{field} must be one of .*; got '{value}'"):
        draw(Look(**(words | {field: value})), 0, 0)


def test_unknown_view_is_refused() -> None:
    with pytest.raises(ValueError, match="view must be one of 0, 1, 2; got 3"):
        draw(looks(1, seed=0)[0], 3, 0)
