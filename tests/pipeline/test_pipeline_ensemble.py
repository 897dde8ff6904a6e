"""The score ensemble of a model: chosen on validation, stored, served, explained, refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_dataset import SMALL, dataset, feature_table, fitted, interaction_frame, item_frame

from msm4sr_lite import MSM4SR, UserError, training
from msm4sr_lite.baselines.ensemble import ScoreEnsemble
from msm4sr_lite.baselines.selection import validation_cases
from msm4sr_lite.baselines.simple import mean_embeddings
from msm4sr_lite.evaluation import metrics, target_ranks
from msm4sr_lite.feature_table import make_slots
from msm4sr_lite.pipeline import budget, ensemble
from msm4sr_lite.pipeline.check_run import check_run
from msm4sr_lite.pipeline.stages import Stage, TrainingData
from msm4sr_lite.presets import ENSEMBLES
from msm4sr_lite.store.checkpoints import load_checkpoint
from msm4sr_lite.store.checksums import write_checksums
from msm4sr_lite.store.fingerprint import fingerprint_weights

AUTO = {"ensemble": "auto", "finetune__epochs": 3}
NEW = ["item30", "item31"]


@pytest.fixture(scope="module", autouse=True)
def many_parts():
    """On this dataset whitened texts alone are best; without them every kind of part is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "ALONE", {})
        yield


@pytest.fixture(scope="module")
def run(many_parts, tmp_path_factory):
    """A run folder with an ensemble and a model folder beside it; copy them before a change."""
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    fit_auto(run_dir=folder).save_pretrained(folder.parent / "model")
    return folder


def fit_auto(data=None, *, settings=None, **options):
    return fitted(data, settings={**AUTO, **(settings or {})}, **options)


@pytest.fixture
def model(run):
    """The model of the run, with its data."""
    return fit_auto(run_dir=run)


def parts_of(model):
    return model._model.ensemble.record["parts"]


def ndcg(scorer, sequences):
    ranks = target_ranks(scorer, *validation_cases(sequences), filter_seen=True)
    return metrics(ranks, [10])["ndcg@10"].mean()


