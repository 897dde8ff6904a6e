"""Loading models: what is believed of a folder, and what is refused."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_models import LETTERS, dual_encoder, keep_words, save_tokenizer, text_model

from msm4sr_lite.config import UserError
from msm4sr_lite.features.keyword_tokenizer import KeywordTokenizer
from msm4sr_lite.features.pretrained import (
    check_embeddings,
    encodes,
    find_pretrained,
    load_pretrained,
    longest_input,
)
from msm4sr_lite.features.text_encoder import TextEncoder
from msm4sr_lite.store.fingerprint import fingerprint_weights

BERT_LIKE = ("bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "albert", "electra")
BERT_LIKE += ("deberta-v2", "modernbert", "longformer", "big_bird")
TEXTS = ["a cup", "b", "mug " * 9, *("red " * n + "mug" for n in range(1, 6))]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A BERT and a CLIP."""
    root = tmp_path_factory.mktemp("models")
    text_model("bert", root / "bert")
    dual_encoder("clip", root / "clip")
    return root


@pytest.fixture
def changed(folders, tmp_path):
    """Return a function that copies a model and changes its weights."""

    def copy(family, change=lambda weights: weights):
        folder = shutil.copytree(folders / family, tmp_path / family)
        weights = change(load_file(folder / "model.safetensors"))
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
        return folder

    return copy


def refusal(make, *arguments):
    with pytest.raises(UserError) as caught:
        make(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def load(folder):
    return load_pretrained("AutoModel", str(folder), find_pretrained(str(folder))[1])


def clip(folder):
    return KeywordTokenizer(str(folder), ["red", "mug", "tent"])


@pytest.mark.thorough
@pytest.mark.parametrize("family", BERT_LIKE)
def test_embeddings_are_those_of_transformers(family, tmp_path):
    folder = text_model(family, tmp_path / family)
    found = TextEncoder(folder).encode(TEXTS)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text, row in zip(TEXTS, found, strict=True):
        tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length=38)
        with torch.inference_mode():
            expected = model(**tokens).last_hidden_state[0].mean(dim=0)
        np.testing.assert_allclose(row.astype(float), expected, atol=2e-3)
    assert len({row.tobytes() for row in found}) == len(TEXTS)


# ---------------------------------------------------------------------------- weights


def with_prefix(prefix):
    return lambda weights: {prefix + name: tensor for name, tensor in weights.items()}


def without(part):
    return lambda weights: {n: tensor for n, tensor in weights.items() if part not in n}


def with_layer(weights):
    copies = {n.replace("r.1.", "r.2."): t.clone() for n, t in weights.items() if "r.1." in n}
    return weights | copies


def with_part(part):
    """Weights that a class would have to use in each layer."""
    return lambda weights: weights | {f"encoder.layer.{n}.{part}": torch.ones(2) for n in (0, 1)}


BAD_WEIGHTS = [
    (
        "bert",  # relative positions, which transformers knows no longer
        with_part("attention.self.distance_embedding.weight"),
        r"layers with fewer parts, than the weights: encoder\.layer\.0\.attention\.self\.distance",
    ),
    ("bert", with_part("intermediate.gate.weight"), "fewer parts, .*gate"),
    ("bert", with_prefix("module."), "no weights for embeddings.* holds module.emb"),
    ("bert", without("encoder.layer.1."), r"no weights for encoder\.layer\.1\.attention"),
    ("bert", with_layer, r"config\.json has fewer layers, .*: encoder\.layer\.2"),
    ("bert", lambda w: with_prefix("bert.")(with_layer(w)), "fewer layers, .*: bert"),
    (
        "bert",
        lambda w: w | {"embeddings.word_embeddings.weight": torch.zeros(5, 16)},
        r"word_embeddings\.weight has the shape \(5, 16\), config\.json asks for \(84, 16\)",
    ),
    ("clip", with_prefix("module."), "no weights for .* holds module"),
    ("clip", without("text_model"), "no weights for text_model"),
    ("clip", without("visual_projection"), "no weights for visual_projection"),
]


