"""Public classes have examples in their docstrings, and the examples run."""

import doctest

import pytest

import skae
import skae.imbalance
import skae.impute
import skae.inspection
import skae.outliers
import skae.plot

MODULES = (
    skae,
    skae.imbalance,
    skae.impute,
    skae.inspection,
    skae.outliers,
    skae.plot,
)
PUBLIC = [getattr(module, name) for module in MODULES for name in module.__all__]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_docstring_examples_run(public):
    tests = doctest.DocTestFinder(recurse=False).find(public, public.__name__)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
