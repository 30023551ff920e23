"""What a random sample proves is what the exact binomial says."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from marketplace.aggregation.sampling import error_bound, more_looks
from marketplace.results.reports.sampling import proof_of


@given(st.integers(1, 2_000).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))), st.floats(0.5, 0.999))
def test_the_bound_is_that_of_clopper_and_pearson(seen: tuple[int, int], confidence: float) -> None:
    errors, looked_at = seen
    judge = beta.ppf(confidence, errors + 1, looked_at - errors)
    assert isclose(error_bound(errors, looked_at, confidence=confidence), judge, rel_tol=1e-7)


def test_who_saw_only_errors_or_nothing_knows_nothing() -> None:
    assert error_bound(0, 0) == error_bound(4, 4) == 1.0


def test_so_many_more_prove_two_percent_at_95_percent() -> None:
    assert more_looks(0, 0, share=0.02) == 149
    assert more_looks(0, 87, share=0.02) == 62
    assert more_looks(0, 149, share=0.02) == 0
    assert more_looks(1, 149, share=0.02) == 236 - 149, "one error costs 87 more looks"


@given(st.integers(0, 20), st.integers(0, 500), st.sampled_from([0.01, 0.02, 0.05, 0.1]), st.sampled_from([0.9, 0.95]))
def test_no_fewer_would_do_and_these_do(errors: int, right: int, share: float, confidence: float) -> None:
    looked_at = errors + right
    more = more_looks(errors, looked_at, share=share, confidence=confidence)
    assert binom.cdf(errors, looked_at + more, share) <= (1 - confidence) * (1 + 1e-9)
    if more:
        assert binom.cdf(errors, looked_at + more - 1, share) > (1 - confidence) * (1 - 1e-9)


@pytest.mark.parametrize(("errors", "looked_at"), [(-1, 3), (4, 3)])
def test_what_cannot_be_is_refused(errors: int, looked_at: int) -> None:
    with pytest.raises(ValueError, match="cannot be found"):
        error_bound(errors, looked_at)


def test_a_share_lies_between_nothing_and_all() -> None:
    for share in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="share"):
            more_looks(0, 0, share=share)
    with pytest.raises(ValueError, match="looks would be needed"):
        more_looks(0, 0, share=1e-9)


def test_few_that_are_left_are_counted_instead_of_bounded() -> None:
    assert proof_of(population=100, looked_at=87, errors=0).more == 13
    assert proof_of(population=100, looked_at=87, errors=3).more is None, "three of a hundred are more than two percent"
    counted = proof_of(population=100, looked_at=100, errors=1)
    assert (counted.bound, counted.more, counted.proven) == (0.01, 0, True)


def test_nothing_is_proven_where_there_is_nothing() -> None:
    empty = proof_of(population=0, looked_at=0, errors=0)
    assert (empty.bound, empty.proven) == (1.0, False)
