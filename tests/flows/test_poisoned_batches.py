"""Batches with tasks that nobody can do: a few of them hold nothing up, many of them stop the batch (R19)."""

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import progress
from marketplace.batches.states import BatchState, PauseReason
from marketplace.batches.tasks import fold_progress
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import FEES, earned_by, escrow_of, funds_of
from marketplace.ledger.queries import balance, ledger_sum
from tests import factories as make
from tests.acts import broken
from workers.assignments.commands.leases import return_lease
from workers.assignments.errors import NothingToClaim
from workers.assignments.states import ReturnReason
from workers.assignments.tasks import apply_due_everywhere, finish_batches, refund_quarantined, settle_due
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
UNIT = make.PRICE + make.FEE
Forward = Callable[[timedelta], None]


def poisoned(tasks: int, every: int, **terms: int) -> Batch:
    """A batch in which the first of every so many tasks is poison, or the first three of every five."""
    batch = make.make_draft(time_limit_s=60, auto_accept_s=600, **terms)
    make.add_rows(
        batch,
        (
            {"external_id": f"t{n}", "data": {"text": "poison" if n % every < (3 if every == 5 else 1) else "good"}}
            for n in range(tasks)
        ),
    )
    return make.published(batch)


class Crowd:
    """Workers who answer good tasks, and give poison back as broken or let it run out."""

    def __init__(self, batch: Batch, workers: int, clock: Forward) -> None:
        self.batch, self.clock, self.chance = batch, clock, Random(7)
        self.workers = [make.make_worker() for _ in range(workers)]

    def round(self) -> int:
        """Each takes a page and does what he does; then the leases left lying run out. How many pages there were."""
        pages = 0
        for worker in self.workers:
            try:
                page = make.take(worker, self.batch, 5, seed=self.chance.randrange(10**6))
            except (BatchNotOpen, NothingToClaim):
                continue
            pages += 1
            good = [lease for lease in page if lease.data["text"] == "good"]
            if good:
                make.answer(worker, good)
            for lease in page:
                if lease.data["text"] == "poison" and self.chance.random() < 0.5:
                    self._give_back(worker, lease.id, lease.token)
        self.clock(timedelta(seconds=61))
        for sweep in (apply_due_everywhere, refund_quarantined, settle_due, fold_progress, finish_batches):
            sweep()
        self.batch.refresh_from_db()
        return pages

    def _give_back(self, worker: Worker, assignment: object, token: object) -> None:
        with one_transaction(principal="test"):
            return_lease(
                worker_id=worker.pk,
                assignment=assignment,  # type: ignore[arg-type]
                token=token,  # type: ignore[arg-type]
                reason=ReturnReason.BROKEN,
            )


def test_a_batch_with_one_poisoned_task_in_twenty_completes(clock: Forward) -> None:
    batch = poisoned(200, every=20, overlap=2)
    before = balance(funds_of(batch.requester.public_id), "EUR")
    crowd = Crowd(batch, 14, clock)
    for _round in range(60):
        crowd.round()
        assert batch.state != BatchState.PAUSED
        assert broken() == []
        if batch.state == BatchState.SETTLED:
            break
    assert batch.state == BatchState.SETTLED

    told = progress(batch)
    assert (told.quarantined, told.accepted, told.leased, told.submitted) == (10, 380, 0, 0)
    poison = Task.objects.filter(payload__data__text="poison")
    assert set(poison.values_list("refunded", "taken")) == {(2, 0)}
    assert min(poison.values_list("attempts", flat=True)) == 5
    assert not Task.objects.filter(payload__data__text="good", quarantined_at__isnull=False).exists()
    # 190 good tasks with two places each are paid; the twenty places of the others went back.
    assert (told.paid_micros, told.fees_micros) == (380 * make.PRICE, 380 * make.FEE)
    assert told.refunded_micros == 20 * UNIT
    assert balance(escrow_of(batch.public_id), "EUR") == 0
    assert balance(funds_of(batch.requester.public_id), "EUR") - before == 20 * UNIT
    assert sum(balance(earned_by(worker.public_id), "EUR") for worker in crowd.workers) == 380 * make.PRICE
    assert balance(FEES, "EUR") == 380 * make.FEE
    assert ledger_sum() == 0


def test_a_batch_that_is_mostly_poison_pauses_and_pays_what_was_done(clock: Forward) -> None:
    batch = poisoned(100, every=5, overlap=2)
    before = balance(funds_of(batch.requester.public_id), "EUR")
    crowd = Crowd(batch, 14, clock)
    for _round in range(40):
        crowd.round()
        assert broken() == []
        if batch.state != BatchState.PUBLISHED:
            break
    assert (batch.state, batch.pause_reason) == (BatchState.PAUSED, PauseReason.BROKEN_TASKS)
    stopped = progress(batch)
    assert stopped.quarantined >= 10
    done = stopped.submitted + stopped.accepted
    assert done > 0

    clock(timedelta(seconds=600))
    with one_transaction(principal="test"):
        close_batch(batch_id=batch.pk)
    for _round in range(4):
        crowd.round()
    assert batch.state == BatchState.SETTLED
    told = progress(batch)
    assert (told.accepted, told.paid_micros) == (done, done * make.PRICE)
    assert balance(funds_of(batch.requester.public_id), "EUR") - before == (200 - done) * UNIT
    assert ledger_sum() == 0
    assert broken() == []
