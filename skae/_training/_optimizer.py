"""A Keras optimizer as a hashable value, its learning rate kept apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .._backend import keras

_ELEMENTWISE = {
    keras.optimizers.SGD,
    keras.optimizers.RMSprop,
    keras.optimizers.Adam,
    keras.optimizers.AdamW,
    keras.optimizers.Adamax,
    keras.optimizers.Nadam,
    keras.optimizers.Lion,
}


@dataclass(frozen=True)
class OptimizerSpec:
    """What an optimizer is, without the learning rate that a program is handed.

    Parameters
    ----------
    kind : type
        Class of the optimizer.

    config : str
        Its configuration as JSON, with the learning rate only where that is a Keras
        schedule of the user's.
    """

    kind: Any
    config: str

    @classmethod
    def of(cls, identifier: Any) -> tuple[OptimizerSpec, float | None]:
        """Return the spec of a Keras identifier or instance, and its constant rate.

        The rate is None where the optimizer has a schedule of its own, and where it
        was given by name: Keras' default is then nobody's choice.

        Raises
        ------
        ValueError
            If Keras does not know the identifier.
        """
        optimizer = keras.optimizers.get(identifier)
        if isinstance(identifier, str):
            return cls(type(optimizer), "{}"), None
        config = optimizer.get_config()
        config.pop("name", None)
        rate = config["learning_rate"]
        rate = None if isinstance(rate, dict) else float(config.pop("learning_rate"))
        text = json.dumps(config, sort_keys=True, default=float)
        return cls(type(optimizer), text), rate

    @property
    def is_elementwise(self) -> bool:
        """Whether a weight's step does not depend on the matrix that it is part of."""
        clips_matrices = json.loads(self.config).get("clipnorm") is not None
        return self.kind in _ELEMENTWISE and not clips_matrices

    def with_constant_rate(self) -> OptimizerSpec:
        """Return the same optimizer without a schedule of its own."""
        config = json.loads(self.config)
        config.pop("learning_rate", None)
        return OptimizerSpec(self.kind, json.dumps(config, sort_keys=True))

    def build(self) -> Any:
        """Return a new Keras optimizer."""
        return self.kind.from_config({"learning_rate": 1.0, **json.loads(self.config)})
