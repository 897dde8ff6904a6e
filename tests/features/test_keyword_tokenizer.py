"""The best keywords of an image, by models of several families."""

import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny_models import dual_encoder, text_model

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.features.keyword_tokenizer import Keyword, KeywordTokenizer, top_keywords

FAMILIES = ("clip", "siglip", "siglip2", "vision-text-dual-encoder", "altclip", "chinese_clip")
FAMILIES += ("clipseg", "metaclip_2", "groupvit", "align")
WORDS = ["red", "blue", "mug", "tent", "a wide blue tent", "x"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """One folder per family."""
    root = tmp_path_factory.mktemp("dual")
    return {family: dual_encoder(family, root / family) for family in FAMILIES}


def noise(count):
    return [Image.effect_noise((20 + i, 30), 80).convert("RGB") for i in range(count)]


# ------------------------------------------------------------------ any dual encoder


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_are_the_models_cosines_in_every_family(family, tiny):
    """Compare with the model's forward pass on one image and one prompt at a time."""
    tokenizer = KeywordTokenizer(tiny[family], WORDS)
    (image,) = noise(1)
    found = {k.word: k.score for k in tokenizer.keywords([image], len(WORDS))[0]}
    inputs = tokenizer.image_processor(images=[image], return_tensors="pt")
    full = {"padding": "max_length", "max_length": 48, "return_attention_mask": False}
    for word in WORDS:
        options = full if family.startswith("siglip") else {}
        tokens = tokenizer.tokenizer([f"a photo of a {word}"], return_tensors="pt", **options)
        with torch.inference_mode():
            out = tokenizer.model(**tokens, **inputs)
        expected = F.cosine_similarity(out.text_embeds, out.image_embeds)
        assert found[word] == pytest.approx(float(expected), abs=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_keywords_do_not_depend_on_the_batch(family, tiny):
    tokenizer = KeywordTokenizer(tiny[family], WORDS)
    images = noise(64)
    for image, many in zip(images, tokenizer.keywords(images, 3), strict=True):
        for one, other in zip(tokenizer.keywords([image], 3)[0], many, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5)
            assert one.word == other.word or _tie(tokenizer, image, one.word, other.word)


def _tie(tokenizer, image, *words):
    rows = tokenizer.word_embeddings[[tokenizer.dictionary.index(word) for word in words]]
    one, two = (rows @ tokenizer.image_embeddings([image])[0]).tolist()
    return abs(one - two) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_words_embedding_does_not_depend_on_its_batch(family, tiny):
    """What SigLIP reads is padded, what CLIP reads is not, and neither may notice the others."""
    tokenizer = KeywordTokenizer(tiny[family], WORDS)
    alone = torch.cat([tokenizer.text_embeddings([word]) for word in WORDS])
    torch.testing.assert_close(tokenizer.text_embeddings(WORDS), alone, atol=1e-5, rtol=0)
    assert ("return_attention_mask" in tokenizer.options) == family.startswith("siglip")


def test_half_precision_weights_are_loaded_as_float32(tiny, tmp_path):
    """transformers 5 would keep float16, and then refuse the float32 of its own processor."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny["clip"], tmp_path / "half")
    half = {name: w.half() for name, w in load_file(folder / "model.safetensors").items()}
    save_file(half, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))
    whole, cut = (KeywordTokenizer(str(f), WORDS) for f in (tiny["clip"], folder))
    torch.testing.assert_close(cut.word_embeddings, whole.word_embeddings, atol=5e-3, rtol=0)
    assert len(cut.keywords(noise(2), 3)) == 2


@pytest.mark.parametrize("family", ["flava", "aimv2"])
def test_models_that_give_no_embedding_as_clip_does_are_refused(family, tmp_path):
    with pytest.raises(UserError, match=f"of type '{family}', which does not encode texts") as no:
        KeywordTokenizer(dual_encoder(family, tmp_path / family), WORDS)
    assert "\n" not in str(no.value)


def test_long_prompts_are_cut_to_what_the_model_reads(tiny):
    for family in FAMILIES:
        tokenizer = KeywordTokenizer(tiny[family], ["mug", "mug " * 99])
        assert tokenizer.word_embeddings.isfinite().all()


def test_other_models_and_damaged_folders_are_refused(tmp_path, tiny):
    with pytest.raises(UserError, match="a model of type 'bert', which does not compare images"):
        KeywordTokenizer(text_model("bert", tmp_path / "bert"), ["red"])
    with pytest.raises(UserError, match="'nobody/nothing@abc' is neither in the hub cache nor"):
        KeywordTokenizer("nobody/nothing@abc", ["red"])
    broken = tmp_path / "broken"
    dual_encoder("clip", broken)
    (broken / "model.safetensors").write_bytes(b"\xff" * 99)
    with pytest.raises(UserError, match="broken: not a model folder that transformers can load"):
        KeywordTokenizer(str(broken), ["red"])
    torch.save({}, broken / "pytorch_model.bin")
    (broken / "model.safetensors").unlink()
    with pytest.raises(UserError, match="broken: not a model folder that transformers can load"):
        KeywordTokenizer(str(broken), ["red"])


# ---------------------------------------------------------------------- which words


def test_equal_scores_keep_dictionary_order():
    words = torch.ones(4, 1)
    assert [k.word for k in top_keywords(torch.ones(1, 1), words, list("dbca"), 4)[0]] == list(
        "dbca"
    )


def test_a_short_dictionary_is_returned_whole(tokenizer):
    best = tokenizer.keywords(noise(1), 5)[0]
    assert sorted(k.word for k in best) == ["blue", "mug", "red", "tent"]
    assert isinstance(best[0], Keyword)
    with pytest.raises(UserError, match="dictionary is empty"):
        KeywordTokenizer("anything", [])


def at(*degrees):
    """Unit vectors in the plane."""
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_the_threshold_drops_keywords_but_keeps_the_best():
    words, names = at(0, 30, 60, 89), list("abcd")
    for threshold, expected in [(-1.0, "abcd"), (0.8, "ab"), (0.4, "abc"), (1.0, "a")]:
        found = top_keywords(at(1.0), words, names, 4, threshold=threshold)[0]
        assert "".join(k.word for k in found) == expected


def test_diversity_chooses_dissimilar_keywords():
    """Three synonyms on one side of the image, a fourth word on the other."""
    words, names = at(10, 11, 12, -20, 80), ["crimson", "scarlet", "red", "round", "far"]
    image = at(0.0)

    def found(n, **options):
        return [k.word for k in top_keywords(image, words, names, n, **options)[0]]

    assert found(2) == ["crimson", "scarlet"]
    assert found(2, diversity=0.5) == ["crimson", "round"]
    assert found(2, diversity=0.001) == found(2)
    assert sorted(found(9, diversity=0.5)) == sorted(names)
    scores = [k.score for k in top_keywords(image, words, names, 4, diversity=0.5)[0]]
    assert scores == sorted(scores, reverse=True)
    assert found(2, diversity=0.5, threshold=0.97) == ["crimson"]


def test_diversity_does_not_depend_on_the_scale_of_the_scores():
    words = F.normalize(torch.randn(30, 8), dim=-1)
    lifted = F.normalize(torch.cat([words, torch.full((30, 1), 3.0)], dim=1), dim=-1)  # all alike
    images = F.normalize(torch.randn(5, 8), dim=-1)
    names = [str(i) for i in range(30)]
    plain = top_keywords(images, words, names, 5, diversity=0.4)
    again = top_keywords(F.pad(images, (0, 1)), lifted, names, 5, diversity=0.4)
    assert [[k.word for k in row] for row in plain] == [[k.word for k in row] for row in again]


def test_several_prompts_are_averaged(mini_clip):
    one, two, both = (
        KeywordTokenizer(mini_clip, ["red", "mug"], prompt).word_embeddings
        for prompt in ("a {}", "{} of {}", "a {}|{} of {}")
    )
    torch.testing.assert_close(both, F.normalize(one + two, dim=-1))
    assert not torch.allclose(one, both, atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompt": "a photo"}, "prompt needs {} as keyword, no other brace; got 'a photo'"),
        ({"prompt": "a {}|a photo"}, "prompt needs {}"),
        ({"threshold": 1.5}, "threshold must be a number >= -1 and <= 1; got 1.5"),
        ({"diversity": 1.0}, "diversity must be a number >= 0 and < 1; got 1.0"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    for make in (FeatureConfig, lambda **options: KeywordTokenizer("any", ["red"], **options)):
        with pytest.raises(UserError, match=message):
            make(**wrong)
