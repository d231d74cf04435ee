"""The examples in public docstrings run, and public docstrings have them."""

import doctest

import pytest

import skae


@pytest.mark.parametrize("name", skae.__all__)
def test_examples(name):
    tests = doctest.DocTestFinder(recurse=False).find(getattr(skae, name), name)
    assert sum(len(test.examples) for test in tests) > 0
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
