"""What is recorded once, taken back once, and what is kept of it: the same as all that was recorded gives."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.batches.models import Batch
from marketplace.common.database import rows, run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken_views
from workers.reputation.commands import Judged, record_outcomes, undo_outcomes
from workers.reputation.facets import GLOBAL, class_facet, project_facet, type_facet
from workers.reputation.queries import Known, facet_of, posterior_of, rebuilt
from workers.reputation.scoring import EASY, PRIOR, REQUESTER_MAX, Posterior, fading
from workers.reputation.states import Kind

pytestmark = pytest.mark.django_db


def record(*judged: Judged) -> None:
    with one_transaction(principal="test"):
        record_outcomes(judged)


def undo(*ids: int, reason: str = "the key was wrong") -> int:
    with one_transaction(principal="test"):
        return undo_outcomes(outcome_ids=ids, reason=reason)


def known(worker: int, facet: str) -> Known:
    kept = facet_of(worker_id=worker, facet=facet)
    with transaction.atomic():
        assert kept == rebuilt(worker_id=worker, facet=facet), facet
    return kept


def judgement(worker: int, batch: Batch, score: float, **more: Any) -> Judged:
    return Judged(worker, batch.project_id, batch.pk, score, **{"kind": Kind.GOLD, **more})


def broken() -> list[str]:
    """Broken promises about what is known of workers; that agreements are of answers is another's (the assignments here
    are made up)."""
    return [name for name in broken_views() if name != "inv_r40_agreement"]


def test_a_judgement_counts_in_its_project_its_type_its_class_and_over_all() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(judgement(worker, batch, 0.0, truth="cat", given="dog"))

    for facet in (project_facet(batch.project_id), GLOBAL, type_facet("choice"),
                  class_facet(batch.project_id, "label", "cat")):  # fmt: skip
        assert known(worker, facet) == Known(Posterior(PRIOR.alpha, PRIOR.beta + 1), 1)
    assert known(worker, class_facet(batch.project_id, "label", "dog")) == Known(PRIOR, 0)
    assert known(worker, type_facet("number")) == Known(PRIOR, 0)
    assert make.outcomes("field, answer_type, requester_id") == [("label", "choice", batch.project.requester_id)]


def test_a_class_counts_its_label_whatever_else_the_answer_said() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(judgement(worker, batch, 0.5, truth="cat", given="cat"))

    assert known(worker, class_facet(batch.project_id, "label", "cat")).posterior == Posterior(3.0, 1.0)
    assert known(worker, GLOBAL).posterior == Posterior(2.5, 1.5)


def test_of_a_hard_task_a_mistake_counts_less() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(judgement(worker, batch, 0.0, easiness=EASY / 2), judgement(worker, batch, 1.0, easiness=EASY / 2))

    assert known(worker, project_facet(batch.project_id)) == Known(Posterior(3.0, 1.5), 2)


def test_evidence_fades_and_what_is_known_drifts_back_to_the_prior(clock: Callable[[timedelta], None]) -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(*[judgement(worker, batch, 0.0)] * 8)
    clock(timedelta(days=90))
    assert known(worker, GLOBAL).posterior == Posterior(PRIOR.alpha, PRIOR.beta + 4)
    record(judgement(worker, batch, 1.0))
    clock(timedelta(days=90))

    expected = Posterior(PRIOR.alpha + 0.5, PRIOR.beta + 2)
    assert known(worker, GLOBAL) == known(worker, project_facet(batch.project_id)) == Known(expected, 9)
    assert posterior_of(worker_id=worker, project_id=batch.project_id).posterior == expected


def test_one_requester_alone_can_say_only_so_much_beyond_his_own_projects() -> None:
    first = make.make_draft()
    second = make.make_draft(make.make_project(requester=first.project.requester))
    other, worker = make.make_draft(), make.make_worker().pk
    record(*[judgement(worker, batch, 0.0) for batch in (first, second) for _ in range(60)])
    record(*[judgement(worker, other, 1.0)] * 10)

    everywhere = known(worker, GLOBAL)
    assert everywhere.posterior.alpha == pytest.approx(PRIOR.alpha + 10)
    assert everywhere.posterior.beta == pytest.approx(PRIOR.beta + REQUESTER_MAX)
    assert known(worker, project_facet(first.project_id)).posterior.beta == PRIOR.beta + 60


def test_a_repeat_records_nothing_and_changes_nothing() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    once = judgement(worker, batch, 1.0, assignment_id=7, truth="cat", given="cat")
    answer = Judged(worker, batch.project_id, batch.pk, assignment_id=7)
    record(once, answer, once)
    record(once, answer)
    record(judgement(worker, batch, 0.0, assignment_id=7))

    assert make.outcomes("kind, score") == [("gold", 1.0), ("answer", None)]
    assert known(worker, GLOBAL) == Known(Posterior(3.0, 1.0), 1)
    assert rows("SELECT answers, evidence FROM reputation_standing") == [(1, 1)]
    record(judgement(worker, batch, 0.0, assignment_id=7, round=1))
    assert known(worker, GLOBAL).evidence == 2
    assert broken() == []


def test_agreement_counts_by_its_weight_and_not_beside_a_known_answer() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    agreement = {"kind": Kind.AGREEMENT, "weight": 0.5, "truth": "cat", "given": "cat"}
    record(judgement(worker, batch, 1.0, assignment_id=1), judgement(worker, batch, 0.0, assignment_id=2))
    record(*[judgement(worker, batch, 1.0, assignment_id=number, **agreement) for number in (1, 3)])

    assert make.outcomes("assignment_id, weight", "kind = 'agreement'") == [(1, 0.0), (3, 0.5)]
    assert known(worker, GLOBAL) == Known(Posterior(PRIOR.alpha + 1.5, PRIOR.beta + 1), 3)
    assert rows("SELECT truth, given, weight FROM reputation_confusion") == [("cat", "cat", 0.5)]
    assert broken() == []


def test_what_is_undone_counts_nowhere_any_more_and_is_undone_once(clock: Callable[[timedelta], None]) -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(
        judgement(worker, batch, 1.0, truth="cat", given="cat"),
        judgement(worker, batch, 0.0, truth="cat", given="dog", easiness=0.4, assignment_id=5),
    )
    wrong = make.outcomes("id")[1][0]
    clock(timedelta(days=45))
    assert [undo(wrong), undo(wrong), undo()] == [1, 0, 0]

    left = PRIOR.alpha + fading(45)
    for facet in (project_facet(batch.project_id), GLOBAL, class_facet(batch.project_id, "label", "cat")):
        found = known(worker, facet)
        assert (found.posterior.alpha, found.posterior.beta) == pytest.approx((left, PRIOR.beta), abs=1e-12)
        assert found.evidence == 1
    assert rows("SELECT given, weight FROM reputation_confusion ORDER BY given") == [("cat", 1.0), ("dog", 0.0)]
    assert make.outcomes("kind, score, easiness, assignment_id, undoes_id, reason", "kind = 'undo'") == [
        ("undo", 0.0, 0.4, 5, wrong, "the key was wrong")
    ]
    assert broken() == []


def test_only_judgements_are_undone() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(*make.judged(worker, batch, 1.0))
    for _each in range(2):
        assert undo(*[row[0] for row in make.outcomes("id")]) == 1 - _each
    assert known(worker, GLOBAL) == Known(PRIOR, 0)
    with pytest.raises(ValueError, match="with a reason"):
        undo(1, reason="")


@pytest.mark.parametrize(
    "impossible",
    [
        {"score": 1.0, "kind": Kind.ANSWER},
        {"score": None, "kind": Kind.GOLD},
        {"score": 0.0, "kind": Kind.SKIP},
        {"score": 1.0, "kind": Kind.UNDO},
    ],
)
def test_an_outcome_that_cannot_be_is_refused(impossible: dict[str, Any]) -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    with pytest.raises(ValueError, match="cannot be recorded"):
        record(Judged(worker, batch.project_id, batch.pk, **impossible))
    assert make.outcomes() == []


def test_reviews_count_but_confuse_nothing_and_exams_and_skips_count_nowhere() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(
        judgement(worker, batch, 0.0, kind=Kind.REVIEW, truth="cat", given="dog"),
        judgement(worker, batch, 0.0, kind=Kind.EXAM),
        judgement(worker, batch, 0.0, kind=Kind.TRAINING),
        Judged(worker, batch.project_id, batch.pk, kind=Kind.SKIP),
    )
    assert known(worker, GLOBAL) == Known(Posterior(2.0, 2.0), 1)
    assert rows("SELECT * FROM reputation_confusion") == []
    assert undo(make.outcomes("id", "kind = 'review'")[0][0]) == 1
    assert broken() == []


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("judge"),
            st.integers(0, 1),
            st.integers(0, 2),
            st.sampled_from([Kind.GOLD, Kind.AGREEMENT, Kind.REVIEW]),
            st.sampled_from([0.0, 0.3, 1.0]),
            st.sampled_from([1.0, 0.37, 0.0]),
            st.none() | st.sampled_from([0.1, 0.55, 0.9]),
            st.none() | st.tuples(st.sampled_from("ab"), st.none() | st.sampled_from("ab")),
            st.integers(0, 12),
        ),
        st.tuples(st.just("undo"), st.integers(0, 40)),
        st.tuples(st.just("wait"), st.integers(1, 70)),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(steps)
def _any_history_is_rebuilt(people: tuple[list[int], list[Batch]], history: list[Any]) -> None:
    workers, batches = people
    with transaction.atomic():
        for step, *what in history:
            if step == "judge":
                worker, place, kind, score, weight, easiness, labels, assignment = what
                truth, label = labels or (None, None)
                with transaction.atomic():
                    record_outcomes(
                        [
                            judgement(
                                workers[worker], batches[place], score, kind=kind, weight=weight, easiness=easiness,
                                truth=truth, given=label, assignment_id=assignment or None,
                            ),
                            Judged(workers[worker], batches[place].project_id, batches[place].pk),
                        ]
                    )  # fmt: skip
            elif step == "undo":
                ids = [row[0] for row in make.outcomes("id")]
                if ids:
                    undo_outcomes(outcome_ids=[ids[what[0] % len(ids)]], reason="wrong")
            else:
                run("UPDATE test_clock SET shift = shift + make_interval(days => %s)", what)
        for worker in workers:
            for batch in batches:
                known(worker, project_facet(batch.project_id))
                for label in "ab":
                    known(worker, class_facet(batch.project_id, "label", label))
            known(worker, GLOBAL)
            known(worker, type_facet("choice"))
        assert broken() == []
        transaction.set_rollback(True)


def test_what_is_kept_after_any_history_is_what_its_outcomes_give_to_the_bit() -> None:
    first = make.make_draft()
    beside = make.make_draft(make.make_project(requester=first.project.requester))
    _any_history_is_rebuilt(([make.make_worker().pk for _ in range(2)], [first, beside, make.make_draft()]))
