# ---
# jupyter:
#   msm4sr:
#     title: Microscope
# ---

# %% [markdown]
# # The metric microscope with ranks that are made up

# %%
import numpy as np
from course import (
    choice,
    panel,
    setup,
    slider,
    toggle,
)
from course.microscope import compare_protocols

session = setup("98")

# %%
rng = np.random.default_rng(0)
ranks = {
    (name, filtered): np.minimum(399, rng.geometric(chance, 1200) - filtered + 1)
    for name, chance in (("good", 0.05), ("poor", 0.01))
    for filtered in (False, True)
}
others = {filtered: np.full(1200, 399) for filtered in (False, True)}
panel(
    compare_protocols(ranks, others, cutoffs=(1, 10, 50)),
    slider("k", [1, 10, 50], start=10, label="K"),
    choice("candidates", ["all items", "100 drawn"], label="candidates"),
    toggle("filtered", False, label="seen items filtered"),
    title="metric microscope",
    static=[{}],
)
