"""Losses, penalties and corruption."""

import numpy as np
import pytest
from conftest import in_numpy, small_network
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import ConvolutionalAutoencoderTransformer
from skae._data import Batch
from skae._objective._term import ForwardPass
from skae._objective.contraction import PERTURBATION, jacobian_norm
from skae._objective.corruption import Corruption, CorruptionNumbers
from skae._objective.reconstruction import Reconstruction
from skae._objective.target import Target


@pytest.mark.parametrize("level", [0.0, 0.2, 0.6])
def test_corruptions_have_the_given_level(level):
    rng = np.random.default_rng(0)
    rows = rng.normal(scale=0.1, size=(2000, 50)).astype("f4")
    numbers = CorruptionNumbers(level, np.full(50, 0.5, "f4"), 1.0, -1.0, 1.0)

    def corrupted(kind, noise):
        def draw(kind, shape):
            assert shape == rows.shape
            return noise.astype("f4")

        return np.asarray(Corruption(kind).shown(rows, draw, numbers))

    normal, uniform = rng.normal(size=rows.shape), rng.uniform(size=rows.shape)
    noisy = corrupted("gaussian", normal) - rows
    assert noisy.std() == pytest.approx(level, rel=0.02)
    masked = corrupted("masking", uniform)
    assert (masked == 0.5).mean() == pytest.approx(level, abs=0.01)
    assert ((masked == rows) | (masked == 0.5)).all()
    salted = corrupted("salt_and_pepper", uniform)
    assert (salted == 1).mean() == pytest.approx(level / 2, abs=0.01)
    assert (salted == -1).mean() == pytest.approx(level / 2, abs=0.01)
    assert ((salted == rows) | (np.abs(salted) == 1)).all()


def test_denoising_restores_better_than_plain_training(digits):
    rng = np.random.default_rng(1)
    train, test = digits[:1400], digits[1400:]
    # The level is in units of the root of the mean feature variance.
    unit = np.sqrt(train.var(axis=0).mean())
    noisy = test + unit * rng.normal(size=test.shape)
    plain = small_network(n_components=16, max_iter=40)
    denoising = clone(plain).set_params(corruption="gaussian", corruption_level=1.0)
    errors = [
        np.square(model.fit(train).reconstruct(noisy) - test).mean()
        for model in (plain, denoising)
    ]
    pca = PCA(16).fit(train)
    errors.append(np.square(pca.inverse_transform(pca.transform(noisy)) - test).mean())
    assert errors[1] < 0.8 * errors[0]
    assert errors[1] < 0.8 * errors[2]


@pytest.mark.parametrize("kind", ["masking", "salt_and_pepper"])
def test_training_with_other_corruptions_lowers_the_loss(kind, digits):
    fitted = small_network(corruption=kind, n_components=8).fit(digits)
    assert fitted.validation_loss_curve_[-1] < fitted.validation_loss_curve_[0]
    assert np.isfinite(fitted.transform(digits)).all()


def test_a_larger_alpha_is_closer_to_pca(digits):
    pca = PCA(3).fit(digits).explained_variance_ratio_.sum()
    # The loss is that of the network, whether or not it is kept.
    losses = [
        small_network(alpha=alpha, max_iter=30).fit(digits).loss_curve_[-1]
        for alpha in (0.0, 1e-2, 1e2)
    ]
    assert losses[0] < losses[1] < losses[2]
    assert losses[2] == pytest.approx(1 - pca, abs=0.01)


def test_sparsity_makes_codes_sparse_and_keeps_them_sorted(digits):
    def mean_relative_l1_norm(**parameters):
        fitted = small_network(n_components=16, max_iter=60, **parameters).fit(digits)
        codes = fitted.transform(digits)
        variances = codes.var(axis=0)
        assert (np.diff(variances) <= 1e-6 * variances[0]).all()
        assert fitted.n_iter_ > 0
        return np.mean(
            np.abs(codes).sum(axis=1) / np.linalg.norm(codes, axis=1) / np.sqrt(16)
        )

    assert mean_relative_l1_norm(sparsity=1.0) < 0.8 * mean_relative_l1_norm()


def test_dropout_makes_training_harder(digits):
    fitted = small_network(dropout=0.5).fit(digits)
    assert (
        fitted.loss_curve_[-1]
        > small_network(dropout=0.0).fit(digits).loss_curve_[-1] * 1.05
    )


