"""The effect of every input equals the score with it minus the score without it."""

import json

import numpy as np
import pytest
import torch
from course import find_encoder
from toys import toy_table

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset, Item
from msm4sr_lite.encoder import M2SE, match_scores
from msm4sr_lite.explain.effects import (
    Change,
    delete_each_keyword,
    edit_slots,
    embed_keyword_deletions,
    measure_effects,
)
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.pipeline.trained_model import TrainedModel
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer


def model(**settings):
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=6, experts=3, heads=2, **settings)).eval()


class Explainer:
    """What explanations are made from, for the tests."""

    def __init__(self, recommender, table, items, keywords):
        self.recommender, self.table = recommender, table
        self.items, self.keywords = items, keywords
        self.scorer, self.model = recommender.scorer, recommender.scorer.model

    def explain_many(self, history, item_ids, **options):
        options = {"items": self.items, "keywords": self.keywords, **options}
        return measure_effects(self.recommender, self.table, history, item_ids, **options)

    def explain(self, history, item_id, **options):
        return self.explain_many(history, [item_id], **options)[0]

    def best(self, history, k):
        return self.recommender.recommend({"": history}, k)["item_id"].tolist()


# ------------------------------------------------------------------- evidence, checked by hand

#        item:  0  1  2  3  4  5  6  7  8  9  10 11
TEXT_SLOTS = [2, 3, 0, 1, 3, 1, 0, 2, 1, 3, 1, 2]
IMAGE_SLOTS = [1, 2, 2, 0, 1, 0, 1, 1, 2, 1, 1, 1]  # item 6 has one image and nothing else
ITEMS = {f"i{n}": Item(f"i{n}", title=f"Thing {n}") for n in range(12)}
KEYWORDS = {"i1": [["red", "mug"], ["blue", "cup", "tall"]], "i4": [["tall", "tent", "green"]]}
HISTORY = ["i1", "i2", "i3", "i4", "i6"]
SETTINGS = {
    "paper": {},
    "ids": {"n_items": 12},
    "open softmax": {"mask_padding": False},
    "mean": {"item_pooling": "mean"},
    "text": {"modalities": "text"},
    "image": {"modalities": "image"},
    "short memory": {"max_len": 3},
}


@pytest.fixture
def explainer(request):
    """Toy items, the first of which, ``i0``, has number 1, with the settings asked for."""
    items = ["", *ITEMS]
    table = toy_table(TEXT_SLOTS, IMAGE_SLOTS, items=items[1:])
    net = model(**getattr(request, "param", {}))
    for parameter in net.transformer.blocks.parameters():
        parameter.data *= 8 if parameter.dim() > 1 else 1  # untrained, hardly anything would count
    recommender = Recommender(ModelScorer(net, table), items)
    return Explainer(recommender, table, ITEMS, KEYWORDS)


all_settings = pytest.mark.parametrize(
    "explainer", SETTINGS.values(), ids=SETTINGS.keys(), indirect=True
)


def edited(table, changes):
    """Slow and obvious: the table with slots ``{(item, modality, slot): vector}`` changed."""
    parts = {}
    for modality in ("text", "image"):
        slots = getattr(table, modality)
        vectors, counts = [], []
        for item, (start, count) in enumerate(zip(slots.starts, slots.counts, strict=True)):
            own = [
                changes.get((item, modality, k), slots.vectors[start + k])
                for k in range(int(count))
            ]
            own = [vector for vector in own if vector is not None]
            vectors += own
            counts.append(len(own))
        sizes = torch.tensor(counts)
        parts[modality] = Slots(torch.stack(vectors).half(), sizes.cumsum(0) - sizes, sizes)
    return FeatureTable(table.items, parts["text"], parts["image"], table.manifest)


@torch.inference_mode()
def score(net, table, history, target, rows=None):
    """The score of one item after a history of numbers, without scorer and explainer.

    ``rows[number]`` says where an item stands in a table that holds but a few.
    """
    numbers = torch.tensor([*history[-net.config.max_len :], target])
    z = net.with_ids(
        net.item_embeddings(table, numbers if rows is None else rows[numbers]), numbers
    )
    states = net.encode({modality: vectors[None, :-1] for modality, vectors in z.items()})
    last = {modality: state[:, -1] for modality, state in states.items()}
    return float(match_scores(last, {modality: vectors[-1:] for modality, vectors in z.items()}))


