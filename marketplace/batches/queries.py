"""Reads of batches; requesters see their own only."""

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Case, OuterRef, QuerySet, Subquery, Sum, UUIDField, When

from marketplace.accounts.models import Requester, Sanction, Where
from marketplace.accounts.queries import own_of
from marketplace.batches.costs import Hold, hold_for
from marketplace.batches.models import Batch, Import, MorePlaces
from marketplace.batches.states import BatchState, ImportState
from marketplace.common.database import one
from marketplace.common.errors import NotFound
from marketplace.ledger.addresses import disputes_of, escrow_of, funds_of, topup_of
from marketplace.ledger.queries import balance, moved_by_kind
from marketplace.projects.models import Project


@dataclass(frozen=True)
class Estimate:
    """What publishing would hold, for the worst case: every place of every task, gold included, paid with its fee; what
    is set aside for disputes; and the highest top-up."""

    tasks: int
    gold_tasks: int
    places: int
    reward_micros: int
    fee_micros: int
    disputes_micros: int
    topup_micros: int
    total_micros: int
    funds_micros: int
    missing_micros: int


@dataclass(frozen=True)
class BatchProgress:
    """Where a batch stands: its assignments by state and its money in micro-units."""

    state: str
    tasks: int
    places: int
    leased: int
    submitted: int
    accepted: int
    rejected: int
    returned: int
    expired: int
    quarantined: int
    escrow_micros: int
    disputes_micros: int
    topup_reserve_micros: int
    paid_micros: int
    bonus_micros: int
    topup_micros: int
    fees_micros: int
    refunded_micros: int


def with_places(sanctions: QuerySet[Sanction]) -> QuerySet[Sanction]:
    """Sanctions with `place`: the public id of the batch, project or organisation that each reaches."""
    reached = {
        Where.BATCH: Batch.objects.all(),
        Where.PROJECT: Project.objects.all(),
        Where.REQUESTER: Requester.objects.all(),
    }
    found = [
        When(scope=scope, then=Subquery(rows.filter(pk=OuterRef("scope_id")).values("public_id")[:1]))
        for scope, rows in reached.items()
    ]
    return sanctions.annotate(place=Case(*found, default=None, output_field=UUIDField()))


def batches_of(user_id: int) -> QuerySet[Batch]:
    """The batches of every organisation that the user is a member of."""
    return Batch.objects.filter(requester__members__user_id=user_id)


def batch_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Batch:
    """The user's batch; raises `NotFound` for another's as for none, `Forbidden` below the role."""
    known = Batch.objects.select_related("requester", "project", "version")
    return own_of(known, user_id, public_id, at_least=at_least, what="batch")


def any_batch(public_id: UUID) -> Batch:
    """A batch as staff may know it. Raises `NotFound`."""
    batch = Batch.objects.select_related("requester").filter(public_id=public_id).first()
    if batch is None:
        raise NotFound("There is no such batch.")
    return batch


def running_batches() -> QuerySet[Batch]:
    """The batches that take work now."""
    return Batch.objects.filter(state=BatchState.PUBLISHED)


def visible_batch(public_id: UUID) -> Batch:
    """A batch as workers may know it: any that was published. Raises `NotFound` for a draft as for none."""
    batch = (
        Batch.objects.select_related("requester", "version")
        .exclude(state=BatchState.DRAFT)
        .filter(public_id=public_id, published_at__isnull=False)
        .first()
    )
    if batch is None:
        raise NotFound("There is no such batch.")
    return batch


def sample_of(batch: Batch) -> dict[str, Any] | None:
    """The data of the task that was imported first, whatever it is for: shown to all before they begin, so it says of
    no task that it is gold. None for a batch without tasks."""
    begin = batch.imports.filter(state=ImportState.DONE).order_by("after_task_id").values_list("after_task_id").first()
    # From there on the key of the tasks is walked, and the first row is one of the batch.
    found = one(
        "SELECT p.data FROM batches_payload p WHERE p.task_id > %s AND p.batch_id = %s ORDER BY p.task_id LIMIT 1",
        [begin[0] if begin else 0, batch.pk],
    )
    return found[0] if found else None


@dataclass(frozen=True)
class Offer:
    """What a published batch offers and asks: its final terms, which every claim needs and which never change again."""

    pk: int
    public_id: UUID
    requester_id: int
    project_id: int
    version_number: int
    price_micros: int
    currency: str
    audience: dict[str, Any]
    gold_policy: dict[str, Any]
    head_start_s: int
    published_at: datetime


@lru_cache(maxsize=10_000)
def offer_of(public_id: UUID) -> Offer:
    """The offer of a batch that was published; kept in memory, for it is final.

    Raises `NotFound` for a draft as for none. Whether the batch is still open is no part of it: that is read under its
    lock.
    """
    batch = visible_batch(public_id)
    assert batch.published_at is not None
    return Offer(
        pk=batch.pk,
        public_id=batch.public_id,
        requester_id=batch.requester_id,
        project_id=batch.project_id,
        version_number=batch.version.number,
        price_micros=batch.price_micros,
        currency=batch.currency,
        audience=batch.audience,
        gold_policy=batch.gold_policy,
        head_start_s=batch.head_start_s,
        published_at=batch.published_at,
    )


