"""What a worker reads of his own answers: each with what came of it, the newest first.

Of every answer the same is told, whatever its task was for (R37): what its requester decided and what was paid.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models

from marketplace.common.database import one, rows, value
from marketplace.common.errors import NotFound
from workers.assignments.states import State

NEWEST = 2**62
# The fields that a version of a project asks for.
Asked = list[dict[str, Any]]


class Outcome(models.TextChoices):
    """What became of an answer, as its worker is told."""

    WAITING = "waiting"  # submitted and not decided
    REPAIR = "repair"  # back with its worker, who may send it once more
    NOT_REPAIRED = "not_repaired"  # it came back and was not sent again
    DUE = "due"  # accepted, or won on appeal, and paid next
    PAID = "paid"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Batch:
    """Where an answer belongs."""

    id: UUID
    name: str
    requester: str


@dataclass(frozen=True)
class Rejected:
    """Why an answer was rejected and by which instructions, and until when that can be contested."""

    reason: str
    comment: str
    version: int
    made_at: datetime
    appeal_until: datetime
    contested: bool
    in_time: bool


@dataclass(frozen=True)
class Returned:
    """Why an answer came back for repair."""

    reason: str
    comment: str
    made_at: datetime


@dataclass(frozen=True)
class OwnAnswer:
    """One answer of the worker's as he sent it last, and what came of it. `cursor` is its place in the list."""

    cursor: int
    id: UUID
    batch: Batch
    state: str
    outcome: str
    unclear: bool
    values: dict[str, Any]
    submitted_at: datetime
    decided_at: datetime | None
    lease_until: datetime
    price_micros: int
    currency: str
    version: int
    rejected: Rejected | None
    returned: Returned | None

    @property
    def asked_by(self) -> tuple[UUID, int]:
        """The batch and the version by which it was asked for; see `asked_in`."""
        return self.batch.id, self.version

    @property
    def appealable(self) -> bool:
        """Whether its rejection can be contested now."""
        return self.state == State.REJECTED and bool(
            self.rejected and self.rejected.in_time and not self.rejected.contested
        )

    @property
    def unpaid(self) -> bool:
        """Whether nothing is paid for it, as it stands."""
        return self.outcome in (Outcome.REJECTED, Outcome.NOT_REPAIRED)

    @property
    def upheld(self) -> bool:
        """Whether it was rejected first and won afterwards."""
        return self.state == State.UPHELD


@dataclass(frozen=True)
class WholeAnswer:
    """An answer with the task that it answers and the instructions that its worker was shown."""

    answer: OwnAnswer
    data: dict[str, Any]
    interface: dict[str, Any]
    instructions: str
    cited_instructions: str


# What a worker gave back or let run out without ever having sent an answer is no answer of his.
_OUTCOME = """CASE WHEN a.state = 'submitted' THEN 'waiting'
     WHEN a.state = 'leased' THEN CASE WHEN a.lease_until > market_now() THEN 'repair' ELSE 'not_repaired' END
     WHEN a.state IN ('expired', 'returned') THEN 'not_repaired'
     WHEN a.state = 'rejected' THEN 'rejected'
     WHEN s.settled_at IS NULL THEN 'due' ELSE 'paid' END"""
_FROM = """
  FROM assignments_assignment a
  JOIN batches_batch b ON b.id = a.batch_id
  JOIN accounts_requester q ON q.id = b.requester_id
  JOIN projects_version v ON v.id = a.version_id
  JOIN LATERAL (SELECT values, unclear, submitted_at FROM assignments_answer n WHERE n.assignment_id = a.id
                 ORDER BY revision DESC LIMIT 1) w ON true
  LEFT JOIN assignments_settlement s ON s.assignment_id = a.id
  LEFT JOIN assignments_rejection j ON j.assignment_id = a.id
  LEFT JOIN projects_version c ON c.id = j.version_id
  LEFT JOIN assignments_contest t ON t.assignment_id = a.id
  LEFT JOIN assignments_repair p ON p.assignment_id = a.id
"""
_COLUMNS = f"""a.id, a.public_id, b.public_id, b.name, q.name, a.state, {_OUTCOME}, w.unclear, w.values, w.submitted_at,
       a.decided_at, a.lease_until, coalesce(s.price_micros, b.price_micros), b.currency, v.number,
       j.reason, j.comment, c.number, j.made_at, j.made_at + make_interval(secs => b.appeal_s),
       t.assignment_id IS NOT NULL, j.made_at + make_interval(secs => b.appeal_s) > market_now(),
       p.reason, p.comment, p.made_at"""


def own_answers(
    worker_id: int,
    *,
    limit: int,
    before: int | None = None,
    batch: UUID | None = None,
    outcome: str | None = None,
) -> list[OwnAnswer]:
    """The worker's answers, the task that he took last first, from below `before` on; of one batch, or with one outcome
    only, where that is said."""
    return [
        _answer(row)
        for row in rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE a.worker_id = %s AND a.id < %s AND (%s::uuid IS NULL OR b.public_id = %s)"
            f" AND (%s::text IS NULL OR {_OUTCOME} = %s) ORDER BY a.id DESC LIMIT %s",
            [worker_id, NEWEST if before is None else before, batch, batch, outcome, outcome, limit],
        )
    ]


