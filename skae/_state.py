"""The state of estimators: plain data in files, and what a failed fit leaves behind."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import numpy as np

from . import __version__

FORMAT_VERSION = 1
"""Number of the format in which estimators are stored.

It grows with every change after which older code would misread a stored estimator. Then
``__setstate__`` has to convert the formats before.
"""

_FORMAT, _SKAE = "_skae_format", "_skae_version"
"""Keys of the format version and of skae's version."""

_KIND = "skae_kind"
"""Key of the name of a class in the plain data of an object."""

_CLASSES: dict[str, type] = {}
"""The classes of stored objects by their names in files."""

_Class = TypeVar("_Class", bound=type)


def stored(name: str) -> Callable[[_Class], _Class]:
    """Register a dataclass or a named tuple whose objects estimators store.

    Files hold the name and the fields, so the class may move to another module.

    Parameters
    ----------
    name : str
        What files call the class. It must not change.
    """

    def register(cls: _Class) -> _Class:
        _CLASSES[name] = cls
        # mypy does not know attributes that a decorator sets.
        cls._stored_as = name  # type: ignore[attr-defined]
        return cls

    return register


class EstimatorMixin:
    """What all estimators of skae share: how files store them, and where docs are.

    A file holds parameters, numbers, strings, dicts, lists and NumPy arrays. Objects of
    skae's classes are dicts in it, so it names no private class of skae.
    """

    _doc_link_module = "skae"
    _doc_link_template = (
        "https://skae.readthedocs.io/en/stable/api/{estimator_module}.{estimator_name}"
        ".html"
    )

    _NOT_STORED: tuple[str, ...] = ()
    """Attributes that can be computed again."""

    def __getstate__(self) -> dict[str, Any]:
        # mypy takes the method of scikit-learn's base class for that of `object`.
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        kept = {
            name: to_plain(value)
            for name, value in state.items()
            if name not in self._NOT_STORED
        }
        return {_FORMAT: FORMAT_VERSION, _SKAE: __version__, **kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        number, version = state.pop(_FORMAT, None), state.pop(_SKAE, None)
        name = type(self).__name__
        if number is None or number > FORMAT_VERSION:
            raise ValueError(
                f"This {name} was stored by skae {version or 'before 0.1.0'} in format "
                f"version {number}. The installed skae {__version__} reads format "
                f"versions up to {FORMAT_VERSION}. Install the skae that stored it, or "
                "fit the estimator again."
            )
        if version != __version__:
            warnings.warn(
                f"This {name} was stored by skae {version} and is loaded by skae "
                f"{__version__}. It may give other results.",
                UserWarning,
                stacklevel=2,
            )
        plain = {name: from_plain(value) for name, value in state.items()}
        # `object` has no such method, but scikit-learn's base class has.
        super().__setstate__(plain)  # type: ignore[misc]


def to_plain(value: Any) -> Any:
    """Return a value with objects of registered classes as dicts."""
    name = getattr(type(value), "_stored_as", None)
    if name is not None:
        parts = value._asdict() if hasattr(value, "_asdict") else _fields(value)
        return {_KIND: name, **{key: to_plain(part) for key, part in parts.items()}}
    if type(value) is dict:
        return {key: to_plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)([to_plain(part) for part in value])
    return value


def from_plain(value: Any) -> Any:
    """Return what ``to_plain`` was given."""
    if type(value) is dict:
        parts = {key: from_plain(part) for key, part in value.items()}
        if isinstance(parts.get(_KIND), str) and parts[_KIND] in _CLASSES:
            return _CLASSES[parts.pop(_KIND)](**parts)
        return parts
    if type(value) in (list, tuple):
        return type(value)([from_plain(part) for part in value])
    return value


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name. What it cached is none of them."""
    assert is_dataclass(value)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def restore_on_error(fit: Callable) -> Callable:
    """Leave the estimator as it was if ``fit`` fails or is interrupted."""

    @functools.wraps(fit)
    def fit_or_restore(self, *args, **kwargs):
        before = vars(self).copy()
        try:
            # A number that underflows is zero, whatever the user has NumPy raise.
            with np.errstate(under="ignore"):
                return fit(self, *args, **kwargs)
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    return fit_or_restore
