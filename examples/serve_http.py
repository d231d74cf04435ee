"""
Serve codes over HTTP
=====================

A service of the standard library. It loads a stored estimator and encodes rows that
clients send as JSON. PCA and dense networks need neither Keras nor JAX for this, so the
service is ready at once and small. With a network of images, the first request starts
Keras and compiles a program. All threads use one estimator.

    python examples/serve_http.py estimator.joblib --port 8000
    curl -d '{"rows": [[0, 1, 2]]}' http://127.0.0.1:8000/transform

``service(estimator)`` is a WSGI application. Any server runs it, for example gunicorn,
which may load it before it forks (``--preload``). ``wsgiref`` here has no encryption,
so it listens on this machine only.
"""

import argparse
import json
from http import HTTPStatus
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import joblib
import numpy as np

METHODS = {
    "transform": "rows",
    "reconstruct": "rows",
    "predict": "labels",
    "predict_proba": "probabilities",
}
"""What a client may ask for, and what the answer is called."""

MOST_BYTES = 2**20


def service(estimator):
    """Return a WSGI application for a fitted estimator."""

    def application(environ, start_response):
        status, answer = answered(estimator, environ)
        body = json.dumps(answer).encode()
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return application


def answered(estimator, environ):
    """Return the status and the answer to a request."""
    method = environ["PATH_INFO"].strip("/")
    available = [name for name in METHODS if hasattr(estimator, name)]
    if method not in available:
        return HTTPStatus.NOT_FOUND, {"error": f"The paths are {available}."}
    if environ["REQUEST_METHOD"] != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Send rows with POST."}
    size = environ.get("CONTENT_LENGTH") or "0"
    if not size.isdigit() or int(size) > MOST_BYTES:
        error = f"A request has at most {MOST_BYTES} bytes."
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": error}
    try:
        request = json.loads(environ["wsgi.input"].read(int(size)))
        if not isinstance(request, dict) or "rows" not in request:
            raise ValueError('Send a JSON object: {"rows": [[0, 1, 2]]}.')
        rows = np.asarray(request["rows"], dtype=np.float64)
        found = getattr(estimator, method)(rows)
    except (ValueError, TypeError) as error:
        # Estimators say in a ValueError what is wrong with rows.
        return HTTPStatus.BAD_REQUEST, {"error": str(error)}
    return HTTPStatus.OK, {METHODS[method]: found.tolist()}


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """A server with one thread for each request."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_message(self, *args):
        """Write nothing."""


def server(estimator, port=8000):
    """Return a server on this machine's loopback address. Port 0 is any free one."""
    return make_server(
        "127.0.0.1", port, service(estimator), ThreadingServer, QuietHandler
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("path", help="what joblib.dump wrote; load only what you trust")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    with server(joblib.load(arguments.path), arguments.port) as running:
        print(f"http://127.0.0.1:{running.server_port}", flush=True)
        running.serve_forever()
