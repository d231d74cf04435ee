"""Loaders give rows to the device: all at once, in blocks, or augmented.

Augmented rows are those of the second phase of training, in which only the encoder
trains. Each of them combines the values of two training rows.
"""

import numpy as np
import pytest
from conftest import small_network
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._data import (
    AugmentingLoader,
    Batch,
    InMemoryLoader,
    Scaling,
    StreamingLoader,
    _loaders,
    loader,
    shared_capacity,
)
from skae._training import _trainer, train_once
from skae._validation import validate_fit

X = np.random.default_rng(0).normal(size=(1000, 6)) * 3 + 5
SCALING = Scaling.fit(X)


def keep_in_place(rows):
    """Return the rows unchanged, in place of a transfer to a device."""
    return rows


LOADERS = {
    "in memory": InMemoryLoader.of(Batch(X), SCALING, 32, keep_in_place),
    "streaming": StreamingLoader(Batch(X), SCALING, 32, 3, keep_in_place),
}


def rows_and_batches(blocks):
    """Return the rows of all blocks without padding, and the batch numbers."""
    rows, batches = [], []
    for block in blocks:
        assert block.order.dtype == block.n_rows.dtype == np.int32
        batch = block.first
        for order in np.split(
            block.order.ravel()[: block.n_rows], range(32, block.n_rows, 32)
        ):
            rows.append(block.rows.input[order])
            batches.append(batch)
            batch += 1
    return np.concatenate(rows), batches


