"""Public classes have examples in their docstrings, and the examples run."""

import doctest

import pytest

import skae
import skae.imbalance
import skae.impute

PUBLIC = [
    getattr(module, name)
    for module in (skae, skae.imbalance, skae.impute)
    for name in module.__all__
]


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_docstring_examples_run(public):
    tests = doctest.DocTestFinder(recurse=False).find(public, public.__name__)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