def slot_of(explainer, piece):
    modality = "text" if piece.kind == "sentence" else "image"
    return explainer.recommender.item_number[piece.item_id], modality, piece.index - 1


def numbers_of(explainer, history):
    return [explainer.recommender.item_number[item] for item in history]


@all_settings
def test_the_effect_of_an_interaction_by_hand(explainer):
    net, table = explainer.model, explainer.table
    for history in (HISTORY, ["i1", "i4", "i1", "i7", "i1"]):
        numbers = numbers_of(explainer, history)
        found = explainer.explain_many(history, ["i9", "i5"])
        for item, pieces in zip(["i9", "i5"], found, strict=True):
            (target,) = numbers_of(explainer, [item])
            interactions = {p.position: p for p in pieces if p.kind == "interaction"}
            newest = range(max(0, len(history) - net.config.max_len), len(history))
            assert sorted(interactions) == [k + 1 for k in newest]
            whole = score(net, table, numbers, target)
            for k in newest:
                lower = whole - score(net, table, numbers[:k] + numbers[k + 1 :], target)
                assert interactions[k + 1].effect == pytest.approx(lower, abs=2e-6)
                assert interactions[k + 1].item_id == history[k]
                assert interactions[k + 1].text == f"Thing {history[k][1:]}"


@all_settings
def test_the_effect_of_a_slot_by_hand(explainer):
    net, table = explainer.model, explainer.table
    history = numbers_of(explainer, HISTORY)
    read = set(history[-net.config.max_len :])
    for item in ("i9", "i5"):
        (target,) = numbers_of(explainer, [item])
        pieces = explainer.explain(HISTORY, item)
        slots = [p for p in pieces if p.kind in ("sentence", "image")]
        expected = {
            (number, modality, k)
            for number in read | {target}
            for modality in net.modalities
            for k in range(int(getattr(table, modality).counts[number]))
        }
        assert {slot_of(explainer, p) for p in slots} == expected
        assert len(slots) == len(expected)
        whole = score(net, table, history, target)
        for piece in slots:
            thin = edited(table, {slot_of(explainer, piece): None})
            lower = whole - score(net, thin, history, target)
            assert piece.effect == pytest.approx(lower, abs=2e-6), piece
            assert piece.effect == pytest.approx(sum(piece.by_modality.values()), abs=1e-6)
            assert set(piece.by_modality) == set(net.modalities)
            assert piece.position == (
                0 if piece.item_id == item else HISTORY.index(piece.item_id) + 1
            )


@all_settings
def test_attention_is_that_of_the_model(explainer):
    net, table = explainer.model, explainer.table
    pieces = explainer.explain(HISTORY, "i9")
    seen = 0
    for piece in pieces:
        if piece.kind == "interaction":
            assert piece.attention is None
            continue
        number, modality, k = slot_of(explainer, piece)
        with torch.inference_mode():
            weights = net.pool[modality](*getattr(table, modality).gather(torch.tensor([number])))[
                1
            ]
        assert piece.attention == pytest.approx(float(weights[0, k]), abs=1e-6)
        seen += 1
    assert seen


with_images = {name: values for name, values in SETTINGS.items() if name != "text"}


@pytest.mark.parametrize("explainer", with_images.values(), ids=with_images.keys(), indirect=True)
def test_the_effect_of_a_keyword_by_hand(explainer):
    net, table = explainer.model, explainer.table
    history = numbers_of(explainer, HISTORY)
    images = {("i4", 1): 3, ("i1", 1): 2, ("i1", 2): 3}
    deletions = {image: torch.randn(count, 11).half() for image, count in images.items()}
    pieces = explainer.explain(HISTORY, "i9", keyword_deletions=deletions)
    whole = score(net, table, history, 10)
    for item, image in images:
        keywords = {
            p.text: p
            for p in pieces
            if p.kind == "keyword" and (p.item_id, p.index) == (item, image)
        }
        read = item in HISTORY[-net.config.max_len :]
        assert set(keywords) == (set(KEYWORDS[item][image - 1]) if read else set())
        for k, keyword in enumerate(KEYWORDS[item][image - 1] if read else ()):
            (number,) = numbers_of(explainer, [item])
            changed = edited(table, {(number, "image", image - 1): deletions[item, image][k]})
            lower = whole - score(net, changed, history, 10)
            assert keywords[keyword].effect == pytest.approx(lower, abs=2e-6)
            assert keywords[keyword].attention is None
    # and of the recommended item itself
    pieces = explainer.explain(["i8", "i9"], "i4", keyword_deletions=deletions)
    own = {p.text: p for p in pieces if p.kind == "keyword"}
    for k, keyword in enumerate(KEYWORDS["i4"][0]):
        changed = edited(table, {(5, "image", 0): deletions["i4", 1][k]})
        lower = score(net, table, [9, 10], 5) - score(net, changed, [9, 10], 5)
        assert own[keyword].effect == pytest.approx(lower, abs=2e-6)
        assert own[keyword].position == 0


