"""Reads for those who look at answers in a requester's name: which tasks, what was answered there, what was settled,
and how many were right of those that chance drew."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.batches.models import Batch
from marketplace.batches.queries import tasks_called
from marketplace.common.database import rows
from marketplace.common.errors import NotFound
from marketplace.results.agreement import differing
from marketplace.results.models import RejectionReview
from marketplace.results.queries.consensus import Consensus, consensus_of
from marketplace.results.states import Queue
from workers.gold.queries import keys_to_judge

# More than so many are not counted one by one.
COUNTED_MAX = 1_000

# A ruling that took an answer holds as long as that answer is paid or may yet be.
_HOLDS = (
    "EXISTS (SELECT 1 FROM results_adjudication d LEFT JOIN assignments_assignment e ON e.id = d.answer_id"
    " WHERE d.task_id = c.task_id AND (d.answer_id IS NULL OR e.state IN ('submitted', 'accepted', 'upheld')))"
)
# Each as (place, task): places rise, and what is behind a place is what comes next.
_QUEUES = {
    # Those of least agreement first: its ten-thousandths, and then the task.
    Queue.DISAGREEMENTS: f"""
        SELECT o.place, o.task_id FROM (
            SELECT floor(c.posterior * 10000)::bigint * 100000000000000 + c.task_id AS place, c.task_id
              FROM results_consensus c
             WHERE c.batch_id = %(batch)s AND c.disputed AND c.settled AND NOT c.task_id = ANY(%(gold)s)
               AND NOT {_HOLDS}) o
         WHERE o.place > %(after)s ORDER BY o.place LIMIT %(limit)s""",
    Queue.ESCALATIONS: """
        SELECT o.place, o.task_id FROM (
            SELECT min(r.id) AS place, a.task_id FROM assignments_reviewwish r
              JOIN assignments_assignment a ON a.id = r.assignment_id
             WHERE r.batch_id = %(batch)s AND a.state = 'submitted' AND NOT EXISTS (
                   SELECT 1 FROM results_rejectionitem i JOIN results_rejectionreview v ON v.id = i.review_id
                    WHERE i.assignment_id = a.id AND i.submitted_at = a.submitted_at
                      AND v.state IN ('open', 'approved'))
             GROUP BY a.task_id) o
         WHERE o.place > %(after)s ORDER BY o.place LIMIT %(limit)s""",
    # In an order that has nothing to do with what was answered, and is the same for everybody.
    Queue.SAMPLE: f"""
        SELECT o.place, o.task_id FROM (
            SELECT hashint8extended(c.task_id, %(batch)s) & 9223372036854775807 AS place, c.task_id
              FROM results_consensus c
             WHERE c.batch_id = %(batch)s AND c.settled AND c.answers > 0 AND NOT c.task_id = ANY(%(gold)s)
               AND NOT {_HOLDS}) o
         WHERE o.place > %(after)s ORDER BY o.place, o.task_id LIMIT %(limit)s""",
}


@dataclass(frozen=True)
class Waiting:
    """A task that waits to be looked at, and its place in the queue."""

    place: int
    task_id: int


@dataclass(frozen=True)
class Look:
    """An answer before whoever decides about it. `values` are withheld while it is rejected (R42); `differs` names the
    fields in which it does not say what all together say; `waits` is whether its rejection is under review."""

    id: UUID
    worker_id: int
    values: dict[str, Any] | None
    unclear: bool
    state: str
    submitted_at: datetime
    version: int
    reason: str
    comment: str
    wishes: list[str]
    waits: bool
    was_back: bool
    discounted: bool
    differs: list[str]


@dataclass(frozen=True)
class Ruling:
    """What somebody settled, and whether it counts now."""

    id: UUID
    task: str
    values: dict[str, Any]
    answer: UUID | None
    reason: str
    words: str
    sampled: bool
    agrees: bool | None
    by: str
    made_at: datetime
    holds: bool
    cursor: int


@dataclass(frozen=True)
class Item:
    """One task to look at, with all that is to be seen of it."""

    task_id: int
    task: str
    data: dict[str, Any]
    looks: list[Look]
    standing: Consensus | None
    rulings: list[Ruling]


@dataclass(frozen=True)
class Sampled:
    """How many labels there are that chance may draw from, how many of them were looked at, and how many of those were
    wrong."""

    population: int
    looked_at: int
    errors: int


def queue_page(batch: Batch, queue: Queue, *, gold: Collection[int], after: int = 0, limit: int) -> list[Waiting]:
    """The next tasks of the queue behind a place; `gold` holds the tasks that the requester brought as gold, which are
    looked at by their keys alone. Needs a transaction for the queue of gold."""
    if queue == Queue.GOLD:
        return [Waiting(task_id, task_id) for task_id in keys_to_judge(batch.pk, after_id=after, limit=limit)]
    asked = {"batch": batch.pk, "gold": list(gold), "after": after, "limit": limit}
    return [Waiting(*row) for row in rows(_QUEUES[queue], asked)]


def queue_counts(batch: Batch, *, gold: Collection[int]) -> dict[Queue, int]:
    """How many tasks wait in each queue but the sample, which has no end; `COUNTED_MAX` for that many and more."""
    return {
        queue: len(queue_page(batch, queue, gold=gold, limit=COUNTED_MAX)) for queue in Queue if queue != Queue.SAMPLE
    }


def task_of(batch_id: int, external_id: str) -> int:
    """The task's id; raises `NotFound`."""
    found = tasks_called(batch_id, [external_id]).get(external_id)
    if found is None:
        raise NotFound("There is no such task in this batch.")
    return found


