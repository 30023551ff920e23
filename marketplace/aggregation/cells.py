"""Counts of what workers answered, for the pairs of worker and answer that occur."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.votes import IntArray, Votes

FloatArray = NDArray[np.float64]

# No probability is taken to be exactly 0: one impossible answer would outweigh any number of others. As in crowd-kit.
FLOOR = 1e-10


@dataclass(frozen=True, eq=False)
class Cells:
    """The pairs of worker and given label that occur, sorted; others need no memory, however many labels there are.

    worker, label  (n_cells,)    of each pair
    of_vote        (n_votes,)    the pair of each vote
    n_votes        (n_cells,)    votes of each pair
    first          (n_active,)   the first pair of each worker who voted
    pseudocount, right_pseudocount  added to every count, and besides to those of right answers
    """

    worker: IntArray
    label: IntArray
    of_vote: IntArray
    n_votes: IntArray
    first: IntArray
    n_workers: int
    n_labels: int
    pseudocount: float = 0.0
    right_pseudocount: float = 0.0

    @classmethod
    def of(cls, votes: Votes, pseudocount: float = 0.0, right_pseudocount: float = 0.0) -> "Cells":
        pair = votes.worker * votes.n_labels + votes.label
        per_pair = np.bincount(pair, minlength=votes.n_workers * votes.n_labels)
        occurs = per_pair > 0
        pairs = np.flatnonzero(occurs)
        worker, label = np.divmod(pairs, max(votes.n_labels, 1))
        first = np.flatnonzero(np.diff(worker, prepend=-1))
        of_vote = (np.cumsum(occurs) - 1)[pair]
        return cls(worker, label, of_vote, per_pair[pairs], first, votes.n_workers, votes.n_labels,
                   pseudocount, right_pseudocount)  # fmt: skip

    def complete(self, counts: FloatArray) -> None:
        """Set the last label's expected counts to what the others leave of each pair's votes.

        It costs precision only far below `FLOOR`, in pairs with fewer than a million votes.
        """
        counts[-1:] = self.n_votes - counts[:-1].sum(axis=0)

    def rates(self, counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The M step: counts (n_labels, n_cells) of true label and pair → probability of each given label.

        returns  (n_cells, n_labels)    for each pair that occurs: how probable that answer is, by true label
                 (n_workers, n_labels)  the same for any one wrong label that the worker never gave
                 (n_workers, n_labels)  and for the right one, where he never gave it
        """
        expected = self.pseudocount * self.n_labels + self.right_pseudocount
        wrong = self.pseudocount / expected if expected else 1.0 / max(self.n_labels, 1)
        right = (self.pseudocount + self.right_pseudocount) / expected if expected else wrong
        unseen = np.full((self.n_workers, self.n_labels), wrong)
        unseen_right = np.full((self.n_workers, self.n_labels), right)
        if not len(self.worker):
            return np.zeros((0, self.n_labels)), unseen, unseen_right
        mass = np.ascontiguousarray(np.maximum(counts, FLOOR).T) + self.pseudocount
        seen_labels = np.diff(self.first, append=len(self.worker))
        totals = np.add.reduceat(mass, self.first, axis=0) + (self.pseudocount * (self.n_labels - seen_labels))[:, None]
        if self.right_pseudocount:
            mass[np.arange(len(mass)), self.label] += self.right_pseudocount
            totals += self.right_pseudocount
        active = self.worker[self.first]
        unseen[active] = self.pseudocount / totals
        unseen_right[active] = (self.pseudocount + self.right_pseudocount) / totals
        return mass / np.repeat(totals, seen_labels, axis=0), unseen, unseen_right

    def log_density(self, log_rates: FloatArray, unseen: FloatArray, unseen_right: FloatArray) -> float:
        """Log of the Dirichlet prior density that the pseudocounts stand for, up to a constant."""
        density = 0.0
        active = self.worker[self.first]
        if self.pseudocount:
            unseen_labels = self.n_labels - np.diff(self.first, append=len(self.worker))
            density += self.pseudocount * float(
                log_rates.sum() + (np.log(unseen[active]).sum(axis=1) * unseen_labels).sum()
            )
        if self.right_pseudocount:
            log_right = np.zeros((self.n_workers, self.n_labels))
            log_right[active] = np.log(unseen_right[active])
            if self.pseudocount:  # above, labels never given were all counted as wrong ones
                never = np.ones((self.n_workers, self.n_labels), bool)
                never[self.worker, self.label] = False
                gain = (log_right - np.log(unseen))[active][never[active]]
                density += self.pseudocount * float(gain.sum())
            log_right[self.worker, self.label] = log_rates[np.arange(len(self.label)), self.label]
            density += self.right_pseudocount * float(log_right[active].sum())
        return density