def own_answer(worker_id: int, public_id: UUID) -> WholeAnswer:
    """One of the worker's answers with its task; raises `NotFound` for another's as for none."""
    row = one(
        f"SELECT {_COLUMNS}, d.data, v.interface, v.instructions, coalesce(c.instructions, v.instructions) {_FROM}"
        " JOIN batches_payload d ON d.task_id = a.task_id WHERE a.worker_id = %s AND a.public_id = %s",
        [worker_id, public_id],
    )
    if row is None:
        raise NotFound("There is no such answer of yours.")
    return WholeAnswer(_answer(row[:-4]), *row[-4:])


def rejected_answers(worker_id: int, *, limit: int, before: int | None = None) -> list[OwnAnswer]:
    """The worker's answers that were rejected, those that were won afterwards among them; newest first."""
    return [
        _answer(row)
        for row in rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE a.worker_id = %s AND a.id < %s AND a.state IN ('rejected', 'upheld')"
            " AND j.assignment_id IS NOT NULL ORDER BY a.id DESC LIMIT %s",
            [worker_id, NEWEST if before is None else before, limit],
        )
    ]


def wanted_repairs(worker_id: int) -> list[OwnAnswer]:
    """The worker's answers that came back and that he can still send again, the most urgent first. He holds few."""
    return [
        _answer(row)
        for row in rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE a.worker_id = %s AND a.state = 'leased' AND a.lease_until > market_now()"
            " AND p.assignment_id IS NOT NULL ORDER BY a.lease_until, a.id LIMIT 100",
            [worker_id],
        )
    ]


def instructions_of(worker_id: int, assignments: list[UUID]) -> dict[UUID, str]:
    """The instructions that rejections of the worker's answers cite."""
    return dict(
        rows(
            "SELECT a.public_id, v.instructions FROM assignments_assignment a"
            " JOIN assignments_rejection j ON j.assignment_id = a.id JOIN projects_version v ON v.id = j.version_id"
            " WHERE a.worker_id = %s AND a.public_id = ANY(%s)",
            [worker_id, assignments],
        )
    )


def asked_in(worker_id: int, assignments: list[UUID]) -> dict[tuple[UUID, int], Asked]:
    """The fields that the worker's answers were asked for, each once, by batch and version."""
    return {
        (batch, version): asked
        for batch, version, asked in rows(
            "SELECT b.public_id, v.number, v.interface -> 'answer' FROM projects_version v"
            " JOIN (SELECT DISTINCT batch_id, version_id FROM assignments_assignment"
            "        WHERE worker_id = %s AND public_id = ANY(%s)) a ON a.version_id = v.id"
            " JOIN batches_batch b ON b.id = a.batch_id",
            [worker_id, assignments],
        )
    }


def batches_answered(worker_id: int, *, limit: int) -> list[Batch]:
    """The batches that the worker took work of lately, the last first."""
    return [
        Batch(*row)
        for row in rows(
            "SELECT b.public_id, b.name, q.name FROM (SELECT a.batch_id, max(a.id) AS last"
            "  FROM assignments_assignment a WHERE a.worker_id = %s AND a.submitted_at IS NOT NULL GROUP BY a.batch_id"
            "  ORDER BY last DESC LIMIT %s) l"
            " JOIN batches_batch b ON b.id = l.batch_id JOIN accounts_requester q ON q.id = b.requester_id"
            " ORDER BY l.last DESC",
            [worker_id, limit],
        )
    ]


def to_contest(worker_id: int) -> int:
    """How many rejections the worker can contest now."""
    return int(
        value(
            "SELECT count(*) FROM assignments_assignment a JOIN assignments_rejection j ON j.assignment_id = a.id"
            " JOIN batches_batch b ON b.id = a.batch_id WHERE a.worker_id = %s AND a.state = 'rejected'"
            " AND j.made_at > (SELECT market_now()) - make_interval(secs => b.appeal_s)"
            " AND NOT EXISTS (SELECT 1 FROM assignments_contest t WHERE t.assignment_id = a.id)",
            [worker_id],
        )
    )


def _answer(row: tuple[Any, ...]) -> OwnAnswer:
    (cursor, public_id, batch, name, requester, state, outcome, unclear, values, submitted_at, decided_at, lease_until,
     price_micros, currency, version, *rest) = row  # fmt: skip
    reason, comment, cited, rejected_at, appeal_until, contested, in_time, why_back, said_back, back_at = rest
    return OwnAnswer(
        cursor=cursor,
        id=public_id,
        batch=Batch(batch, name, requester),
        state=state,
        outcome=outcome,
        unclear=unclear,
        values=values,
        submitted_at=submitted_at,
        decided_at=decided_at,
        lease_until=lease_until,
        price_micros=price_micros,
        currency=currency,
        version=version,
        rejected=Rejected(reason, comment, cited, rejected_at, appeal_until, contested, in_time) if reason else None,
        returned=Returned(why_back, said_back, back_at) if why_back else None,
    )
