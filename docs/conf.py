"""Settings of Sphinx. CONTRIBUTING.md has the command that builds the site."""

import os
import sys
from pathlib import Path

from sklearn.experimental import enable_iterative_imputer  # noqa: F401

import skae

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ.setdefault("KERAS_BACKEND", "jax")

project = "skae"
author = "The skae developers"
copyright = "2026, the skae developers"
version = release = skae.__version__

# The services that build the site know where the sources are.
if "GITHUB_REPOSITORY" in os.environ:
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    repository = f"{server}/{os.environ['GITHUB_REPOSITORY']}"
else:
    repository = os.environ.get("READTHEDOCS_GIT_CLONE_URL", "").removesuffix(".git")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "references",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_substitutions = {
    "about": " · ".join(
        [
            f"Version {release}",
            "Python 3.11 or later",
            "BSD-3-Clause",
            *([f"[Repository]({repository})"] if repository else []),
        ]
    )
}
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

# Formulas are MathML, which browsers draw without a script from another host.
html_math_renderer = "mathml"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/examples",
    "doc_module": ("skae",),
    # The sections and the order are in examples/index.rst.
    "copyfile_regex": r"index\.rst",
    "minigallery_sort_order": "references.position_in_gallery",
    "remove_config_comments": True,
    "thumbnail_size": (640, 448),
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skae {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_persistent": ["search-button"],
    "icon_links": [
        {"name": "Repository", "url": repository, "icon": "fa-brands fa-github"}
    ]
    if repository
    else [],
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        "index": [],
        "auto_examples/index": [],
    },
}
html_sidebars = {"index": [], "getting_started": [], "faq": [], "speed": []}
html_copy_source = False
html_show_sourcelink = False
