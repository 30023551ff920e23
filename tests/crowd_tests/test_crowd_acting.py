"""A crowd that acts on the market's own commands, in time of its own."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from marketplace.common.database import value
from marketplace.common.promises import check_promises
from tests.crowd.acting import Clock, Crowd, product_sweeps
from tests.crowd.difficulty import Difficulty
from tests.crowd.people import Honest, Person
from tests.crowd.promised import promised_crowd
from tests.crowd.questions import make_questions
from tests.crowd.staging import hired

pytestmark = pytest.mark.committed
NEVER = {"min_share": 0.0, "max_share": 0.0, "probation": 0, "probation_share": 0.0}


def small(
    people: list[Person], *, tasks: int = 60, known: int = 8, seed: int = 1, page_sizes: tuple[int, ...] = (1, 5),
    **terms: Any,
) -> Crowd:  # fmt: skip
    questions = make_questions(tasks, known, seed=seed)
    return hired(people, questions, overlap=3, seed=seed, clock=Clock(), page_sizes=page_sizes, **terms)


def test_a_crowd_fills_every_ordinary_place_once_and_breaks_no_promise(committed: str) -> None:
    people = promised_crowd(10, seed=1, tasks=Difficulty(1))
    crowd = small(people)
    story = crowd.work()
    ordinary = Counter(given.question for given in story.answers if not given.gold)
    assert set(ordinary.values()) == {3}
    assert len(ordinary) == 60
    assert len({(given.person, given.question) for given in story.answers}) == len(story.answers)
    assert len(story.shows) == len(story.answers)
    assert [show.gold for show in story.shows].count(True) == [given.gold for given in story.answers].count(True) > 0
    assert not [finding.name for finding in check_promises() if finding.violations]
    # Nobody who asked in vain could have been given something.
    assert {refused.code for refused in story.refusals} == {"nothing-to-claim"}
    assert not any(refused.ordinary_open for refused in story.refusals)
    # What waits for the scoring step has been scored by the product's own sweep.
    assert value("SELECT count(*) FROM gold_toscore") == 0


def test_places_of_a_person_are_numbered_and_pages_are_kept_together(committed: str) -> None:
    crowd = small([Honest(0.8, seed) for seed in range(4)], page_sizes=(5,))
    shows = crowd.work(answers=40).shows
    for person in range(4):
        assert [show.nth for show in shows if show.person == person] == list(
            range(sum(show.person == person for show in shows))
        )
    full = [show for show in shows if show.page_size == 5]
    assert {show.item for show in full} == {0, 1, 2, 3, 4}
    assert all(show.nth == 5 * show.page + show.item for show in full)


def test_it_stops_at_the_number_of_answers_that_is_paid_for(committed: str) -> None:
    crowd = small([Honest(0.8, seed) for seed in range(4)], page_sizes=(5,))
    assert len(crowd.work(answers=37).answers) == 37
    assert value("SELECT count(*) FROM assignments_assignment WHERE state = 'submitted'") == 37


def test_the_clock_stands_still_but_for_the_crowd_and_people_take_their_own_time(committed: str) -> None:
    clock = Clock()
    clock.to(3600.0)
    assert value("SELECT market_now()") == clock.start + timedelta(hours=1)
    clock.to(1800.0)
    assert value("SELECT market_now()") == clock.start + timedelta(hours=1)
    person = Honest(0.9, 5)
    crowd = hired([person], make_questions(10, 0, seed=1), overlap=1, seed=1, clock=clock, page_sizes=(1,),
                  begins_s=7200.0)  # fmt: skip
    story = crowd.work()
    times = [given.at_s for given in story.answers]
    took = [later - earlier for earlier, later in pairwise(times)]
    assert took == pytest.approx([person.seconds(given.question) for given in story.answers[1:]])
    assert times[0] > 7200.0
    leased = value("SELECT max(leased_at) FROM assignments_assignment")
    assert leased == clock.start + timedelta(seconds=times[-2])


def test_people_answer_the_same_in_every_run_of_a_seed(committed: str) -> None:
    people = promised_crowd(10, seed=4, tasks=Difficulty(4), turns_after=10_000)
    given = []
    for _ in range(2):
        story = small(people, seed=4).work()
        given.append({(one.person, one.question): one.label for one in story.answers})
    both = given[0].keys() & given[1].keys()
    assert len(both) > 30
    assert all(given[0][pair] == given[1][pair] for pair in both)


def test_a_good_worker_who_is_refused_although_work_is_open_would_be_noticed(committed: str) -> None:
    crowd = small([Honest(0.8, 1)], tasks=5, known=3)
    assert crowd.ordinary_open(crowd.hands[0])
    crowd.work()
    assert not crowd.ordinary_open(crowd.hands[0])


def test_open_gold_is_no_ordinary_work(committed: str) -> None:
    """Gold is given by schedule: a person who has none scheduled is not starved because some is left."""
    crowd = small([Honest(0.8, 1)], tasks=5, known=3, gold=NEVER)
    story = crowd.work()
    assert len(story.answers) == 5
    assert [refused.ordinary_open for refused in story.refusals] == [False, False, False]


def test_the_crowd_is_accompanied_by_the_sweeps_that_it_could_notice() -> None:
    names = set(product_sweeps())
    assert {"score", "due"} <= names
    assert not names & {"settle", "seal", "finish", "send-payouts", "forget"}
    assert all(every >= 1.0 for every, _ in product_sweeps().values())
