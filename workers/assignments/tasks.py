"""Celery entry points of assignments: sweeps that may run twice, late or never."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import IntegrityError

from marketplace.batches.models import Batch
from marketplace.batches.states import BatchState
from marketplace.common.errors import DomainError
from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from workers.assignments.commands import quarantine, reserves, wanted
from workers.assignments.commands.decide import apply_due, finish_batch
from workers.assignments.commands.pay import GROUP
from workers.assignments.commands.pay import settle_due as settle
from workers.assignments.commands.waiting import forget_gone
from workers.assignments.matching import match_due
from workers.assignments.queries import batches_with_refunds_due, disputes_over

logger = logging.getLogger("touchstone.assignments")
ROUNDS = 40


@sweep
def apply_due_everywhere(**_: Any) -> None:
    """Expire leases and accept answers whose time has passed."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            changed = apply_due()
            if changed:
                got_on()
        if not changed:
            return


@sweep
def match_waiting(**_: Any) -> None:
    """Give open places to those who wait for them, and forget who does not wait any more."""
    match_due()
    with one_transaction(principal="system"):
        forget_gone()


@sweep
def settle_due(**_: Any) -> None:
    """Pay what is due, in groups."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            paid = settle()
            if paid:
                got_on()
        if paid < GROUP:
            return


@sweep
def refund_quarantined(**_: Any) -> None:
    """Pause batches that have many broken tasks, then refund what is due.

    In this order, for a refund that is due says which batches to look at: after a crash in between, it still is."""
    for batch_id in batches_with_refunds_due():
        with one_transaction(principal="system"):
            quarantine.pause_if_broken(batch_id=batch_id)
    _refund()


@sweep
def finish_batches(**_: Any) -> None:
    """Close batches whose work is done and settle those whose answers are decided and paid."""
    _refund()
    running = Batch.objects.filter(
        settled_at=None, state__in=[BatchState.PUBLISHED, BatchState.CLOSING, BatchState.CANCELLED]
    )
    for batch_id in running.order_by("pk").values_list("pk", flat=True):
        _each_alone("finish", finish_batch, batch_id)


@sweep
def release_disputes(**_: Any) -> None:
    """Give back what lies aside for disputes where nothing can be contested any more."""
    for batch_id in disputes_over(ROUNDS):
        _each_alone("release", reserves.release_disputes, batch_id)


@sweep
def do_wanted(**_: Any) -> None:
    """Do what quality rules want done about answers, one by one; what cannot be done is said and not tried again."""
    for _round in range(ROUNDS):
        try:
            with one_transaction(principal="system"):
                did = wanted.do_wanted()
                if did:
                    got_on()
        except wanted.NotDone as refusal:
            if not isinstance(refusal.__cause__, DomainError):
                logger.exception("could not do what a rule wanted: %s", refusal.wanted_id)
            with one_transaction(principal="system"):
                wanted.say_not_done(wanted_id=refusal.wanted_id, why=str(refusal))
                got_on()
            continue
        if not did:
            return


def _each_alone(what: str, command: Callable[..., bool], batch_id: int) -> None:
    """One batch; what the database refuses of it is said, and does not stand in the way of the others."""
    try:
        with one_transaction(principal="system"):
            if command(batch_id=batch_id):
                got_on()
    except IntegrityError:
        logger.exception("could not %s batch %s", what, batch_id)


def _refund() -> None:
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            refunded = quarantine.refund_quarantined()
            if refunded:
                got_on()
        if refunded < quarantine.GROUP:
            return
