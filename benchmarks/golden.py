"""
Results of many configurations, to compare exactly before and after a change.

A change of structure must not change a result. Record the results before the change and
compare after it. Use the same machine and the same versions of all libraries. Only
public names of skae are used.

    python benchmarks/golden.py record before.npz
    python benchmarks/golden.py compare before.npz

The results of a configuration are codes, reconstructions, losses, scores and samples.
"""

import argparse
import sys
import warnings

import numpy as np
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.impute import AutoencoderImputer
from skae.outliers import AutoencoderOutlierDetector

DIGITS, CLASSES = load_digits(return_X_y=True)
SMALL = dict(n_components=3, hidden_layer_sizes=(32,), max_iter=8, random_state=0)
WIDE = np.random.default_rng(0).normal(size=(60, 8)) @ np.random.default_rng(1).normal(
    size=(8, 900)
)


def normalised(n_features, n_components):
    """Return an encoder with batch normalisation and dropout."""
    import keras

    return keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.Dense(24, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("tanh"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(n_components),
        ]
    )


def convolved(n_features, n_components):
    """Return an encoder with Keras' own convolution."""
    import keras

    rows = keras.Input((n_features,))
    images = keras.layers.Reshape((8, 8, 1))(rows)
    hidden = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(images)
    codes = keras.layers.Dense(n_components)(keras.layers.Flatten()(hidden))
    return keras.Model(rows, codes)


def darkened(rows, noise):
    """Return rows whose values are reduced by noise."""
    return rows * (0.5 + 0.5 * noise)


def dense(X=DIGITS, **parameters):
    return AutoencoderTransformer(**{**SMALL, **parameters}).fit(X)


def convolutional(X=DIGITS, y=CLASSES, **parameters):
    parameters = {**SMALL, "image_shape": "auto", "filters": 8, **parameters}
    return AutoencoderTransformer(**parameters).fit(X, y)


def variational(X=DIGITS, **parameters):
    return VariationalAutoencoderTransformer(**{**SMALL, **parameters}).fit(X)


def paired(**parameters):
    noise = np.random.default_rng(0).normal(scale=3, size=DIGITS.shape)
    estimator = AutoencoderTransformer(**{**SMALL, **parameters})
    return estimator.fit(DIGITS + noise, X_clean=DIGITS)


def in_batches(**parameters):
    estimator = AutoencoderTransformer(**{**SMALL, **parameters})
    for batch in np.array_split(DIGITS, 6):
        estimator.partial_fit(batch)
    return estimator


def continued():
    estimator = dense(warm_start=True)
    return estimator.fit(DIGITS[:1500])


def streamed():
    X = sparse.random(66_000, 1100, 0.01, "csr", np.float32, random_state=0)
    return dense(X, hidden_layer_sizes=(8,), max_iter=2)


def labelled(X=DIGITS, y=CLASSES, **parameters):
    parameters = {**SMALL, "target_weight": 0.5, **parameters}
    return AutoencoderTransformer(**parameters).fit(X, y)


def partly(labels):
    """Return labels of which two thirds are missing."""
    is_number = labels.dtype.kind == "f"
    return np.where(np.arange(len(labels)) % 3, np.nan if is_number else -1, labels)


def with_holes(X=DIGITS):
    """Return rows of which a tenth of the values is missing."""
    holes = np.random.default_rng(3).random(X.shape) < 0.1
    return np.where(holes, np.nan, X)


def imputer(**parameters):
    X = with_holes(load_wine().data)
    return AutoencoderImputer(max_iter=5, random_state=0, **parameters).fit(X)


def detector(**parameters):
    X = DIGITS[CLASSES == 0]
    return AutoencoderOutlierDetector(random_state=0, **parameters).fit(X)


