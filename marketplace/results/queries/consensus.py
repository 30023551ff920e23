"""Reads of running consensus: what is known of those who answered, what their answers come to, what is to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.common.database import rows
from marketplace.results.judging import Trust
from workers.reputation.facets import class_facet
from workers.reputation.queries import TODAY, posteriors_of
from workers.reputation.scoring import PRIOR, Tally, aged


@dataclass(frozen=True)
class Consensus:
    """What a task's answers say so far: a value for each field, the posterior of the least sure one, and how many
    answers there are. `settled` when no more are awaited."""

    value: dict[str, Any]
    posterior: float
    answers: int
    settled: bool


def consensus_of(task_ids: Sequence[int]) -> dict[int, Consensus]:
    """The running consensus of those of the tasks that have one, by task."""
    return {
        task_id: Consensus({name: part["value"] for name, part in fields.items()}, posterior, answers, settled)
        for task_id, fields, posterior, answers, settled in rows(
            "SELECT task_id, values, posterior, answers, settled FROM results_consensus WHERE task_id = ANY(%s)",
            [list(task_ids)],
        )
    }


def trust_of(*, project_id: int, worker_ids: Sequence[int]) -> dict[int, Trust]:
    """How often each of the workers is expected to be right in the project as of today, and where a label is right.

    A stranger is taken by the prior; a label of which little is known as the project, with the weight of the prior.
    """
    overall = accuracies(project_id=project_id, worker_ids=worker_ids)
    by_label: dict[int, dict[tuple[str, str], float]] = {}
    for worker_id, facet, alpha, beta, day, today in rows(
        f"SELECT worker_id, facet, alpha, beta, day, {TODAY} FROM reputation_facet WHERE worker_id = ANY(%s)"
        " AND starts_with(facet, %s)",
        [list(worker_ids), class_facet(project_id, "", "").rstrip(":") + ":"],
    ):
        now, prior = aged(Tally(alpha, beta, day=day), today), PRIOR.alpha + PRIOR.beta
        field, label = facet.split(":", 3)[2:]
        by_label.setdefault(worker_id, {})[field, label] = (prior * overall[worker_id] + now.alpha) / (
            prior + now.alpha + now.beta
        )
    return {worker_id: Trust(mean, by_label.get(worker_id, {})) for worker_id, mean in overall.items()}


def accuracies(*, project_id: int, worker_ids: Sequence[int]) -> dict[int, float]:
    """How often each of the workers is expected to be right in the project, whatever the label."""
    known = posteriors_of(worker_ids=worker_ids, project_id=project_id)
    return {worker_id: of.posterior.mean for worker_id, of in known.items()}


def batches_to_consider() -> list[int]:
    """Batches with tasks whose consensus is not made, or that have ended since."""
    return [
        row[0]
        for row in rows(
            "SELECT DISTINCT batch_id FROM results_toconsider WHERE failures < 3 UNION SELECT batch_id FROM"
            " results_toclose ORDER BY 1"
        )
    ]


def next_to_consider(batch_id: int) -> list[int]:
    """The task that is next in line in the batch, if there is one."""
    return [
        row[0]
        for row in rows(
            "(SELECT task_id FROM results_toconsider WHERE batch_id = %s AND failures < 3 ORDER BY failures, task_id"
            "  LIMIT 1) UNION ALL"
            "(SELECT c.task_id FROM results_toclose e JOIN results_consensus c USING (batch_id)"
            "  WHERE e.batch_id = %s AND c.task_id > e.after_task_id AND NOT c.settled AND NOT EXISTS"
            "  (SELECT 1 FROM results_toconsider f WHERE f.batch_id = c.batch_id AND f.task_id = c.task_id)"
            "  ORDER BY c.task_id LIMIT 1) LIMIT 1",
            [batch_id, batch_id],
        )
    ]
