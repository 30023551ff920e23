"""A gold task is shown to as many workers as its cap says, also when a place of it is open again (R37)."""

import pytest

from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.commands.leases import return_lease

pytestmark = pytest.mark.django_db
ALL_GOLD = {"probation": 20, "probation_share": 1.0}


def test_a_place_of_gold_that_was_given_back_is_shown_to_nobody_else_once_the_cap_is_reached() -> None:
    batch = make.make_batch(tasks=3, gold=1, overlap=2, gold_policy=ALL_GOLD)
    for _ in range(2):
        worker = make.make_worker()
        lease = make.take(worker, batch)[0]
        assert lease.data["text"] == "known animal 0"
        with one_transaction(principal="test"):
            return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token)
    third = make.take(make.make_worker(), batch, 4)
    assert sorted(lease.data["text"] for lease in third) == ["animal 0", "animal 1", "animal 2"]
    assert [finding.name for finding in check_promises() if finding.violations] == []
