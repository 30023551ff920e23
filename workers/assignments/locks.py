"""The only place of this app that locks rows. Order: worker → batch → task → assignment → ledger accounts."""

from typing import Any
from uuid import UUID

from marketplace.common.database import rows


def own_assignment_for_update(worker_id: int, public_id: UUID) -> tuple[int, str] | None:
    """One assignment of the worker's as (id, state)."""
    found = rows(
        "SELECT id, state FROM assignments_assignment WHERE worker_id = %s AND public_id = %s FOR NO KEY UPDATE",
        [worker_id, public_id],
    )
    return (found[0][0], found[0][1]) if found else None


def submitted_for_update(batch_id: int, public_ids: list[UUID] | None, limit: int) -> list[tuple[int, int, int]]:
    """Submitted assignments of a batch as (id, task, worker), by id: the named ones, or any that nobody else holds and
    that do not wait for a decision of their own."""
    if public_ids is None:
        return rows(
            "SELECT id, task_id, worker_id FROM assignments_assignment WHERE batch_id = %s AND state = 'submitted'"
            " AND NOT assignments_is_held(worker_id, batch_id, auto_accept_at, (SELECT market_now()))"
            " ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [batch_id, limit],
        )
    return rows(
        "SELECT id, task_id, worker_id FROM assignments_assignment WHERE batch_id = %s AND state = 'submitted'"
        " AND public_id = ANY(%s) ORDER BY id LIMIT %s FOR NO KEY UPDATE",
        [batch_id, public_ids, limit],
    )


def tasks_of(batch_id: int, public_ids: list[UUID]) -> list[int]:
    """The tasks of the named assignments of a batch, to be locked before them; locks nothing itself."""
    found = rows(
        "SELECT task_id FROM assignments_assignment WHERE batch_id = %s AND public_id = ANY(%s)",
        [batch_id, public_ids],
    )
    return [row[0] for row in found]


def people_of(batch_id: int, public_ids: list[UUID]) -> None:
    """The workers of the named assignments of a batch, and the accounts that stand for their persons, under FOR NO KEY
    UPDATE, by id: nobody of them claims or submits meanwhile."""
    rows(
        "SELECT w.id FROM profiles_worker w WHERE w.id IN (SELECT unnest(ARRAY[a.worker_id, o.person_id])"
        " FROM assignments_assignment a JOIN profiles_worker o ON o.id = a.worker_id"
        " WHERE a.batch_id = %s AND a.public_id = ANY(%s)) ORDER BY w.id FOR NO KEY UPDATE OF w",
        [batch_id, public_ids],
    )


def overdue_leases(batch_id: int | None, limit: int) -> list[int]:
    """Leases past their end, locked with their workers and tasks. What another transaction holds is left to the next
    sweep: a sweep never waits, because it holds many at once."""
    found = rows(
        "SELECT id, task_id, worker_id, person_id FROM assignments_assignment WHERE state = 'leased'"
        " AND lease_until <= (SELECT market_now()) AND (%s::bigint IS NULL OR batch_id = %s)"
        " ORDER BY lease_until LIMIT %s",
        [batch_id, batch_id, limit],
    )
    return _held(found, "AND lease_until <= market_now()")


def leases_of_batch(batch_id: int, limit: int) -> list[int]:
    """Live leases of a batch, locked with their workers and tasks, for a cancellation; some may be left for later."""
    found = rows(
        "SELECT id, task_id, worker_id, person_id FROM assignments_assignment WHERE batch_id = %s AND state = 'leased'"
        " ORDER BY random() LIMIT %s",
        [batch_id, limit],
    )
    return _held(found, "")


def idle_workers(worker_ids: list[int]) -> list[int]:
    """Those of the workers who are not busy, held with the accounts that stand for their persons as by
    `worker_for_update`, in the order given. Nobody is waited for."""
    if not worker_ids:
        return []
    people = dict(rows("SELECT id, person_id FROM profiles_worker WHERE id = ANY(%s)", [worker_ids]))
    held = {
        row[0]: row[1]
        for row in rows(
            "SELECT id, person_id FROM profiles_worker WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [sorted({*people, *people.values()})],
        )
    }
    # Whoever was linked to another person meanwhile is left for the next look.
    return [one for one in worker_ids if one in held and held[one] == people[one] and people[one] in held]


