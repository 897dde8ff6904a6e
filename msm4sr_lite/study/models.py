"""The baselines and models that a study compares, with a grid of settings for each.

A grid has at most four points, and all trained models have the same training budget. Only
validation interactions decide which point is used.
"""

from dataclasses import replace
from importlib.util import find_spec

from msm4sr_lite.baselines import SASRec, SummedFeatures
from msm4sr_lite.baselines.ease import fits_memory
from msm4sr_lite.baselines.esasrec import ESASRec
from msm4sr_lite.baselines.simple import NEIGHBOURS, RULES, WHITENED, grid
from msm4sr_lite.config import MANY_CLASSES
from msm4sr_lite.presets import UNISREC
from msm4sr_lite.study.specs import (
    ONE,
    BaselineSpec,
    EnsembleSpec,
    ModelSpec,
    ProductSpec,
    Spec,
    StudyData,
)

DECAYS = grid(decay=[0.5, 0.8, 0.95, 1.0])
EASE = grid(l2=[100, 500], decay=[0.6, 0.9])
GEOMETRY = grid(features__whitening=["none", "pca"], finetune__lr=[1e-3, 3e-4])
IDS = grid(finetune__lr=[1e-3, 3e-4], model__hidden_dropout=[0.2, 0.5])


ALONE = {"model.modalities": "text"}
TEXT, TFIDF, FEATURES = ("text",), ("text", "sklearn"), ("features",)
ITEM_KNN = BaselineSpec("item_knn", NEIGHBOURS)
EASE_SPEC = BaselineSpec("ease", EASE, ("pairs",))
RULES_SPEC = BaselineSpec("sequential_rules", RULES)
TFIDF_KNN = BaselineSpec("tfidf_knn", DECAYS, TFIDF)
SASREC = ModelSpec(IDS, build=SASRec, pretrains=False)
TUNED = ModelSpec(preset="tuned", needs=FEATURES)
MODELS: dict[str, Spec] = {
    "popularity": BaselineSpec("popularity"),
    "item_knn": ITEM_KNN,
    "ease": EASE_SPEC,
    "sequential_rules": RULES_SPEC,
    "tfidf_knn": TFIDF_KNN,
    "bert_knn": BaselineSpec("bert_knn", WHITENED, TEXT),
    "item_knn+tfidf": EnsembleSpec(
        ONE, needs=TFIDF, parts={"item_knn": ITEM_KNN, "tfidf_knn": TFIDF_KNN}
    ),
    # Not next to msm4sr_tuned: both start from the same pre-training. If neighbours are trained at
    # the same time, the second would wait for the first.
    "item_knn+msm4sr_tuned": EnsembleSpec(
        needs=FEATURES, parts={"item_knn": ITEM_KNN, "msm4sr_tuned": TUNED}
    ),
    # Sampled negatives for large catalogues, exact softmax for others; then always one of them.
    "sasrec": SASREC,
    "sasrec_exact": replace(SASREC, settings={"finetune.n_negatives": 0}, needs=("many items",)),
    "sasrec_sampled": replace(SASREC, settings={"finetune.n_negatives": 256}),
    "esasrec": replace(SASREC, build=ESASRec),
    # Everything that item ids tell, for data without texts and images.
    "ids_ensemble": EnsembleSpec(
        IDS,
        needs=("pairs",),
        parts={
            "item_knn": ITEM_KNN,
            "ease": replace(EASE_SPEC, grid=EASE[:2]),  # two matrices fewer in memory
            "sequential_rules": RULES_SPEC,
            "sasrec": SASREC,
        },
    ),
    "unisrec": ModelSpec(GEOMETRY, settings=UNISREC | ALONE, pretrains=False, needs=TEXT),
    "text": ModelSpec(settings=ALONE, pretrains=False, needs=TEXT),
    "image": ModelSpec(settings={"model.modalities": "image"}, pretrains=False, needs=("image",)),
    "text+image": ModelSpec(build=SummedFeatures, pretrains=False, needs=("text", "image")),
    "authors": ModelSpec(ONE, "authors", needs=FEATURES),
    "msm4sr": ModelSpec(needs=FEATURES),
    "msm4sr_tuned": TUNED,
    # With the settings of the preset, so nothing is chosen but the weights.
    "ensemble": ProductSpec(ONE, preset="tuned", needs=FEATURES),
}
QUICK_MODELS = ["popularity", "item_knn", "sequential_rules", "tfidf_knn", "item_knn+tfidf"]
QUICK_MODELS += ["sasrec", "text+image", "msm4sr"]


def missing_needs(spec: Spec, data: StudyData) -> list[str]:
    """Return the reasons why a model cannot run on a dataset; empty if it can."""
    known = {
        "text": (data.table.text.counts.any(), "the dataset has no text"),
        "image": (data.table.image.counts.any(), "the dataset has no image"),
        "features": (data.table.described(), "the dataset has neither text nor image"),
        "many items": (data.sequences.n_items > MANY_CLASSES, "sasrec has an exact softmax, too"),
        "pairs": (fits_memory(data.sequences.n_items + 1), "all pairs of items need more memory"),
        "sklearn": (find_spec("sklearn"), 'needs scikit-learn (pip install "msm4sr_lite[course]")'),
    }
    return [why for need, (there, why) in known.items() if need in spec.needs and not there]
