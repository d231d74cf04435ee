"""Rows taken some at a time, so that no copy of all of them is ever made."""

from __future__ import annotations

from collections.abc import Iterator

from sklearn.utils import gen_batches

_ROWS = 8192


def chunks(n_rows: int) -> Iterator[slice]:
    """Yield slices that cover ``n_rows`` rows."""
    return gen_batches(n_rows, _ROWS)