def _held(found: list[tuple[Any, ...]], still: str) -> list[int]:
    if not found:
        return []
    # The counts of what a person uses change with his leases, so whoever ends those holds the person.
    people = {
        row[0]
        for row in rows(
            "SELECT id FROM profiles_worker WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [sorted({row[2] for row in found} | {row[3] for row in found})],
        )
    }
    found = [row for row in found if row[2] in people and row[3] in people]
    tasks = rows(
        "SELECT id FROM batches_task WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [sorted({row[1] for row in found})],
    )
    return [
        row[0]
        for row in rows(
            "SELECT id FROM assignments_assignment WHERE id = ANY(%s) AND task_id = ANY(%s) AND state = 'leased'"
            f" {still} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [[row[0] for row in found], [row[0] for row in tasks]],
        )
    ]


def submitted_past_deadline(
    batch_id: int | None, limit: int, *, worker_id: int | None = None
) -> list[tuple[int, int, int]]:
    """Submitted assignments whose time for a decision has passed and that no hold keeps, as (id, worker, batch)."""
    return rows(
        "SELECT id, worker_id, batch_id FROM assignments_assignment WHERE state = 'submitted'"
        " AND auto_accept_at <= (SELECT market_now()) AND (%s::bigint IS NULL OR batch_id = %s)"
        " AND (%s::bigint IS NULL OR worker_id = %s)"
        " AND NOT assignments_is_held(worker_id, batch_id, auto_accept_at, (SELECT market_now()))"
        " ORDER BY auto_accept_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
        [batch_id, batch_id, worker_id, worker_id, limit],
    )


def due_settlements(worker_id: int | None, batch_id: int | None, limit: int) -> list[tuple[Any, ...]]:
    """Unpaid settlements: (assignment, batch, batch public id, worker, worker public id, currency, price, fee, whether
    it is paid from what lies aside for disputes)."""
    return rows(
        "SELECT s.assignment_id, s.batch_id, b.public_id, s.worker_id, w.public_id, b.currency, s.price_micros,"
        " s.fee_micros, s.from_disputes FROM assignments_settlement s JOIN batches_batch b ON b.id = s.batch_id"
        " JOIN profiles_worker w ON w.id = s.worker_id WHERE s.settled_at IS NULL"
        " AND (%s::bigint IS NULL OR s.worker_id = %s) AND (%s::bigint IS NULL OR s.batch_id = %s)"
        " ORDER BY s.assignment_id LIMIT %s FOR NO KEY UPDATE OF s SKIP LOCKED",
        [worker_id, worker_id, batch_id, batch_id, limit],
    )


def rejected_for_update(batch_id: int, public_ids: list[UUID]) -> list[tuple[int, int, UUID]]:
    """The named rejected assignments of a batch as (id, worker, public id), by id."""
    return rows(
        "SELECT id, worker_id, public_id FROM assignments_assignment WHERE batch_id = %s AND state = 'rejected'"
        " AND public_id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
        [batch_id, public_ids],
    )


def topups_due(batch_id: int, limit: int) -> list[tuple[Any, ...]]:
    """Unpaid top-ups of a batch: (id, public id, worker's public id, amount, fee); what another payment holds is left
    to it."""
    return rows(
        "SELECT x.id, x.public_id, w.public_id, x.amount_micros, x.fee_micros FROM assignments_extra x"
        " JOIN profiles_worker w ON w.id = x.worker_id WHERE x.batch_id = %s AND x.settled_at IS NULL"
        " ORDER BY x.id LIMIT %s FOR NO KEY UPDATE OF x SKIP LOCKED",
        [batch_id, limit],
    )


def refunds_due(batch_id: int | None, limit: int) -> list[int]:
    """Quarantined tasks that wait for a refund, locked with their batches (shared); a sweep never waits."""
    found = rows(
        "SELECT task_id, batch_id FROM assignments_quarantine WHERE due AND (%s::bigint IS NULL OR batch_id = %s)"
        " ORDER BY batch_id, task_id LIMIT %s",
        [batch_id, batch_id, limit],
    )
    if not found:
        return []
    batches = rows(
        "SELECT id FROM batches_batch WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE SKIP LOCKED",
        [sorted({row[1] for row in found})],
    )
    open_batches = {row[0] for row in batches}
    tasks = rows(
        "SELECT id FROM batches_task WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
        [[row[0] for row in found if row[1] in open_batches]],
    )
    return [row[0] for row in tasks]


def live_holds(worker_id: int, batch_id: int) -> list[tuple[int, Any]]:
    """Holds on the worker's answers in the batch that have not ended, as (id, until)."""
    return rows(
        "SELECT id, until FROM assignments_hold WHERE worker_id = %s AND batch_id = %s AND ended_at IS NULL"
        " AND until > (SELECT market_now()) ORDER BY id FOR NO KEY UPDATE",
        [worker_id, batch_id],
    )
