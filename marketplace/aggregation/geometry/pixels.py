"""One mask out of several of one picture: pixel by pixel by majority, or by STAPLE.

Pixels about which all masks say the same from one run to the next are worked on at once, so that time and memory go
with the number of runs and not with that of pixels, and nothing is lost by it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.geometry.runs import Counts, canonical

ITERATIONS_MAX = 200
# EM has come to rest when no worker's figures move by more than this.
TOLERANCE = 1e-7
# No worker is believed to be right, or wrong, without any doubt: that would end all learning about a pixel.
SURE = 1 - 1e-6


@dataclass(frozen=True, eq=False)
class Pieces:
    """A picture cut into pieces in which no mask changes, and what each mask says there.

    length  (n_pieces,)          pixels of each piece, at least 1, in the order of run lengths
    inside  (n_pieces, n_masks)  whether the piece is in the mask
    """

    length: NDArray[np.int64]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, masks: Sequence[Counts]) -> "Pieces":
        """The pieces of masks of one size, of which there is at least one. Raises `ValueError` if sizes differ."""
        ends = [np.cumsum(counts) for counts in masks]
        if not ends:
            raise ValueError("there are no masks to take apart")
        if len({int(end[-1]) for end in ends}) > 1:
            raise ValueError("the masks have different numbers of pixels")
        cuts = np.unique(np.concatenate([[0], *ends]))
        start = cuts[:-1]
        # A piece begins after so many ends of runs; an odd number of them is in the shape.
        inside = [np.searchsorted(end, start, side="right") % 2 == 1 for end in ends]
        return cls(np.diff(cuts), np.stack(inside, axis=1))

    def counts(self, chosen: NDArray[np.bool_]) -> Counts:
        """Run lengths of the mask of the chosen pieces (n_pieces,)."""
        if not len(self.length):
            return np.zeros(1, dtype=np.int64)
        first = np.flatnonzero(np.concatenate([[True], chosen[1:] != chosen[:-1]]))
        runs = np.add.reduceat(self.length, first)
        return canonical(np.concatenate([[0], runs]) if chosen[0] else runs)


def pixel_shares(pieces: Pieces) -> NDArray[np.float64]:
    """The share of masks that each piece is in: (n_pieces,), 0 … 1."""
    return np.asarray(pieces.inside.mean(axis=1))


@dataclass(frozen=True, eq=False)
class Staple:
    """What STAPLE finds.

    posterior    (n_pieces,)  how probable it is that a pixel of the piece is in the shape
    sensitivity  (n_masks,)   the share of the shape's pixels that each mask has
    specificity  (n_masks,)   the share of the other pixels that each mask has not
    log_likelihood            after each iteration; it never falls
    converged                 false if the last iteration allowed still moved something
    """

    posterior: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]
    log_likelihood: tuple[float, ...]
    iterations: int
    converged: bool


def staple(pieces: Pieces, *, iterations_max: int = ITERATIONS_MAX) -> Staple:
    """Simultaneous truth and performance level estimation: EM for the shape and for how well each mask knows it.

    The prior of the shape is the share of all pixels of all masks that are in them, and stays. All begin equally good:
    with a posterior equal to the share of masks. Where the masks all say the same of all pixels they are right.
    Source: Warfield, Zou and Wells (2004), doi:10.1109/TMI.2004.828354.
    """
    # Pieces of one pattern of votes are one: their posteriors are equal, and there are few patterns.
    patterns, of_piece = np.unique(pieces.inside, axis=0, return_inverse=True)
    weight = np.bincount(of_piece.ravel(), pieces.length, minlength=len(patterns)).astype(np.float64)
    votes = patterns.astype(np.float64)
    prior = float(weight @ votes.mean(axis=1) / weight.sum())
    masks = votes.shape[1]
    if prior in (0.0, 1.0):
        same = np.full(len(pieces.length), prior)
        return Staple(same, np.ones(masks), np.ones(masks), (), 0, True)
    posterior = votes.mean(axis=1)
    sensitivity = specificity = np.ones(masks)
    likelihoods: list[float] = []
    converged = False
    while not converged and len(likelihoods) < iterations_max:
        before = sensitivity, specificity
        sensitivity = _sure(((weight * posterior) @ votes), float(weight @ posterior))
        specificity = _sure((weight * (1 - posterior)) @ (1 - votes), float(weight @ (1 - posterior)))
        yes = np.log(prior) + votes @ np.log(sensitivity) + (1 - votes) @ np.log1p(-sensitivity)
        no = np.log1p(-prior) + votes @ np.log1p(-specificity) + (1 - votes) @ np.log(specificity)
        either = np.logaddexp(yes, no)
        posterior = np.exp(yes - either)
        likelihoods.append(float(weight @ either))
        moved = max(np.abs(sensitivity - before[0]).max(), np.abs(specificity - before[1]).max())
        converged = bool(moved <= TOLERANCE)
    return Staple(
        posterior[of_piece.ravel()], sensitivity, specificity, tuple(likelihoods), len(likelihoods), converged
    )


def _sure(part: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
    return np.clip(part / max(whole, 1e-300), 1 - SURE, SURE)
