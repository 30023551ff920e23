"""Reads of results and of running consensus; and the rows of exports, paged by key so that no transaction stays open
while a client reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.common.errors import NotFound
from marketplace.results.judging import FieldConsensus, Trust
from marketplace.results.models import Run
from workers.reputation.facets import STRANGER, class_facet
from workers.reputation.queries import TODAY
from workers.reputation.scoring import PRIOR, Tally, aged

PAGE = 5_000
RESULT_COLUMNS = [
    "external_id", "field", "value", "confidence", "answers", "method", "instruction_version", "gold",
]  # fmt: skip


def run_for(batch: Batch, public_id: UUID | None) -> Run:
    """The batch's run by id, or its newest; raises `NotFound`."""
    runs = Run.objects.filter(batch=batch)
    found = runs.filter(public_id=public_id).first() if public_id else runs.order_by("-pk").first()
    if found is None:
        raise NotFound("The batch has no such results yet.")
    return found


def settled_without_results(*, limit: int) -> list[int]:
    """Settled batches with accepted answers and no final run, oldest first."""
    return [
        row[0]
        for row in rows(
            "SELECT b.id FROM batches_batch b WHERE b.settled_at IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM results_run r WHERE r.batch_id = b.id AND r.final)"
            " AND EXISTS (SELECT 1 FROM assignments_settlement s WHERE s.batch_id = b.id) ORDER BY b.id LIMIT %s",
            [limit],
        )
    ]


def result_rows(run: Run, gold: frozenset[int]) -> Iterator[dict[str, Any]]:
    """Every result of the run, by task and field; `gold` holds the ids of the batch's gold tasks."""
    after: tuple[int, str] = (0, "")
    while page := rows(
        "SELECT r.task_id, r.field, t.external_id, r.value, r.confidence, r.answers, r.method, r.version"
        " FROM results_result r JOIN batches_task t ON t.id = r.task_id"
        " WHERE r.run_id = %s AND (r.task_id, r.field) > (%s, %s) ORDER BY r.task_id, r.field LIMIT %s",
        [run.pk, *after, PAGE],
    ):
        for task_id, field, external_id, value, confidence, answers, method, version in page:
            yield {
                "external_id": external_id,
                "field": field,
                "value": value,
                "confidence": round(confidence, 6),
                "answers": answers,
                "method": method,
                "instruction_version": version,
                "gold": task_id in gold,
            }
        after = (page[-1][0], page[-1][1])


def answer_columns(interface: dict[str, Any]) -> list[str]:
    """The columns of the raw-answer export: the answer fields between the fixed ones."""
    fields = [field["name"] for field in interface["answer"]]
    return ["external_id", "worker", *fields, "unclear", "state", "submitted_at", "instruction_version"]


