"""Who is next (pure rule): properties of the line and of what is given out."""

from hypothesis import given
from hypothesis import strategies as st

from workers.assignments.fairness import TURN_S, Waiter, allot, place_in_line, turn_at

scores = st.sampled_from([0.1, 0.5, 0.9])
waiters = st.builds(
    Waiter,
    worker_id=st.integers(1, 10**6),
    turn=st.integers(0, 3),
    score=scores,
    since_s=st.floats(0, 60),
    need=st.integers(0, 6),
)
lines = st.lists(waiters, max_size=12, unique_by=lambda waiter: waiter.worker_id)


@given(line=lines, places=st.integers(0, 60), more_wait=st.booleans())
def test_no_more_is_given_than_there_is_or_than_anybody_has_room_for(
    line: list[Waiter], places: int, more_wait: bool
) -> None:
    given_out = allot(line, places, more_wait=more_wait)
    room = sum(min(waiter.need, 1) if more_wait else waiter.need for waiter in line)
    assert sum(count for _, count in given_out) == min(places, room)
    assert all(1 <= count <= waiter.need for waiter, count in given_out)


@given(line=lines, places=st.integers(0, 60), more_wait=st.booleans())
def test_nobody_gets_two_more_than_another_with_room_nor_one_more_than_somebody_before_him(
    line: list[Waiter], places: int, more_wait: bool
) -> None:
    got = {waiter.worker_id: count for waiter, count in allot(line, places, more_wait=more_wait)}
    for one in line:
        for other in line:
            if got.get(other.worker_id, 0) < other.need:
                lead = got.get(one.worker_id, 0) - got.get(other.worker_id, 0)
                assert lead <= (0 if place_in_line(other) < place_in_line(one) else 1)


@given(line=lines, places=st.integers(0, 60))
def test_the_order_in_which_a_line_is_handed_in_does_not_matter(line: list[Waiter], places: int) -> None:
    assert allot(line, places, more_wait=False) == allot(line[::-1], places, more_wait=False)


@given(
    now=st.floats(0, 10**6),
    served=st.none() | st.floats(0, 10**6),
)
def test_whoever_was_just_served_stands_at_most_one_turn_behind(now: float, served: float | None) -> None:
    served = None if served is None else min(served, now)
    turn = turn_at(now, served)
    assert turn - int(now // TURN_S) in (0, 1)
    assert served is None or turn > served // TURN_S


@given(
    arrivals=st.lists(st.tuples(st.floats(0, 200), scores), min_size=2, max_size=8),
    openings=st.lists(st.tuples(st.floats(0, 400), st.integers(1, 3)), max_size=60),
)
def test_once_his_turn_is_over_nobody_new_comes_before_him_and_everybody_else_at_most_once(
    arrivals: list[tuple[float, float]], openings: list[tuple[float, int]]
) -> None:
    """A market in which places open now and then and whoever is served wants more at once."""
    waiting: dict[int, Waiter] = {}
    since: dict[int, float] = {}
    passed: dict[int, list[int]] = {}
    events = [(at, "come", n) for n, (at, _) in enumerate(arrivals)] + [(at, "open", k) for at, k in openings]
    for at, what, number in sorted(events):
        if what == "come":
            waiting[number] = Waiter(number, turn_at(at), arrivals[number][1], at, 1)
            since[number], passed[number] = at, []
            continue
        winners = [winner.worker_id for winner, _ in allot(list(waiting.values()), number, more_wait=False)]
        for other in waiting.values():
            if other.worker_id in winners:
                continue
            for served in winners:
                over = (other.turn + 1) * TURN_S
                assert over - since[other.worker_id] <= 2 * TURN_S
                assert since[served] < over
                if at >= over:
                    passed[other.worker_id].append(served)
                    assert passed[other.worker_id].count(served) == 1
        for served in winners:
            waiting[served] = Waiter(served, turn_at(at, at), arrivals[served][1], at, 1)
            since[served], passed[served] = at, []
