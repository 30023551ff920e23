"""Figures from a history: known values, their intervals, and what does not change them."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.accounts.evidence import OPEN
from marketplace.batches.quality import rules_of
from marketplace.batches.quality.catalogue import METRICS
from marketplace.batches.quality.forms import Window
from workers.reputation.rules import turning
from workers.reputation.rules.engine import Fired, evaluate, grounds_of, holds, windowed
from workers.reputation.rules.events import Crowd, Event, Measured, scored, standing
from workers.reputation.rules.haste import Timed, fast_limits
from workers.reputation.rules.ladder import RUNGS, Measure, next_rung
from workers.reputation.rules.metrics import View, measure
from workers.reputation.rules.repetition import longest_runs, shares_of
from workers.reputation.rules.spam import guessing, spammer_score, spammer_scores
from workers.reputation.rules.telling import told
from workers.reputation.states import Kind

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
EVEN = Crowd(classes=2, shares={"a": 0.5, "b": 0.5}, fast_below_ms={"choice": 2_000}, pay_micros={1: 30_000})


def event(number: int, kind: str = Kind.ANSWER, **other: Any) -> Event:
    given = {"made_at": NOON + timedelta(seconds=number), "batch_id": 1, "project_id": 1, "assignment_id": number}
    return Event(id=number, kind=kind, **(given | other))


def figure(name: str, events: Sequence[Event], crowd: Crowd = EVEN, now: datetime = NOON) -> Measured:
    return measure(name, View(events, events, crowd, now))


def results(right: int, wrong: int, kind: str = Kind.GOLD, **other: Any) -> list[Event]:
    scores = [1.0] * right + [0.0] * wrong
    return [event(n, kind, score=score, **other) for n, score in enumerate(scores, 1)]


def test_every_metric_of_the_catalogue_is_measured_and_known_of_a_stranger_as_it_says() -> None:
    first = [event(1, took_ms=9_000, given="a", answer_type="choice")]
    for name, metric in METRICS.items():
        found = figure(name, first, Crowd(classes=2, pay_micros={1: 1}))
        at_first = (found.low, found.value, found.high)
        for told_of, value in zip(metric.stranger, at_first, strict=True):
            if told_of is not None:
                assert value == pytest.approx(told_of, abs=1e-3), name


def test_known_figures() -> None:
    gold, agreed = results(6, 2), results(3, 1, Kind.AGREEMENT, weight=0.5)
    assert figure("gold_accuracy", gold).value == pytest.approx(7 / 10)
    assert figure("gold_answers", gold).value == 8
    # Four agreements of half a weight are two answers' worth: 1.5 for and 0.5 against.
    assert figure("agreement", agreed).value == pytest.approx(2.5 / 4)
    assert figure("agreements", agreed).value == 4 and figure("gold_answers", agreed).value == 0
    decided = results(9, 1, Kind.REVIEW)
    assert figure("acceptance_rate", decided).value == pytest.approx(10 / 12) and figure("decided", decided).value == 10
    answers = [event(n, took_ms=1_000 * n, answer_type="choice") for n in range(1, 6)]
    assert figure("median_seconds", answers).value == 3
    assert figure("fast_share", answers).n == 5 and figure("fast_share", answers).value == pytest.approx(2 / 7)
    assert figure("answers", answers).value == figure("submitted", answers).value == 5
    assert figure("submitted", answers, Crowd(submitted=90)).value == 90
    assert figure("income_day_micros", answers).value == 150_000
    assert figure("income_day_micros", answers, now=NOON + timedelta(days=1)).value == 0
    skips = [event(1), event(2, Kind.SKIP), event(3), event(4, Kind.SKIP), event(5, Kind.SKIP)]
    assert figure("skips_in_row", skips).value == 2
    assert figure("exam_score", results(3, 0, Kind.EXAM)).value == pytest.approx(0.8)


def test_what_is_not_known_has_no_value_but_an_interval() -> None:
    found = figure("gold_accuracy", [event(1)])
    assert found.value is None and found.low == pytest.approx(0.025) and found.high == pytest.approx(0.975)


def test_of_an_answer_judged_twice_the_check_question_counts() -> None:
    twice = [event(1), event(2, Kind.GOLD, score=0.0, assignment_id=1),
             event(3, Kind.AGREEMENT, score=1.0, weight=0.5, assignment_id=1)]  # fmt: skip
    assert [one.score for one in scored(twice)] == [0.0]
    undone = [*twice, event(4, Kind.UNDO, undoes=2, score=0.0, assignment_id=1)]
    assert [one.score for one in scored(standing(undone))] == [1.0]


# --- spammers


def test_the_spammer_score_is_that_of_raykar_and_yu() -> None:
    assert spammer_scores(np.eye(4)) == pytest.approx(1)
    assert spammer_scores(np.full((3, 3), 1 / 3)) == pytest.approx(0)
    assert spammer_scores(np.array([[1.0, 0, 0]] * 3)) == pytest.approx(0)  # one answer to everything
    # Two labels: the square of sensitivity plus specificity less one.
    assert spammer_scores(np.array([[0.9, 0.1], [0.3, 0.7]])) == pytest.approx((0.9 + 0.7 - 1) ** 2)
    # Wrong in the same way every time tells as much as right.
    assert spammer_scores(np.eye(3)[[1, 2, 0]]) == pytest.approx(1)
    assert spammer_scores(np.ones((1, 1))) == 0


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=3), st.permutations([0, 1, 2])
)
@settings(max_examples=50)
def test_the_score_lies_in_its_interval_and_labels_have_no_order(counts: list[list[int]], order: list[int]) -> None:
    table = np.array(counts, dtype=float)
    found = spammer_score(table, np.random.default_rng(1))
    if found.value is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1  # type: ignore[operator]
    exact = table + 1
    exact /= exact.sum(axis=1, keepdims=True)
    assert spammer_scores(exact[np.ix_(order, order)]) == pytest.approx(spammer_scores(exact))


def test_more_evidence_narrows_the_interval_of_the_score() -> None:
    few, many = (spammer_score(np.eye(2) * n + n / 4, np.random.default_rng(1)) for n in (4, 400))
    assert many.high - many.low < (few.high - few.low) / 3  # type: ignore[operator]
    assert many.low < ((1.25 - 0.25) / 1.5) ** 2 < many.high  # type: ignore[operator]


@pytest.mark.parametrize("classes", [2, 4])
def test_few_of_the_honest_ever_look_like_guessers_and_every_guesser_does(classes: int) -> None:
    rng = np.random.default_rng(7)

    def least(accuracy: float) -> float:
        """The least value over 200 answers, looked at after each."""
        events = results(0, 0)
        for n in range(1, 201):
            events.append(event(n, Kind.GOLD, score=float(rng.random() < accuracy)))
        judged = scored(events)
        return min(guessing(judged[:n], classes).value for n in range(5, 201, 3))  # type: ignore[type-var, return-value]

    honest = [least(rng.uniform(0.65, 0.95)) for _ in range(150)]
    assert sum(value < 0.05 for value in honest) <= 13  # at most one in twenty, and what chance adds to that
    assert all(least(1 / classes) < 0.01 for _ in range(20))


def test_a_task_that_nobody_gets_right_tells_nothing_of_guessing() -> None:
    hard = results(0, 40, easiness=0.5)
    assert figure("guessing", hard).value == pytest.approx(1)
    assert figure("guessing", results(0, 40)).value < 1e-6  # type: ignore[operator]


# --- haste, repetition, turning


def test_the_limit_of_haste_is_a_quantile_of_those_who_work_well_each_counting_alike() -> None:
    times = [Timed(w, "choice", 5_000 + 100 * n + w) for w in range(1, 9) for n in range(20)]
    hurried = [Timed(99, "choice", 300)] * 500
    limits = fast_limits(times + hurried, set(range(1, 9)))
    assert 5_000 <= limits["choice"] <= 5_300
    # One who floods the batch with fast answers moves it little even when he is trusted.
    assert fast_limits(times + hurried, {*range(1, 9), 99}).keys() == {"choice"}
    assert fast_limits(times, {1, 2, 3}) == {} and fast_limits([], set()) == {}
    twice = [Timed(t.worker_id, "text", 2 * t.took_ms) for t in times]
    both = fast_limits(times + twice, set(range(1, 9)))
    assert both["text"] == pytest.approx(2 * both["choice"])


def labelled(labels: str) -> list[Event]:
    return [event(n, given=label) for n, label in enumerate(labels, 1)]


def test_one_answer_to_everything_is_unlikely_unless_the_tasks_have_one() -> None:
    assert figure("repetition", labelled("a" * 20)).value < 1e-3  # type: ignore[operator]
    rng = Random(3)
    mixed = "".join(rng.choice("ab") for _ in range(60))
    assert figure("repetition", labelled(mixed)).value > 0.05  # type: ignore[operator]
    nearly_all = Crowd(classes=2, shares={"a": 0.97, "b": 0.03})
    assert figure("repetition", labelled("a" * 60), nearly_all).value > 0.5  # type: ignore[operator]
    assert figure("repetition", labelled("a" * 60), Crowd(classes=2)).value == 1
    # Runs tell where shares do not.
    assert figure("repetition", labelled("a" * 40 + "b" * 40)).value < 1e-3  # type: ignore[operator]
    assert longest_runs("aabbba") == {"a": 2, "b": 3}


def test_texts_that_all_differ_repeat_nothing_and_one_text_for_all_does() -> None:
    shares = {f"#{n}": 0.01 for n in range(100)}
    differ = [event(n, digest=n) for n in range(1, 40)]
    same = [event(n, digest=7) for n in range(1, 40)]
    assert figure("repetition", differ, Crowd(shares=shares)).value > 0.5  # type: ignore[operator]
    assert figure("repetition", same, Crowd(shares=shares)).value < 1e-6  # type: ignore[operator]


def test_who_was_good_and_guesses_now_has_turned_and_who_always_was_middling_has_not() -> None:
    rng = Random(1)
    good = [event(n, Kind.GOLD, score=float(rng.random() < 0.9)) for n in range(1, 61)]
    asleep = [event(n, Kind.GOLD, score=float(rng.random() < 0.5)) for n in range(61, 101)]
    middling = [event(n, Kind.GOLD, score=float(rng.random() < 0.7)) for n in range(1, 101)]
    found = figure("turned", good + asleep)
    assert found.value > 5 and 30 <= found.n <= 50  # type: ignore[operator]
    assert figure("turned", middling).value < 2 and figure("turned", good).value < 2  # type: ignore[operator]
    # Who never was better than chance has not turned: that is another finding.
    assert figure("turned", asleep).value == 0
    assert figure("turned", []).value == 0


# --- properties


EVENTS = st.lists(
    st.builds(
        lambda kind, score, weight, label, truth, took, digest: {
            "kind": kind,
            "score": None if kind in (Kind.ANSWER, Kind.SKIP) else score,
            "weight": weight,
            "given": label,
            "truth": truth if kind in (Kind.GOLD, Kind.AGREEMENT) else None,
            "took_ms": took,
            "digest": digest,
            "answer_type": "choice",
        },
        st.sampled_from([kind for kind in Kind if kind != Kind.UNDO]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 10**6),
        st.integers(-3, 3),
    ),
    max_size=40,
)


@given(EVENTS, st.sampled_from(sorted(METRICS)))
@settings(max_examples=300)
def test_every_figure_lies_within_its_interval_and_its_range(found: list[dict[str, Any]], name: str) -> None:
    events = [event(n, **values) for n, values in enumerate(found, 1)]
    value = figure(name, events)
    metric = METRICS[name]
    known = [v for v in (value.low, value.value, value.high) if v is not None]
    assert known == sorted(known) and value.n >= 0
    assert all(metric.least <= v <= metric.most for v in known)
    assert figure(name, events) == value  # the same history always gives the same figure


@given(EVENTS)
@settings(max_examples=100)
def test_what_is_taken_back_was_never_there(found: list[dict[str, Any]]) -> None:
    events = [event(n, **values) for n, values in enumerate(found, 1)]
    judgements = [e for e in events if e.kind in (Kind.GOLD, Kind.AGREEMENT, Kind.REVIEW)]
    undone = [event(100 + n, Kind.UNDO, undoes=e.id, score=e.score) for n, e in enumerate(judgements)]
    without = [e for e in events if e not in judgements]
    for name in METRICS:
        assert figure(name, standing(events + undone)) == figure(name, standing(without)), name


# --- the engine


MISSES = {
    "name": "misses",
    "all": [{"metric": "gold_answers", "at_least": 4}, {"metric": "gold_accuracy", "below": 0.5}],
    "then": [{"do": "limit", "scope": "batch", "hours": 10}],
}


def answered(right: int, wrong: int, first: int = 1) -> list[Event]:
    """So many answers to check questions, each with its score: answer n has the id 2n - 1, its score 2n."""
    found = []
    for n, score in enumerate([1.0] * right + [0.0] * wrong, first):
        found.append(event(2 * n - 1, assignment_id=n))
        found.append(event(2 * n, Kind.GOLD, assignment_id=n, score=score))
    return found


def test_a_rule_fires_on_all_of_its_conditions_and_says_on_what() -> None:
    rules = rules_of({"rules": [MISSES]})
    assert evaluate(rules, answered(0, 3), crowd=EVEN, now=NOON) == []
    assert evaluate(rules, answered(6, 4), crowd=EVEN, now=NOON) == []
    (fired,) = evaluate(rules, answered(2, 8), crowd=EVEN, now=NOON)
    assert [figure["n"] for figure in fired.evidence] == [10, 10] and fired.evidence[1]["value"] == 0.25
    # A share of 0.25 may well be above 0.5: the requester is told of the doubt.
    few = answered(1, 4)
    assert evaluate(rules, few, crowd=EVEN, now=NOON)[0].in_doubt
    assert not evaluate(rules, answered(0, 30), crowd=EVEN, now=NOON)[0].in_doubt
    assert (fired.after, fired.upto, fired.ends_at) == (0, 20, NOON + timedelta(hours=10))
    assert told(fired.rule, fired.evidence, 10)["figures"] == []


def test_a_rule_that_has_fired_waits_for_its_end_and_for_new_evidence() -> None:
    rules = rules_of({"rules": [MISSES]})
    before = Fired(grounds_of(rules[0]), upto=12, ends_at=NOON)
    earlier = NOON - timedelta(seconds=1)
    assert evaluate(rules, answered(0, 25), crowd=EVEN, now=earlier, past=[before]) == []
    assert evaluate(rules, answered(0, 6), crowd=EVEN, now=NOON, past=[before]) == []
    # Ten answers less the six behind the firing are four.
    assert evaluate(rules, answered(0, 10), crowd=EVEN, now=NOON, past=[before]) == []
    (fired,) = evaluate(rules, answered(0, 15), crowd=EVEN, now=NOON, past=[before])
    assert (fired.after, fired.evidence[0]["value"]) == (12, 9)
    assert evaluate(rules, answered(0, 10), crowd=EVEN, now=NOON, past=[Fired("other", 12, NOON)])


def test_under_another_name_or_with_another_action_it_is_the_same_accusation() -> None:
    both = [{"metric": "gold_accuracy", "below": 0.5, "bound": "point"}, {"metric": "gold_answers", "at_least": 4.0}]
    (one,) = rules_of({"rules": [MISSES]})
    (renamed,) = rules_of({"rules": [{"name": "other", "words": "New.", "then": [{"do": "notify"}], "all": both}]})
    assert one.key != renamed.key and grounds_of(one) == grounds_of(renamed)
    before = Fired(grounds_of(one), upto=20, ends_at=NOON)
    assert evaluate([renamed], answered(0, 10), crowd=EVEN, now=NOON, past=[before]) == []
    assert evaluate([renamed], answered(0, 15), crowd=EVEN, now=NOON, past=[before])
    for other in ({"window": {"days": 3}}, {"scope": "project"}, {"all": MISSES["all"][:1]}):
        assert grounds_of(rules_of({"rules": [MISSES | other]})[0]) != grounds_of(one)


def test_what_he_was_acquitted_of_counts_for_no_rule() -> None:
    rules = rules_of({"rules": [MISSES]})
    acquitted = Fired("", upto=12, ends_at=NOON)
    assert evaluate(rules, answered(0, 10), crowd=EVEN, now=NOON)
    assert evaluate(rules, answered(0, 8), crowd=EVEN, now=NOON, past=[acquitted]) == []
    (fired,) = evaluate(rules, answered(0, 15), crowd=EVEN, now=NOON, past=[acquitted])
    assert fired.after == 12


def test_a_number_of_answers_is_crossed_once() -> None:
    (rule,) = rules_of({"rules": [MISSES | {"all": [{"metric": "submitted", "at_least": 7}]}]})
    past: list[Fired] = []
    for count in range(1, 30):
        for firing in evaluate([rule], [event(n) for n in range(1, count + 1)], crowd=EVEN, now=NOON, past=past):
            past.append(Fired(grounds_of(rule), firing.upto, NOON))
    assert [fired.upto for fired in past] == [7]


def test_a_firing_holds_as_long_as_what_is_left_bears_it() -> None:
    rule = rules_of({"rules": [MISSES]})[0]
    history = answered(0, 6)
    undo = [event(50 + n, Kind.UNDO, undoes=2 * n, score=0.0) for n in range(1, 4)]
    assert holds(rule, history, crowd=EVEN, now=NOON, after=0, upto=12)
    assert holds(rule, history + undo[:2], crowd=EVEN, now=NOON, after=0, upto=12)
    assert not holds(rule, history + undo, crowd=EVEN, now=NOON, after=0, upto=12)
    # What came later does not save it.
    later = [event(n, Kind.GOLD, score=0.0) for n in range(13, 40)]
    assert not holds(rule, history + later + undo, crowd=EVEN, now=NOON, after=0, upto=12)


def test_a_window_is_the_latest_answers_with_all_that_came_of_them() -> None:
    answers = [event(n) for n in range(1, 11)]
    late = [
        event(11, Kind.AGREEMENT, assignment_id=2, score=0.0),
        event(12, Kind.AGREEMENT, assignment_id=9, score=1.0),
    ]
    assert [e.id for e in windowed([*answers, *late], Window(answers=3), NOON)] == [8, 9, 10, 12]
    assert [e.id for e in windowed(answers, Window(days=1), NOON + timedelta(days=1, seconds=8))] == [9, 10]
    assert len(windowed(answers, Window(), NOON)) == 10


def test_the_ladder_goes_up_one_rung_at_a_time_and_is_left_after_thirty_days() -> None:
    names = [rung["do"] for rung in RUNGS]
    assert names == ["slow_down", "extra_gold", "limit", "review"]
    past: list[Measure] = []
    for name in [*names, "review"]:
        assert next_rung(past, NOON)["do"] == name
        past.append(Measure(name, NOON - timedelta(days=1)))
    assert next_rung([Measure("limit", NOON - timedelta(days=30))], NOON)["do"] == "slow_down"
    assert next_rung([Measure("limit", NOON - timedelta(days=29))], NOON)["do"] == "review"
    # What was over for a month before the next began is forgotten too.
    old = [Measure("review", NOON - timedelta(days=90)), Measure("slow_down", NOON - timedelta(days=2))]
    assert next_rung(old, NOON)["do"] == "extra_gold"


def test_no_figure_made_of_check_questions_or_of_agreement_is_told_to_the_worker() -> None:
    closed = set(METRICS) - set(OPEN)
    of_gold = {"gold_accuracy", "gold_answers", "reliability", "guessing", "spammer_score", "turned"}
    assert closed == of_gold | {"agreement", "agreements"}


def test_shares_are_known_once_enough_others_have_answered_whoever_is_left_out() -> None:
    five = [Counter(a=20, b=10)] * 5
    assert shares_of([]) == shares_of(five) == {}, "besides one of them there are four"
    assert shares_of([*five[:4], Counter(a=500), Counter(a=2)]) == {}, "who gave two answers is hardly there"
    assert shares_of([*[Counter(a=2, b=1)] * 6, Counter(a=500)]) == {}, "one who floods the batch is not the crowd"
    known = shares_of([*five, Counter(a=10, b=20)])
    assert 11 / 18 < known["a"] < 0.75 and 7 / 18 < known["b"] < 0.55


def test_a_mistake_where_others_err_too_turns_nobody() -> None:
    good = [event(n, Kind.GOLD, score=1.0) for n in range(1, 61)]
    hard, easy = (
        [event(n, Kind.AGREEMENT, score=0.0, weight=0.5, easiness=easiness) for n in range(61, 91)]
        for easiness in (0.5, 1.0)
    )
    assert figure("turned", good + hard).value == 0
    assert figure("turned", good + easy).value > 6  # type: ignore[operator]


def test_a_short_clump_of_mistakes_is_no_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    good = [event(n, Kind.GOLD, score=1.0) for n in range(1, 61)]
    clump = [event(n, Kind.GOLD, score=0.0) for n in range(61, 68)]
    after = [event(n, Kind.GOLD, score=1.0) for n in range(68, 75)]
    fires = 6
    assert figure("turned", good + clump + after).value < fires  # type: ignore[operator]
    monkeypatch.setattr(turning, "TEMPER", 1.0)
    assert figure("turned", good + clump + after).value > fires  # type: ignore[operator]
