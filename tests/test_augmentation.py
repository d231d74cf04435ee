"""Swap augmentation, and the second phase of training.

In the second phase only the encoder trains. Each of its rows combines the features of
two training rows.
"""

import numpy as np
import pytest
from conftest import dense_spec, small_network
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._data import Batch, FeatureSwaps, Resident, Scaling, Split, _augmentation
from skae._networks import WeightScales, initial_weights
from skae._training import TrainingConfig, TrainingData, _phases, train_once

X = np.random.default_rng(0).normal(size=(300, 40))
SCALING = Scaling.fit(X)
SWAPS = FeatureSwaps(Resident.of(Batch(X), SCALING, 32, lambda rows: rows), 4)
ROWS = SCALING.apply_for_training(X)


def fail_in_second_phase(*args):
    """Replace the augmentation, to fail if the second phase starts."""
    raise AssertionError("second phase")


def augmented_rows(numbers, size, seed=0):
    """Return augmented rows, made of the rows with the given numbers."""
    (block,) = SWAPS.shuffled(numbers, size, np.random.RandomState(seed))
    return block.rows.input[block.order.ravel()[: block.n_rows]]


def test_augmented_rows_combine_two_rows():
    numbers = np.arange(0, 300, 2)
    new = augmented_rows(numbers, len(numbers))
    assert new.shape == (150, 40)
    # The features are continuous, so each value identifies the row it comes from.
    same = new[:, None] == ROWS[numbers][None]
    assert same.any(axis=1).all()
    receiver, donor = np.argsort(same.sum(axis=2), axis=1)[:, :-3:-1].T
    each = np.arange(150)
    kept, given = same[each, receiver], same[each, donor]
    swapped = 1 - kept.mean(axis=1)
    assert (kept | given)[swapped > 0.1].all()
    assert swapped.min() < 0.05
    assert 0.3 < swapped.max() <= 0.5
    assert swapped.mean() == pytest.approx(0.2, abs=0.03)


def test_each_pass_draws_new_rows_and_its_seed_repeats_them():
    numbers = np.arange(100)
    np.testing.assert_array_equal(
        augmented_rows(numbers, 100), augmented_rows(numbers, 100)
    )
    assert not np.array_equal(
        augmented_rows(numbers, 100), augmented_rows(numbers, 100, seed=1)
    )
    # Each model sees as many rows as the model that trains on all rows.
    assert augmented_rows(numbers[:80], 100).shape == (100, 40)


def test_large_augmented_data_come_in_several_blocks(monkeypatch):
    numbers = np.arange(300)
    whole = augmented_rows(numbers, 1200)
    monkeypatch.setattr(_augmentation, "BLOCK_BYTES", 4 * 128 * 40 * 4)
    blocks = list(SWAPS.shuffled(numbers, 1200, np.random.RandomState(0)))
    assert [block.first for block in blocks] == [0, 4, 8]
    assert [len(block.rows.input) for block in blocks] == [512, 512, 512]
    rows = [b.rows.input[b.order.ravel()[: b.n_rows]] for b in blocks]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_held_out_rows_are_not_augmented():
    numbers = np.arange(7, 77)
    (block,) = SWAPS.in_order(numbers)
    seen = block.rows.input[block.order.ravel()[: block.n_rows]]
    np.testing.assert_array_equal(seen, ROWS[numbers])


