"""A requester cannot take work and not pay: what he may reject at once, and what waits for a second look (R42)."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import disputes_of, earned_by, funds_of, outside
from marketplace.ledger.commands import Move, move
from marketplace.ledger.errors import NotEnough
from marketplace.ledger.queries import balance
from marketplace.projects.models import Project
from marketplace.results.breaker import WEEK_ALWAYS, allowance, defies_consensus, week_allowance
from marketplace.results.commands.names import worker_names
from marketplace.results.commands.rejections import (
    Rejected,
    Why,
    apply_approved,
    approve_review,
    give_back,
    lapse_reviews,
    refuse_review,
    reject,
    reject_all,
)
from marketplace.results.errors import OwnReview, ReviewDecided
from marketplace.results.models import RejectionReview
from marketplace.results.queries import answer_rows, rejection_rates
from tests import factories as make
from tests.acts import broken, in_one
from workers.appeals.commands.open import contest_answer
from workers.appeals.due import settle_due as settle_appeals
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.repair import return_answers
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.errors import NotDecidable, NotReturnable, RejectionInvalid
from workers.assignments.models import Assignment, Rejection
from workers.assignments.queries import earnings, live_leases
from workers.assignments.states import RejectReason
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.models import Worker
from workers.reputation.queries import posterior_of

Forward = Callable[[timedelta], None]


def answered(count: int, *labels: str, **terms: Any) -> tuple[Batch, list[Worker]]:
    """A batch of `count` tasks, answered by one worker for each label."""
    batch = make.make_batch(count, overlap=len(labels), lease_cap=100, **terms)
    workers = [make.make_worker() for _ in labels]
    for worker, label in zip(workers, labels, strict=True):
        for at in range(0, count, 100):
            make.answer(worker, make.take(worker, batch, min(100, count - at)), label)
    return batch, workers


def why(batch: Batch, **more: Any) -> Why:
    return Why(RejectReason.WRONG, "Not an animal.", make.owner_of(batch.requester).pk, **more)


def answers(batch: Batch, worker: Worker | None = None, count: int = 10_000) -> list[UUID]:
    found = Assignment.objects.filter(batch=batch, state="submitted").order_by("pk")
    if worker is not None:
        found = found.filter(worker=worker)
    return list(found.values_list("public_id", flat=True)[:count])


def ask(batch: Batch, which: list[UUID], **more: Any) -> Rejected:
    return in_one(reject, batch_id=batch.pk, assignments=which, why=why(batch, **more))  # type: ignore[no-any-return]


def states(batch: Batch) -> dict[str, int]:
    return dict(
        rows("SELECT state, count(*) FROM assignments_assignment WHERE batch_id = %s GROUP BY state", [batch.pk])
    )


# --- the rule -------------------------------------------------------------------------------------------------------


def test_five_answers_of_any_batch_and_a_tenth_of_a_large_one_need_no_review() -> None:
    assert [allowance(n) for n in (0, 10, 50, 59, 60, 1_000)] == [5, 5, 5, 5, 6, 100]


def test_twenty_answers_of_a_week_and_a_tenth_of_a_large_one_need_no_review() -> None:
    assert [week_allowance(n) for n in (0, 200, 209, 210, 10_000)] == [20, 20, 20, 21, 1_000]


def test_one_rejection_against_consensus_is_no_pattern_and_several_are() -> None:
    def defies(agreeing: int, compared: int, disagreement: float) -> bool:
        return defies_consensus(agreeing=agreeing, compared=compared, disagreement=disagreement)

    assert not defies(0, 0, 0.0)
    assert not defies(1, 1, 0.0)
    assert defies(2, 2, 0.05)
    assert not defies(2, 2, 0.4), "where answers differ a lot, consensus says little"
    assert not defies(0, 100, 0.1)
    assert defies(100, 100, 0.5)


# --- what takes effect and what waits -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_few_rejections_take_effect_at_once_with_reason_comment_and_version() -> None:
    batch, [_worker] = answered(8, "cat")

    assert ask(batch, answers(batch, count=5)) == Rejected(5)

    assert states(batch) == {"rejected": 5, "submitted": 3}
    told = Rejection.objects.filter(batch=batch).values_list("reason", "comment", "version_id", "review_id").distinct()
    assert list(told) == [("wrong", "Not an animal.", batch.version_id, None)]
    assert set(Rejection.objects.values_list("made_by", flat=True)) == {make.owner_of(batch.requester).pk}
    assert broken() == []


def sliced(project: Project, batches: int) -> list[Rejected]:
    """Five answers each of several batches of one project, all rejected."""
    done = []
    for _number in range(batches):
        draft = make.make_draft(project, overlap=1, lease_cap=100)
        make.add_rows(draft, make.rows(5))
        batch = make.published(draft)
        worker = make.make_worker()
        make.answer(worker, make.take(worker, batch, 5), "cat")
        done.append(ask(batch, answers(batch)))
    return done


@pytest.mark.django_db
def test_work_that_is_cut_into_small_batches_is_looked_at_all_the_same(clock: Forward) -> None:
    project = make.make_project()
    assert [(one.rejected, one.waiting) for one in sliced(project, 5)] == [(5, 0)] * 4 + [(0, 5)]
    review = RejectionReview.objects.get()
    assert review.cause == "count"
    told = {name: review.evidence[name] for name in ("asked", "taken", "allowed", "week_taken", "week_allowed")}
    assert told == {"asked": 5, "taken": 0, "allowed": 5, "week_taken": WEEK_ALWAYS, "week_allowed": WEEK_ALWAYS}
    assert [one.rejected for one in sliced(make.make_project(), 1)] == [5], "another requester's count is his own"
    clock(timedelta(days=8))
    assert [one.rejected for one in sliced(project, 1)] == [5], "a week later"
    assert broken() == []


@pytest.mark.django_db
def test_who_had_much_answered_in_a_week_may_reject_a_tenth_of_it() -> None:
    project = make.make_project()
    draft = make.make_draft(project, overlap=1, lease_cap=100)
    make.add_rows(draft, make.rows(50))
    batch, worker = make.published(draft), make.make_worker()
    make.answer(worker, make.take(worker, batch, 50), "cat")
    # With the fifth slice 255 have been answered, a tenth of which is 25; with the sixth 260, a tenth of which is 26.
    extra = make.make_draft(project, overlap=1, lease_cap=100)
    make.add_rows(extra, make.rows(180))
    large = make.published(extra)
    for at in (100, 80):
        make.answer(worker, make.take(worker, large, at), "cat")
    assert [(one.rejected, one.waiting) for one in sliced(project, 6)] == [(5, 0)] * 5 + [(0, 5)]


@pytest.mark.django_db
def test_a_rejection_without_words_or_by_other_instructions_is_refused() -> None:
    batch, _ = answered(2, "cat")
    silent = Why(RejectReason.WRONG, "  ", make.owner_of(batch.requester).pk)
    with pytest.raises(RejectionInvalid):
        in_one(reject, batch_id=batch.pk, assignments=answers(batch), why=silent)
    with pytest.raises(RejectionInvalid):
        ask(batch, answers(batch), version=2)
    assert ask(batch, answers(batch), version=1).rejected == 2


@pytest.mark.django_db
def test_the_sixth_rejection_of_a_small_batch_waits_and_the_answer_stays_submitted() -> None:
    batch, _ = answered(8, "cat")
    ask(batch, answers(batch, count=5))

    done = ask(batch, answers(batch, count=1))

    assert (done.rejected, done.waiting, done.cause) == (0, 1, "count")
    assert states(batch) == {"rejected": 5, "submitted": 3}
    review = RejectionReview.objects.get(public_id=done.review)
    assert (review.state, review.answers) == ("open", 1)
    assert {name: review.evidence[name] for name in ("answered", "allowed", "taken", "waiting", "asked")} == {
        "answered": 8, "allowed": 5, "taken": 5, "waiting": 0, "asked": 1,
    }  # fmt: skip
    assert broken() == []


@pytest.mark.django_db
def test_what_waits_counts_so_that_nobody_gets_past_the_limit_bit_by_bit() -> None:
    batch, _ = answered(20, "cat")
    named = answers(batch)
    waiting = [ask(batch, [one]).waiting for one in named]
    assert waiting == [0] * 5 + [1] * 15
    assert states(batch) == {"rejected": 5, "submitted": 15}
    assert RejectionReview.objects.count() == 15


@pytest.mark.django_db
def test_asking_again_for_what_was_rejected_or_waits_changes_nothing() -> None:
    batch, _ = answered(8, "cat")
    first = answers(batch, count=6)
    assert ask(batch, first).waiting == 6
    assert ask(batch, first) == Rejected(0, 6)
    assert RejectionReview.objects.count() == 1
    other = answers(batch)[6:]
    assert ask(batch, other[:1]).waiting == 1


@pytest.mark.django_db
def test_rejections_of_answers_that_agree_with_all_others_wait_and_those_of_outliers_do_not() -> None:
    batch = make.make_batch(12, overlap=4, lease_cap=100)
    ann, odd = make.make_worker(), make.make_worker()
    for worker in (ann, make.make_worker(), make.make_worker()):
        make.answer(worker, make.take(worker, batch, 12), "cat")
    make.answer(odd, make.take(odd, batch, 2), "dog")

    outliers = answers(batch, odd)
    agreeing = answers(batch, ann, count=3)
    done = ask(batch, [*outliers, *agreeing])

    assert (done.rejected, done.waiting, done.cause) == (2, 3, "consensus")
    assert set(Assignment.objects.filter(state="rejected").values_list("worker", flat=True)) == {odd.pk}
    assert Rejection.objects.filter(agreed=False).count() == 2


@pytest.mark.django_db
def test_one_by_one_rejections_against_consensus_wait_from_the_second_on() -> None:
    batch, [ann, _bob, _cid] = answered(12, "cat", "cat", "cat")
    found = [ask(batch, [one]) for one in answers(batch, ann, count=3)]
    assert [(done.rejected, done.waiting) for done in found] == [(1, 0), (0, 1), (0, 1)]


# --- the review -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_approved_rejections_take_effect_and_open_their_places() -> None:
    batch, _ = answered(8, "cat")
    done = ask(batch, answers(batch, count=7))
    staff = make.make_user()
    assert done.review is not None

    in_one(approve_review, review=done.review, by=staff.pk, reason="All of them are empty pictures.")
    assert in_one(approve_review, review=done.review, by=staff.pk, reason="Again.").state == "approved"

    assert states(batch) == {"rejected": 7, "submitted": 1}
    review = RejectionReview.objects.get(public_id=done.review)
    assert (review.decided_by_id, review.applied_at is not None) == (staff.pk, True)
    assert set(review.items.values_list("outcome", flat=True)) == {"rejected"}
    assert set(Rejection.objects.values_list("review_id", flat=True)) == {review.pk}
    assert ask(batch, answers(batch)).rejected == 1, "approved rejections do not count against the allowance"
    with pytest.raises(ReviewDecided):
        in_one(refuse_review, review=done.review, by=staff.pk, reason="No.")
    assert broken() == []


@pytest.mark.django_db
def test_refused_rejections_stay_refused_and_the_answers_are_accepted_in_time(clock: Forward) -> None:
    batch, _ = answered(8, "cat")
    named = answers(batch, count=7)
    done = ask(batch, named)
    in_one(refuse_review, review=done.review, by=make.make_user().pk, reason="They are right.")
    with pytest.raises(NotDecidable):
        ask(batch, named[:1])
    with pytest.raises(IntegrityError, match="waits for its review"), transaction.atomic():
        make.reject(batch, named[:1])
    clock(timedelta(days=8))
    in_one(apply_due)
    assert states(batch) == {"accepted": 8}


@pytest.mark.django_db
def test_nobody_reviews_rejections_of_his_own_organisation_not_even_by_raw_sql() -> None:
    batch, _ = answered(8, "cat")
    done = ask(batch, answers(batch, count=6))
    owner = make.owner_of(batch.requester).pk
    for command in (approve_review, refuse_review):
        with pytest.raises(OwnReview):
            in_one(command, review=done.review, by=owner, reason="I think so.")
    approve = (
        "UPDATE results_rejectionreview SET state = 'approved', decided_at = market_now(), decided_by_id = %s,"
        " decision = %s"
    )
    other = make.make_user().pk
    for who, words, match in ((owner, "yes", "own organisation"), (None, "yes", "by somebody"), (other, " ", "reason")):
        with pytest.raises(IntegrityError, match=match), transaction.atomic():
            run(approve, [who, words])
    assert run(approve, [other, "yes"]) == 1


DECIDE = (
    "UPDATE results_rejectionreview SET state = %s, decided_at = market_now(), decided_by_id = %s, decision = 'yes'"
)


def taken_for(one: Worker, other: Worker) -> None:
    """A link said that they are one person, until it was ended."""
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
        link = link_accounts(workers=[one.public_id, other.public_id], reason="one phone", by=by)
        end_link(link=link, reason="two sisters", by=by)


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["former member", "member", "who rejected", "worker"])
@pytest.mark.parametrize("by_other", [False, True], ids=["himself", "another account"])
def test_whoever_has_a_part_reviews_no_rejections_by_none_of_his_accounts(part: str, by_other: bool) -> None:
    batch, [_ann, bob] = answered(8, "cat", "cat")
    rejecter, member, former = (make.make_worker() for _ in range(3))
    batch.requester.members.create(user=member.user, role="viewer")
    batch.requester.members.create(user=former.user, role="viewer").delete()
    said = Why(RejectReason.WRONG, "The picture is empty.", rejecter.user_id)
    done = in_one(reject, batch_id=batch.pk, assignments=answers(batch), why=said)
    assert done.waiting == 16
    by = {"former member": former, "member": member, "who rejected": rejecter, "worker": bob}[part]
    if by_other:
        taken_for(by, other := make.make_worker())
        by = other

    for command in (approve_review, refuse_review):
        with pytest.raises(OwnReview, match="own answers" if part == "worker" else "own organisation"):
            in_one(command, review=done.review, by=by.user_id, reason="I think so.")
    for decided in ("approved", "refused"):
        with pytest.raises(IntegrityError, match="nobody reviews"), transaction.atomic():
            run(DECIDE, [decided, by.user_id])
    in_one(refuse_review, review=done.review, by=make.make_worker().user_id, reason="They are right.")


@pytest.mark.django_db
def test_a_review_that_nobody_decides_lapses_when_all_answers_were_accepted(clock: Forward) -> None:
    batch, _ = answered(8, "cat")
    done = ask(batch, answers(batch, count=6))
    assert in_one(lapse_reviews) == 0
    with pytest.raises(IntegrityError, match="something to decide"), transaction.atomic():
        run("UPDATE results_rejectionreview SET state = 'lapsed', decided_at = market_now()")
    clock(timedelta(days=8))
    in_one(apply_due)
    assert in_one(lapse_reviews) == 1
    assert RejectionReview.objects.get(public_id=done.review).state == "lapsed"


@pytest.mark.django_db
def test_an_approval_that_comes_too_late_rejects_nothing(clock: Forward) -> None:
    batch, _ = answered(8, "cat")
    done = ask(batch, answers(batch, count=6))
    in_one(accept_answers, batch_id=batch.pk, assignments=answers(batch, count=2))
    clock(timedelta(days=8))
    in_one(approve_review, review=done.review, by=make.make_user().pk, reason="Late.")
    assert states(batch) == {"accepted": 2, "submitted": 6}
    in_one(apply_due)
    assert states(batch) == {"accepted": 8}


# --- the replay -----------------------------------------------------------------------------------------------------


def replay(tasks: int, forward: Forward) -> None:
    """ "AI Insights": a requester takes all the answers, rejects every one of them, and keeps the data."""
    batch, workers = answered(tasks // 3, "cat", "cat", "cat")
    known = {worker.pk: posterior_of(worker_id=worker.pk, project_id=batch.project_id) for worker in workers}
    total = len(answers(batch))
    assert total == tasks // 3 * 3

    done = in_one(reject_all, batch_id=batch.pk, why=why(batch))

    assert (done.rejected, done.waiting) == (0, total)
    assert in_one(reject_all, batch_id=batch.pk, why=why(batch)) == Rejected(0)
    assert states(batch) == {"submitted": total}
    with one_transaction(principal="test"):
        names = worker_names(batch=batch)
    assert list(answer_rows(batch, names)) == [], "what is not paid is not exported"
    assert {worker.pk: posterior_of(worker_id=worker.pk, project_id=batch.project_id) for worker in workers} == known
    forward(timedelta(days=8))
    while in_one(apply_due):
        pass
    while in_one(settle_due):
        pass
    assert states(batch) == {"accepted": total}
    assert [earnings(worker.pk)[0].settled_micros for worker in workers] == [total // 3 * make.PRICE] * 3
    assert in_one(lapse_reviews) == 1
    assert broken() == []


@pytest.mark.django_db
def test_who_rejects_all_of_a_large_batch_rejects_nothing_and_pays_at_the_deadline(clock: Forward) -> None:
    """The case this is made after had 75,000 answers: TOUCHSTONE_REPLAY=75000 replays it in full, in some minutes."""
    replay(int(os.environ.get("TOUCHSTONE_REPLAY", "1500")), clock)


# --- the wall -------------------------------------------------------------------------------------------------------

REJECT = """
INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_by_id, made_at)
SELECT a.id, a.batch_id, 'spam', 'no', a.version_id, (SELECT min(id) FROM accounts_user), market_now()
  FROM assignments_assignment a WHERE a.state = 'submitted' ORDER BY a.id LIMIT %s
