"""What notebooks 02 and 03 say about keywords and features is true of the sample."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import ImageOps

from data_samples.make.catalogue import make_catalogue
from data_samples.make.photos import read_photos
from data_samples.make.simulation import state_weights
from data_samples.make.write import load_world
from msm4sr_lite import load_checkpoint
from msm4sr_lite.features.dictionary import read_dictionary
from msm4sr_lite.features.images import open_image
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.whitening import Whitening


@pytest.fixture(scope="module")
def features(sample_dataset):
    """Return the facts of the items that have both modalities, their table, rows and z."""
    model, catalogue = load_checkpoint(sample_dataset / "states" / "home_pretrained")
    table = load_feature_table(sample_dataset / "features").for_items(catalogue)
    rows = torch.nonzero((table.text.counts > 0) & (table.image.counts > 0)).flatten()
    made = {item.item_id: item for item in load_world(sample_dataset).items}
    with torch.no_grad():
        return (
            [made[catalogue[row]] for row in rows],
            table,
            rows,
            model.item_embeddings(table, rows),
        )


def share(x, values, k=10):
    """Return for each item the share of its k nearest neighbours with the same value."""
    x, values = F.normalize(x.double(), dim=1), np.array(values)
    near = (x @ x.T).fill_diagonal_(-2).topk(k).indices.numpy()
    return (values[near] == values[:, None]).mean(axis=1)


def test_interactions_depend_on_the_look_but_not_on_the_kind():
    items = make_catalogue(7, "home")
    kinds = [item.look.product for item in items][::-1]
    others = [
        replace(item, look=replace(item.look, product=kind))
        for item, kind in zip(items, kinds, strict=True)
    ]
    assert np.array_equal(state_weights(items), state_weights(others))
    recoloured = [replace(item, look=replace(item.look, colour="red")) for item in items]
    assert not np.array_equal(state_weights(items), state_weights(recoloured))


def test_images_do_not_show_the_purpose():
    same = []
    for seed in range(20):
        looks = {}
        for item in make_catalogue(seed, "home"):
            looks.setdefault((item.look.product, item.look.pattern), []).append(item.purpose)
        same += [a == b for group in looks.values() for i, a in enumerate(group) for b in group[:i]]
    assert np.mean(same) == pytest.approx(1 / 8, abs=0.01)


def test_training_lets_both_modalities_forget_the_kind(features):
    facts, table, rows, z = features
    kinds = [fact.look.product for fact in facts]
    for modality in ("text", "image"):
        means = getattr(table, modality).means()[rows]
        assert share(means, kinds).mean() > 0.85
        assert share(z[modality], kinds).mean() < 0.4


def test_image_embeddings_know_purposes_of_training_items_only(features):
    facts, _, _, z = features
    purposes = [fact.purpose for fact in facts]
    new = np.array([fact.is_new for fact in facts])
    by_image, by_text = share(z["image"], purposes), share(z["text"], purposes)
    assert by_image[~new].mean() > 0.2
    assert by_image[new].mean() == pytest.approx(1 / 8, abs=0.03)
    assert by_text[new].mean() > 0.8


def test_whitening_with_as_many_directions_as_items_makes_all_equally_far(features):
    facts, table, rows, _ = features
    means = table.text.means()[rows].float()
    found = {}
    for width in (128, 384):
        whitening = Whitening(384, width)
        whitening.fit(means, "pca")
        found[width] = share(whitening(means), [fact.purpose for fact in facts]).mean()
    before = share(means, [fact.purpose for fact in facts]).mean()
    assert found[128] > 2 * before > 2 * found[384]


def test_the_prompt_and_the_colour_matter_for_photographs(sample_dataset):
    folder = sample_dataset.parent / "photos"
    photos = read_photos(folder)[::2]
    opened = [open_image(folder, photo.image) for photo in photos]
    name = str(sample_dataset.parent / "photo_clip")
    words = read_dictionary(f"{name}/words.txt", [])

    def precision(prompt, images=opened):
        best = KeywordTokenizer(name, words, prompt).keywords(images, 2)
        pairs = zip(best, photos, strict=True)
        return np.mean([word.word in photo.words for row, photo in pairs for word in row])

    usual = precision("a photo of a {}")
    assert precision("{}") == pytest.approx(usual, abs=0.03)
    assert precision("a crate of {} in a shop") < 0.6 * usual
    grey = [ImageOps.grayscale(image).convert("RGB") for image in opened]
    assert precision("a photo of a {}", grey) < 0.5 * usual