@pytest.mark.parametrize(("family", "change", "message"), BAD_WEIGHTS)
def test_weights_that_are_not_in_the_files_are_refused(family, change, message, changed, capfd):
    folder = changed(family, change)
    capfd.readouterr()
    text = refusal(load, folder)
    assert text.startswith(f"{folder}: ")
    with pytest.raises(UserError, match=message):
        load(folder)
    assert capfd.readouterr() == ("", "")


def test_an_unused_pooler_may_be_missing_and_is_not_hashed(changed, folders, capfd):
    """Masked-language models have none, and transformers fills it with random numbers."""
    folder = changed("bert", lambda weights: with_prefix("bert.")(without("pooler")(weights)))
    capfd.readouterr()
    one, two = load(folder), load(folder)
    assert capfd.readouterr().err == ""
    assert not torch.equal(one.pooler.dense.weight, two.pooler.dense.weight)
    assert fingerprint_weights(one) == fingerprint_weights(two)
    whole = load(folders / "bert")
    assert fingerprint_weights(one) != fingerprint_weights(whole)
    with torch.no_grad():
        two.encoder.layer[0].output.dense.weight[0, 0] += 1
    assert fingerprint_weights(one) != fingerprint_weights(two)
    encoders = TextEncoder(str(folder)), TextEncoder(str(folders / "bert"))
    assert np.array_equal(*(encoder.encode(TEXTS) for encoder in encoders))


def test_a_scale_of_clip_may_be_missing(changed):
    assert clip(changed("clip", without("logit_scale"))).word_embeddings.isfinite().all()


def test_a_model_without_attention_mask_is_refused(tmp_path):
    folder = text_model("fnet", tmp_path / "fnet")
    assert "depends on the texts beside it" in refusal(TextEncoder, folder)


def test_damaged_weights_are_one_line(changed):
    folder = changed("bert")
    for content in (b"", b"\xff" * 99, (folder / "model.safetensors").read_bytes()[:-9]):
        (folder / "model.safetensors").write_bytes(content)
        message = refusal(load, folder)
        assert "not a model folder that transformers can load: model.safetensors is d" in message
        assert f"delete {folder.resolve() / 'model.safetensors'} and get it again" in message


def test_code_from_a_model_folder_never_runs(tiny_bert, tmp_path):
    folder = shutil.copytree(tiny_bert, tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "custom", "auto_map": {"AutoConfig": "custom.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "custom.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    assert "not a model folder that transformers can load" in refusal(TextEncoder, str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("kind", ["AutoModel", "AutoTokenizer", "AutoModelForMaskedLM"])
def test_a_model_that_is_made_for_its_own_code_is_refused(file, kind, changed):
    """Without the code, another class of the same type would be loaded: other embeddings."""
    path = changed("bert") / file
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"auto_map": {kind: "modeling_qwen.Qwen2Model"}}))
    message = refusal(TextEncoder, str(path.parent))
    assert f"made for code of its own ({file}: auto_map), which never runs here" in message
    path.write_text(json.dumps(known | {"auto_map": {"AutoConfig": "configuration_bert.Config"}}))
    assert len(TextEncoder(str(path.parent)).encode(TEXTS)) == len(TEXTS)


@pytest.mark.parametrize("kind", [torch.int8, torch.bool, torch.float8_e4m3fn])
def test_quantized_weights_are_refused(kind, changed):
    def quantize(weights):
        return {k: w.to(kind) if w.ndim == 2 else w for k, w in weights.items()}

    assert "is quantized (" in refusal(load, changed("bert", quantize))


