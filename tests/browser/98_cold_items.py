# %% [markdown]
# # The cold-item maker
#
# The panel of notebook 08 with the pre-trained model, so that nothing has to be trained first.

# %%
from course import (
    choice,
    entry,
    find_encoder,
    panel,
    setup,
)
from course.cold_items import ColdItemMaker, Shelf

from msm4sr_lite import (
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
shelf = Shelf(ModelScorer(model, table), table, sequences, ItemKNN(sequences))
maker = ColdItemMaker(shelf, dataset, read_keywords(folder / "features"))
encoder = find_encoder()


def make(picture, text, own):
    if own and encoder is None:
        return maker.no_encoder()
    said = (own, encoder.encode([own])) if own else None
    none = {"no picture": None, "no text": None}
    return maker.view(none.get(text, text), none.get(picture, picture), said)


panel(
    make,
    choice("picture", ["h0007", "h0010", "no picture"], label="picture"),
    choice("text", ["h0012", "h0033", "no text"], label="text"),
    entry("own", "", label="or your own words"),
    title="cold-item maker",
    static=[{}],
)
