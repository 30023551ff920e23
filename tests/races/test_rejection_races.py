"""Rejections, their reviews, repairs and appeals, by several at once."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from marketplace.accounts.commands import ensure_staff
from marketplace.batches.locks import batch_for_update
from marketplace.batches.models import Batch
from marketplace.common.database import run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import earned_by
from marketplace.ledger.queries import balance
from marketplace.results.commands.rejections import Why, apply_approved, approve_review, refuse_review, reject
from marketplace.results.errors import ReviewDecided
from marketplace.results.models import RejectionReview
from tests import factories as make
from tests.acts import broken, in_one
from tests.races.waiting import until_somebody_waits
from workers.appeals.commands.decide import decide_appeal
from workers.appeals.commands.open import contest_answer
from workers.appeals.due import settle_due
from workers.appeals.errors import AppealOver
from workers.appeals.models import Appeal, Step
from workers.assignments.commands import pay
from workers.assignments.commands.decide import accept_answers, apply_due
from workers.assignments.commands.repair import return_answers
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.errors import NotContestable, NotDecidable, NotReturnable
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]
Together = Callable[..., list[Any]]


def answered(count: int, **terms: Any) -> tuple[Batch, Worker, list[Any]]:
    batch, worker = make.make_batch(count, overlap=1, lease_cap=100, **terms), make.make_worker()
    leases = make.take(worker, batch, count)
    make.answer(worker, leases)
    return batch, worker, [lease.id for lease in leases]


def why(batch: Batch) -> Why:
    return Why(RejectReason.WRONG, "No cat.", make.owner_of(batch.requester).pk)


def counted() -> Counter[str]:
    return Counter(Assignment.objects.values_list("state", flat=True))


def test_who_rejects_one_by_one_and_all_at_once_gets_no_further(committed: str, together: Together) -> None:
    batch, _, ids = answered(12)
    done = together(
        [lambda one=one: in_one(reject, batch_id=batch.pk, assignments=[one], why=why(batch)) for one in ids]
    )
    assert (sum(one.rejected for one in done), sum(one.waiting for one in done)) == (5, 7)
    assert counted() == {"rejected": 5, "submitted": 7}
    assert broken() == []


def test_not_even_past_the_program_do_several_reject_more_than_the_allowance(
    committed: str, together: Together
) -> None:
    batch, _, ids = answered(12)

    def step(one: Any) -> int:
        with one_transaction(principal="test"):
            return make.reject(batch, [one])

    done = together([lambda one=one: step(one) for one in ids])
    assert sum(isinstance(one, int) for one in done) == 5
    assert all(isinstance(one, int | IntegrityError) for one in done)
    assert broken() == []


@pytest.mark.parametrize("wall", [True, False])
@pytest.mark.usefixtures("untold")
def test_the_count_waits_for_whoever_rejects_beside_it(
    committed: str, as_owner: Any, together: Together, wall: bool
) -> None:
    """Two transactions reject five each, and neither has committed when the other counts."""
    _, _, ids = answered(12)
    if not wall:
        text = value("SELECT pg_get_functiondef('results_rejections_wall'::regproc)")
        lock = "PERFORM 1 FROM batches_batch b WHERE b.id = p_batch FOR NO KEY UPDATE;"
        assert lock in text
        as_owner.execute(text.replace(lock, "").encode())
    meet = threading.Barrier(2)

    def raw(mine: list[Any]) -> int:
        with one_transaction(principal="test"):
            done = run(
                "INSERT INTO assignments_rejection (assignment_id, batch_id, reason, comment, version_id, made_by_id,"
                " made_at) SELECT a.id, a.batch_id, 'spam', 'no', a.version_id, (SELECT min(id) FROM accounts_user),"
                " market_now() FROM assignments_assignment a WHERE a.public_id = ANY(%s)",
                [mine],
            )
            run(
                "UPDATE assignments_assignment SET state = 'rejected', end_reason = 'spam', comment = 'no'"
                " WHERE public_id = ANY(%s)",
                [mine],
            )
            # With the lock the other one is still waiting for this one's end.
            with suppress(threading.BrokenBarrierError):
                meet.wait(timeout=1)
            return done

    done = together([lambda: raw(ids[:5]), lambda: raw(ids[5:10])])
    if wall:
        assert sorted(type(one).__name__ for one in done) == ["IntegrityError", "int"]
        assert broken() == []
    else:
        assert done == [5, 5]
        assert "inv_r42" in {f.name for f in check_promises() if f.violations}


def test_approved_accepted_and_timed_out_at_once_every_answer_has_one_outcome(
    committed: str, together: Together, clock: Forward
) -> None:
    batch, worker, ids = answered(30, auto_accept_s=3_600)
    review = in_one(reject, batch_id=batch.pk, assignments=ids, why=why(batch)).review
    staff, other = make.make_user().pk, make.make_user().pk
    clock(timedelta(seconds=3_595))

    done = together(
        [
            lambda: in_one(approve_review, review=review, by=staff, reason="Empty."),
            lambda: in_one(refuse_review, review=review, by=other, reason="They are right."),
            lambda: in_one(accept_answers, batch_id=batch.pk, assignments=ids[:10]),
            lambda: in_one(apply_due, batch_id=batch.pk),
            lambda: in_one(apply_approved),
        ]
    )
    allowed = int | RejectionReview | ReviewDecided | NotDecidable
    assert all(isinstance(one, allowed) for one in done), done
    assert RejectionReview.objects.get().state in ("approved", "refused")
    while in_one(apply_approved):
        pass
    clock(timedelta(seconds=10))
    in_one(apply_due)
    in_one(pay.settle_due)
    states = counted()
    assert states["accepted"] + states["rejected"] == 30
    assert balance(earned_by(worker.public_id), "EUR") == states["accepted"] * make.PRICE
    assert broken() == []


def test_returned_accepted_and_rejected_at_once_every_answer_has_one_outcome(
    committed: str, together: Together
) -> None:
    batch, _, ids = answered(6)
    for one in ids:
        done = together(
            [
                lambda one=one: in_one(
                    return_answers,
                    batch_id=batch.pk,
                    assignments=[one],
                    reason=RejectReason.WRONG,
                    comment="Again.",
                    made_by=make.owner_of(batch.requester).pk,
                ),
                lambda one=one: in_one(accept_answers, batch_id=batch.pk, assignments=[one]),
                lambda one=one: in_one(reject, batch_id=batch.pk, assignments=[one], why=why(batch)).rejected,
            ]
        )
        assert all(isinstance(result, int | NotDecidable | NotReturnable) for result in done), done
        assert sum(result for result in done if isinstance(result, int)) == 1
    assert set(counted()) <= {"leased", "accepted", "rejected"}
    assert broken() == []


def test_an_appeal_opened_by_ten_tabs_is_one(committed: str, together: Together) -> None:
    batch, worker, [one] = answered(1)
    with one_transaction(principal="test"):
        make.reject(batch, [one])
    done = together(
        [lambda: in_one(contest_answer, worker_id=worker.pk, assignment=one, words="A cat.") for _ in range(10)]
    )
    assert Counter(type(result) for result in done) == {Appeal: 1, NotContestable: 9}
    assert broken() == []


@pytest.mark.parametrize("before_s", [2, 0.05])
def test_decided_at_its_deadline_an_appeal_has_one_end_and_is_paid_once(
    committed: str, together: Together, clock: Forward, before_s: float
) -> None:
    batch, worker, ids = answered(5, dispute_basis_points=10_000)
    with one_transaction(principal="test"):
        make.reject(batch, ids)
    appeals = [in_one(contest_answer, worker_id=worker.pk, assignment=one, words="A cat.") for one in ids]
    staff = in_one(ensure_staff, email=make.make_user().email)
    last = value("SELECT max(decide_by) FROM appeals_appeal") - value("SELECT market_now()")
    clock(last - timedelta(seconds=before_s))

    for appeal in appeals:
        steps = [
            lambda uphold=uphold, appeal=appeal: in_one(
                decide_appeal, appeal=appeal.public_id, uphold=uphold, by=staff.pk, reason="So."
            )
            for uphold in (True, False)
        ]
        done = together([*steps, settle_due, settle_due])
        assert all(isinstance(result, int | Appeal | AppealOver) for result in done), done
    clock(timedelta(seconds=10))
    settle_due()
    in_one(pay.settle_due)

    ends = Counter(Step.objects.exclude(kind="opened").values_list("kind", flat=True))
    assert sum(ends.values()) == 5
    won = ends["upheld"] + ends["lapsed"]
    assert counted() == Counter({"upheld": won, "rejected": 5 - won}) - Counter()
    assert balance(earned_by(worker.public_id), "EUR") == won * make.PRICE
    assert broken() == []


def test_who_contests_waits_for_who_has_the_batch_and_holds_no_answer_meanwhile(committed: str) -> None:
    batch, worker, ids = answered(1)
    in_one(reject, batch_id=batch.pk, assignments=ids, why=why(batch))
    refused: list[Exception] = []

    def contest() -> None:
        try:
            in_one(contest_answer, worker_id=worker.pk, assignment=ids[0], words="It is one.")
        except Exception as error:
            refused.append(error)
        finally:
            connection.close()

    beside = threading.Thread(target=contest)
    with one_transaction(principal="test"):
        batch_for_update(batch.pk)
        beside.start()
        until_somebody_waits()
        run("SET LOCAL lock_timeout = 500")
        uphold_answers(batch_id=batch.pk, assignments=ids, made_by=make.make_user().pk, reason="It is a cat.")
    beside.join()
    assert [type(error) for error in refused] == [NotContestable]
    assert broken() == []
