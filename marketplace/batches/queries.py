"""Reads of batches; requesters see their own only."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Case, Field, OuterRef, QuerySet, Subquery, Sum, TextField, UUIDField, When

from marketplace.accounts.models import Requester, Sanction, Where
from marketplace.accounts.queries import own_of
from marketplace.batches.costs import Hold, fee_of, hold_for
from marketplace.batches.models import Batch, Import
from marketplace.batches.states import BatchState, ImportState
from marketplace.common.database import one, rows
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
    return sanctions.annotate(place=_of_place(UUIDField(), "public_id", "public_id"))


def with_place_names(sanctions: QuerySet[Sanction]) -> QuerySet[Sanction]:
    """Sanctions with `place_name`: what the batch, project or organisation is called that each reaches. For staff."""
    return sanctions.annotate(place_name=_of_place(TextField(), "name", "name"))


def with_requesters(sanctions: QuerySet[Sanction]) -> QuerySet[Sanction]:
    """Sanctions with `requester_name`: whose work each reaches; nothing for the platform."""
    return sanctions.annotate(requester_name=_of_place(TextField(), "requester__name", "name"))


def _of_place(kind: "Field[Any, Any]", of_work: str, of_requester: str) -> Case:
    """A column of the batch or project that a sanction reaches, or of the organisation; none for the platform."""
    reached = {
        Where.BATCH: Batch.objects.values(of_work),
        Where.PROJECT: Project.objects.values(of_work),
        Where.REQUESTER: Requester.objects.values(of_requester),
    }
    found = [
        When(scope=scope, then=Subquery(rows.filter(pk=OuterRef("scope_id"))[:1])) for scope, rows in reached.items()
    ]
    return Case(*found, default=None, output_field=kind)


def batches_of(user_id: int) -> QuerySet[Batch]:
    """The batches of every organisation that the user is a member of."""
    return Batch.objects.filter(requester__members__user_id=user_id)


def batch_for(user_id: int, public_id: UUID, *, at_least: str = "viewer") -> Batch:
    """The user's batch; raises `NotFound` for another's as for none, `Forbidden` below the role."""
    known = Batch.objects.select_related("requester", "project", "version")
    return own_of(known, user_id, public_id, at_least=at_least, what="batch")


def any_batch(public_id: UUID) -> Batch:
    """A batch as staff may know it. Raises `NotFound`."""
    known = Batch.objects.select_related("requester", "project", "version", "pilot")
    batch = known.filter(public_id=public_id).first()
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


def tasks_called(batch_id: int, names: Iterable[str]) -> dict[str, int]:
    """Ids of the batch's tasks by their external ids, in order of the ids. What no task is called, or could be, is left
    out: names come from addresses and forms, which can hold what no table can."""
    possible = [name for name in names if "\0" not in name]
    return dict(
        rows(
            "SELECT external_id, id FROM batches_task WHERE batch_id = %s AND external_id = ANY(%s) ORDER BY id",
            [batch_id, possible],
        )
    )


def unfinished_import(batch_id: int) -> Import | None:
    """The import into the batch that is not finished, if there is one."""
    return Import.objects.filter(batch_id=batch_id, finished_at=None).first()


def imported(batch: Batch) -> dict[str, int]:
    """Totals over the batch's imports that are done: tasks, gold_tasks, reserved_tasks, places."""
    names = ("tasks", "gold_tasks", "reserved_tasks", "places")
    sums = Import.objects.filter(batch=batch, state=ImportState.DONE).aggregate(**{name: Sum(name) for name in names})
    return {name: sums[name] or 0 for name in names}


@dataclass(frozen=True)
class Held:
    """What a batch has."""

    tasks: int
    places: int


def held_by(batch: Batch) -> Held:
    """How many tasks and places the batch has.

    Counted by triggers, so that a hold covers every place whatever way its task came in. What is on its way in, or out
    again, is not shown; no batch is published meanwhile.
    """
    found = one(
        "SELECT l.tasks - coalesce(sum(i.tasks), 0), l.places - coalesce(sum(i.places), 0) FROM batches_tail l"
        " LEFT JOIN batches_import i ON i.batch_id = l.batch_id AND i.finished_at IS NULL"
        " WHERE l.batch_id = %s GROUP BY l.tasks, l.places",
        [batch.pk],
    )
    return Held(*map(int, found or (0, 0)))


