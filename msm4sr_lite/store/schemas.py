"""Read JSON files that the library wrote itself, and check the type of everything in them."""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from msm4sr_lite.store.checksums import reading

FORMAT = 3  # of model and feature folders; other formats are refused
LARGEST = 1 << 31  # bytes

Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
ItemId = Annotated[str, Field(min_length=1)]
ItemIds = Annotated[list[ItemId], Field(min_length=1)]
OPEN = ConfigDict(strict=True, extra="allow")
CLOSED = ConfigDict(strict=True, extra="forbid")


@with_config(OPEN)
class MadeFrom(TypedDict):
    """What a model was made from, in its record."""

    sequences: NotRequired[str]
    features: NotRequired[str]
    text_encoder: NotRequired[dict[str, Any]]


@with_config(OPEN)
class Training(TypedDict):
    """How a training went, in the record of a model; empty without an epoch."""

    best: NotRequired[dict[str, Any]]  # a line of the log
    epochs: NotRequired[Count]
    seconds: NotRequired[Number]


@with_config(OPEN)
class StageRecord(TypedDict):
    """``record.json`` of a model folder: of a stage, or of a model that can be served."""

    format: NotRequired[int]
    config: NotRequired[dict[str, dict[str, Any]]]
    settings: NotRequired[MadeFrom]
    training: NotRequired[Training]
    preset: NotRequired[str]
    seed: NotRequired[Annotated[int, Field(ge=0, lt=1 << 32)]]
    split: NotRequired[str | None]
    ensemble: NotRequired[Literal["auto", "none"]]
    ensemble_id: NotRequired[str | None]
    domain: NotRequired[str]
    encoders: NotRequired[tuple[str | None, str | None, str]]
    features: NotRequired[str | None]
    columns: NotRequired[dict[str, str] | None]
    item_counts: NotRequired[list[Count] | None]
    trained_on: NotRequired[list[tuple[str, str | None]]]


@with_config(CLOSED)
class EnsemblePart(TypedDict):
    """A candidate part of a score ensemble; it is stored if its weight is above 0."""

    kind: Literal["msm4sr", "ids", "text", "image", "item_knn", "sequential_rules", "bert_knn"]
    settings: dict[str, Any]
    weight: Annotated[float, Field(ge=0, le=1_000_000)]
    validation_ndcg_10: Number


@with_config(CLOSED)
class EnsembleRecord(TypedDict):
    """``ensemble.json`` of a run folder or model folder."""

    format: Literal[1]
    made_from: str
    model: str
    validation_ndcg_10: Number
    parts: dict[Annotated[str, Field(pattern="^[a-z0-9_]+$")], EnsemblePart]


@with_config(OPEN)
class KeywordRecord(TypedDict):
    """How keywords were made; empty if there are no images."""

    clip: NotRequired[str]
    prompt: NotRequired[str]
    n_keywords: NotRequired[Annotated[int, Field(ge=1)]]
    max_images: NotRequired[Count]
    threshold: NotRequired[Number]
    diversity: NotRequired[Number]


@with_config(OPEN)
class FeatureManifest(TypedDict):
    """``manifest.json`` of a feature folder."""

    format: Literal[3]
    width: Annotated[int, Field(ge=1)]
    text_encoder: NotRequired[dict[str, Any]]
    keywords: NotRequired[KeywordRecord]
    content: NotRequired[str]
    max_sentences: NotRequired[Annotated[int, Field(ge=1)]]
    image_slots: NotRequired[Literal["images", "keywords"]]
    text_units: NotRequired[Literal["sentences", "whole"]]


_LOG_LINE = {
    "epoch": Annotated[int, Field(ge=1)],
    "step": Count,
    "loss": Number,
    "parts": dict[str, Number],
    "recall@20": Number | None,
    "best": bool,
    "targets": Count,
    "seconds": Annotated[Number, Field(ge=0)],
}
LogLine = with_config(CLOSED)(TypedDict("LogLine", _LOG_LINE))  # type: ignore[operator]


@with_config(OPEN)
class Access(TypedDict):
    """An entry of ``access_log.json``."""

    when: str


@with_config(OPEN)
class ChosenSettings(TypedDict):
    """The settings of one model in ``configs.json``."""

    settings: dict[str, Any]


def read_json(path: Path, kind: Any = Any, remedy: str = "delete it or restore a copy") -> Any:
    """Return the content of a JSON file.

    Parameters
    ----------
    path
        The file.
    kind
        The type that the content must have.
    remedy
        What to do if it cannot be used, for the message.

    Raises
    ------
    UserError
        If the file cannot be read, is not JSON, or its content has another type.
    """
    with reading(path, remedy):
        if path.stat().st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST} bytes")
        return parse_json(path.read_bytes(), kind)


def parse_json(text: bytes | str, kind: Any = Any) -> Any:
    """Return the content of a JSON text; ``ValueError`` says where it has another type."""
    try:
        return _adapter(kind).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
