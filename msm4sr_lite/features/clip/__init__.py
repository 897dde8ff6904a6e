"""Train a small CLIP-like model on a folder of labelled images."""

from msm4sr_lite.features.pretrained import require_docstrings

require_docstrings()
