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
from course.microscope import microscope

session = setup("98")

# %%
dice = np.random.default_rng(0)
ranks = {
    (name, masked): np.minimum(399, dice.geometric(chance, 1200) - masked + 1)
    for name, chance in (("good", 0.05), ("poor", 0.01))
    for masked in (False, True)
}
others = {masked: np.full(1200, 399) for masked in (False, True)}
panel(
    microscope(ranks, others, cutoffs=(1, 10, 50)),
    slider("k", [1, 10, 50], start=10, label="K"),
    choice("candidates", ["all items", "100 drawn"], label="candidates"),
    toggle("masked", False, label="history masked"),
    title="metric microscope",
    static=[{}],
)
