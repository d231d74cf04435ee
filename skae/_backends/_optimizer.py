"""A Keras optimizer: as a hashable value, and as a pure function of arrays."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from .. import _keras as keras

MOST_PACKED = 2**17
"""With more weights than this, packing them costs more than compiling for each."""

_ELEMENTWISE = "SGD", "RMSprop", "Adam", "AdamW", "Adamax", "Nadam", "Lion"

_RATES = {"SGD": 1.0, "Adagrad": 0.3, "Adadelta": 10.0, "Adafactor": 0.1}
"""First rates of optimizers with which that of Adam would hardly leave PCA."""

_TOO_SLOW = 0.1
"""A smaller fraction of such a rate is worth a warning."""

_LEAST_EPSILON = 1e-16
"""Adafactor adds this to squares at least. Keras' 1e-30, squared, is zero in float32,
and weights without a gradient become zero divided by zero."""

_REFUSED = {
    "Ftrl": "Its first step forgets the weights at the start, and so PCA. Give another "
    "optimizer, and alpha for a penalty.",
    "LossScaleOptimizer": "Losses are computed in float32, which needs no scaling. "
    "Give its inner optimizer instead.",
    "MultiOptimizer": "Training has variables of its own. Give one optimizer for all.",
    "ScheduleFreeAdamW": "It evaluates other weights than it trains. Give AdamW.",
}
"""Optimizers of Keras that skae cannot use, and what to do."""

_NO_CONFIG = (
    "The optimizer cannot be built from its own configuration. A learning rate must be "
    "a number or a keras.optimizers.schedules.LearningRateSchedule, and your own "
    "classes need keras.saving.register_keras_serializable. Keras says:"
)


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
        if isinstance(identifier, dict):
            # Keras takes it apart.
            identifier = dict(identifier)
        optimizer = keras.optimizers.get(identifier)
        _check_kind(optimizer)
        kind = _public_kind(optimizer)
        if isinstance(identifier, str):
            return cls(kind, "{}"), None
        config = _checked_config(optimizer)
        rate = config["learning_rate"]
        rate = None if isinstance(rate, dict) else float(config.pop("learning_rate"))
        text = json.dumps(config, sort_keys=True, default=float)
        undecayed = _undecayed_names(optimizer) if config.get("weight_decay") else ""
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
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
    }

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> OptimizerChoice:
        """Read the parameters of an estimator."""
        identifier, rate = parameters["optimizer"], parameters["learning_rate"]
        rate = None if rate == "auto" else rate
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
                stacklevel=2,
            )


class PackedOptimizer:
    """One step for all weights. Small networks keep them in two vectors.

    An optimizer that treats every number alike gets two variables: the penalised
    weights and the others. Code for two vectors compiles in half the time of code for a
    dozen matrices.

    Parameters
    ----------
    spec : OptimizerSpec
        Which optimizer.

    variables : list of keras.Variable
        What it updates, with their constraints. If packed, only their shapes matter.

    penalised : list of bool
        Which of them the penalty draws to zero.

    may_pack : bool
        Whether only the optimizer depends on which weights form a matrix.
    """

    def __init__(
        self,
        spec: OptimizerSpec,
        variables: list,
        penalised: list[bool],
        may_pack: bool,
    ) -> None:
        self._optimizer = spec.build()
        self._shapes = [tuple(variable.shape) for variable in variables]
        self._penalised = penalised
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        numbers = range(len(variables))
        self._groups = [[number] for number in numbers]
        self._packs = may_pack and spec.is_elementwise and sum(sizes) <= MOST_PACKED
        if self._packs:
            by_penalty: dict[bool, list[int]] = {}
            for number in numbers:
                by_penalty.setdefault(penalised[number], []).append(number)
            self._groups = list(by_penalty.values())
        self._ends = [
            np.cumsum([sizes[number] for number in group]) for group in self._groups
        ]
        self.initial_state = self.build(variables)

    @property
    def variables(self) -> list:
        """What Keras' optimizer remembers, as Keras variables."""
        return self._optimizer.variables

    def pack(self, arrays: list) -> list:
        """Return the arrays as the optimizer gets them."""
        return [
            keras.ops.concatenate([keras.ops.ravel(arrays[number]) for number in group])
            if len(group) > 1
            else arrays[group[0]]
            for group in self._groups
        ]

    def unpack(self, packed: list) -> list:
        """Return the arrays that were packed."""
        arrays = {}
        for array, group, ends in zip(packed, self._groups, self._ends, strict=True):
            parts = [array]
            if len(group) > 1:
                parts = keras.ops.split(array, ends[:-1].tolist())
            for part, number in zip(parts, group, strict=True):
                arrays[number] = keras.ops.reshape(part, self._shapes[number])
        return [arrays[number] for number in range(len(arrays))]

    def step(self, state: list, gradients: list, weights: list, loss, rate, alpha):
        r"""Return the weights and the optimizer's state after a step.

        The gradient of the penalty :math:`\frac{\alpha}{2} \sum_l \lVert W_l \rVert^2`
        is added to the gradients of the loss. All of them are packed.
        """
        gradients = [
            gradient + alpha * weight if self._penalised[group[0]] else gradient
            for gradient, weight, group in zip(
                gradients, weights, self._groups, strict=True
            )
        ]
        if self._packs:
            # The step then waits for the loss. After that nothing needs the old
            # weights, so XLA need not copy them. For many matrices the wait costs more.
            rate = rate + 0 * loss
        slot = self._rate_slot
        if slot is not None:
            state = list(state)
            state[slot] = rate
        return self.apply(state, gradients, weights)

    def apply(self, state: list, gradients: list, weights: list) -> tuple[list, list]:
        """Return the weights and the state after a step of Keras' optimizer."""
        return self._optimizer.stateless_apply(state, gradients, weights)

    def build(self, variables: list) -> list[np.ndarray]:
        """Build Keras' optimizer for the variables, and return its first state."""
        self._optimizer.build(self.packed_variables(variables))
        return [keras.to_numpy(variable) for variable in self._optimizer.variables]

    def packed_variables(self, variables: list) -> list:
        """Return Keras variables of the shapes that the optimizer gets."""
        if not self._packs:
            return variables
        zeros = self.pack([np.zeros(shape, np.float32) for shape in self._shapes])
        return [keras.Variable(vector) for vector in zeros]

    @property
    def _rate_slot(self) -> int | None:
        """Place of the rate in the state. None if the optimizer has a schedule."""
        rate, variables = self._optimizer.learning_rate, self._optimizer.variables
        slots = [slot for slot, value in enumerate(variables) if value is rate]
        return slots[0] if slots else None


