"""The moment of a firing tells of no single answer whether it was a check question (R37)."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.batches.quality import rules_of
from marketplace.batches.quality.forms import Rule
from tests.reputation.rules.test_metrics import EVEN, NOON, event
from workers.reputation.rules.engine import evaluate
from workers.reputation.rules.events import Event
from workers.reputation.rules.steps import last_full, seen_by, step_of, steps_in
from workers.reputation.states import Kind

FAILED = [{"metric": "gold_answers", "at_least": 1}, {"metric": "gold_accuracy", "below": 1}]
LOWER = {"do": "adjust_skill", "skill": "0b0bb4f4-3c09-4f0c-9d0b-9d9c5a1f4a11", "by": -0.01}
TELL = {"do": "notify"}


def rule(action: dict[str, Any] = TELL, **other: Any) -> Rule:
    given = {"name": "fails", "window": {"answers": 10}, "all": FAILED, "then": [action]} | other
    return rules_of({"rules": [given]})[0]


def worked(gold: set[int], count: int) -> list[list[Event]]:
    """What is recorded with each of so many answers, those of `gold` failed."""
    steps = []
    for n in range(1, count + 1):
        steps.append([event(10 * n, assignment_id=n)])
        if n in gold:
            steps[-1].append(event(10 * n + 1, Kind.GOLD, assignment_id=n, score=0.0))
    return steps


def fires_after(one: Rule, steps: list[list[Event]]) -> list[int]:
    """After which answers the rule would fire, looked at after each, each time anew."""
    seen: list[Event] = []
    found = []
    for n, step in enumerate(steps, 1):
        seen += step
        if evaluate([one], seen, crowd=EVEN, now=seen[-1].made_at):
            found.append(n)
    return found


@given(st.sets(st.integers(1, 60)), st.sampled_from([(TELL, 5), (LOWER, 20)]))
@settings(max_examples=60)
def test_whether_a_rule_on_hidden_figures_fires_changes_only_with_a_full_step(
    gold: set[int], case: tuple[dict[str, Any], int]
) -> None:
    action, step = case
    fired = set(fires_after(rule(action), worked(gold, 60)))
    for n in range(1, 60):
        if (n + 1) % step:
            assert (n in fired) == (n + 1 in fired)


@pytest.mark.parametrize(("action", "step"), [(TELL, 5), (LOWER, 20)])
def test_which_answer_of_a_step_was_gold_makes_no_difference(action: dict[str, Any], step: int) -> None:
    found = {tuple(fires_after(rule(action, window={}), worked({n}, 40))) for n in range(1, step + 1)}
    assert found == {tuple(range(step, 41))}


def test_a_rule_on_open_figures_alone_sees_everything_at_once() -> None:
    skips = rule(window={}, all=[{"metric": "skips_in_row", "at_least": 2}])
    assert step_of(skips) == 1 and step_of(rule()) == 5 and step_of(rule(LOWER)) == 20
    history = [event(1), event(2, Kind.SKIP, assignment_id=2), event(3, Kind.SKIP, assignment_id=3)]
    assert evaluate([skips], history, crowd=EVEN, now=NOON)


def test_a_step_ends_with_the_score_of_its_last_answer_and_with_nothing_that_comes_later() -> None:
    history = [one for step in worked({5, 6}, 9) for one in step]
    late = event(52, Kind.AGREEMENT, assignment_id=2, score=0.0)
    again = event(95, Kind.GOLD, assignment_id=5, score=1.0)
    undo = event(96, Kind.UNDO, undoes=51, score=0.0)
    seen = seen_by(rule(), [*history, late, again, undo], steps_in(history))
    assert [one.id for one in seen] == [10, 20, 30, 40, 50, 51, 96]


def test_no_answer_leaves_the_window_of_days_between_two_steps() -> None:
    days = rule(window={"days": 1})
    history = [one for step in worked({1}, 9) for one in step]
    assert evaluate([days], history, crowd=EVEN, now=NOON)
    assert evaluate([days], history, crowd=EVEN, now=NOON + timedelta(days=3))


def test_days_so_short_that_they_hold_fewer_answers_than_a_step_tell_nothing() -> None:
    moment = rule(window={"days": 0.0001})  # some nine seconds; an answer takes ten
    assert fires_after(moment, worked(set(range(1, 31)), 30)) == []


@given(st.lists(st.booleans(), max_size=80), st.sampled_from([5, 20]))
def test_between_two_ends_of_a_batch_lies_a_step_of_its_own_answers(mine: list[bool], step: int) -> None:
    ends = []
    for upto in range(0, len(mine) // step * step + 1, step):
        blocks = [(at + step, sum(mine[at : at + step])) for at in range(0, upto, step)]
        ends.append(last_full(blocks, step))
    for before, end in pairwise(ends):
        assert end % step == 0 and (end == before or sum(mine[before:end]) >= step)