def test_masks_are_swapped_like_values_and_labels_are_not_swapped():
    # Every value is the number of its row, so the parts of a new row can be compared.
    number = np.arange(300.0)[:, None]
    parts = Batch(np.tile(number, 40), label=number, mask=np.tile(number, 40))
    unscaled = Scaling.none(40)
    source = Resident.of(parts, unscaled, 32, lambda rows: rows)
    rng = np.random.RandomState(0)
    (block,) = FeatureSwaps(source, 4).shuffled(np.arange(300), 300, rng)
    new = block.rows.map(lambda part: part[:300])
    np.testing.assert_array_equal(new.mask, new.input)
    assert new.target is None
    # A large part of the values comes from the row that gives the label.
    assert ((new.input == new.label).mean(axis=1) > 0.3).all()
    assert (new.input != new.label).any()


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "nadam", "lion"])
def test_the_second_phase_does_not_change_the_decoder(optimizer, digits):
    estimator = AutoencoderTransformer(optimizer=optimizer)
    config = TrainingConfig.of(
        estimator.get_params(), estimator._terms, dense_spec(64, 5, (12,), "tanh")
    )
    rng, few, ones = np.random.RandomState(0), digits[:200], WeightScales(1.0)
    split = Split.none(200, rng)
    data = TrainingData.of(config, Batch(few), split, Scaling.fit(few), ones)
    weights = initial_weights(config.networks, None, ones, rng)
    state = config.engine.init(weights)
    (after, _), _ = train_once(config.engine, state, data.for_encoder(), 0.01, rng)
    for one, other in zip(weights["decoder"][0], after["decoder"][0], strict=True):
        np.testing.assert_array_equal(one, other)
    moved = zip(weights["encoder"][0], after["encoder"][0], strict=True)
    assert all(not np.array_equal(one, other) for one, other in moved)


def test_the_second_phase_lowers_the_error_of_test_rows(digits, monkeypatch):
    def error():
        fitted = AutoencoderTransformer(4, random_state=0).fit(few)
        return np.square(rest - fitted.reconstruct(rest)).sum()

    few, rest = digits[:500], digits[500:]
    with_second_phase = error()
    pca = PCA(4).fit(few)
    pca_error = np.square(rest - pca.inverse_transform(pca.transform(rest))).sum()
    assert with_second_phase < 0.95 * pca_error
    monkeypatch.setattr(_phases, "_are_few", lambda *shape: False)
    assert with_second_phase < 0.95 * error()


@pytest.mark.parametrize("n_rows", [500, 1500])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
def test_max_iter_counts_the_epochs_of_both_phases(
    max_iter, n_rows, digits, monkeypatch
):
    epochs = []
    monkeypatch.setattr(
        FeatureSwaps, "shuffled", lambda self, *args: epochs.append(1) or iter(())
    )
    few = small_network(n_components=2, max_iter=max_iter, tol=0).fit(digits[:n_rows])
    assert few.n_iter_ == max_iter
    assert len(few.loss_curve_) == len(few.validation_loss_curve_) == max_iter
    n_models = 6 if n_rows < 1000 else 1
    assert len(epochs) == n_models * (max_iter // 3)


@pytest.mark.parametrize(
    "without",
    [
        {"early_stopping": False},
        {"corruption": "gaussian", "corruption_level": 0.1},
    ],
)
def test_corruption_or_no_held_out_rows_mean_no_second_phase(
    without, digits, monkeypatch
):
    monkeypatch.setattr(FeatureSwaps, "shuffled", fail_in_second_phase)
    network = small_network(n_components=2, max_iter=3, tol=0, **without)
    assert network.fit(digits[:500]).n_iter_ == 3


@pytest.mark.parametrize(
    ("shape", "few"), [((1001, 100), False), ((1000, 100), True), ((1010, 101), True)]
)
def test_only_small_or_wide_data_have_a_second_phase(shape, few, monkeypatch):
    monkeypatch.setattr(FeatureSwaps, "shuffled", fail_in_second_phase)
    rows = np.random.default_rng(0).normal(size=shape)
    network = small_network(n_components=2, max_iter=3, tol=0)
    if not few:
        network.fit(rows)
        return
    with pytest.raises(AssertionError, match="second phase"):
        network.fit(rows)


def test_wide_data_that_exceed_a_block_have_no_second_phase(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(1010, 101))
    monkeypatch.setattr(_phases, "BLOCK_BYTES", rows.size * 4 - 1)
    monkeypatch.setattr(FeatureSwaps, "shuffled", fail_in_second_phase)
    small_network(n_components=2, max_iter=3, tol=0).fit(rows)
