"""The documentation site: ``python -m sphinx -W -q --keep-going -b html docs build/site``.

The build needs no network and executes nothing: notebooks are shown with their stored outputs.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import msm4sr_lite

project = "msm4sr_lite"
author = "The msm4sr_lite contributors"
version = release = msm4sr_lite.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "site_hooks",
]
exclude_patterns = ["results/**"]

# Markdown as a git host reads it: links to headings, dollar signs for equations.
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
nb_execution_mode = "off"
highlight_language = "none"  # of code that names no language: commands, output, folders

# NumPy-style docstrings; shapes and types stand in the signatures.
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
python_use_unqualified_type_names = True
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "msm4sr_lite"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["search_offline.js"]
html_use_index = False  # the search finds every name, and no page would link to the index
html_domain_indices = False
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system says
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "footer_start": ["sphinx-version"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": [], "search": []}
