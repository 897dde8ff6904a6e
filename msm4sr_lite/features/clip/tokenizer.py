"""A CLIP tokenizer made from the words that a small CLIP will meet."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import CLIPTokenizer


def train_tokenizer(corpus: Iterable[str], vocabulary: int, length: int) -> CLIPTokenizer:
    """Train a CLIP tokenizer: byte-level BPE, so that any text in any language tokenises.

    Parameters
    ----------
    corpus
        Words and phrases; the frequent ones become single tokens.
    vocabulary
        Tokens at most, 512 of them single bytes.
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
    # Given as "special", the letters get fixed numbers; left to the trainer, those that end a
    # word are numbered in the order of a hash table, and ties between merges fall differently
    # in every run.
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
