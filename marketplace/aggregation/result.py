"""What every aggregation method returns."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelResult:
    """One label for each task, with how sure the method is of it.

    posteriors  (n_tasks, n_labels)  0 … 1, each row sums to 1
    labels      (n_tasks,)           the most probable label, the first of them in the label order if several are
    confidence  (n_tasks,)           the posterior of that label
    n_votes     (n_tasks,)           how many votes the task had; where it is 0, the row is only a prior
    iterations                       0 for a method that does not iterate
    converged                        false when the method stopped at its iteration limit
    """

    method: str
    posteriors: NDArray[np.float64]
    labels: NDArray[np.intp]
    confidence: NDArray[np.float64]
    n_votes: NDArray[np.intp]
    iterations: int = 0
    converged: bool = True

    @classmethod
    def of(cls, method: str, posteriors: NDArray[np.float64], n_votes: NDArray[np.intp], **more: object) -> Self:
        """The result with labels and confidence read off the posteriors."""
        if len(posteriors):
            labels = posteriors.argmax(axis=1)  # the first of equals, which is the tie rule
            confidence = posteriors[np.arange(len(labels)), labels]
        else:
            labels, confidence = np.zeros(0, np.intp), np.zeros(0)
        return cls(method, posteriors, labels, confidence, n_votes, **more)  # type: ignore[arg-type]
