"""``msm4sr finetune``: the second training stage; see ``pretrain``."""

from __future__ import annotations

import argparse

from msm4sr_lite.cli import pretrain
from msm4sr_lite.cli.pretrain import run as run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this command."""
    pretrain.add_arguments(parser, "finetune")
