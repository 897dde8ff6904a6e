# ---
# jupyter:
#   msm4sr:
#     title: Questions
#     minutes: 1
# ---

# %% [markdown]
# # Questions
#
# Not a lesson: predictions and a quiz, for the tests.

# %%
import sys
from types import SimpleNamespace

from course import number, order, pick, predict, quiz, reveal, setup
from course.quiz import Question

session = setup("05")

# %% [markdown]
# ## Predictions

# %%
predict("98.share", "Which share of the items has `no text`?", number(0, 100, "%"))
predict("98.which", "Which modality helps more?", pick("the text", "the image", "both alike"))
predict(
    "98.row", "Which has the highest NDCG@10? Best first.", order("popularity", "ItemKNN", "M²SE")
)

# %%
first = "first" not in globals()
if not first:
    reveal("98.share", 44.4, close=5)
    reveal("98.which", "the image")
    reveal("98.row", ["M²SE", "ItemKNN", "popularity"])

# %% [markdown]
# ## Quiz

# %%
QUIZ = (
    Question(
        "What does `softmax(x)` do with padding, masked by minus infinity, in one long question?",
        (("It ignores it.", "Its share is 0."), ("It shares.", "That is without a mask.")),
    ),
    Question("Which is larger?", (("one", "It is."), ("none", "Look again."))),
)
sys.modules["course.exercises.nb98"] = SimpleNamespace(QUIZ=QUIZ)
quiz("98")