def keys_in(batch: Batch) -> int:
    """How many of the batch's tasks are its requester's gold; an import that is not finished is not counted."""
    [(keys,)] = rows(
        "SELECT batches_keys_in(%s) - coalesce(sum(gold_tasks), 0) FROM batches_import"
        " WHERE batch_id = %s AND finished_at IS NULL",
        [batch.pk, batch.pk],
    )
    return max(0, int(keys))


@dataclass(frozen=True)
class Lacks:
    """What a batch that was published leaves undone, and no other goes on with: tasks, and places of theirs that nobody
    has. Those in quarantine and those reserved for somebody are counted apart. `begun` of the tasks have answers, or
    somebody at them; `gold` is how many of the requester's keys nobody has been shown."""

    tasks: int
    places: int
    begun: int
    quarantined: int
    quarantined_places: int
    quarantined_begun: int
    reserved: int
    gold: int


def lacks(batch: Batch) -> Lacks:
    """What another batch would go on with; a hint, as long as the batch takes work."""
    return Lacks(*map(int, rows("SELECT * FROM batches_lacks(%s)", [batch.pk])[0]))


def goes_on_in(batch: Batch) -> QuerySet[Batch]:
    """The batches that go on with this one, the oldest first; no draft that was given up."""
    return batch.continued_by.exclude(state=BatchState.CANCELLED, published_at=None).order_by("pk")


def places_with(batch: Batch, overlap: int, held: Held) -> int:
    """How many places the draft would have with another overlap; tasks that came with one of their own keep it."""
    if overlap == batch.overlap:
        return held.places
    [(alike,)] = rows(
        "SELECT count(*) FROM batches_task WHERE batch_id = %s AND overlap = %s", [batch.pk, batch.overlap]
    )
    return held.places + int(alike) * (overlap - batch.overlap)


