"""Links that have to work on the site and outside of it.

- Pages link to ``../examples/plot_x.py``, which works on GitHub. On the site this is a
  page of the gallery.
- Docstrings name a page as ``docs/labels.md``. On the site this is a link.
- Docstrings that come from scikit-learn refer to its documentation.
- Lists of examples have the order of the gallery.
- Public classes say that they are of the module ``skae``. Their source is elsewhere.
"""

import importlib
import inspect
import re
from pathlib import Path

from docutils import nodes

GALLERY = (Path(__file__).parents[2] / "examples" / "index.rst").read_text()
SKLEARN = "https://scikit-learn.org/stable/"
SKLEARN_LABELS = {
    "df_output_transform": "auto_examples/miscellaneous/plot_set_output.html",
    "metadata_routing": "metadata_routing.html",
    "meta-estimator": "glossary.html#term-meta-estimator",
    "sphx_glr_auto_examples_miscellaneous_plot_set_output.py": (
        "auto_examples/miscellaneous/plot_set_output.html"
    ),
}


def link_to_gallery(app, name, source):
    source[0] = re.sub(
        r"\]\(\.\./examples/(plot_\w+)\.py\)", r"](auto_examples/\1.rst)", source[0]
    )


def link_to_pages(app, what, name, obj, options, lines):
    text = re.sub(r"``docs/(\w+)\.md``", r":doc:`/\1`", "\n".join(lines))
    # A long type goes on after a backslash, which stays there in raw docstrings.
    lines[:] = re.sub(r"\\\n\s+", "", text).split("\n")


def escape_shapes(app, what, name, obj, options, lines):
    """Keep docutils from reading ``(n_components_,)`` as the name of a link."""
    lines[:] = [re.sub(r"(?<=\w)_(?=[,)])", r"\\_", line) for line in lines]


def link_to_sklearn(app, env, node, content):
    target = node["reftarget"]
    if target.startswith("sklearn."):
        address = f"{SKLEARN}modules/generated/{target}.html"
    elif target in SKLEARN_LABELS:
        address = SKLEARN + SKLEARN_LABELS[target]
    else:
        return None
    return nodes.reference("", "", content, refuri=address, internal=False)


def position_in_gallery(path):
    """Return where ``examples/index.rst`` lists an example. Simple ones come first."""
    return GALLERY.find(f"/{Path(path).name}")


def find_source(app, module, attribute):
    """Return the module in which a public class or function is written."""
    public = getattr(importlib.import_module(module), attribute.split(".")[0])
    function = public.__init__ if inspect.isclass(public) else public
    return function.__globals__["__name__"]


def setup(app):
    app.connect("source-read", link_to_gallery)
    app.connect("autodoc-process-docstring", link_to_pages, priority=100)
    app.connect("autodoc-process-docstring", escape_shapes, priority=900)
    app.connect("missing-reference", link_to_sklearn)
    app.connect("viewcode-follow-imported", find_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
