"""The same seed gives identical results, also in another process."""

import hashlib
import subprocess
import sys

import numpy as np
from conftest import small_network

SCRIPT = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from conftest import small_network
from sklearn.datasets import load_digits
X = load_digits().data
codes = small_network(dropout=0.2, corruption="masking").fit(X).transform(X)
print(hashlib.sha256(codes.tobytes()).hexdigest())
"""


def fit_codes(X, **parameters):
    fitted = small_network(dropout=0.2, corruption="masking", **parameters)
    return fitted.fit(X).transform(X)


def test_the_same_seed_gives_identical_codes_in_two_processes(digits):
    codes = fit_codes(digits)
    np.testing.assert_array_equal(fit_codes(digits), codes)
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=__file__.rsplit("/", 1)[0])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == hashlib.sha256(codes.tobytes()).hexdigest()


def test_a_random_state_instance_advances_with_each_fit(digits):
    first = fit_codes(digits, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(first, fit_codes(digits, random_state=0))
    rng = np.random.RandomState(0)
    fits = [small_network(random_state=rng).fit(digits) for _ in range(2)]
    assert not np.array_equal(*(fit.transform(digits) for fit in fits))


def test_different_seeds_give_different_but_correlated_codes(digits):
    one, other = (
        small_network(random_state=seed, max_iter=40).fit(digits).transform(digits)
        for seed in (0, 1)
    )
    assert not np.array_equal(one, other)
    between = np.corrcoef(one.T, other.T)[:3, 3:]
    assert np.abs(between).max(axis=1).mean() > 0.7


def test_fits_without_a_seed_differ(digits):
    fits = [small_network(random_state=None).fit(digits) for _ in range(2)]
    assert not np.array_equal(*(fit.transform(digits) for fit in fits))
