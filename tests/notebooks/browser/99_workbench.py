# ---
# jupyter:
#   msm4sr:
#     title: The tools at work
#     minutes: 2
# ---

# %% [markdown]
# # The tools at work
#
# Not a lesson: this notebook uses every tool of the course once, for the tests.

# %%
import matplotlib.pyplot as plt
import numpy as np
from course import (
    check,
    choice,
    entry,
    escape,
    hint,
    machine_report,
    panel,
    setup,
    show,
    show_images,
    slider,
    source,
    toggle,
)
from PIL import Image, ImageDraw

from msm4sr_lite.config import UserError
from msm4sr_lite.store.files import write_json

course = setup("99")

# %% [markdown]
# ## A figure
#
# **Predict:** where does the curve cross one half?

# %% [markdown] tags=["solution"]
# At $x = 0$, whatever the temperature.

# %%
x = np.linspace(-4, 4, 81)


def draw(temperature, shape, marked):
    y = 1 / (1 + np.exp(-x / temperature))
    if shape == "step":
        y = np.round(y)
    figure, axes = plt.subplots(figsize=(6, 3))
    axes.plot(x, y)
    if marked:
        axes.plot(0, 0.5, "s")
    axes.set(xlabel="score", ylabel="probability", ylim=(-0.05, 1.05))
    axes.set_title("A low temperature makes the curve steep")
    rise = np.sum((y > 0.1) & (y < 0.9))
    return figure, f"A {shape} curve; {rise} of 81 points lie between 0.1 and 0.9."


show(*draw(1.0, "smooth", True), caption="The logistic curve.")

# %% [markdown]
# ## Images

# %%
drawn = []
for colour in ("firebrick", "teal"):
    image = Image.new("RGB", (96, 96), "white")
    ImageDraw.Draw(image).ellipse((16, 16, 80, 80), fill=colour)
    drawn.append(image)
titles = ["a red <ball>", "a teal ball", "sold out 🎾"]
words = [["red", "round"], ["teal", "round"], []]
show_images([*drawn, None], titles, words, caption="Three balls.")

# %% [markdown]
# ## A panel

# %%
panel(
    draw,
    slider("temperature", [0.1, 0.3, 1.0, 3.0], start=1.0),
    choice("shape", ["smooth", "step"]),
    toggle("marked", start=True, label="mark the middle"),
    title="Steepness",
    static=[{"temperature": 0.1}, {"temperature": 3.0}],
)

# %%
panel(
    lambda number, word: (f"<p>{escape(word)} {number}</p>", f"{word} {number}"),
    slider("number", list(range(20)), start=5),
    entry("word", start="<b>ten</b>"),
    title="Text alone",
    static=[{}],
)

# %% [markdown]
# ## Source and machine

# %%
source(write_json)
source(UserError)

# %% tags=["nbval-ignore-output"]
# Not compared: the facts of this machine.
machine_report()

# %% [markdown]
# ## An exercise

# %% tags=["exercise"]
check("00.most_popular", ...)

# %%
hint("00.most_popular")

# %% tags=["nbval-raises-exception"]
raise UserError("a number was expected; got None; write 3")

# %% tags=["nbval-skip"]
# Not compared: it is never run.
print("hours on a GPU")