@pytest.mark.parametrize("n_rows", [1, 31, 32, 33, 95, 96, 97, 1000])
@pytest.mark.parametrize("kind", LOADERS)
def test_rows_come_in_the_given_order(kind, n_rows):
    numbers = np.random.RandomState(0).permutation(1000)[:n_rows]
    rows, batches = rows_and_batches(LOADERS[kind].in_order(numbers))
    np.testing.assert_array_equal(rows, SCALING.apply_for_training(X[numbers]))
    assert batches == list(range(-(-n_rows // 32)))


@pytest.mark.parametrize("n_rows", [1, 33, 97, 1000])
@pytest.mark.parametrize("kind", LOADERS)
def test_shuffled_passes_contain_each_row_once(kind, n_rows):
    source = LOADERS[kind]
    numbers = np.random.RandomState(0).permutation(1000)[:n_rows]
    rng = np.random.RandomState(1)
    first, batches = rows_and_batches(source.shuffled(numbers, n_rows, rng))
    second, _ = rows_and_batches(source.shuffled(numbers, n_rows, rng))
    expected = np.sort(SCALING.apply_for_training(X[numbers])[:, 0])
    np.testing.assert_array_equal(np.sort(first[:, 0]), expected)
    np.testing.assert_array_equal(np.sort(second[:, 0]), expected)
    assert batches == list(range(-(-n_rows // 32)))
    if n_rows > 1:
        assert not np.array_equal(first, second)


def test_blocks_mix_distant_rows():
    # Data may be sorted, for example by class. A block must mix rows from all parts.
    X = np.arange(20_000.0)[:, None]
    source = StreamingLoader(Batch(X), Scaling.none(1), 128, 16, keep_in_place)
    numbers = np.arange(20_000)
    for block in source.shuffled(numbers, 20_000, np.random.RandomState(0)):
        assert np.ptp(block.rows.input[: block.n_rows]) > 10_000


@pytest.mark.parametrize("n_rows", [30, 60, 90])
def test_fewer_rows_are_repeated_to_fill_a_pass(n_rows):
    source = InMemoryLoader.of(Batch(X[:90]), SCALING, 32, keep_in_place)
    numbers = np.arange(90)[-n_rows:]
    (block,) = source.shuffled(numbers, 90, np.random.RandomState(0))
    assert block.n_rows == 90
    used, times = np.unique(block.order.ravel()[:90], return_counts=True)
    np.testing.assert_array_equal(used, numbers)
    assert np.ptp(times) <= 1


@pytest.mark.parametrize("n_rows", [5, 64, 90])
def test_blocks_without_padding(n_rows):
    (block,) = LOADERS["in memory"].in_order(np.arange(n_rows))
    parts = list(block.without_padding())
    rows, batches = rows_and_batches(parts)
    np.testing.assert_array_equal(rows, SCALING.apply_for_training(X[:n_rows]))
    assert batches == list(range(-(-n_rows // 32)))
    assert parts[-1].n_rows % parts[-1].order.shape[1] == 0


@pytest.mark.parametrize("kind", LOADERS)
def test_all_parts_of_a_batch_belong_to_the_same_rows(kind):
    # Inputs and outputs are scaled, labels and masks are not.
    numbers = np.arange(200.0)[:, None]
    parts = Batch(
        np.tile(numbers, 3),
        sparse.csr_matrix(np.tile(numbers + 1, 3)),
        numbers,
        np.tile(numbers, 3) % 2,
    )
    scaling = Scaling(np.ones(3), 2.0)
    if kind == "in memory":
        source = InMemoryLoader.of(parts, scaling, 32, keep_in_place)
    else:
        source = StreamingLoader(parts, scaling, 32, 3, keep_in_place)
    n_seen = 0
    for block in source.shuffled(np.arange(200), 200, np.random.RandomState(0)):
        order = block.order.ravel()[: block.n_rows]
        rows = block.rows.map(lambda part, order=order: part[order])
        number = rows.label
        np.testing.assert_array_equal(rows.input, np.tile(number - 1, 3) / 2)
        np.testing.assert_array_equal(rows.output, np.tile(number, 3) / 2)
        np.testing.assert_array_equal(rows.mask, np.tile(number, 3) % 2)
        n_seen += len(order)
    assert n_seen == 200


@pytest.mark.parametrize("n_rows", [20, 150, 1198, 1797, 60_000])
def test_samples_of_similar_size_share_a_shape(n_rows):
    sizes = range(n_rows, n_rows + n_rows // 16)
    n_batches = {-(-shared_capacity(n) // 32) for n in sizes}
    assert len(n_batches) <= 2
    assert n_rows <= 32 * min(n_batches) <= max(n_rows * 1.125 + 32, 32)


@pytest.mark.parametrize("n_rows", [1, 2, 20, 57, 999, 60_000])
def test_a_shared_capacity_holds_little_more_than_the_rows(n_rows):
    assert n_rows <= shared_capacity(n_rows) <= 1.125 * n_rows


def test_large_data_are_streamed(monkeypatch, digits):
    monkeypatch.setattr(_loaders, "RESIDENT_BYTES", 1000)
    arguments = Batch(digits), Scaling.fit(digits), 32
    assert isinstance(loader(*arguments, 1, keep_in_place), StreamingLoader)
    # Several models, of few rows, train at once.
    assert isinstance(loader(*arguments, 6, keep_in_place), InMemoryLoader)


@pytest.fixture
def stream(monkeypatch):
    """Stream all data, in small blocks."""
    monkeypatch.setattr(_loaders, "RESIDENT_BYTES", 1000)
    monkeypatch.setattr(_loaders, "BLOCK_BYTES", 100_000)
    monkeypatch.setattr(_loaders, "SEGMENT", 8)


@pytest.mark.parametrize("kind", ["array", "csr", "memmap"])
@pytest.mark.usefixtures("stream")
def test_a_streamed_fit_agrees_with_a_fit_in_memory(kind, network, digits, tmp_path):
    data = digits
    if kind == "csr":
        data = sparse.csr_matrix(digits)
    if kind == "memmap":
        np.save(tmp_path / "digits.npy", digits)
        data = np.load(tmp_path / "digits.npy", mmap_mode="r")
    fitted = small_network().fit(data)
    # The data are the same, the order of the rows differs.
    np.testing.assert_allclose(fitted.loss_curve_, network.loss_curve_, rtol=0.02)
    assert fitted.score(data) == pytest.approx(network.score(digits), abs=0.01)


@pytest.mark.parametrize("size", [40, 100, 1000])
def test_a_pass_has_as_many_rows_as_asked_for(size, monkeypatch):
    monkeypatch.setattr(_loaders, "BLOCK_BYTES", 4 * 6 * 128)
    X = np.arange(6000.0).reshape(1000, 6)
    stream = StreamingLoader.of(Batch(X), Scaling.fit(X), 32, keep_in_place)
    blocks = stream.shuffled(np.arange(1000), size, np.random.RandomState(0))
    rows = np.concatenate(
        [block.rows.input[block.order.ravel()[: block.n_rows]] for block in blocks]
    )
    assert len(rows) == len(np.unique(rows, axis=0)) == size


@pytest.mark.usefixtures("stream")
def test_streamed_rows_with_missing_values_train_as_in_memory(monkeypatch):
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, size=(800, 1))
    X = np.hstack([t, t**2, np.sin(4 * t), np.cos(4 * t)])
    X = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    estimator = AutoencoderTransformer(
        1,
        hidden_layer_sizes=(32,),
        learning_rate=0.01,
        max_iter=10,
        validation_fraction=0.3,
        random_state=0,
    )
    streamed = clone(estimator).fit(X)
    monkeypatch.undo()
    in_memory = estimator.fit(X)
    assert streamed.selected_model_ == in_memory.selected_model_ == "network"
    # Each pass has other copies of the rows.
    np.testing.assert_allclose(streamed.loss_curve_, in_memory.loss_curve_, rtol=0.15)


# Augmented rows and the phase of training that they are for.

WIDE = np.random.default_rng(0).normal(size=(300, 40))
UNITS = Scaling.fit(WIDE)
ROWS = UNITS.apply_for_training(WIDE)
AUGMENTING = AugmentingLoader(
    InMemoryLoader.of(Batch(WIDE), UNITS, 32, keep_in_place), 4
)


def augmented_rows(numbers, size, seed=0):
    """Return augmented rows, made of the rows with the given numbers."""
    (block,) = AUGMENTING.shuffled(numbers, size, np.random.RandomState(seed))
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
    first, again = (augmented_rows(numbers, 100) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, augmented_rows(numbers, 100, seed=1))
    # Each model sees as many rows as the model that trains on all rows.
    assert augmented_rows(numbers[:80], 100).shape == (100, 40)


def test_large_augmented_data_come_in_several_blocks(monkeypatch):
    numbers = np.arange(300)
    whole = augmented_rows(numbers, 1200)
    monkeypatch.setattr(_loaders, "BLOCK_BYTES", 4 * 128 * 40 * 4)
    blocks = list(AUGMENTING.shuffled(numbers, 1200, np.random.RandomState(0)))
    assert [block.first for block in blocks] == [0, 4, 8]
    assert [len(block.rows.input) for block in blocks] == [512, 512, 512]
    rows = [b.rows.input[b.order.ravel()[: b.n_rows]] for b in blocks]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_held_out_rows_are_not_augmented():
    numbers = np.arange(7, 77)
    (block,) = AUGMENTING.in_order(numbers)
    seen = block.rows.input[block.order.ravel()[: block.n_rows]]
    np.testing.assert_array_equal(seen, ROWS[numbers])


def test_masks_are_swapped_like_values_and_labels_are_not_swapped():
    # Every value is the number of its row, so the parts of a new row can be compared.
    number = np.arange(300.0)[:, None]
    parts = Batch(np.tile(number, 40), label=number, mask=np.tile(number, 40))
    source = InMemoryLoader.of(parts, Scaling.none(40), 32, keep_in_place)
    rng = np.random.RandomState(0)
    (block,) = AugmentingLoader(source, 4).shuffled(np.arange(300), 300, rng)
    new = block.rows.map(lambda part: part[:300])
    np.testing.assert_array_equal(new.mask, new.input)
    assert new.output is None
    # A large part of the values comes from the row that gives the label.
    assert ((new.input == new.label).mean(axis=1) > 0.3).all()
    assert (new.input != new.label).any()


def trainer_of(X, **parameters):
    """Return a training that has not begun."""
    estimator, rng = small_network(**parameters), np.random.RandomState(0)
    data = validate_fit(estimator, X, None, None, None, None)
    data = estimator._fit_linear(data, rng)
    return estimator._trainer(estimator._problem(data), data, rng)


# Adam divides gradients by their deviation, Lion takes their sign.
@pytest.mark.parametrize("optimizer", ["adam", "lion"])
def test_the_second_phase_does_not_change_the_decoder(optimizer, digits):
    trainer = trainer_of(digits[:500], optimizer=optimizer)
    engine, before = trainer.start.problem.engine, trainer.start.weights
    _, (data, _) = trainer.phases
    state, rng = data.trained_by(engine).init(before), np.random.RandomState(0)
    (after, _), _ = train_once(engine, state, data, 0.01, rng)
    for one, other in zip(before["decoder"][0], after["decoder"][0], strict=True):
        np.testing.assert_array_equal(one, other)
    moved = zip(before["encoder"][0], after["encoder"][0], strict=True)
    assert all(not np.array_equal(one, other) for one, other in moved)


def squared_error(fitted, X):
    return np.square(X - fitted.inverse_transform(fitted.transform(X))).sum()


@pytest.mark.slow
def test_the_second_phase_lowers_the_error_of_test_rows(digits, monkeypatch):
    few, held_out, rest = np.split(digits, [300, 600])
    model = AutoencoderTransformer(8, hidden_layer_sizes=256, random_state=0)
    error = squared_error(model.fit(few, X_val=held_out), rest)
    assert len(model.n_iter_per_phase_) == 2
    assert error < 0.9 * squared_error(PCA(8).fit(few), rest)
    for name in ("_FEW_VALUES", "_FEW_PER_FEATURE"):
        monkeypatch.setattr(_trainer, name, 0)
    assert error < 0.96 * squared_error(model.fit(few, X_val=held_out), rest)
    assert len(model.n_iter_per_phase_) == 1


@pytest.mark.parametrize("n_rows", [500, 1500])
@pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
def test_max_iter_counts_the_epochs_of_both_phases(max_iter, n_rows, digits):
    first, second = trainer_of(digits[:n_rows], max_iter=max_iter).phases
    assert first.schedule.max_iter + second.schedule.max_iter == max_iter
    assert second.schedule.max_iter == max_iter // 3
    assert isinstance(second.data.loader, AugmentingLoader)
    assert not isinstance(first.data.loader, AugmentingLoader)


def test_every_model_has_a_second_phase(digits, monkeypatch):
    n_passes = []
    augment = AugmentingLoader.shuffled

    def counted(*args):
        n_passes.append(1)
        return augment(*args)

    monkeypatch.setattr(AugmentingLoader, "shuffled", counted)
    fitted = small_network(max_iter=4, tol=0).fit(digits[:500])
    assert fitted.n_iter_per_phase_ == [3, 1]
    assert fitted.n_iter_ == 4
    assert len(fitted.loss_curve_) == len(fitted.validation_loss_curve_) == 4
    # Four models without a fold of 100 rows each, and the one to keep.
    assert len(n_passes) == 5


@pytest.mark.parametrize(
    "without",
    [
        {"early_stopping": False},
        {"corruption": "gaussian", "corruption_level": 0.1},
    ],
)
def test_corruption_or_no_held_out_rows_mean_no_second_phase(without, digits):
    (phase,) = trainer_of(digits[:500], max_iter=3, **without).phases
    assert phase.schedule.max_iter == 3


@pytest.mark.parametrize(
    ("shape", "n_phases"), [((1001, 100), 1), ((1000, 100), 2), ((1010, 101), 2)]
)
def test_only_small_or_wide_data_have_a_second_phase(shape, n_phases):
    rows = np.random.default_rng(0).normal(size=shape)
    assert len(trainer_of(rows).phases) == n_phases


def test_wide_data_that_exceed_a_block_have_no_second_phase(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(1010, 101))
    monkeypatch.setattr(_trainer, "BLOCK_BYTES", rows.size * 4 - 1)
    assert len(trainer_of(rows).phases) == 1