def test_integers_that_are_no_weights_are_kept(changed, folders):
    numbers = {"embeddings.position_ids": torch.arange(40)[None]}  # as old versions saved them
    numbers["encoder.layer.0.attention.bias"] = torch.ones(1, 40, dtype=torch.bool)
    numbers["encoder.layer.0.rotary_emb.inv_freq"] = torch.ones(4)
    found, whole = load(changed("bert", lambda w: w | numbers)), load(folders / "bert")
    assert fingerprint_weights(found) == fingerprint_weights(whole)


@pytest.mark.parametrize("part", [None, "text_config"])
def test_a_quantized_model_is_refused_by_its_configuration(part, changed):
    folder = changed("clip")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    (config[part] if part else config)["quantization_config"] = {"quant_method": "nope"}
    path.write_text(json.dumps(config))
    assert "its weights are quantized (config.json); give the mod" in refusal(load, folder)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_real_types_are_read_as_float32(kind, changed, folders):
    whole = load(folders / "bert").state_dict()
    folder = changed("bert", lambda weights: {k: w.to(kind) for k, w in weights.items()})
    for key, found in load(folder).state_dict().items():
        torch.testing.assert_close(found, whole[key], atol=1e-3, rtol=0)


def test_half_of_an_encoder_and_decoder_is_not_called_incomplete(tmp_path):
    size = {"vocab_size": 84, "d_model": 16, "d_ff": 12, "num_layers": 1, "num_heads": 2}
    model = transformers.T5EncoderModel(transformers.T5Config(**size))
    model.save_pretrained(tmp_path)
    save_tokenizer(tmp_path)
    assert "of type 't5', not a BERT-like text encoder; give one like" in refusal(load, tmp_path)


def test_the_reason_of_transformers_is_told(changed):
    folder = changed("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": "16"}))
    assert "'hidden_size'" in (message := refusal(load, folder))
    assert "expected int, got str" in message


def test_the_messages_of_transformers_are_as_before(folders):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(30)
    logging.enable_progress_bar()
    try:
        load(folders / "bert")
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (30, True)
    finally:
        logging.set_verbosity(before[0])
        (logging.enable_progress_bar if before[1] else logging.disable_progress_bar)()


# ------------------------------------------------------------------------- tokenizers


@pytest.mark.parametrize(
    "words", [["[unused1]"], ["r", "##e", "##d"], list("的一是不了人我在有他这")]
)
def test_clip_with_a_tokenizer_that_knows_no_word_is_refused(words, changed):
    folder = changed("clip")
    keep_words(folder, words)
    dictionary = ["red", "blue", "mug", "tent", "box", "lid", "cup", "sky"]
    for many in (dictionary, dictionary[:1]):
        assert "share an embedding with others" in refusal(KeywordTokenizer, str(folder), many)


def test_clip_with_a_dictionary_in_a_language_that_it_does_not_know_is_refused(folders):
    foreign = ["красный", "синий", "палатка", "кружка", "собака"]
    message = refusal(KeywordTokenizer, str(folders / "clip"), [*foreign, "a", "b"])
    assert "keywords of the dictionary share an embedding with others" in message
    assert "; the model is damaged, does not know the language, or the prompt" in message
    alike = ["café", "cafe", "Cafe", "CAFÉ", "mug", "tent"]
    assert KeywordTokenizer(str(folders / "clip"), alike).dictionary == alike


def test_clip_with_dead_token_embeddings_is_refused(changed):
    table = "text_model.embeddings.token_embedding.weight"
    folder = changed("clip", lambda weights: weights | {table: 0 * weights[table]})
    assert "share an embedding with others" in refusal(clip, folder)


def test_special_tokens_are_text_in_a_dictionary(folders):
    words = ["</s>", "</s> blue", "<s> mug", "red"]
    found = KeywordTokenizer(str(folders / "clip"), words).word_embeddings
    assert len(found.unique(dim=0)) == 4
    for empty in ("", "  "):
        message = refusal(KeywordTokenizer, str(folders / "clip"), ["red", empty])
        assert message == "the keyword dictionary has an empty word; remove it"


