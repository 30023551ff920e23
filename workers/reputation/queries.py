"""Reads of reputation."""

from dataclasses import dataclass

from marketplace.common.database import one, rows
from workers.reputation.scoring import PRIOR, Posterior


@dataclass(frozen=True)
class Known:
    """A posterior and how many judged answers stand behind it."""

    posterior: Posterior
    evidence: int


@dataclass(frozen=True)
class Shown:
    """A worker's standing in a project as the worker sees it, with its 95 % interval."""

    project: str
    score: float
    low: float
    high: float
    evidence: int


def posterior_of(*, worker_id: int, project_id: int) -> Known:
    """The worker's posterior in the project; the prior when nothing is known yet."""
    row = one(
        "SELECT alpha, beta, evidence FROM reputation_standing WHERE worker_id = %s AND project_id = %s",
        [worker_id, project_id],
    )
    return Known(Posterior(row[0], row[1]), row[2]) if row else Known(PRIOR, 0)


def shown_standing(*, worker_id: int, project_id: int) -> Known:
    """The worker's posterior in the project as he sees it: what his own requests may depend on."""
    row = one(
        "SELECT shown_alpha, shown_beta, shown_evidence FROM reputation_standing"
        " WHERE worker_id = %s AND project_id = %s",
        [worker_id, project_id],
    )
    return Known(Posterior(row[0], row[1]), row[2]) if row else Known(PRIOR, 0)


def shown_to(worker_id: int) -> list[Shown]:
    """The worker's own standings, as of his last multiple of 20 answers in each project."""
    shown = []
    for name, alpha, beta, evidence in rows(
        "SELECT p.name, s.shown_alpha, s.shown_beta, s.shown_evidence FROM reputation_standing s"
        " JOIN projects_project p ON p.id = s.project_id WHERE s.worker_id = %s ORDER BY p.id",
        [worker_id],
    ):
        posterior = Posterior(alpha, beta)
        low, high = posterior.interval()
        shown.append(Shown(name, posterior.mean, low, high, evidence))
    return shown


def rebuilt(*, worker_id: int, project_id: int) -> Known:
    """The posterior recomputed from the recorded outcomes: the judge of the incremental one."""
    scores = [
        row[0]
        for row in rows(
            "SELECT score FROM reputation_outcome WHERE worker_id = %s AND project_id = %s AND score IS NOT NULL"
            " ORDER BY id",
            [worker_id, project_id],
        )
    ]
    posterior = PRIOR
    for score in scores:
        posterior = Posterior(posterior.alpha + score, posterior.beta + (1 - score))
    return Known(posterior, len(scores))