class TestChoice:
    def test_the_product_is_never_worse_than_a_part_where_it_was_chosen(self, model):
        record, product = model._model.ensemble.record, model.recommender.scorer
        assert ndcg(product, model._sequences) == pytest.approx(record["validation_ndcg_10"])
        alone = {name: part["validation_ndcg_10"] for name, part in parts_of(model).items()}
        assert record["validation_ndcg_10"] > max(alone.values())  # on this dataset it helps
        for name, part in product.parts.items():
            assert ndcg(part, model._sequences) == pytest.approx(alone[name]), name
        kinds = {part["kind"] for part in parts_of(model).values()}
        assert kinds == {"msm4sr", "ids", "text", "image", "item_knn", "sequential_rules"} | {
            "bert_knn"
        }

    def test_evaluate_has_the_neural_model_and_then_the_product(self, model, run):
        report = model.evaluate(baselines=["popularity"])
        assert [*report.models] == ["msm4sr", "ensemble", "popularity"]
        together = model._model.ensemble.record["validation_ndcg_10"]
        assert report.models["ensemble"]["ndcg@10"]["value"] == pytest.approx(together, abs=1e-4)
        plain = fitted(settings={"finetune__epochs": 3})
        assert report.models["msm4sr"] == plain.evaluate().models["msm4sr"]
        assert report["ndcg@10"] == plain.evaluate()["ndcg@10"]
        assert [*plain.evaluate().models] == ["msm4sr"]

    def test_without_an_ensemble_nothing_changes(self, model):
        """To the last bit: the ensemble draws no random number that training would draw."""
        plain = fitted(settings={"finetune__epochs": 3, "ensemble": "none"})
        weights = [fingerprint_weights(one._model.net) for one in (plain, model)]
        assert weights[0] == weights[1]
        assert plain._model.ensemble is None
        neural = model.recommender.model_scorer("a test")
        histories = [np.array([1, 2]), np.array([7])]
        assert plain.recommender.scorer.score(histories).equal(neural.score(histories))

    def test_the_items_of_the_data_may_be_fewer_or_in_another_order(self, model):
        other = dataset(items=item_frame().iloc[::-1])
        assert model.evaluate(other).models == model.evaluate().models
        order = np.array([0, 5, 3, 9, 1])
        some = model.recommender.scorer.select(order).score([np.array([2, 4])])
        whole = model.recommender.scorer.score([order[[2, 4]]])
        torch.testing.assert_close(some, whole[:, order], rtol=1e-12, atol=0)

    def test_where_nothing_helps_the_neural_model_is_alone(self, tmp_path, monkeypatch, capsys):
        for table in ("NETWORKS", "PAIRS", "TEXTS"):
            monkeypatch.setattr(ensemble, table, {})
        model = fit_auto(run_dir=tmp_path / "run")
        assert "ensemble: no part improves on msm4sr\n" in capsys.readouterr().err
        assert model._model.ensemble is None
        assert [*model.evaluate().models] == ["msm4sr"]
        model.save_pretrained(tmp_path / "model")
        assert not (tmp_path / "model" / "ensemble").exists()
        for folder in ("run", "model"):
            loaded = MSM4SR.from_pretrained(tmp_path / folder)
            assert loaded.ensemble == "auto"
            assert loaded.recommend(items=["item3"]).equals(model.recommend(items=["item3"]))

    def test_the_best_part_may_be_another_than_the_neural_model(self, tmp_path, monkeypatch):
        """Similar items and reasons still come from the neural model."""
        chosen = ensemble.choose_weights

        def item_knn_alone(parts, *cases):
            choice = chosen(parts, *cases)
            return replace(choice, weights=dict.fromkeys(parts, 0.0) | {"item_knn_2": 1.0})

        monkeypatch.setattr(ensemble, "choose_weights", item_knn_alone)
        model = fit_auto()
        model.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        assert {p.name for p in (tmp_path / "model/ensemble").iterdir()} == {
            "SHA256SUMS",
            "ensemble.json",
            "item_knn_2.safetensors",
        }
        assert loaded.describe(["item1"], 1)[0].by_part.keys() == {"item_knn_2"}
        plain = fitted(settings={"finetune__epochs": 3})
        assert loaded.similar_items("item3").equals(plain.similar_items("item3"))
        assert loaded.recommend(data=dataset()).equals(model.recommend())

    def test_it_needs_validation_cases(self, monkeypatch):
        monkeypatch.setattr(Stage, "pretrain", None)  # refused before anything is trained
        frame = interaction_frame()
        frame["part"] = np.where(frame.groupby("user_id").cumcount() < 6, "train", "test")
        for split in ("part", None):
            settings = {"data__split": "part"}
            with pytest.raises(UserError, match=r"needs validation cases .*, 1; got 0; .*none"):
                fit_auto(dataset(frame), split=split, settings=settings)

    def test_a_preset_adds_an_ensemble_where_there_are_validation_cases(self, tmp_path, capsys):
        def fit(data=None, **options):
            settings = {**SMALL, "finetune__epochs": 2, "preset": "tuned"}
            return MSM4SR(**settings).fit(data or dataset(), features=feature_table(), **options)

        model = fit(run_dir=tmp_path / "run")
        assert parts_of(model).keys() >= {"msm4sr", "ids", "item_knn_1"}
        assert "score ensemble" not in capsys.readouterr().err
        frame = interaction_frame()
        frame["part"] = np.where(frame.groupby("user_id").cumcount() < 6, "train", "test")
        model = fit(dataset(frame), split="part", run_dir=tmp_path / "run")
        assert "note: no score ensemble: it needs validation cases" in capsys.readouterr().err
        assert not (tmp_path / "run" / "ensemble").exists()  # that of the first fit
        assert model._model.ensemble is None
        assert MSM4SR.from_pretrained(tmp_path / "run").ensemble == "none"

    def test_models_of_one_modality_are_parts_where_items_have_it(self):
        table = feature_table()
        none = make_slots(np.zeros((0, table.width), np.float16), np.zeros(len(table.items), int))
        settings = {"finetune__epochs": 1}
        model = fit_auto(features=replace(table, image=none), settings=settings)
        assert "image" not in parts_of(model)
        assert parts_of(model).keys() >= {"ids", "text", "bert_knn_1"}
        images = item_frame()[["item_id"]].assign(image="x.jpg")
        only = replace(table, text=none)
        model = fit_auto(dataset(items=images), features=only, settings=settings)
        assert not parts_of(model).keys() & {"text", "bert_knn_1"}
        assert parts_of(model).keys() >= {"ids", "image"}

    def test_trained_parts_have_settings_of_their_own(self, tmp_path, monkeypatch, capsys):
        monkeypatch.undo()
        own = {"features.whitening": "pca", "model.adaptor": "linear"}
        monkeypatch.setattr(ensemble, "ALONE", own)
        model = fit_auto(run_dir=tmp_path / "run", settings={"model__dim": 16})
        nets = {kind: tmp_path / "run/parts" / kind / "finetuned" for kind in ("text", "image")}
        for kind, folder in nets.items():
            net = load_checkpoint(folder)[0]
            assert (net.modalities, net.config.dim, net.config.adaptor) == ((kind,), 16, "linear")
            assert net.whiten[kind].matrix.shape == 2 * (feature_table().width,)
        main = model._model.net
        assert (main.config.adaptor, main.config.whitened_dim) == ("moe", 0)
        data = model._sequences, model._model.table
        configs = ensemble.part_configs(TrainingData(*data), model._model.config)
        assert configs.keys() == ensemble.NETWORKS.keys()
        assert {c.features.whitening for c in configs.values()} == {"pca"}
        assert {c.pretrain.epochs for c in configs.values()} == {0}

    def test_a_loss_that_needs_both_modalities_does_not_matter_to_the_parts(self):
        model = fit_auto(settings={"pretrain__nip_weight": 0.0})
        assert parts_of(model).keys() >= {"text", "image"}

    def test_the_wish_outlives_pre_training(self, tmp_path):
        fitted_first = MSM4SR(**SMALL, preset="tuned").pretrain(dataset(), features=feature_table())
        fitted_first.save_pretrained(tmp_path / "model")
        loaded = MSM4SR.from_pretrained(tmp_path / "model")
        loaded.finetune(dataset(), features=feature_table())
        assert parts_of(loaded).keys() >= {"msm4sr", "ids"}

    def test_a_run_that_stopped_between_parts_says_so(self, tmp_path, monkeypatch, capsys):
        def stop(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(ensemble, "_train_part", stop)
            with pytest.raises(KeyboardInterrupt):
                fit_auto(run_dir=tmp_path / "run")
        capsys.readouterr()
        loaded = MSM4SR.from_pretrained(tmp_path / "run")
        assert "is unfinished; fit it again to finish it" in capsys.readouterr().err
        assert loaded.ensemble == "auto"
        fit_auto(run_dir=tmp_path / "run")
        capsys.readouterr()
        assert MSM4SR.from_pretrained(tmp_path / "run")._model.ensemble
        assert "unfinished" not in capsys.readouterr().err
        assert not any(check_run(tmp_path / "run").values())

    def test_with_more_time_the_parts_that_were_left_out_are_trained(self, tmp_path, monkeypatch):
        monkeypatch.setattr(budget, "GRID", {})
        hasty = fit_auto(run_dir=tmp_path / "run", time_budget=1e-9)
        assert "ids" not in parts_of(hasty)
        patient = fit_auto(run_dir=tmp_path / "run", time_budget=600)
        assert parts_of(patient).keys() >= {"ids", "text", "image"}

    def test_without_fine_tuning_only_simple_parts_are_fitted(self):
        model = fit_auto(settings={"finetune__epochs": 0})
        assert not parts_of(model).keys() & ensemble.NETWORKS.keys()
        assert "item_knn_1" in parts_of(model)

    def test_parts_for_which_no_time_is_left_are_not_trained(self, capsys):
        model = fit_auto(time_budget=1e-9)
        assert "no time left to train the part text" in capsys.readouterr().err
        kinds = {part["kind"] for part in parts_of(model).values()}
        assert kinds == {"msm4sr", "item_knn", "sequential_rules", "bert_knn"}

    def test_on_all_data_the_choice_of_the_first_run_is_used_again(self, tmp_path, run):
        model = fit_auto(split=None, run_dir=tmp_path / "run")
        first = json.loads((run / "ensemble/ensemble.json").read_text())
        last = json.loads((tmp_path / "run/ensemble/ensemble.json").read_text())
        for name, part in first["parts"].items():
            assert last["parts"][name]["weight"] == part["weight"], name
            epochs = part["settings"].get("epochs")
            assert last["parts"][name]["settings"].get("epochs") == epochs, name
        assert last["validation_ndcg_10"] == first["validation_ndcg_10"]
        assert last["model"] != first["model"]
        knn = next(name for name in model._model.ensemble.fitted if "knn" in name)
        counts = [fit.fitted[knn].pairs.sum() for fit in (model._model.ensemble, stored(run))]
        assert counts[0] > counts[1]  # every interaction is counted
        with pytest.raises(UserError, match="nothing is held out"):
            model.evaluate()
        loaded = MSM4SR.from_pretrained(tmp_path / "run")
        assert loaded.recommend(data=dataset()).equals(model.recommend())
        assert not any(check_run(tmp_path / "run").values())
        plain = {**AUTO, "ensemble": "none", "finetune__lr": 2e-3}
        fitted(split=None, run_dir=tmp_path / "run", settings=plain)
        assert not [*tmp_path.rglob("ensemble")]  # those of other models
        assert not any(check_run(tmp_path / "run").values())


def stored(run):
    """The ensemble of a run folder."""
    return MSM4SR.from_pretrained(run)._model.ensemble


class TestStored:
    def test_it_recommends_as_before_without_ids_of_users(self, model, run):
        for folder in (run, run.parent / "model"):
            loaded = MSM4SR.from_pretrained(folder)
            assert loaded.recommend(data=dataset()).equals(model.recommend())
            assert loaded.evaluate(dataset()).models == model.evaluate().models
            assert (loaded.ensemble, loaded.get_params()["ensemble"]) == ("auto", "auto")
            assert "ensemble='auto'" in repr(loaded)
        for path in (run.parent / "model").rglob("*"):
            assert path.is_dir() or b"user1" not in path.read_bytes(), path

    def test_only_parts_with_a_weight_are_stored(self, run):
        parts = json.loads((run / "ensemble/ensemble.json").read_text())["parts"]
        used = {name for name, part in parts.items() if part["weight"] and name != "msm4sr"}
        assert len(used) < len(parts) - 1
        files = {path.name.partition(".")[0] for path in (run / "ensemble").iterdir()}
        texts = {name for name in used if parts[name]["kind"] == "bert_knn"}
        assert files == {"SHA256SUMS", "ensemble"} | used - texts
        pairs = [name for name, part in parts.items() if part["kind"] in ensemble.PAIRS]
        assert used & set(pairs)
        assert used & ensemble.NETWORKS.keys()

    def test_new_items_are_in_every_part(self, run, tmp_path):
        live, loaded = (MSM4SR.from_pretrained(run.parent / "model") for _ in range(2))
        table = feature_table(32)
        live.add_features(table.for_items(["", *NEW]))
        for item in NEW:
            loaded.add_features(table.for_items(["", item]))
        history = {"items": ["item1", "item30"], "k": 32}
        found = live.recommend(**history)
        assert set(found["item_id"]) >= {"item31"}
        one_by_one = loaded.recommend(**history)
        assert one_by_one["item_id"].equals(found["item_id"])
        assert one_by_one["score"].to_numpy() == pytest.approx(found["score"], abs=1e-4)
        live.save_pretrained(tmp_path / "more")
        assert MSM4SR.from_pretrained(tmp_path / "more").recommend(**history).equals(found)
        new = next(one for one in live.describe(history["items"], 32) if one.item_id == "item31")
        parts = parts_of(live)
        assert {n for n, v in new.by_part.items() if v} == {"msm4sr"}
        assert {parts[n]["kind"] for n in new.by_part} >= {"ids", "text", "item_knn"}
        product, numbers = live.recommender.scorer, [np.array([2, 31])]
        old = np.setdiff1d(np.arange(1, 31), numbers[0])
        scores, main = (one.score(numbers)[0] for one in (product, product.parts["msm4sr"]))
        assert (scores[old] > scores[-1]).sum() == (main[old] > main[-1]).sum()
        assert len(stored(run).fitted) == len(live._model.ensemble.fitted)  # theirs is unchanged
        again = live._model.recommender("cpu").recommend({"": history["items"]}, 32)
        assert again["item_id"].tolist() == found["item_id"].tolist()

    def test_texts_are_whitened_by_the_items_with_training_interactions(self, model):
        parts = {name: {**part, "weight": 0.0} for name, part in parts_of(model).items()}
        parts["bert_knn_2"]["weight"] = 1.0
        table, seen = model._model.table, np.arange(31) < 14
        neural = model.recommender.model_scorer("a test")
        product = ensemble.Ensemble({"parts": parts}, {}).scorer(neural, table, seen, 0.1)
        expected = mean_embeddings(table.text, seen, "pca")
        assert (product.parts["bert_knn_2"].vectors == expected).all()

    def test_a_stopped_fit_goes_on_and_a_finished_one_is_loaded(self, run, tmp_path, monkeypatch):
        trained, scratch = [], Stage.from_scratch

        def stopped(stage, data, config, kind):
            if config.model.modalities == "image":
                raise KeyboardInterrupt
            return scratch(stage, data, config, kind)

        monkeypatch.setattr(Stage, "from_scratch", stopped)
        with pytest.raises(KeyboardInterrupt):
            fit_auto(run_dir=tmp_path)
        assert not (tmp_path / "ensemble").exists()
        assert MSM4SR.from_pretrained(tmp_path)._model.ensemble is None  # not made yet
        finetune = training.finetune

        def counted(model, *inputs, **options):
            trained.append(type(model).__name__)
            return finetune(model, *inputs, **options)

        monkeypatch.setattr(Stage, "from_scratch", scratch)
        monkeypatch.setattr(training, "finetune", counted)
        fit_auto(run_dir=tmp_path)
        assert trained == ["M2SE"]  # the image part
        for name in ("ensemble.json", "SHA256SUMS"):
            paths = (folder / "ensemble" / name for folder in (run, tmp_path))
            assert len({path.read_bytes() for path in paths}) == 1
        monkeypatch.setattr(ensemble, "choose_weights", None)
        fit_auto(run_dir=tmp_path)
        assert trained == ["M2SE"]

    def test_a_run_without_an_ensemble_removes_that_of_an_earlier_one(self, run, tmp_path):
        copy = shutil.copytree(run, tmp_path / "run")
        plain = fitted(settings={**AUTO, "ensemble": "none"}, run_dir=copy)
        assert not (copy / "ensemble").exists()
        loaded = MSM4SR.from_pretrained(copy)
        assert loaded.ensemble == (None if ENSEMBLES["paper"] == "none" else "none")
        assert loaded.recommend(data=dataset()).equals(plain.recommend())
        fit_auto(run_dir=copy)  # and back again
        assert (copy / "ensemble/ensemble.json").read_bytes() == (
            run / "ensemble/ensemble.json"
        ).read_bytes()

    def test_pre_training_alone_has_no_ensemble(self, tmp_path):
        options = {"features": feature_table(), "run_dir": tmp_path}
        model = MSM4SR(seed=3, **SMALL, ensemble="auto").pretrain(dataset(), **options)
        assert model._model.ensemble is None
        model.finetune(dataset(), **options)
        assert isinstance(MSM4SR.from_pretrained(tmp_path).recommender.scorer, ScoreEnsemble)

    def test_uses_of_the_test_part_name_the_ensemble(self, run, tmp_path):
        copy = shutil.copytree(run, tmp_path / "run")
        MSM4SR.from_pretrained(copy).evaluate(dataset(), part="test")
        fit_auto(run_dir=copy).evaluate(part="test")
        (access,) = json.loads((copy / "access_log.json").read_text())
        assert access["ensemble"] == stored(run).fingerprint


class TestExplained:
    def test_the_parts_add_up_to_the_score(self, model):
        best = model.describe(["item1", "item2"], 5)
        found = model.recommend(items=["item1", "item2"], k=5)
        assert [one.score for one in best] == found["score"].tolist()
        weights = model.recommender.scorer.weights
        for one in best:
            assert one.score == pytest.approx(sum(one.by_part.values()), abs=1e-9)
            assert one.by_part.keys() == {name for name, weight in weights.items() if weight}
            assert one.by_modality.keys() == {"text", "image"}
        assert fitted().describe(["item1"], 1)[0].by_part == {}

    def test_parts_come_first_and_the_inputs_as_without_an_ensemble(self, model):
        found = model.explain("user1", "item3")
        parts, inputs = found[found["kind"] == "part"], found[found["kind"] != "part"]
        assert found["kind"].iloc[: len(parts)].eq("part").all()
        (one,) = (one for one in model.describe(model.history_of("user1"), 30, filter_seen=False)
                  if one.item_id == "item3")  # fmt: skip
        assert dict(zip(parts["text"], parts["effect"], strict=True)) == pytest.approx(one.by_part)
        assert parts["effect"].is_monotonic_decreasing
        plain = fitted(settings={"finetune__epochs": 3}).explain("user1", "item3")
        assert inputs.reset_index(drop=True).equals(plain)


def change(folder, edit):
    """Change ``ensemble.json`` behind right checksums."""
    path = folder / "ensemble/ensemble.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))
    write_checksums(path.parent)


def weightless(record):
    for part in record["parts"].values():
        part["weight"] = 0.0


def weigh_unused(record):
    parts = record["parts"].values()
    next(p for p in parts if p["kind"] in ensemble.PAIRS and not p["weight"])["weight"] = 1.0


def rename(record):
    record["parts"]["../evil"] = record["parts"].pop("text")


EDITS = {
    "another model": lambda r: r.update(model="0" * 16),
    "no weight": weightless,
    "no neural model": lambda r: r["parts"].pop("msm4sr"),
    "a name that is a path": rename,
    "a negative weight": lambda r: r["parts"]["text"].update(weight=-1.0),
    "another weight": lambda r: r["parts"]["text"].update(weight=2.0),
    "an unknown kind": lambda r: r["parts"]["text"].update(kind="evil"),
    "another network": lambda r: r["parts"]["text"]["settings"].update(weights="x"),
    "a kind of other weights": lambda r: r["parts"]["text"].update(kind="ids"),
    "an unknown setting": lambda r: r["parts"]["bert_knn_1"].update(
        weight=1.0, settings={"evil": 1}
    ),
    "a wrong decay": lambda r: r["parts"]["bert_knn_1"].update(weight=1.0, settings={"decay": 7}),
    "a part without a file": weigh_unused,
    "no format": lambda r: r.pop("format"),
}


class TestRefused:
    @pytest.mark.parametrize("name", EDITS)
    def test_a_forged_record_is_one_line(self, name, run, tmp_path):
        """In a saved model, whose record has a hash of it, and by itself in a run folder."""
        for folder in (run.parent / "model", *([run] if name != "another weight" else [])):
            copy = shutil.copytree(folder, tmp_path / folder.name)
            change(copy, EDITS[name])
            with pytest.raises(UserError, match="restore a copy of the folder, or delete it"):
                MSM4SR.from_pretrained(copy)

    def test_a_network_of_another_ensemble_is_refused(self, run, tmp_path):
        copy = shutil.copytree(run, tmp_path / "run") / "ensemble"
        shutil.rmtree(copy / "text")
        shutil.copytree(copy / "image", copy / "text")
        with pytest.raises(UserError, match=r"does not fit ensemble\.json and the model beside"):
            MSM4SR.from_pretrained(tmp_path / "run")

    def test_every_file_is_protected(self, run, tmp_path):
        files = [p for p in (run.parent / "model/ensemble").rglob("*") if p.is_file()]
        assert len(files) > 5
        for number, path in enumerate(files):
            copy = shutil.copytree(run.parent / "model", tmp_path / str(number))
            file = copy / path.relative_to(run.parent / "model")
            whole = file.read_bytes()
            for content in (whole[:-20], b"", bytes([whole[0] ^ 1]) + whole[1:], None):
                file.unlink() if content is None else file.write_bytes(content)
                with pytest.raises(UserError, match="restore a copy of the folder, or delete it"):
                    MSM4SR.from_pretrained(copy)

    def test_a_missing_folder_and_one_that_was_not_saved_are_refused(self, run, tmp_path):
        copy = shutil.copytree(run.parent / "model", tmp_path / "model")
        shutil.rmtree(copy / "ensemble")
        with pytest.raises(UserError, match="no such file; restore a copy"):
            MSM4SR.from_pretrained(copy)
        fitted(settings={"finetune__epochs": 3}).save_pretrained(tmp_path / "plain")
        shutil.copytree(run / "ensemble", tmp_path / "plain/ensemble")
        with pytest.raises(UserError, match=r"not the ensemble that record\.json names"):
            MSM4SR.from_pretrained(tmp_path / "plain")

    def test_the_ensemble_of_another_model_is_refused(self, run, tmp_path):
        fitted(seed=4, run_dir=tmp_path / "run")
        shutil.copytree(run / "ensemble", tmp_path / "run/ensemble")
        with pytest.raises(UserError, match="made for another model than that beside it"):
            MSM4SR.from_pretrained(tmp_path / "run")
        assert MSM4SR.from_pretrained(tmp_path / "run/pretrained")._model.ensemble is None

    @pytest.mark.parametrize("tensor", ["values", "columns", "offsets", "decay"])
    def test_pairs_that_are_no_matrix_of_these_items_are_refused(self, tensor, run, tmp_path):
        copy = shutil.copytree(run, tmp_path / "run")
        path = next((copy / "ensemble").glob("*.safetensors"))
        wrong = {"values": float("nan"), "columns": 31, "offsets": 9999, "decay": 2.0}
        tensors = load_file(path)
        tensors[tensor].view(-1)[-1] = wrong[tensor]
        save_file(tensors, path)
        write_checksums(path.parent)
        with pytest.raises(UserError, match="not a matrix of pairs of these items"):
            MSM4SR.from_pretrained(copy)
        assert "not a matrix of pairs" in check_run(copy)["ensemble"]
        del tensors[tensor]
        save_file(tensors, path)
        write_checksums(path.parent)
        with pytest.raises(UserError, match=f"lacks the tensor '{tensor}'"):
            MSM4SR.from_pretrained(copy)

    def test_check_reads_the_ensemble_and_its_parts(self, run, tmp_path):
        found = check_run(run)
        assert found.keys() >= {"ensemble", "parts/ids/finetuned", "parts/image/finetuned"}
        assert not any(found.values())
        copy = shutil.copytree(run, tmp_path / "run")
        for name in ("parts/ids/finetuned/model.safetensors", "ensemble/ensemble.json"):
            (copy / name).write_bytes((copy / name).read_bytes()[:-20])
        faults = {name for name, fault in check_run(copy).items() if fault}
        assert faults == {"ensemble", "parts/ids/finetuned", "parts/ids/finetuned_log.jsonl"} or (
            faults == {"ensemble", "parts/ids/finetuned"}
        )
