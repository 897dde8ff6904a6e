"""MSM4SR as an estimator: settings, what is trained on, resuming, evaluation, saving."""

import json
import shutil

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

from msm4sr_lite import MSM4SR, UserError


def weights(model):
    return model._model.net.state_dict()


def assert_same_weights(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


class TestSettings:
    def test_nested_settings_reach_their_section(self):
        model = MSM4SR(preset="tuned", pretrain__epochs=20, finetune__lr=1e-3)
        assert model.config.pretrain.epochs == 20
        assert model.config.finetune.lr == 1e-3
        assert model.config.model.experts == 1  # the preset's

    def test_a_misspelt_setting_is_answered_with_the_nearest_one(self):
        with pytest.raises(UserError, match=r"pretrain.epoch.*did you mean 'pretrain.epochs'"):
            MSM4SR(pretrain__epoch=3)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"preset": "best"}, "preset must be one of paper, tuned, authors"),
            ({"model__feature_dim": 5}, "set by the data"),
            ({"pretrain__lr": -1.0}, "pretrain.lr must be"),
            ({"device": "tpu"}, "device"),
        ],
    )
    def test_what_is_wrong_is_named_at_once_or_at_fit(self, settings, message):
        with pytest.raises(UserError, match=message):
            MSM4SR(**settings).fit(dataset(), features=feature_table())

    def test_get_params_makes_an_equal_model(self):
        model = MSM4SR(preset="tuned", seed=4, data__n_test=2)
        assert MSM4SR(**model.get_params()).config == model.config
        assert model.get_params(deep=False).keys() >= {"preset", "seed", "device"}

    def test_it_is_shown_with_the_settings_given(self):
        model = MSM4SR("tuned", seed=3, pretrain__epochs=2)
        assert repr(model) == "MSM4SR(preset='tuned', seed=3, pretrain__epochs=2)"

    def test_set_params_changes_settings_and_forgets_what_was_learnt(self):
        model = fitted().set_params(seed=5, finetune__lr=0.01)
        assert (model.seed, model.config.finetune.lr) == (5, 0.01)
        assert model.config.pretrain.epochs == SMALL["pretrain__epochs"]
        with pytest.raises(UserError, match="not fitted"):
            model.evaluate()


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

    def test_with_no_split_every_interaction_counts_and_evaluate_refuses(self):
        model = fitted(split=None)
        assert model._model.item_counts.sum() == len(interaction_frame())
        for part in ("valid", "test"):
            with pytest.raises(UserError, match=r"every interaction.*nothing is held out"):
                model.evaluate(part=part)

    def test_a_split_by_time_holds_out_everything_after_a_date(self):
        model = fitted(split="time", settings={"data__test_share": 0.2})
        frame = interaction_frame()
        date = frame["timestamp"].quantile(0.6)
        assert model._model.item_counts.sum() == (frame["timestamp"] < date).sum()

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
        assert "also trained with other interactions" in str(model.evaluate())

    def test_the_setting_of_the_split_is_obeyed(self):
        model = fitted(settings={"data__split": "time", "data__test_share": 0.2})
        assert model.evaluate().protocol["split"].startswith("by time")

    def test_without_a_validation_part_evaluate_says_so(self):
        frame = interaction_frame()
        place = frame.groupby("user_id").cumcount()
        frame["part"] = np.where(place < 7, "train", "test")
        model = fitted(dataset(frame), split="part")
        with pytest.raises(UserError, match="no held-out interactions in the part 'valid'"):
            model.evaluate()
        assert model.evaluate(part="test")["recall@50"] == 1.0

    def test_features_that_do_not_fit_the_texts_are_refused(self):
        items = item_frame()
        items.loc[3, "description"] = "One more sentence."
        with pytest.raises(UserError, match=r"does not fit toys.*text has changed"):
            fitted(dataset(items=items))
        with pytest.raises(UserError, match="does not fit toys"):
            fitted(dataset(items=item_frame(31)))

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
    def test_a_stopped_fit_resumes_to_the_same_weights(self, tmp_path):
        settings = {"pretrain__epochs": 3, "finetune__epochs": 3}
        whole = fitted(settings=settings)
        steps = []

        def stop(record):
            steps.append(record)
            if len(steps) == 7:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fitted(settings=settings, run_dir=tmp_path, callback=stop)
        assert_same_weights(fitted(settings=settings, run_dir=tmp_path), whole)

    def test_what_is_finished_is_not_made_again(self, tmp_path):
        fitted(run_dir=tmp_path)
        records = []
        fitted(run_dir=tmp_path, callback=records.append)
        assert records == []
        fitted(run_dir=tmp_path, callback=records.append, settings={"finetune__lr": 0.01})
        assert {len(record.parts) for record in records if record.recall is None} == {1}

    def test_the_stages_one_by_one_are_the_whole(self, tmp_path):
        stages = MSM4SR(seed=3, **SMALL)
        options = {"features": feature_table(), "run_dir": tmp_path}
        stages.pretrain(dataset(), **options)
        stages.finetune(dataset(), **options)
        assert_same_weights(stages, fitted())

    def test_fine_tuning_needs_something_to_start_from(self, tmp_path):
        with pytest.raises(UserError, match="nothing to fine-tune"):
            MSM4SR(**SMALL).finetune(dataset(), features=feature_table(), run_dir=tmp_path)

    def test_the_test_part_is_entered_in_the_access_log(self, tmp_path):
        model = fitted(run_dir=tmp_path)
        model.evaluate()
        assert not (tmp_path / "access_log.json").exists()
        model.evaluate(part="test")
        model.evaluate(part="test")
        assert len(json.loads((tmp_path / "access_log.json").read_text())) == 1

    @pytest.mark.parametrize("budget", ["60", -1, 0, float("nan"), True])
    def test_a_time_budget_that_is_none_is_refused(self, budget):
        with pytest.raises(UserError, match="time_budget must be a positive number"):
            fitted(time_budget=budget)

    def test_a_time_budget_keeps_the_best_settings(self, tmp_path):
        model = fitted(run_dir=tmp_path, time_budget=3)
        assert len(list((tmp_path / "tuning").iterdir())) >= 1
        record = json.loads((tmp_path / "finetuned" / "record.json").read_text())
        assert record["config"]["finetune"] == json.loads(
            json.dumps(vars(model._model.config.finetune))
        )


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved model; copy it before changing it."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    fitted().save_pretrained(folder)
    return folder


