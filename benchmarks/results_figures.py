"""What the figures of ``docs/results.md`` show, one per question, and that of the README.

Every study in ``docs/results`` takes part by itself: the parts that it has say in which figures. A
figure is first gathered as plain data and then drawn (``results_drawing``), so a test can tell
whether a committed image shows the committed results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.results_drawing import (
    AMONG_ALL,
    AMONG_NEW,
    DIFFERENCE,
    PRETRAINED,
    SCRATCH,
    SMALL,
    TRAINED,
    UNTRAINED,
    Drawing,
    Panel,
    Point,
)
from benchmarks.study_pages import NAMES, Study

README = {"corner_shop-home-128": "Sample, domain home", "hm_fashion-5core": "H&M, 5-core"}
FEW = 2  # variants of a small study
BOUND = "content bound: best possible with texts and images"
README_MODELS = ("msm4sr_tuned", "msm4sr", "text+image", "sasrec", "item_knn+tfidf", "item_knn")


def kind_of(model: str) -> str:
    """Return the group of a model."""
    if "msm4sr" in model or model in ("authors", "ensemble"):
        return "M²SE"
    scratch = model in ("text", "image", "text+image", "unisrec") or "sasrec" in model
    return TRAINED if scratch else UNTRAINED


def levels(study: Study, models: Iterable[str] = (), title: str = "") -> Panel:
    """Return NDCG@10 of each model of a comparison, and the content bound."""
    result = study.parts["main"]
    rows = {name: own["filter_seen"]["ndcg@10"] for name, own in result["models"].items()}
    shown = [name for name in models or NAMES if name in rows]
    shown += [] if models else [name for name in rows if name not in NAMES]
    points = (point(NAMES.get(name, name), rows[name], kind_of(name)) for name in shown)
    bound = result["upper_bound"].get("content", math.nan)
    return Panel(title or study.title, tuple(points), bound, f"{study.name}/main.json")


def point(name: str, found: dict[str, Any], kind: str = DIFFERENCE, sign: int = 1) -> Point:
    """Return a value of a result; ``sign=-1`` turns a difference round."""
    low, high = sorted((sign * found["low"], sign * found["high"]))
    significant = found.get("p_holm", 0) < 0.05
    return Point(name, sign * found["value"], low, high, kind, significant)


def differences(study: Study, part: str, kind: str = DIFFERENCE) -> dict[str, Point]:
    """Return each model's difference in NDCG@10 to the main model."""
    change = study.parts[part]["change"]
    names: list[str] = [n for n in NAMES if n in change]
    names += [n for n in change if n not in NAMES]
    rows = {n: change[n]["filter_seen"]["ndcg@10"] for n in names}
    return {n: point(NAMES.get(n, n), row, kind) for n, row in rows.items()}


def ablations(studies: list[Study], wanted: Callable[[str], bool]) -> list[Panel]:
    """Return a panel for each dataset.

    Of equal variants the one with most seeds is shown. Studies of few variants are shown beside
    the others, because Holm's correction depends on the number of variants.
    """
    found: dict[str, dict[tuple[str, str], tuple[int, Point, str]]] = {}
    for study in having(studies, "ablations"):
        result = study.parts["ablations"]
        seeds, kind = len(result["seeds"]), SMALL if len(result["change"]) <= FEW else DIFFERENCE
        rows = found.setdefault(study.label, {})
        for name, own in differences(study, "ablations", kind).items():
            if wanted(name) and seeds > rows.get((name, kind), (0,))[0]:
                rows[name, kind] = seeds, own, f"{study.name}/ablations.json"
    return [
        Panel(
            label,
            tuple(own for _, own, _ in rows.values()),
            0.0,
            " ".join({source: "" for *_, source in rows.values()}),
        )
        for label, rows in found.items()
        if rows
    ]


def with_most_seeds(studies: list[Study], variant: str) -> list[Study]:
    """Return for each dataset the study of a variant that has most seeds."""
    found: dict[str, Study] = {}
    for study in having(studies, "ablations"):
        result = study.parts["ablations"]
        known = found.get(study.label)
        fewer = known and len(known.parts["ablations"]["seeds"]) >= len(result["seeds"])
        if variant in result["change"] and not fewer:
            found[study.label] = study
    return list(found.values())


def is_setting(variant: str) -> bool:
    """Return whether a variant changes a number, and not a part of the method."""
    return " = " in variant or variant == "prefix augmentation"


def having(studies: list[Study], part: str) -> list[Study]:
    """Return the studies with a part that compares models."""
    return [s for s in studies if part in s.parts and "models" in s.parts[part]]


def drawings(studies: list[Study]) -> list[Drawing]:
    """Gather all figures; one without a panel is left out."""
    main = having(studies, "main")
    found = [readme(studies)]
    with_bound = [levels(s) for s in main if s.parts["main"]["upper_bound"]]
    found.append(Drawing("sample", tuple(with_bound), "NDCG@10", best(with_bound), BOUND))
    without = [s for s in main if not s.parts["main"]["upper_bound"]]
    ids = [s for s in without if "ids_ensemble" in s.parts["main"]["models"]]
    panels = [levels(s) for s in ids]
    found.append(Drawing("ids", tuple(panels), "NDCG@10", best(panels)))
    real = [
        Panel(s.title, tuple(differences(s, "main").values()), 0.0, f"{s.name}/main.json")
        for s in without
        if s not in ids
    ]
    axis = "difference in NDCG@10 to M²SE, preset paper"
    found.append(Drawing("real_data", tuple(real), axis, significant(real)))
    parts = ablations(studies, lambda name: not is_setting(name))
    axis = "difference in NDCG@10 to the complete model"
    found.append(Drawing("ablations", tuple(parts), axis, significant(parts)))
    settings = ablations(studies, is_setting)
    axis = "difference in NDCG@10 to the preset paper"
    found.append(Drawing("settings", tuple(settings), axis, significant(settings)))
    found += [pretraining(studies), cold(studies), transfer(studies)]
    return [drawing for drawing in found if drawing.panels]


