"""What a worker is told when his score moves, and that it tells nothing of any one answer."""

from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from marketplace.batches.models import Batch
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.reputation import telling
from workers.reputation.commands import SHOW_EVERY, Judged, record_outcomes, undo_outcomes
from workers.reputation.models import Change
from workers.reputation.queries import Shown, changes_of, shown_to, skills_of
from workers.reputation.scoring import PRIOR, REQUESTER_MAX, Posterior
from workers.reputation.states import Kind
from workers.reputation.telling import Since

GOOD, BAD, UNKNOWN = 1.0, 0.0, None


def record(worker: int, batch: Batch, *scores: float | None, kind: Kind = Kind.GOLD) -> None:
    """So many answers, each judged so or not at all."""
    place = {"worker_id": worker, "project_id": batch.project_id, "batch_id": batch.pk}
    with one_transaction(principal="test"):
        record_outcomes(
            [
                outcome
                for score in scores
                for outcome in (
                    *([] if score is None else [Judged(**place, score=score, kind=kind)]),
                    Judged(**place),
                )
            ]
        )


def facets(worker: int) -> dict[str, Shown]:
    return {shown.facet: shown for shown in skills_of(worker)}


def test_the_words_say_how_many_were_judged_and_what_became_of_the_score() -> None:
    assert telling.of_project("Cats and dogs", Since(9, 8, 0), 0.71, 0.78) == (
        "With your last 20 answers in “Cats and dogs”, 9 more could be judged: 8 agreed with what is known to be right."
        " Your score went from 0.71 to 0.78."
    )
    assert telling.of_project("Dogs", Since(0, 0, 0), 0.7101, 0.7099) == (
        "With your last 20 answers in “Dogs”, none more could be judged. Your score stayed at 0.71."
    )
    assert "Older answers count less as time goes by." in telling.of_project("Dogs", Since(0, 0, 0), 0.8, 0.7)
    assert "1 earlier judgement was found to be wrong and no longer counts." in telling.of_project(
        "Dogs", Since(1, 1, 1), 0.6, 0.7
    )
    assert "2 earlier judgements were found to be wrong and no longer count." in telling.of_project(
        "Dogs", Since(0, 0, 2), 0.6, 0.7
    )


@pytest.mark.django_db
def test_every_twentieth_answer_writes_down_what_moved_and_nothing_else_does() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(worker, batch, GOOD, BAD, GOOD, *[UNKNOWN] * 16)
    assert not changes_of(worker).exists()
    record(worker, batch, UNKNOWN)

    project, kind, everything = changes_of(worker).order_by("id")
    assert [change.facet for change in (project, kind, everything)] == ["project", "type:choice", "global"]
    after = Posterior(PRIOR.alpha + 2, PRIOR.beta + 1)
    for change in (project, kind, everything):
        assert (change.score_from, change.score_to) == (PRIOR.mean, after.mean)
        assert (change.low, change.high) == after.interval()
        assert (change.answers, change.judged, change.agreed, change.taken_back) == (20, 3, 2, 0)
    assert project.words == (
        "With your last 20 answers in “Pets”, 3 more could be judged: 2 agreed with what is known to be right."
        " Your score stayed at 0.67."
    )
    assert kind.words == (
        "After your last 20 answers in “Pets”: your score in all work with answers of the type “choice” stayed at 0.67."
    )
    assert everything.words == "After your last 20 answers in “Pets”: your score in all your work stayed at 0.67."
    record(worker, batch, *[BAD] * 19)
    assert changes_of(worker).count() == 3


@pytest.mark.django_db
def test_a_group_that_passes_two_multiples_tells_both() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(worker, batch, *[GOOD] * 20, *[BAD] * 25)
    told = list(changes_of(worker).filter(facet="project").order_by("id"))
    assert [(change.answers, change.judged, change.agreed) for change in told] == [(20, 20, 20), (40, 20, 0)]
    assert told[0].score_to == told[1].score_from == 22 / 23
    assert told[1].score_to == shown_to(worker)[0].score == 22 / 43


@pytest.mark.django_db
def test_what_is_taken_back_is_told_with_the_next_twentieth_answer() -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(worker, batch, *[BAD] * 20)
    wrong = make.outcomes("id", "kind = 'gold'")[0][0]
    with one_transaction(principal="test"):
        undo_outcomes(outcome_ids=[wrong], reason="the key of a task was wrong")
    record(worker, batch, *[UNKNOWN] * 20)

    change = changes_of(worker).filter(facet="project").latest("id")
    assert (change.judged, change.taken_back) == (0, 1)
    assert (change.score_from, change.score_to) == (2 / 23, 2 / 22)
    assert change.words == (
        "With your last 20 answers in “Pets”, none more could be judged."
        " 1 earlier judgement was found to be wrong and no longer counts. Your score stayed at 0.09."
    )