@pytest.mark.parametrize("role", ["mask_token", "pad_token"])
def test_special_tokens_that_the_model_lacks_are_never_used(role, folders, changed):
    folder = changed("bert")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({role: "[NEW]"})
    tokenizer.save_pretrained(folder)
    found, plain = (TextEncoder(str(f)).encode(TEXTS) for f in (folder, folders / "bert"))
    np.testing.assert_allclose(found.astype(float), plain, atol=1e-3)
    assert len(TextEncoder(str(folder)).encode(["a [NEW] mug"])) == 1


@pytest.mark.parametrize("longest", [-1, 0, 1, 2, None, 2.5, float("nan"), 1e30])
def test_an_impossible_longest_input_of_a_tokenizer_is_ignored(longest, changed):
    folder = changed("clip")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": longest}))
    if longest == 2.5:  # no room for a word and two special tokens
        assert "share an embedding" in refusal(clip, folder)
    else:
        assert clip(folder).options["max_length"] == 48


def test_a_processor_that_makes_huge_images_is_refused(changed):
    folder = changed("clip")
    path = next(folder.glob("*processor_config.json"))
    known = json.loads(path.read_text())
    for part in ({"size": {"shortest_edge": 10**6}}, {"crop_size": {"height": 5000, "width": 16}}):
        path.write_text(json.dumps(known | part))
        assert re.search(r"asks for the size \d+; the largest is 4096", refusal(clip, folder))
    path.write_text(json.dumps(known | {"size": {"shortest_edge": "wide"}}))
    assert refusal(clip, folder)
    path.unlink()
    assert "no preprocessor_config.json; get the whole model again" in refusal(clip, folder)


@pytest.mark.parametrize(("family", "make"), [("bert", TextEncoder), ("clip", clip)])
def test_a_folder_without_tokenizer_is_refused(family, make, changed):
    folder = changed(family)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    message = refusal(make, str(folder))
    assert "no vocabulary (vocab." in message
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    assert "no vocabulary" in refusal(make, str(folder))


@pytest.mark.parametrize("family", ["modernbert", "deberta-v2", "albert", "xlm-roberta"])
def test_no_family_gets_an_empty_tokenizer(family, tmp_path):
    text_model(family, tmp_path)
    for path in tmp_path.glob("tokenizer*"):
        path.unlink()
    assert "no vocabulary (" in refusal(TextEncoder, str(tmp_path))


@pytest.mark.parametrize(("family", "make"), [("roberta", TextEncoder), ("clip", clip)])
def test_half_a_vocabulary_is_refused(family, make, tmp_path):
    """These tokenizers need two files; without merges they would read single letters."""
    folder = tmp_path / family
    (text_model if family == "roberta" else dual_encoder)(family, folder)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    ends = ["<s>", "<pad>", "<|startoftext|>", "<|endoftext|>", "</s>", "<unk>"]
    words = [
        *ends,
        *LETTERS[:26],
        *(f"{letter}</w>" for letter in LETTERS[:26]),
        "mu",
        "mug",
        "mug</w>",
    ]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}))
    message = refusal(make, str(folder))
    assert "no vocabulary (merges.txt" in message or "`vocab` and `merges`" in message
    (folder / "merges.txt").write_text("#version: 0.2\nm u\nmu g\nmu g</w>\n")
    assert len(make(str(folder)).tokenizer.tokenize("mug")) == 1


