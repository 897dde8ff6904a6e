"""What a notebook of the course needs besides the library; one import line brings all of it.

======================  =======================================================================
file                    idea
======================  =======================================================================
``session``             the first cell: seeds, threads, offline, style, where the sample lies
``machine``             the facts of this machine, and how fast it is
``style``               one palette, one set of markers, type that a projector shows
``display``             HTML for the eye with a plain-text twin; foreign text made harmless
``figures``             a figure with alternative text, small enough to store
``gallery``             item pictures with their titles and words
``strips``              a sequence as a strip of cards, text or picture at every position
``microscope``          one set of ranks under every protocol: cut-off, candidates, history
``panels``              static small multiples, then sliders that redraw them
``commands``            commands of ``msm4sr`` in a cell
``attention``           the attention maps of the encoder
``similarity``          customers and their next items as a matrix, always to one scale
``clouds``              texts and pictures along their principal axes
``intervals``           figures with their intervals, and what to do where there is none
``map_explorer``        maps of items, and a panel that shows their doubts
``editor``              a basket to change by hand, with the offers and their reasons
``encoder``             the sentence encoder, where there is one
``progress``            a bar for what takes long
``watch``               a picture that is redrawn while something runs
``sources``             the library's own lines, never a copy
``checks``              exercises: check, hint, solution (the tasks are in ``exercises/``)
``masters``             a master (``notebooks/src``) becomes a notebook or a student copy
``hosted``              links that open a notebook on Colab or Binder, once there is an address
``dependencies``        which library and data files stored outputs were made from
``rules``               what a stored notebook must keep to
``notebooks``           the commands ``build``, ``check`` and ``student``
======================  =======================================================================

Importing this package imports neither numpy nor torch nor a plotting library, so that
:func:`setup` can still decide how many threads they use.
"""

from course.checks import check, hint, solution
from course.commands import command
from course.display import escape, show_html
from course.editor import Basket, editor
from course.encoder import find_encoder
from course.figures import show
from course.gallery import pictures, pictures_html
from course.machine import machine_report
from course.map_explorer import MapView, draw_map, explore_map
from course.panels import (
    choice,
    entry,
    panel,
    slider,
    toggle,
)
from course.progress import progress
from course.session import Session, setup
from course.sources import source
from course.strips import blank, card, strips
from course.style import MARKERS, PALETTE
from course.watch import watch

__all__ = [
    "MARKERS",
    "PALETTE",
    "Basket",
    "MapView",
    "Session",
    "blank",
    "card",
    "check",
    "choice",
    "command",
    "draw_map",
    "editor",
    "entry",
    "escape",
    "explore_map",
    "find_encoder",
    "hint",
    "machine_report",
    "panel",
    "pictures",
    "pictures_html",
    "progress",
    "setup",
    "show",
    "show_html",
    "slider",
    "solution",
    "source",
    "strips",
    "toggle",
    "watch",
]
