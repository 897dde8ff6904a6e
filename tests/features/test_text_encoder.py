"""Text encoders of several families: pooling, lengths, refusals."""

import json
import shutil

import numpy as np
import pytest
import torch
import transformers as tr
from tiny_models import VOCABULARY, dual_encoder, keep_words, save_tokenizer, text_model

from msm4sr_lite.config import UserError
from msm4sr_lite.features.text_encoder import PLACE, TextEncoder, find_encoder, load_table_encoder


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_encoding_does_not_depend_on_the_batch(tiny_bert, pooling):
    encoder = TextEncoder(tiny_bert, pooling)
    texts = ["a cup", "b", "a long long sentence about cups", "a cup"]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    assert one.shape == (4, 20)
    assert one.dtype == np.float16
    np.testing.assert_allclose(one, many, atol=1e-3)
    assert np.array_equal(many[0], many[3])
    tokens = encoder.tokenizer("b", return_tensors="pt")
    states = encoder.model(**tokens).last_hidden_state[0]
    expected = states[0] if pooling == "cls" else states.mean(0)
    np.testing.assert_allclose(one[1], expected.detach().numpy(), atol=2e-3)


@pytest.mark.parametrize(
    ("family", "longest"),
    [("bert", 40), ("roberta", 38), ("mpnet", 38), ("distilbert", 40), ("albert", 40)],
)
def test_encoders_of_any_family_keep_to_their_longest_input(family, longest, tmp_path):
    """Positions are never exceeded, and neither the batch nor its padding shows."""
    encoder = TextEncoder(text_model(family, tmp_path / family))
    assert encoder.max_length == longest
    texts = ["a cup", "b", "mug " * 99, *(f"{'red ' * n}mug {n}" for n in range(1, 12))]
    one, many = encoder.encode(texts, batch_size=1), encoder.encode(texts, batch_size=64)
    np.testing.assert_allclose(one.astype(float), many, atol=1e-3)
    assert np.isfinite(one).all()
    assert len({row.tobytes() for row in many}) == len(texts)


def test_the_limit_of_the_tokenizer_holds(tmp_path):
    folder = tmp_path / "bert"
    text_model("bert", folder)
    save_tokenizer(folder, model_max_length=7)
    encoder = TextEncoder(str(folder))
    assert encoder.max_length == 7
    same = encoder.encode(["abcdefgh", "abcdexyz"])  # </s> and <s> take two of the seven
    assert np.array_equal(same[0], same[1])


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
        (None, "mean"),
    ],
)
def test_pooling_is_what_the_model_was_trained_with(config, expected, tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    if config is not None:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(config))
    encoder = TextEncoder(str(folder))
    assert encoder.pooling == expected
    other = TextEncoder(str(folder), expected)
    assert np.array_equal(encoder.encode(["a cup"]), other.encode(["a cup"]))
    assert TextEncoder(str(folder), "cls").pooling == "cls"


def test_embeddings_that_are_not_finite_are_refused(tiny_bert):
    for value in (float("nan"), 1e6):
        encoder = TextEncoder(tiny_bert)
        with torch.no_grad():
            encoder.model.encoder.layer[-1].output.LayerNorm.bias.fill_(value)
        with pytest.raises(UserError, match="embeddings are not finite in float16"):
            encoder.encode(["a cup", "mug"])


def test_another_pooling_than_that_of_the_folder_is_refused(tiny_bert):
    with pytest.raises(UserError, match="the pooling is mean, not mean \\+ Normalize; give auto"):
        TextEncoder(tiny_bert, "mean + Normalize")


def test_a_model_that_is_no_text_encoder_is_refused(tmp_path):
    with pytest.raises(UserError, match="a model of type 't5', not a BERT-like text encoder"):
        TextEncoder(text_model("t5", tmp_path / "t5"))
    with pytest.raises(UserError, match="a model of type 'clip', not a BERT-like text encoder"):
        TextEncoder(dual_encoder("clip", tmp_path / "clip"))


def test_only_the_encoder_of_the_table_is_accepted(tiny_bert):
    made = TextEncoder(tiny_bert, "cls").describe()
    manifest = {"text_encoder": made, PLACE: tiny_bert}
    assert load_table_encoder(manifest).pooling == "cls"
    older = {key: made[key] for key in ("name", "pooling", "weights")}  # whose tokenizer?
    with pytest.raises(UserError, match="recorded without configuration and tokenizer"):
        load_table_encoder({"text_encoder": older}, name=tiny_bert)
    with pytest.raises(UserError, match=r"differs from .* that made the features in weights"):
        load_table_encoder({**manifest, "text_encoder": {**made, "weights": "0" * 16}})
    with pytest.raises(UserError, match="'no/such' is neither in the hub cache"):
        load_table_encoder({"text_encoder": {"name": "no/such"}})
    with pytest.raises(UserError, match="names no text encoder"):
        load_table_encoder({})