def item_of(batch: Batch, task_id: int) -> Item:
    """One task of the batch with its answers side by side, in the order in which their places were taken."""
    return items_of(batch, [task_id])[0]


def items_of(batch: Batch, task_ids: list[int]) -> list[Item]:
    """The same for several, in this order."""
    fields = batch.version.interface["answer"]
    standing = consensus_of(task_ids)
    looks: dict[int, list[Look]] = {task_id: [] for task_id in task_ids}
    for task_id, *told in rows(_LOOKS, [task_ids]):
        together, values = standing.get(task_id), told[2]
        differs = differing(fields, values, together.value) if values and together and together.value else []
        looks[task_id].append(Look(*[*told, differs]))
    rulings: dict[int, list[Ruling]] = {task_id: [] for task_id in task_ids}
    for task_id, *ruling in rows(f"{_RULINGS} WHERE d.task_id = ANY(%s) ORDER BY d.id DESC", [task_ids]):
        rulings[task_id].append(Ruling(*ruling))
    shown = {
        task_id: told
        for task_id, *told in rows(
            "SELECT t.id, t.external_id, p.data FROM batches_task t JOIN batches_payload p ON p.task_id = t.id"
            " WHERE t.id = ANY(%s)",
            [task_ids],
        )
    }
    return [
        Item(*[task_id, *shown[task_id], looks[task_id], standing.get(task_id), rulings[task_id]])
        for task_id in task_ids
    ]


_LOOKS = """
SELECT a.task_id, a.public_id, a.worker_id, CASE WHEN a.state <> 'rejected' THEN w.values END, w.unclear, a.state,
       date_trunc('minute', a.submitted_at), v.number, a.end_reason, a.comment,
       ARRAY(SELECT DISTINCT r.reason FROM assignments_reviewwish r WHERE r.assignment_id = a.id ORDER BY 1),
       EXISTS (SELECT 1 FROM results_rejectionitem i JOIN results_rejectionreview o ON o.id = i.review_id
                WHERE i.assignment_id = a.id AND i.submitted_at = a.submitted_at AND a.state = 'submitted'
                  AND o.state IN ('open', 'approved')),
       EXISTS (SELECT 1 FROM assignments_repair r WHERE r.assignment_id = a.id),
       EXISTS (SELECT 1 FROM assignments_discount d WHERE d.assignment_id = a.id)
  FROM assignments_assignment a
  JOIN projects_version v ON v.id = a.version_id
  JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id
                ORDER BY revision DESC LIMIT 1) w ON true
 WHERE a.task_id = ANY(%s) AND a.state IN ('submitted', 'accepted', 'rejected', 'upheld') ORDER BY a.task_id, a.id
"""
_RULINGS = """
SELECT d.task_id, d.public_id, t.external_id, d.values, a.public_id, d.reason, d.words, d.sampled, d.agrees, u.email,
       d.made_at, d.answer_id IS NULL OR a.state IN ('submitted', 'accepted', 'upheld'), d.id
  FROM results_adjudication d JOIN batches_task t ON t.id = d.task_id JOIN accounts_user u ON u.id = d.made_by_id
  LEFT JOIN assignments_assignment a ON a.id = d.answer_id
"""


def rulings_page(batch_id: int, *, after_id: int, limit: int) -> list[Ruling]:
    """All that was settled in the batch, the first at the top."""
    return [
        Ruling(*row[1:])
        for row in rows(
            f"{_RULINGS} WHERE d.batch_id = %s AND d.id > %s ORDER BY d.id LIMIT %s", [batch_id, after_id, limit]
        )
    ]


def ruling_of(public_id: UUID) -> Ruling:
    """One ruling, which must exist."""
    [row] = rows(f"{_RULINGS} WHERE d.public_id = %s", [public_id])
    return Ruling(*row[1:])


def ruled(batch_id: int) -> dict[int, dict[str, Any]]:
    """What was settled and counts in results, by task: of those that took no answer, or one that is paid, the last."""
    return dict(
        rows(
            "SELECT DISTINCT ON (d.task_id) d.task_id, d.values FROM results_adjudication d"
            " LEFT JOIN assignments_assignment a ON a.id = d.answer_id WHERE d.batch_id = %s"
            " AND (d.answer_id IS NULL OR a.state IN ('accepted', 'upheld')) ORDER BY d.task_id, d.number DESC",
            [batch_id],
        )
    )


def sampled_in(batch: Batch, *, gold: Collection[int]) -> Sampled:
    """How far chance has looked. Of a task that was drawn and settled twice the first look counts: the label was
    corrected since. What was settled without being drawn is right by that, and is nothing that chance may draw."""
    [(left,)] = rows(
        "SELECT count(*) FROM results_consensus c WHERE c.batch_id = %(batch)s AND c.settled AND c.answers > 0"
        f" AND NOT c.task_id = ANY(%(gold)s) AND NOT {_HOLDS}",
        {"batch": batch.pk, "gold": list(gold)},
    )
    [(looked_at, errors)] = rows(
        "SELECT count(*), count(*) FILTER (WHERE NOT s.agrees) FROM (SELECT DISTINCT ON (d.task_id) d.agrees"
        " FROM results_adjudication d WHERE d.batch_id = %s AND d.sampled ORDER BY d.task_id, d.number) s",
        [batch.pk],
    )
    return Sampled(left + looked_at, looked_at, errors)


def reviews_of(batch: Batch) -> QuerySet[RejectionReview]:
    """Rejections in the batch that wait for a review, or did."""
    return RejectionReview.objects.filter(batch=batch)
