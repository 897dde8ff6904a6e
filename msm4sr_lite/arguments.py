"""Arguments of functions and commands that are no setting: type, range and choices of each."""

from msm4sr_lite.config import COUNT, FEW, MANY
from msm4sr_lite.presets import PRESETS
from msm4sr_lite.settings import SettingField

# name -> its declaration; ``ARGUMENTS["k"].check(k)`` returns k or raises ``UserError``
ARGUMENTS = {
    one.name: one
    for one in (
        # A seed is what all random generators accept.
        SettingField("seed", int, limits=f">= 0 and <= {2**32 - 1}"),
        SettingField("preset", str, choices=tuple(PRESETS)),
        SettingField("ensemble", str, choices=("auto", "none")),
        SettingField("device", str, choices=("auto", "cpu", "cuda")),
        SettingField("text_encoder", str),
        SettingField("clip", str),
        SettingField("dictionary", str),
        SettingField("k", int, limits=MANY),
        SettingField("part", str, choices=("valid", "test")),
        SettingField("filter_seen", bool),
        SettingField("keywords", bool),
        SettingField("on_unknown_user", str, choices=("popular", "error", "skip")),
        SettingField("time_budget", float, limits="> 0 and <= 1000000000"),
        SettingField("workers", int, limits=FEW),
        SettingField("n_seeds", int, limits=FEW),
        SettingField("jobs", int, limits=FEW),
        SettingField("n_test", int, limits=COUNT),
        SettingField("min_rating", float, limits=">= -1000000000 and <= 1000000000"),
        SettingField("decay", float, limits=">= 0 and <= 1"),
        SettingField("steps", int, limits=MANY),
        SettingField("weight", float, limits=">= 0 and <= 1000000"),
        SettingField("shrinkage", float, limits=">= 0 and <= 1000000"),
        SettingField("l2", float, limits=">= 0.01 and <= 1000000000"),
    )
}
