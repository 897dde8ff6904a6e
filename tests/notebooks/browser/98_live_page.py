# %% [markdown]
# # The live page, below a cell

# %%
from course import live_page, setup

session = setup("98")
live_page()
