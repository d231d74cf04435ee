"""A Keras optimizer as a hashable value, without its learning rate."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import HasMethods, Interval

from .. import _keras as keras
from ._optimizer_settings import check_kind, checked_config, undecayed_names

_ELEMENTWISE = "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Lion"

_RATES = {"SGD": 1.0, "Adagrad": 0.3, "Adadelta": 10.0, "Adafactor": 0.1}
"""First rates of optimizers with which that of Adam would hardly leave PCA."""

_TOO_SLOW = 0.1
"""A smaller share of such a rate is worth a warning."""

_LEAST_EPSILON = 1e-16
"""Adafactor adds this to squares at least. Keras' 1e-30, squared, is zero in float32,
and weights without a gradient become zero divided by zero."""


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

    undecayed : str
        Regular expression for the names of variables that do not decay. Empty where
        all do.
    """

    kind: Any
    config: str
    undecayed: str = ""

    @classmethod
    def of(cls, identifier: Any) -> tuple[OptimizerSpec, float | None]:
        """Return the spec of a Keras identifier or instance, and its constant rate.

        The rate is None if the optimizer has a schedule of its own. It is None, too, if
        the optimizer is given by name: nobody has chosen Keras' default.

        Raises
        ------
        ValueError
            If Keras does not know the identifier, or if the optimizer has a setting
            that training cannot honour.
        """
        optimizer = keras.optimizers.get(identifier)
        check_kind(optimizer)
        kind = _public_kind(optimizer)
        if isinstance(identifier, str):
            return cls(kind, "{}"), None
        config = checked_config(optimizer)
        rate = config["learning_rate"]
        rate = None if isinstance(rate, dict) else float(config.pop("learning_rate"))
        text = json.dumps(config, sort_keys=True, default=float)
        undecayed = undecayed_names(optimizer) if config.get("weight_decay") else ""
        return cls(kind, text, undecayed), rate

    @property
    def is_elementwise(self) -> bool:
        """Whether a weight's step does not depend on the matrix that it is part of."""
        kinds = {getattr(keras.optimizers, name) for name in _ELEMENTWISE}
        clips_matrices = json.loads(self.config).get("clipnorm") is not None
        return self.kind in kinds and not clips_matrices and not self.undecayed

    @property
    def usual_rate(self) -> float | None:
        """A first rate that suits the optimizer, where that of Adam does not."""
        return _RATES.get(self.kind.__name__)

    def with_constant_rate(self) -> OptimizerSpec:
        """Return the same optimizer without a schedule of its own."""
        config = json.loads(self.config)
        config.pop("learning_rate", None)
        return replace(self, config=json.dumps(config, sort_keys=True))

    def build(self) -> Any:
        """Return a new Keras optimizer."""
        config = {"learning_rate": 1.0, **json.loads(self.config)}
        if self.kind is keras.optimizers.Adafactor:
            config["epsilon_1"] = max(config.get("epsilon_1", 0.0), _LEAST_EPSILON)
        optimizer = self.kind.from_config(config)
        if self.undecayed:
            optimizer.exclude_from_weight_decay(var_names=[self.undecayed])
        return optimizer


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
        if isinstance(identifier, str):
            own_rate = spec.usual_rate
        return cls(spec, rate or own_rate, decays)

    def warn_if_slow(self) -> None:
        """Warn of a rate with which training would end where it started."""
        usual, rate = self.spec.usual_rate, self.learning_rate
        if usual is not None and rate is not None and rate < _TOO_SLOW * usual:
            warnings.warn(
                f"learning_rate={rate:g} is small for {self.spec.kind.__name__}: the "
                "network may hardly change. With this optimizer, rates of about "
                f"{usual:g} suit.",
                UserWarning,
                stacklevel=7,
            )
