"""A Keras optimizer as a hashable value, without its learning rate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, Interval

from .. import _keras as keras

_ELEMENTWISE = "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Lion"


@dataclass(frozen=True)
class OptimizerSpec:
    """What an optimizer is, without the learning rate. That is given to the program.

    Parameters
    ----------
    kind : type
        Class of the optimizer.

    config : str
        Its configuration as JSON. The learning rate is in it only if it is a schedule
        of the user's.
    """

    kind: Any
    config: str

    @classmethod
    def of(cls, identifier: Any) -> tuple[OptimizerSpec, float | None]:
        """Return the spec of a Keras identifier or instance, and its constant rate.

        The rate is None if the optimizer has a schedule of its own. It is None, too, if
        the optimizer is given by name: nobody has chosen Keras' default.

        Raises
        ------
        ValueError
            If Keras does not know the identifier.
        """
        optimizer = keras.optimizers.get(identifier)
        kind = _public_kind(optimizer)
        if isinstance(identifier, str):
            return cls(kind, "{}"), None
        config = optimizer.get_config()
        config.pop("name", None)
        rate = config["learning_rate"]
        rate = None if isinstance(rate, dict) else float(config.pop("learning_rate"))
        text = json.dumps(config, sort_keys=True, default=float)
        return cls(kind, text), rate

    @property
    def is_elementwise(self) -> bool:
        """Whether a weight's step does not depend on the matrix that it is part of."""
        kinds = {getattr(keras.optimizers, name) for name in _ELEMENTWISE}
        clips_matrices = json.loads(self.config).get("clipnorm") is not None
        return self.kind in kinds and not clips_matrices

    def with_constant_rate(self) -> OptimizerSpec:
        """Return the same optimizer without a schedule of its own."""
        config = json.loads(self.config)
        config.pop("learning_rate", None)
        return OptimizerSpec(self.kind, json.dumps(config, sort_keys=True))

    def build(self) -> Any:
        """Return a new Keras optimizer."""
        return self.kind.from_config({"learning_rate": 1.0, **json.loads(self.config)})


def _public_kind(optimizer: Any) -> type:
    """Return an optimizer's class. On PyTorch, Keras' own are hidden subclasses."""
    kind = type(optimizer)
    public = getattr(keras.optimizers, kind.__name__, kind)
    return public if kind.__module__.startswith("keras.") else kind


@dataclass(frozen=True)
class OptimizerChoice:
    """The optimizer that an estimator's parameters describe.

    Parameters
    ----------
    spec : OptimizerSpec
        Which optimizer.

    learning_rate : float or None
        Rate of the first step. None where nobody has chosen one.

    decays : bool
        Whether the rate falls. An instance's own rate stays as it is.
    """

    spec: OptimizerSpec
    learning_rate: float | None
    decays: bool

    CONSTRAINTS: ClassVar[dict[str, list]] = {
        "optimizer": [str, dict, HasMethods(["get_config", "stateless_apply"])],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
    }

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> OptimizerChoice:
        """Read the parameters of an estimator."""
        identifier, rate = parameters["optimizer"], parameters["learning_rate"]
        spec, own_rate = OptimizerSpec.of(identifier)
        decays = rate is not None or isinstance(identifier, str)
        if decays:
            spec = spec.with_constant_rate()
        return cls(spec, rate or own_rate, decays)
