"""Train the small CLIP that comes with the sample shop.

    python -m data_samples.make.mini_clip --out data_samples/mini_clip

It draws pictures of which all true words are known, writes captions for them, and trains a
vision and a text transformer of ordinary CLIP kind to agree. The folder it writes is loaded by
the code that loads any CLIP. One core and a quarter of an hour are enough.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

from data_samples.make.captions import make_tokenizer, random_look, true_words
from data_samples.make.drawing import SIZE, draw
from data_samples.make.keyword_precision import keyword_precision
from data_samples.make.mini_clip_card import write_card
from data_samples.make.mini_clip_training import ClipTrainingConfig, train

TOKENS = 32  # longest caption
WIDTH = 64  # of the vectors that pictures and words share
VIEWS = (0, 0, 1, 2)  # views to draw by lot: every other picture shows the whole product


def build_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Build an untrained CLIP of about three quarters of a million weights."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "max_position_embeddings": TOKENS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,  # where the text side is read off
        "pad_token_id": tokenizer.pad_token_id,
        "projection_dim": WIDTH,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": SIZE,
        "patch_size": 12,
        "projection_dim": WIDTH,
    }
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))
    # CLIP starts its positions at 0.02, next to nothing beside the patches: long training makes up
    # for it. Silhouettes are a matter of where, so that a short training must see it at once.
    positions = model.vision_model.embeddings.position_embedding.weight
    torch.nn.init.normal_(positions, std=0.3)
    return model


def draw_pictures(count: int, seed: int) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Draw training pictures.

    Returns
    -------
    pictures, words
        uint8 ``(count, 3, SIZE, SIZE)``, and the words that hold for each.
    """
    rng = random.Random(f"training {seed}")
    pictures = torch.empty(count, 3, SIZE, SIZE, dtype=torch.uint8)
    words = []
    for k in tqdm(range(count), desc="draw", unit="picture"):
        look = random_look(rng, test=False)
        drawn = np.array(draw(look, rng.choice(VIEWS), rng.randrange(1_000_000)))
        pictures[k] = torch.from_numpy(drawn).permute(2, 0, 1)
        words.append(true_words(look))
    return pictures, words


def train_folder(folder: Path, recipe: ClipTrainingConfig, test_pictures: int) -> list[float]:
    """Train, save an ordinary CLIP folder, measure it, write its card; return the losses."""
    started = time.process_time()
    torch.manual_seed(recipe.seed)
    tokenizer = make_tokenizer(TOKENS)
    size = {"shortest_edge": SIZE}
    processor = CLIPImageProcessorPil(size=size, crop_size={"height": SIZE, "width": SIZE})
    model = build_model(tokenizer)
    pictures, words = draw_pictures(recipe.pictures, recipe.seed)
    steps = train(model, tokenizer, processor, pictures, words, recipe)
    bar = tqdm(steps, desc="train", total=recipe.steps, unit="step")
    losses = []
    for loss in bar:
        losses.append(loss)
        bar.set_postfix(loss=f"{loss:.3f}")
    minutes = (time.process_time() - started) / 60
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    report = {
        "recipe": asdict(recipe),
        "processor_minutes": round(minutes, 1),
        "weights": model.num_parameters(),
        "final_loss": round(float(np.mean(losses[-50:])), 4),
        "torch": torch.__version__,
        **keyword_precision(folder, test_pictures),
    }
    text = json.dumps(report, indent=2) + "\n"
    (folder / "evaluation.json").write_text(text, encoding="utf-8", newline="\n")
    write_card(folder, report)
    return losses


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(prog="python -m data_samples.make.mini_clip")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    for name in ("pictures", "steps", "batch", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(ClipTrainingConfig(), name))
    parser.add_argument("--test-pictures", type=int, default=600, help="of each view")
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    recipe = ClipTrainingConfig(
        pictures=options.pictures, steps=options.steps, batch=options.batch, seed=options.seed
    )
    train_folder(options.out, recipe, options.test_pictures)


if __name__ == "__main__":
    main()
