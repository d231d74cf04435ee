"""The user's own Keras networks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import _keras as keras
from ._layers import CORRECTION
from ._spec import Family, NetworkSpec, Path

_KERAS_SEEDS = threading.Lock()


@dataclass(frozen=True)
class CustomLayers(Family):
    """What a callable of the user's builds.

    Parameters
    ----------
    builder : callable
        Called with the keywords ``n_features`` and ``n_components``. It returns a
        ``keras.Model``.
    """

    builder: Callable[..., Any]

    @property
    def is_custom(self) -> bool:
        """Whether the user's code builds the layers."""
        return True

    def encoder_path(self, rows: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Call the user's encoder."""
        return self._path(rows, "encoder", spec.n_features, spec.n_components, spec)

    def decoder_path(self, codes: Any, spec: NetworkSpec, standard: bool) -> Path:
        """Call the user's decoder."""
        return self._path(codes, "decoder", spec.n_components, spec.n_features, spec)

    def _path(
        self, inputs: Any, role: str, n_inputs: int, n_outputs: int, spec: NetworkSpec
    ) -> Path:
        model = self.builder(n_features=spec.n_features, n_components=spec.n_components)
        outputs = _called(model, inputs, role, n_inputs, n_outputs)
        if spec.linear_path:
            # One trainable factor for each output, zero at the start (ReZero,
            # Bachlechner et al. 2021). So training starts at PCA with any network.
            outputs = keras.layers.EinsumDense(
                "bi,i->bi",
                output_shape=n_outputs,
                kernel_initializer="zeros",
                dtype="float32",
                name=CORRECTION,
            )(outputs)
        return Path(outputs, outputs)


@contextmanager
def seeded_keras(seed: int) -> Iterator[None]:
    """Seed the layers made inside. Leave Python's global generator as it was.

    A Keras layer without a seed of its own draws one from Python's generator.
    """
    with _KERAS_SEEDS:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


def _called(model: Any, inputs: Any, role: str, n_inputs: int, n_outputs: int) -> Any:
    """Return the output of the user's model. Raise if it does not fit."""
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"The {role!r} callable must return a keras.Model from {n_inputs} to "
            f"{n_outputs} values. Got {type(model).__name__} instead."
        )
    mend = "Use the n_features and n_components that the callable is given."
    expected = None, n_inputs
    # A model without an input shape is built when it is called. Subclasses of Model
    # that were called before have no inputs either.
    known = model.built and getattr(model, "inputs", None)
    found = model.input_shape if known else expected
    if found != expected:
        raise ValueError(
            f"The model returned by the {role!r} callable must have input shape "
            f"{expected}. Got {found} instead. {mend}"
        )
    try:
        outputs = model(inputs)
    except Exception as error:
        raise ValueError(
            f"The model returned by the {role!r} callable cannot be called with an "
            f"input of shape {expected}: {error}"
        ) from error
    shape = getattr(outputs, "shape", type(outputs).__name__)
    if shape != (None, n_outputs):
        raise ValueError(
            f"The model returned by the {role!r} callable must have output shape "
            f"{(None, n_outputs)}. Got {shape} instead. {mend}"
        )
    return outputs