def _check_kind(optimizer: Any) -> None:
    """Raise ``ValueError`` where skae cannot use optimizers of this kind."""
    for name, hint in _REFUSED.items():
        # Older versions of Keras do not have all of them.
        kind = getattr(keras.optimizers, name, None)
        if kind is not None and isinstance(optimizer, kind):
            raise ValueError(f"optimizer={name} is not supported. {hint}")


def _checked_config(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's configuration, without its name.

    Raises
    ------
    ValueError
        If a setting would be ignored, or would give wrong results.
    """
    try:
        with warnings.catch_warnings():
            # Variables of Keras cannot do what NumPy 2 asks for.
            warnings.filterwarnings(
                "ignore", "__array__ implementation doesn't accept a copy keyword"
            )
            config = optimizer.get_config()
        _check_settings(config)
        # Keras changes the dictionary that it is given.
        type(optimizer).from_config(dict(config))
    except (OSError, TypeError) as error:
        raise ValueError(f"{_NO_CONFIG} {error}") from error
    config.pop("name", None)
    return config


def _check_settings(config: dict[str, Any]) -> None:
    if config.get("loss_scale_factor") is not None:
        raise ValueError(
            f"loss_scale_factor={config['loss_scale_factor']!r} of the optimizer is "
            "not supported: losses are computed in float32, which needs no scaling. "
            "Leave it out."
        )
    if config.get("use_ema") and not config.get("ema_overwrite_frequency"):
        raise ValueError(
            "use_ema=True of the optimizer needs ema_overwrite_frequency. Without it, "
            "Keras uses the average only after the last epoch, but the weights of the "
            "best epoch are kept. Give ema_overwrite_frequency, or leave use_ema out."
        )
    rate = config.get("learning_rate")
    # A schedule's configuration names its class.
    if isinstance(rate, dict) and rate["class_name"] in ("__lambda__", "function"):
        raise ValueError(
            "learning_rate of the optimizer must be a number or a keras.optimizers."
            "schedules.LearningRateSchedule. Got another callable instead, which "
            "compiled code would call only once."
        )


def _undecayed_names(optimizer: Any) -> str:
    """Return the pattern of the names that the user excluded from weight decay."""
    # Neither the configuration nor a public attribute has them.
    state = vars(optimizer)
    if state.get("_exclude_from_weight_decay"):
        raise ValueError(
            "exclude_from_weight_decay(var_list=...) of the optimizer is not "
            "supported: training has variables of its own. Give var_names=... instead."
        )
    pattern = state.get("_exclude_from_weight_decay_pattern")
    return "" if pattern is None else pattern.pattern
