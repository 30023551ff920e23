"""Estimates that follow the answers one by one: each new answer changes those of its task and its worker at once.

Incremental expectation maximisation after R. M. Neal and G. E. Hinton, "A view of the EM algorithm that justifies
incremental, sparse, and other variants" (1998), doi:10.1007/978-94-011-5014-9_12: the statistics of one task are taken
out, its posterior is computed anew, and they are put back. It has the same fixed points as `dawid_skene` with the same
pseudocounts, so that a refit in the background agrees with it, and takes its place.
"""

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from marketplace.aggregation.dawid_skene import dawid_skene
from marketplace.aggregation.votes import Votes

FloatArray = NDArray[np.float64]


class Incremental:
    """Dawid and Skene's model, one answer at a time. Tasks and workers are any hashable values, labels are numbers.

    class_pseudocount  > 0   tasks of each label that are taken to have been seen before
    pseudocount        > 0   answers of each kind that each worker is taken to have given before
    right_pseudocount  >= 0  right ones besides; above 0, or first answers would say nothing
    """

    def __init__(
        self, n_labels: int, *, class_pseudocount: float = 1.0, pseudocount: float = 1.0, right_pseudocount: float = 2.0
    ) -> None:
        if n_labels < 1:
            raise ValueError("there must be at least one label")
        if min(class_pseudocount, pseudocount) <= 0 or right_pseudocount < 0:
            raise ValueError("class_pseudocount and pseudocount must be above 0, right_pseudocount not below")
        self.n_labels = n_labels
        self._priors = {
            "class_pseudocount": class_pseudocount,
            "pseudocount": pseudocount,
            "right_pseudocount": right_pseudocount,
        }
        self._classes = np.full(n_labels, class_pseudocount, np.float64)
        self._stranger = np.full((n_labels, n_labels), pseudocount) + right_pseudocount * np.eye(n_labels)
        self._counts: dict[Hashable, FloatArray] = {}  # by worker; axes given, true
        self._totals: dict[Hashable, FloatArray] = {}  # by worker; by true label
        self._votes: dict[Hashable, list[tuple[Hashable, int]]] = {}
        self._posteriors: dict[Hashable, FloatArray] = {}

    def add(self, task: Hashable, worker: Hashable, label: int) -> FloatArray:
        """Take in an answer; return the task's new posterior (n_labels,). Its cost is that of the task's answers alone.

        Raises `ValueError` for a label out of range, which changes nothing.
        """
        if not 0 <= label < self.n_labels:
            raise ValueError(f"label {label} is outside 0 … {self.n_labels - 1}")
        if worker not in self._counts:
            self._counts[worker] = self._stranger.copy()
            self._totals[worker] = self._stranger.sum(axis=0)
        posterior = self._posteriors.get(task)
        if posterior is None:
            posterior = self._classes / self._classes.sum()
            self._votes[task] = []
            self._classes += posterior
            self._posteriors[task] = posterior
        self._votes[task].append((worker, label))
        self._counts[worker][label] += posterior
        self._totals[worker] += posterior
        # Twice: what the task's workers are worth depends on its label too, which the first time lacks this answer.
        self._revisit(task)
        return self._revisit(task)

    def posterior(self, task: Hashable) -> FloatArray:
        """How probable each label is (n_labels,); the shares of the labels for a task without answers."""
        found = self._posteriors.get(task)
        return np.asarray(self._classes / self._classes.sum() if found is None else found)

    def confusion(self, worker: Hashable) -> FloatArray:
        """How the worker answers: (n_labels, n_labels), axes true, given; rows sum to 1. Also of one never seen."""
        counts = self._counts.get(worker, self._stranger)
        return np.asarray((counts / counts.sum(axis=0)).T)

    def sweep(self, *, rounds: int = 100, tolerance: float = 1e-6) -> int:
        """Visit all tasks again, until no posterior moves by more than `tolerance`; return the rounds that it took.

        The log-likelihood never falls. What it comes to is a fixed point of `dawid_skene`'s.
        """
        for done in range(1, rounds + 1):
            moved = 0.0
            for task, before in list(self._posteriors.items()):
                moved = max(moved, float(np.abs(self._revisit(task) - before).max()))
            if moved <= tolerance:
                return done
        return rounds

    def refit(self, *, max_iterations: int = 100, tolerance: float = 1e-5) -> bool:
        """Fit all answers together and go on from there; whether it converged.

        For a fit in the background copy the object, refit the copy, add to it what came meanwhile, and take it instead.
        """
        tasks = list(self._votes)
        rows = [(task, worker, label) for task in tasks for worker, label in self._votes[task]]
        votes, words = Votes.of(*zip(*rows, strict=True), label_order=range(self.n_labels)) if rows else (None, None)
        if votes is None or words is None:
            return True
        found = dawid_skene(votes, max_iterations=max_iterations, tolerance=tolerance, **self._priors)
        self._classes = self._priors["class_pseudocount"] + found.posteriors.sum(axis=0)
        self._posteriors = dict(zip(words.tasks, found.posteriors, strict=True))
        self._counts = {worker: self._stranger.copy() for worker in self._counts}
        for task, worker, label in rows:
            self._counts[worker][label] += self._posteriors[task]
        self._totals = {worker: counts.sum(axis=0) for worker, counts in self._counts.items()}
        return found.converged

    def _revisit(self, task: Hashable) -> FloatArray:
        """Compute the task's posterior anew, and put what it says of its workers in the place of what it said."""
        votes, before = self._votes[task], self._posteriors[task]
        log_joint = np.log(self._classes)
        for worker, label in votes:
            log_joint = log_joint + np.log(self._counts[worker][label] / self._totals[worker])
        posterior = np.exp(log_joint - log_joint.max())
        posterior /= posterior.sum()
        change = posterior - before
        self._classes = np.maximum(self._classes + change, self._priors["class_pseudocount"])
        for worker, label in votes:
            counts = self._counts[worker]
            counts[label] = np.maximum(counts[label] + change, self._stranger[label])
            self._totals[worker] = self._totals[worker] + change
        self._posteriors[task] = posterior
        return np.asarray(posterior)
