"""Newcomers and all others meet gold apart, and it is looked for at every place, gold or not (R37, R38)."""

from collections import defaultdict

import pytest
from django.db.utils import ProgrammingError

from tests import factories as make
from tests.conftest import owner_connection

HALF = {"probation": 6, "probation_share": 0.5, "min_share": 0.5, "max_share": 0.5}
NONE = {"probation": 4, "probation_share": 0.0, "min_share": 0.0, "max_share": 0.0}
LOOKED = """
CREATE OR REPLACE FUNCTION assignments_gold_near(who assignments_claimer, p_first boolean) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'looked for gold'; END $$
"""


@pytest.mark.django_db
def test_a_key_that_newcomers_met_is_met_by_newcomers_alone() -> None:
    batch = make.make_batch(tasks=60, gold=24, overlap=5, gold_policy=HALF)
    met: dict[bool, set[str]] = defaultdict(set)
    for _ in range(5):
        worker = make.make_worker()
        for place in range(18):
            [lease] = make.take(worker, batch, 1, seed=place)
            make.answer(worker, [lease])
            if lease.data["text"].startswith("known"):
                met[place < HALF["probation"]].add(lease.data["text"])
    assert len(met[True]) >= 3 and len(met[False]) >= 3
    assert met[True] & met[False] == set()


@pytest.mark.parametrize("gold", [0, 3])
@pytest.mark.parametrize("taken_before", [0, 5])
def test_gold_is_looked_for_at_a_place_that_will_not_be_gold(committed: str, gold: int, taken_before: int) -> None:
    batch, worker = make.make_batch(tasks=12, gold=gold, gold_policy=NONE), make.make_worker()
    if taken_before:
        make.answer(worker, make.take(worker, batch, taken_before))
    with owner_connection(committed) as owner:
        owner.execute(LOOKED)
    with pytest.raises(ProgrammingError, match="looked for gold"):
        make.take(worker, batch, 1)
