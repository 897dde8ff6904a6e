"""Transfer: joined domains, shares of users, zero-shot, both starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from msm4sr_lite import training
from msm4sr_lite.config import FinetuneConfig, ModelConfig, PretrainConfig, UserError
from msm4sr_lite.encoder import M2SE
from msm4sr_lite.evaluation import target_ranks
from msm4sr_lite.scoring import ModelScorer
from msm4sr_lite.sequences import training_batches
from msm4sr_lite.study.transfer import (
    fine_tuned,
    fine_tuned_ranks,
    join,
    pretrained_on,
    some_users,
    zero_shot,
)
from tests.tiny_study import ONE, TWO, three_tests
from tests.toys import assert_same_weights, toy_sequences, toy_table

SIZES = ModelConfig(feature_dim=11, dim=8, ffn_dim=8)


def test_joined_domains_hold_the_items_and_users_of_both():
    table, sequences = join([ONE, TWO])
    assert sequences.items == table.items
    assert sequences.n_items == 22
    assert sequences.items[1] == "0/i1"
    assert sequences.items[10] == "1/i1"
    torch.manual_seed(0)
    net = M2SE(SIZES).eval()
    whole = net.item_embeddings(table, torch.arange(23))
    for (domain_table, domain), first, before in ((ONE, 0, 0), (TWO, 3, 9)):
        alone = net.item_embeddings(domain_table, torch.arange(len(domain_table.items)))
        for modality, z in alone.items():
            torch.testing.assert_close(whole[modality][1 + before : len(z) + before], z[1:])
        for user in range(len(domain.users)):
            assert (
                sequences.user_sequence(first + user) - before
            ).tolist() == domain.user_sequence(user).tolist()
            assert sequences.users[first + user].endswith(f"/{domain.users[user]}")


def test_a_renumbered_table_can_be_joined():
    """``for_items`` leaves the vectors where they are, so that starts are in any order."""
    table, sequences = TWO
    turned = table.for_items(["", *table.items[:0:-1]])
    other = replace(sequences, items=turned.items, interactions=14 - sequences.interactions)
    joined, _ = join([ONE, (turned, other)])
    plain, _ = join([ONE, TWO])
    for part in ("text", "image"):
        one = getattr(joined, part).gather(torch.arange(10, 23))
        two = getattr(plain, part).gather(torch.arange(10, 23).flip(0))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1], two[1])


def test_pre_training_on_two_domains_mixes_their_users():
    table, sequences = join([ONE, TWO])
    batch = next(training_batches(sequences, 50, 1000, torch.Generator().manual_seed(0)))
    inputs = batch.items[batch.items > 0]
    assert (inputs <= 9).any()
    assert (inputs > 9).any()
    config = PretrainConfig(epochs=2, batch_size=8, lr=0.01)
    both = pretrained_on([ONE, TWO], SIZES, config, seed=3)
    assert both.ids is None
    torch.manual_seed(3)
    by_hand = M2SE(SIZES)
    list(training.pretrain_steps(by_hand, table, sequences, config, seed=3))
    assert_same_weights(both, by_hand)


def test_domains_that_do_not_fit_are_not_joined():
    other = replace(ONE[0], manifest={"text_encoder": {"weights": "abc"}})
    cls = replace(ONE[0], manifest={"text_encoder": {"weights": "abc", "pooling": "cls"}})
    wide = toy_table([1] * 9, [1] * 9, width=7), ONE[1]
    turned = ONE[0].for_items(["", *ONE[0].items[:0:-1]])
    for datasets, message in (
        ([], "no domain to pre-train on"),
        ([TWO, (other, ONE[1])], "domain 1: another text encoder .*weights abc"),
        ([(other, ONE[1]), (cls, ONE[1])], "domain 1: another text encoder .*weights abc, .* cls"),
        ([ONE, wide], "domain 1: another text encoder .width 7"),
        ([TWO, (turned, ONE[1])], "domain 1: the table is in another order"),
    ):
        with pytest.raises(UserError, match=message):
            join(datasets)


def test_users_of_a_smaller_share_are_among_those_of_a_larger_one():
    sequences = toy_sequences([5 + n % 4 for n in range(40)], 30)
    few, more = (some_users(sequences, share, seed=5) for share in (0.1, 0.5))
    assert (len(few.users), len(more.users)) == (4, 20)
    assert set(few.users) < set(more.users)
    for number, user in enumerate(few.users):
        assert (
            few.user_sequence(number).tolist()
            == sequences.user_sequence(sequences.users.index(user)).tolist()
        )
    assert some_users(sequences, 0.1, seed=6).users != few.users
    assert len(some_users(sequences, 1e-9).users) == 1
    whole = some_users(sequences, 1.0)
    assert whole.users == sequences.users
    assert np.array_equal(whole.interactions, sequences.interactions)
    for share in (0, -0.5, 1.01):
        with pytest.raises(UserError, match="share must be above 0 and at most 1"):
            some_users(sequences, share)


def test_zero_shot_ranks_with_the_model_as_it_is():
    torch.manual_seed(0)
    net = M2SE(SIZES)
    ranks = zero_shot(net, TWO)
    assert (
        ranks.tolist() == target_ranks(ModelScorer(net, TWO[0]), *TWO[1].held_out("test")).tolist()
    )
    with pytest.raises(UserError, match="with item ids fits one dataset only"):
        zero_shot(M2SE(replace(SIZES, n_items=13)), TWO)


class TestFineTuning:
    config = FinetuneConfig(epochs=2, batch_size=8, lr=0.01)

    def test_only_the_drawn_users_are_trained_on(self):
        """Interactions of the others change nothing but their ranks."""
        table, sequences = TWO
        some = set(some_users(sequences, 0.5, seed=1).users)
        interactions = sequences.interactions.copy()
        for number, user in enumerate(sequences.users):
            if user not in some:
                own = slice(sequences.offsets[number], sequences.offsets[number + 1])
                interactions[own] = interactions[own][::-1]
        other = table, replace(sequences, interactions=interactions)
        start = M2SE(SIZES)
        one, two = (fine_tuned(start, d, 0.5, self.config, seed=1) for d in (TWO, other))
        assert_same_weights(one, two)
        assert one.ids is not None
        assert start.ids is None

    def test_from_scratch_has_the_same_budget_and_other_weights(self, monkeypatch):
        calls = []
        real = training.finetune

        def spy(model, table, sequences, config, **options):
            calls.append((config, sequences.users, options["seed"]))
            return real(model, table, sequences, config, **options)

        monkeypatch.setattr(training, "finetune", spy)
        fine_tuned(M2SE(SIZES), TWO, 0.5, self.config, seed=2)
        fine_tuned(None, TWO, 0.5, self.config, model=SIZES, seed=2)
        assert calls[0] == calls[1]

    def test_validation_chooses_the_setting(self, monkeypatch):
        """Here the second of three settings is said to be the best: its ranks come back."""
        recalls = iter([0.2, 0.9, 0.5])
        configs = [replace(self.config, lr=lr) for lr in (1e-4, 0.05, 1e-3)]
        table, sequences = TWO
        nets = [fine_tuned(None, TWO, 0.5, c, model=SIZES, seed=4) for c in configs]

        def recall(net, table, some, device):
            assert len(some.users) == 3  # of the drawn users only
            return next(recalls)

        monkeypatch.setattr(
            "msm4sr_lite.study.transfer.fine_tuned", lambda *a, **k: nets[configs.index(a[3])]
        )
        monkeypatch.setattr(training, "validation_recall", recall)
        ranks = fine_tuned_ranks(None, TWO, 0.5, configs, seed=4)
        expected = target_ranks(ModelScorer(nets[1], table), *sequences.held_out("test"))
        assert ranks.tolist() == expected.tolist()
        assert len(ranks) == 6  # of all users

    def test_the_same_seed_gives_the_same_ranks(self):
        one, two = (
            fine_tuned_ranks(None, TWO, 0.5, [self.config], model=SIZES, seed=7) for _ in range(2)
        )
        assert one.tolist() == two.tolist()
        with pytest.raises(UserError, match="no settings to fine-tune with"):
            fine_tuned_ranks(None, TWO, 0.5, [])


def test_what_is_held_out_never_trains():
    """Not in a share of the users, nor in joined datasets, however much is held out."""
    _, sequences = three_tests(TWO)
    few = some_users(sequences, 0.5, seed=1)
    numbers = [sequences.users.index(user) for user in few.users]
    for part in ("valid", "test"):
        users, _ = sequences.cases(part)
        expected = sequences.held_out(part)[1][np.isin(users, numbers)]
        assert few.held_out(part)[1].tolist() == expected.tolist()
    whole = [row.tolist() for row in sequences.train()]
    assert [row.tolist() for row in few.train()] == [whole[number] for number in numbers]
    _, both = join([ONE, three_tests(TWO)])
    plain = [row.tolist() for row in ONE[1].train()]
    moved = [[9 + item for item in row] for row in whole]
    assert [row.tolist() for row in both.train()] == plain + moved