def test_a_text_as_a_whole_is_one_sentence(explainer):
    explainer.table.manifest["text_units"] = "whole"
    explainer.table.manifest["max_sentences"] = 10
    item = Item("i9", title="Thing 9", description="It is blue. It has two doors.")
    explainer.items = {**explainer.items, "i9": item}
    said = [p.text for p in explainer.explain(HISTORY, "i9") if p.kind == "sentence"]
    assert "Thing 9 It is blue. It has two doors." in said


def test_keywords_with_a_slot_each_need_no_deletions(explainer):
    explainer.table.manifest["image_slots"] = "keywords"
    explainer.keywords = {**KEYWORDS, "i1": [["red"], ["mug"]]}
    pieces = explainer.explain(HISTORY, "i9")
    assert not [p for p in pieces if p.kind == "image"]
    keywords = {p.text: p for p in pieces if p.kind == "keyword" and p.item_id == "i1"}
    assert {(keyword, p.index) for keyword, p in keywords.items()} == {("red", 1), ("mug", 2)}
    history = numbers_of(explainer, HISTORY)
    thin = edited(explainer.table, {(2, "image", 1): None})
    lower = score(explainer.model, explainer.table, history, 10) - score(
        explainer.model, thin, history, 10
    )
    assert keywords["mug"].effect == pytest.approx(lower, abs=2e-6)


def test_evidence_is_sorted_by_effect(explainer):
    effects = [p.effect for p in explainer.explain(HISTORY, "i9")]
    assert effects == sorted(effects, reverse=True)
    assert min(effects) < 0 < max(effects)


def test_a_scorer_and_its_table_are_enough(explainer):
    """Without items and keywords the effects are the same, and numbers stand for the texts."""
    bare = Explainer(explainer.recommender, explainer.table, None, None)
    for one, two in zip(bare.explain(HISTORY, "i9"), explainer.explain(HISTORY, "i9"), strict=True):
        assert (one.effect, one.item_id, one.index) == (two.effect, two.item_id, two.index)
        named = one.item_id if one.kind == "interaction" else f"{one.kind} {one.index}"
        assert one.text == named
    with pytest.raises(UserError, match="explanations need a model"):
        measure_effects(
            Recommender(object(), explainer.table.items), explainer.table, ["i1"], ["i2"]
        )


def test_items_explained_together_are_explained_as_alone(explainer):
    together = explainer.explain_many(HISTORY, ["i9", "i5", "i7"])
    for item, pieces in zip(["i9", "i5", "i7"], together, strict=True):
        alone = explainer.explain(HISTORY, item)
        key = lambda p: (p.kind, p.item_id, p.index)  # noqa: E731
        for one, other in zip(sorted(pieces, key=key), sorted(alone, key=key), strict=True):
            assert key(one) == key(other)
            assert one.effect == pytest.approx(other.effect, abs=2e-6)


def test_a_history_of_one_item_has_no_interaction_to_leave_out(explainer):
    pieces = explainer.explain(["i1"], "i9")
    assert {p.kind for p in pieces} == {"sentence", "image"}


def test_unknown_items_of_a_history_keep_their_position(explainer):
    del explainer.recommender.item_number["i2"]
    pieces = explainer.explain(["i2", "i1", "i4"], "i9")
    assert {(p.item_id, p.position) for p in pieces} == {("i1", 2), ("i4", 3), ("i9", 0)}


def test_mistakes_are_refused(explainer):
    with pytest.raises(UserError, match="no item of the history is known"):
        explainer.explain(["ghost"], "i9")
    with pytest.raises(UserError, match="item 'ghost' is not in the model; check"):
        explainer.explain(HISTORY, "ghost")


