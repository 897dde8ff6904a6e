# %% [markdown]
# # The cold-item maker
#
# The panel of notebook 08 with the pre-trained model, so that nothing has to be trained first.

# %%
from course import (
    choice,
    entry,
    explain_missing_encoder,
    find_encoder,
    panel,
    setup,
)
from course.cold_items import ColdItemMaker, NewItemScorer

from msm4sr_lite import (
    Dataset,
    build_sequences,
    load_checkpoint,
)
from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.features.table_files import load_feature_table, read_keywords
from msm4sr_lite.scoring import ModelScorer

session = setup("98")
folder = session.samples / "corner_shop"
dataset = Dataset.from_folder(folder, domain="home")
model, items = load_checkpoint(folder / "states" / "home_pretrained")
table = load_feature_table(folder / "features").for_items(items)
sequences = build_sequences(dataset.interactions, items[1:])
new_items = NewItemScorer(ModelScorer(model, table), table, sequences, ItemKNN(sequences))
maker = ColdItemMaker(new_items, dataset, read_keywords(folder / "features"))
encoder = find_encoder()


def make(image, text, other):
    if other and encoder is None:
        return explain_missing_encoder()
    sentence = (other, encoder.encode([other])) if other else None
    none = {"no image": None, "no text": None}
    return maker.draw(none.get(text, text), none.get(image, image), sentence)


panel(
    make,
    choice("image", ["h0007", "h0010", "no image"], label="image"),
    choice("text", ["h0012", "h0033", "no text"], label="text"),
    entry("other", "", label="or another text"),
    title="cold-item maker",
    static=[{}],
)
