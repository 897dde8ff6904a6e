"""Measure how soon every interactive panel of the course answers.

::

    python -m benchmarks.panels
    python -m benchmarks.panels 06 09

The script runs each notebook in its own process. Then it changes every list, slider, box and button
of every panel, and measures the time until the new figure is ready. The time does not include the
wait until a slider rests, the transfer to the browser, and the drawing there.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))

from course import masters, notebooks, panels
from course.session import ROOT

MOST_VALUES = 8  # of a long list, evenly spread
FAILED = "cannot be drawn"


def walk_widgets(widget: Any) -> Iterator[Any]:
    """Walk through a widget and all that it holds."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk_widgets(child)


def list_moves(widget: Any) -> Iterator[Callable[[], object]]:
    """Return the changes that a visitor can make to one widget."""
    import ipywidgets

    if isinstance(widget, ipywidgets.Button) and not widget.disabled:
        yield widget.click
    elif hasattr(widget, "_esm"):  # see course.taps
        names = re.findall(r'data-tap="([^":]+(?::[^"]*)?)"', widget.value)
        for name in names[:: max(1, len(names) // MOST_VALUES)]:
            yield partial(widget._handle_custom_msg, {"tap": html.unescape(name)}, [])
    elif isinstance(widget, ipywidgets.Checkbox):
        yield from 2 * [lambda: setattr(widget, "value", not widget.value)]
    elif isinstance(widget, ipywidgets.Text):
        yield lambda: setattr(widget, "value", f"{widget.value} again")
    elif isinstance(widget, (ipywidgets.Dropdown, ipywidgets.SelectionSlider)):
        places = [n for n in range(len(widget.options)) if n != widget.index]
        for place in places[:: max(1, len(places) // MOST_VALUES)]:
            yield partial(setattr, widget, "index", place)


def read_panel(live: panels.Live) -> list[str]:
    """Return the output of the panel, without its controls."""
    import ipywidgets

    shown = walk_widgets(live.box)
    return [w.value for w in shown if isinstance(w, ipywidgets.HTML) or hasattr(w, "_esm")]


def time_moves(live: panels.Live) -> list[float]:
    """Return the seconds that each change of a panel takes, if it changes the output.

    Raises
    ------
    RuntimeError
        If a setting cannot be drawn.
    """
    seconds = []
    for widget in list(walk_widgets(live.box)):
        named = getattr(widget, "description", "picture")
        for move in list(list_moves(widget)):
            before, start = read_panel(live), time.perf_counter()
            move()
            end, after = time.perf_counter(), read_panel(live)
            if any(FAILED in text for text in after):
                raise RuntimeError(f"a setting of {named!r} {FAILED}")
            if after != before:
                seconds.append(end - start)
    return seconds


def measure_notebook(master: Path) -> list[Row]:
    """Execute one notebook in this process, then measure its panels."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for cell in masters.read_master(master).cells:
        if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
            shell.run_cell(cell.source).raise_error()
    rows: list[Row] = []
    for title, live in panels.open_panels.items():
        milliseconds = [1000 * seconds for seconds in time_moves(live)]
        rows.append(
            {
                "notebook": master.stem[:2],
                "panel": title,
                "redraws": len(milliseconds),
                "median, ms": round(statistics.median(milliseconds), 1),
                "longest, ms": round(max(milliseconds), 1),
            }
        )
    return rows


def main() -> None:
    """Run each notebook in a new process, so that none affects another."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("numbers", nargs="*", metavar="NN", help="notebooks (default: all)")
    parser.add_argument("--out", type=Path, help="write OUT.json and OUT.csv")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    found = notebooks.find_masters(ROOT, args.numbers)
    if args.here:
        os.chdir(ROOT / "notebooks")
        rows = measure_notebook(found[0])
        print(json.dumps(rows))
        return
    environment = {**notebooks.build_environment(), "MSM4SR_STATIC": "0"}
    rows = []
    for master in found:
        command = [sys.executable, "-m", "benchmarks.panels", master.stem[:2], "--here"]
        print(f"{master.stem} ...", file=sys.stderr, flush=True)
        done = subprocess.run(
            command,
            env=environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows += json.loads(done.stdout.splitlines()[-1])
    report(rows, args.out)


if __name__ == "__main__":
    main()
