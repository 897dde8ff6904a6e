"""Fine-tuning on a share of a domain's users, and what models know of simulated users."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from course.transfer import fine_tuned, share_fitting, some_users

from data_samples.make.phrases import PURPOSES
from data_samples.make.simulation import TASTES
from data_samples.make.write import load_world
from msm4sr_lite import training
from msm4sr_lite.baselines import ItemKNN
from msm4sr_lite.config import FinetuneConfig, ModelConfig
from msm4sr_lite.dataset.dataset import Dataset
from msm4sr_lite.dataset.split import build_sequences
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.features.table_files import load_feature_table
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.store.checkpoints import load_checkpoint
from tests.tiny_study import ONE, TWO, three_tests
from tests.toys import assert_same_weights, toy_sequences


def test_users_of_a_smaller_share_are_among_those_of_a_larger_one():
    data = replace(ONE, sequences=toy_sequences([5 + n % 4 for n in range(40)], 30))
    sequences = data.sequences
    few, more = (some_users(data, share, seed=5).sequences for share in (0.1, 0.5))
    assert (len(few.users), len(more.users)) == (4, 20)
    assert set(few.users) < set(more.users)
    for number, user in enumerate(few.users):
        assert (
            few.user_sequence(number).tolist()
            == sequences.user_sequence(sequences.users.index(user)).tolist()
        )
    assert some_users(data, 0.1, seed=6).sequences.users != few.users
    assert len(some_users(data, 1e-9).sequences.users) == 1
    whole = some_users(data, 1.0).sequences
    assert whole.users == sequences.users
    assert np.array_equal(whole.interactions, sequences.interactions)


def test_what_is_held_out_never_trains():
    """Not in a share of the users, however much is held out."""
    data = three_tests(TWO)
    few = some_users(data, 0.5, seed=1).sequences
    numbers = [data.sequences.users.index(user) for user in few.users]
    for part in ("valid", "test"):
        users, _ = data.sequences.cases(part)
        expected = data.sequences.held_out(part)[1][np.isin(users, numbers)]
        assert few.held_out(part)[1].tolist() == expected.tolist()
    whole = [row.tolist() for row in data.sequences.train()]
    assert [row.tolist() for row in few.train()] == [whole[number] for number in numbers]


class TestFineTuning:
    config = FinetuneConfig(epochs=2, batch_size=8, lr=0.01)
    start = M2SE(ModelConfig(feature_dim=11, dim=8, ffn_dim=8))

    def test_only_the_drawn_users_are_trained_on(self):
        """Interactions of the others change nothing but their ranks."""
        sequences = TWO.sequences
        some = set(some_users(TWO, 0.5, seed=1).sequences.users)
        interactions = sequences.interactions.copy()
        for number, user in enumerate(sequences.users):
            if user not in some:
                own = slice(sequences.offsets[number], sequences.offsets[number + 1])
                interactions[own] = interactions[own][::-1]
        other = replace(TWO, sequences=replace(sequences, interactions=interactions))
        one, two = (fine_tuned(self.start, d, 0.5, self.config, seed=1) for d in (TWO, other))
        assert_same_weights(one, two)
        assert one.ids is not None
        assert self.start.ids is None

    def test_from_scratch_has_the_same_budget_and_other_weights(self, monkeypatch):
        calls = []
        real = training.finetune

        def spy(model, table, sequences, config, **options):
            calls.append((config, sequences.users, options["seed"]))
            return real(model, table, sequences, config, **options)

        monkeypatch.setattr(training, "finetune", spy)
        fine_tuned(self.start, TWO, 0.5, self.config, seed=2)
        fine_tuned(None, TWO, 0.5, self.config, seed=2)
        assert calls[0] == calls[1]


@pytest.fixture(scope="module")
def outdoor(sample_dataset):
    dataset = Dataset.from_folder(sample_dataset, domain="outdoor")
    return build_sequences(dataset.interactions, list(dataset.items))


def test_a_recommender_that_knows_the_hidden_state_offers_what_fits(sample_dataset, outdoor):
    world = load_world(sample_dataset)
    users = {user.user_id: user for user in world.users}
    items = {item.item_id: item for item in world.items}
    made = [items[item] for item in outdoor.items[1:]]
    rows = []
    for number, history in enumerate(outdoor.held_out("test")[0]):
        user = users[outdoor.users[number]]
        need = PURPOSES[(user.needs[len(history) - 1] + 1) % len(PURPOSES)]
        liked = TASTES[user.taste].patterns
        rows.append([0.0, *(2.0 * (i.purpose == need) + (i.look.pattern in liked) for i in made)])

    left = iter(rows)

    class Knowing:
        def score(self, histories):
            return torch.tensor([next(left) for _ in histories])

    need, pattern = share_fitting(Knowing(), outdoor, world)
    assert need == pytest.approx(1, abs=0.01)
    assert pattern > 0.9


def test_the_model_from_home_knows_the_order_of_needs_and_counts_know_the_taste(
    sample_dataset, outdoor
):
    """As notebook 08 says; by chance an eighth fits the need, and a third has such a pattern."""
    world = load_world(sample_dataset)
    model, _ = load_checkpoint(sample_dataset / "states" / "home_pretrained")
    table = load_feature_table(sample_dataset / "features").for_items(outdoor.items)
    need, pattern = share_fitting(ModelScorer(model, table), outdoor, world)
    by_counts = share_fitting(ItemKNN(outdoor), outdoor, world)
    assert need > 0.35
    assert by_counts[0] < 0.2
    assert 0.45 < pattern < 0.65 < by_counts[1]
