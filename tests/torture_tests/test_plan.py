"""The fault plan is drawn once and says what will happen."""

import pytest

from tests.torture.faults import FAULTS
from tests.torture.plan import KILLS, OTHERS, counts, draw


def test_a_seed_draws_the_same_plan_again_and_another_seed_another() -> None:
    assert draw(seed=7, seconds=60, kills=10) == draw(seed=7, seconds=60, kills=10)
    assert draw(seed=7, seconds=60, kills=10) != draw(seed=8, seconds=60, kills=10)


@pytest.mark.parametrize("seed", range(20))
def test_a_minute_has_ten_kills_three_of_them_postgresql_and_nothing_outside_its_time(seed: int) -> None:
    plan = draw(seed=seed, seconds=60, kills=10)

    assert sum(fault.kills for fault in plan) == 10
    assert counts(plan)["kill_postgres"] == 3
    others = [fault.kind for fault in plan if fault.kills and fault.kind != "kill_postgres"]
    # None of them comes twice before each came once.
    assert len(set(others)) == len(others) == 7 and set(others) <= set(KILLS)
    assert all(0 < fault.at < 60 and fault.at + fault.seconds <= 61 for fault in plan)
    assert plan == sorted(plan, key=lambda fault: fault.at)


def test_a_soak_has_every_kind_of_fault() -> None:
    plan = draw(seed=1, seconds=1800, kills=200)

    assert sum(fault.kills for fault in plan) == 200
    assert set(counts(plan)) == {"kill_postgres", *KILLS, *OTHERS}


def test_every_kind_that_a_plan_may_hold_can_be_done() -> None:
    assert {"kill_postgres", *KILLS, *OTHERS} == set(FAULTS)