@pytest.mark.parametrize("loss", ["mae", "huber", "log_cosh", "MeanSquaredError"])
def test_training_lowers_any_keras_loss(loss, digits):
    fitted = small_network(loss=loss).fit(digits)
    assert fitted.validation_loss_curve_[-1] < fitted.validation_loss_curve_[0]


def test_a_loss_may_be_an_instance_a_function_or_a_configuration(digits):
    import keras

    by_name = small_network(loss="huber").fit(digits).transform(digits)
    for loss in (
        keras.losses.Huber(delta=1.0),
        keras.losses.huber,
        {"class_name": "Huber", "config": {"delta": 1.0}},
    ):
        codes = small_network(loss=loss).fit(digits).transform(digits)
        np.testing.assert_allclose(codes, by_name, rtol=1e-5, atol=1e-4)
    other = small_network(loss=keras.losses.Huber(delta=0.1)).fit(digits)
    assert not np.allclose(other.transform(digits), by_name, atol=1e-2)


def test_equal_loss_instances_compare_equal():
    import keras

    one, two, other = (
        Reconstruction.of({"loss": keras.losses.Huber(delta=delta)})
        for delta in (1, 1, 2)
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != other


def test_training_by_absolute_error_gives_a_lower_absolute_error(digits):
    fits = [
        small_network(loss=loss, max_iter=40).fit(digits) for loss in ("mae", "mse")
    ]
    absolute = [np.abs(digits - fit.reconstruct(digits)).mean() for fit in fits]
    assert absolute[0] < absolute[1]


def test_contraction_estimates_the_squared_norm_of_the_jacobian():
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(6, 6))
    rows = rng.normal(size=(200000, 6))
    moved = rows + PERTURBATION * rng.normal(size=rows.shape)
    found = in_numpy(
        jacobian_norm, (rows @ jacobian).astype("f4"), (moved @ jacobian).astype("f4")
    )
    assert found.mean() == pytest.approx(np.square(jacobian).sum() / 6, rel=0.01)


def test_contraction_makes_reconstructions_less_sensitive(digits):
    rng = np.random.default_rng(0)
    nudged = digits + 0.5 * rng.normal(size=digits.shape)

    def movement(contraction):
        fitted = small_network(
            n_components=8, max_iter=30, contraction=contraction
        ).fit(digits)
        return np.square(fitted.reconstruct(nudged) - fitted.reconstruct(digits)).mean()

    plain, weak, strong = movement(0.0), movement(0.3), movement(3.0)
    assert strong < 0.8 * weak < 0.8 * plain


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_loss_of_labels_is_one_for_the_best_constant(kind):
    rng = np.random.default_rng(0)
    if kind == "classes":
        label = np.eye(3)[rng.choice(3, 500, p=[0.6, 0.3, 0.1])]
        constant = np.log(label.mean(axis=0))
    else:
        label = rng.normal(size=(500, 3))
        label = (label - label.mean(axis=0)) / np.sqrt(label.var(axis=0).sum())
        constant = np.zeros(3)
    label = label.astype("f4")
    label[200:] = np.nan
    known = label[:200]
    if kind == "classes":
        constant = np.log(known.mean(axis=0))
    rows = Batch(np.zeros((500, 4), "f4"), label=label)
    term = Target(kind)
    numbers = term.numbers({"target_weight": 0.75}, rows, None, 0.2)
    predicted = np.tile(constant, (500, 1)).astype("f4")

    def row_losses(label, predicted):
        done = ForwardPass(
            Batch(None, label=label), *[None] * 3, predicted, *[None] * 3
        )
        return term.row_losses(done, numbers)

    losses = in_numpy(row_losses, label, predicted)
    assert (losses[200:] == 0).all()
    # The odds of the weight, times what PCA leaves.
    expected = 3 * 0.2
    if kind == "numbers":
        expected *= float(np.square(known).sum(axis=1).mean())
    assert losses.mean() == pytest.approx(expected, rel=1e-4)


PROBABILITIES = dict(output_activation="sigmoid", skip_connections=None)


@pytest.mark.parametrize(
    "loss",
    [
        "binary_crossentropy",
        "BinaryFocalCrossentropy",
        "categorical_crossentropy",
        "kl_divergence",
        "poisson",
        "hinge",
        "mean_squared_logarithmic_error",
        {"class_name": "KLDivergence", "config": {}},
    ],
)
def test_losses_that_centred_rows_have_not_are_refused(loss, digits):
    message = "output_activation='.*' and skip_connections=None"
    with pytest.raises(ValueError, match=message):
        small_network(loss=loss).fit(digits)
    with pytest.raises(ValueError, match=message):
        small_network(loss=loss).partial_fit(digits)


