"""What a notebook of the course needs besides the library; one import line brings all of it.

The course is imported from where it lies: a kernel starts in the folder of its notebook,
``notebooks/``, and ``run.py`` puts that folder on ``PYTHONPATH``. Importing it makes the repository
importable, too: ``data_samples.make``, and the library where it is not installed.

======================  =======================================================================
file                    idea
======================  =======================================================================
``session``             the first cell: seeds, threads, offline, style, where the sample lies
``machine``             the facts of this machine, and how fast it is
``style``               one palette, one set of markers, type that a projector shows
``display``             HTML for the eye with a plain-text version; foreign text made harmless
``figures``             a figure with alternative text, small enough to store
``gallery``             item images with their titles and keywords
``strips``              a sequence as a strip of cards, text or image at every position
``drawings``            the drawings in ``drawings/``; a cell shows one
``panels``              a live panel, or still figures where nobody can move it
``controls``            what can be moved in a panel
``pictures``            items chosen by picture
``taps``                HTML whose parts can be tapped
``progress``            what the student has done, in one small file beside the copies
``outline``             the strip of all notebooks, with what is done in each
``predictions``         predict, then reveal: stored before the result is shown, then scored
``prediction_widgets``  the inputs of predictions
``quiz``                two questions at the end of a notebook
``scoreboard``          results of the student and of longer runs in one table
``live_page``           the page in which the model runs in the browser
``watch``               a progress bar; a figure that is redrawn while something runs
``learning``            notes and a figure of the student's own pre-training
``effects``             what each part of the method contributes, from stored studies
``gpu_log``             a stored log of a GPU, or the same measured
``commands``            commands of ``msm4sr`` in a cell
``sources``             the library's own lines, never a copy
``checks``              exercises: check, hint, solution (the tasks are in ``exercises/``)
``spine``               the student's own model, put together from the parts that were accepted
``attempts``            a learner's code, run safely; results compared
``protocol``            what filters, leaks and sampled candidates do to the metrics
``microscope``          one set of ranks under every protocol: cut-off, candidates, filter
``intervals``           metrics with their intervals, and what to do where there is none
``attention``           the attention maps of the encoder
``similarity``          users and their next items as a matrix, always to one scale
``sphere``              alignment and uniformity
``modality_gap``        the gap between texts and images
``clouds``              texts and images along their principal axes
``maps``                UMAP, and how far it can be trusted
``map_drawing``         maps in matplotlib
``map_explorer``        a panel of maps that shows their errors
``cold_items``          a new item, and who would be offered it
``transfer``            fine-tuning on a share of a domain's users; what carries over
``history``             a history to change by hand, and what is read of each item
``offers``              what models offer after a history, each offer with its reason
``window``              the shop window: history, shelf and offers, to tap
``window_drawing``      how it looks
``masters``             a master (``notebooks/src``) becomes a notebook
``lab``                 the student's copies, and JupyterLab with them
``hosted``              links that open a notebook on Colab or Binder, once there is an address
``dependencies``        which library and data files stored outputs were made from
``rules``, ``costs``    what a stored notebook must keep to, and a run of it
``notebooks``           the commands ``build``, ``check`` and ``work``
``marking``             the table of what students returned (a file's: ``verdicts``)
======================  =======================================================================

Importing this package imports neither numpy nor torch nor a plotting library, so that
:func:`setup` can still decide how many threads they use.
"""

import sys
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)  # at the end: an installed package comes first

from course.checks import check, hint, solution
from course.commands import command, show_messages
from course.controls import choice, entry, slider, toggle
from course.display import escape, show_html
from course.drawings import drawing
from course.figures import show
from course.gallery import images_html, show_images
from course.history import History
from course.live_page import live_page
from course.machine import machine_report
from course.map_drawing import draw_map
from course.map_explorer import MapView, explore_map
from course.panels import panel
from course.pictures import Picture, item_pictures, picture_choice
from course.predictions import number, order, pick, predict, reveal
from course.progress import load_progress, record, work_folder
from course.quiz import quiz
from course.scoreboard import score, scoreboard
from course.session import Session, explain_missing_encoder, find_encoder, setup
from course.sources import source
from course.spine import load_parts
from course.strips import blank_card, item_card, strips
from course.style import MARKERS, PALETTE
from course.watch import progress_bar, watch
from course.window import show_window

__all__ = [
    "MARKERS",
    "PALETTE",
    "History",
    "MapView",
    "Picture",
    "Session",
    "blank_card",
    "check",
    "choice",
    "command",
    "draw_map",
    "drawing",
    "entry",
    "escape",
    "explain_missing_encoder",
    "explore_map",
    "find_encoder",
    "hint",
    "images_html",
    "item_card",
    "item_pictures",
    "live_page",
    "load_parts",
    "load_progress",
    "machine_report",
    "number",
    "order",
    "panel",
    "pick",
    "picture_choice",
    "predict",
    "progress_bar",
    "quiz",
    "record",
    "reveal",
    "score",
    "scoreboard",
    "setup",
    "show",
    "show_html",
    "show_images",
    "show_messages",
    "show_window",
    "slider",
    "solution",
    "source",
    "strips",
    "toggle",
    "watch",
    "work_folder",
]
