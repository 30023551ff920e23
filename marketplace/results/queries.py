"""Reads of results, and the rows of exports, paged by key so that no transaction stays open while a client reads."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from marketplace.common.errors import NotFound
from marketplace.results.models import Run

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
