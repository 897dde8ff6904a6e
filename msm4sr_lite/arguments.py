"""Arguments of functions and commands that are no setting: type, range and choices of each."""

from msm4sr_lite.config import COUNT, FEW, MANY, PRESETS
from msm4sr_lite.settings import SettingField


def _argument(
    name: str, type: type, limits: str = "", choices: tuple[str, ...] = ()
) -> SettingField:
    return SettingField(name, type, None, "", "", choices, limits)


# name -> its declaration; ``ARGUMENTS["k"].check(k)`` returns k or raises ``UserError``
ARGUMENTS = {
    one.name: one
    for one in (
        _argument("seed", int, f">= 0 and <= {2**32 - 1}"),  # what all random generators accept
        _argument("preset", str, choices=tuple(PRESETS)),
        _argument("device", str, choices=("auto", "cpu", "cuda")),
        _argument("text_encoder", str),
        _argument("clip", str),
        _argument("dictionary", str),
        _argument("k", int, MANY),
        _argument("part", str, choices=("valid", "test")),
        _argument("filter_seen", bool),
        _argument("keywords", bool),
        _argument("on_unknown_user", str, choices=("popular", "error", "skip")),
        _argument("time_budget", float, "> 0 and <= 1000000000"),
        _argument("workers", int, FEW),
        _argument("n_seeds", int, FEW),
        _argument("jobs", int, FEW),
        _argument("n_test", int, COUNT),
        _argument("min_rating", float, ">= -1000000000 and <= 1000000000"),
        _argument("decay", float, ">= 0 and <= 1"),
        _argument("steps", int, MANY),
        _argument("weight", float, ">= 0 and <= 1000000"),
    )
}