def readme(studies: list[Study]) -> Drawing:
    """Gather the sample beside a real dataset."""
    chosen = [study for study in having(studies, "main") if study.name in README]
    titles = {s.name: f"{README[s.name]}, {len(s.parts['main']['seeds'])} seeds" for s in chosen}
    panels = tuple(levels(study, README_MODELS, titles[study.name]) for study in chosen)
    return Drawing("results", panels, "NDCG@10", all_values(panels), "content bound", height=3.8)


def pretraining(studies: list[Study]) -> Drawing:
    """Gather what pre-training adds, on the same data and on more data."""
    same, more = [], []
    for study in with_most_seeds(studies, "no pre-training"):
        one = differences(study, "ablations")["no pre-training"]
        turned = Point(study.label, -one.value, -one.high, -one.low, full=one.full)
        same.append((turned, f"{study.name}/ablations.json"))
    for study in having(studies, "main"):
        if own := differences(study, "main").get("msm4sr+whole"):
            more.append((Point(study.label, own.value, own.low, own.high, full=own.full), study))
    panels = [
        Panel(
            "On the same data, against no pre-training",
            tuple(one for one, _ in same),
            0.0,
            " ".join(source for _, source in same),
        ),
        Panel(
            "On more data, against the same data",
            tuple(one for one, _ in more),
            0.0,
            " ".join(f"{study.name}/main.json" for _, study in more),
        ),
    ]
    shown = tuple(panel for panel in panels if panel.points)
    return Drawing("pretraining", shown, "gain in NDCG@10", significant(shown))


def cold(studies: list[Study]) -> Drawing:
    """Gather how well items without interactions are found."""
    panels = []
    for study in having(studies, "cold"):
        result, points = study.parts["cold"], []
        upper = {"upper bound: content": "content bound"}
        for name in [n for n in (*upper, *NAMES) if n in result["models"]]:
            label, own = {**upper, **NAMES}[name], result["models"][name]
            points.append(point(label, own["cold_among_cold"]["ndcg@10"], AMONG_NEW))
            points.append(point(label, own["cold_among_all"]["ndcg@10"], AMONG_ALL))
        chance = result["random_ndcg@10"]
        panels.append(Panel(study.title, tuple(points), chance, f"{study.name}/cold.json"))
    alt = best(panels, AMONG_NEW)
    line = "random order of the new items"
    return Drawing("cold", tuple(panels), "NDCG@10 of new items", alt, line)


def transfer(studies: list[Study]) -> Drawing:
    """Gather learning curves on a domain, with and without pre-training on another."""
    panels, words = [], []
    for study in studies:
        shares = study.parts.get("transfer", {}).get("shares", {})
        points = []
        for name, kind in (("pretrained", PRETRAINED), ("scratch", SCRATCH)):
            for own in shares.values():
                value = own[name]["ndcg@10"]
                numbers = value["value"], value["low"], value["high"]
                points.append(Point(kind, *numbers, kind=kind, at=own["users"]))
        if points:
            panels.append(Panel(study.title, tuple(points), source=f"{study.name}/transfer.json"))
            first = next(iter(shares.values()))
            words.append(f"{study.title}: with {first['users']} users {first['ratio']:.1f} times")
    alt = "NDCG@10 against the number of users, pre-trained first and from scratch. Pre-trained"
    alt += f" divided by from scratch. {'; '.join(words)}."
    return Drawing("transfer", tuple(panels), "users trained on", alt)


def best(panels: Sequence[Panel], kind: str = "") -> str:
    """Describe panels of levels for readers who do not see them."""
    words = []
    for panel in panels:
        points = [p for p in panel.points if p.kind == (kind or p.kind) and "bound" not in p.name]
        top = sorted(points, key=lambda p: -p.value)
        bound = "" if kind else bound_of(panel)
        names = ", ".join(f"{one.name} {one.value:.3f}" for one in top[:3])
        words.append(f"{panel.title}{bound}: best are {names}; last is {top[-1].name}.")
    start = "NDCG@10 with 95 % intervals"
    return f"{start} {kind}. {' '.join(words)}" if kind else f"{start}. {' '.join(words)}"


def all_values(panels: Sequence[Panel]) -> str:
    """Describe panels of levels with every value shown."""
    words = []
    for panel in panels:
        values = ", ".join(f"{one.name} {one.value:.3f}" for one in panel.points)
        words.append(f"{panel.title}{bound_of(panel)}: {values}.")
    return f"NDCG@10 with 95 % intervals. {' '.join(words)}"


def bound_of(panel: Panel) -> str:
    """Return the content bound of a panel of levels in brackets, if there is one."""
    return f" (content bound {panel.line:.3f})" if panel.line > 0 else ""


def significant(panels: Sequence[Panel]) -> str:
    """Describe panels of differences for readers who do not see them."""
    words = []
    for panel in panels:
        few = f" ({SMALL})"
        clear = [
            (one.value, one.name + few * (one.kind == SMALL)) for one in panel.points if one.full
        ]
        better = ", ".join(name for value, name in clear if value > 0) or "none"
        worse = ", ".join(name for value, name in clear if value < 0) or "none"
        words.append(f"{panel.title}: significantly better: {better}; worse: {worse}.")
    return f"Differences in NDCG@10 with 95 % intervals. {' '.join(words)}"
