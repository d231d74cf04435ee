"""The objective and its terms: reconstructions, labels and penalties."""

import numpy as np
import pytest
from conftest import dense_spec, images, in_numpy, small_network
from scipy import sparse
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae import _keras as keras
from skae._data import Batch, Scaling
from skae._losses import DataSummary, ForwardPass, Objective
from skae._losses.corruption import Corruption, CorruptionCoefficients
from skae._losses.penalties import PERTURBATION, Sparsity, jacobian_norm
from skae._losses.reconstruction import Reconstruction, check_reach
from skae._losses.target import Target

rng = np.random.default_rng(0)
ROWS, DECODED = rng.uniform(0.1, 0.9, size=(2, 5, 7)).astype("f4")
SPEC = dense_spec(7, 2, ())


def forward_pass(batch, encoded=None, decoded=None, predicted=None):
    """Return a batch after it went through networks that are not known."""
    return ForwardPass(batch, None, encoded, decoded, predicted, None, None, None)


def row_losses(loss, rows=ROWS, decoded=DECODED):
    """Return the losses of rows by a Keras loss."""
    term = Reconstruction.of({"loss": loss}, SPEC)

    def compute(rows, decoded):
        return term.row_losses(forward_pass(Batch(rows), decoded=decoded), ())

    return in_numpy(compute, rows, decoded)


def huber(errors, delta):
    absolute = np.abs(errors)
    outside = delta * (absolute - delta / 2)
    return np.where(absolute <= delta, errors**2 / 2, outside).mean(axis=1)


ERRORS = DECODED - ROWS


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", np.square(ERRORS).mean(axis=1)),
        ("MeanSquaredError", np.square(ERRORS).mean(axis=1)),
        ("mae", np.abs(ERRORS).mean(axis=1)),
        ("log_cosh", np.log(np.cosh(ERRORS)).mean(axis=1)),
        ("huber", huber(ERRORS, 1.0)),
        (
            {"class_name": "Huber", "config": {"delta": 0.1}},
            huber(ERRORS, 0.1),
        ),
        (
            "binary_crossentropy",
            -(ROWS * np.log(DECODED) + (1 - ROWS) * np.log(1 - DECODED)).mean(axis=1),
        ),
    ],
    ids=["mse", "by its class", "mae", "log_cosh", "huber", "by a dict", "entropy"],
)
def test_rows_have_the_losses_of_the_formula(loss, expected):
    np.testing.assert_allclose(row_losses(loss), expected, rtol=1e-4)


def test_a_loss_may_be_an_instance_or_a_function():
    import keras

    for loss, delta in (
        (keras.losses.huber, 1.0),
        (keras.losses.Huber(delta=0.1), 0.1),
    ):
        np.testing.assert_allclose(row_losses(loss), huber(ERRORS, delta), rtol=1e-4)


def test_a_loss_of_elements_is_averaged_over_each_row():
    import keras

    def elementwise(rows, decoded):
        return keras.ops.square(rows - decoded)

    class Elementwise(keras.losses.Loss):
        def call(self, rows, decoded):
            return elementwise(rows, decoded)[..., None]

    expected = np.square(ERRORS).mean(axis=1)
    for loss in (elementwise, Elementwise()):
        np.testing.assert_allclose(row_losses(loss), expected, rtol=1e-5)


def test_equal_loss_instances_compare_equal():
    import keras

    one, two, other = (
        Reconstruction.of({"loss": keras.losses.Huber(delta=delta)}, SPEC)
        for delta in (1, 1, 2)
    )
    assert one == two
    assert hash(one) == hash(two)
    assert one != other


def test_training_by_absolute_error_gives_a_lower_absolute_error(network, digits):
    fitted = small_network(loss="mae").fit(digits)
    assert fitted.validation_loss_curve_[-1] < fitted.validation_loss_curve_[0]
    absolute = [
        np.abs(digits - model.reconstruct(digits)).mean() for model in (fitted, network)
    ]
    assert absolute[0] < absolute[1]


def test_values_that_are_not_observed_have_no_loss():
    mask = (np.random.default_rng(0).uniform(size=ROWS.shape) < 0.6).astype("f4")
    term = Reconstruction.of({"loss": "mean_squared_error"}, SPEC)

    def compute(decoded, rows):
        batch = Batch(rows, rows, None, mask)
        return term.row_losses(forward_pass(batch, decoded=decoded), ())

    expected = (mask * ERRORS**2).sum(axis=1) / 7
    np.testing.assert_allclose(in_numpy(compute, DECODED, ROWS), expected, rtol=1e-5)
    # Whatever stands where nothing was observed, and whatever is decoded there.
    other = np.where(mask > 0, ROWS, 100).astype("f4")
    moved = np.where(mask > 0, DECODED, -50).astype("f4")
    np.testing.assert_allclose(in_numpy(compute, moved, other), expected, rtol=1e-5)


