"""Feeds give rows to the device, all at once or in blocks."""

import numpy as np
import pytest
from conftest import small_network
from scipy import sparse

from skae._data import Batch, Resident, Scaling, Streamed, _feed, feed

X = np.random.default_rng(0).normal(size=(1000, 6)) * 3 + 5
SCALING = Scaling.fit(X)


def keep_in_place(rows):
    """Return the rows unchanged, in place of a transfer to a device."""
    return rows


FEEDS = {
    "resident": Resident.of(Batch(X), SCALING, 32, keep_in_place),
    "streamed": Streamed(Batch(X), SCALING, 32, 3, keep_in_place),
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
@pytest.mark.parametrize("kind", FEEDS)
def test_rows_come_in_the_given_order(kind, n_rows):
    source = FEEDS[kind]
    numbers = np.random.RandomState(0).permutation(1000)[:n_rows]
    rows, batches = rows_and_batches(source.in_order(numbers))
    np.testing.assert_array_equal(rows, SCALING.apply_for_training(X[numbers]))
    assert batches == list(range(-(-n_rows // 32)))


@pytest.mark.parametrize("n_rows", [1, 33, 97, 1000])
@pytest.mark.parametrize("kind", FEEDS)
def test_shuffled_passes_contain_each_row_once(kind, n_rows):
    source = FEEDS[kind]
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
    source = Streamed(Batch(X), Scaling.none(1), 128, 16, keep_in_place)
    numbers = np.arange(20_000)
    for block in source.shuffled(numbers, 20_000, np.random.RandomState(0)):
        assert np.ptp(block.rows.input[: block.n_rows]) > 10_000


@pytest.mark.parametrize("n_rows", [30, 60, 90])
def test_fewer_rows_are_repeated_to_fill_a_pass(n_rows):
    source = Resident.of(Batch(X[:90]), SCALING, 32, keep_in_place)
    numbers = np.arange(90)[-n_rows:]
    (block,) = source.shuffled(numbers, 90, np.random.RandomState(0))
    assert block.n_rows == 90
    used, times = np.unique(block.order.ravel()[:90], return_counts=True)
    np.testing.assert_array_equal(used, numbers)
    assert np.ptp(times) <= 1


@pytest.mark.parametrize("n_rows", [5, 64, 90])
def test_blocks_without_padding(n_rows):
    source = Resident.of(Batch(X), SCALING, 32, keep_in_place)
    numbers = np.arange(n_rows)
    (block,) = source.in_order(numbers)
    parts = list(block.without_padding())
    rows, batches = rows_and_batches(parts)
    np.testing.assert_array_equal(rows, SCALING.apply_for_training(X[:n_rows]))
    assert batches == list(range(-(-n_rows // 32)))
    assert parts[-1].n_rows % parts[-1].order.shape[1] == 0


@pytest.mark.parametrize("kind", ["resident", "streamed"])
def test_all_parts_of_a_batch_belong_to_the_same_rows(kind):
    # Inputs and targets are scaled, labels and masks are not.
    numbers = np.arange(200.0)[:, None]
    parts = Batch(
        np.tile(numbers, 3),
        sparse.csr_matrix(np.tile(numbers + 1, 3)),
        numbers,
        np.tile(numbers, 3) % 2,
    )
    scaling = Scaling(np.ones(3), 2.0)
    source = {
        "resident": lambda: Resident.of(parts, scaling, 32, keep_in_place),
        "streamed": lambda: Streamed(parts, scaling, 32, 3, keep_in_place),
    }[kind]()
    n_seen = 0
    for block in source.shuffled(np.arange(200), 200, np.random.RandomState(0)):
        order = block.order.ravel()[: block.n_rows]
        rows = block.rows.map(lambda part, order=order: part[order])
        number = rows.label
        np.testing.assert_array_equal(rows.input, np.tile(number - 1, 3) / 2)
        np.testing.assert_array_equal(rows.target, np.tile(number, 3) / 2)
        np.testing.assert_array_equal(rows.mask, np.tile(number, 3) % 2)
        n_seen += len(order)
    assert n_seen == 200


@pytest.mark.parametrize("n_rows", [20, 150, 1198, 1797, 60_000])
def test_samples_of_similar_size_share_a_shape(n_rows):
    shapes = {
        -(-_feed.shared_capacity(n) // 32) for n in range(n_rows, n_rows + n_rows // 16)
    }
    assert len(shapes) <= 2
    assert n_rows <= 32 * min(shapes) <= max(n_rows * 1.125 + 32, 32)


@pytest.mark.parametrize("n_rows", [1, 2, 20, 57, 999, 60_000])
def test_a_shared_capacity_holds_little_more_than_the_rows(n_rows):
    assert n_rows <= _feed.shared_capacity(n_rows) <= 1.125 * n_rows


def test_large_data_are_streamed(monkeypatch, digits):
    monkeypatch.setattr(_feed, "RESIDENT_BYTES", 1000)
    scaling = Scaling.fit(digits)
    assert isinstance(feed(Batch(digits), scaling, 32, 1, keep_in_place), Streamed)
    assert isinstance(feed(Batch(digits), scaling, 32, 6, keep_in_place), Resident)


@pytest.mark.parametrize("kind", ["array", "csr", "memmap"])
def test_a_streamed_fit_agrees_with_a_resident_fit(kind, digits, monkeypatch, tmp_path):
    resident = small_network(max_iter=5).fit(digits)
    monkeypatch.setattr(_feed, "RESIDENT_BYTES", 1000)
    monkeypatch.setattr(_feed, "BLOCK_BYTES", 100_000)
    monkeypatch.setattr(_feed, "SEGMENT", 8)
    data = digits
    if kind == "csr":
        data = sparse.csr_matrix(digits)
    if kind == "memmap":
        np.save(tmp_path / "digits.npy", digits)
        data = np.load(tmp_path / "digits.npy", mmap_mode="r")
    fitted = small_network(max_iter=5).fit(data)
    assert fitted.n_iter_ == 5
    # The data are the same, the order of the rows differs.
    np.testing.assert_allclose(fitted.loss_curve_, resident.loss_curve_, rtol=0.02)
    assert fitted.score(data) == pytest.approx(resident.score(digits), abs=0.01)
