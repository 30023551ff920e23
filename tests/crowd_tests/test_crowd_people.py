"""The simulated workers."""

from __future__ import annotations

import pytest

from tests.crowd.people import Colluder, Constant, Honest, Person, RandomClicker, Sloppy, mixed_crowd, ring

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
