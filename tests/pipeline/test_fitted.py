"""Settings of the estimator, in the manner of scikit-learn, and those of a saved one."""

from functools import partial

import pytest
from small_dataset import (
    SMALL,
    dataset,
    feature_table,
    fitted,
    interaction_frame,
    item_frame,
)

from msm4sr_lite import MSM4SR, UserError


def test_nested_settings_reach_their_section():
    model = MSM4SR(preset="tuned", pretrain__epochs=20, finetune__lr=1e-3)
    assert model.config.pretrain.epochs == 20
    assert model.config.finetune.lr == 1e-3
    assert model.config.model.experts == 1  # the preset's


def test_a_misspelt_setting_is_answered_with_the_nearest_one():
    with pytest.raises(UserError, match=r"pretrain.epoch.*did you mean 'pretrain.epochs'"):
        MSM4SR(pretrain__epoch=3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "best"}, "preset must be one of paper, tuned, authors"),
        ({"model__feature_dim": 5}, "set by the data"),
        ({"pretrain__lr": -1.0}, "pretrain.lr must be"),
        ({"device": "tpu"}, "device"),
        ({"text_encoder": ""}, "text_encoder: '' has an empty name in it"),
        ({"clip": " "}, "clip: ' ' has an empty name"),
        ({"dictionary": ""}, "dictionary: '' has an empty name"),
        ({"dictionary": "a+"}, r"dictionary: 'a\+' has an empty name"),
        ({"dictionary": None}, "dictionary must be"),
        *(
            ({"features__prompt": prompt}, "prompt needs {} as keyword")
            for prompt in ("a {} {", "a {} }", "{a}", "{{}}", "a {}|b", "a {}|", "a {}|{} {")
        ),
    ],
)
def test_what_is_wrong_is_named_at_once_or_at_fit(settings, message):
    with pytest.raises(UserError, match=message):
        MSM4SR(**settings).fit(dataset(), features=feature_table())


def test_get_params_makes_an_equal_model():
    model = MSM4SR(preset="tuned", seed=4, data__n_test=2)
    assert MSM4SR(**model.get_params()).config == model.config
    assert model.get_params(deep=False).keys() >= {"preset", "seed", "device"}


def test_it_is_shown_with_the_settings_given():
    model = MSM4SR("tuned", seed=3, pretrain__epochs=2)
    assert repr(model) == "MSM4SR(preset='tuned', seed=3, pretrain__epochs=2)"


def test_set_params_changes_settings_and_forgets_what_was_learnt():
    model = fitted().set_params(seed=5, finetune__lr=0.01)
    assert (model.seed, model.config.finetune.lr) == (5, 0.01)
    assert model.config.pretrain.epochs == SMALL["pretrain__epochs"]
    with pytest.raises(UserError, match="not fitted"):
        model.evaluate()


def test_it_needs_data_or_items(tmp_path):
    fitted().save_pretrained(tmp_path / "model")
    loaded = MSM4SR.from_pretrained(tmp_path / "model")
    with pytest.raises(UserError, match=r"holds no interactions; give data="):
        loaded.recommend(["user1"])


def test_its_encoders_and_settings_are_kept(tmp_path):
    settings = {"text_encoder": "some/encoder", "dictionary": "texts", "data__n_test": 2}
    fitted(settings=settings).save_pretrained(tmp_path / "model")
    loaded = MSM4SR.from_pretrained(tmp_path / "model")
    assert (loaded.text_encoder, loaded.dictionary) == ("some/encoder", "texts")
    assert loaded.get_params(deep=False)["data__n_test"] == 2
    assert MSM4SR(**loaded.get_params(deep=False)).config == loaded.config


def test_data_of_another_catalogue_are_refused():
    model, items = fitted(), item_frame()
    items["item_id"] = "x" + items["item_id"]
    interactions = interaction_frame()
    interactions["item_id"] = "x" + interactions["item_id"]
    other = dataset(interactions, items)
    for use in (model.recommend, partial(model.similar_items, "item1")):
        with pytest.raises(UserError, match="no item of toys is in the model"):
            use(data=other)


def test_a_dictionary_file_may_have_a_plus_in_its_name(tmp_path):
    (tmp_path / "c++.txt").write_text("red\n")
    MSM4SR(dictionary=str(tmp_path / "c++.txt"), features__prompt="a {}|{} of {}")
