"""Celery entry points of assignments: sweeps that may run twice, late or never."""

from typing import Any

from celery import shared_task

from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.transactions import one_transaction
from workers.assignments.commands.decide import apply_due, finish_batch
from workers.assignments.commands.pay import GROUP
from workers.assignments.commands.pay import settle_due as settle

ROUNDS = 40


@shared_task
def apply_due_everywhere(**_: Any) -> None:
    """Expire leases and accept answers whose time has passed."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            changed = apply_due()
        if not changed:
            return


@shared_task
def settle_due(**_: Any) -> None:
    """Pay what is due, in groups."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            paid = settle()
        if paid < GROUP:
            return


@shared_task
def finish_batches(**_: Any) -> None:
    """Close batches whose work is done and settle those whose answers are decided and paid."""
    running = Batch.objects.filter(
        settled_at=None, state__in=[BatchState.PUBLISHED, BatchState.CLOSING, BatchState.CANCELLED]
    )
    for batch_id in running.values_list("pk", flat=True):
        with one_transaction(principal="system"):
            finish_batch(batch_id=batch_id)
