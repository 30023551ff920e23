from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gold.injection import Policy, Schedule, advance, allowed
from workers.gold.need import Supply, wanted

POLICY = Policy()
WIDE, NARROW = 0.9, 0.02

# Chi-square at p = 0.001; the seeds are fixed, so a test that passes passes always.
CHI_SQUARE_19, CHI_SQUARE_39, CHI_SQUARE_9 = 43.82, 72.05, 27.88


def flags_of(seed, count, *, policy=POLICY, width=WIDE, step=None):
    """What a worker meets in `count` places, asked for `step` at a time."""
    draws, schedule, flags = Random(seed), Schedule(), []
    while len(flags) < count:
        asked = min(step or count, count - len(flags))
        some, schedule = advance(schedule, asked, policy, width, draws)
        schedule = schedule.take(asked)
        flags += some
    return flags


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


def test_probation_has_exactly_its_share():
    for seed in range(200):
        assert sum(flags_of(seed, 20)) == 6


def test_later_phases_have_the_largest_share_while_little_is_known():
    for seed in range(100):
        flags = flags_of(seed, 20 + 40 * 3, width=WIDE)
        assert [sum(flags[start : start + 40]) for start in (20, 60, 100)] == [4, 4, 4]


def test_later_phases_have_the_smallest_share_once_much_is_known():
    for seed in range(100):
        flags = flags_of(seed, 20 + 40 * 3, width=NARROW)
        assert [sum(flags[start : start + 40]) for start in (20, 60, 100)] == [2, 2, 2]


def test_the_share_falls_in_proportion_as_the_interval_narrows():
    assert POLICY.share(1.0) == POLICY.share(0.40) == 0.10
    assert POLICY.share(0.25) == pytest.approx(0.075)
    assert POLICY.share(0.10) == POLICY.share(0.0) == 0.05


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_share_never_leaves_its_bounds_nor_rises_with_certainty(one, other):
    narrower, wider = sorted((one, other))

    assert 0.05 <= POLICY.share(narrower) <= POLICY.share(wider) <= 0.10


