"""What a batch may cost, and what each answer gets on top: exact for every number there is (R9)."""

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.batches.commands.create import Terms, create_batch
from marketplace.batches.costs import (
    Platform,
    disputed_places,
    fee_of,
    hold_for,
    topup_limit,
)
from marketplace.batches.errors import TermsInvalid
from marketplace.batches.queries import estimate
from marketplace.common.database import value
from marketplace.common.money import share_rounded_up
from marketplace.common.transactions import one_transaction
from tests import factories as make

HOUR_MS = 3_600_000
prices = st.integers(1, 10**9)
shares = st.integers(0, 10_000)


@given(prices, shares, st.integers(0, 10**7))
def test_a_fee_is_its_share_and_the_minimum_at_least_and_has_no_steps(price: int, share: int, minimum: int) -> None:
    fee = fee_of(price, share, minimum)
    assert fee >= minimum
    assert fee >= Fraction(price * share, 10_000)
    assert fee == minimum or fee - Fraction(price * share, 10_000) < 1
    assert fee_of(price + 1, share, minimum) - fee <= 2


@given(st.integers(0, 10**6), prices, shares, shares, st.integers(0, 100_000))
def test_a_hold_covers_the_worst_case_and_its_lines_are_its_sum(
    places: int, price: int, fee_share: int, dispute_share: int, topup_share: int
) -> None:
    fee = fee_of(price, fee_share, 0)
    hold = hold_for(
        places=places,
        price_micros=price,
        fee_micros=fee,
        fee_basis_points=fee_share,
        dispute_basis_points=dispute_share,
        topup_basis_points=topup_share,
    )
    assert hold.total_micros == hold.reward_micros + hold.fee_micros + hold.disputes_micros + hold.topup_micros
    assert hold.escrow_micros == places * (price + fee)
    most = topup_limit(price, topup_share)
    # Whoever paid all answers in one sum, or each alone: what is aside is enough.
    for each in {0, most // 2, most}:
        assert places * each + share_rounded_up(places * each, fee_share) <= hold.topup_micros
    raised = most + share_rounded_up(most, fee_share)
    assert hold.disputes_micros == disputed_places(places, dispute_share) * (price + fee + raised)


@pytest.mark.django_db
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prices, st.integers(1, 10**9), st.integers(0, 7 * 24 * HOUR_MS), st.integers(0, 10**9))
def test_a_top_up_reaches_the_target_to_the_unit_or_its_limit(
    price: int, target: int, median_ms: int, limit: int
) -> None:
    each = value("SELECT assignments_topup_of(%s, %s, %s, %s)", [price, target, median_ms, limit])
    deserved = Fraction(target * median_ms, HOUR_MS)
    assert 0 <= each <= limit
    if 0 < each < limit:
        assert 0 <= price + each - deserved < 1
    if each == 0:
        assert price >= deserved or limit == 0
    if each == limit > 0:
        assert price + each - deserved < 1


@pytest.mark.django_db
def test_an_estimate_says_what_each_part_is_for() -> None:
    terms = {"dispute_basis_points": 500, "target_hourly_micros": 9_000_000, "topup_basis_points": 5_000}
    batch = make.make_draft(overlap=3, **terms)
    make.add_rows(batch, make.rows(10))
    cost = estimate(batch)
    assert (cost.reward_micros, cost.fee_micros) == (30 * make.PRICE, 30 * make.FEE)
    raised = make.PRICE // 2 + make.PRICE // 20
    assert cost.disputes_micros == 2 * (make.PRICE + make.FEE + raised)  # 5 % of 30 places, rounded up
    assert cost.topup_micros == 30 * raised
    assert cost.total_micros == 660_000 + 66_000 + 330_000


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"dispute_basis_points": 499}, "dispute_basis_points"),
        ({"dispute_basis_points": 10_001}, "dispute_basis_points"),
        ({"target_hourly_micros": 9_000_000}, "topup_basis_points"),
        ({"topup_basis_points": 10}, "target_hourly_micros"),
        ({"target_hourly_micros": 0, "topup_basis_points": 10}, "target_hourly_micros"),
        ({"target_hourly_micros": 1, "topup_basis_points": 100_001}, "topup_basis_points"),
    ],
)
def test_terms_of_money_that_make_no_sense_are_refused_by_name(terms: dict[str, int], field: str) -> None:
    project = make.make_project()
    with pytest.raises(TermsInvalid) as refused, one_transaction(principal="test"):
        create_batch(
            project=project,
            version=project.versions.get(number=1),
            terms=Terms(name="B", price_micros=1_000, overlap=1, **terms),
            platform=Platform(fee_basis_points=1_000, dispute_basis_points=500),
        )
    assert [error["field"] for error in refused.value.facts["errors"]] == [field]