def test_edited_slots_are_padded_to_the_width_of_all_items():
    table = toy_table([2, 3, 0, 1, 3], [1] * 5)
    changes = [
        Change(item, "text", slot, "sentence", 1, "", replacement=instead)
        for item, slot, instead in ((2, 1, None), (4, 0, None), (1, 0, torch.ones(11).half()))
    ]
    edited_table = edit_slots(table, changes)
    found, valid = edited_table.text.gather(torch.arange(3))
    assert valid.sum(dim=1).tolist() == [2, 0, 2]
    first, _ = table.text.gather(torch.tensor([2]))
    assert torch.equal(found[0, :2], first[0, [0, 2]])
    assert torch.equal(found[2, 0], torch.ones(11))
    assert found.shape[1] == 3
    assert edited_table.image.counts.tolist() == [1, 1, 1, 1]


def test_an_item_added_after_training_is_explained_as_any_other():
    table = toy_table([2] * 12, [1] * 12, items=list(ITEMS))
    net = model(n_items=11)
    torch.nn.init.normal_(net.ids.weight[1:])
    first = table.items[:12]
    recommender = Recommender(ModelScorer(net, table.for_items(first)), first)
    recommender.add_items(table.for_items(["", "i11"]))
    pieces = Explainer(recommender, table, ITEMS, {}).explain(["i1", "i2", "i11"], "i11")
    whole, left = (
        recommender.recommend({"": history}, 1, candidates=["i11"], filter_seen=False)["score"][0]
        for history in (["i1", "i2", "i11"], ["i1", "i11"])
    )
    (second,) = [p for p in pieces if p.kind == "interaction" and p.item_id == "i2"]
    assert second.effect == pytest.approx(whole - left, abs=1e-5)
    assert sum(p.kind == "sentence" and p.item_id == "i11" for p in pieces) >= 2


# ------------------------------------------------- on the sample dataset: do the reasons matter?

USERS = 120


@pytest.fixture(scope="module")
def dataset(sample_dataset):
    return Dataset.from_folder(sample_dataset, domain="home")


@pytest.fixture(scope="module")
def sample(sample_dataset, dataset):
    states = sample_dataset / "states" / "home_finetuned"
    trained = TrainedModel.load(states, sample_dataset / "features")
    return Explainer(trained.recommender("cpu"), trained.table, dataset.items, trained.keywords)


