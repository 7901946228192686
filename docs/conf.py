"""How the pages are built: every cell is run, offline, and a warning is an error.

Nothing that a page shows is stored. A cell that fails, a link that leads nowhere, or a name that
is not there any more stops the build.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE / "_ext")]

# Cells are run by another process: it finds the studies and the display helpers by this, and
# has one thread, since two pages run side by side.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(HERE / "_ext")])
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
# The kernel is this environment's Python, whatever kernels a user has, and a quiet one.
os.environ["JUPYTER_PATH"] = str(HERE / "_jupyter")
# `!fsm-gpt ...` in a cell is the one of this environment, in plain text of this width.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "82"

import fsm_gpt  # noqa: E402

project = "fsm_gpt"
author = "fsm_gpt contributors"
copyright = author
release = version = fsm_gpt.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "accessible",
    "balanced",
    "docstrings",
    "forked",
    "generated",
    "layouts",
    "living",
    "mathml",
    "notebooks",
    "offline",
]
nitpicky = True
# Types of other packages have no page here; every name of this package must have one.
nitpick_ignore_regex = [("py:.*", r"(?!fsm_gpt).*")]

# ---- cells ----

nb_execution_mode = "inline"  # every cell, at every build; prose can ask for {eval}`a number`
nb_eval_name_regex = r".+"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist", "attrs_inline"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# ---- names and types ----

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
autodoc_type_aliases = dict.fromkeys(
    ("Booleans", "Complexes", "Floats", "Ids", "Mask", "Numbers", "Places", "Points"),
    "numpy.ndarray",
)
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_display_short_literal_types = True
add_module_names = False

# ---- looks ----

smartquotes_action = "qe"  # quotes and dots; two hyphens begin an option
html_theme = "furo"
html_title = "fsm_gpt"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it would fetch pages, which a page opened as a file may not
templates_path = ["_templates"]
exclude_patterns = ["_*", "**/.ipynb_checkpoints"]
pygments_style = "default"
pygments_dark_style = "github-dark"
