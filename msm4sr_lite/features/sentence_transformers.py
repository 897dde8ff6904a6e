"""Follow a sentence-transformers folder: from the tokens of a text to its embedding.

``modules.json`` lists the modules: a Transformer, a pooling of its token embeddings, and layers
after it. Modules that are not known here are refused by name; code in a folder never runs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import torch
import torch.nn.functional as F
from pydantic import Field, with_config
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from typing_extensions import TypedDict

from msm4sr_lite.config import UserError
from msm4sr_lite.store.schemas import CLOSED, read_json

REMEDY = "download the whole folder again, or set features.pooling to mean or cls"
OTHER = "give another text encoder"
# In the order in which older folders concatenate several of them.
Kind = Literal["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
KINDS = get_args(Kind)
_ENDS = ("_token", "_tokens", "_tokens", "", "_tokens", "")
OLDER = {f"pooling_mode_{kind}{end}": kind for kind, end in zip(KINDS, _ENDS, strict=True)}
ACTIVATIONS = "ELU GELU Identity LeakyReLU Mish ReLU SELU Sigmoid SiLU Softplus Tanh"
Size = Annotated[int, Field(ge=1)]
Place = Literal["sentence_embedding"] | None
HARMLESS = Literal["trust_remote_code", "torch_dtype", "dtype", "attn_implementation"]
ARGS = [f"{part}_{end}" for part in ("model", "tokenizer", "config") for end in ("args", "kwargs")]


def _kind(keys: dict[str, Any]) -> Any:
    """Return the type of a JSON object with these keys, which may be missing, and no others."""
    return with_config(CLOSED)(TypedDict("Settings", keys, total=False))  # type: ignore[operator]


# Other keys or values in the files than these may change the embeddings.
Modules = Annotated[list[dict[str, Any]], Field(min_length=1)]
PoolingConfig = _kind(
    dict.fromkeys(["word_embedding_dimension", "embedding_dimension"], int)
    | dict.fromkeys([*OLDER, "include_prompt"], bool)
    | {"pooling_mode": Kind | Annotated[list[Kind], Field(min_length=1)]},
)
DenseConfig = _kind(
    {"in_features": Size, "out_features": Size, "bias": bool, "activation_function": str}
    | {"module_input_name": Place, "module_output_name": Place, "use_residual": Literal[False]},
)
_LAST = {"method": Literal["forward"], "method_output_name": Literal["last_hidden_state"]}
TextConfig = _kind(
    {"max_seq_length": Annotated[int, Field(ge=2)] | None, "do_lower_case": bool}
    | {"transformer_task": Literal["feature-extraction"], "unpad_inputs": bool | None}
    | {"modality_config": _kind({"text": _kind(_LAST), "message": Any})}
    | {"module_output_name": Literal["token_embeddings"], "query_expansion": None}
    | dict.fromkeys(["query_length", "document_length"], Any)
    | dict.fromkeys([*ARGS, "processor_kwargs", "processing_kwargs"], dict[HARMLESS, Any] | None),
)
Prompts = _kind(
    {"prompts": dict[str, str | None] | None, "default_prompt_name": str | None}
    | {"model_type": Literal["SentenceTransformer"], "truncate_dim": None}
    | dict.fromkeys(["__version__", "similarity_fn_name"], Any)
)


# ------------------------------------------------------------------ from tokens to embeddings


class Normalize(nn.Module):
    """Scale every embedding to length 1."""

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the scaled embeddings."""
        return F.normalize(embeddings, dim=-1)


@dataclass(frozen=True)
class SentenceModel:
    """How a folder turns texts into embeddings.

    Attributes
    ----------
    kinds
        Poolings of the token embeddings; the results are concatenated.
    layers
        What follows the pooling.
    include_prompt
        Whether the tokens of the prompt, if there is one, are pooled too.
    path
        The folder of the Transformer and its tokenizer in that of the model; empty: the same.
    prompt
        What every text is prefixed with; empty for nothing.
    lower
        Whether texts are turned into lower case.
    max_length
        Longest input in tokens; 0: as long as the Transformer can read; None: the folder is no
        sentence-transformers folder.
    """

    kinds: tuple[str, ...] = ("mean",)
    layers: nn.Sequential = field(default_factory=nn.Sequential)
    include_prompt: bool = True
    path: str = ""
    prompt: str = ""
    lower: bool = False
    max_length: int | None = None

    @property
    def pooling(self) -> str:
        """The poolings and the layers in words, such as ``mean + Linear + Tanh + Normalize``."""
        return " + ".join([" and ".join(self.kinds), *(type(one).__name__ for one in self.layers)])

    @property
    def reading(self) -> str:
        """How a text, ``{}``, is read, in words."""
        skipped = "" if self.include_prompt else ", prompt not pooled"
        return f"{self.prompt}{{}}{skipped}{', lower case' if self.lower else ''}"

    def prepare(self, text: str) -> str:
        """Return a text as the tokenizer gets it."""
        text = self.prompt + text
        return text.lower() if self.lower else text

    def pool(self, states: Tensor, mask: Tensor, prompt_tokens: int = 0) -> Tensor:
        """Return an embedding per text.

        Parameters
        ----------
        states, mask
            Token embeddings ``(texts, tokens, width)``, and where a token is no padding.
        prompt_tokens
            Number of tokens at the beginning that are not pooled.
        """
        place = mask.cumsum(dim=1)  # from 1, whichever side is padded
        mask = mask * (place > prompt_tokens)
        valid = mask.unsqueeze(-1).to(states.dtype)
        pooled = [_pool(kind, states, valid, place) for kind in self.kinds]
        return self.layers(torch.cat(pooled, dim=-1))


