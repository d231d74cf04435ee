"""Converters of skae's estimators for ``skl2onnx``. The extra ``onnx`` installs it.

Call :func:`register_converters` once. Then ``skl2onnx.to_onnx`` converts estimators of
skae, alone and in pipelines.
"""

from ._converters import register_converters

__all__ = ["register_converters"]