@pytest.mark.parametrize(("share", "phase"), [(0.07, 10), (0.05, 7), (0.1, 33), (0.033, 40), (0.0, 40), (1.0, 40)])
def test_over_many_workers_the_share_is_the_one_wanted(share, phase):
    policy = Policy(min_share=share, max_share=share, probation=0, phase=phase)
    places = 20_000

    gold = sum(sum(flags_of(seed, places // 20, policy=policy)) for seed in range(20))

    # Only the rounding of each phase is left to chance: its variance is at most a quarter.
    deviation = (places / phase / 4) ** 0.5 + 1
    assert abs(gold - share * places) <= 4 * deviation


def test_a_phase_rounds_up_or_down_and_never_further():
    policy = Policy(min_share=0.07, max_share=0.07, probation=0, phase=10)
    flags = flags_of(1, 10_000, policy=policy)

    assert {sum(flags[start : start + 10]) for start in range(0, 10_000, 10)} == {0, 1}


def test_over_many_workers_the_share_after_probation_lies_between_the_bounds():
    draws = Random(5)
    for seed in range(300):
        gold, schedule, chance = 0, Schedule(), Random(seed)
        for _ in range(50):
            flags, schedule = advance(schedule, 20, POLICY, draws.random(), chance)
            schedule = schedule.take(20)
            gold += sum(flags)
        assert 20 * 0.20 + 980 * 0.05 - 2 <= gold <= 20 * 0.20 + 980 * 0.10 + 2


def test_positions_are_uniform_within_probation_the_first_ten_included():
    met = Counter(position for seed in range(5_000) for position, gold in enumerate(flags_of(seed, 20)) if gold)

    assert chi_square([met[position] for position in range(20)], 1_500) < CHI_SQUARE_19
    assert chi_square([met[position] for position in range(10)], 1_500) < CHI_SQUARE_9


@pytest.mark.parametrize(("width", "gold"), [(WIDE, 4), (NARROW, 2)])
def test_positions_are_uniform_within_a_later_phase(width, gold):
    met = Counter(
        position
        for seed in range(5_000)
        for position, is_gold in enumerate(flags_of(seed, 60, width=width)[20:])
        if is_gold
    )

    assert chi_square([met[position] for position in range(40)], 5_000 * gold / 40) < CHI_SQUARE_39


def test_every_subset_of_a_phase_is_as_likely_as_any_other():
    policy = Policy(probation=5, probation_share=0.4)
    met = Counter(tuple(flags_of(seed, 5, policy=policy)) for seed in range(10_000))

    assert len(met) == 10
    assert chi_square(met.values(), 1_000) < CHI_SQUARE_9


def test_gold_of_neighbouring_phases_is_independent():
    pairs = Counter()
    for seed in range(4_000):
        flags = flags_of(seed, 60)
        pairs[flags[19], flags[20]] += 1

    both = pairs[True, True] / 4_000
    assert both == pytest.approx(0.30 * 0.10, abs=0.008)


def test_the_same_chance_gives_the_same_schedule():
    assert flags_of(7, 500) == flags_of(7, 500)
    assert flags_of(7, 500) != flags_of(8, 500)


@pytest.mark.parametrize("step", [1, 3, 7, 10, 64])
@pytest.mark.parametrize("width", [WIDE, 0.2, NARROW])
def test_steps_of_any_size_meet_the_same_gold_as_one_call(step, width):
    assert flags_of(11, 200, width=width, step=step) == flags_of(11, 200, width=width)


def test_asking_without_taking_moves_nothing_and_repeats_the_answer():
    draws = Random(3)
    flags, planned = advance(Schedule(), 10, POLICY, WIDE, draws)
    state = draws.getstate()

    again, same = advance(planned, 10, POLICY, NARROW, draws)
    fewer, _ = advance(planned, 4, POLICY, NARROW, draws)

    assert (again, same) == (flags, planned)
    assert fewer == flags[:4]
    assert planned.position == 0
    assert draws.getstate() == state


@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40))
def test_only_used_places_are_consumed(seed, pages):
    whole = flags_of(seed, 40 * 12 + 12)
    draws, schedule, used_so_far = Random(seed), Schedule(), 0

    for count, wish in pages:
        used = min(count, wish)
        flags, schedule = advance(schedule, count, POLICY, WIDE, draws)
        assert flags == whole[used_so_far : used_so_far + count]
        schedule = schedule.take(used)
        used_so_far += used
        assert schedule.position == used_so_far
        assert all(position >= used_so_far for position in schedule.gold_positions)
        assert all(first < second for first, second in pairwise(schedule.gold_positions))


def test_a_phase_keeps_the_share_it_was_drawn_with():
    draws = Random(2)
    _, schedule = advance(Schedule(), 21, POLICY, WIDE, draws)

    flags, schedule = advance(schedule.take(20), 40, POLICY, NARROW, draws)

    assert sum(flags) == 4
    assert sum(advance(schedule.take(40), 40, POLICY, NARROW, draws)[0]) == 2


def test_more_places_than_are_drawn_cannot_be_taken():
    _, schedule = advance(Schedule(), 5, POLICY, WIDE, Random(1))

    assert schedule.take(20).position == 20
    for used in (21, -1):
        with pytest.raises(ValueError, match="do not fit"):
            schedule.take(used)


def test_without_probation_the_first_phase_is_an_ordinary_one():
    flags, schedule = advance(Schedule(), 1, Policy(probation=0), WIDE, Random(1))

    assert schedule.phase_end == 40
    assert len(schedule.gold_positions) == 4
    assert len(flags) == 1


def test_a_schedule_survives_a_longer_probation_than_it_was_drawn_with():
    _, schedule = advance(Schedule(), 10, Policy(probation=10), WIDE, Random(1))

    _, longer = advance(schedule.take(10), 1, Policy(probation=25), WIDE, Random(1))

    assert (schedule.phase_end, longer.phase_end) == (10, 25)


def test_no_places_ask_for_nothing():
    assert advance(Schedule(), 0, POLICY, WIDE, Random(1)) == ([], Schedule())
    with pytest.raises(ValueError, match="must not be negative"):
        advance(Schedule(), -1, POLICY, WIDE, Random(1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_share": 0.2},
        {"min_share": -0.1},
        {"max_share": 1.1},
        {"probation_share": 1.1},
        {"probation": -1},
        {"phase": 0},
        {"narrow": 0.5},
    ],
)
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Policy(**wrong)


def shares(seed, *, policy=POLICY, width=WIDE, phases=6, **more):
    """How much gold each phase of a worker has."""
    draws, schedule, counts = Random(seed), Schedule(), []
    for phase in range(phases):
        size = policy.phase if phase or not policy.probation else policy.probation
        flags, schedule = advance(schedule, size, policy, width, draws, **more)
        schedule = schedule.take(size)
        counts.append(sum(flags))
    return counts


def test_whoever_is_to_meet_more_meets_twice_as_much_and_never_more_than_every_second():
    assert shares(1, extra=True) == [10, 8, 8, 8, 8, 8]
    assert shares(1, width=NARROW, extra=True) == [10, 4, 4, 4, 4, 4]
    steep = Policy(min_share=0.3, max_share=0.4, probation_share=0.4)
    assert shares(1, policy=steep, extra=True) == [10, 20, 20, 20, 20, 20]
    assert shares(1, policy=Policy(max_share=0.8, probation_share=0.8), extra=True)[:2] == [16, 32]


def test_positions_are_uniform_within_a_phase_whatever_its_share_became():
    for more in ({"extra": True}, {"allowance": 3}):
        met = Counter()
        for seed in range(4_000):
            flags, _ = advance(Schedule(), 20, POLICY, WIDE, Random(seed), **more)
            met.update(position for position, gold in enumerate(flags) if gold)
        expected = sum(met.values()) / 20

        assert chi_square([met[position] for position in range(20)], expected) < CHI_SQUARE_19


@given(
    st.integers(0, 2**32),
    st.floats(0, 0.3),
    st.integers(1, 3_000),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 15)), max_size=60),
)
def test_a_budget_is_never_exceeded_however_workers_take_turns(seed, budget, places, turns):
    """Each draws when he comes to a phase, and what is drawn of all is held against the budget."""
    policy, draws = Policy(budget=budget), Random(seed)
    schedules, shown = {}, 0
    for worker, count in turns:
        schedule = schedules.get(worker, Schedule())
        drawn = sum(len(other.gold_positions) for other in schedules.values())
        left = allowed(policy, places=places, spent=shown + drawn)
        flags, schedule = advance(schedule, count, policy, WIDE, draws, allowance=left)
        schedules[worker] = schedule.take(count)
        shown += sum(flags)
        ahead = sum(len(other.gold_positions) for other in schedules.values())

        assert shown + ahead <= budget * places + 1e-6


