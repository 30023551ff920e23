"""Reads of assignments for the people who do the work and for those who decide about it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.common.database import rows, value
from workers.assignments.models import Assignment
from workers.assignments.states import State


@dataclass(frozen=True)
class LeasedTask:
    """What a worker is given: the same fields for every kind of task, and nothing that tells them apart."""

    id: UUID
    token: UUID
    batch: UUID
    data: dict[str, Any]
    draft: dict[str, Any] | None
    lease_until: datetime
    price_micros: int
    currency: str
    version: int


@dataclass(frozen=True)
class Earnings:
    """One currency of a worker's money, in micro-units. `earned` is what is settled or accepted and due."""

    currency: str
    settled_micros: int
    due_micros: int
    submitted_micros: int

    @property
    def earned_micros(self) -> int:
        return self.settled_micros + self.due_micros


_LEASED = """
SELECT a.public_id, a.token, b.public_id, p.data, d.values, a.lease_until, b.price_micros, b.currency, v.number
  FROM assignments_assignment a
  JOIN batches_batch b ON b.id = a.batch_id
  JOIN batches_payload p ON p.task_id = a.task_id
  JOIN projects_version v ON v.id = a.version_id
  LEFT JOIN assignments_draft d ON d.assignment_id = a.id
"""


def live_leases(worker_id: int) -> list[LeasedTask]:
    """All that the worker holds now, oldest first."""
    found = rows(
        _LEASED + "WHERE a.worker_id = %s AND a.state = 'leased' AND a.lease_until > market_now() ORDER BY a.id",
        [worker_id],
    )
    return [LeasedTask(*row) for row in found]


@dataclass(frozen=True)
class HeldWork:
    """What a worker holds of one batch: how many tasks, in how many of them he has begun, how many came back to him for
    repair and the last comment with one, and when the first of them runs out."""

    batch: UUID
    name: str
    requester: str
    tasks: int
    begun: int
    repairs: int
    comment: str | None
    lease_until: datetime


def held_work(worker_id: int) -> list[HeldWork]:
    """By batch, what runs out first at the top."""
    return [
        HeldWork(*row)
        for row in rows(
            "SELECT b.public_id, b.name, q.name, count(*),"
            " count(d.assignment_id) FILTER (WHERE r.assignment_id IS NULL), count(r.assignment_id),"
            " (array_agg(r.comment ORDER BY r.made_at DESC NULLS LAST))[1], min(a.lease_until)"
            " FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id"
            " JOIN accounts_requester q ON q.id = b.requester_id"
            " LEFT JOIN assignments_draft d ON d.assignment_id = a.id"
            " LEFT JOIN assignments_repair r ON r.assignment_id = a.id"
            " WHERE a.worker_id = %s AND a.state = 'leased' AND a.lease_until > market_now()"
            " GROUP BY b.id, q.name ORDER BY min(a.lease_until), b.id",
            [worker_id],
        )
    ]


def holds_in(*, worker_id: int, batch_id: int) -> bool:
    """Whether the worker holds anything of the batch now."""
    return bool(
        value(
            "SELECT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.worker_id = %s AND a.batch_id = %s"
            " AND a.state = 'leased' AND a.lease_until > market_now())",
            [worker_id, batch_id],
        )
    )


def working_now(*, requester_id: int | None = None) -> int:
    """How many workers hold work now, of one organisation or in all. Looks at the live leases, not at the batches."""
    return int(
        value(
            "SELECT count(DISTINCT a.worker_id) FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id"
            " WHERE a.state = 'leased' AND a.lease_until > market_now()"
            " AND (%s::bigint IS NULL OR b.requester_id = %s)",
            [requester_id, requester_id],
        )
    )


def payments_due(*, most: int = 10_000) -> int:
    """How many accepted answers are not paid yet, counted up to `most`."""
    due = "SELECT 1 FROM assignments_settlement WHERE settled_at IS NULL LIMIT %s"
    return int(value(f"SELECT count(*) FROM ({due}) d", [most]))


def own_on(worker_id: int, task_ids: list[int]) -> dict[int, UUID]:
    """Public ids of the worker's own assignments, by task."""
    found = rows(
        "SELECT task_id, public_id FROM assignments_assignment WHERE worker_id = %s AND task_id = ANY(%s)",
        [worker_id, task_ids],
    )
    return dict(found)


