"""
Time of one row: ONNX Runtime against ``transform``.

Each way encodes one row of the digits in float32, with one thread. The ways take turns.
The table gives medians of microseconds and their ratio.

    OMP_NUM_THREADS=1 python benchmarks/bench_onnx.py [--rounds 20]
"""

import argparse
from functools import partial

import numpy as np
import onnxruntime
from _measure import time_alternately
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer, VariationalAutoencoderTransformer
from skae.onnx import register_converters

CALLS = 200
SHORT = dict(max_iter=3, early_stopping=False, random_state=0)


def session(estimator, row, **options):
    """Return ONNX Runtime's session of an estimator, with one thread."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    model = to_onnx(estimator, row, **options).SerializeToString()
    return onnxruntime.InferenceSession(
        model, settings, providers=["CPUExecutionProvider"]
    )


def repeated(function, *args):
    """Call a function many times."""
    for _ in range(CALLS):
        function(*args)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    register_converters()
    X, y = load_digits(return_X_y=True)
    row = X[:1].astype(np.float32)
    small = dict(hidden_layer_sizes=(128, 64), **SHORT)
    pipeline = make_pipeline(
        StandardScaler(),
        AutoencoderTransformer(16, **small),
        LogisticRegression(max_iter=1000),
    )
    estimators = {
        "PCA kept": AutoencoderTransformer(16, hidden_layer_sizes=()),
        "dense": AutoencoderTransformer(16, **small),
        "variational": VariationalAutoencoderTransformer(16, **small),
        "convolutional": AutoencoderTransformer(16, image_shape="auto", **SHORT),
        "scaler, dense, classifier": pipeline,
    }
    print(f"{'':27}{'transform':>12}{'ONNX Runtime':>15}{'ratio':>8}")
    for name, estimator in estimators.items():
        estimator.fit(X, y)
        is_pipeline = estimator is pipeline
        options = {"options": {"zipmap": False}} if is_pipeline else {}
        compute = estimator.predict if is_pipeline else estimator.transform
        running = session(estimator, row, **options)
        feed = {running.get_inputs()[0].name: row}
        ways = {
            "skae": partial(repeated, compute, row),
            "onnx": partial(repeated, running.run, None, feed),
        }
        for way in ways.values():
            way()
        medians = time_alternately(ways, rounds)
        ours, theirs = (1e6 * medians[way] / CALLS for way in ("skae", "onnx"))
        print(f"{name:27}{ours:9.0f} us{theirs:12.0f} us{ours / theirs:8.1f}")
