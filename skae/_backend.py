"""Which Keras backend runs: the only module that touches the environment.

Importing this module imports Keras, so the modules that need Keras are imported on
first use, never by ``import skae``.
"""

import os
import sys

_VARIABLE = "KERAS_BACKEND"

if "keras" not in sys.modules and _VARIABLE not in os.environ:
    # Keras' own default is TensorFlow, and it reads the choice only while it is being
    # imported: the variable is set for that long and no longer.
    os.environ[_VARIABLE] = "jax"
    try:
        import keras
    finally:
        del os.environ[_VARIABLE]
else:
    import keras

if keras.backend.backend() != "jax":
    raise ImportError(
        f"skae trains on Keras' JAX backend, but Keras runs on "
        f"{keras.backend.backend()!r} here. Set {_VARIABLE}=jax before Keras is "
        "imported, or leave it unset and import Keras after skae's first fit."
    )

__all__ = ["keras"]
