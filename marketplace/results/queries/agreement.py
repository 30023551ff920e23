"""Reads for the report of agreement: the answers that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass

from marketplace.common.database import one, rows
from marketplace.results.reports.figures import Said

# So many answers are compared at most: their figures are as good as they need be, and it takes some seconds.
ANSWERS_MAX = 60_000
COUNTED = ("submitted", "accepted", "upheld")


@dataclass(frozen=True)
class Compared:
    """The answers that a report looks at: those of `tasks` of the batch's `of_tasks` tasks with two answers or more.

    `unclear` of the answers to these tasks are marked so and say nothing, `discounted` do not count.
    """

    said: list[Said]
    tasks: int
    of_tasks: int
    answers: int
    unclear: int
    discounted: int


def compared_answers(batch_id: int, *, answers_max: int = ANSWERS_MAX) -> Compared:
    """The newest revision of each answer, paid or not yet, but for rejected ones, to tasks that have two or more.

    Of more than `answers_max` those of some tasks only, drawn by the hash of their ids: the same each time.
    """
    counted = one(
        "WITH counted AS ("
        "  SELECT task_id, count(*) AS answers FROM assignments_assignment WHERE batch_id = %s AND state = ANY(%s)"
        "   GROUP BY task_id HAVING count(*) > 1),"
        " drawn AS ("
        "  SELECT task_id, sum(answers) OVER (ORDER BY hashint8extended(task_id, 0), task_id) AS so_far FROM counted)"
        " SELECT (SELECT count(*) FROM counted), coalesce(array_agg(task_id), '{}') FROM drawn WHERE so_far <= %s",
        [batch_id, list(COUNTED), answers_max],
    )
    assert counted is not None
    of_tasks, task_ids = counted
    said, unclear, discounted, answers = [], 0, 0, 0
    for task_id, worker_id, version, given_at, is_unclear, out, values in rows(
        "SELECT a.task_id, a.worker_id, v.number, date_trunc('minute', a.submitted_at), w.unclear,"
        " EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = a.id), w.values"
        " FROM assignments_assignment a JOIN projects_version v ON v.id = a.version_id"
        " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
        "               ORDER BY revision DESC LIMIT 1) w ON true"
        " WHERE a.task_id = ANY(%s) AND a.state = ANY(%s) ORDER BY a.task_id, a.worker_id",
        [task_ids, list(COUNTED)],
    ):
        answers += 1
        if out:
            discounted += 1
        elif is_unclear:
            unclear += 1
        else:
            said.append(Said(task_id, worker_id, version, given_at, values))
    return Compared(said, len(task_ids), of_tasks, answers, unclear, discounted)


def external_ids(task_ids: Iterable[int]) -> dict[int, str]:
    """The external ids of some tasks."""
    return dict(rows("SELECT id, external_id FROM batches_task WHERE id = ANY(%s)", [sorted(set(task_ids))]))
