"""What every term of an objective offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

from .._data import Batch, Scaling
from .._networks import NetworkSpec
from ._label_statistics import LabelStatistics


class Draw(Protocol):
    """Draws noise on the device, in float32."""

    def __call__(self, kind: str, shape: tuple[int, ...], stream: int = 0) -> Any:
        """Return "normal" or "uniform" noise. Each stream has its own numbers."""


class ForwardPass(NamedTuple):
    """A batch after it went through both networks.

    Parameters
    ----------
    batch : Batch
        The rows, in the network's units.

    shown : array of shape (n_rows, n_features)
        What the encoder saw.

    encoded : array
        What it returned: codes, or posteriors of codes.

    decoded : array
        What the decoder returned, without the predicted labels.

    predicted : array or None
        Predicted labels: logits of classes, or numbers. None without labels.

    encode, decode : callable
        The networks, for a second pass.

    draw : Draw
        Draws noise.
    """

    batch: Batch
    shown: Any
    encoded: Any
    decoded: Any
    predicted: Any
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    draw: Draw


class Term(ABC):
    """One part of an objective: what it does to rows, to codes or to the loss.

    A term is a hashable value. It decides the compiled program, and equal terms share
    one. Its numbers are arguments of the program, so changing them compiles nothing.

    A term owns its parameters: it names their constraints and reads their values. A
    further parameter is one more file, and a line in each estimator that has it.
    """

    CONSTRAINTS: ClassVar[dict[str, list]] = {}
    """Constraints of the estimator's parameters that the term reads."""

    @classmethod
    @abstractmethod
    def of(cls, parameters: dict[str, Any]) -> Term | None:
        """Return the term that an estimator's parameters describe, if there is one."""

    def on(self, spec: NetworkSpec) -> Term | None:
        """Return the term for a network, or None if it does not apply."""
        return self

    @classmethod
    def check(cls, parameters: dict[str, Any]) -> None:
        """Raise ``ValueError`` where parameters do not fit together."""
        return

    @classmethod
    def check_rows(cls, parameters: dict[str, Any], X: Any, name: str) -> None:
        """Raise ``ValueError`` where the term is not defined for rows.

        Parameters
        ----------
        parameters : dict
            The estimator's parameters.

        X : {array, CSR matrix} of shape (n_samples, n_features)
            Rows that the network should return.

        name : str
            What the user calls them.
        """
        return

    def numbers(
        self,
        parameters: dict[str, Any],
        X: Batch,
        scaling: Scaling,
        unexplained: float,
        labels: LabelStatistics | None = None,
    ) -> Any:
        """Return the numbers that the program takes.

        Parameters
        ----------
        parameters : dict
            The estimator's parameters.

        X : Batch
            The training rows, in the data's units.

        scaling : Scaling
            Between these and the network's units.

        unexplained : float
            Share of the rows' variance that PCA leaves; 1 without PCA.

        labels : LabelStatistics or None
            Of all labels so far, if rows come in batches. None stands for those of X.
        """
        return ()

    @property
    def is_likelihood(self) -> bool:
        """Whether the loss is a negative log-likelihood."""
        return False

    @property
    def changes_rows(self) -> bool:
        """Whether the network sees something else than it should return."""
        return False

    @property
    def is_plain_loss(self) -> bool:
        """Whether the term only compares rows with their reconstructions."""
        return False

    def keeps_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether the linear model is the best linear autoencoder by this term."""
        return False

    def shown(self, rows: Any, draw: Draw, numbers: Any) -> Any:
        """Return what the encoder sees of rows."""
        return rows

    def codes(self, encoded: Any, draw: Draw, numbers: Any) -> Any:
        """Return what the decoder sees of what the encoder returned."""
        return encoded

    def row_losses(self, done: ForwardPass, numbers: Any) -> Any:
        """Return what the term adds to the loss of each row, or None for nothing."""
        return None
