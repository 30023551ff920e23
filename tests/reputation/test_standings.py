"""A standing kept answer by answer is the one that its recorded outcomes give, however they were handed in."""

from itertools import chain, pairwise
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.reputation.commands import SHOW_EVERY, Judged, record_outcomes
from workers.reputation.queries import posterior_of, rebuilt, shown_standing, shown_to
from workers.reputation.scoring import PRIOR

scores = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0])


def record(*judged: Judged) -> None:
    with one_transaction(principal="test"):
        record_outcomes(judged)


@settings(max_examples=40)
@given(
    answers=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), scores), max_size=70),
    cuts=st.lists(st.integers(0, 70), max_size=4),
)
def _kept_is_rebuilt(people: tuple[list[int], list[Any]], answers: list[Any], cuts: list[int]) -> None:
    """Two workers in two projects, their answers mixed and recorded in groups of any size."""
    workers, batches = people
    judged = [
        outcome for worker, place, score in answers for outcome in make.judged(workers[worker], batches[place], score)
    ]
    with transaction.atomic():
        borders = [0, *sorted(cuts), len(judged)]
        for start, end in pairwise(borders):
            with transaction.atomic():
                record_outcomes(judged[start:end])
        for worker in workers:
            for batch in batches:
                _compare(worker, batch.project_id, [j.score for j in judged if _is(j, worker, batch.project_id)])
        assert [f.name for f in check_promises() if f.violations] == []
        transaction.set_rollback(True)


def _is(judged: Judged, worker: int, project: int) -> bool:
    return (judged.worker_id, judged.project_id) == (worker, project)


def _compare(worker: int, project: int, given_scores: list[float | None]) -> None:
    known = posterior_of(worker_id=worker, project_id=project)
    assert known == rebuilt(worker_id=worker, facet=f"project:{project}")
    told = [score for score in given_scores if score is not None]
    assert known.evidence == len(told)
    assert (known.posterior.alpha, known.posterior.beta) == (
        PRIOR.alpha + sum(told),
        PRIOR.beta + len(told) - sum(told),
    )
    shown = shown_standing(worker_id=worker, project_id=project)
    assert shown.evidence <= known.evidence
    if given_scores.count(None) < SHOW_EVERY:
        assert (shown.posterior, shown.evidence) == (PRIOR, 0)


@pytest.mark.django_db
def test_what_is_kept_is_what_its_outcomes_give() -> None:
    people = ([make.make_worker().pk for _ in range(2)], [make.make_draft() for _ in range(2)])
    _kept_is_rebuilt(people)


@pytest.mark.django_db
@pytest.mark.parametrize("group", [1, 3, 20, 50])
def test_what_is_shown_is_the_standing_after_the_last_multiple_of_twenty_answers(group: int) -> None:
    """However many answers one scoring run takes, the shown standing stops at the twentieth, and not after it."""
    batch, worker = make.make_draft(), make.make_worker().pk
    judged = [make.judged(worker, batch, 1.0) for _ in range(50)]
    for start in range(0, 50, group):
        record(*chain(*judged[start : start + group]))
    shown = shown_to(worker)[0]
    assert (shown.evidence, shown.score) == (40, pytest.approx((PRIOR.alpha + 40) / (PRIOR.alpha + PRIOR.beta + 40)))
    assert posterior_of(worker_id=worker, project_id=batch.project_id).evidence == 50


@pytest.mark.django_db
def test_a_standing_belongs_to_one_worker_in_one_project() -> None:
    mine, other, worker, stranger = make.make_draft(), make.make_draft(), make.make_worker().pk, make.make_worker().pk
    record(*make.judged(worker, mine, 0.0))
    assert posterior_of(worker_id=worker, project_id=mine.project_id).evidence == 1
    assert posterior_of(worker_id=worker, project_id=other.project_id).posterior == PRIOR
    assert posterior_of(worker_id=stranger, project_id=mine.project_id).posterior == PRIOR
    assert rows("SELECT count(*) FROM reputation_standing") == [(1,)]


@pytest.mark.django_db
def test_no_outcomes_change_nothing() -> None:
    record()
    assert rows("SELECT count(*) FROM reputation_standing") == [(0,)]