@dataclass(frozen=True)
class WantedRepair:
    """Why an answer came back to its worker."""

    reason: str
    comment: str
    since: datetime


def repairs_in_hand(worker_id: int) -> dict[UUID, WantedRepair]:
    """Of what the worker holds now, the answers that came back for repair, by assignment."""
    return {
        row[0]: WantedRepair(*row[1:])
        for row in rows(
            "SELECT a.public_id, r.reason, r.comment, r.made_at FROM assignments_assignment a"
            " JOIN assignments_repair r ON r.assignment_id = a.id"
            " WHERE a.worker_id = %s AND a.state = 'leased' AND a.lease_until > market_now()",
            [worker_id],
        )
    }


def rejections_page(worker_id: int, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """The worker's own rejected answers, by id: why, by which instructions, and until when he may contest it."""
    names = ("cursor", "assignment", "batch", "batch_name", "state", "reason", "comment", "version", "made_at", "until",
             "contested")  # fmt: skip
    return [
        dict(zip(names, row, strict=True))
        for row in rows(
            "SELECT a.id, a.public_id, b.public_id, b.name, a.state, r.reason, r.comment, v.number, r.made_at,"
            " r.made_at + make_interval(secs => b.appeal_s), c.assignment_id IS NOT NULL"
            " FROM assignments_assignment a JOIN assignments_rejection r ON r.assignment_id = a.id"
            " JOIN batches_batch b ON b.id = a.batch_id JOIN projects_version v ON v.id = r.version_id"
            " LEFT JOIN assignments_contest c ON c.assignment_id = a.id"
            " WHERE a.worker_id = %s AND a.id > %s ORDER BY a.id LIMIT %s",
            [worker_id, after_id, limit],
        )
    ]


def earnings(worker_id: int) -> list[Earnings]:
    """The worker's money by currency: settled in the ledger, accepted and due, submitted and undecided."""
    return [
        Earnings(currency, int(settled), int(due), int(submitted))
        for currency, settled, due, submitted in rows(
            """
            SELECT currency, sum(settled), sum(due), sum(submitted) FROM (
                SELECT l.currency, l.balance_micros AS settled, 0::bigint AS due, 0::bigint AS submitted
                  FROM profiles_worker w
                  JOIN ledger_account l ON l.address = 'worker:' || w.public_id || ':earned' WHERE w.id = %s
                UNION ALL
                SELECT b.currency, 0, s.price_micros, 0 FROM assignments_settlement s
                  JOIN batches_batch b ON b.id = s.batch_id WHERE s.worker_id = %s AND s.settled_at IS NULL
                UNION ALL
                SELECT b.currency, 0, 0, b.price_micros FROM assignments_assignment a
                  JOIN batches_batch b ON b.id = a.batch_id WHERE a.worker_id = %s AND a.state = 'submitted') s
            GROUP BY currency ORDER BY currency
            """,
            [worker_id, worker_id, worker_id],
        )
    ]


def _work_of(worker_id: int) -> QuerySet[Assignment]:
    known = Assignment.objects.select_related("batch__project", "task", "version")
    # A version's number; what it says is too much to read with each row.
    return known.filter(worker_id=worker_id).defer("version__interface", "version__instructions")


def answers_of(worker_id: int) -> QuerySet[Assignment]:
    """A worker's answers with their batches and tasks, for staff."""
    answered = (State.SUBMITTED, State.ACCEPTED, State.REJECTED, State.UPHELD)
    return _work_of(worker_id).filter(state__in=answered)


def rejections_of(worker_id: int) -> QuerySet[Assignment]:
    """Those of a worker's answers that were rejected, undone or not, with why; for staff."""
    return _work_of(worker_id).filter(rejection__isnull=False).select_related("rejection")


def returns_of(worker_id: int) -> QuerySet[Assignment]:
    """What a worker gave back, with why; for staff."""
    return _work_of(worker_id).filter(state=State.RETURNED)


def work_counts(worker_id: int) -> dict[str, int]:
    """How many of a worker's assignments are in each state."""
    found = dict(
        rows("SELECT state, count(*) FROM assignments_assignment WHERE worker_id = %s GROUP BY state", [worker_id])
    )
    return {state.value: found.get(state, 0) for state in State}


def newest_tasks(worker_id: int, *, limit: int) -> list[int]:
    """The tasks of a worker's newest answers."""
    return list(answers_of(worker_id).order_by("-pk").values_list("task_id", flat=True)[:limit])


def last_said(assignment_ids: Sequence[int]) -> dict[int, tuple[dict[str, Any], bool]]:
    """What answers say, as they were given last, and whether they say that it is unclear; by assignment."""
    return {
        assignment_id: (values, unclear)
        for assignment_id, values, unclear in rows(
            "SELECT DISTINCT ON (assignment_id) assignment_id, values, unclear FROM assignments_answer"
            " WHERE assignment_id = ANY(%s) ORDER BY assignment_id, revision DESC",
            [list(assignment_ids)],
        )
    }


def extras_page(batch_id: int, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Bonuses and top-ups of a batch, by id, with worker ids that the caller must replace."""
    names = ("cursor", "id", "worker_id", "kind", "reference", "amount_micros", "fee_micros", "reason", "made_at")
    return [
        dict(zip((*names, "paid"), row, strict=True))
        for row in rows(
            "SELECT id, public_id, worker_id, kind, reference, amount_micros, fee_micros, reason, made_at,"
            " settled_at IS NOT NULL FROM assignments_extra WHERE batch_id = %s AND id > %s ORDER BY id LIMIT %s",
            [batch_id, after_id, limit],
        )
    ]


def disputes_over(limit: int) -> list[int]:
    """Settled batches of which no rejection can be contested any more, and whose dispute reserve is still aside."""
    return [
        row[0]
        for row in rows(
            "SELECT r.batch_id FROM assignments_reserve r JOIN batches_batch b ON b.id = r.batch_id"
            " WHERE r.disputes_released_at IS NULL AND b.settled_at IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM assignments_assignment a WHERE a.batch_id = b.id AND a.state = 'rejected'"
            "  AND a.decided_at > (SELECT market_now()) - make_interval(secs => b.appeal_s))"
            " AND NOT EXISTS (SELECT 1 FROM assignments_contest c WHERE c.batch_id = b.id AND c.ended_at IS NULL)"
            " ORDER BY r.batch_id LIMIT %s",
            [limit],
        )
    ]


ANSWERED = ("submitted", "accepted", "rejected", "upheld")
# A list for people looks through so many assignments at a time: what a page costs must not grow with the batch.
LOOKED_THROUGH = 5_000
NEWEST = 2**62


# An answer says a label where it is the value, is among several, or is that of a mark; and a node of a tree where its
# path is, as "animal / dog". For `says`.
SAYS = """(a.state <> 'rejected' AND NOT w.unclear AND (w.values->>%s::text = %s
   OR w.values->%s::text @> to_jsonb(%s::text)
   OR w.values->%s::text @> jsonb_build_array(jsonb_build_object('label', %s::text))
   OR w.values->%s::text = to_jsonb(string_to_array(%s::text, ' / '))))"""


def says(field: str | None, label: str | None) -> list[str | None]:
    """The parameters of `SAYS`."""
    return [field, label] * 4


@dataclass(frozen=True)
class Sought:
    """Which answers of a batch are meant; None stands for all of them.

    `task` is an external id. `label` is what the answers say in `field`; they were sent from `since` on and before
    `until`.
    """

    state: str | None = None
    task: str | None = None
    worker_id: int | None = None
    unclear: bool | None = None
    field: str | None = None
    label: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def answers_page(batch_id: int, sought: Sought, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Answers of a batch for its requester, by id: with external ids, and worker ids that the caller must replace.

    What was rejected is unpaid, so its values are withheld (R42), and nothing can be sought in them."""
    return _answers("a.batch_id = %s AND a.id > %s", [batch_id, after_id], batch_id, sought, "a.id", limit)


def answers_walked(
    batch_id: int, sought: Sought, *, before: int | None, limit: int, window: int = LOOKED_THROUGH
) -> tuple[list[dict[str, Any]], int | None]:
    """The same, the newest first, from before a place; and the place from which it goes on, None at the end.

    It looks through `window` assignments at most, so that a page may hold few, or none, before the end."""
    walk = [
        row[0]
        for row in rows(
            "SELECT a.id FROM assignments_assignment a WHERE a.batch_id = %s AND a.id < %s"
            " AND (%s::bigint IS NULL OR a.worker_id = %s)"
            " AND (%s::text IS NULL OR a.task_id = (SELECT t.id FROM batches_task t"
            "      WHERE t.batch_id = %s AND t.external_id = %s)) ORDER BY a.id DESC LIMIT %s",
            [
                batch_id, NEWEST if before is None else before, sought.worker_id, sought.worker_id, sought.task,
                batch_id, sought.task, window,
            ],
        )
    ]  # fmt: skip
    found = _answers("a.id = ANY(%s)", [walk], batch_id, sought, "a.id DESC", limit + 1)
    if len(found) > limit:
        return found[:limit], found[limit - 1]["cursor"]
    return found, walk[-1] if len(walk) == window else None


def _answers(
    where: str, params: list[Any], batch_id: int, sought: Sought, order: str, limit: int
) -> list[dict[str, Any]]:
    names = ("cursor", "id", "task", "worker_id", "values", "unclear", "state", "submitted_at", "version", "reason")
    return [
        dict(zip(names, row, strict=True))
        for row in rows(
            "SELECT a.id, a.public_id, t.external_id, a.worker_id,"
            " CASE WHEN a.state <> 'rejected' THEN w.values END, w.unclear, a.state,"
            " date_trunc('minute', a.submitted_at), v.number, a.end_reason"
            " FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
            " JOIN projects_version v ON v.id = a.version_id"
            " JOIN LATERAL (SELECT values, unclear FROM assignments_answer w WHERE w.assignment_id = a.id"
            "               ORDER BY revision DESC LIMIT 1) w ON true"
            f" WHERE {where} AND a.state = ANY(%s) AND (%s::text IS NULL OR a.state = %s)"
            # Named by both a task is found at once, and its answers by it.
            " AND (%s::text IS NULL OR (t.batch_id = %s AND t.external_id = %s))"
            " AND (%s::bigint IS NULL OR a.worker_id = %s)"
            " AND (%s::boolean IS NULL OR w.unclear = %s)"
            # By the minute, as times are told: nobody finds out the second by asking often (R43).
            " AND (%s::timestamptz IS NULL OR date_trunc('minute', a.submitted_at) >= %s)"
            " AND (%s::timestamptz IS NULL OR date_trunc('minute', a.submitted_at) < %s)"
            f" AND (%s::text IS NULL OR {SAYS}) ORDER BY {order} LIMIT %s",
            [
                *params, list(ANSWERED), sought.state, sought.state, sought.task, batch_id, sought.task,
                sought.worker_id, sought.worker_id, sought.unclear, sought.unclear, sought.since, sought.since,
                sought.until, sought.until, sought.field, *says(sought.field, sought.label), limit,
            ],
        )
    ]  # fmt: skip


def given_up_walked(
    batch_id: int, *, reason: str | None, before: int | None, limit: int, window: int = LOOKED_THROUGH
) -> tuple[list[dict[str, Any]], int | None]:
    """Tasks of the batch that workers gave back with a reason, the newest first, as `answers_walked` does: with worker
    ids that the caller must replace. Who only skipped a task said nothing of it."""
    walk = [
        row[0]
        for row in rows(
            "SELECT id FROM assignments_assignment WHERE batch_id = %s AND id < %s ORDER BY id DESC LIMIT %s",
            [batch_id, NEWEST if before is None else before, window],
        )
    ]
    found = _given_up("a.id = ANY(%s)", [walk], reason, "a.id DESC", limit + 1)
    if len(found) > limit:
        return found[:limit], found[limit - 1]["cursor"]
    return found, walk[-1] if len(walk) == window else None


def given_up_page(batch_id: int, *, reason: str | None, after_id: int, limit: int) -> list[dict[str, Any]]:
    """The same by id, from behind one."""
    return _given_up("a.batch_id = %s AND a.id > %s", [batch_id, after_id], reason, "a.id", limit)


def _given_up(where: str, params: list[Any], reason: str | None, order: str, limit: int) -> list[dict[str, Any]]:
    names = ("cursor", "task", "worker_id", "reason", "comment")
    return [
        dict(zip(names, row, strict=True))
        for row in rows(
            "SELECT a.id, t.external_id, a.worker_id, a.end_reason, a.comment FROM assignments_assignment a"
            f" JOIN batches_task t ON t.id = a.task_id WHERE {where} AND a.state = 'returned'"
            f" AND a.end_reason <> 'skip' AND (%s::text IS NULL OR a.end_reason = %s) ORDER BY {order} LIMIT %s",
            [*params, reason, reason, limit],
        )
    ]


def review_wishes_page(batch_id: int, *, state: str | None, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Answers of a batch that its requester is asked to look at, by id of the wish, with worker ids that the caller
    must replace. A wish is done when its answer is decided."""
    names = ("cursor", "answer", "task", "worker_id", "reason", "made_at", "decide_by", "done")
    return [dict(zip(names, row, strict=True)) for row in rows(_WISHES, [batch_id, after_id, state, state, limit])]


_WISHES = """
SELECT r.id, a.public_id, t.external_id, a.worker_id, r.reason, date_trunc('minute', r.made_at),
       CASE WHEN a.state = 'submitted' THEN date_trunc('minute', greatest(a.auto_accept_at, held.until)) END,
       a.state <> 'submitted'
  FROM assignments_reviewwish r
  JOIN assignments_assignment a ON a.id = r.assignment_id
  JOIN batches_task t ON t.id = a.task_id
  CROSS JOIN LATERAL (
      SELECT max(least(h.until, a.auto_accept_at + interval '7 days')) AS until FROM assignments_hold h
       WHERE h.worker_id = a.worker_id AND h.batch_id = a.batch_id AND h.ended_at IS NULL) held
 WHERE r.batch_id = %s AND r.id > %s AND (%s::text IS NULL OR (%s = 'open') = (a.state = 'submitted'))
 ORDER BY r.id LIMIT %s
"""


def holds_page(batch_id: int, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """Workers whose answers in the batch are held back now, by the id of the first of their holds: until when, why, and
    how many of their answers wait. Worker ids are for the caller to replace."""
    names = ("cursor", "worker_id", "since", "until", "reasons", "waiting")
    return [dict(zip(names, row, strict=True)) for row in rows(_HOLDS, [batch_id, after_id, limit, batch_id])]


_HOLDS = """
SELECT h.first, h.worker_id, date_trunc('minute', h.since), date_trunc('minute', h.until), h.reasons,
       coalesce(w.waiting, 0)
  FROM (SELECT min(id) AS first, worker_id, min(made_at) AS since, max(until) AS until,
               array_agg(DISTINCT reason ORDER BY reason) AS reasons
          FROM assignments_hold WHERE batch_id = %s AND ended_at IS NULL AND until > (SELECT market_now())
         GROUP BY worker_id HAVING min(id) > %s ORDER BY min(id) LIMIT %s) h
  LEFT JOIN (SELECT worker_id, count(*) AS waiting FROM assignments_assignment
              WHERE batch_id = %s AND state = 'submitted' GROUP BY worker_id) w ON w.worker_id = h.worker_id
 ORDER BY h.first
"""

COMMENTS_SHOWN = 20


def batches_with_refunds_due() -> list[int]:
    """Batches in which a task came into quarantine, or a place of one opened, since the last refund."""
    return [row[0] for row in rows("SELECT DISTINCT batch_id FROM assignments_quarantine WHERE due ORDER BY 1")]


def quarantine_page(batch_id: int, *, after_id: int, limit: int) -> list[dict[str, Any]]:
    """The batch's quarantined tasks for its requester, by id, with the reasons why they were given up and the last
    comments; worker ids are for the caller to replace (R43)."""
    tasks = rows(
        "SELECT id, external_id, attempts, quarantined_at, overlap - refunded, refunded FROM batches_task"
        " WHERE batch_id = %s AND quarantined_at IS NOT NULL AND id > %s ORDER BY id LIMIT %s",
        [batch_id, after_id, limit],
    )
    given_up: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for task_id, *rest in rows(
        "SELECT task_id, CASE WHEN state = 'expired' THEN 'expired' ELSE end_reason END, worker_id, comment"
        " FROM assignments_assignment WHERE task_id = ANY(%s)"
        " AND (state = 'returned' AND end_reason <> 'skip' OR state = 'expired' AND end_reason <> 'cancelled')"
        " ORDER BY task_id, id",
        [[row[0] for row in tasks]],
    ):
        given_up[task_id].append(tuple(rest))
    names = ("cursor", "task", "attempts", "since", "places", "refunded_places")
    return [
        dict(zip(names, row, strict=True))
        | {
            "reasons": Counter(reason for reason, _, _ in given_up[row[0]]),
            "comments": [said for said in given_up[row[0]] if said[2]][-COMMENTS_SHOWN:],
        }
        for row in tasks
    ]
