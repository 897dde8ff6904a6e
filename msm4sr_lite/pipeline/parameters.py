"""How the estimator is made: from settings, in the manner of scikit-learn, or from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from msm4sr_lite.config import (
    FROM_DATA,
    PRESETS,
    Config,
    UserError,
    as_dict,
    flatten,
    with_settings,
)
from msm4sr_lite.pipeline.evaluating import Evaluating
from msm4sr_lite.pipeline.trained_model import TrainedModel

DEFAULTS = {"preset": "paper", "seed": 0, "device": "auto", "text_encoder": None, "clip": None}
DEFAULTS |= {"dictionary": "visual+texts"}


class Parameters(Evaluating):
    """The constructor of ``MSM4SR``, ``get_params``, ``set_params`` and ``from_pretrained``."""

    def __init__(
        self,
        preset: str = "paper",
        *,
        seed: int = 0,
        device: str = "auto",
        text_encoder: str | None = None,
        clip: str | None = None,
        dictionary: str = "visual+texts",
        **settings: Any,
    ) -> None:
        super().__init__()
        self.preset, self.seed, self.device = preset, seed, device
        self.text_encoder, self.clip, self.dictionary = text_encoder, clip, dictionary
        self.settings = settings
        _ = self.config  # refuses unknown settings at once

    def __repr__(self) -> str:
        given = self.get_params(deep=False).items()
        changed = (f"{name}={value!r}" for name, value in given if DEFAULTS.get(name) != value)
        return f"{type(self).__name__}({', '.join(changed)})"

    # ------------------------------------------------------------------ settings

    @property
    def config(self) -> Config:
        """The preset with the settings given."""
        if self.preset not in PRESETS:
            raise UserError(f"preset must be one of {', '.join(PRESETS)}; got {self.preset!r}")
        given = {name.replace("__", ".", 1): value for name, value in self.settings.items()}
        if fixed := [name for name in given if name in FROM_DATA]:
            raise UserError(f"{fixed[0]} is set by the data; leave it out")
        return with_settings(PRESETS[self.preset], given)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return all settings by the constructor's names; without ``deep``, those given."""
        found = {name: getattr(self, name) for name in DEFAULTS} | self.settings
        return found | (_arguments(self.config) if deep else {})

    def set_params(self, **params: Any) -> Self:
        """Change settings; what has been learnt is forgotten."""
        new = type(self)(**{**self.get_params(deep=False), **params})
        self.__dict__.update(new.__dict__)
        return self

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        features: str | Path | None = None,
        device: str = "auto",
    ) -> Self:
        """Load a saved model, or the best model of a run folder.

        A saved model holds no user ids and no interactions: give ``recommend``, ``explain`` and
        ``evaluate`` the histories with ``data=`` or ``items=``.

        Parameters
        ----------
        folder
            What ``save_pretrained`` wrote, or a run folder.
        features
            Feature folder, where the model folder has none.
        device
            Where to compute.
        """
        trained = TrainedModel.load(Path(folder), Path(features) if features else None)
        record = trained.record
        preset = record.get("preset", "paper")
        defaults, known = _arguments(PRESETS[preset]), _arguments(trained.config)
        settings = {name: value for name, value in known.items() if value != defaults[name]}
        encoders = zip(list(DEFAULTS)[3:], record.get("encoders", ()), strict=False)
        model = cls(preset, seed=record.get("seed", 0), device=device, **dict(encoders), **settings)
        is_run_folder = not (Path(folder) / "config.json").is_file()
        model.run_dir = Path(folder) if is_run_folder else None
        model._serve(trained, None, None)
        return model


def _arguments(config: Config) -> dict[str, Any]:
    """Return settings by the names that the constructor takes: ``pretrain__lr``."""
    known = flatten(as_dict(config)).items()
    return {name.replace(".", "__"): value for name, value in known if name not in FROM_DATA}
