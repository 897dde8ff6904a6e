"""Sentence-transformers folders are followed completely, or refused by name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_models import save_tokenizer, text_model

from msm4sr_lite.config import UserError
from msm4sr_lite.features.text_encoder import TextEncoder, load_table_encoder
from msm4sr_lite.store.fingerprint import require_same

TEXTS = ["a cup", "b", "Red MUG, a long long sentence about cups", "two tents"]
CLASS = "sentence_transformers.models."
FORWARD = {"method": "forward", "method_output_name": "last_hidden_state"}
NO_MEAN = {"pooling_mode_mean_tokens": False, "include_prompt": True}
POOLING = {"word_embedding_dimension": 20, "pooling_mode_mean_tokens": True}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def dense(n_in, n_out, seed=0, bias=True, **config):
    """The files of a module Dense."""
    draw = torch.Generator().manual_seed(seed)
    weights = {"linear.weight": torch.randn(n_out, n_in, generator=draw)}
    if bias:
        weights["linear.bias"] = torch.randn(n_out, generator=draw)
    return {"in_features": n_in, "out_features": n_out, "bias": bias, **config}, weights


def sentence_model(source, folder, *modules, texts=None, prompts=None, path=""):
    """A model folder with these modules after the Transformer: (class, config, weights)."""
    shutil.copytree(source, folder / path)
    listed = [{"idx": 0, "name": "0", "path": path, "type": f"{CLASS}Transformer"}]
    for number, (kind, *files) in enumerate(modules, start=1):
        # Older versions name a class by its module, newer ones by a longer path.
        package = CLASS if number % 2 else "sentence_transformers.base.modules.x."
        place = f"{number}_{kind}"
        listed.append({"idx": number, "name": place, "path": place, "type": package + kind})
        if files:
            write(folder / place / "config.json", files[0])
        if files[1:]:
            save_file(files[1], folder / place / "model.safetensors")
    write(folder / "modules.json", listed)
    if texts is not None:
        write(folder / path / "sentence_bert_config.json", texts)
    if prompts is not None:
        write(folder / "config_sentence_transformers.json", prompts)
    return str(folder)


def expected(encoder, texts, kinds=("mean",), layers=(), first=0, longest=512):
    """Pool the tokens of one text after the other; ``first`` tokens are left out."""
    rows = []
    for text in texts:
        cut = {"truncation": True, "max_length": longest}
        tokens = encoder.tokenizer(text, return_tensors="pt", **cut)
        states = encoder.model(**tokens).last_hidden_state[0].detach().double()
        rank = torch.arange(1, len(states) + 1).double()[first:, None]
        states = states[first:]
        pooled = {
            "mean": states.mean(dim=0),
            "cls": states[0],
            "max": states.max(dim=0).values,
            "lasttoken": states[-1],
            "mean_sqrt_len_tokens": states.sum(dim=0) / len(states) ** 0.5,
            "weightedmean": (states * rank).sum(dim=0) / rank.sum(),
        }
        row = torch.cat([pooled[kind] for kind in kinds])
        for layer in layers:
            row = layer(row)
        rows.append(row)
    return torch.stack(rows).numpy()


def same(encoder, texts, **options):
    found, wanted = encoder.encode(texts), expected(encoder, texts, **options)
    assert encoder.width == wanted.shape[1]
    np.testing.assert_allclose(found, wanted, atol=4e-3)


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ({"pooling_mode_mean_tokens": True}, ["mean"]),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, ["cls"]),
        ({"pooling_mode": "max"}, ["max"]),
        ({"pooling_mode": "lasttoken", "embedding_dimension": 20}, ["lasttoken"]),
        ({"pooling_mode_mean_sqrt_len_tokens": True, **NO_MEAN}, ["mean_sqrt_len_tokens"]),
        ({"pooling_mode_weightedmean_tokens": True, **NO_MEAN}, ["weightedmean"]),
        ({"pooling_mode_max_tokens": True}, ["max", "mean"]),  # the mean is taken unless it is off
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}, ["cls", "mean"]),
        ({"pooling_mode": ["mean", "max", "lasttoken"]}, ["mean", "max", "lasttoken"]),
        ({"pooling_mode_mean_tokens": False}, ["mean"]),
    ],
)
def test_every_pooling_is_followed(config, kinds, tiny_bert, tmp_path):
    encoder = TextEncoder(sentence_model(tiny_bert, tmp_path / "st", ("Pooling", config)))
    assert encoder.pooling == " and ".join(kinds)
    same(encoder, TEXTS, kinds=kinds)


@pytest.mark.parametrize("kind", ["cls", "lasttoken", "weightedmean", "max", "mean"])
def test_padding_on_the_left_changes_nothing(kind, tmp_path):
    text_model("bert", tmp_path / "bert")
    save_tokenizer(tmp_path / "bert", padding_side="left")
    model = sentence_model(tmp_path / "bert", tmp_path / "st", ("Pooling", {"pooling_mode": kind}))
    encoder = TextEncoder(model)
    pooled = encoder._texts.pool(
        torch.tensor([[[9.0], [1.0], [2.0]]]), torch.tensor([[0, 1, 1]]), 0
    )
    right = {"cls": 1, "lasttoken": 2, "weightedmean": 5 / 3, "max": 2, "mean": 1.5}
    assert pooled.item() == pytest.approx(right[kind])


def test_dense_layers_are_followed_one_after_the_other(tiny_bert, tmp_path):
    first = dense(20, 6, 1, activation_function="torch.nn.modules.activation.Tanh")
    second = dense(6, 9, 2, bias=False, activation_function="torch.nn.modules.linear.Identity")
    second[0].update(module_input_name="sentence_embedding", use_residual=False)
    model = sentence_model(
        tiny_bert,
        tmp_path / "st",
        ("Pooling", POOLING),
        ("Dense", *first),
        ("Dropout", {"dropout": 0.5}),
        ("Dense", *second),
        ("Normalize",),
    )
    encoder = TextEncoder(model)
    assert (encoder.width, encoder.pooling) == (
        9,
        "mean + Linear + Tanh + Linear + Identity + Normalize",
    )

    def layers(pooled):
        hidden = torch.tanh(first[1]["linear.weight"].double() @ pooled + first[1]["linear.bias"])
        last = second[1]["linear.weight"].double() @ hidden
        return last / last.norm()

    same(encoder, TEXTS, layers=[layers])
    # Another pooling replaces all of this.
    plain = TextEncoder(model, "cls")
    assert (plain.width, plain.pooling) == (20, "cls")
    same(plain, TEXTS, kinds=["cls"])


def test_modules_decide_not_folder_names(tiny_bert, tmp_path):
    """The Transformer may have a folder of its own, and the pooling any."""
    model = Path(
        sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING), path="0_Transformer")
    )
    listed = json.loads((model / "modules.json").read_text())
    listed[1]["path"] = "2_Pooling"
    write(model / "modules.json", listed)
    write(model / "2_Pooling" / "config.json", {"pooling_mode": "cls"})
    encoder = TextEncoder(str(model))
    assert encoder.pooling == "cls"
    same(encoder, TEXTS, kinds=["cls"])
    assert encoder.describe()["name"] == "st"


@pytest.mark.parametrize(
    ("config", "first", "reading"),
    [
        ({}, 0, "passage: {}"),
        ({"include_prompt": True}, 0, "passage: {}"),
        ({"include_prompt": False}, 9, "passage: {}, prompt not pooled"),  # start, 7 letters, colon
    ],
)
def test_the_default_prompt_comes_before_every_text(config, first, reading, tmp_path):
    text_model("bert", tmp_path / "bert")
    prompts = {"prompts": {"query": "", "document": "passage: "}, "default_prompt_name": "document"}
    model = sentence_model(
        tmp_path / "bert", tmp_path / "st", ("Pooling", {**config, **POOLING}), prompts=prompts
    )
    encoder = TextEncoder(model)
    assert encoder.describe()["prompt"] == f"{reading}, at most 40 tokens"
    same_texts = [f"passage: {text}" for text in TEXTS]
    found = encoder.encode(TEXTS)
    wanted = expected(encoder, same_texts, first=first, longest=encoder.max_length)
    np.testing.assert_allclose(found, wanted, atol=4e-3)
    again = load_table_encoder({"text_encoder": encoder.describe()}, name=model)
    assert np.array_equal(again.encode(TEXTS), found)
    first_token = TextEncoder(model, "cls")  # still reads the prompt, but the first token is pooled
    assert first_token.describe()["prompt"] == encoder.describe()["prompt"]
    wanted = expected(encoder, same_texts, kinds=["cls"], longest=encoder.max_length)
    np.testing.assert_allclose(first_token.encode(TEXTS), wanted, atol=4e-3)


def test_a_prompt_that_is_not_the_default_is_not_used(tiny_bert, tmp_path):
    for name, prompts in (
        ("null", {"prompts": {"query": "query: "}, "default_prompt_name": None}),
        ("old", {"__version__": {"sentence_transformers": "2.0.0"}}),
        ("empty", {"prompts": {"query": None}, "default_prompt_name": "query"}),
    ):
        model = sentence_model(tiny_bert, tmp_path / name, ("Pooling", POOLING), prompts=prompts)
        same(TextEncoder(model), TEXTS)


def test_length_and_lower_case_are_those_of_the_folder(tmp_path):
    text_model("bert", tmp_path / "bert")
    save_tokenizer(tmp_path / "bert", model_max_length=9)
    tokenizer = json.loads((tmp_path / "bert" / "tokenizer.json").read_text())
    write(tmp_path / "bert" / "tokenizer.json", {**tokenizer, "normalizer": None})  # cased
    texts = {"max_seq_length": 12, "do_lower_case": True}
    model = sentence_model(tmp_path / "bert", tmp_path / "st", ("Pooling", POOLING), texts=texts)
    encoder = TextEncoder(model)
    assert encoder.max_length == 12
    assert encoder.describe()["prompt"] == "{}, lower case, at most 12 tokens"
    lowered = [text.lower() for text in TEXTS]
    wanted = expected(encoder, lowered, longest=12)
    np.testing.assert_allclose(encoder.encode(TEXTS), wanted, atol=4e-3)
    limits = {  # of the folder, of the tokenizer -> longest input; there are 40 positions
        (None, 9): 9,
        (None, None): 40,
        (64, 9): 40,
        (3, None): 3,
    }
    for (given, known), longest in limits.items():
        folder = tmp_path / f"{given}-{known}"
        text_model("bert", tmp_path / "plain")
        save_tokenizer(tmp_path / "plain", **({"model_max_length": known} if known else {}))
        texts = {"max_seq_length": given, "transformer_task": "feature-extraction"}
        sentence_model(tmp_path / "plain", folder, ("Pooling", POOLING), texts=texts)
        assert TextEncoder(str(folder)).max_length == longest


def test_whatever_changes_the_embeddings_changes_the_description(tiny_bert, tmp_path):
    def describe(name, *modules, **options):
        model = sentence_model(
            tiny_bert, tmp_path / name, ("Pooling", POOLING), *modules, **options
        )
        return {k: v for k, v in TextEncoder(model).describe().items() if k != "name"}

    default = {"default_prompt_name": "a"}
    found = [
        describe("plain"),
        describe("normalize", ("Normalize",)),
        describe("dense", ("Dense", *dense(20, 4))),
        describe("weights", ("Dense", *dense(20, 4, seed=1))),
        describe("gelu", ("Dense", *dense(20, 4, activation_function="torch.nn.GELU"))),
        describe("prompt", prompts={"prompts": {"a": "query: "}, **default}),
        describe("other prompt", prompts={"prompts": {"a": "passage: "}, **default}),
        describe("length", texts={"max_seq_length": 100}),
        describe("lower", texts={"do_lower_case": True}),
    ]
    for number, one in enumerate(found):
        for other in found[:number]:
            assert one != other
            assert one["identity"] != other["identity"]
    with pytest.raises(UserError, match="in weights"):
        require_same("differ", found[2], found[3], "")
    with pytest.raises(UserError, match="in prompt"):
        require_same("differ", found[5], found[6], "")
    plain = TextEncoder(tiny_bert).describe()
    assert {k: v for k, v in plain.items() if k != "name"} == found[0]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            {"type": "sentence_transformers.models.WordEmbeddings"},
            "WordEmbeddings, not Transformer",
        ),
        ({"type": "sentence_transformers.models.CLIPModel"}, "begins with CLIPModel"),
        ({"type": "sentence_transformers.models.Router"}, "begins with Router"),
        ({"type": "custom_st.Transformer"}, "begins with custom_st.Transformer"),
        ({"type": 3}, "begins with 3"),
    ],
)
def test_a_folder_that_begins_with_another_module_is_refused(
    break_it, message, tiny_bert, tmp_path
):
    model = Path(sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING)))
    listed = json.loads((model / "modules.json").read_text())
    write(model / "modules.json", [listed[0] | break_it, *listed[1:]])
    for pooling in ("auto", "mean"):
        with pytest.raises(UserError, match=message) as refusal:
            TextEncoder(str(model), pooling)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], "no Pooling after the Transformer"),
        ([("Normalize",)], "no Pooling after the Transformer"),
        ([("Pooling", POOLING), ("LSTM", {})], "2_LSTM: a module LSTM is not known here"),
        ([("Pooling", POOLING), ("Pooling", POOLING)], "a module Pooling is not known here"),
        ([("Pooling", {"pooling_mode": "attention"})], "pooling_mode"),
        ([("Pooling", {"pooling_mode": []})], "pooling_mode"),
        ([("Pooling", {**POOLING, "pooling_mode_new_tokens": True})], "Extra inputs"),
        ([("Pooling", "{")], "1_Pooling/config.json: cannot be read"),
        ([("Pooling",)], "1_Pooling/config.json: no such file"),
        ([("Pooling", POOLING), ("Dense", *dense(7, 4))], "cannot be multiplied"),
        ([("Pooling", POOLING), ("Dense", dense(20, 4)[0])], "2_Dense: no model.safetensors"),
        (
            [("Pooling", POOLING), ("Dense", dense(20, 4)[0], dense(20, 5)[1])],
            r"size mismatch for linear\.weight",
        ),
        ([("Pooling", POOLING), ("Dense", *dense(20, 4, use_residual=True))], "use_residual"),
        ([("Pooling", POOLING), ("Dense", *dense(20, 4, module_input_name="x"))], "module_input"),
        (
            [("Pooling", POOLING), ("Dense", *dense(20, 4, activation_function="os.system"))],
            "'os.system' is not known",
        ),
        (
            [
                ("Pooling", POOLING),
                ("Dense", *dense(20, 4, activation_function="torch.nn.Bilinear")),
            ],
            "Bilinear' is not known",
        ),
        (
            [
                ("Pooling", POOLING),
                ("Dense", dense(20, 4)[0], {k: v * np.inf for k, v in dense(20, 4)[1].items()}),
            ],
            "a weight is not finite",
        ),
    ],
)
def test_what_is_not_known_after_the_transformer_is_refused_by_name(
    modules, message, tiny_bert, tmp_path
):
    model = sentence_model(tiny_bert, tmp_path / "st", *modules)
    with pytest.raises(UserError, match=message) as refusal:
        TextEncoder(model)
    assert "\n" not in str(refusal.value)
    assert TextEncoder(model, "mean").pooling == "mean"  # which does not need it


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"texts": {"max_seq_length": "long"}}, "max_seq_length"),
        ({"texts": {"transformer_task": "fill-mask"}}, "transformer_task"),
        ({"texts": {"tokenizer_args": {"use_fast": False}}}, "tokenizer_args"),
        ({"texts": "["}, "sentence_bert_config.json: cannot be read"),
        ({"prompts": {"prompts": {}, "default_prompt_name": "a"}}, "'a' is not in prompts"),
        ({"prompts": {"prompts": {"a": 3}, "default_prompt_name": "a"}}, "prompts.a"),
        (
            {"prompts": {"prompts": {"a": "too long " * 99}, "default_prompt_name": "a"}},
            "11 of 11 texts share an embedding",
        ),
        ({"texts": {"max_seq_length": 0}}, "max_seq_length"),
        ({"texts": {"max_seq_length": 1}}, "max_seq_length"),
        ({"texts": {"max_seq_length": 2}}, "reads 2 tokens only"),
        ({"texts": {"add_noise": True}}, "add_noise"),
        (
            {"texts": {"modality_config": {"text": {**FORWARD, "method_output_name": ["x", 1]}}}},
            "modality_config.text.method_output_name",
        ),
        ({"prompts": {"truncate_dim": 8}}, "truncate_dim"),
        ({"prompts": {"suffix": " end"}}, "suffix"),
    ],
)
def test_texts_are_prepared_as_told_or_the_folder_is_refused(files, message, tiny_bert, tmp_path):
    model = sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING), **files)
    for pooling in ("auto", "mean"):
        with pytest.raises(UserError, match=message) as refusal:
            TextEncoder(model, pooling)
        assert "\n" not in str(refusal.value)


def test_harmless_arguments_of_the_transformer_are_accepted(tiny_bert, tmp_path):
    texts = {"model_args": {"trust_remote_code": True}, "config_args": {}, "unpad_inputs": None}
    texts |= {"modality_config": {"text": FORWARD}, "module_output_name": "token_embeddings"}
    model = sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING), texts=texts)
    same(TextEncoder(model), TEXTS)


def test_a_folder_that_was_downloaded_in_parts_is_refused(tiny_bert, tmp_path):
    model = Path(
        sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING), ("Dense", *dense(20, 4)))
    )
    (model / "modules.json").unlink()
    with pytest.raises(UserError, match=r"modules\.json: missing, although there is 2_Dense"):
        TextEncoder(str(model))


@pytest.mark.parametrize("pooling", ["auto", "cls", "mean"])
def test_the_encoder_of_a_table_is_loaded_as_the_table_was_made(pooling, tiny_bert, tmp_path):
    modules = ("Pooling", POOLING), ("Dense", *dense(20, 4)), ("Normalize",)
    model = sentence_model(tiny_bert, tmp_path / "st", *modules)
    encoder = TextEncoder(model, pooling)
    again = load_table_encoder({"text_encoder": encoder.describe()}, name=model)
    assert np.array_equal(encoder.encode(TEXTS), again.encode(TEXTS))


def test_weights_that_may_run_code_are_to_be_converted(tiny_bert, tmp_path):
    model = sentence_model(
        tiny_bert, tmp_path / "st", ("Pooling", POOLING), ("Dense", *dense(20, 4))
    )
    weights = Path(model, "2_Dense", "model.safetensors")
    weights.rename(weights.with_name("pytorch_model.bin"))
    with pytest.raises(
        UserError, match=r"2_Dense: no model\.safetensors; convert pytorch_model\.bin"
    ):
        TextEncoder(model)


@pytest.mark.parametrize("path", ["../other/1_Pooling", "/other/1_Pooling"])
def test_a_module_outside_of_the_folder_is_refused(path, tiny_bert, tmp_path):
    model = Path(sentence_model(tiny_bert, tmp_path / "st", ("Pooling", POOLING)))
    listed = json.loads((model / "modules.json").read_text())
    write(model / "modules.json", [listed[0], listed[1] | {"path": path}])
    with pytest.raises(UserError, match="is outside the model's folder"):
        TextEncoder(str(model))
