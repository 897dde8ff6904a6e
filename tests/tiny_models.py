"""Small models with random weights, of several families, in ordinary model folders."""

import json
import string
from pathlib import Path

import torch
import transformers as tr
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SMALL = {"hidden_size": 16, "intermediate_size": 12, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 2}
LETTERS = list(string.ascii_lowercase + string.digits + ".,|:")
VOCABULARY = ["<s>", "<pad>", "<unk>", "</s>", *LETTERS, *(f"##{c}" for c in LETTERS)]


def save_tokenizer(folder, pad="<pad>", start=True, kind="PreTrainedTokenizerFast", **options):
    """A tokenizer of single letters, with an end token and perhaps a start token."""
    vocabulary = {token: number for number, token in enumerate(VOCABULARY)}
    letters = Tokenizer(models.WordPiece(vocabulary, unk_token="<unk>"))
    letters.normalizer = normalizers.Lowercase()
    letters.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>" if start else "$A </s>",
        special_tokens=[("<s>", 0), ("</s>", 3)],
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": pad}
    tr.PreTrainedTokenizerFast(tokenizer_object=letters, **special, **options).save_pretrained(
        folder
    )
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "tokenizer_class": kind}))


def keep_words(folder, words):
    """Leave only these words in the vocabulary of a tokenizer."""
    path = Path(folder) / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    known = ["<s>", "<pad>", "<unk>", "</s>", *words]
    tokenizer["model"]["vocab"] = {word: number for number, word in enumerate(known)}
    path.write_text(json.dumps(tokenizer))


def text_model(family, folder):
    """A BERT-like model of a family."""
    torch.manual_seed(0)
    size = {
        **SMALL,
        "vocab_size": len(VOCABULARY),
        "pad_token_id": 1,
        "max_position_embeddings": 40,
    }
    model = {
        "bert": lambda: tr.BertModel(tr.BertConfig(**size)),
        "roberta": lambda: tr.RobertaModel(tr.RobertaConfig(**size)),
        "mpnet": lambda: tr.MPNetModel(tr.MPNetConfig(**size)),
        "distilbert": lambda: tr.DistilBertModel(
            tr.DistilBertConfig(
                vocab_size=len(VOCABULARY),
                pad_token_id=1,
                max_position_embeddings=40,
                dim=16,
                hidden_dim=12,
                n_layers=2,
                n_heads=2,
            )
        ),
        "albert": lambda: tr.AlbertModel(tr.AlbertConfig(**size, embedding_size=8)),
        "xlm-roberta": lambda: tr.XLMRobertaModel(tr.XLMRobertaConfig(**size)),
        "electra": lambda: tr.ElectraModel(tr.ElectraConfig(**size, embedding_size=8)),
        "deberta-v2": lambda: tr.DebertaV2Model(tr.DebertaV2Config(**size)),
        "longformer": lambda: tr.LongformerModel(tr.LongformerConfig(**size, attention_window=4)),
        "big_bird": lambda: tr.BigBirdModel(
            tr.BigBirdConfig(**size, attention_type="original_full")
        ),
        "modernbert": lambda: tr.ModernBertModel(
            tr.ModernBertConfig(
                **size, bos_token_id=0, eos_token_id=3, cls_token_id=0, sep_token_id=3
            )
        ),
        "fnet": lambda: tr.FNetModel(
            tr.FNetConfig(vocab_size=len(VOCABULARY), hidden_size=16, intermediate_size=12)
        ),
        "t5": lambda: tr.T5Model(
            tr.T5Config(vocab_size=len(VOCABULARY), d_model=16, d_ff=12, num_layers=1, num_heads=2)
        ),
    }[family]()
    model.eval().save_pretrained(folder)
    save_tokenizer(folder)
    return str(folder)


# CLIP-like families with CLIP's image processor: class of the model, of its configuration, and what
# the configuration of the images has in addition.
LIKE_CLIP = {
    "clip": ("CLIPModel", "CLIPConfig", {}),
    "altclip": ("AltCLIPModel", "AltCLIPConfig", {}),
    "chinese_clip": ("ChineseCLIPModel", "ChineseCLIPConfig", {}),
    "clipseg": ("CLIPSegModel", "CLIPSegConfig", {}),
    "metaclip_2": ("MetaClip2Model", "MetaClip2Config", {}),
    "aimv2": ("Aimv2Model", "Aimv2Config", {}),
    "groupvit": (
        "GroupViTModel",
        "GroupViTConfig",
        {"depths": [1, 1], "num_group_tokens": [4, 2], "num_output_groups": [4, 2]},
    ),
    "align": (
        "AlignModel",
        "AlignConfig",
        {"kernel_sizes": [3], "in_channels": [8], "out_channels": [8], "strides": [1]}
        | {"num_block_repeats": [1], "expand_ratios": [1], "hidden_dim": 8}
        | {"width_coefficient": 0.1, "depth_coefficient": 0.1},
    ),
}


def dual_encoder(family, folder):
    """A CLIP-like model of a family with its tokenizer and image processor."""
    torch.manual_seed(0)
    text = {**SMALL, "vocab_size": len(VOCABULARY), "max_position_embeddings": 48}
    text |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 3}
    view = {**SMALL, "image_size": 16, "patch_size": 4}
    pixels = {"size": {"height": 16, "width": 16}}
    if family in LIKE_CLIP:
        model, config, more = LIKE_CLIP[family]
        text |= {"project_dim": 8} if family == "altclip" else {}
        sizes = {"projection_dim": 8, "projection_intermediate_dim": 8}
        sizes = sizes if family == "groupvit" else {"projection_dim": 8}
        config = getattr(tr, config)(text_config=text, vision_config={**view, **more}, **sizes)
        getattr(tr, model)(config).save_pretrained(folder)
        save_tokenizer(folder, pad="<pad>" if family in ("altclip", "align") else "</s>")
        tr.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=16).save_pretrained(folder)
    elif family == "flava":
        config = {"text_config": text, "image_config": view, "multimodal_config": SMALL}
        config = tr.FlavaConfig(**config, hidden_size=16, projection_dim=8)
        tr.FlavaModel(config).save_pretrained(folder)
        save_tokenizer(folder)
        tr.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=16).save_pretrained(folder)
    elif family == "siglip":
        config = tr.SiglipConfig(text_config=text, vision_config=view)
        tr.SiglipModel(config).save_pretrained(folder)
        save_tokenizer(folder, pad="</s>", start=False, kind="SiglipTokenizer", model_max_length=48)
        tr.SiglipImageProcessorPil(**pixels).save_pretrained(folder)
    elif family == "siglip2":
        config = tr.Siglip2Config(
            text_config=text, vision_config={**SMALL, "patch_size": 4, "num_patches": 16}
        )
        tr.Siglip2Model(config).save_pretrained(folder)
        save_tokenizer(folder, start=False)
        tr.Siglip2ImageProcessorPil(patch_size=4, max_num_patches=16).save_pretrained(folder)
    else:
        config = tr.VisionTextDualEncoderConfig.from_vision_text_configs(
            tr.ViTConfig(**view), tr.BertConfig(**text), projection_dim=8
        )
        tr.VisionTextDualEncoderModel(config).save_pretrained(folder)
        save_tokenizer(folder)
        tr.ViTImageProcessorPil(**pixels).save_pretrained(folder)
    return str(folder)
