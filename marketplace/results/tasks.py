"""Celery entry points of results."""

import logging
import time
from typing import Any

from django.db import InterfaceError, OperationalError

from marketplace.common.sweeps import got_on, sweep
from marketplace.common.transactions import one_transaction
from marketplace.results.commands.aggregate import aggregate
from marketplace.results.commands.consensus import EVENTS, consider, notice, offer_sure, put_off
from marketplace.results.commands.datasets import advance
from marketplace.results.commands.figures import keep_figures, take_figures
from marketplace.results.commands.holding import let_go, take_next
from marketplace.results.commands.rejections import apply_approved, lapse_reviews
from marketplace.results.commands.reviews import record_reviews as record
from marketplace.results.queries import settled_without_results
from marketplace.results.queries.consensus import batches_to_consider, next_to_consider
from marketplace.results.queries.figures import gather, worked_out

logger = logging.getLogger("touchstone.results")
ROUNDS = 40
# No step of a data set begins later in a turn: one may take 40 s, and tasks are killed after 60.
TURN_S = 8.0


@sweep
def aggregate_settled(**_: Any) -> None:
    """Make the final results of every settled batch that has none."""
    for batch_id in settled_without_results(limit=20):
        with one_transaction(principal="system"):
            aggregate(batch_id=batch_id, final=True)


@sweep
def follow_consensus(**_: Any) -> None:
    """Keep the consensus of every task up with its answers."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            seen = notice()
            if seen:
                got_on()
        if seen < EVENTS:
            break
    for batch_id in batches_to_consider():
        for _round in range(ROUNDS):
            try:
                done = _consider(batch_id)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                # One answer that cannot be compared must not stand in the way of all others.
                logger.exception("could not make the consensus of batch %s", batch_id)
                _one_by_one(batch_id)
                break
            if not done:
                break
        with one_transaction(principal="system"):
            offer_sure(batch_id=batch_id)


def _consider(batch_id: int, limit: int | None = None) -> int:
    with one_transaction(principal="system"):
        done = consider(batch_id=batch_id, limit=limit)
        if done:
            got_on()
    return done


def _one_by_one(batch_id: int) -> None:
    """Find out which tasks fail, and put them off."""
    for _round in range(ROUNDS):
        waiting = next_to_consider(batch_id)
        try:
            if not _consider(batch_id, limit=1):
                return
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            if not waiting:
                return
            with one_transaction(principal="system"):
                put_off(batch_id=batch_id, task_id=waiting[0])


@sweep
def follow_figures(**_: Any) -> None:
    """Keep up the figures of batches that somebody looks at, for a while."""
    until = time.monotonic() + TURN_S
    while time.monotonic() < until:
        with one_transaction(principal="system"):
            batch_id = take_figures()
        if batch_id is None:
            return
        try:
            make_figures(batch_id)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # It is tried again after a while, and stands in nobody's way.
            logger.exception("could not work out the figures of batch %s", batch_id)


def make_figures(batch_id: int) -> None:
    """Work the figures of a batch out, now: read in one transaction, and keep in another; nothing is locked between."""
    begun = time.monotonic()
    with one_transaction(principal="system"):
        found = gather(batch_id)
    look = worked_out(found)
    took_ms = round(1_000 * (time.monotonic() - begun))
    with one_transaction(principal="system"):
        keep_figures(batch_id=batch_id, look=look, seen=found.seen, took_ms=took_ms)


@sweep
def move_reviews(**_: Any) -> None:
    """Let approved reviews of rejections take effect, and close those in which nothing is left to decide."""
    with one_transaction(principal="system"):
        lapse_reviews()
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            done = apply_approved()
            if done:
                got_on()
        if not done:
            return


@sweep
def record_reviews(**_: Any) -> None:
    """Make final decisions of requesters part of reputations."""
    for _round in range(ROUNDS):
        with one_transaction(principal="system"):
            done = record()
            if done:
                got_on()
        if not done:
            return


@sweep
def build_datasets(**_: Any) -> None:
    """Take steps of the data set that has waited longest, for a while."""
    until = time.monotonic() + TURN_S
    while time.monotonic() < until:
        with one_transaction(principal="system"):
            it = take_next()
        if it is None:
            return
        try:
            for _step in advance(it):
                with one_transaction(principal="system"):
                    got_on()
                if time.monotonic() > until:
                    break
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # It goes behind the others, and fails for good after three tries.
            logger.exception("could not take a step of version %s of the data set of batch %s", it.number, it.batch_id)
        with one_transaction(principal="system"):
            let_go(it)
