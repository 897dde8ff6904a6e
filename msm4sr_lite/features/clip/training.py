"""Train the dual encoder; the average precision on validation images decides when to stop."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPTokenizer, VisionTextDualEncoderModel

from msm4sr_lite.features.clip.captions import PROMPT, TEMPLATES, write_captions
from msm4sr_lite.features.clip.images import augment
from msm4sr_lite.features.clip.losses import rate, step_loss
from msm4sr_lite.settings import Settings, setting

MAX_LOG_SCALE = 4.6  # CLIP's limit: cosines are multiplied by at most 100
CLIP_NORM = 2.0  # largest norm of the gradient


@dataclass(frozen=True, kw_only=True)
class ClipTrainingConfig(Settings):
    """Training of a small CLIP on labelled images."""

    epochs: int = setting(60, "largest number of epochs", "ours", ">= 1")
    patience: int = setting(6, "epochs to wait for a better average precision", "ours", ">= 0")
    batch_size: int = setting(32, "images per step", "ours", ">= 2")
    lr: float = setting(3e-3, "AdamW's highest learning rate", "ours", "> 0")
    text_lr: float = setting(3e-4, "the same for the text encoder", "ours", "> 0")
    weight_decay: float = setting(0.05, "AdamW's weight decay", "ours", ">= 0")
    image_size: int = setting(
        80, "side of a square image in pixels; other shapes get the same area", "ours", ">= 16"
    )
    width: float = setting(0.5, "factor of the image encoder's channels", "ours", "> 0")
    distortion: float = setting(
        1.0, "strength of rotation, zoom and stretching of training images", "ours", ">= 0"
    )
    n_negatives: int = setting(
        0, "captions per step with a made-up word, true of no image", "ours", ">= 0"
    )


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """The settings of ``train-clip`` by section, for ``--set clip.epochs=20``."""

    clip: ClipTrainingConfig = ClipTrainingConfig()


@dataclass(frozen=True)
class Epoch:
    """The result of one pass over the training images.

    Attributes
    ----------
    number
        Counted from 1.
    loss
        Mean over the steps, in nats.
    average_precision
        Of the labels of the validation images, 0 to 1.
    best
        Whether no earlier epoch was better.
    """

    number: int
    loss: float
    average_precision: float
    best: bool


@dataclass(frozen=True)
class LabelledImages:
    """Images in memory with the words that are true of them.

    Attributes
    ----------
    pixels
        uint8 ``(images, 3, height, width)``.
    true
        Which label words are true, bool ``(images, words)``.
    """

    pixels: UInt8[Tensor, "images 3 height width"]
    true: Bool[Tensor, "images words"]


def train_epochs(
    model: VisionTextDualEncoderModel,
    tokenizer: CLIPTokenizer,
    processor: CLIPImageProcessorPil,
    words: Sequence[str],
    columns: Sequence[Sequence[int]],
    training: LabelledImages,
    validation: LabelledImages,
    config: ClipTrainingConfig,
    seed: int = 0,
) -> Iterator[Epoch]:
    """Train the model in place; at the end it holds the weights of its best epoch.

    Parameters
    ----------
    model, tokenizer, processor
        The dual encoder; it is trained on the device where it is.
    words
        All label words.
    columns
        The word indices of each label column.
    training, validation
        Images for the loss, and images that decide when to stop.
    config
        Settings of the training.
    seed
        Seed of the order, the captions and the augmentation.

    Yields
    ------
    epoch
        After every pass over ``training``.
    """
    device = model.device
    # Channels last: a quarter less time for the convolutions on a CPU.
    _set_memory_format(model, torch.channels_last)
    mean = torch.tensor(processor.image_mean, device=device)[:, None, None]
    std = torch.tensor(processor.image_std, device=device)[:, None, None]
    center_words(model, tokenizer, words)
    generator = torch.Generator().manual_seed(seed)
    rng = random.Random(f"captions {seed}")
    batches = max(1, len(training.pixels) // config.batch_size)
    optimizer = torch.optim.AdamW(parameter_groups(model, config))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, partial(rate, steps=config.epochs * batches)
    )
    best, best_epoch, weights = -1.0, 0, {}
    for number in range(1, config.epochs + 1):
        model.train()
        total = 0.0
        order = torch.randperm(len(training.pixels), generator=generator)
        for chosen in order[: batches * config.batch_size].view(batches, -1):
            true = training.true[chosen]
            captions, says = write_captions(words, true, rng, config.n_negatives)
            pixels = augment(training.pixels[chosen].to(device), generator, config.distortion)
            pixels = ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)
            tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
            logits = model(pixel_values=pixels, **tokens.to(device)).logits_per_image
            loss = step_loss(logits, true.to(device), says.to(device), columns)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=MAX_LOG_SCALE)
            total += loss.item()
        scores = word_scores(model, tokenizer, words, validation.pixels, mean, std)
        score = average_precision(scores, validation.true)
        yield Epoch(number, total / batches, score, score >= best)
        if score >= best:  # of equally good epochs the last: it was trained longest
            best, best_epoch = score, number
            weights = {name: value.clone() for name, value in model.state_dict().items()}
        elif number - best_epoch >= config.patience:
            break
    model.load_state_dict(weights)
    _set_memory_format(model, torch.contiguous_format)  # as safetensors requires


def _set_memory_format(model: VisionTextDualEncoderModel, memory: torch.memory_format) -> None:
    for weight in model.vision_model.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=memory)


def parameter_groups(
    model: VisionTextDualEncoderModel, config: ClipTrainingConfig
) -> list[dict[str, Any]]:
    """Return the parameters by learning rate and weight decay.

    The text encoder moves slowly: to the image encoder its embeddings are the targets, and it
    learns hardly anything while they keep changing. Vectors, such as biases, do not decay.
    """
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        lr = config.text_lr if name.startswith("text_") else config.lr
        decay = config.weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((lr, decay), []).append(weight)
    return [
        {"params": weights, "lr": lr, "weight_decay": decay}
        for (lr, decay), weights in groups.items()
    ]


@torch.no_grad()
def center_words(
    model: VisionTextDualEncoderModel, tokenizer: CLIPTokenizer, words: Sequence[str]
) -> None:
    """Remove from the untrained text projection the directions of the caption templates.

    An untrained text encoder is strongly anisotropic: most of an embedding comes from the template
    around the word, so that any two words have a cosine of about 0.97, and the same word in
    another template is far away. The first few hundred steps would have little to learn from.
    """
    means = []
    for template in dict.fromkeys(TEMPLATES):
        captions = [template.format(word) for word in words]
        tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        means.append(model.text_model(**tokens.to(model.device)).pooler_output.mean(0))
    directions = torch.linalg.qr(torch.stack(means, dim=1)).Q
    weight = model.text_projection.weight
    weight -= weight @ directions @ directions.T


@torch.inference_mode()
def word_scores(
    model: VisionTextDualEncoderModel,
    tokenizer: CLIPTokenizer,
    words: Sequence[str],
    pixels: UInt8[Tensor, "images 3 height width"],
    mean: Tensor,
    std: Tensor,
    batch_size: int = 64,
) -> Float[Tensor, "images words"]:
    """Return the cosines of images and words, up to the model's positive factor."""
    model.eval()
    prompts = [PROMPT.format(word) for word in words]
    tokens = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
    tokens = tokens.to(model.device)
    scores = [
        model(pixel_values=(part.to(model.device) / 255 - mean) / std, **tokens).logits_per_image
        for part in pixels.split(batch_size)
    ]
    return torch.cat(scores).cpu()


def average_precision(
    scores: Float[Tensor, "images words"], true: Bool[Tensor, "images words"]
) -> float:
    """Return the mean over the images of the average precision of their words.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0]])
    >>> round(average_precision(scores, torch.tensor([[True, False, True]])), 4)  # (1/1 + 2/3) / 2
    0.8333
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    hits = true.gather(1, order).double()
    precision = hits.cumsum(1) / torch.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())