@pytest.mark.parametrize("has_clean_rows", [False, True])
@pytest.mark.parametrize("level", [0.0, 0.4])
def test_damaged_rows_are_compared_with_what_the_network_should_return(
    level, has_clean_rows
):
    kernel = np.random.default_rng(0).normal(size=(7, 2)).astype("f4")
    noise = np.random.default_rng(1).uniform(size=ROWS.shape).astype("f4")
    parameters = {"loss": "mse", "corruption": "masking"}
    objective = Objective.of((Reconstruction, Corruption), parameters, SPEC)
    coefficients = (), CorruptionCoefficients(level, np.float32(-1), 1.0)
    clean = DECODED if has_clean_rows else None

    def compute(rows, noise):
        return objective.row_losses(
            lambda rows: keras.ops.matmul(rows, kernel),
            lambda codes: keras.ops.matmul(codes, kernel.T),
            Batch(rows, clean),
            lambda kind, shape, stream=0: noise,
            coefficients,
        )

    seen = np.where(noise < level, -1, ROWS)
    errors = seen @ kernel @ kernel.T - (DECODED if has_clean_rows else ROWS)
    expected = np.square(errors).mean(axis=1)
    np.testing.assert_allclose(in_numpy(compute, ROWS, noise), expected, rtol=1e-4)


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
    fractions = digits / 16
    with pytest.raises(ValueError, match=r"loss=binary_.* X has values from 0.0 to 16"):
        small_network(loss=loss, **PROBABILITIES).fit(digits)
    with pytest.raises(ValueError, match=r"X_val has values from -1.0"):
        small_network(loss=loss, **PROBABILITIES).fit(fractions, X_val=fractions - 1)
    with pytest.raises(ValueError, match=r"'tanh' returns values from -1 to 1; use"):
        small_network(loss=loss, output_activation="tanh", skip_connections=None).fit(
            fractions
        )
    with pytest.raises(ValueError, match="from_logits=False"):
        small_network(
            loss=keras.losses.BinaryCrossentropy(from_logits=True), **PROBABILITIES
        ).fit(fractions)
    with pytest.raises(ValueError, match="Set output_activation='sigmoid' and skip"):
        images(loss=loss).fit(fractions)


def test_training_by_cross_entropy_lowers_it(digits):
    fractions = digits / 16
    fitted = small_network(loss="binary_crossentropy", **PROBABILITIES).fit(fractions)

    def cross_entropy(probabilities):
        p = np.clip(probabilities, 1e-7, 1 - 1e-7)
        return -np.mean(fractions * np.log(p) + (1 - fractions) * np.log(1 - p))

    entropy = cross_entropy(fitted.reconstruct(fractions))
    assert entropy < 0.9 * cross_entropy(fractions.mean(axis=0))
    assert fitted.best_loss_ == pytest.approx(entropy, rel=0.05)


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


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_the_loss_of_labels_is_one_for_the_best_constant(kind):
    rng = np.random.default_rng(0)
    if kind == "classes":
        label = np.eye(3)[rng.choice(3, 500, p=[0.6, 0.3, 0.1])]
        constant = np.log(label[:200].mean(axis=0))
    else:
        label = rng.normal(size=(500, 3))
        label = (label - label.mean(axis=0)) / np.sqrt(label.var(axis=0).sum())
        constant = np.zeros(3)
    label = label.astype("f4")
    label[200:] = np.nan
    term, rows = Target(kind), Batch(np.zeros((500, 4), "f4"), label=label)
    summary = DataSummary(rows, Scaling.none(4), 0.2)
    coefficients = term.coefficients({"target_weight": 0.75}, summary)
    predicted = np.tile(constant, (500, 1)).astype("f4")

    def compute(label, predicted):
        done = forward_pass(Batch(None, label=label), predicted=predicted)
        return term.row_losses(done, coefficients)

    losses = in_numpy(compute, label, predicted)
    assert (losses[200:] == 0).all()
    # The odds of the weight, times what PCA leaves.
    expected = 3 * 0.2
    if kind == "numbers":
        expected *= float(np.square(label[:200]).sum(axis=1).mean())
    assert losses.mean() == pytest.approx(expected, rel=1e-4)


def test_a_larger_alpha_is_closer_to_pca(network, digits):
    pca = PCA(3).fit(digits).explained_variance_ratio_.sum()
    # The loss is that of the network, whether or not it is kept.
    losses = [
        network.loss_curve_[-1],
        *(
            small_network(alpha=alpha).fit(digits).loss_curve_[-1]
            for alpha in (1e-2, 1e2)
        ),
    ]
    assert losses[0] < losses[1] < losses[2]
    assert losses[2] == pytest.approx(1 - pca, abs=0.01)