def test_the_place_of_a_local_encoder_is_that_of_the_table_unless_one_is_given(tmp_path):
    for kind in ("text_encoder", "clip"):
        place = str(tmp_path)
        assert find_encoder(kind, "x", place, None) == find_encoder(kind, "x", place, place)
        assert find_encoder(kind, "o/x", None, None) == "o/x"
        assert find_encoder(kind, "x", place, "o/y") == "o/y"
        for gone, where in ((f"{place}/gone", "no longer in"), ("", "was in a local folder")):
            with pytest.raises(UserError, match=f"{where}.*; give its folder as {kind}"):
                find_encoder(kind, "x", gone, None)
            assert find_encoder(kind, "x", gone, place) == place


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def exchange_words(folder):
    """Exchange two entries of the vocabulary, whose size stays the same."""
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    words = tokenizer["model"]["vocab"]
    words["a"], words["b"] = words["b"], words["a"]
    path.write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: edit(folder / "tokenizer_config.json", model_max_length=8),
        lambda folder: edit(folder / "tokenizer_config.json", truncation_side="left"),
        lambda folder: edit(folder / "tokenizer.json", normalizer=None),
        lambda folder: edit(folder / "config.json", hidden_act="relu"),
        lambda folder: edit(folder / "config.json", num_attention_heads=4),
        exchange_words,
    ],
)
def test_whatever_changes_the_embeddings_makes_another_encoder(change, tmp_path):
    folder = tmp_path / "bert"
    manifest = {"text_encoder": TextEncoder(text_model("bert", folder)).describe()}
    assert load_table_encoder(manifest, name=str(folder)).pooling == "mean"
    change(folder)
    with pytest.raises(UserError, match="differs from the text encoder that made the features"):
        load_table_encoder(manifest, name=str(folder))


def test_the_identity_ignores_what_does_not_decide_embeddings(tmp_path):
    """A version may add settings with their default, or write some that no class reads."""
    folder = tmp_path / "bert"
    made = TextEncoder(text_model("bert", folder)).describe()
    more = {"transformers_version": "4.1", "layer_norm_eps": 1e-12, "is_new_in_version_9": True}
    edit(folder / "config.json", **more)
    assert TextEncoder(str(folder)).describe() == made


@pytest.mark.parametrize("words", [["[unused1]"], list("的一是不了人我在有他"), ["a"]])
def test_a_tokenizer_that_knows_no_words_is_refused(words, tmp_path):
    text_model("bert", tmp_path)
    keep_words(tmp_path, words)
    with pytest.raises(UserError, match=r"does not know \d+ of 11 common words"):
        TextEncoder(str(tmp_path))


def test_a_model_whose_embeddings_depend_on_the_batch_is_refused(tmp_path):
    size = {"vocab_size": len(VOCABULARY), "pad_token_id": 1, "hidden_size": 16}
    more = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    torch.manual_seed(0)
    model = tr.ConvBertModel(tr.ConvBertConfig(**size, **more, embedding_size=16))
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    with pytest.raises(UserError, match="depends on the texts beside it"):
        TextEncoder(str(tmp_path))


def test_a_model_without_room_for_long_texts_reads_what_it_can(tmp_path):
    """GPT-2 names its positions otherwise."""
    torch.manual_seed(0)
    size = {"vocab_size": len(VOCABULARY), "n_embd": 16, "n_layer": 2, "n_head": 2}
    ends = {"bos_token_id": 0, "eos_token_id": 3}
    tr.GPT2Model(tr.GPT2Config(**size, **ends, n_positions=40)).save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    encoder = TextEncoder(str(tmp_path))
    assert encoder.max_length == 40
    assert np.isfinite(encoder.encode(["mug " * 99])).all()


def test_a_text_without_tokens_is_refused_in_one_line(tmp_path):
    text_model("bert", tmp_path)
    edit(tmp_path / "tokenizer.json", post_processor=None)  # adds no special tokens
    (tmp_path / "modules.json").write_text(
        json.dumps([{"path": "", "type": "sentence_transformers.models.Transformer"}])
    )
    prompts = {"prompts": {"blank": " "}, "default_prompt_name": "blank"}
    (tmp_path / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    encoder = TextEncoder(str(tmp_path), "mean")
    assert encoder.encode(["a cup"]).shape == (1, 16)
    with pytest.raises(UserError, match="nothing to read in the text ''"):
        encoder.encode(["a cup", ""])


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_no_encoder(name):
    with pytest.raises(UserError, match="the name of a model is empty"):
        TextEncoder(name)
    with pytest.raises(UserError, match="the name of a model is empty"):
        load_table_encoder({"text_encoder": {"name": "x/y"}}, name=name)
