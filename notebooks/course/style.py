"""One palette, one set of markers, and type that can be read from the last row.

The colours are Okabe and Ito's, which colour-blind readers can distinguish. They are ordered so
that the first four also differ in lightness (grey print), and each comes with a line style and
a marker, so that colour is never the only sign.
"""

from __future__ import annotations

BLUE, ORANGE, BLACK, GREEN = "#0072B2", "#E69F00", "#000000", "#009E73"
PURPLE, VERMILION, SKY, YELLOW = "#CC79A7", "#D55E00", "#56B4E9", "#F0E442"

PALETTE = (BLUE, ORANGE, BLACK, GREEN, PURPLE, VERMILION, SKY, YELLOW)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (8, 3)))


def use_style() -> None:
    """Make the course's style matplotlib's default; seaborn, where it is used, follows it."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "figure.figsize": (7.5, 4.0),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "text.usetex": False,  # a learner's matplotlibrc may ask for LaTeX
            "font.size": 12,
            "axes.titlesize": 14,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 13,
            "xtick.labelsize": 12,
            "ytick.labelsize": 12,
            "legend.fontsize": 12,
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=LINES),
            "lines.linewidth": 2.2,
            "lines.markersize": 7,
            "image.cmap": "cividis",
        }
    )
