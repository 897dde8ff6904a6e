"""What each part of the method contributes: paired ablations of long studies, from docs/results."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from course.session import ROOT
from course.style import BLUE, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("sample, both domains", "sample, home", "H&M, real data")
BOTH, HOME, ENSEMBLE = "corner_shop", "corner_shop-home-128", "corner_shop-home-ensemble"
HM, HM_PARTS, HM_TFIDF = "hm_fashion-5core", "hm_fashion-5core-whole", "hm_fashion-5core-tfidf"
_GREY = "#777777"


def _ablation(name: str, *studies: str) -> tuple[str, ...]:
    """Return where the model without a part stands in each study; "" where it was not measured."""
    return tuple(f"{study}/ablations/change/{name}" if study else "" for study in studies)


def _all(name: str, hm: str = HM_PARTS) -> tuple[str, ...]:
    return _ablation(name, BOTH, HOME, hm)


def _two(name: str) -> tuple[str, ...]:
    return _ablation(name, "", HOME, HM_PARTS)


# What is added -> for each column, where a difference stands, and whether it is that of the variant
# with the part (1) or of the one without it (-1).
PARTS: dict[str, tuple[tuple[str, ...], tuple[int, int, int]]] = {
    "score ensemble, against tuned": (
        (
            "",
            f"{ENSEMBLE}/main/change_to_product/msm4sr_tuned",
            f"{HM}/main/change_to_product/msm4sr_tuned",
        ),
        (-1, -1, -1),
    ),
    "tuned instead of paper": (
        tuple(f"{study}/main/change/msm4sr_tuned" for study in (BOTH, HOME, HM)),
        (1, 1, 1),
    ),
    "M²SE, against the sum of text and image": (
        tuple(f"{study}/main/change/text+image" for study in (BOTH, HOME, HM)),
        (-1, -1, -1),
    ),
    "contents, against ids alone (SASRec)": (
        tuple(f"{study}/main/change/sasrec" for study in (BOTH, HOME, HM)),
        (-1, -1, -1),
    ),
    "pre-training": (_all("no pre-training", HM_TFIDF), (-1, -1, -1)),
    "fine-tuning": (_all("no fine-tuning"), (-1, -1, -1)),
    "complementary mixup": (_all("no mixup"), (-1, -1, -1)),
    "CMCL": (_all("no CMCL"), (-1, -1, -1)),
    "NIP": (_two("no NIP"), (-1, -1, -1)),
    "item dropping": (_two("no item dropping"), (-1, -1, -1)),
    "images, added to texts": (_two("no images"), (-1, -1, -1)),
    "texts, added to images": (_two("no text"), (-1, -1, -1)),
    "attention pooling": (_two("mean pooling"), (-1, -1, -1)),
}


class Effect(NamedTuple):
    """A paired difference in NDCG@10; above 0 the part helps."""

    value: float
    low: float
    high: float
    p: float  # after Holm's correction for all comparisons of the study
    detectable: float  # smallest true difference that would be found four times in five

    @property
    def verdict(self) -> str:
        """``helps`` or ``harms`` where the difference is significant, else ``not significant``."""
        if self.p >= 0.05:
            return "not significant"
        return "helps" if self.value > 0 else "harms"


def read_effects() -> dict[str, dict[str, Effect]]:
    """Return each part's effect in each column in which it was measured."""
    return {
        part: {
            column: _effect(place, sign)
            for column, place, sign in zip(COLUMNS, places, signs, strict=True)
            if place
        }
        for part, (places, signs) in PARTS.items()
    }


def read_model(study: str, model: str) -> dict[str, float]:
    """Return NDCG@10 of a model in a study with its interval: ``value``, ``low``, ``high``."""
    found = _file(study, "main")["models"][model]["filter_seen"]["ndcg@10"]
    return {key: found[key] for key in ("value", "low", "high")}


def _effect(place: str, sign: int) -> Effect:
    study, part, *keys = place.split("/")
    found: Any = _file(study, part)
    for key in keys:
        found = found[key]
    found = found["filter_seen"]["ndcg@10"]
    low, high = sorted((sign * found["low"], sign * found["high"]))
    return Effect(sign * found["value"], low, high, found["p_holm"], found["detectable"])


@cache
def _file(study: str, part: str) -> dict[str, Any]:
    path = ROOT / "docs" / "results" / study / f"{part}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def draw_effects(effects: dict[str, dict[str, Effect]]) -> tuple[Figure, str]:
    """Draw all effects with their intervals, a column for each dataset; return figure and alt."""
    import matplotlib.pyplot as plt

    figure, columns = plt.subplots(1, len(COLUMNS), figsize=(11, 5.2), sharey=True)
    styles = {"helps": (BLUE, "o", BLUE), "harms": (VERMILION, "s", VERMILION)}
    parts = [*effects][::-1]
    for axes, column in zip(columns, COLUMNS, strict=True):
        axes.axvline(0, color="black", linewidth=1, linestyle="-")
        for place, part in enumerate(parts):
            if column not in effects[part]:
                axes.text(0.03, place, "not measured", fontsize=9, color=_GREY, va="center")
                continue
            one = effects[part][column]
            colour, marker, face = styles.get(one.verdict, (_GREY, "o", "white"))
            error = [[one.value - one.low], [one.high - one.value]]
            axes.errorbar(
                one.value, place, xerr=error, marker=marker, color=colour, mfc=face, capsize=3
            )
        axes.set(xlim=(-0.07, 0.11), xlabel="gain in NDCG@10")
        axes.set_title(column, fontsize=12)
    columns[0].set(yticks=range(len(parts)), yticklabels=parts)
    figure.suptitle("Above 0: helps. Filled: significant after correction. Open: not.", fontsize=11)
    return figure, " ".join(_describe(effects, column) for column in COLUMNS)


def _describe(effects: dict[str, dict[str, Effect]], column: str) -> str:
    found = {part: of[column] for part, of in effects.items() if column in of}
    said = []
    for verdict in ("helps", "harms"):
        names = [f"{part} ({e.value:+.3f})" for part, e in found.items() if e.verdict == verdict]
        said += [f"{verdict}: {'; '.join(names)}"] if names else []
    said.append(f"{sum(e.verdict == 'not significant' for e in found.values())} not significant")
    return f"{column}: {'. '.join(said)}."
