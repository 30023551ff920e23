"""Whoever is under the sanction `extra_gold` meets twice as much gold from then on, and nobody else does."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose
from marketplace.batches.models import Batch
from marketplace.common.database import value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
POLICY = {"probation": 20, "probation_share": 0.2}


def sanction(worker: Worker, scope: str, scope_id: int | None) -> None:
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    with one_transaction(principal="test"):
        impose(
            user_id=worker.user_id,
            scope=scope,
            scope_id=scope_id,
            measure="extra_gold",
            reason="low_accuracy",
            words="You will be checked more often.",
            evidence={"gold_accuracy": 0.4},
            life=timedelta(hours=1),
            made_by=staff.pk,
        )


def gold_drawn(worker: Worker, batch: Batch) -> int:
    """How many of the first twenty places are to be gold; the first may have been."""
    make.take(worker, batch)
    ahead = value(
        "SELECT cardinality(gold_positions) FROM gold_schedule WHERE worker_id = %s AND batch_id = %s",
        [worker.pk, batch.pk],
    )
    return int(ahead)


@pytest.mark.parametrize("scope", ["batch", "project", "requester", "platform"])
def test_the_share_is_doubled_within_the_reach_of_the_sanction(scope: str) -> None:
    batch = make.make_batch(tasks=30, gold=10, gold_policy=POLICY)
    ids = {"batch": batch.pk, "project": batch.project_id, "requester": batch.requester_id, "platform": None}
    worker, other = make.make_worker(), make.make_worker()
    sanction(worker, scope, ids[scope])
    assert gold_drawn(worker, batch) in (7, 8)
    assert gold_drawn(other, batch) in (3, 4)
    elsewhere = make.make_batch(tasks=30, gold=10, gold_policy=POLICY)
    assert gold_drawn(worker, elsewhere) in ((7, 8) if scope == "platform" else (3, 4))


def test_it_ends_with_the_sanction(clock: Callable[[timedelta], None]) -> None:
    batch, worker = make.make_batch(tasks=30, gold=10, gold_policy=POLICY), make.make_worker()
    sanction(worker, "batch", batch.pk)
    clock(timedelta(hours=2))
    assert gold_drawn(worker, batch) in (3, 4)