def _pool(kind: str, states: Tensor, valid: Tensor, place: Tensor) -> Tensor:
    if kind in ("cls", "lasttoken"):  # argmax returns the first of equal values
        chosen = (place if kind == "lasttoken" else (place == 1).int()).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), chosen]
    if kind == "max":
        return states.masked_fill(valid == 0, -torch.inf).amax(dim=1)
    weights = valid * place.unsqueeze(-1) if kind == "weightedmean" else valid
    total = weights.sum(dim=1).clamp(min=1)
    return (states * weights).sum(dim=1) / (total.sqrt() if "sqrt" in kind else total)


# ------------------------------------------------------------------ from files to modules


def read_sentence_model(folder: Path, pooling: str = "auto") -> SentenceModel:
    """Read how a folder turns texts into embeddings; a plain folder by the mean over all tokens.

    Parameters
    ----------
    folder
        A model folder.
    pooling
        ``mean`` or ``cls`` replaces the pooling of the folder and leaves out the layers after it.

    Raises
    ------
    UserError
        If a file is damaged or missing, or a module is not known here.
    """
    listed, older = folder / "modules.json", folder / "1_Pooling"
    texts: dict[str, Any] = {}
    if listed.exists():
        if (modules := [*map(_named, read_json(listed, Modules, OTHER))])[0][0] != "Transformer":
            raise UserError(f"{listed}: begins with {modules[0][0]}, not Transformer; {OTHER}")
        texts = _read_texts(folder, modules[0][1])
    else:
        modules = [("Transformer", ""), *([("Pooling", older.name)] if older.exists() else [])]
        if lost := [path.name for path in folder.glob("[2-9]_*")]:
            raise UserError(f"{listed}: missing, although there is {lost[0]}; {REMEDY}")
    pools = [kind for kind, _ in modules[1:2]] == ["Pooling"]
    replaced = pooling in ("mean", "cls")
    if (replaced and not (pools and texts.get("prompt"))) or (len(modules) == 1 and not texts):
        return SentenceModel((pooling if pooling == "cls" else "mean",), **texts)
    if not pools:
        raise UserError(f"{listed}: no Pooling after the Transformer; {REMEDY}")
    pooled = folder / modules[1][1] / "config.json"
    config: dict[str, Any] = read_json(pooled, PoolingConfig, REMEDY)
    pools_prompt = not texts.get("prompt") or config.get("include_prompt", True)
    if replaced:
        return SentenceModel((pooling,), include_prompt=pools_prompt, **texts)
    named = [kind for key, kind in OLDER.items() if config.get(key, kind == "mean")]
    chosen = config.get("pooling_mode", named or "mean")
    kinds = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    layers = [layer for kind, name in modules[2:] for layer in _read_layers(kind, folder / name)]
    return SentenceModel(kinds, nn.Sequential(*layers), pools_prompt, **texts)


def _named(module: dict[str, Any]) -> tuple[str, str]:
    """Return class and folder of a module; the class with its package if it is code of its own."""
    kind, path = str(module.get("type")), str(module.get("path", ""))
    return kind.rpartition(".")[2] if kind.startswith("sentence_transformers.") else kind, path


def _read_texts(folder: Path, path: str) -> dict[str, Any]:
    """Return how texts are prepared: prompt, lower case, maximum length."""
    config, prompts, named = {}, {}, folder / "config_sentence_transformers.json"
    for file in sorted((folder / path).glob("sentence_*_config.json")):  # older: another name
        config = read_json(file, TextConfig, OTHER)
    if named.exists():
        prompts = read_json(named, Prompts, OTHER)
    known, name = prompts.get("prompts") or {}, prompts.get("default_prompt_name")
    if name is not None and name not in known:
        raise UserError(f"{named}: default_prompt_name {name!r} is not in prompts; {OTHER}")
    lower, longest = config.get("do_lower_case", False), config.get("max_seq_length") or 0
    return {"path": path, "prompt": known.get(name) or "", "lower": lower, "max_length": longest}


def _read_layers(kind: str, place: Path) -> list[nn.Module]:
    """Return the layers of one module after the pooling."""
    if kind in ("Normalize", "Dropout"):  # dropout only acts in training
        return [Normalize()] if kind == "Normalize" else []
    if kind != "Dense":
        raise UserError(f"{place}: a module {kind} is not known here; {REMEDY}")
    config: dict[str, Any] = read_json(place / "config.json", DenseConfig, REMEDY)
    called = config.get("activation_function", "torch.nn.Tanh")
    package, _, activation = called.rpartition(".")
    if package.split(".")[:2] != ["torch", "nn"] or activation not in ACTIVATIONS.split():
        raise UserError(f"{place}: activation function {called!r} is not known here; {REMEDY}")
    if not (place / "model.safetensors").exists():
        remedy = "convert pytorch_model.bin, which may run code, or set features.pooling to mean"
        raise UserError(f"{place}: no model.safetensors; {remedy}")
    try:
        layer = nn.Linear(config["in_features"], config["out_features"], config.get("bias", True))
        weights = load_file(place / "model.safetensors")
        nn.ModuleDict({"linear": layer}).load_state_dict(weights)
        if not all(weight.isfinite().all() for weight in weights.values()):
            raise ValueError("a weight is not finite")
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{place}: model.safetensors cannot be used ({reason}); {REMEDY}") from None
    return [layer, getattr(nn, activation)()]
