"""Build the untrained model: a tokenizer, a small image encoder, a one-layer text encoder."""

import json
from collections.abc import Sequence
from typing import Any

import transformers
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import nn

from msm4sr_lite.features.clip.objective import TEMPLATES
from msm4sr_lite.features.dictionary import word_list

TOKENS = 32  # longest caption
VOCABULARY = 1500  # maximum number of tokens, 512 of them single bytes
WIDTH = 64  # of the embedding space that images and texts share


def make_tokenizer(words: Sequence[str]) -> transformers.CLIPTokenizer:
    """Train a CLIP tokenizer on the label words: byte-level BPE, which can encode any text.

    Frequent words become single tokens. The tokens are in CLIP's order: bytes, bytes that end a
    word, merges, start, end of text.
    """
    corpus = word_list("visual_words") + 20 * [*words, *(t.format("") for t in TEMPLATES)]
    blank = transformers.CLIPTokenizer()
    start, end = blank.bos_token, blank.eos_token
    letters = sorted(ByteLevel.alphabet())
    letters += [f"{letter}</w>" for letter in letters]
    # As "special" tokens the letters get fixed numbers. Otherwise the trainer would number letters
    # that end a word in the order of a hash table, and ties between merges would differ by run.
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        show_progress=False,
        special_tokens=[start, end, *letters],
        end_of_word_suffix="</w>",
    )
    backend = blank.backend_tokenizer
    backend.train_from_iterator(corpus, trainer)
    merges: list[Any] = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    tokens = [*letters, *(a + b for a, b in merges)]
    numbered = {token: k for k, token in enumerate(dict.fromkeys([*tokens, start, end]))}
    return transformers.CLIPTokenizer(vocab=numbered, merges=merges, model_max_length=TOKENS)


def build_model(
    tokenizer: transformers.CLIPTokenizer, width: float
) -> transformers.VisionTextDualEncoderModel:
    """Build an untrained dual encoder of about three quarters of a million weights.

    A vision Transformer has to learn from data that neighbouring pixels belong together. A few
    thousand images are not enough for that. Convolutions have this locality built in. The image
    encoder is therefore an EfficientNet, reduced from seven stages for large photographs to four.

    Parameters
    ----------
    tokenizer
        Sets the vocabulary of the text encoder.
    width
        Factor of the image encoder's channels, EfficientNet's ``width_coefficient``.
    """
    pooled = int(1280 * width)
    vision = transformers.EfficientNetConfig(
        width_coefficient=width,
        depth_coefficient=1.0,
        in_channels=[32, 48, 96, 192],
        out_channels=[48, 96, 192, 320],
        strides=[1, 2, 2, 2],
        kernel_sizes=[3, 3, 3, 5],
        num_block_repeats=[1, 2, 2, 2],
        expand_ratios=[1, 3, 4, 4],
        hidden_act="relu",  # half the time of the usual swish on a CPU
        batch_norm_momentum=0.1,  # the default, 0.99, would keep the last batch's statistics only
        drop_connect_rate=0.0,
        hidden_dim=pooled,
    )
    vision.hidden_size = pooled  # the name that the dual encoder reads
    text = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,  # its position gives the text embedding
        pad_token_id=tokenizer.pad_token_id,
    )
    config = transformers.VisionTextDualEncoderConfig(
        vision_config=vision, text_config=text, projection_dim=WIDTH
    )
    model = transformers.VisionTextDualEncoderModel(config)
    for module in model.modules():
        # transformers initialises an EfficientNet near 0, where training hardly starts.
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    return model
