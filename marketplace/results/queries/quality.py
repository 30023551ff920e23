"""Reads of what results claim, what they rest on, and how they compare with gold."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marketplace.common.database import rows
from marketplace.results.models import Run
from marketplace.results.reports.quality import Claims, FieldQuality, field_quality, known_of


@dataclass(frozen=True)
class AnswersOf:
    """How many results of a run rest on so many answers."""

    answers: int
    results: int


def quality_of(run: Run, gold: Mapping[int, dict[str, Any]]) -> list[FieldQuality]:
    """The expected error of each field of the run; `gold` holds what the keys say by task.

    Results of gold tasks are not among those whose error is expected: theirs is known. A run that was given the keys
    is not judged by them.
    """
    declared = {field["name"]: field for field in run.batch.version.interface["answer"]}
    claims: dict[str, list[Claims]] = defaultdict(list)
    # Confidences that differ by less than a thousandth are taken together, by their mean: flat in memory.
    for field, results, confidence in rows(
        "SELECT field, count(*), avg(confidence) FROM results_result WHERE run_id = %s AND NOT task_id = ANY(%s)"
        " GROUP BY field, floor(confidence * 1000) ORDER BY field, 3",
        [run.pk, sorted(gold)],
    ):
        claims[field].append(Claims(results, confidence))
    if run.with_gold:
        return [field_quality(field, claims[field], (), keys_used=True) for field in declared]
    known = defaultdict(list)
    for task_id, field, confidence, value in rows(
        "SELECT task_id, field, confidence, value FROM results_result WHERE run_id = %s AND task_id = ANY(%s)"
        " ORDER BY task_id, field",
        [run.pk, sorted(gold)],
    ):
        if field in declared and field in gold[task_id]:
            known[field].append(known_of(declared[field], confidence, gold[task_id][field], value))
    return [field_quality(field, claims[field], known[field]) for field in declared]


def answers_of_results(run: Run) -> dict[str, list[AnswersOf]]:
    """On how many answers the run's results rest, by field."""
    found: dict[str, list[AnswersOf]] = defaultdict(list)
    for field, answers, results in rows(
        "SELECT field, answers, count(*) FROM results_result WHERE run_id = %s GROUP BY 1, 2 ORDER BY 1, 2", [run.pk]
    ):
        found[field].append(AnswersOf(answers, results))
    return dict(found)


def versions_of_run(run: Run) -> dict[int, int]:
    """How many answers of the run were given under each version of the instructions; empty for a run that is older than
    provenance."""
    return dict(
        rows(
            "SELECT v.number, count(*) FROM results_provenance p CROSS JOIN LATERAL unnest(p.assignments) AS u(id)"
            " JOIN assignments_assignment a ON a.id = u.id JOIN projects_version v ON v.id = a.version_id"
            " WHERE p.run_id = %s GROUP BY 1 ORDER BY 1",
            [run.pk],
        )
    )


def provenance_page(run: Run, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Tasks of the run with their results and the answers that these rest on, by task; with worker ids that the caller
    must replace. `fields` of an answer are those in which it says something."""
    return [
        {"cursor": task_id, "task": external_id, "results": results or [], "answers": answers}
        for task_id, external_id, results, answers in rows(
            "SELECT p.task_id, t.external_id,"
            " (SELECT jsonb_agg(jsonb_build_object('field', r.field, 'value', r.value, 'confidence', r.confidence,"
            "    'answers', r.answers, 'method', r.method)"
            "    || CASE WHEN r.objects IS NULL THEN '{}' ELSE jsonb_build_object('objects', r.objects) END"
            "    ORDER BY r.field)"
            "   FROM results_result r WHERE r.run_id = p.run_id AND r.task_id = p.task_id),"
            " (SELECT jsonb_agg(jsonb_build_object('answer', a.public_id, 'worker_id', a.worker_id,"
            "    'version', v.number, 'revision', u.revision,"
            "    'fields', (SELECT coalesce(jsonb_agg(k ORDER BY k), '[]') FROM jsonb_object_keys(w.values) AS k))"
            "    ORDER BY a.id)"
            "   FROM unnest(p.assignments, p.revisions) AS u(id, revision)"
            "   JOIN assignments_assignment a ON a.id = u.id"
            "   JOIN projects_version v ON v.id = a.version_id"
            "   JOIN assignments_answer w ON w.assignment_id = a.id AND w.revision = u.revision)"
            " FROM results_provenance p JOIN batches_task t ON t.id = p.task_id"
            " WHERE p.run_id = %s AND p.task_id > %s ORDER BY p.task_id LIMIT %s",
            [run.pk, after_id, limit],
        )
    ]