def test_losses_of_probabilities_need_rows_and_outputs_from_0_to_1(digits):
    import keras

    loss = keras.losses.binary_crossentropy
    shares = digits / 16
    with pytest.raises(ValueError, match=r"loss=binary_.* X has values from 0.0 to 16"):
        small_network(loss=loss, **PROBABILITIES).fit(digits)
    with pytest.raises(ValueError, match=r"X_val has values from -1.0"):
        small_network(loss=loss, **PROBABILITIES).fit(shares, X_val=shares - 1)
    with pytest.raises(ValueError, match=r"'tanh' returns values from -1 to 1; use"):
        small_network(loss=loss, output_activation="tanh", skip_connections=None).fit(
            shares
        )
    with pytest.raises(ValueError, match="from_logits=False"):
        small_network(
            loss=keras.losses.BinaryCrossentropy(from_logits=True), **PROBABILITIES
        ).fit(shares)
    with pytest.raises(ValueError, match="AutoencoderTransformer's output_activation"):
        ConvolutionalAutoencoderTransformer(loss=loss).fit(shares)


def test_training_by_cross_entropy_lowers_it(digits):
    shares = digits / 16
    fitted = small_network(loss="binary_crossentropy", **PROBABILITIES).fit(shares)
    restored = np.clip(fitted.reconstruct(shares), 1e-7, 1 - 1e-7)
    entropy = -np.mean(shares * np.log(restored) + (1 - shares) * np.log(1 - restored))
    mean = shares.mean(axis=0).clip(1e-7, 1 - 1e-7)
    of_mean = -np.mean(shares * np.log(mean) + (1 - shares) * np.log(1 - mean))
    assert entropy < 0.9 * of_mean
    assert fitted.best_loss_ == pytest.approx(entropy, rel=0.05)


def test_a_loss_of_elements_is_averaged_over_each_row(digits):
    import keras

    def elementwise(rows, decoded):
        return keras.ops.square(rows - decoded)

    class Elementwise(keras.losses.Loss):
        def call(self, rows, decoded):
            return elementwise(rows, decoded)[..., None]

    expected = small_network(loss=keras.losses.mean_squared_error).fit(digits)
    for loss in (elementwise, Elementwise()):
        fitted = small_network(loss=loss, learning_rate=0.004).fit(digits)
        np.testing.assert_allclose(fitted.best_loss_, expected.best_loss_, rtol=0.02)


def batchwise(rows, decoded):
    import keras

    return keras.ops.mean(keras.ops.square(rows - decoded))


def featurewise(rows, decoded):
    import keras

    return keras.ops.mean(keras.ops.square(rows - decoded), axis=0)


def broken(rows, decoded):
    raise KeyError("no such thing")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (batchwise, r"loss=batchwise must return one value .* returned shape \(\)"),
        (featurewise, r"For 3 rows it returned shape \(64,\)"),
        (broken, r"loss=broken cannot be called .*no such thing"),
    ],
)
def test_losses_that_are_none_of_rows_are_refused(loss, message, digits):
    with pytest.raises(ValueError, match=message):
        small_network(loss=loss).fit(digits)


def test_a_loss_of_a_batch_is_refused_by_name(digits):
    with pytest.raises(ValueError, match=r"must return one value for each row"):
        small_network(loss="dice", **PROBABILITIES).fit(digits / 16)


def test_values_that_are_not_observed_have_no_loss_and_no_gradient():
    from skae import _keras as keras

    rng = np.random.default_rng(0)
    rows, decoded = rng.normal(size=(2, 5, 7)).astype("f4")
    mask = (rng.uniform(size=rows.shape) < 0.6).astype("f4")
    loss = Reconstruction("mean_squared_error", "mean_squared_error")

    def losses(decoded, target):
        batch = Batch(keras.ops.convert_to_tensor(rows), target, None, mask)
        done = ForwardPass(batch, None, None, decoded, None, None, None, None)
        return loss.row_losses(done, ())

    found = in_numpy(losses, decoded, rows)
    expected = (mask * (rows - decoded) ** 2).sum(axis=1) / 7
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Whatever stands where nothing was observed, and whatever is decoded there.
    other = np.where(mask > 0, rows, 100).astype("f4")
    moved = np.where(mask > 0, decoded, -50).astype("f4")
    np.testing.assert_allclose(in_numpy(losses, moved, other), expected, rtol=1e-5)
