"""Rejections as requesters ask for them: what takes effect, and what waits for somebody else's look (R42)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from marketplace.accounts.commands.acts import record
from marketplace.batches.locks import hold_batch, lock_tasks
from marketplace.batches.models import Batch
from marketplace.common.database import MarketNow, rows, run, wait_sweep_lock
from marketplace.common.errors import NotFound
from marketplace.common.outbox import publish
from marketplace.common.transactions import require_transaction
from marketplace.results.breaker import SHARE, WEEK_ALWAYS, allowance, defies_consensus, week_allowance
from marketplace.results.errors import OwnReview, ReviewDecided
from marketplace.results.events import RejectionsReviewed, RejectionsWaiting
from marketplace.results.locks import review_for_update, review_to_apply
from marketplace.results.models import RejectionReview
from marketplace.results.queries import (
    agreement_with_others,
    answered_in,
    answered_in_week,
    disagreement_in,
    part_in_review,
    rejected_in_week,
    rejected_so_far,
    reviewed_items,
)
from marketplace.results.states import Cause, ReviewState
from workers.assignments.commands.decide import (
    DECISIONS_MAX,
    reject_answers,
    require_decidable,
    require_few,
    require_shown,
    require_words,
)
from workers.assignments.commands.repair import return_answers
from workers.assignments.commands.reserves import cover_rejections
from workers.assignments.errors import NotDecidable, NotReturnable
from workers.assignments.locks import submitted_for_update, tasks_of
from workers.assignments.states import RejectReason

GROUP = 500
TOO_MANY_BACK = (
    "Of a batch five answers, and of a large one every tenth, may be out for repair or rejected without a review; wait"
    " until some have come back, or name fewer."
)


@dataclass(frozen=True)
class Rejected:
    """What became of a request to reject: how many answers were rejected, how many wait, for which review and why."""

    rejected: int
    waiting: int = 0
    review: UUID | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Why:
    """What a requester says when he rejects; `version` is the number of the instructions he cites, if he names one."""

    reason: RejectReason
    comment: str
    made_by: int
    version: int | None = None


def reject(*, batch_id: int, assignments: list[UUID], why: Why) -> Rejected:
    """Reject the named submitted answers, or have the rejection wait for a review.

    All of them wait where they would bring the batch's rejections, taken and waiting, and what is out for repair, above
    five and above a tenth of its answers, or what the requester rejected without a review in the last seven days, in
    whichever batches, above twenty and above a tenth of what was answered in them. Where rejections hit answers that
    agree with the others by more than 3σ over what the batch's disagreement explains, those that agree wait and the
    others are rejected. What waits stays submitted: unless staff approve before its time for a decision is over, it is
    accepted and paid then. What the rejections cost if they turn out to be wrong lies aside from now on, filled up from
    the requester's funds. Repeating it changes nothing. Locks: batch, tasks, assignments, an advisory lock of the
    requester, ledger accounts. Emits `AnswerRejected`, `RejectionsWaiting`. Raises `NotDecidable` for answers that are
    not submitted or whose rejection a review refused, `RejectionInvalid`, `NotEnough`.
    """
    require_transaction()
    require_few(assignments)
    require_words(why.comment)
    hold_batch(batch_id)
    lock_tasks(tasks_of(batch_id, assignments))
    found = [row[0] for row in submitted_for_update(batch_id, assignments, DECISIONS_MAX)]
    require_decidable(batch_id, assignments, set(found), also="rejected")
    require_shown(found, why.version)
    known = reviewed_items(found)
    if refused := [public_id for public_id, state in known.values() if state == ReviewState.REFUSED]:
        raise NotDecidable(
            "A review refused the rejection of some of them.", answers=[str(one) for one in refused[:20]]
        )
    fresh = [pk for pk in found if pk not in known]
    already = sum(state in (ReviewState.OPEN, ReviewState.APPROVED) for _, state in known.values())
    if not fresh:
        return Rejected(0, already)
    _record("reject.answers", batch_id, why, fresh)
    agreed = agreement_with_others(batch_id, fresh)
    # Those who reject of several batches of one requester at once count one after the other.
    wait_sweep_lock(f"rejections:{Batch.objects.values_list('requester_id', flat=True).get(pk=batch_id)}")
    evidence = _evidence(batch_id, asked=len(fresh), agreed=agreed)
    if _too_many(evidence) or _too_many_in_week(evidence):
        review = _wait(batch_id, why, Cause.COUNT, evidence, fresh, agreed)
        return Rejected(0, already + len(fresh), review.public_id, review.cause)
    waiting: list[int] = []
    if defies_consensus(
        agreeing=evidence["agreeing"], compared=evidence["compared"], disagreement=evidence["disagreement"]
    ):
        waiting = [pk for pk in fresh if agreed.get(pk)]
    held = _wait(batch_id, why, Cause.CONSENSUS, evidence, waiting, agreed) if waiting else None
    rejected = _take(batch_id, [pk for pk in fresh if pk not in set(waiting)], why, agreed, review_id=None)
    return Rejected(
        rejected, already + len(waiting), held.public_id if held else None, str(held.cause) if held else None
    )


def reject_all(*, batch_id: int, why: Why) -> Rejected:
    """Reject every answer of the batch that is submitted and not under review; the same as naming them, however many.

    So many as one transaction should not decide wait for a review in any case. Locks and refusals as `reject`.
    """
    require_transaction()
    require_words(why.comment)
    hold_batch(batch_id)
    found = rows(
        "SELECT a.id, a.public_id FROM assignments_assignment a WHERE a.batch_id = %s AND a.state = 'submitted'"
        " AND NOT EXISTS (SELECT 1 FROM results_rejectionitem i WHERE i.assignment_id = a.id"
        " AND i.submitted_at = a.submitted_at) ORDER BY a.id",
        [batch_id],
    )
    if len(found) <= DECISIONS_MAX:
        return reject(batch_id=batch_id, assignments=[row[1] for row in found], why=why)
    ids = [row[0] for row in found]
    require_shown(ids, why.version)
    evidence = _evidence(batch_id, asked=len(ids), agreed={})
    _record("reject.answers", batch_id, why, ids)
    review = _wait(batch_id, why, Cause.COUNT, evidence, ids, {})
    return Rejected(0, review.answers, review.public_id, review.cause)


def give_back(*, batch_id: int, assignments: list[UUID], why: Why) -> int:
    """Give the named submitted answers back for repair; returns how many went.

    What goes back and never comes again is not paid, so that no more of a batch may be out at a time, together with
    what was rejected or waits to be, than may be rejected without a review. Locks and refusals as `return_answers`;
    raises `NotReturnable` besides where it would be more.
    """
    require_transaction()
    fresh = rows(
        "SELECT a.id FROM assignments_assignment a WHERE a.batch_id = %s AND a.public_id = ANY(%s)"
        " AND a.state = 'submitted' AND NOT EXISTS"
        " (SELECT 1 FROM assignments_repair r WHERE r.assignment_id = a.id)",
        [batch_id, assignments],
    )
    if fresh and _too_many(_evidence(batch_id, asked=len(fresh), agreed={})):
        raise NotReturnable(TOO_MANY_BACK)
    if fresh:
        _record("reject.answers_returned", batch_id, why, [row[0] for row in fresh])
    try:
        return return_answers(
            batch_id=batch_id, assignments=assignments, reason=why.reason, comment=why.comment, made_by=why.made_by
        )
    except IntegrityError as error:
        # Somebody else gave answers back meanwhile.
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) != "repairs_out":
            raise
        raise NotReturnable(TOO_MANY_BACK) from error


def approve_review(*, review: UUID, by: int, reason: str) -> RejectionReview:
    """Let the rejections take effect: the first group now, the rest by a sweep. What was decided otherwise meanwhile,
    or could have been accepted by its time, stays as it is. Locks: review, batch, tasks, assignments. Emits
    `RejectionsReviewed`, `AnswerRejected`. Raises as `refuse_review`.
    """
    decided = _decide(review, ReviewState.APPROVED, by, reason)
    apply_approved(review_id=decided.pk)
    decided.refresh_from_db()
    return decided


def refuse_review(*, review: UUID, by: int, reason: str) -> RejectionReview:
    """Refuse the rejections, for good: the answers stay submitted until they are accepted.

    Repeating a decision changes nothing. Locks: review. Emits `RejectionsReviewed`. Raises `NotFound`, `ReviewDecided`
    where it was decided otherwise, `OwnReview` to whoever has a part in it, `RejectionInvalid` without a reason.
    """
    return _decide(review, ReviewState.REFUSED, by, reason)


def apply_approved(*, review_id: int | None = None, limit: int = GROUP) -> int:
    """Reject up to `limit` answers of an approved review; returns how many items it went through."""
    require_transaction()
    review = review_to_apply(review_id)
    if review is None:
        return 0
    found = rows(
        "SELECT i.assignment_id, i.agreed, a.state = 'submitted' AND a.submitted_at = i.submitted_at"
        " AND a.auto_accept_at > market_now()"
        " FROM results_rejectionitem i JOIN assignments_assignment a ON a.id = i.assignment_id"
        " WHERE i.review_id = %s AND i.outcome = '' ORDER BY i.assignment_id LIMIT %s",
        [review.pk, limit],
    )
    ids = [row[0] for row in found if row[2]]
    why = Why(RejectReason(review.reason), review.comment, review.made_by_id)
    _take(review.batch_id, ids, why, {row[0]: row[1] for row in found}, review_id=review.pk)
    run(
        "UPDATE results_rejectionitem i SET outcome = CASE WHEN a.state = 'rejected' THEN 'rejected' ELSE 'passed' END"
        " FROM assignments_assignment a WHERE a.id = i.assignment_id AND i.review_id = %s"
        " AND i.assignment_id = ANY(%s) AND i.outcome = ''",
        [review.pk, [row[0] for row in found]],
    )
    if len(found) < limit:
        run("UPDATE results_rejectionreview SET applied_at = market_now() WHERE id = %s", [review.pk])
    return len(found)


def lapse_reviews(*, limit: int = 100) -> int:
    """Close open reviews of which every answer has been decided; returns how many."""
    require_transaction()
    return run(
        "UPDATE results_rejectionreview SET state = 'lapsed', decided_at = market_now() WHERE id IN ("
        " SELECT v.id FROM results_rejectionreview v WHERE v.state = 'open' AND NOT EXISTS ("
        "  SELECT 1 FROM results_rejectionitem i JOIN assignments_assignment a ON a.id = i.assignment_id"
        "   WHERE i.review_id = v.id AND a.state = 'submitted' AND a.submitted_at = i.submitted_at)"
        " ORDER BY v.id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)",
        [limit],
    )


def _record(act: str, batch_id: int, why: Why, answers: list[int]) -> None:
    """Into the audit log: what a requester asked for, whether it takes effect at once or waits for a review."""
    named = rows("SELECT public_id FROM assignments_assignment WHERE id = ANY(%s) ORDER BY id", [answers])
    record(
        act,
        subject="batch",
        subject_id=Batch.objects.values_list("public_id", flat=True).get(pk=batch_id),
        by=why.made_by,
        why=str(why.reason),
        before={"state": "submitted"},
        after={"answers": [row[0] for row in named]},
    )


def _evidence(batch_id: int, *, asked: int, agreed: dict[int, bool | None]) -> dict[str, Any]:
    """The figures that decide, as they are kept with a review: of this request and of those before it."""
    so_far = rejected_so_far(batch_id)
    told = [value for value in agreed.values() if value is not None]
    answered = answered_in(batch_id) + so_far.back
    requester_id = Batch.objects.values_list("requester_id", flat=True).get(pk=batch_id)
    taken = rejected_in_week(requester_id)
    return {
        "answered": answered,
        "allowed": allowance(answered),
        "asked": asked,
        "taken": so_far.taken,
        "waiting": so_far.waiting,
        "week_taken": taken,
        "week_allowed": _week_allowed(requester_id, taken + asked),
        "back": so_far.back,
        "compared": so_far.compared + len(told),
        "agreeing": so_far.agreeing + sum(told),
        "disagreement": round(disagreement_in(batch_id), 4) if told else 0.0,
    }


def _too_many(evidence: dict[str, Any]) -> bool:
    of = ("taken", "waiting", "back", "asked")
    return bool(sum(evidence[name] for name in of) > evidence["allowed"])


def _too_many_in_week(evidence: dict[str, Any]) -> bool:
    return bool(evidence["week_taken"] + evidence["asked"] > evidence["week_allowed"])


def _week_allowed(requester_id: int, wanted: int) -> int:
    """What a week allows, as far as `wanted` needs it: answers are counted only where twenty are not enough."""
    if wanted <= WEEK_ALWAYS:
        return WEEK_ALWAYS
    return week_allowance(answered_in_week(requester_id, enough=wanted * SHARE))


def _wait(
    batch_id: int, why: Why, cause: Cause, evidence: dict[str, Any], ids: list[int], agreed: dict[int, bool | None]
) -> RejectionReview:
    review = RejectionReview.objects.create(
        batch_id=batch_id,
        cause=cause,
        reason=why.reason,
        comment=why.comment,
        evidence=evidence,
        answers=len(ids),
        made_by_id=why.made_by,
        made_at=MarketNow(),
    )
    run(
        "INSERT INTO results_rejectionitem (assignment_id, submitted_at, review_id, agreed)"
        " SELECT a.id, a.submitted_at, %s, g.agreed FROM assignments_assignment a"
        " JOIN unnest(%s::bigint[], %s::boolean[]) AS g(id, agreed) ON g.id = a.id ORDER BY a.id",
        [review.pk, ids, [agreed.get(pk) for pk in ids]],
    )
    publish(RejectionsWaiting(batch_id=batch_id, review_id=review.pk))
    return review


def _take(batch_id: int, ids: list[int], why: Why, agreed: dict[int, bool | None], *, review_id: int | None) -> int:
    if not ids:
        return 0
    names = {
        row[0]: row[1] for row in rows("SELECT id, public_id FROM assignments_assignment WHERE id = ANY(%s)", [ids])
    }
    rejected = reject_answers(
        batch_id=batch_id,
        assignments=list(names.values()),
        reason=why.reason,
        comment=why.comment,
        made_by=why.made_by,
        version=why.version,
        review_id=review_id,
        agreed={names[pk]: value for pk in names if (value := agreed.get(pk)) is not None},
    )
    if review_id is None:
        cover_rejections(batch_id=batch_id, first=names[min(names)])
    return rejected


def _decide(public_id: UUID, state: ReviewState, by: int, reason: str) -> RejectionReview:
    require_transaction()
    require_words(reason)
    review = review_for_update(public_id)
    if review is None:
        raise NotFound("There is no such review.")
    if review.state != ReviewState.OPEN:
        if review.state == state:
            return review
        raise ReviewDecided("This review is over.", review=str(public_id), state=review.state)
    if part := part_in_review(review, by):
        raise OwnReview(f"Nobody reviews rejections of his own {part}.")
    RejectionReview.objects.filter(pk=review.pk).update(
        state=state, decided_by=by, decided_at=MarketNow(), decision=reason
    )
    publish(RejectionsReviewed(batch_id=review.batch_id, review_id=review.pk))
    record(
        "reject.review_approved" if state == ReviewState.APPROVED else "reject.review_refused",
        subject="rejection_review",
        subject_id=public_id,
        by=by,
        before={"state": str(review.state)},
        after={"state": str(state), "answers": review.answers},
    )
    review.refresh_from_db()
    return review