def test_of_two_who_draw_at_once_each_may_exceed_the_budget_by_one_phase_at_most():
    policy = Policy(budget=0.01)
    left = allowed(policy, places=400, spent=0)
    both = [advance(Schedule(), 20, policy, WIDE, Random(seed), allowance=left)[0] for seed in (1, 2)]

    assert left == 4
    assert sum(map(sum, both)) == 8 <= 4 + 4


def test_without_a_budget_nothing_is_held_against_it():
    assert allowed(POLICY, places=10, spent=1_000) is None
    assert allowed(Policy(budget=0.1), places=10, spent=1_000) == 0
    assert allowed(Policy(budget=0.3), places=10, spent=0) == 3


@pytest.mark.parametrize("wrong", [{"budget": 1.1}, {"budget": -0.1}, {"refill": "often"}])
def test_a_budget_and_a_refill_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Policy(**wrong)


@given(
    st.floats(0, 1), st.integers(0, 10_000), st.integers(1, 50), st.integers(0, 500), st.integers(0, 500),
    st.one_of(st.none(), st.integers(0, 100)),
)  # fmt: skip
def test_what_is_missing_is_never_more_than_what_is_open_or_allowed(share, places, overlap, keys, ready, allowance):
    more_keys, more = wanted(
        share=share, open_places=places, overlap=overlap, supply=Supply(keys, ready), allowance=allowance
    )

    assert 0 <= more <= max(0, places - ready)
    assert 0 <= more_keys <= places
    if allowance is not None:
        assert more <= allowance >= more_keys
