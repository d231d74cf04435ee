"""What training minimises: a sum of terms, each of which is a module of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from .._data import Batch, Scaling
from .._networks import NetworkSpec

Role = Literal["loss", "likelihood", "corruption", "penalty", "labels"]
"""What a term is for.

- "loss" compares rows with their reconstructions.
- "likelihood" does so too, as a negative log-likelihood.
- "corruption" damages the rows that the network sees.
- "penalty" adds to the loss of a row.
- "labels" compares labels with predictions from codes.
"""


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

    seen : array of shape (n_rows, n_features)
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
    seen: Any
    encoded: Any
    decoded: Any
    predicted: Any
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    draw: Draw


class DataSummary(NamedTuple):
    """What the coefficients of a term may depend on.

    Parameters
    ----------
    rows : Batch
        The training rows, in the data's units.

    scaling : Scaling
        Between these and the network's units.

    unexplained : float
        Fraction of the rows' variance that PCA leaves; 1 without PCA.
    """

    rows: Batch
    scaling: Scaling
    unexplained: float


class Term(ABC):
    """One part of an objective: what it does to rows, to codes or to the loss.

    A term is a hashable value. It decides the compiled program, and equal terms share
    one. Its coefficients are arguments of the program, so changing them compiles
    nothing.

    A term owns its parameters: it names their constraints and reads their values. A
    further parameter is one more file, and a line in each estimator that has it.
    """

    CONSTRAINTS: ClassVar[dict[str, list]] = {}
    """Constraints of the estimator's parameters that the term reads."""

    role: ClassVar[Role]
    """What it is for."""

    @classmethod
    @abstractmethod
    def of(cls, parameters: dict[str, Any], spec: NetworkSpec) -> Term | None:
        """Return the term that an estimator's parameters describe, if there is one.

        Parameters
        ----------
        parameters : dict
            The estimator's parameters.

        spec : NetworkSpec
            The network.
        """

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

    def has_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether the linear model is the best linear autoencoder by this term."""
        return False

    def coefficients(self, parameters: dict[str, Any], data: DataSummary) -> Any:
        """Return the numbers that the program takes."""
        return ()

    def corrupt(self, rows: Any, draw: Draw, coefficients: Any) -> Any:
        """Return what the encoder sees of rows."""
        return rows

    def codes(self, encoded: Any, draw: Draw, coefficients: Any) -> Any:
        """Return what the decoder sees of what the encoder returned."""
        return encoded

    def row_losses(self, done: ForwardPass, coefficients: Any) -> Any:
        """Return what the term adds to the loss of each row, or None for nothing."""
        return None


@dataclass(frozen=True)
class Objective:
    """What training minimises: the sum of its terms' losses.

    Parameters
    ----------
    terms : tuple of Term
        In the order in which they act.

    roles : frozenset of str
        What they are for.

    has_linear_optimum : bool
        Whether the linear model is the best linear autoencoder.
    """

    terms: tuple[Term, ...]
    roles: frozenset[Role] = field(compare=False)
    has_linear_optimum: bool = field(compare=False)

    @classmethod
    def of(
        cls,
        terms: tuple[type[Term], ...],
        parameters: dict[str, Any],
        spec: NetworkSpec,
    ) -> Objective:
        """Return the objective that an estimator's parameters describe."""
        found: list[Term] = []
        roles: list[Role] = []
        has_linear_optimum = True
        for kind in terms:
            term = kind.of(parameters, spec)
            if term is not None:
                found.append(term)
                roles.append(term.role)
                has_linear_optimum &= term.has_linear_optimum(parameters)
        return cls(tuple(found), frozenset(roles), has_linear_optimum)

    def coefficients(
        self, parameters: dict[str, Any], data: DataSummary
    ) -> tuple[Any, ...]:
        """Return the coefficients of each term."""
        return tuple(term.coefficients(parameters, data) for term in self.terms)

    def row_losses(
        self,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
        batch: Batch,
        draw: Draw,
        coefficients: tuple[Any, ...],
    ) -> Any:
        """Pass a batch through the networks and return the loss of each row.

        Every backend calls this, with networks and noise of its own.

        Parameters
        ----------
        encode, decode : callable
            The networks, as functions of rows and of codes.

        batch : Batch
            Rows in the network's units.

        draw : Draw
            Draws noise.

        coefficients : tuple
            The coefficients of each term.
        """
        # What the encoder sees, and the codes that the decoder sees.
        each = list(zip(self.terms, coefficients, strict=True))
        seen = batch.input
        for term, own in each:
            seen = term.corrupt(seen, draw, own)
        encoded = encode(seen)
        codes = encoded
        for term, own in each:
            codes = term.codes(codes, draw, own)

        # Reconstructions and predicted labels, and the losses of both.
        n_targets = 0 if batch.label is None else batch.label.shape[-1]
        decoded, predicted = _parted(decode(codes), n_targets)
        done = ForwardPass(
            batch,
            seen,
            encoded,
            decoded,
            predicted,
            encode,
            lambda codes: _parted(decode(codes), n_targets)[0],
            draw,
        )
        losses = (term.row_losses(done, own) for term, own in each)
        return sum(loss for loss in losses if loss is not None)


def _parted(decoded: Any, n_targets: int) -> tuple[Any, Any]:
    """Return what the decoder makes of rows, and the labels that its head predicts."""
    if not n_targets:
        return decoded, None
    return decoded[..., :-n_targets], decoded[..., -n_targets:]