"""
BECOME = """
UPDATE assignments_assignment a SET state = 'rejected', end_reason = 'spam', comment = 'no', decided_at = market_now()
 WHERE EXISTS (SELECT 1 FROM assignments_rejection r WHERE r.assignment_id = a.id)
"""


@pytest.mark.django_db
@pytest.mark.usefixtures("untold")
def test_no_statement_rejects_more_than_the_allowance() -> None:
    answered(100, "cat")
    with pytest.raises(IntegrityError, match="so many rejections need a review"), transaction.atomic():
        run(REJECT, [11])
    assert run(REJECT, [10]) == 10
    assert run(BECOME) == 10
    with pytest.raises(IntegrityError, match="so many rejections need a review"), transaction.atomic():
        run(REJECT, [1])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "match"),
    [
        ("UPDATE assignments_assignment SET state = 'rejected', end_reason = 'spam', comment = 'x'", "in words"),
        (REJECT.replace("'no'", "' '").replace("%s", "1"), "rejection_has_comment"),
        (REJECT.replace("a.version_id, (", "a.version_id + 1, (").replace("%s", "1"), "other instructions"),
        (REJECT.replace("(SELECT min(id) FROM accounts_user)", "NULL").replace("%s", "1"), "by somebody"),
        ("UPDATE assignments_rejection SET comment = 'other'", "permission denied"),
        ("DELETE FROM assignments_rejection", "permission denied"),
        ("INSERT INTO results_reviewdue VALUES (1, now())", "permission denied"),
        ("UPDATE results_rejectionreview SET comment = 'other'", "permission denied"),
        ("UPDATE results_rejectionreview SET state = 'approved', decided_at = now()", "by somebody"),
        ("INSERT INTO results_rejectionitem (assignment_id, submitted_at, review_id) SELECT a.id, now(), v.id"
         " FROM assignments_assignment a, results_rejectionreview v LIMIT 1", "submitted answers of its batch"),
    ],
)  # fmt: skip
def test_the_runtime_role_cannot_help_itself(sql: str, match: str) -> None:
    batch, _ = answered(8, "cat")
    ask(batch, answers(batch, count=6))
    with pytest.raises(Exception, match=match), transaction.atomic():
        run(sql)


def test_a_rejection_row_does_not_stay_alone(committed: str) -> None:
    answered(2, "cat")
    with pytest.raises(IntegrityError, match="was not rejected"), transaction.atomic():
        run(REJECT, [1])


MUTANTS = {
    "inv_r42": ("DROP TRIGGER rejections_wall ON assignments_rejection", 11),
    "inv_r42_reason": ("DROP TRIGGER rejected_with_reason ON assignments_assignment", 1),
}


@pytest.mark.parametrize("view", MUTANTS)
@pytest.mark.usefixtures("untold")
def test_without_its_wall_the_damage_is_done_and_found(
    view: str, committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    statement, count = MUTANTS[view]
    answered(100, "cat")
    assert broken() == []
    as_owner.execute(statement)
    with transaction.atomic():
        if view == "inv_r42":
            run(REJECT, [count])
            run(BECOME)
        else:
            run("UPDATE assignments_assignment SET state = 'rejected', end_reason = 'spam' WHERE id = ("
                "SELECT min(id) FROM assignments_assignment)")  # fmt: skip
    found = {f.name for f in check_promises() if f.violations}
    assert view in found
    assert found & {"inv_r42_guards", "inv_r42_walls"}


# --- what everybody may know ----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_rejection_rate_counts_what_was_decided_and_how_much_of_it_was_undone() -> None:
    batch, _ = answered(20, "cat")
    of = batch.requester_id
    assert rejection_rates([of])[of].rate is None
    named = answers(batch)
    ask(batch, named[:4])
    in_one(accept_answers, batch_id=batch.pk, assignments=named[4:16])
    assert (rejection_rates([of])[of].rate, rejection_rates([of])[of].upheld) == (0.25, 0)
    in_one(uphold_answers, batch_id=batch.pk, assignments=named[:1], made_by=make.make_user().pk, reason="Right.")
    rate = rejection_rates([of])[of]
    assert (rate.decided, rate.rejected, rate.upheld, rate.rate) == (16, 4, 1, 0.25)


@pytest.mark.django_db
def test_an_approved_review_of_many_takes_effect_in_groups() -> None:
    batch, _ = answered(30, "cat")
    done = in_one(reject_all, batch_id=batch.pk, why=why(batch))
    run("UPDATE results_rejectionreview SET state = 'approved', decided_at = market_now(), decision = 'so',"
        " decided_by_id = %s", [make.make_user().pk])  # fmt: skip
    assert [in_one(apply_approved, limit=12) for _ in range(4)] == [12, 12, 6, 0]
    assert states(batch) == {"rejected": 30}
    assert value("SELECT applied_at IS NOT NULL FROM results_rejectionreview WHERE public_id = %s", [done.review])
    assert broken() == []
    assert connection.in_atomic_block


# --- repairs --------------------------------------------------------------------------------------------------------


def give_all_back(batch: Batch, which: list[UUID]) -> Any:
    return in_one(give_back, batch_id=batch.pk, assignments=which, why=why(batch))


@pytest.mark.django_db
def test_answers_cannot_all_be_given_back_until_their_leases_run_out_unpaid(clock: Forward) -> None:
    batch, _ = answered(20, "cat", time_limit_s=1)
    named = answers(batch)
    with pytest.raises(NotReturnable, match="wait until some have come back"):
        give_all_back(batch, named)
    assert states(batch) == {"submitted": 20}
    assert give_all_back(batch, named[:5]) == 5
    assert give_all_back(batch, named[:5]) == 0, "a repeat changes nothing"
    clock(timedelta(seconds=5))
    in_one(apply_due, batch_id=batch.pk)
    assert states(batch) == {"submitted": 15, "expired": 5}
    with pytest.raises(NotReturnable):
        give_all_back(batch, named[5:6])
    # What was lost so is as lost as what was rejected: with it, this is a sixth.
    assert ask(batch, named[5:6]).waiting == 1
    assert broken() == []


@pytest.mark.django_db
def test_what_came_back_makes_room_for_others() -> None:
    batch, [worker] = answered(12, "cat")
    named = answers(batch)
    assert give_all_back(batch, named[:5]) == 5
    make.answer(worker, live_leases(worker.pk), "dog")
    assert give_all_back(batch, named[5:10]) == 5


@pytest.mark.django_db
def test_the_database_counts_what_is_out_for_repair_itself() -> None:
    batch, _ = answered(12, "cat")
    by = make.owner_of(batch.requester).pk
    more: dict[str, Any] = {"reason": RejectReason.WRONG, "comment": "Which?", "made_by": by}
    with pytest.raises(IntegrityError, match="out for repair"):
        in_one(return_answers, batch_id=batch.pk, assignments=answers(batch, count=6), **more)
    assert in_one(return_answers, batch_id=batch.pk, assignments=answers(batch, count=5), **more) == 5


# --- the money ------------------------------------------------------------------------------------------------------


def spend(batch: Batch, but: int) -> None:
    funds = funds_of(batch.requester.public_id)
    rest = balance(funds, "EUR") - but
    in_one(move, moves=[Move(f"spent:{funds}", "test", funds, outside("bank"), "EUR", rest)])


@pytest.mark.django_db
def test_what_wrong_rejections_cost_lies_aside_before_the_requester_can_spend_it(clock: Forward) -> None:
    batch, [worker] = answered(5, "cat", dispute_basis_points=500)
    ask(batch, answers(batch))
    aside = disputes_of(batch.public_id)
    assert balance(aside, "EUR") == 5 * batch.unit_micros
    other = make.make_worker()
    make.answer(other, make.take(other, batch, 5))
    in_one(accept_answers, batch_id=batch.pk, assignments=None)
    spend(batch, but=0)
    for answer in Assignment.objects.filter(state="rejected"):
        in_one(contest_answer, worker_id=worker.pk, assignment=answer.public_id, words="It is one.")
    clock(timedelta(hours=73))
    assert settle_appeals() == 5
    assert states(batch) == {"accepted": 5, "upheld": 5}
    in_one(settle_due)
    assert balance(earned_by(worker.public_id), "EUR") == 5 * make.PRICE
    assert broken() == []


@pytest.mark.django_db
def test_nobody_rejects_what_he_could_not_pay_if_he_is_wrong() -> None:
    batch, _ = answered(5, "cat", dispute_basis_points=500)
    unit = batch.unit_micros
    spend(batch, but=unit)
    with pytest.raises(NotEnough) as short:
        ask(batch, answers(batch, count=3))
    assert short.value.facts["missing_micros"] == unit
    assert states(batch) == {"submitted": 5}
    assert ask(batch, answers(batch, count=2)).rejected == 2
    assert balance(disputes_of(batch.public_id), "EUR") == 2 * unit
    assert broken() == []
