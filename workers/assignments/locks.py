"""The only place of this app that locks rows. Order: worker → batch → task → assignment → ledger accounts."""

from typing import Any
from uuid import UUID

from marketplace.common.database import rows


def own_assignments_for_update(worker_id: int, public_ids: list[UUID]) -> list[tuple[Any, ...]]:
    """The worker's assignments among these: (id, public id, task, batch, project, interface, state), by id."""
    return rows(
        "SELECT a.id, a.public_id, a.task_id, a.batch_id, b.project_id, v.interface, a.state"
        " FROM assignments_assignment a JOIN batches_batch b ON b.id = a.batch_id"
        " JOIN projects_version v ON v.id = a.version_id"
        " WHERE a.worker_id = %s AND a.public_id = ANY(%s) ORDER BY a.id FOR NO KEY UPDATE OF a",
        [worker_id, public_ids],
    )


def submitted_for_update(batch_id: int, public_ids: list[UUID] | None, limit: int) -> list[tuple[int, int, int]]:
    """Submitted assignments of a batch as (id, task, worker), by id: the named ones, or any that nobody else holds."""
    if public_ids is None:
        return rows(
            "SELECT id, task_id, worker_id FROM assignments_assignment WHERE batch_id = %s AND state = 'submitted'"
            " ORDER BY id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
            [batch_id, limit],
        )
    return rows(
        "SELECT id, task_id, worker_id FROM assignments_assignment WHERE batch_id = %s AND state = 'submitted'"
        " AND public_id = ANY(%s) ORDER BY id LIMIT %s FOR NO KEY UPDATE",
        [batch_id, public_ids, limit],
    )


def overdue_leases(batch_id: int | None, limit: int) -> list[int]:
    """Leases past their end, locked with their tasks. What another transaction holds is left to the next sweep: a sweep
    never waits, because it holds many tasks at once."""
    found = rows(
        "SELECT id, task_id FROM assignments_assignment WHERE state = 'leased' AND lease_until <= market_now()"
        " AND (%s::bigint IS NULL OR batch_id = %s) ORDER BY lease_until LIMIT %s",
        [batch_id, batch_id, limit],
    )
    return _with_tasks([row[0] for row in found], [row[1] for row in found], "AND lease_until <= market_now()")


def leases_of_batch(batch_id: int, limit: int) -> list[int]:
    """All live leases of a batch, locked with their tasks, for a cancellation."""
    found = rows(
        "SELECT id, task_id FROM assignments_assignment WHERE batch_id = %s AND state = 'leased' LIMIT %s",
        [batch_id, limit],
    )
    return _with_tasks([row[0] for row in found], [row[1] for row in found], "")


def _with_tasks(ids: list[int], task_ids: list[int], still: str) -> list[int]:
    if not ids:
        return []
    held = rows(
        "SELECT id FROM batches_task WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED", [sorted(task_ids)]
    )
    return [
        row[0]
        for row in rows(
            "SELECT id FROM assignments_assignment WHERE id = ANY(%s) AND task_id = ANY(%s) AND state = 'leased'"
            f" {still} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            [ids, [row[0] for row in held]],
        )
    ]


def submitted_past_deadline(batch_id: int | None, limit: int) -> list[tuple[int, int, int]]:
    """Submitted assignments whose time for a decision has passed, as (id, worker, batch)."""
    return rows(
        "SELECT id, worker_id, batch_id FROM assignments_assignment WHERE state = 'submitted'"
        " AND auto_accept_at <= market_now() AND (%s::bigint IS NULL OR batch_id = %s)"
        " ORDER BY auto_accept_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED",
        [batch_id, batch_id, limit],
    )


def due_settlements(worker_id: int | None, batch_id: int | None, limit: int) -> list[tuple[Any, ...]]:
    """Unpaid settlements: (assignment, batch, batch public id, worker, worker public id, currency, price, fee)."""
    return rows(
        "SELECT s.assignment_id, s.batch_id, b.public_id, s.worker_id, w.public_id, b.currency, s.price_micros,"
        " s.fee_micros FROM assignments_settlement s JOIN batches_batch b ON b.id = s.batch_id"
        " JOIN profiles_worker w ON w.id = s.worker_id WHERE s.settled_at IS NULL"
        " AND (%s::bigint IS NULL OR s.worker_id = %s) AND (%s::bigint IS NULL OR s.batch_id = %s)"
        " ORDER BY s.assignment_id LIMIT %s FOR NO KEY UPDATE OF s SKIP LOCKED",
        [worker_id, worker_id, batch_id, batch_id, limit],
    )
