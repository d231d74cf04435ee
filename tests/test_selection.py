"""When gains over the start of training are significant."""

import numpy as np
import pytest

from skae import AutoencoderTransformer
from skae._training import is_gain, is_mean_gain


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ([0.0] * 50, False),
        ([0.1] * 50, True),
        ([-0.1] * 50, False),
        ([0.1], False),
        # A few rows gain much, but more rows lose a little.
        ([100.0] * 20 + [-0.1] * 30, False),
        # Many rows gain a little, but one row loses as much as they gain, or more.
        ([0.1] * 49 + [-4.9], False),
        ([0.1] * 49 + [-5.0], False),
        # The mean is a gain only because of the row that gains most.
        ([0.1] * 45 + [-0.1] * 5 + [-30.0, 31.0], False),
        # One row gains or loses much. All others gain, which is significant.
        ([0.1] * 49 + [1000.0], True),
        ([0.1] * 49 + [-4.0], True),
        ([0.1] * 199 + [-8.0], True),
    ],
    ids=[
        "no gains",
        "all gain",
        "all lose",
        "one row",
        "few large gains",
        "gains and losses are equal",
        "losses are larger",
        "mean depends on one row",
        "one large gain",
        "one large loss",
        "one larger loss",
    ],
)
def test_which_gains_are_significant(gains, expected):
    assert is_gain(np.array(gains)) is expected


@pytest.mark.parametrize("tail", [2.1, 30.0], ids=["heavy", "normal"])
def test_noise_is_rarely_significant(tail):
    noise = np.random.default_rng(0).standard_t(tail, size=(500, 60))
    assert np.mean([is_gain(gains) for gains in noise]) < 0.03


def test_a_network_is_kept_if_it_gains_beside_a_dominant_feature():
    # PCA leaves a ten-thousandth of the variance. Nearly all of this is a parabola.
    rng = np.random.default_rng(0)
    angle = rng.uniform(-1, 1, size=1200)
    X = np.column_stack([rng.normal(size=1200) * 30, angle, angle**2])
    X[:, 1:] += rng.normal(scale=0.02, size=(1200, 2))
    linear = AutoencoderTransformer(2, hidden_layer_sizes=()).fit(X[:1000])
    network = AutoencoderTransformer(
        2, hidden_layer_sizes=(32,), max_iter=30, random_state=0
    ).fit(X[:1000])
    errors = [-model.score_samples(X[1000:]).sum() for model in (linear, network)]
    assert errors[1] < 0.5 * errors[0]


def test_a_mean_gain_is_two_standard_errors_above_zero():
    from scipy.stats import sem

    gains = np.random.default_rng(0).normal(size=100)
    gains = (gains - gains.mean()) / sem(gains)
    assert is_mean_gain(gains + 2.01)
    assert not is_mean_gain(gains + 1.99)
    # One row cannot decide.
    assert not is_mean_gain(np.array([0.0] * 99 + [1000.0]))
