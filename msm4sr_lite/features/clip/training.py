"""Train the dual encoder, with early stopping by the average precision on validation images."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers import CLIPImageProcessorPil, CLIPTokenizer, VisionTextDualEncoderModel

from msm4sr_lite.config import BATCH, MANY, RATE, STEPS
from msm4sr_lite.features.clip.labelled_images import LabelledImages, augment
from msm4sr_lite.features.clip.objective import PROMPT, TEMPLATES, rate, step_loss, write_captions
from msm4sr_lite.progress import bar, say
from msm4sr_lite.settings import Settings, setting
from msm4sr_lite.store.training_files import COUNTERS, StateFile

MAX_LOG_SCALE = 4.6  # CLIP's limit: cosines are multiplied by at most 100
CLIP_NORM = 2.0  # largest norm of the gradient
BATCH_SIZE = 64  # validation images per forward pass
MEASURE = "average_precision"  # of an epoch, in the log of the state


@dataclass(frozen=True, kw_only=True)
class ClipTrainingConfig(Settings):
    """Settings for training a small CLIP on labelled images."""

    epochs: int = setting(60, "maximum number of epochs", "ours", MANY)
    patience: int = setting(6, "epochs to wait for a better average precision", "ours", STEPS)
    batch_size: int = setting(32, "number of images per step", "ours", f">= 2 and {BATCH}")
    lr: float = setting(3e-3, "AdamW's highest learning rate", "ours", RATE)
    text_lr: float = setting(3e-4, "highest learning rate of the text encoder", "ours", RATE)
    weight_decay: float = setting(0.05, "AdamW's weight decay", "ours", ">= 0 and <= 10")
    image_size: int = setting(80, "side of a square image in pixels", "ours", ">= 16 and <= 2048")
    width: float = setting(
        0.5, "factor of the image encoder's channels", "ours", ">= 0.05 and <= 20"
    )
    distortion: float = setting(
        1.0, "strength of rotation, zoom and stretching", "ours", ">= 0 and <= 2"
    )
    n_negatives: int = setting(0, "captions with a made-up word per step", "ours", STEPS)


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
        Mean average precision of the labels of the validation images, 0 to 1.
    best
        Whether no earlier epoch was better.
    """

    number: int
    loss: float
    average_precision: float
    best: bool