@pytest.mark.django_db
def test_what_fades_is_told_too(clock: Callable[[timedelta], None]) -> None:
    batch, worker = make.make_draft(), make.make_worker().pk
    record(worker, batch, *[BAD] * 20)
    clock(timedelta(days=180))
    record(worker, batch, *[UNKNOWN] * 20)
    change = changes_of(worker).filter(facet="project").latest("id")
    assert change.score_to == pytest.approx(2 / 8)
    assert "Older answers count less as time goes by. Your score went from 0.09 to 0.25." in change.words


@pytest.mark.django_db
def test_known_answers_and_agreement_read_the_same() -> None:
    batch, told = make.make_draft(), []
    for kind in (Kind.GOLD, Kind.AGREEMENT, Kind.REVIEW):
        worker = make.make_worker().pk
        record(worker, batch, GOOD, BAD, *[UNKNOWN] * 18, kind=kind)
        columns = [field.name for field in Change._meta.fields if field.name not in ("id", "worker", "made_at")]
        told.append(list(changes_of(worker).order_by("id").values_list(*columns)))
    assert told[0] == told[1] == told[2]


@pytest.mark.django_db
def test_the_words_do_not_tell_which_of_twenty_answers_was_judged() -> None:
    batch, told = make.make_draft(), set()
    for place in range(SHOW_EVERY):
        worker = make.make_worker().pk
        record(worker, batch, *[BAD if at == place else UNKNOWN for at in range(SHOW_EVERY)])
        told.add(tuple(changes_of(worker).order_by("id").values_list("words", "score_to", "judged", "agreed")))
    assert len(told) == 1


@pytest.mark.django_db
def test_beyond_projects_a_worker_sees_only_what_follows_from_what_he_sees_of_each() -> None:
    """19 answers here and one there make 20, and a score over all that moved then would tell about the one."""
    first, second, worker = make.make_draft(), make.make_draft(), make.make_worker().pk
    record(worker, first, *[GOOD] * 20)
    before = skills_of(worker), list(changes_of(worker))
    record(worker, second, *[BAD] * 19)
    assert (skills_of(worker), list(changes_of(worker))) == before
    record(worker, second, BAD)
    assert facets(worker)["global"].score == pytest.approx(22 / 43)
    assert facets(worker)["type:choice"].evidence == 40


@pytest.mark.django_db
def test_a_requester_with_many_projects_weighs_no_more_in_what_is_shown_beyond_them() -> None:
    first, worker = make.make_draft(), make.make_worker().pk
    record(worker, make.make_draft(), *[GOOD] * 20)
    for _project in range(3):
        record(worker, make.make_draft(make.make_project(first.project.requester)), *[BAD] * 20)
    expected = Posterior(PRIOR.alpha + 20, PRIOR.beta + REQUESTER_MAX)
    assert facets(worker)["global"].score == pytest.approx(expected.mean)
    assert (facets(worker)["global"].low, facets(worker)["global"].high) == pytest.approx(expected.interval())


@pytest.mark.django_db
def test_types_of_answers_are_told_apart() -> None:
    number = {"data": make.INTERFACE["data"], "answer": [{"name": "kg", "type": "number", "tolerance": 1}]}
    worker = make.make_worker().pk
    record(worker, make.make_draft(), *[GOOD] * 20)
    record(worker, make.make_draft(make.make_project(interface=number)), *[BAD] * 20)
    found = facets(worker)
    assert list(found) == ["type:choice", "type:number", "global"]
    assert (found["type:choice"].score, found["type:number"].score) == (22 / 23, 2 / 23)
    assert found["global"].score == 22 / 43
    assert all(shown.low < shown.score < shown.high for shown in found.values())


@pytest.mark.django_db
def test_who_has_answered_nothing_sees_nothing() -> None:
    assert skills_of(make.make_worker().pk) == []


def test_no_text_names_a_task_or_where_a_judgement_comes_from() -> None:
    texts = chain(
        (telling.of_project("X", Since(judged, agreed, back), 0.5, 0.6)
         for judged, agreed, back in ((0, 0, 0), (1, 0, 0), (9, 8, 2))),
        [telling.of_type("choice", "X", 0.5, 0.6), telling.of_all("X", 0.5, 0.6)],
    )  # fmt: skip
    forbidden: list[Any] = ["gold", "hidden", "consensus", "majority", "task", "review", "other workers"]
    for text in texts:
        assert not [word for word in forbidden if word in text.lower()], text
