"""Load, check and identify pre-trained encoders.

A folder is believed only as far as it can be verified: all weights that decide the embeddings come
from its files, and its tokenizer fits its model. Feature tables name encoders with short hashes of
everything that decides the embeddings.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from msm4sr_lite.config import UserError
from msm4sr_lite.features.model_files import model_folder, transformers_folder
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights, local_path

# Reveals how a tokenizer treats upper case, accents, symbols, digits and spaces.
_SAMPLE = "The RED, crème-brûlée mug's 2nd  lid: 20€! Ein Zelt für zwei, 红色的杯子 ☕"
# Settings that do not decide embeddings; the type of numbers in the file is in the weights' hash.
_UNNEEDED = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")


def require_docstrings() -> None:
    """Refuse Python without docstrings, which transformers reads when its models are imported."""
    if sys.flags.optimize > 1:
        raise UserError("transformers needs docstrings; start Python without -OO (PYTHONOPTIMIZE)")


def load_pretrained(loader: Any, name: str, **options: Any) -> Any:
    """Load one component of a model with a class of transformers, and check it.

    Parameters
    ----------
    loader
        ``AutoModel``, ``AutoTokenizer`` or ``AutoImageProcessor``: the class or its name.
    name
        Local folder or hub id; see ``model_folder``.
    **options
        Passed on to ``loader.from_pretrained``. A model needs ``use_safetensors=True``.

    Raises
    ------
    UserError
        If the component cannot be loaded, weights are missing, or the tokenizer does not fit.
    """
    require_docstrings()
    import transformers

    loader = getattr(transformers, getattr(loader, "__name__", loader))
    folder = transformers_folder(model_folder(name))
    weights = options.get("use_safetensors")
    if weights:  # in float32, for any type in the file: processors give float32
        options |= {"dtype": torch.float32, "output_loading_info": True}
        options |= {"ignore_mismatched_sizes": True}  # they are refused below, in one line
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what it would warn of is refused below
    try:
        loaded = loader.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
        if isinstance(loaded, transformers.PreTrainedTokenizerBase):
            _fit_tokenizer(name, folder, loaded)
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise any exception
        ready = isinstance(error, ImportError) and (folder / "tokenizer.json").is_file()
        if ready and loader is transformers.AutoTokenizer:  # its own class needs one more package
            return load_pretrained("PreTrainedTokenizerFast", name)
        reason = first_line(error)
        if "instantiate the backend tokenizer" in reason:  # followed by a list
            reason = "no vocabulary (tokenizer.json) that it can read"
        message = f"{name}: not a model folder that transformers can load: {reason}"
        raise UserError(message) from error
    return _checked_model(name, *loaded) if weights else loaded


def _checked_model(name: str, model: Any, report: dict[str, Any]) -> Any:
    """Refuse a model whose embeddings would depend on weights that its files do not hold.

    Only the pooler of a BERT-like model may be missing, since nothing here reads its output.
    """
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    sees = hasattr(model, "get_image_features")
    unused = r"(.*\.)?(position_ids|logit_scale|logit_bias)" + ("" if sees else r"|pooler\..+")
    found = f" (the file holds {unexpected[0]})" if unexpected else ""
    if absent := [key for key in missing if not re.fullmatch(unused, key)]:
        raise UserError(f"{name}: no weights for {absent[0]}{found}; get the whole model again")
    if report["mismatched_keys"]:
        key, stored, expected = sorted(report["mismatched_keys"])[0]
        raise UserError(
            f"{name}: {key} has the shape {tuple(stored)}, config.json asks for {tuple(expected)}"
        )

    inputs = inspect.signature(model.forward).parameters
    if "input_ids" in inputs and "attention_mask" not in inputs:
        raise UserError(f"{name}: without attention mask, the texts of a batch change each other")

    def layer(key: str) -> str:
        return re.sub(r"\.\d+\.", ".0.", key.removeprefix(f"{model.base_model_prefix}."))

    known = {*map(layer, model.state_dict())}
    if surplus := [key for key in unexpected if layer(key) in known]:
        raise UserError(f"{name}: config.json has fewer layers than the weights: {surplus[0]}")
    model.absent_weights = missing
    return model


def _fit_tokenizer(name: str, folder: Path, tokenizer: Any) -> None:
    """Refuse a tokenizer that does not fit the model in the same folder; complete its padding."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    own = {**type(tokenizer).vocab_files_names}
    own.pop("tokenizer_file", None)
    absent = [file for file in own.values() if not (folder / file).is_file()]
    torn = own and (len(absent) == len(own) or own.get("merges_file") in absent)
    vocabulary, special = tokenizer.get_vocab(), tokenizer.all_special_tokens
    used = [number for token, number in vocabulary.items() if token not in special]
    if (torn and not (folder / "tokenizer.json").is_file()) or not used:
        files = " or ".join([*absent, "tokenizer.json"])
        raise UserError(f"{name}: no vocabulary ({files}); get the whole model again")
    size = getattr(config.get_text_config(), "vocab_size", None)
    if size and (largest := max([*used, *tokenizer("a")["input_ids"]])) >= size:
        raise UserError(
            f"{name}: the tokenizer has token {largest}, the model only {size} tokens from 0;"
            f" tokenizer and model do not belong together"
        )
    if tokenizer.pad_token is None:  # any token will do, since the attention mask hides it
        if not special:
            raise UserError(f"{name}: the tokenizer has no token for padding (pad_token)")
        tokenizer.pad_token = tokenizer.eos_token or special[0]
    if not hasattr(config, "vision_config"):  # positions are counted from the left
        tokenizer.padding_side = "right"


