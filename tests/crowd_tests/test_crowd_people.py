"""The simulated workers."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.crowd.difficulty import Difficulty
from tests.crowd.people import (
    Biased,
    Colluder,
    Constant,
    Copier,
    Honest,
    Person,
    RandomClicker,
    Sloppy,
    Speeder,
    mixed_crowd,
    ring,
    sleeper,
)
from tests.crowd.promised import promised_crowd

LABELS = [str(digit) for digit in range(10)]
TASKS = {f"task-{number}": LABELS[number % 10] for number in range(3000)}


def share_right(person: Person) -> float:
    return sum(person.answer(task, truth, LABELS) == truth for task, truth in TASKS.items()) / len(TASKS)


def test_an_honest_worker_is_right_as_often_as_promised() -> None:
    assert share_right(Honest(accuracy=0.8, seed=1)) == pytest.approx(0.8, abs=0.03)


def test_a_perfect_worker_never_errs_and_a_hopeless_one_always_does() -> None:
    assert share_right(Honest(accuracy=1.0, seed=1)) == 1.0
    assert share_right(Honest(accuracy=0.0, seed=1)) == 0.0


def test_two_honest_workers_err_on_different_tasks() -> None:
    one, other = Honest(accuracy=0.7, seed=1), Honest(accuracy=0.7, seed=2)
    both_wrong = sum(
        one.answer(task, truth, LABELS) != truth != other.answer(task, truth, LABELS) for task, truth in TASKS.items()
    )
    assert both_wrong / len(TASKS) == pytest.approx(0.3 * 0.3, abs=0.02)


@pytest.mark.parametrize("person", [Honest(0.8, 3), Sloppy(0.35, 3), RandomClicker(3), Constant(3), Colluder(3, 0.2)])
def test_an_answer_does_not_depend_on_what_was_asked_before(person: Person) -> None:
    forwards = {task: person.answer(task, truth, LABELS) for task, truth in TASKS.items()}
    backwards = {task: person.answer(task, TASKS[task], LABELS) for task in reversed(TASKS)}
    assert forwards == backwards
    assert set(forwards.values()) <= set(LABELS)


def test_a_sloppy_worker_is_between_random_and_honest() -> None:
    assert 0.35 < share_right(Sloppy(attention=0.35, seed=2)) < 0.55


def test_a_random_clicker_is_right_by_chance_only() -> None:
    assert share_right(RandomClicker(seed=5)) == pytest.approx(0.1, abs=0.03)


def test_a_constant_worker_always_says_the_same() -> None:
    assert len({Constant(seed=4).answer(task, truth, LABELS) for task, truth in TASKS.items()}) == 1


def test_the_members_of_a_ring_always_agree_and_are_mostly_wrong() -> None:
    members = ring(3, accuracy=0.2, seed=9)
    for task, truth in TASKS.items():
        assert len({member.answer(task, truth, LABELS) for member in members}) == 1
    assert share_right(members[0]) == pytest.approx(0.2, abs=0.03)


def test_two_rings_have_two_sheets() -> None:
    (one,), (other,) = ring(1, accuracy=0.2, seed=1), ring(1, accuracy=0.2, seed=2)
    assert any(one.answer(task, truth, LABELS) != other.answer(task, truth, LABELS) for task, truth in TASKS.items())


def test_with_a_single_label_everybody_gives_it() -> None:
    for person in mixed_crowd(1):
        assert person.answer("task", "only", ["only"]) == "only"


def test_the_mixed_crowd_has_24_people_and_its_seed_decides_them() -> None:
    crowd = mixed_crowd(7)
    kinds = sorted(person.kind for person in crowd)
    assert kinds == sorted(["honest"] * 14 + ["sloppy"] * 3 + ["random"] * 2 + ["constant"] * 2 + ["colluding"] * 3)
    assert [person.honest for person in crowd] == [person.kind == "honest" for person in crowd]
    assert crowd == mixed_crowd(7)
    assert crowd != mixed_crowd(8)
    assert sorted(person.accuracy for person in crowd if isinstance(person, Honest))[::13] == [0.75, 0.95]


def test_whoever_copies_agrees_with_his_source_as_often_as_he_copies() -> None:
    source = Honest(accuracy=0.8, seed=1)
    copier = Copier(source=source, share=0.5, seed=2)
    same = sum(copier.answer(t, truth, LABELS) == source.answer(t, truth, LABELS) for t, truth in TASKS.items())
    assert same / len(TASKS) == pytest.approx(0.5 + 0.5 * 0.1, abs=0.03)


def test_a_biased_worker_gives_one_label_far_more_often_than_the_others() -> None:
    given = Counter(Biased(accuracy=0.8, lean=0.5, seed=3).answer(t, truth, LABELS) for t, truth in TASKS.items())
    (_, most), (_, second) = given.most_common(2)
    assert most / len(TASKS) == pytest.approx(0.5 + 0.5 * 0.1, abs=0.04)
    assert second < most / 5


def test_a_sleeper_is_good_until_he_turns_and_clicks_anything_afterwards() -> None:
    person = sleeper(accuracy=0.9, turns_after=200, seed=4)
    before = [person.answer(t, truth, LABELS, nth=199) == truth for t, truth in TASKS.items()]
    after = [person.answer(t, truth, LABELS, nth=200) == truth for t, truth in TASKS.items()]
    assert sum(before) / len(TASKS) == pytest.approx(0.9, abs=0.02)
    assert sum(after) / len(TASKS) == pytest.approx(0.1, abs=0.02)
    assert not person.honest


def test_a_speeder_is_far_faster_than_everybody_else() -> None:
    tasks = Difficulty(seed=1)
    slowest = sorted(Speeder(accuracy=0.6, seed=1).seconds(task) for task in TASKS)[int(0.99 * len(TASKS))]
    honest = sorted(Honest(accuracy=0.8, seed=1, tasks=tasks).seconds(task) for task in TASKS)
    assert slowest < honest[int(0.05 * len(TASKS))]
    assert honest[len(TASKS) // 2] == pytest.approx(8.0, rel=0.1)


@pytest.mark.parametrize("accuracy", [0.65, 0.8, 0.95])
def test_hard_tasks_are_hard_for_everybody_and_the_mean_stays_as_promised(accuracy: float) -> None:
    tasks = Difficulty(seed=3, spread=1.0)
    person = Honest(accuracy=accuracy, seed=5, tasks=tasks)
    assert share_right(person) == pytest.approx(accuracy, abs=0.03)
    hard = sorted(TASKS, key=tasks.easiness)[:600]
    easy = sorted(TASKS, key=tasks.easiness)[-600:]
    right = {task: person.answer(task, TASKS[task], LABELS) == TASKS[task] for task in TASKS}
    assert sum(right[task] for task in easy) > sum(right[task] for task in hard) + 40


def test_two_honest_workers_err_together_on_hard_tasks() -> None:
    tasks = Difficulty(seed=3, spread=1.5)
    one, other = (Honest(accuracy=0.7, seed=seed, tasks=tasks) for seed in (1, 2))
    both = sum(
        one.answer(task, truth, LABELS) != truth != other.answer(task, truth, LABELS) for task, truth in TASKS.items()
    )
    assert both / len(TASKS) > 0.3 * 0.3 + 0.03


def test_the_promised_crowd_has_the_shares_of_its_promise_and_its_seed_decides_it() -> None:
    crowd = promised_crowd(100, seed=1, extras=False)
    counts = Counter(person.kind for person in crowd)
    assert counts == {"honest": 70, "random": 10, "constant": 10, "sleeper": 10}
    accuracies = sorted(person.accuracy for person in crowd if isinstance(person, Honest))
    assert (accuracies[0], accuracies[-1]) == (0.65, 0.95)
    assert crowd == promised_crowd(100, seed=1, extras=False)
    assert crowd != promised_crowd(100, seed=2, extras=False)
    kinds = {person.kind for person in promised_crowd(40, seed=1)}
    assert kinds == {
        "honest", "random", "constant", "sleeper", "sloppy", "biased", "copier", "speeder", "ring",
    }  # fmt: skip


def test_answers_and_times_of_the_whole_crowd_are_the_same_whenever_they_are_asked_for() -> None:
    tasks = Difficulty(seed=1)
    crowd, again = (promised_crowd(40, seed=3, tasks=tasks) for _ in range(2))
    some = dict(list(TASKS.items())[:50])
    first = [(p.answer(t, truth, LABELS, nth=7), p.seconds(t, nth=7)) for p in crowd for t, truth in some.items()]
    second = [(p.answer(t, TASKS[t], LABELS, nth=7), p.seconds(t, nth=7)) for p in again for t in reversed(list(some))]
    assert sorted(first) == sorted(second)
