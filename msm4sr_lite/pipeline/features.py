"""Get the features of a dataset: given ones, those beside its folder, or new ones."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from msm4sr_lite.config import FeatureConfig, UserError
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.feature_table import FeatureTable, no_features
from msm4sr_lite.features.inspection import table_fits
from msm4sr_lite.features.stages import compute_features
from msm4sr_lite.features.table_files import (
    load_feature_table,
    read_dictionary_file,
    read_keywords,
    save_feature_table,
)
from msm4sr_lite.progress import say
from msm4sr_lite.store.run_folder import open_run_folder

DEFAULT = FeatureConfig()


@dataclass(frozen=True)
class Features:
    """A feature table with its keywords and their dictionary, and its folder if it has one."""

    table: FeatureTable
    keywords: dict[str, list[list[str]]] = field(default_factory=dict)
    dictionary: list[str] = field(default_factory=list)
    folder: Path | None = None
    temporary: TemporaryDirectory[str] | None = None  # deleted together with this object

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a feature folder."""
        table = load_feature_table(folder)
        return cls(table, read_keywords(folder), read_dictionary_file(folder), folder)


def find_or_compute_features(
    data: Dataset,
    features: FeatureTable | str | Path | None,
    run_dir: str | Path | None,
    config: FeatureConfig = DEFAULT,
    *,
    device: str = "cpu",
    **encoders: Any,
) -> Features:
    """Return the features given; else those beside the dataset, if they fit it; else new ones.

    A dataset without texts and images has none: an empty table is returned.

    Features beside the dataset folder are used only with the default encoders, dictionary and
    feature settings. New ones are written to ``run_dir``, or to a temporary folder. ``encoders``
    are ``text_encoder``, ``clip`` and ``dictionary`` of ``MSM4SR``.
    """
    if not data.has_content:
        if features is not None:
            raise UserError(f"features: {data.name} has neither texts nor images; leave them out")
        return Features(no_features(["", *data.items]))
    if features is not None:
        given = features if isinstance(features, FeatureTable) else None
        found = Features(given) if given else Features.load(Path(str(features)))
        if not table_fits(data, found.table, images=False):
            raise UserError(
                f"features: {'the table' if given else features} does not fit {data.name}: an item"
                f" is missing, or a text or image has changed; compute keywords and features again"
            )
        if given and run_dir:  # so that from_pretrained finds them in the run folder
            with open_run_folder(Path(run_dir)):
                save_feature_table(Path(run_dir) / "features", given, {})
        return found
    beside = data.folder / "features" if data.folder else None
    plain = config == DEFAULT and set(encoders.values()) <= {None, "visual+texts"}
    if plain and beside and (beside / "manifest.json").is_file():
        found = Features.load(beside)
        if table_fits(data, found.table):
            say(f"features: using those in {beside}")
            return found
        say(f"features: those in {beside} do not fit the dataset; new ones are computed")
    temporary = None if run_dir else TemporaryDirectory(ignore_cleanup_errors=True)
    place = Path(run_dir) if run_dir else Path(temporary.name)  # type: ignore[union-attr]
    compute_features(data, place, config, device=device, **encoders)
    return replace(Features.load(place / "features"), temporary=temporary)