CASES = {
    "dense": dense,
    "dense, defaults": lambda: AutoencoderTransformer(random_state=0).fit(DIGITS),
    "dense skip": lambda: dense(
        skip_connections="dense", hidden_layer_sizes=(24, 12), activation="tanh"
    ),
    "no skip": lambda: dense(skip_connections=None, learning_rate=0.01),
    "sigmoid output": lambda: dense(
        DIGITS / 16,
        skip_connections=None,
        output_activation="sigmoid",
        loss="binary_crossentropy",
    ),
    "linear": lambda: dense(hidden_layer_sizes=()),
    "linear, absolute error": lambda: dense(
        hidden_layer_sizes=(), loss="mean_absolute_error"
    ),
    "share of variance": lambda: dense(n_components=0.7),
    "whitened": lambda: dense(whiten=True),
    "dropout": lambda: dense(dropout=0.2),
    "gelu": lambda: dense(activation="gelu"),
    "no early stopping": lambda: dense(early_stopping=False),
    "custom": lambda: dense(encoder=normalised),
    "custom, convolutions": lambda: dense(encoder=convolved),
    "custom, no skip": lambda: dense(encoder=convolved, skip_connections=None),
    "momentum and clipping": lambda: dense(
        optimizer={
            "class_name": "SGD",
            "config": {"learning_rate": 0.05, "momentum": 0.9, "clipnorm": 1.0},
        }
    ),
    "convolutional": convolutional,
    "convolutional, no skip": lambda: convolutional(skip_connections=None),
    "convolutional, blocks": lambda: convolutional(corruption="blocks"),
    "variational": variational,
    "variational, beta": lambda: variational(beta=0.5),
    "variational, bernoulli": lambda: variational(DIGITS / 16, likelihood="bernoulli"),
    "variational, convolutional": lambda: variational(image_shape=(8, 8), filters=8),
    "gaussian noise": lambda: dense(corruption="gaussian"),
    "masking": lambda: dense(corruption="masking"),
    "salt and pepper": lambda: dense(corruption="salt_and_pepper"),
    "own corruption": lambda: dense(corruption=darkened),
    "paired": paired,
    "paired and corrupted": lambda: paired(corruption="salt_and_pepper"),
    "sparse codes": lambda: dense(sparsity=0.1),
    "contraction": lambda: dense(contraction=0.1),
    "sparse codes and contraction": lambda: dense(sparsity=0.05, contraction=0.1),
    "streamed": streamed,
    "partial_fit": in_batches,
    "partial_fit, contraction": lambda: in_batches(contraction=0.1),
    "warm start": continued,
    "few rows": lambda: dense(load_wine().data, max_iter=60),
    "few rows, defaults": lambda: AutoencoderTransformer(random_state=0).fit(
        load_breast_cancer().data
    ),
    "few rows, convolutional": lambda: convolutional(DIGITS[:300]),
    "nine rows": lambda: dense(DIGITS[:9]),
    "wide rows": lambda: dense(WIDE + 1, max_iter=20),
    "CSR": lambda: dense(sparse.csr_matrix(DIGITS)),
    "float32": lambda: dense(DIGITS.astype(np.float32)),
    "far from the origin": lambda: dense(DIGITS + 1e4),
    "classes": labelled,
    "classes, few labels": lambda: labelled(y=partly(CLASSES)),
    "classes, linear": lambda: labelled(hidden_layer_sizes=()),
    "classes, few rows": lambda: labelled(*load_wine(return_X_y=True)),
    "classes, convolutional": lambda: convolutional(target_weight=0.5),
    "numbers": lambda: labelled(y=DIGITS[:, :2] + DIGITS[:, 20:22]),
    "numbers, few labels": lambda: labelled(y=partly(DIGITS[:, 20])),
    "missing values": lambda: dense(with_holes()),
    "missing values, linear": lambda: dense(with_holes(), hidden_layer_sizes=()),
    "missing values, masking": lambda: dense(with_holes(), corruption="masking"),
    "missing values, few rows": lambda: dense(with_holes(load_wine().data)),
    "imputer": imputer,
    "imputer, three components": lambda: imputer(n_components=3),
    "detector": detector,
    "detector, wide kernels": lambda: detector(bandwidth=0.5, contamination=0.1),
    "detector, linear": lambda: detector(
        estimator=AutoencoderTransformer(3, hidden_layer_sizes=())
    ),
    "detector, variational": lambda: detector(
        estimator=VariationalAutoencoderTransformer(**SMALL)
    ),
}


