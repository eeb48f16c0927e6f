"""Settings of Sphinx. Facts about the project are in pyproject.toml."""

import tomllib
from pathlib import Path

import skpapers
from skpapers.papers import table

HERE = Path(__file__).parent
FACTS = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]

project = FACTS["name"]
author = project_copyright = FACTS["authors"][0]["name"]
release = version = skpapers.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc", "myst_nb"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
autodoc_typehints = "none"  # signatures are short as scikit-learn's; the parameters' types are in the docstrings
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_heading_anchors = 3
myst_substitutions = {"papers": table().to_markdown(folder="")}
nb_execution_mode = "force"
nb_execution_excludepatterns = ["notebooks/*"]  # `make docs` has executed them, several at a time
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    # pages with wide tables and screens have no list of their headings
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        "index": [],
        "reproduction": [],
        "guide/index": [],
        "guide/compare": [],
    },
}
html_sidebars = {"index": [], "reproduction": [], "changelog": [], "contributing": []}
html_show_sourcelink = False


def setup(app):
    """Leave out the methods inherited from scikit-learn: their text points into scikit-learn's own guide."""

    def skip(app, what, name, obj, skipped, options):
        return True if str(getattr(obj, "__module__", "")).startswith("sklearn.") else None

    app.connect("autodoc-skip-member", skip)
