"""The device to compute on."""

import pytest
import torch

from msm4sr_lite.config import UserError
from msm4sr_lite.device import resolve_device


@pytest.mark.parametrize("gpu", [True, False])
def test_auto_takes_a_gpu_if_there_is_one(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert resolve_device() == resolve_device("auto") == ("cuda" if gpu else "cpu")
    assert resolve_device("cpu") == "cpu"
    if gpu:
        assert resolve_device("cuda") == "cuda"


def test_what_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="this machine has no GPU that torch can use; choose cpu"):
        resolve_device("cuda")
    with pytest.raises(UserError, match="device must be one of auto, cpu, cuda; got 'tpu'"):
        resolve_device("tpu")