def results(fitted):
    """Return the results of a fitted estimator, by name."""
    if isinstance(fitted, AutoencoderImputer):
        X = with_holes(load_wine().data[:100])
        return {"rows": fitted.transform(X), "few": fitted.transform(X[:2])}
    if isinstance(fitted, AutoencoderOutlierDetector):
        return {
            "scores": fitted.score_samples(DIGITS[:200]),
            "held_out": fitted.held_out_scores_,
            "offset": fitted.offset_,
            "shares": fitted.explain(DIGITS[:20]),
        }
    found = _results_of_transformer(fitted)
    if hasattr(fitted, "coef_"):
        found |= {"coef": fitted.coef_, "intercept": fitted.intercept_}
    takes_nan = fitted.__sklearn_tags__().input_tags.allow_nan
    if takes_nan and fitted.n_features_in_ <= 64:
        X = with_holes(DIGITS[:200])[:, : fitted.n_features_in_]
        try:
            found |= {"filled": fitted.transform(X), "holed": fitted.reconstruct(X)}
            found["score_holed"] = fitted.score(X)
        except ValueError as error:
            if "knows no PCA" not in str(error):
                raise
    return found


def _results_of_transformer(fitted):
    n_features = fitted.n_features_in_
    X = DIGITS[:200, :n_features]
    if n_features > 64:
        X = np.random.default_rng(2).normal(size=(200, n_features))
    if getattr(fitted, "likelihood", None) == "bernoulli" or fitted.mean_.max() < 1:
        X = X / 16
    # The last rows are outside the range of the training data.
    X = np.vstack([X, 5 * X[:5]])
    codes = fitted.transform(X)
    return {
        "codes": codes,
        "rows": fitted.inverse_transform(codes),
        "few": fitted.transform(X[:3]),
        "float32": fitted.transform(X.astype(np.float32)),
        "score_samples": fitted.score_samples(X[:200]),
        "score": fitted.score(X[:200]),
        "sample": fitted.sample(5, random_state=0),
        "explained_variance": fitted.explained_variance_,
        "explained_variance_ratio": fitted.explained_variance_ratio_,
        "losses": fitted.loss_curve_,
        "validation": fitted.validation_loss_curve_ or [],
        "best": fitted.best_loss_,
    }


def measure(pattern):
    """Return the results of all configurations whose name contains a pattern."""
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, case in CASES.items():
            if pattern in name:
                for part, value in results(case()).items():
                    found[f"{name}: {part}"] = np.asarray(value)
                print(name, file=sys.stderr)
    return found


def difference(before, after):
    """Return the largest relative difference. It is infinite if the shapes differ."""
    if before.shape != after.shape:
        return np.inf
    scale = np.abs(before).max(initial=0) or 1.0
    return float(np.abs(after - before).max(initial=0) / scale)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("file")
    parser.add_argument(
        "--only", default="", help="run only configurations whose name contains this"
    )
    options = parser.parse_args()
    found = measure(options.only)
    if options.action == "record":
        np.savez(options.file, **found)
        sys.exit()
    changed = 0
    with np.load(options.file) as recorded:
        for name, value in found.items():
            if name not in recorded:
                print(f"      new  {name}")
            elif not np.array_equal(recorded[name], value, equal_nan=True):
                changed += 1
                print(f"{difference(recorded[name], value):9.1e}  {name}")
    print(f"{changed} of {len(found)} results differ")
    sys.exit(changed > 0)
