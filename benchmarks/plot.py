"""Draw the results of the other benchmarks into docs/.

::

    python -m benchmarks.plot build/bench/*.json --out docs/performance.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("docs/performance.png"))
    args = parser.parse_args()
    figure = Figure(figsize=(4.2 * len(args.results), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(args.results), squeeze=False)[0]
    for axis, path in zip(axes, args.results, strict=True):
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        speed = "users/s" if "users/s" in rows[0] else "targets/s"
        label = next(iter(rows[0]))
        names = [str(row[label]) for row in rows]
        bars = axis.barh(names, [row[speed] for row in rows], color="0.45")
        axis.bar_label(bars, fmt="%.0f", padding=3)
        axis.invert_yaxis()
        axis.margins(x=0.25)
        axis.set(
            title=path.stem.replace("_", " "), xlabel=speed.replace("/s", " per processor second")
        )
        if label not in ("implementation", "way"):
            axis.set_ylabel(label)
    figure.savefig(args.out, dpi=110)


if __name__ == "__main__":
    main()
