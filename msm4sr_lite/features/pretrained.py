"""Load, check and identify pre-trained encoders.

A folder is believed only as far as it can be verified: all weights that decide the embeddings come
from its files, and its tokenizer fits its model. Feature tables name encoders with short hashes of
everything that decides the embeddings.
"""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.features.model_files import AGAIN, NO_MODEL, model_folder, transformers_folder
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights, local_path
from msm4sr_lite.store.schemas import read_json

_POSITIONS = r"(.*\.)?((text_)?positions?_embed\w*|pos_emb\w*|wpe|embed_positions)"
_UNQUANTIZED, _FLOATS = "give the model in float32 or float16", ("F16", "BF16", "F32", "F64")
_SETTINGS = [f"{part}config.json" for part in ("", "tokenizer_", "preprocessor_", "processor_")]

# Reveals how a tokenizer treats upper case, accents, symbols, digits and spaces.
_SAMPLE = "The RED, crème-brûlée mug's 2nd  lid: 20€! Ein Zelt für zwei, 红色的杯子 ☕"
# Settings that do not decide embeddings; the type of numbers in the file is in the weights' hash.
_UNNEEDED = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")


def require_docstrings() -> None:
    """Refuse Python without docstrings, which transformers reads when its models are imported."""
    if sys.flags.optimize > 1:
        raise UserError("transformers needs docstrings; start Python without -OO (PYTHONOPTIMIZE)")


def find_pretrained(name: str) -> tuple[Path, Path]:
    """Return the folder of a model, see ``model_folder``, and the one in it for transformers."""
    require_docstrings()
    folder = model_folder(name)
    return folder, transformers_folder(folder)


def load_pretrained(kind: str, name: str, folder: Path, **options: Any) -> Any:
    """Load one component of a model with a class of transformers, and check it.

    Parameters
    ----------
    kind
        ``AutoModel``, ``AutoTokenizer`` or ``AutoImageProcessor``.
    name
        The model, for messages.
    folder
        Where it is; see ``find_pretrained``.
    **options
        Passed on to ``from_pretrained``.

    Raises
    ------
    UserError
        If the component cannot be loaded, weights are missing, the tokenizer does not fit, or the
        folder names code of its own, without which another component would be loaded.
    """
    import transformers

    weights, types = kind == "AutoModel", {}
    if weights:  # in float32, for any type in the file: processors give float32
        types = _weight_types(name, folder)
        options |= {"dtype": torch.float32, "output_loading_info": True, "use_safetensors": True}
        options |= {"ignore_mismatched_sizes": True}  # they are refused below, in one line
    elif kind == "AutoImageProcessor" and not [*folder.glob("*processor_config.json")]:
        raise UserError(f"{name}: no preprocessor_config.json; {AGAIN}")
    # With such code, transformers would load its own class of this type instead.
    for path in filter(Path.is_file, map(folder.joinpath, _SETTINGS)):
        known = read_json(path, dict[str, Any], AGAIN).get("auto_map")
        if isinstance(known, dict) and any(key.startswith(kind) for key in known):
            problem = f"made for code of its own ({path.name}: auto_map), which never runs here"
            remedy = "give another model, or delete auto_map if it computes the same without"
            raise UserError(f"{name}: {problem}; {remedy}")
    messages = transformers.utils.logging
    level, bars = messages.get_verbosity(), messages.is_progress_bar_enabled()
    messages.disable_progress_bar()
    messages.set_verbosity_error()  # what it would warn of is refused below
    try:
        loaded = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
        if isinstance(loaded, transformers.PreTrainedTokenizerBase):
            _fit_tokenizer(name, folder, loaded)
    except UserError:
        raise
    except Exception as error:  # a damaged file can raise any exception
        ready = isinstance(error, ImportError) and (folder / "tokenizer.json").is_file()
        if ready and kind == "AutoTokenizer":  # its own class needs one more package
            return load_pretrained("PreTrainedTokenizerFast", name, folder)
        reason = " ".join(str(error).split()[:30]) or type(error).__name__
        if "instantiate the backend tokenizer" in reason:  # followed by a list
            reason = "no vocabulary (tokenizer.json) that it can read"
        raise UserError(f"{name}: {NO_MODEL}: {reason}") from error
    finally:
        messages.set_verbosity(level)
        if bars:
            messages.enable_progress_bar()
    return _checked_model(name, types, *loaded) if weights else loaded


def _weight_types(name: str, folder: Path) -> dict[str, str]:
    """Return the type of each tensor in the files of the weights; refuse quantized models."""
    from safetensors import safe_open

    config = read_json(folder / "config.json", dict[str, Any], AGAIN)
    for part in (config, *config.values()):
        if isinstance(part, dict) and part.get("quantization_config"):
            raise UserError(f"{name}: its weights are quantized (config.json); {_UNQUANTIZED}")
    single, types = folder / "model.safetensors", dict[str, str]()
    for path in [single] if single.is_file() else sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                keys = file.keys()
                types |= {key: file.get_slice(key).get_dtype() for key in keys}
        except Exception as error:  # of the library, or of the disk
            problem = f"{path.name} is damaged ({first_line(error)})"
            remedy = f"delete {path.resolve()} and get it again"
            raise UserError(f"{name}: {NO_MODEL}: {problem}; {remedy}") from error
    return types


