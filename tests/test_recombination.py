"""What an encoder learns from where rows are few: new rows, and a decoder at rest."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._codecs import NetworkCodec
from skae._networks import Units
from skae._scaling import Scaling
from skae._spec import NetworkSpec
from skae._training import Recipe, _recipe, _recombination, train_once
from skae._training._feed import Resident
from skae._training._recombination import Recombined

X = np.random.default_rng(0).normal(size=(300, 40))
SCALING = Scaling.fit(X)
KNOWN = Recombined(Resident.of(X, SCALING, 32, np.asarray))
ROWS = SCALING.apply_for_training(X)


def drawn(numbers, size, seed=0):
    (block,) = KNOWN.shuffled(numbers, size, np.random.RandomState(seed))
    return np.asarray(block.rows)[block.order.ravel()[: block.n_rows]]


def test_rows_are_made_of_the_given_ones():
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
    monkeypatch.setattr(_recombination, "BLOCK_BYTES", 4 * 128 * 40 * 4)
    blocks = list(KNOWN.shuffled(numbers, 1200, np.random.RandomState(0)))
    assert [block.first for block in blocks] == [0, 4, 8]
    assert [len(block.rows) for block in blocks] == [512, 512, 512]
    rows = [b.rows[b.order.ravel()[: b.n_rows]] for b in blocks]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_rows_that_judge_stay_as_they_are():
    numbers = np.arange(7, 77)
    (block,) = KNOWN.in_order(numbers)
    seen = block.rows[block.order.ravel()[: block.n_rows]]
    np.testing.assert_array_equal(seen, ROWS[numbers])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop", "nadam", "lion"])
def test_decoder_is_at_rest(optimizer, digits):
    spec = NetworkSpec(64, 5, (12,), "tanh", 0.0, "linear")
    recipe = Recipe.of(AutoencoderTransformer(optimizer=optimizer).get_params())
    program, rng = recipe.program(spec), np.random.RandomState(0)
    few, own = digits[:200], Scaling.fit(digits[:200])
    task = recipe.task(program, few, own, rng, Units(1.0), holds_out=False)
    task = task.for_encoder()
    weights = program.initial_weights(None, Units(1.0), rng)
    state = program.initial_state(weights)
    (after, _), _ = train_once(program, state, task, 0.01, rng)
    for one, other in zip(weights["decoder"][0], after["decoder"][0], strict=True):
        np.testing.assert_array_equal(one, other)
    moved = zip(weights["encoder"][0], after["encoder"][0], strict=True)
    assert all(not np.array_equal(one, other) for one, other in moved)


def test_held_out_rows_gain(digits, monkeypatch):
    def error():
        codec = AutoencoderTransformer(4, random_state=0).fit(few)
        assert isinstance(codec._codec, NetworkCodec)
        return np.square(rest - codec.reconstruct(rest)).sum()

    few, rest = digits[:500], digits[500:]
    with_encoder_alone = error()
    pca = PCA(4).fit(few)
    by_pca = np.square(rest - pca.inverse_transform(pca.transform(rest))).sum()
    assert with_encoder_alone < 0.95 * by_pca
    stages = Recipe.stages
    monkeypatch.setattr(Recipe, "stages", lambda *args: stages(*args)[:1])
    assert with_encoder_alone < 0.95 * error()


@pytest.mark.parametrize("n_rows", [500, 1500])
def test_an_encoder_gets_half_as_many_epochs(n_rows, digits):
    few = small_network(n_components=2, max_iter=3, tol=0).fit(digits[:n_rows])
    assert few.n_iter_ == 5
    assert len(few.loss_curve_) == len(few.validation_loss_curve_) == 5


@pytest.mark.parametrize(
    "without",
    [
        {"early_stopping": False},
        {"corruption": "gaussian", "corruption_level": 0.1},
    ],
)
def test_only_where_rows_are_whole_and_judged(without, digits):
    network = small_network(n_components=2, max_iter=3, tol=0, **without)
    assert network.fit(digits[:500]).n_iter_ == 3


@pytest.mark.parametrize(
    ("shape", "few"), [((1001, 100), False), ((1000, 100), True), ((1010, 101), True)]
)
def test_only_where_rows_or_values_are_few(shape, few):
    rows = np.random.default_rng(0).normal(size=shape)
    network = small_network(n_components=2, max_iter=3, tol=0)
    assert network.fit(rows).n_iter_ == (5 if few else 3)


def test_only_where_values_fit_into_a_block(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(1010, 101))
    monkeypatch.setattr(_recipe, "BLOCK_BYTES", rows.size * 4 - 1)
    network = small_network(n_components=2, max_iter=3, tol=0)
    assert network.fit(rows).n_iter_ == 3
