"""Aggregate a batch's answers into results."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from marketplace.batches.models import Batch
from marketplace.common.database import MarketNow, rows
from marketplace.common.transactions import require_transaction
from marketplace.projects.answer_types.base import AnswerTable, FieldResult
from marketplace.projects.answer_types.registry import answer_type
from marketplace.projects.conditions import shown_results
from marketplace.results.commands.names import gold_keys
from marketplace.results.errors import NothingToAggregate
from marketplace.results.models import Run
from marketplace.results.queries.consensus import accuracies
from marketplace.results.queries.review import ruled

ADJUDICATED = "adjudicated"


def aggregate(*, batch_id: int, method: str | None = None, with_gold: bool = False, final: bool = False) -> Run:
    """Aggregate the batch's accepted answers, field by field, into a new run.

    `method` is one of `aggregation_methods()`, the batch's own by default; a field whose type does not know it uses its
    type's own and says so in its results. Answers marked unclear, and those that were discounted, give no vote. Weights
    are those of the workers' standings in the project as they are now. Of each task it is kept on which answers its
    results rest. What somebody of the requester settled by hand is the result of that task, whatever the answers say,
    with the method `adjudicated`. A final run is made once; a repeat returns it. Raises `NothingToAggregate`.

    `with_gold` gives the requester's gold keys in use to the methods as known values. Those that learn about workers
    learn from them, and give the keys as results; others do as without. Tasks without answers have no results even so.
    """
    require_transaction()
    batch = Batch.objects.select_related("version").get(pk=batch_id)
    if final:
        made = Run.objects.filter(batch=batch, final=True).first()
        if made is not None:
            return made
    method = method or batch.aggregation["method"]
    answers = rows(
        "SELECT a.task_id, a.worker_id, w.values, a.id, w.revision FROM assignments_assignment a"
        " JOIN LATERAL (SELECT values, unclear, revision FROM assignments_answer w WHERE w.assignment_id = a.id"
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
    keys: dict[int, dict[str, Any]] = gold_keys(batch=batch) if with_gold else {}
    outcomes = []
    for field in batch.version.interface["answer"]:
        given = [(places[task], worker, values[field["name"]]) for task, worker, values, _, _ in answers
                 if field["name"] in values]  # fmt: skip
        table = AnswerTable(
            task=[row[0] for row in given],
            worker=[row[1] for row in given],
            value=[row[2] for row in given],
            n_tasks=len(task_ids),
            accuracy=weights,
            known={
                places[task]: key[field["name"]]
                for task, key in keys.items()
                if task in places and field["name"] in key
            },
        )
        outcomes.append((field["name"], answer_type(field["type"]).aggregate(field, table, method)))
    outcomes = shown_results(batch.version.interface["answer"], outcomes)
    settled = ruled(batch.pk)
    run = Run.objects.create(
        batch=batch,
        method=method,
        tasks=len({*task_ids, *settled}),
        answers=len(answers),
        converged=all(outcome.converged for _, outcome in outcomes),
        iterations=max(outcome.iterations for _, outcome in outcomes),
        final=final,
        with_gold=with_gold,
        made_at=MarketNow(),
    )
    run.refresh_from_db()
    _copy_results(
        (run.pk, task_ids[result.task], name, result.value, result.confidence, result.answers, outcome.method,
         batch.version.number, _support(result))
        for name, outcome in outcomes
        for result in outcome.results
        if task_ids[result.task] not in settled
    )  # fmt: skip
    votes = {(task_ids[result.task], name): result.answers for name, outcome in outcomes for result in outcome.results
             if task_ids[result.task] in settled}  # fmt: skip
    _copy_results(
        (run.pk, task_id, name, value, 1.0, votes.get((task_id, name), 0), ADJUDICATED, batch.version.number, None)
        for task_id, values in settled.items()
        for name, value in values.items()
    )
    _copy_provenance(run.pk, answers)
    return run


def _support(result: FieldResult) -> list[dict[str, float]] | None:
    return [asdict(one) for one in result.objects] or None


def _copy_results(results: Iterable[tuple[Any, ...]]) -> None:
    columns = "run_id, task_id, field, value, confidence, answers, method, version, objects"
    with connection.cursor() as cursor, cursor.copy(f"COPY results_result ({columns}) FROM STDIN") as copy:
        for *row, value, confidence, answers, method, version, support in results:
            objects = None if support is None else Jsonb(support)
            copy.write_row((*row, Jsonb(value), confidence, answers, method, version, objects))


def _copy_provenance(run_id: int, answers: Iterable[tuple[Any, ...]]) -> None:
    """`answers` by task and assignment, as (task, …, assignment, revision)."""
    columns = "run_id, task_id, assignments, revisions"
    with connection.cursor() as cursor, cursor.copy(f"COPY results_provenance ({columns}) FROM STDIN") as copy:
        for task_id, of_task in groupby(answers, key=lambda row: row[0]):
            read = [(row[-2], row[-1]) for row in of_task]
            copy.write_row((run_id, task_id, [pk for pk, _ in read], [revision for _, revision in read]))
