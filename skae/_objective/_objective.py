"""An objective: terms, and the forward pass that they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._data import Batch, Scaling
from .._networks import NetworkSpec
from ._label_statistics import LabelStatistics
from ._term import Draw, ForwardPass, Term


@dataclass(frozen=True)
class Objective:
    """What training minimises: the sum of its terms' losses.

    Parameters
    ----------
    terms : tuple of Term
        In the order in which they act.
    """

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, terms: tuple[type[Term], ...], parameters: dict[str, Any]) -> Objective:
        """Return the objective that an estimator's parameters describe."""
        described = (term.of(parameters) for term in terms)
        return cls(tuple(term for term in described if term is not None))

    def on(self, spec: NetworkSpec) -> Objective:
        """Return the objective for a network."""
        terms = (term.on(spec) for term in self.terms)
        return Objective(tuple(term for term in terms if term is not None))

    @property
    def changes_rows(self) -> bool:
        """Whether the network sees rows that are damaged in training."""
        return any(term.changes_rows for term in self.terms)

    @property
    def is_likelihood(self) -> bool:
        """Whether the loss is a negative log-likelihood."""
        return any(term.is_likelihood for term in self.terms)

    @property
    def is_plain_loss(self) -> bool:
        """Whether it only compares rows with their reconstructions."""
        return all(term.is_plain_loss for term in self.terms)

    def keeps_linear_optimum(self, parameters: dict[str, Any]) -> bool:
        """Say whether the linear model is the best linear autoencoder."""
        return all(term.keeps_linear_optimum(parameters) for term in self.terms)

    def numbers(
        self,
        parameters: dict[str, Any],
        X: Batch,
        scaling: Scaling,
        unexplained: float,
        labels: LabelStatistics | None = None,
    ) -> tuple[Any, ...]:
        """Return the numbers of each term."""
        return tuple(
            term.numbers(parameters, X, scaling, unexplained, labels)
            for term in self.terms
        )

    def row_losses(
        self,
        encode: Callable[[Any], Any],
        decode: Callable[[Any], Any],
        batch: Batch,
        draw: Draw,
        numbers: tuple[Any, ...],
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

        numbers : tuple
            The numbers of each term.
        """
        each = list(zip(self.terms, numbers, strict=True))
        shown = batch.input
        for term, own in each:
            shown = term.shown(shown, draw, own)
        encoded = encode(shown)
        codes = encoded
        for term, own in each:
            codes = term.codes(codes, draw, own)
        n_targets = 0 if batch.label is None else batch.label.shape[-1]
        decoded, predicted = _parted(decode(codes), n_targets)
        done = ForwardPass(
            batch,
            shown,
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
