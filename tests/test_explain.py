"""Leaving something out, and what it moves."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from course import find_encoder

from msm4sr_lite.config import ModelConfig, UserError
from msm4sr_lite.dataset.folder import read_folder
from msm4sr_lite.encoder import M2SE, match_scores
from msm4sr_lite.explain.evidence import Explainer, changed_slots, strongest
from msm4sr_lite.explain.keywords import keyword_influence, without_each
from msm4sr_lite.explain.rereading import read_without_words, table_encoder
from msm4sr_lite.feature_table import FeatureTable, Slots
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.recommend.recommender import Recommender
from msm4sr_lite.scoring import ModelScorer
from tests.toys import toy_dataset, toy_table


def model(**settings):
    torch.manual_seed(0)
    return M2SE(ModelConfig(feature_dim=11, dim=6, experts=3, heads=2, **settings)).eval()


# ---------------------------------------------------------------- a word and its picture's vector


def test_every_word_is_left_out_once():
    assert without_each(["red", "mug"]) == ["red mug", "mug", "red"]
    assert without_each(["mug"]) == ["mug", ""]


def test_influence_is_the_move_of_the_image_vector():
    net, slots, without = model(), torch.randn(3, 11), torch.randn(5, 11)
    got = keyword_influence(net, slots, 1, without)
    for word in range(5):
        changed = torch.stack([slots[0], without[word], slots[2]])
        vectors = [
            net.adapt["image"](net.pool["image"](s[None], torch.ones(1, 3, dtype=torch.bool))[0])
            for s in (slots, changed)
        ]
        assert torch.isclose(got[word], 1 - F.cosine_similarity(*vectors)[0], atol=1e-6)


def test_a_word_that_changes_nothing_has_no_influence():
    slots = torch.randn(2, 11)
    influence = keyword_influence(model(), slots, 0, slots[:1].repeat(4, 1))
    assert influence.abs().max() < 1e-6


def test_half_precision_slots_are_read():
    slots = torch.randn(1, 11).half()
    assert keyword_influence(model(), slots, 0, torch.randn(2, 11).half()).dtype == torch.float32


# ------------------------------------------------------------------- evidence, checked by hand

#        item:  0  1  2  3  4  5  6  7  8  9  10 11
TEXT_SLOTS = [2, 3, 0, 1, 3, 1, 0, 2, 1, 3, 1, 2]
IMAGE_SLOTS = [1, 2, 2, 0, 1, 0, 1, 1, 2, 1, 1, 1]  # item 6 has one picture and nothing else
KEYWORDS = {"i1": [["red", "mug"], ["blue", "cup", "tall"]], "i4": [["tall", "tent", "green"]]}
BASKET = ["i1", "i2", "i3", "i4", "i6"]
SETTINGS = {
    "the paper's": {},
    "ids": {"n_items": 12},
    "open softmax": {"mask_padding": False},
    "mean": {"slot_pooling": "mean"},
    "text": {"modalities": "text"},
    "pictures": {"modalities": "image"},
    "short memory": {"max_len": 3},
}


@pytest.fixture
def explainer(tmp_path, request):
    """A toy shop, whose item ``i0`` has number 1, under the settings asked for."""
    dataset = read_folder(toy_dataset(tmp_path / "dataset"))
    items = ["", *(f"i{n}" for n in range(12))]
    table = toy_table(TEXT_SLOTS, IMAGE_SLOTS, items=items[1:])
    net = model(**getattr(request, "param", {}))
    for parameter in net.transformer.blocks.parameters():
        parameter.data *= 8 if parameter.dim() > 1 else 1  # untrained, hardly anything would count
    return Explainer(Recommender(dataset, ModelScorer(net, table), items, KEYWORDS), table)


all_settings = pytest.mark.parametrize(
    "explainer", SETTINGS.values(), ids=SETTINGS.keys(), indirect=True
)


def edited(table, changes):
    """Slow and obvious: the table with slots ``{(item, view, slot): vector or None}`` changed."""
    parts = {}
    for view in ("text", "image"):
        slots = getattr(table, view)
        vectors, counts = [], []
        for item, (start, count) in enumerate(zip(slots.starts, slots.counts, strict=True)):
            own = [
                changes.get((item, view, k), slots.vectors[start + k]) for k in range(int(count))
            ]
            own = [vector for vector in own if vector is not None]
            vectors += own
            counts.append(len(own))
        sizes = torch.tensor(counts)
        parts[view] = Slots(torch.stack(vectors).half(), sizes.cumsum(0) - sizes, sizes)
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
    states = net.encode({view: vectors[None, :-1] for view, vectors in z.items()})
    last = {view: state[:, -1] for view, state in states.items()}
    return float(match_scores(last, {view: vectors[-1:] for view, vectors in z.items()}))


def slot_of(explainer, piece):
    view = "text" if piece.kind == "sentence" else "image"
    return explainer.recommender.number[piece.item_id], view, piece.part - 1


def numbers_of(explainer, basket):
    return [explainer.recommender.number[item] for item in basket]


@all_settings
def test_a_purchase_is_worth_what_the_shortened_history_lacks(explainer):
    net, table = explainer.model, explainer.table
    for basket in (BASKET, ["i1", "i4", "i1", "i7", "i1"]):
        history = numbers_of(explainer, basket)
        found = explainer.explain(basket, ["i9", "i5"])
        for item, pieces in zip(["i9", "i5"], found, strict=True):
            (target,) = numbers_of(explainer, [item])
            purchases = {p.place: p for p in pieces if p.kind == "purchase"}
            newest = range(max(0, len(basket) - net.config.max_len), len(basket))
            assert sorted(purchases) == [k + 1 for k in newest]
            whole = score(net, table, history, target)
            for k in newest:
                lower = whole - score(net, table, history[:k] + history[k + 1 :], target)
                assert purchases[k + 1].effect == pytest.approx(lower, abs=2e-6)
                assert purchases[k + 1].item_id == basket[k]
                assert purchases[k + 1].text == f"Thing {basket[k][1:]}"


@all_settings
def test_a_slot_is_worth_what_the_score_lacks_without_it(explainer):
    net, table = explainer.model, explainer.table
    history = numbers_of(explainer, BASKET)
    read = set(history[-net.config.max_len :])
    for item in ("i9", "i5"):
        (target,) = numbers_of(explainer, [item])
        (pieces,) = explainer.explain(BASKET, [item])
        slots = [p for p in pieces if p.kind in ("sentence", "picture")]
        expected = {
            (number, view, k)
            for number in read | {target}
            for view in net.modalities
            for k in range(int(getattr(table, view).counts[number]))
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
            assert piece.place == (0 if piece.item_id == item else BASKET.index(piece.item_id) + 1)


@all_settings
def test_attention_is_the_models_own(explainer):
    net, table = explainer.model, explainer.table
    (pieces,) = explainer.explain(BASKET, ["i9"])
    seen = 0
    for piece in pieces:
        if piece.kind == "purchase":
            assert piece.attention is None
            continue
        number, view, k = slot_of(explainer, piece)
        with torch.inference_mode():
            weights = net.pool[view](*getattr(table, view).gather(torch.tensor([number])))[1]
        assert piece.attention == pytest.approx(float(weights[0, k]), abs=1e-6)
        seen += 1
    assert seen


with_pictures = {name: values for name, values in SETTINGS.items() if name != "text"}


@pytest.mark.parametrize(
    "explainer", with_pictures.values(), ids=with_pictures.keys(), indirect=True
)
def test_a_word_is_worth_what_the_score_lacks_when_the_others_are_read_alone(explainer):
    net, table = explainer.model, explainer.table
    history = numbers_of(explainer, BASKET)
    pictures = {("i4", 1): 3, ("i1", 1): 2, ("i1", 2): 3}
    without = {picture: torch.randn(count, 11).half() for picture, count in pictures.items()}
    (pieces,) = explainer.explain(BASKET, ["i9"], without=without)
    whole = score(net, table, history, 10)
    for item, picture in pictures:
        words = {
            p.text: p for p in pieces if p.kind == "word" and (p.item_id, p.part) == (item, picture)
        }
        read = item in BASKET[-net.config.max_len :]
        assert set(words) == (set(KEYWORDS[item][picture - 1]) if read else set())
        for k, word in enumerate(KEYWORDS[item][picture - 1] if read else ()):
            (number,) = numbers_of(explainer, [item])
            changed = edited(table, {(number, "image", picture - 1): without[item, picture][k]})
            lower = whole - score(net, changed, history, 10)
            assert words[word].effect == pytest.approx(lower, abs=2e-6)
            assert words[word].attention is None
    # and of the recommended item itself
    (pieces,) = explainer.explain(["i8", "i9"], ["i4"], without=without)
    own = {p.text: p for p in pieces if p.kind == "word"}
    for k, word in enumerate(KEYWORDS["i4"][0]):
        changed = edited(table, {(5, "image", 0): without["i4", 1][k]})
        lower = score(net, table, [9, 10], 5) - score(net, changed, [9, 10], 5)
        assert own[word].effect == pytest.approx(lower, abs=2e-6)
        assert own[word].place == 0


def test_where_every_word_has_a_slot_words_need_no_reading_again(explainer):
    explainer.table.manifest["image_slots"] = "keywords"
    explainer.recommender.keywords = {**KEYWORDS, "i1": [["red"], ["mug"]]}
    (pieces,) = explainer.explain(BASKET, ["i9"])
    assert not [p for p in pieces if p.kind == "picture"]
    words = {p.text: p for p in pieces if p.kind == "word" and p.item_id == "i1"}
    assert {(word, p.part) for word, p in words.items()} == {("red", 1), ("mug", 2)}
    history = numbers_of(explainer, BASKET)
    thin = edited(explainer.table, {(2, "image", 1): None})
    lower = score(explainer.model, explainer.table, history, 10) - score(
        explainer.model, thin, history, 10
    )
    assert words["mug"].effect == pytest.approx(lower, abs=2e-6)


@pytest.mark.parametrize("explainer", [{}, {"n_items": 12}], indirect=True)
def test_exchanged_modalities(explainer):
    net, table = explainer.model, explainer.table
    history, swapped = numbers_of(explainer, BASKET), {2, 4}

    @torch.inference_mode()
    def by_hand(table, left_out=None):
        numbers = torch.tensor(history)
        z = net.with_ids(net.item_embeddings(table, numbers), numbers)
        mixed = {
            view: torch.stack([z[other if k + 1 in swapped else view][k] for k in range(5)])
            for view, other in (("text", "image"), ("image", "text"))
        }
        kept = [k for k in range(5) if k != left_out]
        last = {
            v: s[:, -1] for v, s in net.encode({v: m[None, kept] for v, m in mixed.items()}).items()
        }
        target = torch.tensor([10])
        return float(match_scores(last, net.with_ids(net.item_embeddings(table, target), target)))

    offers = explainer.for_basket(BASKET, 12, swapped=swapped)
    assert {r.item_id: r.score for r in offers}["i9"] == pytest.approx(by_hand(table), abs=2e-6)
    assert explainer.for_basket(BASKET, 12) == explainer.recommender.for_basket(BASKET, 12)
    (pieces,) = explainer.explain(BASKET, ["i9"], swapped=swapped)
    assert by_hand(table) != pytest.approx(score(net, table, history, 10), abs=1e-3)
    for piece in pieces:
        if piece.kind == "purchase":
            lower = by_hand(table) - by_hand(table, piece.place - 1)
        else:
            lower = by_hand(table) - by_hand(edited(table, {slot_of(explainer, piece): None}))
        assert piece.effect == pytest.approx(lower, abs=2e-6), piece


def test_the_strongest_come_first_and_only_what_speaks_for_the_item_is_a_reason(explainer):
    (pieces,) = explainer.explain(BASKET, ["i9"])
    effects = [p.effect for p in pieces]
    assert effects == sorted(effects, reverse=True)
    assert min(effects) < 0 < max(effects)
    reasons = strongest(pieces, 2, least=0)
    assert len(reasons) > 2
    assert all(p.effect > 0 for p in reasons)
    for kind in ("purchase", "sentence", "picture"):
        best = [p for p in pieces if p.kind == kind and p.effect > 0][:2]
        assert [p for p in reasons if p.kind == kind] == best
    second = sorted(effects)[-2]
    assert [p.effect for p in strongest(pieces, 9, least=second)] == [max(effects)]
    assert {p.kind for p in strongest(pieces, 2, {"picture"}, 0)} == {"picture"}


def test_items_explained_together_are_explained_as_alone(explainer):
    together = explainer.explain(BASKET, ["i9", "i5", "i7"])
    for item, pieces in zip(["i9", "i5", "i7"], together, strict=True):
        (alone,) = explainer.explain(BASKET, [item])
        key = lambda p: (p.kind, p.item_id, p.part)  # noqa: E731
        for one, other in zip(sorted(pieces, key=key), sorted(alone, key=key), strict=True):
            assert key(one) == key(other)
            assert one.effect == pytest.approx(other.effect, abs=2e-6)


def test_one_purchase_has_nothing_to_be_compared_with(explainer):
    (pieces,) = explainer.explain(["i1"], ["i9"])
    assert {p.kind for p in pieces} == {"sentence", "picture"}


def test_items_the_model_does_not_know_keep_their_place(explainer):
    del explainer.recommender.number["i2"]
    (pieces,) = explainer.explain(["i2", "i1", "i4"], ["i9"])
    assert {(p.item_id, p.place) for p in pieces} == {("i1", 2), ("i4", 3), ("i9", 0)}


def test_mistakes_are_told(explainer):
    for basket, items, options, message in (
        (["ghost"], ["i9"], {}, "no item of the basket"),
        (BASKET, ["ghost"], {}, "item 'ghost' is not in the model's catalogue"),
        (BASKET, ["i9"], {"swapped": {6}}, "a basket of 5 has no place 6"),
        (BASKET, ["i9"], {"without": {("i4", 1): torch.zeros(2, 11)}}, r"3 words .*\(3, 11\)"),
    ):
        with pytest.raises(UserError, match=message):
            explainer.explain(basket, items, **options)


@pytest.mark.parametrize("explainer", [{"max_len": 3}], indirect=True)
def test_of_a_long_basket_the_newest_are_exchanged(explainer):
    for basket, swapped in ((BASKET, {1, 2, 4}), (["ghost", *BASKET], {2, 5})):
        offers = explainer.for_basket(basket, 12, swapped=swapped)
        short = explainer.for_basket(BASKET[-3:], 12, swapped={2})
        expected = {r.item_id: r.score for r in short}
        for offer in offers:
            assert offer.score == pytest.approx(expected[offer.item_id], abs=2e-6)


@pytest.mark.parametrize("explainer", [{"modalities": "text"}], indirect=True)
def test_one_view_has_nothing_to_swap_with(explainer):
    with pytest.raises(UserError, match="the text view alone: nothing to swap"):
        explainer.explain(BASKET, ["i9"], swapped={1})


def test_changed_slots_keep_the_catalogues_width():
    slots = toy_table(TEXT_SLOTS, IMAGE_SLOTS).text
    got = changed_slots(slots, [(2, 1, None), (4, None, None), (1, 0, torch.ones(11))])
    own, valid = got.gather(torch.arange(3))
    assert valid.sum(dim=1).tolist() == [2, 1, 2]
    first, _ = slots.gather(torch.tensor([2]))
    assert torch.equal(own[0, :2], first[0, [0, 2]])
    assert torch.equal(own[2, 0], torch.ones(11))
    assert own.shape[1] == 3


# ---------------------------------------------------------------------------- reading again


def test_words_are_read_again_by_the_tables_encoder(tiny_bert):
    encoder = TextEncoder(tiny_bert)
    keywords = {"a": [["red", "mug"], ["blue"]], "b": [["red", "mug"]]}
    got = read_without_words(encoder, keywords, ["a", "b", "a", "c"])
    assert set(got) == {("a", 1), ("b", 1)}  # a picture of one word has nothing else to read
    assert torch.equal(got["a", 1], torch.from_numpy(encoder.encode(["mug", "red"])))
    assert read_without_words(encoder, keywords, ["c"]) == {}


def test_only_the_tables_own_encoder_will_do(tiny_bert):
    from msm4sr_lite.features.provenance import weight_hash

    weights = weight_hash(TextEncoder(tiny_bert).model)
    made = {"name": tiny_bert, "pooling": "cls", "weights": weights}
    assert table_encoder({"text_encoder": made}).pooling == "cls"
    with pytest.raises(UserError, match="with other weights of"):
        table_encoder({"text_encoder": {**made, "weights": "0" * 16}})
    with pytest.raises(UserError, match="'no/such' is neither in the hub cache"):
        table_encoder({"text_encoder": {"name": "no/such"}})
    with pytest.raises(UserError, match="names no text encoder"):
        table_encoder({})


# ------------------------------------------------- on the sample shop: do the reasons matter?

USERS = 120


@pytest.fixture(scope="module")
def sample(sample_dataset):
    dataset = read_folder(sample_dataset, domain="home")
    return Explainer.load(
        dataset, sample_dataset / "states" / "home_finetuned", sample_dataset / "features"
    )


@pytest.fixture(scope="module")
def offers(sample):
    """For every tenth customer: their purchases and the model's best offer."""
    users = sorted(set(sample.recommender.dataset.interactions["user_id"]))[:: 1200 // USERS]
    assert len(users) == USERS
    baskets = [sample.recommender.dataset.user_history(user) for user in users]
    return [(basket, sample.recommender.for_basket(basket, 1)[0].item_id) for basket in baskets]


def surely_above(high, low):
    """Whether the paired difference lies more than three standard errors above 0."""
    differences = np.array(high) - np.array(low)
    return differences.mean() > 3 * differences.std(ddof=1) / len(differences) ** 0.5


@pytest.mark.parametrize("count", [1, 2])
def test_without_the_top_purchases_the_score_falls_more_than_without_others(sample, offers, count):
    """Two at once: that the sum of single effects says something is not true by construction."""
    dice = np.random.default_rng(0)
    top, drawn = [], []
    for basket, offer in offers:
        (pieces,) = sample.explain(basket, [offer])
        places = [p.place for p in pieces if p.kind == "purchase"]
        history, (target,) = numbers_of(sample, basket), numbers_of(sample, [offer])

        def fall(gone, history=history, target=target):
            kept = [item for place, item in enumerate(history, 1) if place not in gone]
            whole, rest = sample.scorer.score([np.array(history), np.array(kept)])[:, target]
            return float(whole - rest)

        top.append(fall(places[:count]))
        drawn.append(fall(dice.choice(places, count, replace=False)))
    assert surely_above(top, drawn), (np.mean(top), np.mean(drawn))
    assert np.mean(top) > 2 * np.mean(drawn)


@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_sentences_and_pictures_the_score_falls_more_than_without_others(
    sample, offers, count
):
    """By effect more than by attention, and by attention still more than by chance."""
    dice = np.random.default_rng(0)
    falls = {"effect": [], "attention": [], "chance": []}
    for basket, offer in offers:
        (pieces,) = sample.explain(basket, [offer])
        slots = [p for p in pieces if p.kind in ("sentence", "picture")]
        by_attention = sorted(slots, key=lambda piece: -piece.attention)
        drawn = [slots[k] for k in dice.choice(len(slots), count, replace=False)]
        for way, chosen in (("effect", slots), ("attention", by_attention), ("chance", drawn)):
            gone = {slot_of(sample, piece): None for piece in chosen[:count]}
            falls[way].append(fall_with(sample, basket, offer, gone))
    assert surely_above(falls["effect"], falls["attention"])
    assert surely_above(falls["attention"], falls["chance"])
    assert np.mean(falls["effect"]) > 2 * np.mean(falls["attention"])


def fall_with(sample, basket, offer, changes):
    """How far the score of an offer falls when slots are left out or replaced, all at once."""
    history, (target,) = numbers_of(sample, basket), numbers_of(sample, [offer])
    names = ["", *dict.fromkeys([*basket, offer])]
    rows = torch.zeros(len(sample.table.items), dtype=torch.long)
    rows[numbers_of(sample, names[1:])] = torch.arange(1, len(names))
    few = edited(
        sample.table.for_items(names),
        {(int(rows[item]), view, k): vector for (item, view, k), vector in changes.items()},
    )
    whole = score(sample.model, sample.table, history, target)
    return whole - score(sample.model, few, history, target, rows)


def words_left_out(sample, without, words):
    changes = {}
    for piece in words:
        k = sample.recommender.keywords[piece.item_id][piece.part - 1].index(piece.text)
        changes[slot_of(sample, piece)] = without[piece.item_id, piece.part][k]
    return changes


def of_different_pictures(words, count):
    found = {}
    for piece in words:
        found.setdefault((piece.item_id, piece.part), piece)
    return list(found.values())[:count]


def words_beat_chance(sample, without, cases, count):
    dice = np.random.default_rng(0)
    top, drawn = [], []
    for basket, offer in cases:
        (pieces,) = sample.explain(basket, [offer], without=without)
        words = [p for p in pieces if p.kind == "word"]
        mixed = [words[k] for k in dice.permutation(len(words))]
        for falls, chosen in ((top, words), (drawn, mixed)):
            gone = of_different_pictures(chosen, count)
            changes = words_left_out(sample, without, gone)
            falls.append(fall_with(sample, basket, offer, changes))
    assert surely_above(top, drawn), (np.mean(top), np.mean(drawn))


@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_words_of_the_committed_readings_the_score_falls_more(
    sample, sample_dataset, count
):
    folder = sample_dataset / "deletions"
    records = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    vectors = torch.from_numpy(np.load(folder / "vectors.npy"))
    without = {(r["item_id"], 1): v[1:] for r, v in zip(records, vectors, strict=True)}
    basket = [record["item_id"] for record in records]
    best = sample.recommender.for_basket(basket, 60)
    words_beat_chance(sample, without, [(basket, offer.item_id) for offer in best], count)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 3])
def test_without_the_top_words_the_score_falls_more(sample, offers, count):
    encoder = find_encoder()
    if encoder is None:
        pytest.skip("needs the default text encoder")
    items = [item for basket, offer in offers for item in (*basket, offer)]
    without = read_without_words(encoder, sample.recommender.keywords, items)
    words_beat_chance(sample, without, offers, count)


def test_the_committed_readings_are_what_the_encoder_reads(sample, sample_dataset):
    encoder = find_encoder()
    if encoder is None:
        pytest.skip("needs the default text encoder")
    folder = sample_dataset / "deletions"
    records = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    vectors = torch.from_numpy(np.load(folder / "vectors.npy")).float()
    items = [record["item_id"] for record in records]
    again = read_without_words(encoder, sample.recommender.keywords, items)
    for record, stored in zip(records, vectors, strict=True):
        fresh = again[record["item_id"], 1].float()
        assert F.cosine_similarity(fresh, stored[1:]).min() > 0.999
