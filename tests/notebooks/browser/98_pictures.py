# ---
# jupyter:
#   msm4sr:
#     title: Pictures at work
#     minutes: 1
# ---

# %% [markdown]
# # Pictures at work
#
# Not a lesson: items chosen by picture, and a slider that redraws while it is dragged.

# %%
from course import escape, item_pictures, panel, picture_choice, setup, slider

from msm4sr_lite import Dataset

session = setup("98")
dataset = Dataset.from_folder(session.samples / "corner_shop", domain="home")
items = list(dataset.items)[:24]


# %%
def draw(item, size):
    drawn = f"{dataset.items[item].title or item} {size}"
    bar = f'<div style="background:#0072B2;height:20px;width:{size}%"></div>'
    return f'<p class="says">{escape(drawn)}</p>{bar}', drawn


panel(
    draw,
    picture_choice("item", item_pictures(dataset, items), "h0003", label="item"),
    slider("size", list(range(1, 101)), start=10, live=True),
    title="pictures",
    static=[{}],
)
