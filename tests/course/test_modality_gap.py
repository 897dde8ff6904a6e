"""The modality gap of clouds that are made so that the answer is known, and of the sample."""

import json
import math

import numpy as np
import pytest
from course.modality_gap import (
    clip_embeddings,
    keyword_embeddings,
    main,
    measure_gap,
)

from msm4sr_lite.config import UserError
from tests.toys import toy_table


def cloud(n=200, width=16, seed=0):
    return np.random.default_rng(seed).standard_normal((n, width))


def test_two_points_on_axes():
    """All texts on one axis, all images on another: everything is known exactly."""
    text, image = np.tile([5.0, 0.0, 0.0], (6, 1)), np.tile([0.0, 2.0, 0.0], (6, 1))
    gap = measure_gap(text, image)
    assert gap.items == 6
    assert gap.distance == pytest.approx(math.sqrt(2))
    assert (gap.probe, gap.neighbours) == (1.0, 1.0)
    assert (gap.matched, gap.unmatched) == pytest.approx((0.0, 0.0))
    opposite = measure_gap(text, -text)
    assert opposite.distance == pytest.approx(2.0)
    assert opposite.matched == pytest.approx(-1.0)


def test_a_cloud_has_no_gap_to_itself():
    gap = measure_gap(cloud(), cloud())
    assert gap.distance == pytest.approx(0.0, abs=1e-12)
    assert gap.neighbours == 0.0  # the nearest is the other modality of the item
    assert gap.probe == pytest.approx(0.5)
    assert gap.matched == pytest.approx(1.0)
    assert abs(gap.unmatched) < 0.05


def test_two_draws_of_one_cloud_are_mixed():
    gap = measure_gap(cloud(400), cloud(400, seed=1))
    assert gap.distance < 0.15
    assert gap.probe == pytest.approx(0.5, abs=0.08)
    assert gap.neighbours == pytest.approx(0.5, abs=0.08)
    assert gap.matched == pytest.approx(gap.unmatched, abs=0.03)


def test_the_distance_grows_with_the_shift_and_pairs_stay_matched():
    """What CLIP is known for: the right image is nearer than others, yet all are far away."""
    text = cloud()
    found = []
    for shift in (0.0, 2.0, 8.0):
        image = text + 0.1 * cloud(seed=1)
        image[:, 0] += shift
        found.append(measure_gap(text, image))
    assert found[0].distance < found[1].distance < found[2].distance
    assert found[0].probe < found[2].probe
    assert found[2].probe > 0.9
    assert found[2].neighbours > 0.9
    assert all(gap.matched > gap.unmatched + 0.1 for gap in found)
    # The same gap, whatever the length of the vectors.
    assert measure_gap(3 * text, image / 7).distance == pytest.approx(found[2].distance)


def test_unmatched_is_the_mean_over_all_other_pairs():
    text, image = cloud(7), cloud(7, seed=1)
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (text, image)]
    others = [unit[0][i] @ unit[1][j] for i in range(7) for j in range(7) if i != j]
    assert measure_gap(text, image).unmatched == pytest.approx(np.mean(others))


def test_clouds_that_do_not_pair_are_refused():
    for text, image in [((5, 3), (5, 4)), ((5, 3), (6, 3)), ((3, 3), (3, 3))]:
        with pytest.raises(UserError, match="at least 4 items, of equal width; got shapes"):
            measure_gap(np.ones(text), np.ones(image))


def test_keyword_embeddings_are_means_of_the_slots_of_items_with_both():
    table = toy_table(text=[2, 0, 3, 1], image=[1, 1, 2, 0])
    text, image = keyword_embeddings(table)
    assert text.shape == image.shape == (2, 11)
    np.testing.assert_allclose(text[1], table.text.vectors[2:5].float().mean(0), rtol=1e-6)
    np.testing.assert_allclose(image[1], table.image.vectors[2:4].float().mean(0), rtol=1e-6)


@pytest.mark.thorough
def test_on_the_sample_keywords_are_nearer_than_images(sample_dataset, mini_clip, capsys):
    assert main([str(sample_dataset), "--clip", mini_clip, "--items", "24"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clip"]["items"] == found["keywords"]["items"] == 24
    assert found["keywords"]["distance"] < found["clip"]["distance"]
    for gap in found.values():
        assert gap["matched"] > gap["unmatched"]
    assert main([str(sample_dataset / "images"), "--clip", mini_clip]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_items_without_a_readable_image_are_left_out(sample_dataset, tokenizer, tmp_path):
    from msm4sr_lite.dataset.dataset import Item

    name = next((sample_dataset / "images").iterdir()).name
    items = [
        Item("a", "Mug", images=(f"images/{name}",)),
        Item("b", "Mug", images=("images/none.png",)),
        Item("c", images=(f"images/{name}",)),
        Item("d", "Mug"),
    ]
    text, image = clip_embeddings(items, sample_dataset, tokenizer)
    assert text.shape == image.shape == (1, 64)
    with pytest.raises(UserError, match="no item has both a text and an image"):
        clip_embeddings(items[1:], sample_dataset, tokenizer)
