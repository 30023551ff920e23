"""Tasks of a batch with what was answered so far, for its requester. Nothing here says which of them are gold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.common.database import one, rows
from marketplace.common.errors import NotFound
from workers.assignments.queries import ANSWERED, SAYS, says

# A list for people looks through so many tasks at a time: what a page costs must not grow with the batch.
LOOKED_THROUGH = 1_000
# Answers that come to less than this are not sure.
UNSURE_BELOW = 0.8


@dataclass(frozen=True)
class Wanted:
    """Which tasks are meant: all, or those of one kind of `SHOWS`; the one with an external id; those in which one
    answer says `one` in a field and another says `other`."""

    show: str = ""
    task: str | None = None
    field: str | None = None
    one: str | None = None
    other: str | None = None


_TAKES_WORK = "EXISTS (SELECT 1 FROM batches_batch b WHERE b.id = t.batch_id AND b.state IN ('published', 'paused'))"
SHOWS = {
    "": "true",
    "unclear": "g.unclear > 0",
    "split": "g.ways > 1",
    "unsure": f"g.answers > 1 AND c.posterior < {UNSURE_BELOW}",
    "unanswered": "g.answers = 0",
    # As `workers.assignments.places` counts them.
    "open": "t.taken < t.overlap - t.refunded AND t.quarantined_at IS NULL"
    f" AND {_TAKES_WORK} AND assignments_has_open(t.batch_id)",
    "closed": f"CASE WHEN {_TAKES_WORK} THEN t.refunded > 0 ELSE t.taken < t.overlap END",
    "working": "EXISTS (SELECT 1 FROM assignments_assignment l WHERE l.task_id = t.id AND l.state = 'leased')",
    "quarantine": "t.quarantined_at IS NOT NULL",
}
# What an import brings is not shown before it is done.
_TASKS = f"""
SELECT t.external_id, t.external_id, t.overlap - t.refunded, g.answers, g.unclear, c.posterior, c.values,
       coalesce(c.settled, false), t.quarantined_at
  FROM batches_task t
  LEFT JOIN results_consensus c ON c.task_id = t.id
  CROSS JOIN LATERAL (
      SELECT count(*) AS answers, count(*) FILTER (WHERE w.unclear) AS unclear,
             count(DISTINCT w.values) FILTER (WHERE NOT w.unclear AND a.state <> 'rejected') AS ways,
             count(*) FILTER (WHERE {SAYS}) AS one, count(*) FILTER (WHERE {SAYS}) AS other
        FROM assignments_assignment a
        JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id
                       ORDER BY revision DESC LIMIT 1) w ON true
       WHERE a.task_id = t.id AND a.state = ANY(%s)) g
 WHERE NOT EXISTS (SELECT 1 FROM batches_import i
                    WHERE i.batch_id = t.batch_id AND i.finished_at IS NULL AND t.id > i.after_task_id)
   AND (%s::text IS NULL OR t.external_id = %s)
   AND (%s::text IS NULL OR (g.one > 0 AND g.other > 0 AND (%s::text <> %s OR g.one > 1)))
"""
_NAMES = ("cursor", "task", "places", "answers", "unclear", "posterior", "values", "settled", "quarantined_at")


def tasks_page(batch_id: int, wanted: Wanted, *, after: str, limit: int) -> list[dict[str, Any]]:
    """Tasks by external id, from behind one: how many answers they have and want, and what these come to so far."""
    return _tasks("t.batch_id = %s AND t.external_id > %s", [batch_id, after], wanted, limit)


def tasks_walked(
    batch_id: int, wanted: Wanted, *, after: str, limit: int, window: int = LOOKED_THROUGH
) -> tuple[list[dict[str, Any]], str | None]:
    """The same, and the place from which it goes on, None at the end. It looks through `window` tasks at most, so that
    a page may hold few, or none, before the end."""
    walk = rows(
        "SELECT id, external_id FROM batches_task WHERE batch_id = %s AND external_id > %s"
        " AND (%s::text IS NULL OR external_id = %s) ORDER BY external_id LIMIT %s",
        [batch_id, after, wanted.task, wanted.task, window],
    )
    found = _tasks("t.id = ANY(%s)", [[row[0] for row in walk]], wanted, limit + 1)
    if len(found) > limit:
        return found[:limit], found[limit - 1]["cursor"]
    return found, walk[-1][1] if len(walk) == window else None


def task_of(batch_id: int, external_id: str) -> dict[str, Any]:
    """One task as in `tasks_page`, with its `data`. Raises `NotFound`."""
    found = tasks_page(batch_id, Wanted(task=external_id), after="", limit=1)
    data = one(
        "SELECT p.data FROM batches_task t JOIN batches_payload p ON p.task_id = t.id"
        " WHERE t.batch_id = %s AND t.external_id = %s",
        [batch_id, external_id],
    )
    if not found or data is None:
        raise NotFound("There is no such task in this batch.")
    return found[0] | {"data": data[0]}


def external_ids_of(batch_id: int, *, limit: int) -> list[str]:
    """The external ids of the batch's first tasks."""
    return [
        row[0]
        for row in rows(
            "SELECT external_id FROM batches_task WHERE batch_id = %s ORDER BY external_id LIMIT %s", [batch_id, limit]
        )
    ]


def _tasks(where: str, params: Sequence[Any], wanted: Wanted, limit: int) -> list[dict[str, Any]]:
    found = rows(
        f"{_TASKS} AND {where} AND {SHOWS[wanted.show]} ORDER BY t.external_id LIMIT %s",
        [
            *says(wanted.field, wanted.one), *says(wanted.field, wanted.other), list(ANSWERED), wanted.task,
            wanted.task, wanted.field, wanted.one, wanted.other, *params, limit,
        ],
    )  # fmt: skip
    return [dict(zip(_NAMES, row, strict=True)) for row in found]
