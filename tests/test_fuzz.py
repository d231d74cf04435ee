"""Any rows give finite results, or a ``ValueError`` that says what is wrong."""

import os

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer

LIMITS = {
    np.float64: (-200, 200),
    np.float32: (-30, 30),
    np.float16: (-2, 2),
    np.int64: (0, 6),
    np.int32: (0, 6),
    np.uint8: (0, 2),
    bool: (0, 0),
}
"""Decimal logarithms of the smallest and of the largest scale of each type."""

FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]


class Case:
    """Random rows of any type, shape, scale and form, and parameters to fit them."""

    def __init__(self, seed, widths):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(1, 41)), int(rng.choice(widths))
        self.dtype = list(LIMITS)[rng.integers(len(LIMITS))]
        low, high = LIMITS[self.dtype]
        self.scale = 10.0 ** rng.uniform(low, high)
        rank = rng.integers(1, min(n, d) + 1)
        X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, d))
        if rng.random() < 0.5:
            X = rng.normal(size=(n, d))
        if rng.random() < 0.3:
            X = X * (rng.random(X.shape) < 0.3)
        if rng.random() < 0.2:
            X = X[rng.integers(n, size=n)]
        if rng.random() < 0.4:
            X[:, rng.random(d) < 0.4] = rng.normal()
        if rng.random() < 0.4:
            X = X + rng.normal(size=d) * 10.0 ** rng.uniform(-2, 2)
        self.X = self.of_dtype(X * self.scale)
        self.rows = self.in_some_form(self.X.copy(), rng)
        n_components = [None, 0.9, int(rng.integers(1, min(n, d) + 1))]
        self.parameters = {
            "n_components": n_components[rng.integers(3)],
            "whiten": bool(rng.random() < 0.3),
            "random_state": 0,
        }

    def of_dtype(self, X):
        if self.dtype is bool:
            return X > 0
        if np.dtype(self.dtype).kind in "iu":
            limits = np.iinfo(self.dtype)
            X = np.clip(np.rint(X), limits.min, limits.max)
        with np.errstate(over="ignore", under="ignore"):
            return X.astype(self.dtype)

    def in_some_form(self, X, rng):
        forms = {
            "C order": lambda: X,
            "Fortran order": lambda: np.asfortranarray(X),
            "view": lambda: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
            "reversed": lambda: X[::-1, ::-1].copy()[::-1, ::-1],
            "data frame": lambda: pd.DataFrame(X).add_prefix("column "),
            "sparse": lambda: self.sparse(X, rng),
        }
        self.form = rng.choice([*forms, "sparse"])
        return forms[self.form]()

    def sparse(self, X, rng):
        name, kind = rng.choice(FORMATS), rng.choice(["matrix", "array"])
        # SciPy has no sparse matrices of half precision.
        X = X.astype(np.float32) if self.dtype is np.float16 else X
        return getattr(sparse, f"{name}_{kind}")(X)

    @property
    def rows_now(self):
        """The rows that the estimator got, as an array."""
        some = self.rows
        return some.toarray() if sparse.issparse(some) else np.asarray(some)

    def __repr__(self):
        return (
            f"{self.X.shape} {np.dtype(self.dtype)} {self.form} {self.scale:.0e} "
            f"{self.parameters}"
        )


REFUSALS = "Input X contains", "Input X has a standard deviation"


def computed(case, model):
    """Return everything that an estimator computes, or why it refuses the rows."""
    try:
        codes = model.fit_transform(case.rows)
        return {
            "codes": codes,
            "transformed": model.transform(case.rows),
            "reconstructed": model.reconstruct(case.rows),
            "decoded": model.inverse_transform(codes),
            "score": np.asarray(model.score(case.rows)),
            "scores": model.score_samples(case.rows),
            "sampled": model.sample(5, random_state=0),
            "mean": model.mean_,
            "explained variance": model.explained_variance_,
            "explained ratio": model.explained_variance_ratio_,
            "singular values": model.singular_values_,
            "noise": np.asarray(model.noise_variance_),
            "components": model.components_,
        }
    except ValueError as error:
        return str(error)


def check(case, model):
    """Check what holds for every estimator, and return what it computes."""
    found = computed(case, model)
    np.testing.assert_array_equal(case.rows_now, case.X)
    if isinstance(found, str):
        assert found.startswith(REFUSALS)
        # Only very large and very small values are refused.
        assert case.dtype in (np.float64, np.float32)
        low = 1e-14 if case.dtype == np.float32 else 1e-25
        assert not low < case.scale < 1e15
        return None
    for name, values in found.items():
        assert np.isfinite(values).all(), name
    (n, d), k = case.X.shape, model.n_components_
    shapes = {"codes": (n, k), "reconstructed": (n, d), "scores": (n,)}
    shapes |= {"transformed": (n, k), "decoded": (n, d), "sampled": (5, d)}
    assert {name: found[name].shape for name in shapes} == shapes
    is_single = case.rows_now.dtype == np.float32
    for name in ("codes", "transformed", "reconstructed", "decoded"):
        assert found[name].dtype == (np.float32 if is_single else np.float64), name
    np.testing.assert_array_equal(found["decoded"], found["reconstructed"])
    return found


def check_against_pca(case, found, k):
    """Compare with PCA in double precision, of rows whose largest value is one."""
    X = case.X.astype(np.float64)
    largest = np.abs(X).max() or 1.0
    X = X / largest
    with np.errstate(invalid="ignore", divide="ignore"):
        pca = PCA(k, svd_solver="full").fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    deviation = np.sqrt(X.var(axis=0).mean())
    is_single = found["reconstructed"].dtype == np.float32
    # float32 rounds the rows, and values next to zero have few digits of their own.
    eps = np.finfo(np.float32 if is_single else np.float64).eps
    atol = 20 * eps + (1e-5 if is_single else 1e-8) * deviation
    reconstructed = found["reconstructed"] / largest
    errors = [np.linalg.norm(X - rows) for rows in (reconstructed, expected)]
    assert errors[0] == pytest.approx(errors[1], abs=atol * np.sqrt(X.size))
    spectrum = np.append(np.linalg.svd(X - X.mean(axis=0), compute_uv=False), 0)
    # Where two axes have the same variance, PCA may leave out either.
    if k == len(spectrum) - 1 or spectrum[k - 1] - spectrum[k] > 0.01 * spectrum[0]:
        np.testing.assert_allclose(reconstructed, expected, rtol=0, atol=100 * atol)
    if deviation > 1e-3:
        explained = 1 - np.square(errors[1]) / np.square(spectrum).sum()
        assert found["score"] == pytest.approx(explained, abs=1e-5)


# A hundred cases take some seconds. SKAE_FUZZ=10 runs ten times as many.
TIMES = int(os.environ.get("SKAE_FUZZ", "1"))


@pytest.mark.parametrize("seed", range(100 * TIMES))
def test_a_linear_autoencoder_of_any_rows_is_pca(seed):
    case = Case(seed, widths=range(1, 31))
    model = AutoencoderTransformer(hidden_layer_sizes=(), **case.parameters)
    found = check(case, model)
    if found is not None:
        check_against_pca(case, found, model.n_components_)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10 * TIMES))
def test_a_network_of_any_rows_is_finite(seed):
    # Few widths, so that most fits share a compiled program.
    case = Case(seed, widths=(1, 4))
    model = AutoencoderTransformer(
        hidden_layer_sizes=(4,),
        skip_connections=("linear", None)[seed % 2],
        max_iter=2,
        **case.parameters,
    )
    check(case, model)