def test_sparsity_is_the_norm_of_a_code_by_the_sum_of_its_absolute_values():
    codes = np.float32([[3, 0, 0, 0], [1, -1, 1, 1], [4, 3, 0, 0], [0, 0, 0, 0]])

    def compute(codes):
        done = forward_pass(Batch(codes), encoded=codes)
        return Sparsity().row_losses(done, np.float32(0.5))

    # From 1 / sqrt(4) for one value to 1 for equal values.
    expected = 0.5 * np.array([0.5, 1, 0.7, 0])
    np.testing.assert_allclose(in_numpy(compute, codes), expected, atol=1e-6)


@pytest.mark.slow
def test_sparsity_makes_codes_sparse_and_keeps_them_sorted(digits):
    def mean_relative_l1_norm(**parameters):
        model = small_network(n_components=8, skip_connections=None, **parameters)
        codes = model.fit(digits).transform(digits)
        variances = codes.var(axis=0)
        assert (np.diff(variances) <= 1e-6 * variances[0]).all()
        return np.mean(
            np.abs(codes).sum(axis=1) / np.linalg.norm(codes, axis=1) / np.sqrt(8)
        )

    assert mean_relative_l1_norm(sparsity=1.0) < 0.8 * mean_relative_l1_norm()


def test_dropout_makes_training_harder(network, digits):
    fitted = small_network(dropout=0.5).fit(digits)
    assert fitted.loss_curve_[-1] > 1.05 * network.loss_curve_[-1]


def test_contraction_estimates_the_squared_norm_of_the_jacobian():
    rng = np.random.default_rng(0)
    jacobian = rng.normal(size=(6, 6))
    rows = rng.normal(size=(200000, 6))
    moved = rows + PERTURBATION * rng.normal(size=rows.shape)
    found = in_numpy(
        jacobian_norm, (rows @ jacobian).astype("f4"), (moved @ jacobian).astype("f4")
    )
    assert found.mean() == pytest.approx(np.square(jacobian).sum() / 6, rel=0.01)


@pytest.mark.slow
def test_contraction_makes_reconstructions_less_sensitive(network, digits):
    rng = np.random.default_rng(0)
    nudged = digits + 0.5 * rng.normal(size=digits.shape)
    weak, strong = (small_network(contraction=one).fit(digits) for one in (0.3, 3.0))
    plain, weak, strong = (
        np.square(model.reconstruct(nudged) - model.reconstruct(digits)).mean()
        for model in (network, weak, strong)
    )
    assert strong < 0.8 * weak < 0.8 * plain


BOUNDED = {
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "softsign": (-1, 1),
    "relu6": (0, 6),
    "relu": (0, np.inf),
    "softplus": (0, np.inf),
    "elu": (-1, np.inf),
    "log_sigmoid": (-np.inf, 0),
    "linear": (-np.inf, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    lambda x: 255 * keras.ops.sigmoid(x): (0, 255),
}
"""Activations, and the values that they can return."""


@pytest.mark.parametrize("activation", BOUNDED)
def test_rows_that_an_output_activation_cannot_return_are_refused(activation):
    low, high = (np.clip(bound, -1e4, 1e4) for bound in BOUNDED[activation])
    check_reach(activation, np.array([[low, high], [np.nan, (low + high) / 2]]), "X")
    for beyond, bound in zip((low - 1, high + 1), BOUNDED[activation], strict=True):
        if np.isfinite(bound):
            with pytest.raises(ValueError, match="which it cannot return. Rescale X"):
                check_reach(activation, np.array([[(low + high) / 2, beyond]]), "X")


@pytest.mark.parametrize("activation", ["exponential", lambda x: 2**x])
def test_output_activations_that_grow_exponentially_are_refused(activation):
    counts = np.random.default_rng(0).poisson(3, size=(40, 4))
    estimator = AutoencoderTransformer(
        2, skip_connections=None, output_activation=activation, loss="poisson"
    )
    with pytest.raises(ValueError, match="grows exponentially.* Use 'softplus'"):
        estimator.fit(counts)


def test_a_fit_refuses_rows_that_its_output_activation_cannot_return(digits):
    estimator = AutoencoderTransformer(
        2, skip_connections=None, output_activation="sigmoid"
    )
    with pytest.raises(ValueError, match="from 0 to 1, and X has values from 0 to 16"):
        estimator.fit(digits)
    sparse_rows = sparse.csr_matrix(digits)
    with pytest.raises(ValueError, match="MinMaxScaler"):
        estimator.fit(sparse_rows)


@pytest.mark.parametrize(
    "damage",
    [
        lambda rows, noise: rows[:, :1],
        lambda rows, noise: keras.ops.mean(rows),
        lambda rows, noise: None,
        lambda rows, noise: np.zeros(rows.shape),
        lambda rows: rows,
    ],
    ids=["width", "scalar", "None", "NumPy", "arguments"],
)
def test_functions_that_do_not_return_damaged_rows_are_refused(damage, digits):
    with pytest.raises(ValueError, match="corruption=<lambda> "):
        AutoencoderTransformer(2, corruption=damage).fit(digits)