@pytest.fixture(scope="module")
def offers(sample, dataset):
    """The history and the best recommendation of every tenth user."""
    users = sorted(set(dataset.interactions["user_id"]))[:: 1200 // USERS]
    assert len(users) == USERS
    rows = dataset.interactions.groupby("user_id", sort=False)["item_id"].agg(list)
    return [(rows[user], sample.best(rows[user], 1)[0]) for user in users]


def surely_above(high, low):
    """Whether the paired difference lies more than three standard errors above 0."""
    differences = np.array(high) - np.array(low)
    return differences.mean() > 3 * differences.std(ddof=1) / len(differences) ** 0.5


@pytest.mark.parametrize("count", [1, 2])
def test_without_the_top_interactions_the_score_falls_more(sample, offers, count):
    """Two at once: that the sum of single effects says something is not true by construction."""
    rng = np.random.default_rng(0)
    top, drawn = [], []
    for history, offer in offers:
        pieces = sample.explain(history, offer)
        places = [p.position for p in pieces if p.kind == "interaction"]
        numbers, (target,) = numbers_of(sample, history), numbers_of(sample, [offer])

        def fall(gone, numbers=numbers, target=target):
            kept = [item for place, item in enumerate(numbers, 1) if place not in gone]
            whole, rest = sample.scorer.score([np.array(numbers), np.array(kept)])[:, target]
            return float(whole - rest)

        top.append(fall(places[:count]))
        drawn.append(fall(rng.choice(places, count, replace=False)))
    assert surely_above(top, drawn), (np.mean(top), np.mean(drawn))
    assert np.mean(top) > 2 * np.mean(drawn)


@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_sentences_and_images_the_score_falls_more(sample, offers, count):
    """By effect more than by attention, and by attention still more than by chance."""
    rng = np.random.default_rng(0)
    falls = {"effect": [], "attention": [], "chance": []}
    for history, offer in offers:
        pieces = sample.explain(history, offer)
        slots = [p for p in pieces if p.kind in ("sentence", "image")]
        by_attention = sorted(slots, key=lambda piece: -piece.attention)
        drawn = [slots[k] for k in rng.choice(len(slots), count, replace=False)]
        for way, chosen in (("effect", slots), ("attention", by_attention), ("chance", drawn)):
            gone = {slot_of(sample, piece): None for piece in chosen[:count]}
            falls[way].append(fall_with(sample, history, offer, gone))
    assert surely_above(falls["effect"], falls["attention"])
    assert surely_above(falls["attention"], falls["chance"])
    assert np.mean(falls["effect"]) > 2 * np.mean(falls["attention"])


def fall_with(sample, history, offer, changes):
    """How far the score of an offer falls when slots are left out or replaced, all at once."""
    numbers, (target,) = numbers_of(sample, history), numbers_of(sample, [offer])
    names = ["", *dict.fromkeys([*history, offer])]
    rows = torch.zeros(len(sample.table.items), dtype=torch.long)
    rows[numbers_of(sample, names[1:])] = torch.arange(1, len(names))
    few = edited(
        sample.table.for_items(names),
        {(int(rows[item]), modality, k): vector for (item, modality, k), vector in changes.items()},
    )
    whole = score(sample.model, sample.table, numbers, target)
    return whole - score(sample.model, few, numbers, target, rows)


def deleted(sample, deletions, keywords):
    changes = {}
    for piece in keywords:
        k = sample.keywords[piece.item_id][piece.index - 1].index(piece.text)
        changes[slot_of(sample, piece)] = deletions[piece.item_id, piece.index][k]
    return changes


def one_per_image(keywords, count):
    found = {}
    for piece in keywords:
        found.setdefault((piece.item_id, piece.index), piece)
    return list(found.values())[:count]


def assert_top_keywords_matter(sample, deletions, cases, count):
    rng = np.random.default_rng(0)
    top, drawn = [], []
    for history, offer in cases:
        pieces = sample.explain(history, offer, keyword_deletions=deletions)
        keywords = [p for p in pieces if p.kind == "keyword"]
        mixed = [keywords[k] for k in rng.permutation(len(keywords))]
        for falls, chosen in ((top, keywords), (drawn, mixed)):
            gone = one_per_image(chosen, count)
            changes = deleted(sample, deletions, gone)
            falls.append(fall_with(sample, history, offer, changes))
    assert surely_above(top, drawn), (np.mean(top), np.mean(drawn))


@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_keywords_of_the_stored_deletions_the_score_falls_more(
    sample, sample_dataset, count
):
    folder = sample_dataset / "deletions"
    records = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    vectors = torch.from_numpy(np.load(folder / "vectors.npy"))
    deletions = {(r["item_id"], 1): v[1:] for r, v in zip(records, vectors, strict=True)}
    history = [record["item_id"] for record in records]
    best = sample.best(history, 60)
    assert_top_keywords_matter(sample, deletions, [(history, offer) for offer in best], count)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_keywords_the_score_falls_more(sample, offers, count):
    encoder = find_encoder()
    if encoder is None:
        pytest.skip("needs the default text encoder")
    items = [item for history, offer in offers for item in (*history, offer)]
    deletions = embed_keyword_deletions(encoder, sample.keywords, items)
    assert_top_keywords_matter(sample, deletions, offers, count)


def test_the_stored_deletions_are_what_the_encoder_returns(sample, sample_dataset):
    encoder = find_encoder()
    if encoder is None:
        pytest.skip("needs the default text encoder")
    folder = sample_dataset / "deletions"
    records = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    vectors = torch.from_numpy(np.load(folder / "vectors.npy")).float()
    items = [record["item_id"] for record in records]
    again = embed_keyword_deletions(encoder, sample.keywords, items)
    for record, stored in zip(records, vectors, strict=True):
        fresh = again[record["item_id"], 1].float()
        assert torch.cosine_similarity(fresh, stored[1:]).min() > 0.999


def test_every_keyword_is_deleted_once():
    assert delete_each_keyword(["red", "mug"]) == ["red mug", "mug", "red"]
    assert delete_each_keyword(["mug"]) == ["mug", ""]


def test_deletions_are_embedded_by_the_encoder(tiny_bert):
    encoder = TextEncoder(tiny_bert)
    keywords = {"a": [["red", "mug"], ["blue"]], "b": [["red", "mug"]]}
    got = embed_keyword_deletions(encoder, keywords, ["a", "b", "a", "c"])
    assert set(got) == {("a", 1), ("b", 1)}  # an image with one keyword has no sentence left
    assert torch.equal(got["a", 1], torch.from_numpy(encoder.encode(["mug", "red"])))
    assert embed_keyword_deletions(encoder, keywords, ["c"]) == {}
