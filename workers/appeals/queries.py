"""Reads of appeals."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from marketplace.common.database import one, rows, value
from marketplace.common.errors import NotFound
from marketplace.results.agreement import agree
from workers.appeals.models import Appeal
from workers.appeals.states import REWORKS

LAST = "SELECT w.values FROM assignments_answer w WHERE w.assignment_id = {of} ORDER BY w.revision DESC LIMIT 1"


@dataclass(frozen=True)
class Rework:
    """What others who did the task say of a contested answer: how many they are, how many of them agree with it, and
    how many say one other thing together."""

    others: int
    agreeing: int
    against: int

    @property
    def enough(self) -> bool:
        return self.others >= REWORKS

    @property
    def with_worker(self) -> bool:
        return 2 * self.agreeing > self.others

    @property
    def against_worker(self) -> bool:
        """Where the others agree among themselves no more than with him, they show nothing."""
        return 2 * self.against > self.others


def appeals_with_all() -> QuerySet[Appeal]:
    """Appeals with what is shown of them."""
    return Appeal.objects.select_related(
        "worker", "requester", "adjudicator", "sanction", "rejection__assignment__task__payload", "rejection__batch",
        "rejection__version",
    ).prefetch_related("steps")  # fmt: skip


def appeals_of(worker_id: int) -> QuerySet[Appeal]:
    """The worker's own."""
    return appeals_with_all().filter(worker_id=worker_id)


def appeals_against(requester_id: int) -> QuerySet[Appeal]:
    """Appeals against rejections of the requester's."""
    return appeals_with_all().filter(requester_id=requester_id, rejection__isnull=False)


def appeal_of(public_id: UUID, among: QuerySet[Appeal] | None = None) -> Appeal:
    """One appeal; raises `NotFound`."""
    found = (appeals_with_all() if among is None else among).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such appeal.")
    return found


def impartial(appeal_id: int, user_id: int) -> bool:
    """Whether the person has no part in the matter by any of his accounts, and may judge it or say who does."""
    return bool(value("SELECT appeals_impartial(%s, %s)", [appeal_id, user_id]))


def due_appeals(limit: int, *, late_only: bool) -> list[int]:
    """Open appeals to look at, the latest first to be decided: past their time and, if not `late_only`, those that
    others' work may decide."""
    return [
        row[0]
        for row in rows(
            "SELECT id FROM appeals_appeal WHERE state = 'open'"
            " AND (decide_by <= (SELECT market_now()) OR NOT %s AND method = 'rework') ORDER BY decide_by LIMIT %s",
            [late_only, limit],
        )
    ]


def can_be_reworked(assignment_id: int) -> bool:
    """Whether enough others have done the task, or still may: what the answer says can be compared, and places of the
    task are open."""
    row = one(
        "SELECT (SELECT NOT l.unclear FROM assignments_answer l WHERE l.assignment_id = a.id"
        "        ORDER BY l.revision DESC LIMIT 1),"
        " (SELECT count(*) FROM appeals_others(a.id)),"
        " (SELECT count(*) FROM assignments_assignment o WHERE o.task_id = a.task_id AND o.state = 'leased'),"
        " CASE WHEN b.state = 'published' AND t.quarantined_at IS NULL THEN t.overlap - t.refunded - t.taken ELSE 0 END"
        " FROM assignments_assignment a JOIN batches_task t ON t.id = a.task_id"
        " JOIN batches_batch b ON b.id = a.batch_id"
        " WHERE a.id = %s",
        [assignment_id],
    )
    return row is not None and bool(row[0]) and row[1] + row[2] + row[3] >= REWORKS


def last_values(assignment_id: int) -> dict[str, Any]:
    """What the answer says."""
    found: dict[str, Any] = value(LAST.format(of="%s"), [assignment_id])
    return found


def rework_of(assignment_id: int) -> Rework:
    """The answers of the others against the contested one, by the answer types' own comparison."""
    interface = value(
        "SELECT v.interface FROM assignments_assignment a JOIN projects_version v ON v.id = a.version_id"
        " WHERE a.id = %s",
        [assignment_id],
    )
    own = last_values(assignment_id)
    others = [row[0] for row in rows(f"SELECT ({LAST.format(of='o')}) FROM appeals_others(%s) o", [assignment_id])]
    fields = interface["answer"]
    differing = [other for other in others if not agree(fields, own, other)]
    against = max((sum(agree(fields, one, other) for other in differing) for one in differing), default=0)
    return Rework(len(others), len(others) - len(differing), against)
