"""Where the documentation is."""

SITE = "https://skae.readthedocs.io/en/latest/"

API_PAGE = SITE + "api/{estimator_module}.{estimator_name}.html"
"""For ``_doc_link_template``, by which scikit-learn's HTML representation links."""
