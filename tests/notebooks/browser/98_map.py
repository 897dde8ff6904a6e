# ---
# jupyter:
#   msm4sr:
#     title: A map at work
#     minutes: 1
# ---

# %% [markdown]
# # A map at work
#
# Not a lesson: 24 made-up items, for the tests of the map explorer.

# %%
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from course import MapView, explore_map, setup
from PIL import Image

from msm4sr_lite.dataset.dataset import Item

course = setup("98")

# %%
folder = Path(mkdtemp())
Image.new("RGB", (40, 40), "teal").save(folder / "teal.png")
items = [Item(f"i{n}", title=f"Thing {n}", images=("teal.png",)) for n in range(24)]
items[1] = Item("i1", title='<img src=x onerror="alert(1)">')
vectors = np.random.default_rng(0).standard_normal((24, 6))
maps = {(n, seed): vectors[:, [n // 4, seed + 2]] for n in (4, 8) for seed in (0, 1)}

# %%
view = MapView(
    maps,
    vectors,
    items,
    folder,
    {"i1": [["red", "<b>round"]]},
    {"half": ["first"] * 12 + ["second"] * 12},
    k=5,
)
explore_map(view, {"item": "i3"}, title="toy map")