class TestSavedModel:
    def test_it_holds_no_user_ids_and_no_interactions(self, tmp_path):
        fitted().save_pretrained(tmp_path / "model")
        for path in (tmp_path / "model").rglob("*"):
            if path.is_file():
                assert b"user1" not in path.read_bytes(), path

    def test_it_recommends_as_before(self, tmp_path):
        model = fitted()
        model.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        assert loaded.recommend(items=["item1", "item2"]).equals(
            model.recommend(items=["item1", "item2"])
        )
        assert loaded.recommend(data=dataset()).equals(model.recommend())
        assert loaded.get_params()["pretrain__batch_size"] == 64
        assert loaded.evaluate(dataset()).models == model.evaluate().models

    def test_it_needs_data_or_items(self, tmp_path):
        fitted().save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        with pytest.raises(UserError, match=r"holds no interactions; give data="):
            loaded.recommend(["user1"])

    def test_its_encoders_and_settings_are_kept(self, tmp_path):
        settings = {"text_encoder": "some/encoder", "dictionary": "texts", "data__n_test": 2}
        fitted(settings=settings).save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        assert (loaded.text_encoder, loaded.dictionary) == ("some/encoder", "texts")
        assert loaded.get_params(deep=False)["data__n_test"] == 2
        assert MSM4SR(**loaded.get_params(deep=False)).config == loaded.config

    def test_it_replaces_a_model_but_nothing_else(self, tmp_path):
        model = fitted()
        model.save_pretrained(tmp_path / "model")
        model.save_pretrained(tmp_path / "model")
        (tmp_path / "notes").mkdir()
        (tmp_path / "notes" / "mine.txt").write_text("keep me")
        with pytest.raises(UserError, match="not a model folder"):
            model.save_pretrained(tmp_path / "notes")
        assert (tmp_path / "notes" / "mine.txt").read_text() == "keep me"

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

    @pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"x"])
    @pytest.mark.parametrize(
        "name", ["config.json", "items.json", "record.json", "model.safetensors"]
    )
    def test_a_damaged_file_is_one_line(self, tmp_path, saved, name, content):
        shutil.copytree(saved, tmp_path / "model")
        (tmp_path / "model" / name).write_bytes(content)
        with pytest.raises(UserError):
            MSM4SR.from_pretrained(tmp_path / "model")

    def test_the_order_of_the_item_table_does_not_matter(self):
        model = fitted()
        other = dataset(items=item_frame().iloc[::-1])
        assert model.evaluate(other).models == model.evaluate().models
        assert model.evaluate(other).notes == []

    def test_features_of_another_text_encoder_are_refused(self, tmp_path):
        table = feature_table()
        table.manifest["text_encoder"] = {"name": "one", "weights": "a", "pooling": "mean"}
        model = fitted(features=table)
        model.save_pretrained(tmp_path / "model")
        path = tmp_path / "model" / "features" / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["text_encoder"]["weights"] = "b"
        path.write_text(json.dumps(manifest))
        with pytest.raises(UserError, match="differs from that of its training in weights"):
            MSM4SR.from_pretrained(tmp_path / "model")

    def test_a_folder_without_a_model_is_named(self, tmp_path):
        with pytest.raises(UserError, match="no trained model in this folder"):
            MSM4SR.from_pretrained(tmp_path)
