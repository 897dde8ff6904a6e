"""The palette in grey print, and type for a projector."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
from course import MARKERS, PALETTE
from course.style import use_style


def lightness(colour: str) -> float:
    """CIE L*, 0 (black) to 100 (white): what is left of a colour in a grey print."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = float(np.dot([0.2126, 0.7152, 0.0722], linear))
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def test_palette_survives_grey_print_and_a_projector() -> None:
    first_four = [lightness(colour) for colour in PALETTE[:4]]
    assert min(abs(a - b) for a, b in itertools.combinations(first_four, 2)) > 10
    assert len(set(PALETTE)) == len(set(MARKERS)) == 8
    with mpl.rc_context():
        use_style()
        names = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize")
        names += ("ytick.labelsize", "legend.fontsize")
        assert min(mpl.rcParams[name] for name in names) >= 11
