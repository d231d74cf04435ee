"""Settings of Keras' optimizers that training cannot honour, refused by name."""

from __future__ import annotations

from typing import Any

from .. import _keras as keras

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


def check_kind(optimizer: Any) -> None:
    """Raise ``ValueError`` where skae cannot use optimizers of this kind."""
    for name, mend in _REFUSED.items():
        # Older versions of Keras do not have all of them.
        kind = getattr(keras.optimizers, name, None)
        if kind is not None and isinstance(optimizer, kind):
            raise ValueError(f"optimizer={name} is not supported. {mend}")


def checked_config(optimizer: Any) -> dict[str, Any]:
    """Return an optimizer's configuration, without its name.

    Raises
    ------
    ValueError
        If a setting would be ignored, or would give wrong results.
    """
    try:
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


def undecayed_names(optimizer: Any) -> str:
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
