"""Aggregate a batch's answers into results."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from marketplace.batches.models import Batch
from marketplace.common.database import MarketNow, rows
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.base import AnswerTable
from marketplace.projects.answer_types.registry import answer_type
from marketplace.results.errors import NothingToAggregate
from marketplace.results.models import Run
from marketplace.results.queries.consensus import accuracies


def aggregate(*, batch_id: int, method: str | None = None, final: bool = False) -> Run:
    """Aggregate the batch's accepted answers, field by field, into a new run.

    `method` is `majority`, `dawid_skene` or `weighted_majority`, the batch's own by default; a field whose type does
    not know it uses its type's own and says so in its results. Answers marked unclear, and those that were discounted,
    give no vote. Weights are those of the workers' standings in the project as they are now. A final run is made once;
    a repeat returns it. Raises `NothingToAggregate`.
    """
    require_transaction()
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    if final:
        made = Run.objects.filter(batch=batch, final=True).first()
        if made is not None:
            return made
    method = method or batch.aggregation["method"]
    answers = rows(
        "SELECT a.task_id, a.worker_id, w.values FROM assignments_assignment a"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON NOT w.unclear"
        " WHERE a.batch_id = %s AND a.state IN ('accepted', 'upheld')"
        " AND NOT EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = a.id) ORDER BY a.task_id, a.id",
        [batch.pk],
    )
    if not answers:
        raise NothingToAggregate("Accept answers first; unpaid answers give no results.")
    task_ids = list(dict.fromkeys(row[0] for row in answers))
    weights = accuracies(project_id=batch.project_id, worker_ids=sorted({row[1] for row in answers}))
    places = {task_id: place for place, task_id in enumerate(task_ids)}
    outcomes = []
    for field in batch.version.interface["answer"]:
        given = [(places[task], worker, values[field["name"]]) for task, worker, values in answers
                 if field["name"] in values]  # fmt: skip
        table = AnswerTable(
            task=[row[0] for row in given],
            worker=[row[1] for row in given],
            value=[row[2] for row in given],
            n_tasks=len(task_ids),
            accuracy=weights,
        )
        outcomes.append((field["name"], answer_type(field["type"]).aggregate(field, table, method)))
    run = Run.objects.create(
        batch=batch,
        method=method,
        tasks=len(task_ids),
        answers=len(answers),
        converged=all(outcome.converged for _, outcome in outcomes),
        iterations=max(outcome.iterations for _, outcome in outcomes),
        final=final,
        made_at=MarketNow(),
    )
    run.refresh_from_db()
    _copy_results(
        (run.pk, task_ids[result.task], name, result.value, result.confidence, result.answers, outcome.method,
         batch.version.number)
        for name, outcome in outcomes
        for result in outcome.results
    )  # fmt: skip
    return run


def _copy_results(results: Iterable[tuple[Any, ...]]) -> None:
    columns = "run_id, task_id, field, value, confidence, answers, method, version"
    with connection.cursor() as cursor, cursor.copy(f"COPY results_result ({columns}) FROM STDIN") as copy:
        for run_id, task_id, field, value, confidence, answers, method, version in results:
            copy.write_row((run_id, task_id, field, Jsonb(value), confidence, answers, method, version))
