"""Several processes share a batch: loss and gradients are those of one process."""

import pytest
import torch
import torch.multiprocessing

from msm4sr_lite import fast
from msm4sr_lite.config import PretrainConfig, UserError
from msm4sr_lite.fast import distributed
from msm4sr_lite.fast.distributed import row_ranges
from msm4sr_lite.sequences import Batch
from msm4sr_lite.training import pretrain
from tests.toy_steps import SEQUENCES, TABLE, batch, model, outcome


def work(rank, world, address, stage, found_at):
    """Be one of several processes: loss and averaged gradients of a joint batch."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{address}", rank=rank, world_size=world
    )
    net = model(n_items=0 if stage == "pretrain" else 19, projections=True)
    loss, gradients = outcome(stage, net=net)
    torch.distributed.all_reduce(loss)
    for gradient in gradients.values():
        if gradient is not None:
            torch.distributed.all_reduce(gradient)
    if rank == 0:
        found = {name: g / world for name, g in gradients.items() if g is not None}
        data = {name: getattr(batch(), name) for name in ("items", "targets", "users")}
        torch.save((loss / world, found, data), found_at)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("world", [2, 3])
def test_several_processes_are_one(stage, world, tmp_path):
    """Loss and gradients of a joint batch, shared by two or three, as one process has them."""
    torch.multiprocessing.spawn(
        work, (world, tmp_path / "meeting", stage, tmp_path / "found"), nprocs=world
    )
    loss, gradients, data = torch.load(tmp_path / "found", weights_only=True)
    net = model(n_items=0 if stage == "pretrain" else 19, projections=True)
    expected, plain = outcome(stage, Batch(**data), net=net)
    plain = {name: gradient for name, gradient in plain.items() if gradient is not None}
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    assert gradients.keys() == plain.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain[name], atol=1e-5, rtol=1e-4, msg=name)


def test_each_row_belongs_to_one_process(monkeypatch):
    monkeypatch.setattr("msm4sr_lite.fast.sequences.process_rank", lambda: (1, 3))
    monkeypatch.setattr(distributed, "process_rank", lambda: (1, 3))
    for count in (3, 7, 9):
        assert [row for part in row_ranges(count) for row in range(count)[part]] == list(
            range(count)
        )
        sizes = [part.stop - part.start for part in row_ranges(count)]
        assert max(sizes) - min(sizes) <= 1
    lengths = (batch().items > 0).sum(dim=1)
    loads = [int(lengths[part].sum()) for part in row_ranges(len(lengths))]
    assert max(loads) - min(loads) <= 2 * lengths.max()


def test_several_processes_need_the_fast_forms(monkeypatch):
    monkeypatch.setattr(distributed, "process_rank", lambda: (0, 2))
    with fast.switched_off(), pytest.raises(UserError, match="several processes need the fast"):
        pretrain(model(), TABLE, SEQUENCES, PretrainConfig())
