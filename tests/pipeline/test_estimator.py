"""MSM4SR as an estimator: what it is trained on, its run folder, and fine-tuning it again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_dataset import (
    SMALL,
    dataset,
    feature_table,
    fitted,
    interaction_frame,
    item_frame,
)

from msm4sr_lite import MSM4SR, Dataset, UserError
from msm4sr_lite.feature_table import make_slots


def weights(model):
    return model._model.net.state_dict()


def assert_same_weights(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


class TestWhatIsTrainedOn:
    def test_held_out_interactions_never_reach_training(self):
        """With other held-out interactions the weights and the item counts stay the same."""
        frame = interaction_frame()
        changed = frame.copy()
        last_two = changed.groupby("user_id").tail(2).index
        for row in last_two:
            seen = set(changed.loc[changed["user_id"] == changed["user_id"][row], "item_id"])
            unseen = next(f"item{i}" for i in range(30) if f"item{i}" not in seen)
            changed.loc[row, "item_id"] = unseen
        assert (changed["item_id"] != frame["item_id"]).sum() == len(last_two)
        one, other = fitted(dataset(frame)), fitted(dataset(changed))
        assert_same_weights(one, other)
        assert one._model.item_counts.tolist() == other._model.item_counts.tolist()
        assert one.evaluate(part="test")["ndcg@10"] != other.evaluate(part="test")["ndcg@10"]

    def test_an_interaction_of_the_training_part_does_reach_it(self):
        frame = interaction_frame()
        changed = frame.copy()
        changed.loc[0, "item_id"] = next(
            f"item{i}" for i in range(30) if f"item{i}" not in set(frame["item_id"][:8])
        )
        one, other = fitted(dataset(frame)), fitted(dataset(changed))
        assert not torch.equal(
            weights(one)["transformer.position.weight"],
            weights(other)["transformer.position.weight"],
        )

    def test_without_images_the_model_reads_texts_alone(self, tmp_path):
        """Otherwise both modalities would be the same, and everything would be computed twice."""
        table = feature_table()
        none = make_slots(np.zeros((0, table.width), np.float16), np.zeros(len(table.items), int))
        model = fitted(features=replace(table, image=none))
        assert model._model.net.modalities == ("text",)
        model.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        assert loaded.get_params()["model__modalities"] == "text"
        assert loaded.recommend(items=["item3"]).equals(model.recommend(items=["item3"]))

    def test_a_dataset_of_ids_alone_is_refused_before_anything_is_computed(self, tmp_path):
        data = Dataset.from_frames(interaction_frame())
        with pytest.raises(UserError, match="no item has a text or an image, from which MSM4SR"):
            MSM4SR(**SMALL).fit(data, run_dir=tmp_path / "run")
        with pytest.raises(UserError, match="features: frames has neither texts nor images"):
            MSM4SR(**SMALL).fit(data, features=feature_table())
        assert not (tmp_path / "run" / "features").exists()

    def test_with_no_split_every_interaction_counts_and_evaluate_refuses(self):
        model = fitted(split=None)
        assert model._model.item_counts.sum() == len(interaction_frame())
        for part in ("valid", "test"):
            with pytest.raises(UserError, match=r"every interaction.*nothing is held out"):
                model.evaluate(part=part)

    def test_a_split_by_time_holds_out_everything_after_a_date(self):
        frame = interaction_frame()
        frame["timestamp"] *= 7  # one user after another
        with pytest.raises(UserError, match="no validation case is left"):
            fitted(dataset(frame), split="time", settings={"data__test_share": 0.2})
        frame["timestamp"] = np.random.default_rng(0).permutation(len(frame))  # all users at once
        settings = {"data__test_share": 0.2, "data__min_user_interactions": 3}
        model = fitted(dataset(frame), split="time", settings=settings)
        before = frame[frame["timestamp"] < frame["timestamp"].quantile(0.6)]
        per_user = before.groupby("user_id").size()
        assert model._model.item_counts.sum() == per_user[per_user >= 3].sum() < len(before)

    def test_a_split_by_the_user_is_obeyed(self):
        frame = interaction_frame()
        place = frame.groupby("user_id").cumcount()
        frame["part"] = np.select([place < 5, place < 6], ["train", "valid"], "test")
        model = fitted(dataset(frame), split="part")
        assert model._model.item_counts.sum() == 5 * 40
        assert model.evaluate(part="test").protocol["split"] == "as given"

    def test_a_split_by_the_user_against_time_is_refused(self):
        frame = interaction_frame()
        frame["part"] = "train"
        frame.loc[0, "part"] = "test"
        with pytest.raises(UserError, match="'user0' has a train interaction after a later part"):
            fitted(dataset(frame), split="part")

    def test_without_the_column_a_split_by_the_user_is_refused(self):
        with pytest.raises(UserError, match="no column part"):
            fitted(split="part")

    def test_a_model_pretrained_on_every_interaction_is_not_evaluated(self, tmp_path):
        options = {"features": feature_table()}
        model = MSM4SR(seed=3, **SMALL).pretrain(dataset(), split=None, **options)
        model.finetune(dataset(), **options)
        with pytest.raises(UserError, match="nothing is held out"):
            model.evaluate()
        model.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model").finetune(dataset(), **options)
        with pytest.raises(UserError, match="nothing is held out"):
            loaded.evaluate(part="test")

    def test_a_model_pretrained_on_other_interactions_says_so(self):
        model = MSM4SR(seed=3, **SMALL)
        model.pretrain(dataset(interaction_frame(seed=8)), features=feature_table())
        model.finetune(dataset(), features=feature_table())
        assert "also trained on other interactions" in str(model.evaluate())

    def test_the_setting_of_the_split_is_obeyed(self):
        frame = interaction_frame()
        frame["timestamp"] = np.random.default_rng(0).permutation(len(frame))  # users at once
        settings = {
            "data__split": "time",
            "data__test_share": 0.2,
            "data__min_user_interactions": 1,
        }
        model = fitted(dataset(frame), settings=settings)
        assert model.evaluate().protocol["split"].startswith("by time")

    def test_without_a_validation_part_evaluate_says_so(self):
        frame = interaction_frame()
        place = frame.groupby("user_id").cumcount()
        frame["part"] = np.where(place < 7, "train", "test")
        model = fitted(dataset(frame), split="part")
        with pytest.raises(UserError, match="no held-out interactions in the part valid"):
            model.evaluate()
        assert model.evaluate(part="test")["recall@50"] == 1.0

    def test_the_same_seed_gives_the_same_weights_and_another_one_others(self):
        assert_same_weights(fitted(), fitted())
        assert not torch.equal(
            weights(fitted())["transformer.position.weight"],
            weights(fitted(seed=4))["transformer.position.weight"],
        )

    def test_without_pretraining_it_fine_tunes_from_scratch(self):
        model = fitted(settings={"pretrain__epochs": 0})
        assert model.training_["pretrained"] == {}
        assert model.evaluate()["recall@50"] > 0


class TestRunFolder:
    def test_fine_tuning_needs_something_to_start_from(self, tmp_path):
        with pytest.raises(UserError, match="no pre-trained model; pre-train one"):
            MSM4SR(**SMALL).finetune(dataset(), features=feature_table(), run_dir=tmp_path)

    @pytest.mark.parametrize("stage", ["fit", "pretrain", "finetune"])
    def test_it_has_a_name_and_is_not_the_dataset_folder(self, stage, tmp_path):
        data, model = replace(dataset(), folder=tmp_path), MSM4SR(**SMALL)
        for folder, fault in ((tmp_path, "is the dataset folder"), ("", "run_dir must be")):
            with pytest.raises(UserError, match=fault):
                getattr(model, stage)(data, features=feature_table(), run_dir=folder)
        assert list(tmp_path.iterdir()) == []

    def test_the_test_part_is_entered_in_the_access_log(self, tmp_path):
        model = fitted(run_dir=tmp_path)
        model.evaluate()
        assert not (tmp_path / "access_log.json").exists()
        model.evaluate(part="test")
        model.evaluate(part="test")
        assert len(json.loads((tmp_path / "access_log.json").read_text())) == 1


class TestSavedModel:
    def test_it_can_be_fine_tuned_on_another_dataset(self, tmp_path):
        fitted().save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        other = dataset(interaction_frame(seed=8))
        loaded.finetune(other, features=feature_table())
        assert loaded.evaluate()["recall@50"] > 0

    def test_one_with_added_items_can_be_fine_tuned_too(self, tmp_path):
        model = fitted()
        model.add_features(feature_table(32).for_items(["", "item30", "item31"]))
        model.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        loaded.finetune(dataset(items=item_frame(32)), features=feature_table(32))
        assert loaded.evaluate()["recall@50"] == 1.0

    def test_a_run_folder_made_from_a_table_is_complete(self, tmp_path):
        model = fitted(run_dir=tmp_path)
        loaded = MSM4SR.from_pretrained(tmp_path)
        assert loaded.recommend(data=dataset()).equals(model.recommend())

    def test_the_order_of_the_item_table_does_not_matter(self):
        model = fitted()
        other = dataset(items=item_frame().iloc[::-1])
        assert model.evaluate(other).models == model.evaluate().models
        assert model.evaluate(other).notes == []
