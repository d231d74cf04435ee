"""Beyond the bounds of the training data, PCA continues a network."""

import numpy as np
import pytest
from conftest import small_network
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae._model import Box


@pytest.fixture(scope="module")
def parabola():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-1, 1, size=1000)
    X = np.column_stack([3 * angle, angle**2, rng.normal(size=1000)])
    return X + rng.normal(scale=0.02, size=X.shape)


@pytest.fixture(scope="module")
def network(parabola):
    fitted = AutoencoderTransformer(2, max_iter=30, random_state=0).fit(parabola)
    assert fitted.n_iter_ > 0
    assert fitted.score(parabola) > PCA(2).fit(parabola).explained_variance_ratio_.sum()
    return fitted


@pytest.mark.parametrize("factor", [100, 1e4, 1e25])
def test_pca_reconstructs_rows_far_from_the_training_data(factor, network, parabola):
    pca = PCA(2).fit(parabola)
    far = pca.inverse_transform(pca.transform(parabola[:50]) * factor)
    outside = np.linalg.norm(far, axis=1) > 10 * np.linalg.norm(parabola, axis=1).max()
    assert outside.sum() > 25
    # The far rows lie on the principal axes, so PCA reconstructs them exactly.
    np.testing.assert_allclose(
        network.reconstruct(far)[outside], far[outside], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(("factor", "limit"), [(1.2, 10), (1.5, 15), (2, 8), (3, 1.05)])
def test_the_error_of_rows_beyond_the_bounds_is_limited(
    factor, limit, network, parabola
):
    # The training rows follow a parabola, these rows do not. If the bounds were wider
    # by the width of the data, the error would be up to 126 times PCA's.
    rows = parabola[:200].copy()
    rows[:, 0] = factor * parabola[:, 0].max()
    pca = PCA(2).fit(parabola)
    linear = pca.inverse_transform(pca.transform(rows))
    errors = [
        np.square(rows - other).sum() for other in (network.reconstruct(rows), linear)
    ]
    assert errors[0] < limit * errors[1]


def test_reconstructions_are_continuous_across_the_bounds(network, parabola):
    row = parabola[np.abs(parabola).max(axis=1).argmax()]
    path = np.linspace(1, 30, 2000)[:, None] * row
    steps = np.linalg.norm(np.diff(network.reconstruct(path), axis=0), axis=1)
    # There is no jump: the reconstructions move about as much as the rows.
    assert steps.max() < 1.5 * np.linalg.norm(path[1] - path[0])


def test_pca_decodes_codes_far_from_the_training_codes(network, parabola):
    far = network.transform(parabola[:1]) * 1e4
    further = 3 * far
    step = network.inverse_transform(further) - network.inverse_transform(far)
    # PCA's decoder preserves distances and stays in the plane of its axes.
    length = np.linalg.norm(further - far)
    np.testing.assert_allclose(np.linalg.norm(step), length, rtol=1e-3)
    axes = PCA(2).fit(parabola).components_
    np.testing.assert_allclose(step @ axes.T @ axes, step, atol=1e-3 * length)


def test_the_network_alone_encodes_rows_inside_the_bounds(network, parabola):
    bounded = network._codec
    plain = type(bounded).plain(bounded.spec, bounded.scaling, bounded.weights)
    codes = plain.encode(parabola) / bounded.scaling.scale
    expected = (codes - bounded.transform.offset) @ bounded.transform.matrix
    np.testing.assert_allclose(network.transform(parabola), expected, atol=1e-5)


@pytest.mark.parametrize("factor", [0.5, 1, 100])
def test_keras_models_have_the_same_bounds(factor, network, parabola):
    rows = (parabola[:50] * factor).astype(np.float32)
    codes = network.transform(rows)
    encoded = network.encoder_.predict(rows, verbose=0)
    decoded = network.decoder_.predict(codes, verbose=0)
    atol = 1e-5 * np.abs(rows).max()
    np.testing.assert_allclose(encoded, codes, atol=atol)
    np.testing.assert_allclose(decoded, network.inverse_transform(codes), atol=atol)


def test_a_box_is_the_range_of_its_rows():
    rows = np.random.default_rng(0).normal(size=(10, 3))
    box = Box.around_nothing(3).with_rows(rows[:4]).with_rows(rows[4:])
    np.testing.assert_array_equal(box.low, rows.min(axis=0))
    np.testing.assert_array_equal(box.high, rows.max(axis=0))
    margin = 0.1 * (box.high - box.low)
    np.testing.assert_allclose(box.widened().low, box.low - margin)
    np.testing.assert_allclose(box.widened().high, box.high + margin)
    assert (np.isinf(Box.around_everything(3))).all()


@pytest.mark.parametrize("n_rows", [5, 30])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("skip_connections", ["linear", None])
@pytest.mark.parametrize("activation", ["tanh", "relu6"], ids=["numpy", "compiled"])
def test_invalid_values_raise_even_if_a_layer_saturates(
    activation, skip_connections, value, n_rows, digits
):
    # Without a linear path there are no bounds, and relu6 maps infinity to 6.
    saturated = small_network(
        skip_connections=skip_connections,
        activation=activation,
        max_iter=10,
        early_stopping=False,
    ).fit(digits)
    rows = digits[:n_rows].copy()
    rows[3, 1] = value
    if np.isnan(value) and skip_connections == "linear":
        complete = saturated.reconstruct(rows), saturated.transform(rows)
        assert all(np.isfinite(found).all() for found in complete)
        return
    with pytest.raises(ValueError, match="Input X contains"):
        saturated.transform(rows)
