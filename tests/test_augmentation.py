"""The second phase: the encoder trains alone, on rows made of pairs of rows."""

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
KNOWN = FeatureSwaps(Resident.of(Batch(X), SCALING, 32, lambda rows: rows), 4)
ROWS = SCALING.apply_for_training(X)


def never(*args):
    """Stand in for the augmented rows of the second phase."""
    raise AssertionError("second phase")


def drawn(numbers, size, seed=0):
    (block,) = KNOWN.shuffled(numbers, size, np.random.RandomState(seed))
    return block.rows.input[block.order.ravel()[: block.n_rows]]


def test_new_rows_are_made_of_pairs_of_rows():
    numbers = np.arange(0, 300, 2)
    new = drawn(numbers, len(numbers))
    assert new.shape == (150, 40)
    # Features are independent and continuous, so values tell where they are from.
    same = new[:, None] == ROWS[numbers][None]
    assert same.any(axis=1).all()
    receiver, donor = np.argsort(same.sum(axis=2), axis=1)[:, :-3:-1].T
    each = np.arange(150)
    kept, given = same[each, receiver], same[each, donor]
    lent = 1 - kept.mean(axis=1)
    assert (kept | given)[lent > 0.1].all()
    assert lent.min() < 0.05
    assert 0.3 < lent.max() <= 0.5
    assert lent.mean() == pytest.approx(0.2, abs=0.03)


def test_every_pass_is_new_and_repeats_with_its_seed():
    numbers = np.arange(100)
    np.testing.assert_array_equal(drawn(numbers, 100), drawn(numbers, 100))
    assert not np.array_equal(drawn(numbers, 100), drawn(numbers, 100, seed=1))
    # As many as the model that trains on all rows sees.
    assert drawn(numbers[:80], 100).shape == (100, 40)


def test_blocks_of_many_wide_rows_are_short(monkeypatch):
    numbers = np.arange(300)
    whole = drawn(numbers, 1200)
    monkeypatch.setattr(_augmentation, "BLOCK_BYTES", 4 * 128 * 40 * 4)
    blocks = list(KNOWN.shuffled(numbers, 1200, np.random.RandomState(0)))
    assert [block.first for block in blocks] == [0, 4, 8]
    assert [len(block.rows.input) for block in blocks] == [512, 512, 512]
    rows = [b.rows.input[b.order.ravel()[: b.n_rows]] for b in blocks]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_held_out_rows_stay_as_they_are():
    numbers = np.arange(7, 77)
    (block,) = KNOWN.in_order(numbers)
    seen = block.rows.input[block.order.ravel()[: block.n_rows]]
    np.testing.assert_array_equal(seen, ROWS[numbers])


def test_masks_follow_values_and_labels_follow_rows():
    # Every value tells its row, so the parts of a new row can be compared.
    number = np.arange(300.0)[:, None]
    parts = Batch(np.tile(number, 40), label=number, mask=np.tile(number, 40))
    unscaled = Scaling.none(40)
    source = Resident.of(parts, unscaled, 32, lambda rows: rows)
    rng = np.random.RandomState(0)
    (block,) = FeatureSwaps(source, 4).shuffled(np.arange(300), 300, rng)
    new = block.rows.map(lambda part: part[:300])
    np.testing.assert_array_equal(new.mask, new.input)
    assert new.target is None
    # Most values of a row are those of the row that gives the label.
    assert ((new.input == new.label).mean(axis=1) > 0.3).all()
    assert (new.input != new.label).any()


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "nadam", "lion"])
def test_the_decoder_is_frozen(optimizer, digits):
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


def test_held_out_rows_gain(digits, monkeypatch):
    def error():
        fitted = AutoencoderTransformer(4, random_state=0).fit(few)
        return np.square(rest - fitted.reconstruct(rest)).sum()

    few, rest = digits[:500], digits[500:]
    with_encoder_alone = error()
    pca = PCA(4).fit(few)
    by_pca = np.square(rest - pca.inverse_transform(pca.transform(rest))).sum()
    assert with_encoder_alone < 0.95 * by_pca
    monkeypatch.setattr(_phases, "_are_few", lambda *shape: False)
    assert with_encoder_alone < 0.95 * error()


@pytest.mark.parametrize("n_rows", [500, 1500])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
def test_both_phases_share_the_epochs(max_iter, n_rows, digits, monkeypatch):
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
def test_only_for_undamaged_rows_and_with_held_out_rows(without, digits, monkeypatch):
    monkeypatch.setattr(FeatureSwaps, "shuffled", never)
    network = small_network(n_components=2, max_iter=3, tol=0, **without)
    assert network.fit(digits[:500]).n_iter_ == 3


@pytest.mark.parametrize(
    ("shape", "few"), [((1001, 100), False), ((1000, 100), True), ((1010, 101), True)]
)
def test_only_where_rows_or_values_are_few(shape, few, monkeypatch):
    monkeypatch.setattr(FeatureSwaps, "shuffled", never)
    rows = np.random.default_rng(0).normal(size=shape)
    network = small_network(n_components=2, max_iter=3, tol=0)
    if not few:
        network.fit(rows)
        return
    with pytest.raises(AssertionError, match="second phase"):
        network.fit(rows)


def test_only_where_values_fit_into_a_block(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(1010, 101))
    monkeypatch.setattr(_phases, "BLOCK_BYTES", rows.size * 4 - 1)
    monkeypatch.setattr(FeatureSwaps, "shuffled", never)
    small_network(n_components=2, max_iter=3, tol=0).fit(rows)
