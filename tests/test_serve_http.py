"""The example of a service answers requests on the loopback address."""

import importlib.util
import io
import json
import pathlib
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import joblib
import numpy as np
import pytest
from conftest import run
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

EXAMPLE = pathlib.Path(__file__).parents[1] / "examples" / "serve_http.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("serve_http", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROWS = np.random.default_rng(0).normal(size=(120, 6))


def served_estimator(kind):
    """Return a network without a linear path. So it is kept, whatever it learnt."""
    image_shape = (2, 3) if kind == "images" else None
    return AutoencoderTransformer(
        2,
        image_shape=image_shape,
        filters=4,
        hidden_layer_sizes=(8,),
        skip_connections=None,
        max_iter=1,
        random_state=0,
    ).fit(ROWS)


@pytest.fixture(
    scope="module",
    params=["table", pytest.param("images", marks=pytest.mark.slow)],
)
def served(request, example):
    """Return an estimator, rows, and a function that sends a request."""
    estimator = served_estimator(request.param)
    running = example.server(pickle.loads(pickle.dumps(estimator)), port=0)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()

    def ask(method, path, body=None, **headers):
        connection = HTTPConnection("127.0.0.1", running.server_port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    yield estimator, ROWS, ask
    running.shutdown()
    thread.join()
    running.server_close()


def test_many_requests_at_the_same_time_get_their_own_rows(served):
    estimator, rows, ask = served

    def asked(number):
        row = rows[[number % len(rows)]]
        path = ("/transform", "/reconstruct")[number % 2]
        return path[1:], row, ask("POST", path, json.dumps({"rows": row.tolist()}))

    with ThreadPoolExecutor(8) as threads:
        for method, row, (status, answer) in threads.map(asked, range(24)):
            assert status == 200
            expected = getattr(estimator, method)(row)
            np.testing.assert_array_equal(answer["rows"], expected)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no JSON", "Expecting value"),
        (b"[]", "Send a JSON object"),
        (b'{"rows": [[1, 2]]}', "2 features, but"),
        (b'{"rows": [[1, 2, 3, 4, 5, NaN]]}', "NaN"),
        (b'{"rows": "text"}', "could not convert"),
    ],
)
def test_bad_requests_are_told_why(served, body, message):
    status, answer = served[2]("POST", "/transform", body)
    assert status == 400
    assert message in answer["error"]


def test_other_paths_methods_and_sizes(served):
    ask = served[2]
    assert ask("POST", "/fit", b"{}")[0] == 404
    assert ask("GET", "/transform")[0] == 405
    assert ask("POST", "/transform", b"", **{"Content-Length": "9999999"})[0] == 413


def test_a_served_row_needs_neither_keras_nor_a_backend(tmp_path):
    joblib.dump(served_estimator("table"), tmp_path / "stored")
    rows = ROWS[:1].tolist()
    code = f"""
import io, json, runpy, sys, joblib
service = runpy.run_path({str(EXAMPLE)!r})["service"]
body = json.dumps({{"rows": {rows!r}}}).encode()
request = {{
    "REQUEST_METHOD": "POST", "PATH_INFO": "/transform",
    "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body),
}}
estimator = joblib.load({str(tmp_path / "stored")!r})
print(*service(estimator)(request, lambda status, headers: print(status)))
assert not {{"keras", "jax", "tensorflow", "torch"}} & sys.modules.keys()
"""
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("200 OK")


def test_a_pipeline_that_ends_with_a_classifier_predicts(example):
    labels = np.where(ROWS[:, 0] > 0, "positive", "negative")
    pipeline = make_pipeline(
        StandardScaler(), served_estimator("table"), LogisticRegression()
    ).fit(ROWS, labels)

    def answered(path, body, method="POST"):
        content = json.dumps(body).encode()
        environ = {
            "PATH_INFO": path,
            "REQUEST_METHOD": method,
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
        }
        return example.answered(pipeline, environ)

    rows = {"rows": ROWS[:3].tolist()}
    status, answer = answered("/predict", rows)
    assert (status, answer["labels"]) == (200, pipeline.predict(ROWS[:3]).tolist())
    status, answer = answered("/predict_proba", rows)
    np.testing.assert_array_equal(
        answer["probabilities"], pipeline.predict_proba(ROWS[:3])
    )
    status, answer = answered("/transform", rows)
    assert status == 404
    assert "predict" in answer["error"]
    for body in ([1, 2], {"columns": []}, {"rows": [[1, 2]]}, {"rows": [["a"] * 6]}):
        assert answered("/predict", body)[0] == 400
