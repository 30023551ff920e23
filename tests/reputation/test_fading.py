"""What judgements add up to: they fade, can be taken back, count by difficulty, and no requester decides alone."""

import math
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.reputation.facets import NOTHING, STRANGER
from workers.reputation.scoring import (
    EASY,
    HALF_LIFE_DAYS,
    PRIOR,
    REQUESTER_MAX,
    Gain,
    Posterior,
    Tally,
    aged,
    combined,
    fading,
    folded,
    gain,
    taken_back,
)

shares = st.floats(0, 1, allow_subnormal=False)
days = st.integers(18_000, 24_000)
judgements = st.lists(st.tuples(st.builds(gain, shares, shares, st.none() | shares), days), max_size=30)
starts = st.sampled_from([STRANGER, NOTHING])
parts = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)), max_size=8)


def fold(tally: Tally, found: list[tuple[Gain, int]]) -> Tally:
    return reduce(lambda so_far, one: folded(so_far, *one), found, tally)


def close(one: Tally, other: Tally) -> bool:
    return (one.evidence, one.floor) == (other.evidence, other.floor) and (one.alpha, one.beta) == pytest.approx(
        (other.alpha, other.beta), rel=1e-9, abs=1e-9
    )


def test_a_right_answer_counts_fully_however_hard_the_task_is():
    for easiness in (None, 0.0, 0.3, 1.0):
        assert gain(1.0, 1.0, easiness) == Gain(1.0, 0.0)


def test_a_mistake_counts_in_proportion_to_how_seldom_others_make_it():
    assert gain(0.0, 1.0, 0.4).bad == 0.5
    assert gain(0.0, 1.0, 0.0).bad == 0.0
    for easiness in (None, EASY, 0.95, 1.0):
        assert gain(0.0, 1.0, easiness) == Gain(0.0, 1.0)


@given(shares, shares, shares, shares)
def test_an_easier_task_never_makes_a_mistake_count_less(score, weight, one, other):
    easier, harder = max(one, other), min(one, other)

    assert gain(score, weight, easier).bad >= gain(score, weight, harder).bad
    assert gain(score, weight, easier).good == gain(score, weight, harder).good == weight * score


@pytest.mark.parametrize(
    ("score", "weight", "easiness"), [(1.1, 1, None), (math.nan, 1, None), (1, -1, None), (1, 1, 2)]
)
def test_what_cannot_be_is_refused(score, weight, easiness):
    with pytest.raises(ValueError, match="must"):
        gain(score, weight, easiness)


def test_after_a_half_life_half_is_left_and_the_prior_stays():
    tally = folded(STRANGER, Gain(8.0, 4.0), 20_000)

    later = aged(tally, 20_000 + int(HALF_LIFE_DAYS))

    assert (later.alpha, later.beta, later.evidence) == (PRIOR.alpha + 4, PRIOR.beta + 2, 1)
    assert aged(tally, 19_000) == tally
    assert fading(0) == 1.0


@given(starts, judgements, days, days)
def test_time_only_drives_what_is_known_back_to_what_is_known_of_a_stranger(start, found, one, other):
    tally, sooner, later = fold(start, found), min(one, other), max(one, other)

    first, second = aged(tally, sooner), aged(tally, later)
    for was, now, floor in zip((first.alpha, first.beta), (second.alpha, second.beta), start.floor, strict=True):
        assert was >= now >= floor
    assert close(aged(first, later), second)


@given(starts, st.data())
def test_the_order_in_which_judgements_arrive_does_not_matter_but_for_rounding(start, data):
    found = data.draw(judgements)
    mixed = data.draw(st.permutations(found))

    assert close(aged(fold(start, found), 24_000), aged(fold(start, mixed), 24_000))


@given(starts, judgements, judgements, st.tuples(st.builds(gain, shares, shares), days), days)
def test_what_is_taken_back_is_as_if_it_had_never_been(start, before, after, wrong, when):
    when = max(when, wrong[1])
    tally = fold(start, [*before, wrong, *after])

    without = taken_back(tally, *wrong, when)

    assert close(without, aged(fold(start, [*before, *after]), without.day))


@given(judgements, days)
def test_nothing_is_ever_brought_below_what_is_known_of_a_stranger(found, when):
    tally = fold(STRANGER, found)
    for more, day in found:
        tally = taken_back(tally, more, day, max(when, day))

    assert tally.alpha >= PRIOR.alpha
    assert tally.beta >= PRIOR.beta
    assert tally.evidence == 0
    assert (tally.alpha, tally.beta) == pytest.approx((PRIOR.alpha, PRIOR.beta), abs=1e-9)


def test_nothing_known_is_the_prior():
    assert combined([]) == combined([(0.0, 0.0)]) == PRIOR


@given(parts, st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)))
def test_no_requester_counts_for_more_than_so_many_judged_answers(others, mine):
    without, with_mine = combined(others), combined([*others, mine])

    added = with_mine.alpha + with_mine.beta - without.alpha - without.beta
    assert -1e-6 <= added <= REQUESTER_MAX + 1e-6
    # Hence the mean moves by no more than if all of that spoke for one side.
    total = without.alpha + without.beta
    assert abs(with_mine.mean - without.mean) <= REQUESTER_MAX / (total + REQUESTER_MAX) + 1e-9


@given(st.data(), parts)
def test_the_order_of_requesters_does_not_matter_at_all(data, found):
    assert combined(data.draw(st.permutations(found))) == combined(found)


def test_a_part_that_is_too_large_keeps_its_share():
    posterior = combined([(900.0, 100.0)])

    assert (posterior.alpha, posterior.beta) == pytest.approx((PRIOR.alpha + 27, PRIOR.beta + 3))
    assert combined([(20.0, 10.0)]) == Posterior(PRIOR.alpha + 20, PRIOR.beta + 10)


@settings(max_examples=50)
@given(st.integers(0, 200), st.integers(0, 200))
def test_within_a_day_tallies_are_counts(right, wrong):
    tally = fold(STRANGER, [(gain(1.0), 20_000)] * right + [(gain(0.0), 20_000)] * wrong)

    assert (tally.alpha, tally.beta, tally.evidence) == (PRIOR.alpha + right, PRIOR.beta + wrong, right + wrong)