def check_embeddings(name: str, embeddings: Any, of: str = "texts") -> None:
    """Refuse embeddings that are not finite in float16, or too often alike for different inputs.

    A tokenizer that knows no word of a language reads all as unknown, and their embeddings differ
    by the number of words only. A few inputs may be alike, such as words with and without accents.

    Parameters
    ----------
    name
        The model, for the message.
    embeddings
        One row for each of several inputs, which must differ in more than case; array or tensor.
    of
        What the inputs are, for the message.
    """
    rows = torch.as_tensor(embeddings).detach().float().cpu()
    if not rows.half().isfinite().all():
        raise UserError(f"{name}: embeddings of {of} are not finite in float16; use another model")
    some = rows[:: len(rows) // 500 + 1]
    near = torch.cdist(some, some, compute_mode="donot_use_mm_for_euclid_dist")
    alike = int(((near <= 1e-4 * some.norm(dim=1).max()).sum(dim=1) > 1).sum())
    if alike > len(some) / 4:
        raise UserError(
            f"{name}: {alike} of {len(some)} {of} share an embedding with others; the model or its"
            f" tokenizer is damaged, or does not know the language"
        )


@contextmanager
def encodes(name: str, what: str) -> Iterator[None]:
    """Turn any failure of a first computation with a model into one line.

    Parameters
    ----------
    name
        The model, for the message.
    what
        What the failure shows, for the message.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # settings of the model can raise any
        raise UserError(f"{name}: {what}: {first_line(error)}") from error


def longest_input(model: nn.Module, tokenizer: Any, limit: int = 512) -> int:
    """Return the number of tokens that a text model can read: the smallest of several limits.

    The limits are ``limit``, that of the tokenizer, and the number of position embeddings. Models
    like RoBERTa do not use the position embeddings up to the padding index.
    """
    positions = [
        table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
        for name, table in model.named_modules()
        if "position_embedding" in name and isinstance(table, nn.Embedding)
    ]
    return int(min(limit, tokenizer.model_max_length, *positions))


def describe_model(name: str, model: Any, tokenizer: Any) -> dict[str, str]:
    """Return a model's name, a short hash of its weights, and one of all that decides embeddings.

    A local folder is named by the last part of its path. The hashes do not depend on the place of
    the model, on the padding that its tokenizer used last, or on settings that a version of
    transformers adds or drops: those with their default value, or unknown to it, are left out.
    """
    state: Any = [tokenizer.get_vocab(), tokenizer(_SAMPLE)["input_ids"]]
    if getattr(tokenizer, "is_fast", False):
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state = {k: v for k, v in state.items() if k not in ("padding", "truncation", "version")}
    inputs = [tokenizer.truncation_side, tokenizer.model_input_names]
    try:
        usual = type(model.config)().to_dict()
    except Exception:  # a class without defaults
        usual = {}
    config, weights = _unusual(model.config.to_dict(), usual), fingerprint_weights(model)
    folder = local_path(name)
    return {
        "name": folder.resolve().name if folder else name,
        "weights": weights,
        "identity": fingerprint([weights, model.config.model_type, config, state, inputs]),
    }


def _unusual(config: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model, and of the models in it, that are not the usual ones."""
    found = {k: v for k, v in config.items() if not usual or (k in usual and v != usual[k])}
    for key in found.keys() & usual.keys():
        if isinstance(usual[key], dict) and isinstance(found[key], dict):
            found[key] = _unusual(found[key], usual[key])
    return {k: v for k, v in found.items() if k not in _UNNEEDED}
