"""Converters of skae's estimators for ``skl2onnx``, which ``skae[onnx]`` brings along.

Call :func:`register` once. Then ``skl2onnx.to_onnx`` converts estimators of skae, alone
and in pipelines.
"""

from ._register import register

__all__ = ["register"]
