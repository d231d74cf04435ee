"""The HTML representation links to the estimator's page of the API reference."""

import re
from pathlib import Path

import pytest
from sklearn.utils import estimator_html_repr

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
from skae.imbalance import AutoencoderOverSampler
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

API = (Path(__file__).parents[1] / "docs" / "api.rst").read_text()
PAGES = {
    AutoencoderTransformer: "skae.AutoencoderTransformer",
    ConvolutionalAutoencoderTransformer: "skae.ConvolutionalAutoencoderTransformer",
    VariationalAutoencoderTransformer: "skae.VariationalAutoencoderTransformer",
    AutoencoderOverSampler: "skae.imbalance.AutoencoderOverSampler",
    AutoencoderImputer: "skae.impute.AutoencoderImputer",
    AutoencoderOutlierDetector: "skae.outliers.AutoencoderOutlierDetector",
}


@pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.__name__)
def test_html_links_to_the_page_of_the_api(kind):
    html = estimator_html_repr(kind())
    links = set(re.findall(r'href="(https://skae[^"#]+)', html))
    assert links == {f"https://skae.readthedocs.io/en/latest/api/{PAGES[kind]}.html"}
    # Sphinx names the page after the entry of the list, in the module skae.
    assert PAGES[kind].removeprefix("skae.") in API.split()


def test_the_api_lists_every_public_name():
    import skae.imbalance
    import skae.impute
    import skae.inspection
    import skae.outliers
    import skae.plot

    modules = [skae.imbalance, skae.impute, skae.inspection, skae.outliers, skae.plot]
    names = set(skae.__all__) | {
        f"{module.__name__.removeprefix('skae.')}.{name}"
        for module in modules
        for name in module.__all__
    }
    assert names <= set(API.split())