def imports_of(batch: Batch) -> QuerySet[Import]:
    """Every import into the batch, finished or not."""
    return Import.objects.filter(batch=batch)


def import_for(user_id: int, batch_id: UUID, import_id: UUID, *, at_least: str = "viewer") -> Import:
    """One import into the user's batch; raises like `batch_for`."""
    found = imports_of(batch_for(user_id, batch_id, at_least=at_least)).filter(public_id=import_id).first()
    if found is None:
        raise NotFound("There is no such import.")
    return found


def unfinished_import(batch_id: int) -> Import | None:
    """The import into the batch that is not finished, if there is one."""
    return Import.objects.filter(batch_id=batch_id, finished_at=None).first()


def imported(batch: Batch) -> dict[str, int]:
    """Totals over the batch's imports that are done: tasks, gold_tasks, reserved_tasks, places."""
    names = ("tasks", "gold_tasks", "reserved_tasks", "places")
    sums = Import.objects.filter(batch=batch, state=ImportState.DONE).aggregate(**{name: Sum(name) for name in names})
    return {name: sums[name] or 0 for name in names}


def estimate(batch: Batch) -> Estimate:
    """What publishing the batch would hold, and how much of it the requester lacks."""
    totals = imported(batch)
    # Counted by a trigger, so that a hold covers every place whatever way its task came in. One that is on its way in,
    # or out again, is not shown; no batch is published meanwhile.
    tasks, places = one(
        "SELECT l.tasks - coalesce(sum(i.tasks), 0), l.places - coalesce(sum(i.places), 0) FROM batches_tail l"
        " LEFT JOIN batches_import i ON i.batch_id = l.batch_id AND i.finished_at IS NULL"
        " WHERE l.batch_id = %s GROUP BY l.tasks, l.places",
        [batch.pk],
    ) or (0, 0)
    tasks, places = int(tasks), int(places)
    hold = hold_of(batch, places)
    funds = balance(funds_of(batch.requester.public_id), batch.currency)
    return Estimate(
        tasks=tasks,
        gold_tasks=totals["gold_tasks"],
        places=places,
        **asdict(hold),
        total_micros=hold.total_micros,
        funds_micros=funds,
        missing_micros=max(0, hold.total_micros - funds) if batch.state == BatchState.DRAFT else 0,
    )


def hold_of(batch: Batch, places: int) -> Hold:
    """What so many places of the batch cost at most, by its terms."""
    return hold_for(
        places=places,
        price_micros=batch.price_micros,
        fee_micros=batch.fee_micros,
        fee_basis_points=batch.fee_basis_points,
        dispute_basis_points=batch.dispute_basis_points,
        topup_basis_points=batch.topup_basis_points,
    )


GIVEN_BACK = ("refund", "release", "quarantine")
COUNTS = ("leased", "submitted", "accepted", "rejected", "returned", "expired", "quarantined")


def counts(batch_id: int) -> dict[str, int]:
    """The batch's counts: the folded row plus the deltas not folded yet, exact without counting assignments."""
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in COUNTS)
    columns = ", ".join(COUNTS)
    row = one(
        f"SELECT {sums} FROM (SELECT {columns} FROM batches_progress WHERE batch_id = %s"
        f" UNION ALL SELECT {columns} FROM batches_progressdelta WHERE batch_id = %s) s",
        [batch_id, batch_id],
    )
    assert row is not None
    return {name: int(count) for name, count in zip(COUNTS, row, strict=True)}


def progress(batch: Batch) -> BatchProgress:
    """Where the batch stands now; `refunded_micros` is what went back and is not held again."""
    totals = imported(batch)
    added = MorePlaces.objects.filter(batch=batch).aggregate(places=Sum("places"))["places"] or 0
    moved = moved_by_kind(batch.pk)
    return BatchProgress(
        state=batch.state,
        tasks=totals["tasks"],
        places=totals["places"] + added,
        **counts(batch.pk),
        escrow_micros=balance(escrow_of(batch.public_id), batch.currency),
        disputes_micros=balance(disputes_of(batch.public_id), batch.currency),
        topup_reserve_micros=balance(topup_of(batch.public_id), batch.currency),
        paid_micros=moved.get("reward", 0) + moved.get("upheld", 0),
        bonus_micros=moved.get("bonus", 0),
        topup_micros=moved.get("topup", 0),
        fees_micros=moved.get("fee", 0),
        refunded_micros=sum(moved.get(kind, 0) for kind in GIVEN_BACK) - moved.get("rehold", 0),
    )
