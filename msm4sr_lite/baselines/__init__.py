"""Baselines."""
from dataclasses import dataclass
from typing import Any
@dataclass
class BaselineData:
    sequences: Any
    table: Any
    texts: Any
def fit_baseline(name: str, data: BaselineData, **s: Any) -> Any:
    from msm4sr_lite.baselines.scorers import ItemKNN, Popularity
    return {"popularity": Popularity, "item_knn": ItemKNN}[name](data.sequences)
def require_baselines(names: Any) -> Any: return names
