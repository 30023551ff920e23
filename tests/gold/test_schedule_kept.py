"""A worker's schedule of gold goes on where his last claim left it."""

import pytest

from marketplace.batches.models import Batch
from marketplace.common.database import rows
from tests import factories as make
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
GOLD_FIRST = {"probation": 2, "probation_share": 1.0, "min_share": 0.0, "max_share": 0.0}


def met(worker: Worker, batch: Batch, page: int, pages: int) -> list[bool]:
    """Whether each place of so many pages was gold; every page is answered before the next is asked for."""
    flags = []
    for _ in range(pages):
        leases = make.take(worker, batch, page)
        assert len(leases) == page
        flags += [lease.data["text"].startswith("known") for lease in leases]
        make.answer(worker, leases)
    return flags


@pytest.mark.parametrize(("page", "pages"), [(1, 6), (2, 3), (3, 2), (6, 1)])
def test_gold_is_met_at_the_positions_drawn_however_the_places_are_taken(page: int, pages: int) -> None:
    batch = make.make_batch(tasks=20, gold=20, gold_policy=GOLD_FIRST)
    assert sorted(met(make.make_worker(), batch, page, pages), reverse=True) == [True] * 2 + [False] * 4
    assert rows("SELECT position FROM gold_schedule") == [(6,)]


def test_each_worker_has_a_schedule_of_his_own_in_each_batch() -> None:
    batch, other = (make.make_batch(tasks=9, gold=9, gold_policy=GOLD_FIRST) for _ in range(2))
    first, second = make.make_worker(), make.make_worker()
    assert met(first, batch, 1, 3) == [True, True, False]
    assert met(second, batch, 1, 3) == [True, True, False]
    assert met(first, other, 1, 3) == [True, True, False]


def test_a_claim_that_only_repeats_moves_the_schedule_by_nothing() -> None:
    batch, worker = make.make_batch(tasks=9, gold=9, gold_policy=GOLD_FIRST), make.make_worker()
    make.take(worker, batch, 2)
    for _ in range(3):
        make.take(worker, batch, 2)
    assert rows("SELECT position FROM gold_schedule") == [(2,)]
