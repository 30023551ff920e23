"""What is shown of a worker beyond his projects, as it follows from what is shown of each project.

It follows from nothing else: a score over all work that moved by itself would, held against those of the projects,
tell which of two answers was judged. For the same reason nothing is shown by label: whoever gave one label all the
time and another once would see whether that one was judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from workers.reputation.scoring import PRIOR, Posterior, combined


@dataclass(frozen=True)
class ShownStanding:
    """A worker's standing in a project as he sees it."""

    worker_id: int
    project_id: int
    requester_id: int
    project: str
    posterior: Posterior
    evidence: int
    answer_type: str

    def moved(self, posterior: Posterior, evidence: int, answer_type: str) -> "ShownStanding":
        """The standing with what is shown from now on."""
        return replace(self, posterior=posterior, evidence=evidence, answer_type=answer_type)


@dataclass(frozen=True)
class Known:
    """A posterior and how many judged answers stand behind it."""

    posterior: Posterior
    evidence: int


def skill_of(standings: Iterable[ShownStanding]) -> Known:
    """What these standings tell together; no requester's projects count for more than his share allows."""
    parts: dict[int, tuple[float, float]] = {}
    evidence = 0
    for standing in standings:
        good, bad = parts.get(standing.requester_id, (0.0, 0.0))
        # Of what is shown the prior is a part; evidence below it there is none but by rounding.
        parts[standing.requester_id] = (
            good + max(0.0, standing.posterior.alpha - PRIOR.alpha),
            bad + max(0.0, standing.posterior.beta - PRIOR.beta),
        )
        evidence += standing.evidence
    return Known(combined(parts.values()), evidence)