def train_epochs(
    model: VisionTextDualEncoderModel,
    tokenizer: CLIPTokenizer,
    processor: CLIPImageProcessorPil,
    images: LabelledImages,
    training: Sequence[int],
    validation: Sequence[int],
    config: ClipTrainingConfig,
    seed: int,
    state: StateFile,
    callback: Callable[[Epoch], object] = lambda epoch: None,
) -> list[Epoch]:
    """Train the model in place, and restore the weights of its best epoch.

    Parameters
    ----------
    model, tokenizer, processor
        The dual encoder; it is trained on its current device.
    images
        All images with their labels.
    training, validation
        Indices of the training images, and of the images for early stopping.
    config
        Settings of the training.
    seed
        Seed of the order, the captions and the augmentation.
    state
        Keeps the state after each epoch. If there is one already, the training goes on from it.
    callback
        Called with each finished epoch.

    Returns
    -------
    epochs
        The results of all epochs.
    """
    device, words = model.device, images.words
    # With channels last, the convolutions take a quarter less time on a CPU.
    _set_memory_format(model, torch.channels_last)
    mean = torch.tensor(processor.image_mean, device=device)[:, None, None]
    std = torch.tensor(processor.image_std, device=device)[:, None, None]

    def compare(pixels: Tensor, captions: list[str]) -> Tensor:
        """Return the cosines of images (values 0 to 1) and captions, divided by the temperature."""
        pixels = ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)
        tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        return model(pixel_values=pixels, **tokens.to(device)).logits_per_image

    center_words(model, tokenizer, words)
    batches = max(1, len(training) // config.batch_size)
    optimizer = torch.optim.AdamW(parameter_groups(model, config))
    steps = config.epochs * batches
    pixels, true = images.pixels[training], images.true[training]
    prompts = [PROMPT.format(word) for word in words]
    counters: dict[str, Any] = dict.fromkeys(COUNTERS, 0) | {"parts": {}}
    run: Any = SimpleNamespace(model=model, optimizer=optimizer, best={}, **counters)
    state.restore(run)
    if state.log:
        say(f"train-clip: going on after epoch {len(state.log)}")
    epochs = [Epoch(e["epoch"], e["loss"], e["parts"][MEASURE], e["best"]) for e in state.log]
    progress = bar(range(len(epochs) + 1, config.epochs + 1), name="train-clip", unit="epoch")
    for number in progress:
        if run.waited and run.waited >= config.patience:
            break
        model.train()
        total = 0.0
        # Each epoch has its own random numbers, so that a resumed training has the same ones.
        rng = random.Random(f"epoch {number} of seed {seed}")
        generator = torch.Generator().manual_seed(rng.getrandbits(63))
        torch.manual_seed(rng.getrandbits(63))
        order = torch.randperm(len(training), generator=generator)
        for chosen in order[: batches * config.batch_size].view(batches, -1):
            captions, says = write_captions(words, true[chosen], rng, config.n_negatives)
            batch = augment(pixels[chosen].to(device), generator, config.distortion)
            logits = compare(batch, captions)
            loss = step_loss(logits, true[chosen].to(device), says.to(device), images.columns)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
            for group in optimizer.param_groups:
                group["lr"] = group["highest"] * rate(run.step, steps)
            optimizer.step()
            run.step += 1
            with torch.no_grad():
                model.logit_scale.clamp_(max=MAX_LOG_SCALE)
            total += loss.item()
        model.eval()
        with torch.inference_mode():
            parts = images.pixels[validation].split(BATCH_SIZE)
            scores = torch.cat([compare(part.to(device) / 255, prompts) for part in parts])
        score = average_precision(scores.cpu(), images.true[validation])
        # The last of equally good epochs was trained longest.
        best = score >= max((epoch.average_precision for epoch in epochs), default=0.0)
        epochs.append(Epoch(number, total / batches, score, best))
        progress.set_postfix(loss=epochs[-1].loss, average_precision=score)
        run.epoch, run.waited = number, 0 if best else run.waited + 1
        if best:
            run.best = {name: value.clone() for name, value in model.state_dict().items()}
        line = {"epoch": number, "step": run.step, "loss": epochs[-1].loss, "best": best}
        line |= {"parts": {MEASURE: score}, "recall@20": None, "targets": 0, "seconds": 0.0}
        state.log.append(line)
        state.keep(run)
        callback(epochs[-1])
    model.load_state_dict(run.best)
    _set_memory_format(model, torch.contiguous_format)  # as safetensors requires
    return epochs


def _set_memory_format(model: VisionTextDualEncoderModel, memory: torch.memory_format) -> None:
    for weight in model.vision_model.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=memory)


def parameter_groups(
    model: VisionTextDualEncoderModel, config: ClipTrainingConfig
) -> list[dict[str, Any]]:
    """Group the parameters by learning rate and weight decay.

    The text encoder has a lower learning rate. Its embeddings are the targets of the image encoder,
    which learns hardly anything while the targets keep changing. Vectors, such as biases, have no
    weight decay.
    """
    groups = defaultdict(list)
    for name, weight in model.named_parameters():
        lr = config.text_lr if name.startswith("text_") else config.lr
        groups[lr, config.weight_decay if weight.ndim > 1 else 0.0].append(weight)
    names = ("params", "lr", "highest", "weight_decay")
    return [dict(zip(names, (g, lr, lr, decay), strict=True)) for (lr, decay), g in groups.items()]


@torch.no_grad()
def center_words(
    model: VisionTextDualEncoderModel, tokenizer: CLIPTokenizer, words: Sequence[str]
) -> None:
    """Remove the directions of the caption templates from the untrained text projection.

    An untrained text encoder is strongly anisotropic: most of an embedding comes from the template
    around the word. Any two words then have a cosine of about 0.97, and the same word in another
    template is far away. The first few hundred training steps would learn little.
    """
    means = []
    for template in dict.fromkeys(TEMPLATES):
        captions = [template.format(word) for word in words]
        tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        means.append(model.text_model(**tokens.to(model.device)).pooler_output.mean(0))
    directions = torch.linalg.qr(torch.stack(means, dim=1)).Q
    weight = model.text_projection.weight
    weight -= weight @ directions @ directions.T


def average_precision(
    scores: Float[Tensor, "images words"], true: Bool[Tensor, "images words"]
) -> float:
    """Return the average precision of the words of each image, averaged over the images.

    >>> scores = torch.tensor([[3.0, 2.0, 1.0]])
    >>> round(average_precision(scores, torch.tensor([[True, False, True]])), 4)  # (1/1 + 2/3) / 2
    0.8333
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    hits = true.gather(1, order).double()
    precision = hits.cumsum(1) / torch.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(1) / hits.sum(1)).mean())
