"""The device to compute on."""

from msm4sr_lite.arguments import ARGUMENTS
from msm4sr_lite.config import UserError


def resolve_device(name: str = "auto") -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` chooses the GPU if there is one.

    Raises
    ------
    UserError
        If the name is unknown, or is ``cuda`` on a machine without a usable GPU.
    """
    import torch

    ARGUMENTS["device"].check(name)
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device cuda: this machine has no GPU that torch can use; choose cpu")
    return name