def answer_rows(batch: Batch, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Every paid or payable answer of the batch; rejected ones are withheld until they are upheld (R42).

    `names` are the requester's names for the batch's workers. An answer of a worker not among them, who came in while
    the export runs, waits for the next export.
    """
    after = 0
    while page := rows(
        "SELECT a.id, t.external_id, a.worker_id, w.values, w.unclear, a.state,"
        " date_trunc('minute', a.submitted_at), v.number"
        " FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
        " JOIN projects_version v ON v.id = a.version_id"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.batch_id = %s AND a.id > %s AND a.state IN ('accepted', 'upheld') ORDER BY a.id LIMIT %s",
        [batch.pk, after, PAGE],
    ):
        for _, external_id, worker_id, values, unclear, state, submitted_at, version in page:
            if worker_id not in names:
                continue
            yield {
                "external_id": external_id,
                "worker": names[worker_id],
                **values,
                "unclear": unclear,
                "state": state,
                "submitted_at": submitted_at.isoformat(),
                "instruction_version": version,
            }
        after = page[-1][0]


@dataclass(frozen=True)
class Consensus:
    """What a task's answers say so far: a value for each field, the posterior of the least sure one, and how many
    answers there are. `settled` when no more are awaited."""

    value: dict[str, Any]
    posterior: float
    answers: int
    settled: bool


@dataclass(frozen=True)
class Disagreement:
    """How many of a batch's answers are to be expected wrong, by their consensus: their share, and the standard
    deviation of that share. A rejected share far above `expected` is not what the answers themselves say."""

    answers: int
    expected: float
    deviation: float

    def within(self, share: float, deviations: float = 3.0) -> bool:
        """Whether a share of wrong answers is no farther above the expected one than so many deviations."""
        return share <= self.expected + deviations * self.deviation


def consensus_of(task_ids: Sequence[int]) -> dict[int, Consensus]:
    """The running consensus of those of the tasks that have one, by task."""
    return {
        task_id: Consensus({name: part["value"] for name, part in fields.items()}, posterior, answers, settled)
        for task_id, fields, posterior, answers, settled in rows(
            "SELECT task_id, values, posterior, answers, settled FROM results_consensus WHERE task_id = ANY(%s)",
            [list(task_ids)],
        )
    }


def disagreement(batch_id: int) -> Disagreement:
    """How far the batch's answers are from their tasks' consensus, as far as it is made. The answers' errors are taken
    as independent: the variance is the sum of theirs. A batch without answers expects none wrong."""
    [(answers, doubt, variance)] = rows(
        "SELECT coalesce(sum(answers), 0), coalesce(sum(doubt), 0), coalesce(sum(variance), 0) FROM results_consensus"
        " WHERE batch_id = %s",
        [batch_id],
    )
    if not answers:
        return Disagreement(0, 0.0, 0.0)
    return Disagreement(int(answers), doubt / int(answers), sqrt(variance) / int(answers))


def doubts_of(assignment_ids: Sequence[int]) -> dict[int, float]:
    """How probable it is that each of the answers is wrong, by the consensus of its task: 0 … 1, by assignment.

    The mean over its fields. Answers that are unclear, or whose task has no consensus yet, are not in it."""
    doubts = {}
    for pk, values, fields, interface in rows(
        "SELECT a.id, w.values, c.values, v.interface FROM assignments_assignment a"
        " JOIN results_consensus c ON c.task_id = a.task_id"
        " JOIN batches_batch b ON b.id = a.batch_id JOIN projects_version v ON v.id = b.version_id"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON NOT w.unclear WHERE a.id = ANY(%s)",
        [list(assignment_ids)],
    ):
        declared = {field["name"]: field for field in interface["answer"]}
        parts = [
            FieldConsensus.from_json(fields[name]).doubt(declared[name], given)
            for name, given in values.items()
            if name in fields
        ]
        if parts:
            doubts[pk] = sum(parts) / len(parts)
    return doubts


def trust_of(*, project_id: int, worker_ids: Sequence[int]) -> dict[int, Trust]:
    """How often each of the workers is expected to be right in the project as of today, and where a label is right.

    A stranger is taken by the prior; a label of which little is known as the project, with the weight of the prior.
    """
    tallies = rows(
        f"SELECT worker_id, '', alpha, beta, day, {TODAY} FROM reputation_standing WHERE project_id = %s"
        " AND worker_id = ANY(%s) UNION ALL"
        f" SELECT worker_id, facet, alpha, beta, day, {TODAY} FROM reputation_facet WHERE worker_id = ANY(%s)"
        " AND starts_with(facet, %s)",
        [project_id, list(worker_ids), list(worker_ids), class_facet(project_id, "", "").rstrip(":") + ":"],
    )
    overall = dict.fromkeys(worker_ids, PRIOR.mean)
    for worker_id, facet, alpha, beta, day, today in tallies:
        if not facet:
            now = aged(Tally(alpha, beta, day=day, floor=STRANGER.floor), today)
            overall[worker_id] = now.alpha / (now.alpha + now.beta)
    by_label: dict[int, dict[tuple[str, str], float]] = {}
    for worker_id, facet, alpha, beta, day, today in tallies:
        if facet:
            now, prior = aged(Tally(alpha, beta, day=day), today), PRIOR.alpha + PRIOR.beta
            field, label = facet.split(":", 3)[2:]
            by_label.setdefault(worker_id, {})[field, label] = (prior * overall[worker_id] + now.alpha) / (
                prior + now.alpha + now.beta
            )
    return {worker_id: Trust(mean, by_label.get(worker_id, {})) for worker_id, mean in overall.items()}


def accuracies(*, project_id: int, worker_ids: Sequence[int]) -> dict[int, float]:
    """How often each of the workers is expected to be right in the project, whatever the label."""
    return {
        worker_id: known.overall for worker_id, known in trust_of(project_id=project_id, worker_ids=worker_ids).items()
    }


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