def estimate(batch: Batch, *, if_terms: dict[str, int] | None = None) -> Estimate:
    """What publishing the batch would hold, and how much of it the requester lacks; with other terms of money or
    another overlap, if they are given: price_micros, overlap, dispute_basis_points, topup_basis_points."""
    held = held_by(batch)
    places = held.places
    if if_terms:
        asked = copy(batch)
        for name, term in if_terms.items():
            setattr(asked, name, term)
        asked.fee_micros = fee_of(asked.price_micros, batch.fee_basis_points, batch.fee_minimum_micros)
        places, batch = places_with(batch, asked.overlap, held), asked
    hold = hold_of(batch, places)
    funds = balance(funds_of(batch.requester.public_id), batch.currency)
    return Estimate(
        tasks=held.tasks,
        gold_tasks=keys_in(batch),
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


@dataclass(frozen=True)
class Overview:
    """A batch in a list: what it has, how far it is, and what was paid for it so far, with fees."""

    tasks: int
    places: int
    answered: int
    accepted: int
    spent_micros: int

    @property
    def done(self) -> float:
        """The share of places that have an answer."""
        return min(1.0, self.answered / self.places) if self.places else 0.0


def overviews(batch_ids: Collection[int]) -> dict[int, Overview]:
    """The batches in one statement, by their keys; an import that is not finished is counted."""
    return {
        pk: Overview(*map(int, figures))
        for pk, *figures in rows(
            "SELECT b.id, coalesce(l.tasks, 0), coalesce(l.places, 0), p.answered, p.accepted, s.spent"
            " FROM unnest(%s::bigint[]) b (id) LEFT JOIN batches_tail l ON l.batch_id = b.id"
            " CROSS JOIN LATERAL (SELECT coalesce(sum(d.submitted + d.accepted + d.rejected), 0) AS answered,"
            "  coalesce(sum(d.accepted), 0) AS accepted FROM ("
            "   SELECT submitted, accepted, rejected FROM batches_progress WHERE batch_id = b.id UNION ALL"
            "   SELECT submitted, accepted, rejected FROM batches_progressdelta WHERE batch_id = b.id) d) p"
            " CROSS JOIN LATERAL (SELECT coalesce(sum(t.amount_micros), 0) AS spent FROM ledger_transfer t"
            "  WHERE t.batch_id = b.id AND t.kind = ANY(%s)) s",
            [list(batch_ids), list(SPENT)],
        )
    }


SPENT = ("reward", "upheld", "bonus", "topup", "fee")
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


@dataclass(frozen=True)
class Standing:
    """Where one of an organisation's batches stands, for lists of many."""

    public_id: UUID
    name: str
    state: str
    pause_reason: str
    project: str
    places: int
    leased: int
    submitted: int
    accepted: int
    rejected: int

    @property
    def answered(self) -> int:
        """Places that have an answer, judged or not."""
        return self.submitted + self.accepted + self.rejected


def standings(requester_id: int, *, limit: int = 200) -> list[Standing]:
    """The organisation's batches that are not over, the newest first; in one statement, however many they are."""
    found = rows(
        "SELECT b.public_id, b.name, b.state, b.pause_reason, p.name,"
        " (SELECT coalesce(sum(i.places), 0) FROM batches_import i WHERE i.batch_id = b.id AND i.state = 'done')"
        "  + (SELECT coalesce(sum(m.places), 0) FROM batches_moreplaces m WHERE m.batch_id = b.id),"
        " coalesce(sum(d.leased), 0), coalesce(sum(d.submitted), 0), coalesce(sum(d.accepted), 0),"
        " coalesce(sum(d.rejected), 0)"
        " FROM batches_batch b JOIN projects_project p ON p.id = b.project_id LEFT JOIN LATERAL ("
        f"  SELECT {', '.join(COUNTS)} FROM batches_progress WHERE batch_id = b.id"
        f"  UNION ALL SELECT {', '.join(COUNTS)} FROM batches_progressdelta WHERE batch_id = b.id) d ON true"
        " WHERE b.requester_id = %s AND b.state NOT IN ('settled', 'cancelled')"
        " GROUP BY b.id, p.id ORDER BY b.id DESC LIMIT %s",
        [requester_id, limit],
    )
    return [Standing(*row[:5], *map(int, row[5:])) for row in found]


@dataclass(frozen=True)
class BatchAnswers:
    """How many answers a batch has; all of them were given under its version."""

    public_id: UUID
    name: str
    state: str
    answers: int


@dataclass(frozen=True)
class VersionAnswers:
    """How many answers were given under a version of a project. They are stale when a later one is published."""

    version: int
    stale: bool
    batches: tuple[BatchAnswers, ...]

    @property
    def answers(self) -> int:
        return sum(batch.answers for batch in self.batches)


def answers_by_version(project: Project) -> list[VersionAnswers]:
    """For each version of the project, by rising number, its batches and their answers."""
    found = rows(
        "SELECT b.version_id, b.public_id, b.name, b.state,"
        " coalesce(sum(d.submitted + d.accepted + d.rejected), 0)::bigint"
        " FROM batches_batch b LEFT JOIN LATERAL ("
        "  SELECT submitted, accepted, rejected FROM batches_progress WHERE batch_id = b.id"
        "  UNION ALL SELECT submitted, accepted, rejected FROM batches_progressdelta WHERE batch_id = b.id) d ON true"
        " WHERE b.project_id = %s GROUP BY b.id ORDER BY b.id",
        [project.pk],
    )
    under: dict[int, list[BatchAnswers]] = defaultdict(list)
    for version_id, *of in found:
        under[version_id].append(BatchAnswers(*of))
    versions = list(project.versions.order_by("number").values_list("pk", "number", "published_at"))
    latest = max((number for _pk, number, published_at in versions if published_at), default=0)
    return [
        VersionAnswers(
            version=number,
            stale=number < latest and any(one.answers for one in under[pk]),
            batches=tuple(under[pk]),
        )
        for pk, number, _published_at in versions
    ]


def progress(batch: Batch) -> BatchProgress:
    """Where the batch stands now; `refunded_micros` is what went back and is not held again."""
    held = held_by(batch)
    moved = moved_by_kind(batch.pk)
    return BatchProgress(
        state=batch.state,
        tasks=held.tasks,
        places=held.places,
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