@pytest.mark.parametrize("family", ["bert", "clip"])
def test_a_tokenizer_larger_than_the_model_is_refused(family, changed):
    folder = changed(family)
    config = json.loads((folder / "config.json").read_text())
    part = config.get("text_config", config)
    part["vocab_size"] = 50
    (folder / "config.json").write_text(json.dumps(config))
    table = "embeddings.word_embeddings.weight"
    table = table if family == "bert" else "text_model.embeddings.token_embedding.weight"
    weights = load_file(folder / "model.safetensors")
    weights[table] = weights[table][:50].clone()
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    make = TextEncoder if family == "bert" else clip
    assert "has token 83, the model only 50 tokens from 0" in refusal(make, str(folder))


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_tokenizer_without_padding_pads_with_another_token(side, changed):
    folder = changed("bert")
    plain = TextEncoder(str(folder)).encode(TEXTS)
    save_tokenizer(folder, pad=None, padding_side=side)
    encoder = TextEncoder(str(folder))
    assert encoder.tokenizer.pad_token == "</s>"
    np.testing.assert_allclose(encoder.encode(TEXTS).astype(float), plain, atol=1e-3)


def test_clip_without_padding_pads_with_its_end(changed):
    folder = changed("clip")  # which pads with its end already
    expected = clip(folder)
    save_tokenizer(folder, pad=None)
    found = clip(folder)
    torch.testing.assert_close(found.word_embeddings, expected.word_embeddings)
    assert found.options == expected.options


def test_the_longest_input_is_that_of_any_table_of_positions():
    size = {"vocab_size": 84, "hidden_size": 16, "num_hidden_layers": 1, "pad_token_id": 1}
    gpt = {"vocab_size": 84, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 40}
    opt = {**size, "num_attention_heads": 2, "ffn_dim": 12, "word_embed_proj_dim": 16}
    canine = {"num_hash_buckets": 10, "num_hash_functions": 2, "num_attention_heads": 2}
    opt |= {"max_position_embeddings": 40, "bos_token_id": 0, "eos_token_id": 3}
    tokenizer = SimpleNamespace(model_max_length=300, num_special_tokens_to_add=lambda: 2)
    for model, longest in (
        (transformers.GPT2Model(transformers.GPT2Config(**gpt)), 40),
        (transformers.OPTModel(transformers.OPTConfig(**opt)), 40),
        (transformers.CanineModel(transformers.CanineConfig(**size, **canine)), 300),
    ):
        assert longest_input(model, tokenizer) == longest


# ---------------------------------------------------------------------------- a probe


def test_embeddings_must_be_finite_and_differ(changed):
    check_embeddings("any", torch.eye(3))
    check_embeddings("any", np.ones((1, 3), dtype=np.float16))
    for wrong in (float("nan"), float("inf"), 7e4):
        assert "not finite in float16" in refusal(check_embeddings, "m", torch.tensor([[wrong]]))
    assert "m: 4 of 4 texts share an embed" in refusal(check_embeddings, "m", np.ones((4, 3)))
    rows = torch.eye(12)
    rows[1], rows[2] = rows[0], rows[0] + 1e-6  # float noise is no difference
    check_embeddings("any", rows)
    rows[3] = rows[0]
    assert "m: 4 of 12 words share" in refusal(check_embeddings, "m", rows, "words")
    many = torch.cat([torch.ones(1000, 3), torch.randn(2000, 3)])
    assert "share an embedding" in refusal(check_embeddings, "m", many)
    folder = changed("clip", lambda w: w | {"visual_projection.weight": torch.zeros(8, 16)})
    assert "images" in refusal(clip, folder)
    shutil.rmtree(folder)
    folder = changed(
        "clip", lambda w: w | {"text_projection.weight": torch.full((8, 16), torch.nan)}
    )
    assert "embeddings of keywords of the dictionary are not finite" in refusal(clip, folder)


@pytest.mark.parametrize("error", [MemoryError(), OSError("gone\nfar"), AssertionError("x")])
def test_a_first_computation_fails_in_one_line(error):
    def compute():
        with encodes("m", "does not encode"):
            raise error

    assert (
        refusal(compute)
        == f"m: does not encode: {str(error).partition(chr(10))[0] or 'MemoryError'}"
    )
    with pytest.raises(UserError, match="own line"), encodes("m", "does not encode"):
        raise UserError("own line")
