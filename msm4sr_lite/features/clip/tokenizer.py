"""A CLIP tokenizer trained on the words that a small CLIP will meet."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer


def train_tokenizer(corpus: Iterable[str], vocabulary: int, length: int) -> CLIPTokenizer:
    """Train a CLIP tokenizer: byte-level BPE, which can encode any text in any language.

    Parameters
    ----------
    corpus
        Words and phrases; the frequent ones become single tokens.
    vocabulary
        Largest number of tokens, 512 of them single bytes.
    length
        Longest caption in tokens.

    Returns
    -------
    tokenizer
        Tokens in CLIP's order: bytes, bytes that end a word, merges, start, end of text.
    """
    blank = CLIPTokenizer()
    start, end = blank.bos_token, blank.eos_token
    letters = sorted(ByteLevel.alphabet())
    letters += [f"{letter}</w>" for letter in letters]
    # As "special" tokens the letters get fixed numbers. The trainer would number those that end
    # a word in the order of a hash table, and ties between merges would differ in every run.
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        special_tokens=[start, end, *letters],
        end_of_word_suffix="</w>",
    )
    backend = blank.backend_tokenizer
    backend.train_from_iterator(corpus, trainer)
    merges: list[Any] = [tuple(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    tokens = [*letters, *(a + b for a, b in merges)]
    numbered = {token: k for k, token in enumerate(dict.fromkeys([*tokens, start, end]))}
    return CLIPTokenizer(vocab=numbered, merges=merges, model_max_length=length)
