"""Whether there are several processes, and how one of them ends."""

import pytest
import torch.distributed as dist

from msm4sr_lite.config import UserError
from msm4sr_lite.fast.processes import is_first, joined, world_size


def test_without_torchrun_a_process_is_the_first_and_only_one(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert is_first()
    assert world_size() == 1
    with joined():
        assert not dist.is_initialized()


def test_torchrun_says_which_process_it_is(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert not is_first()
    assert world_size() == 3


@pytest.fixture
def calls(monkeypatch):
    """Two processes, whose joining, waiting and leaving is noted but not done."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    noted = []
    monkeypatch.setattr(dist, "init_process_group", lambda backend: noted.append(backend))
    monkeypatch.setattr(dist, "barrier", lambda: noted.append("wait"))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: noted.append("leave"))
    return noted


def test_processes_join_wait_for_each_other_and_leave(calls):
    with joined("cpu"):
        calls.append("work")
    assert calls == ["gloo", "work", "wait", "leave"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("a mistake"), "^a mistake$"),
        (RuntimeError("connection closed\nmore"), r"ended \(connection closed\); start the same"),
    ],
)
def test_an_error_leaves_without_waiting_and_is_one_line(error, message, calls):
    with pytest.raises(UserError, match=message), joined("cpu"):
        raise error
    assert calls == ["gloo", "leave"]
