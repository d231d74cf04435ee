"""Parameters and attributes that estimators share are documented alike."""

import pytest
from numpydoc.docscrape import ClassDoc
from sklearn.utils import _testing

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)

DENSE, CONVOLUTIONAL, VARIATIONAL = (
    AutoencoderTransformer,
    ConvolutionalAutoencoderTransformer,
    VariationalAutoencoderTransformer,
)
# What differs between the estimators, and so do its descriptions.
OWN_PARAMETERS = {
    CONVOLUTIONAL: [
        "hidden_layer_sizes",
        "activation",
        "skip_connections",
        "encoder, decoder",
        "corruption",
        "learning_rate",
        "max_iter",
    ],
    VARIATIONAL: [
        "hidden_layer_sizes",
        "activation",
        "learning_rate",
        "max_iter",
        "alpha",
        "early_stopping",
        "validation_fraction",
    ],
}
OWN_ATTRIBUTES = {
    CONVOLUTIONAL: [],
    VARIATIONAL: [
        "components_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
        "density_",
        "loss_curve_",
        "start_loss_",
    ],
}


@pytest.mark.skipif(
    not hasattr(_testing, "assert_docstring_consistency"),
    reason="came with scikit-learn 1.6",
)
@pytest.mark.parametrize("other", OWN_PARAMETERS, ids=lambda one: one.__name__)
def test_what_is_shared_is_documented_alike(other):
    def shared(section, own):
        names = [{p.name for p in ClassDoc(one)[section]} for one in (DENSE, other)]
        return sorted(set.intersection(*names) - set(own))

    _testing.assert_docstring_consistency(
        [DENSE, other], include_params=shared("Parameters", OWN_PARAMETERS[other])
    )
    _testing.assert_docstring_consistency(
        [DENSE, other], include_attrs=shared("Attributes", OWN_ATTRIBUTES[other])
    )


@pytest.mark.parametrize("estimator", [DENSE, *OWN_PARAMETERS])
def test_every_parameter_and_attribute_is_documented(estimator, digits):
    documented = ClassDoc(estimator)
    names = [n for p in documented["Parameters"] for n in p.name.split(", ")]
    assert sorted(names) == sorted(estimator().get_params())
    fitted = estimator(max_iter=1, hidden_layer_sizes=(4,)).fit(digits[:50])
    found = {
        name
        for name in ("components_", *vars(fitted))
        if name.endswith("_") and not name.startswith("_")
    }
    names = [n for p in documented["Attributes"] for n in p.name.split(", ")]
    assert found <= set(names)