def _checked_model(name: str, types: dict[str, str], model: Any, report: dict[str, Any]) -> Any:
    """Refuse a model whose embeddings would depend on weights that its files do not hold.

    Only the pooler of a BERT-like model may be missing, since nothing here reads its output.
    """
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    sees = hasattr(model, "get_image_features")
    unused = r"(.*\.)?(position_ids|logit_scale|logit_bias)" + ("" if sees else r"|pooler\..+")
    found = f" (the file holds {unexpected[0]})" if unexpected else ""
    absent = [key for key in missing if not re.fullmatch(unused, key)]
    if model.config.is_encoder_decoder or (absent and absent[0].startswith("decoder.")):
        raise not_a_text_encoder(name, model)
    if absent:
        raise UserError(f"{name}: no weights for {absent[0]}{found}; {AGAIN}")
    if report["mismatched_keys"]:
        key, stored, expected = sorted(report["mismatched_keys"])[0]
        shapes = f"the shape {tuple(stored)}, config.json asks for {tuple(expected)}"
        raise UserError(f"{name}: {key} has {shapes}; {AGAIN}")

    def layer(key: str) -> str:
        return re.sub(r"\.\d+\.", ".0.", key.removeprefix(f"{model.base_model_prefix}."))

    parameters = {layer(key) for key, _ in model.named_parameters()}
    for key, kind in types.items():
        if kind not in _FLOATS and layer(key) in parameters:
            raise UserError(f"{name}: {key} is quantized ({kind}); {_UNQUANTIZED}")
    known = {*map(layer, model.state_dict())}
    stacks = {key.partition(".0.")[0] for key in known if ".0." in key}
    for key in unexpected:  # heads are harmless, but not what would change a layer
        stack, inside, _ = layer(key).partition(".0.")
        constant = types.get(key, "F32") not in _FLOATS or key.endswith(("inv_freq", "masked_bias"))
        if layer(key) in known or (inside and stack in stacks and not constant):
            problem = "fewer layers, or layers with fewer parts, than the weights"
            raise UserError(f"{name}: config.json has {problem}: {key}; give another model")
    model.absent_weights = missing
    return model


def not_a_text_encoder(name: str, model: Any) -> UserError:
    """Return the refusal of a model of another kind."""
    problem = f"a model of type {model.config.model_type!r}, not a BERT-like text encoder"
    return UserError(f"{name}: {problem}; give one like {DEFAULT_TEXT_ENCODER}")


def _fit_tokenizer(name: str, folder: Path, tokenizer: Any) -> None:
    """Refuse a tokenizer that does not fit the model in the same folder; complete its padding."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    names = type(tokenizer).vocab_files_names
    own = [file for key, file in names.items() if key != "tokenizer_file"]
    absent = [file for file in own if not (folder / file).is_file()]
    torn = own and (absent == own or names.get("merges_file") in absent)
    vocabulary, special = tokenizer.get_vocab(), tokenizer.all_special_tokens
    used = [number for token, number in vocabulary.items() if token not in special]
    if (torn and not (folder / "tokenizer.json").is_file()) or not used:
        files = " or ".join([*absent, "tokenizer.json"])
        raise UserError(f"{name}: no vocabulary ({files}); {AGAIN}")
    size = getattr(config.get_text_config(), "vocab_size", None) or sys.maxsize
    if (largest := max([*used, *tokenizer("a")["input_ids"]])) >= size:
        problem = f"the tokenizer has token {largest}, the model only {size} tokens from 0"
        raise UserError(f"{name}: {problem}; they do not belong together")
    known = [token for token in special if vocabulary.get(token, size) < size]
    if len(known) < len(special):  # unused ones, which a text must not name
        tokenizer.split_special_tokens = True
    if tokenizer.pad_token not in known:  # any will do, since the attention mask hides it
        if not known:
            raise UserError(f"{name}: the tokenizer has no token for padding (pad_token)")
        end = tokenizer.eos_token
        tokenizer.pad_token = end if end in known else known[0]
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
    some = rows[:: len(rows) // 500 + 1].double()  # exact enough for the fast form of distances
    near = torch.cdist(some, some, compute_mode="use_mm_for_euclid_dist")
    alike = int(((near <= 1e-4 * some.norm(dim=1).max()).sum(dim=1) > 1).sum())
    if alike > len(some) / 4:
        why = "" if of == "images" else ", does not know the language, or the prompt is too long"
        problem = f"{alike} of {len(some)} {of} share an embedding with others"
        raise UserError(f"{name}: {problem}; the model is damaged{why}")


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

    The limits are ``limit``, that of the tokenizer unless it leaves no room for a word, and the
    number of position embeddings. Models like RoBERTa do not use the first of these.
    """
    longest = tokenizer.model_max_length
    if isinstance(longest, int | float) and longest > tokenizer.num_special_tokens_to_add():
        limit = int(min(limit, longest))
    for name, table in model.named_modules():
        if re.fullmatch(_POSITIONS, name) and isinstance(table, nn.Embedding):
            unused = -1 if table.padding_idx is None else table.padding_idx
            unused = max(unused + 1, getattr(table, "offset", 0))
            limit = min(limit, table.num_embeddings - unused)
    return limit


def describe_model(name: str, model: Any, tokenizer: Any) -> dict[str, str]:
    """Return a model's name, a short hash of its weights, and one of all that decides embeddings.

    A local folder is named by the last part of its path. The hashes do not depend on the place of
    the model, on the padding that its tokenizer used last, or on settings that a version of
    transformers adds or drops: those with their default value, or unknown to it, are left out.
    """
    state: Any = [tokenizer.get_vocab(), tokenizer(_SAMPLE, verbose=False)["input_ids"]]
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
