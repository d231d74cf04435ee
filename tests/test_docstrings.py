"""Parameters and attributes that estimators share are documented alike."""

import inspect

import pytest
from numpydoc.docscrape import ClassDoc, FunctionDoc
from sklearn.utils import _testing

import skae.inspection
import skae.plot
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


DISPLAYS = [getattr(skae.plot, name) for name in skae.plot.__all__]
FUNCTIONS = [getattr(skae.inspection, name) for name in skae.inspection.__all__]
FUNCTIONS += [
    getattr(display, name)
    for display in DISPLAYS
    for name in vars(display)
    if not name.startswith("_")
]


def documented_names(documented, section):
    return [n for p in documented[section] for n in p.name.split(", ")]


@pytest.mark.parametrize("display", DISPLAYS, ids=lambda one: one.__name__)
def test_parameters_of_displays_are_documented(display):
    names = documented_names(ClassDoc(display), "Parameters")
    assert names == list(inspect.signature(display).parameters)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.__qualname__)
def test_parameters_of_functions_are_documented(function):
    names = documented_names(FunctionDoc(function), "Parameters")
    wanted = [n for n in inspect.signature(function).parameters if n != "self"]
    assert sorted(names) == sorted(wanted)
