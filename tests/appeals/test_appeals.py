"""Workers contest rejections and sanctions: others' work judges, or a person, or the clock, for the worker (R18)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.models import Sanction, User
from marketplace.batches.commands.lifecycle import close_batch
from marketplace.batches.models import Batch
from marketplace.common.database import rows, run, value
from marketplace.common.outbox import backlog
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import disputes_of, earned_by
from marketplace.ledger.queries import balance
from marketplace.results.commands.rejections import Why, approve_review, reject
from marketplace.results.commands.reviews import READER, record_reviews
from tests import factories as make
from tests.acts import broken, horizon, in_one
from workers.appeals.commands.decide import decide_appeal
from workers.appeals.commands.open import add_statement, contest_answer, contest_sanction, name_adjudicator
from workers.appeals.commands.uphold import uphold_rejected
from workers.appeals.due import settle_due
from workers.appeals.errors import AppealInvalid, AppealOver, NotAppealable, NotImpartial
from workers.appeals.models import Appeal, Step
from workers.appeals.queries import rework_of
from workers.appeals.states import JUDGED_MIN, MEAN_MIN, STATEMENTS_MAX
from workers.assignments.commands.decide import accept_answers, apply_due, finish_batch
from workers.assignments.commands.pay import settle_due as pay_due
from workers.assignments.commands.reopen import discount_answers
from workers.assignments.commands.reserves import release_disputes
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.errors import NotContestable
from workers.assignments.models import Assignment
from workers.assignments.origin import Origin
from workers.assignments.queries import disputes_over
from workers.assignments.states import RejectReason
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker
from workers.reputation.commands import Judged, record_outcomes
from workers.reputation.queries import posterior_of
from workers.reputation.states import Kind

Forward = Callable[[timedelta], None]
REVIEWS = (
    "kind = 'review' AND NOT EXISTS (SELECT 1 FROM reputation_outcome u WHERE u.undoes_id = reputation_outcome.id)"
)


@dataclass
class Case:
    """A rejected answer of Ann's, and the batch it is in."""

    batch: Batch
    worker: Worker
    answer: Assignment


def rejected(*, label: str = "cat", overlap: int = 4, **terms: Any) -> Case:
    """Ann answers a task and is rejected."""
    batch = make.make_batch(1, overlap=overlap, **terms)
    ann = make.make_worker()
    lease = make.take(ann, batch)
    make.answer(ann, lease, label)
    with one_transaction(principal="test"):
        make.reject(batch, [lease[0]])
    return Case(batch, ann, Assignment.objects.get(public_id=lease[0].id))


def others(case: Case, *labels: str, scores: tuple[float, ...] = (1.0,) * JUDGED_MIN) -> list[Worker]:
    """Others do the task, by their answers to others so far as good as `scores` say."""
    crew = []
    for label in labels:
        worker = make.make_worker()
        make.judge(worker, case.batch, *scores)
        make.answer(worker, make.take(worker, case.batch), label)
        crew.append(worker)
    return crew


def contest(case: Case, words: str = "It is a cat, look at the ears.") -> Appeal:
    return in_one(  # type: ignore[no-any-return]
        contest_answer, worker_id=case.worker.pk, assignment=case.answer.public_id, words=words
    )


def staff() -> User:
    return in_one(ensure_staff, email=make.make_user().email)  # type: ignore[no-any-return]


def state(case: Case) -> str:
    return str(Assignment.objects.values_list("state", flat=True).get(pk=case.answer.pk))


def reviews(case: Case) -> list[float]:
    return [row[0] for row in make.outcomes("score", f"{REVIEWS} AND worker_id = {case.worker.pk}")]


def record_all() -> None:
    """Record what was decided so far, all of it."""
    horizon()
    in_one(record_reviews)
    assert backlog(READER) == 0


def settle(appeal: Appeal) -> Appeal:
    settle_due()
    appeal.refresh_from_db()
    return appeal


# --- rejections -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_appeal_is_opened_once_by_its_worker_in_time_and_with_words(clock: Forward) -> None:
    case = rejected(overlap=1)
    with pytest.raises(AppealInvalid):
        contest(case, " ")
    stranger = Case(case.batch, make.make_worker(), case.answer)
    with pytest.raises(NotContestable):
        contest(stranger)
    appeal = contest(case)
    assert (appeal.state, appeal.method, appeal.requester_id) == ("open", "adjudicator", case.batch.requester_id)
    assert appeal.decide_by - appeal.opened_at == timedelta(hours=72)
    assert list(Step.objects.values_list("kind", "made_by")) == [("opened", case.worker.user_id)]
    with pytest.raises(NotContestable):
        contest(case)
    late = rejected(overlap=1)
    clock(timedelta(seconds=late.batch.appeal_s))
    with pytest.raises(NotContestable):
        contest(late)


@pytest.mark.django_db
def test_three_others_who_answer_alike_win_the_appeal_and_pay_the_worker() -> None:
    case = rejected(label="cat", dispute_basis_points=10_000)
    appeal = contest(case)
    assert appeal.method == "rework"
    others(case, "cat", "dog")
    assert settle(appeal).state == "open", "two say nothing yet"
    others(case, "cat")

    assert settle(appeal).state == "upheld"

    assert state(case) == "upheld"
    in_one(pay_due)
    assert balance(earned_by(case.worker.public_id), "EUR") == make.PRICE
    last = Step.objects.order_by("-pk")[0]
    assert (last.kind, last.made_by, last.evidence) == ("upheld", None, {"others": 3, "agreeing": 2, "against": 1})
    assert last.reason == "Of 3 others who did the same task, 2 answered as you did."
    assert broken() == []


@pytest.mark.django_db
def test_three_others_who_answer_otherwise_refuse_the_appeal() -> None:
    case = rejected(label="dog")
    others(case, "cat", "cat", "dog")
    appeal = contest(case)
    assert settle(appeal).state == "refused"
    assert state(case) == "rejected"
    assert not rows("SELECT 1 FROM assignments_contest WHERE ended_at IS NULL")
    assert broken() == []


@pytest.mark.django_db
def test_others_who_agree_neither_with_the_worker_nor_among_themselves_leave_it_to_a_person() -> None:
    case = rejected(label="dog", overlap=5)
    others(case, "cat", "cat", "dog", "dog")
    appeal = contest(case)
    assert (settle(appeal).state, appeal.method) == ("open", "adjudicator")
    assert state(case) == "rejected"
    assert broken() == []


@pytest.mark.django_db
def test_answers_that_have_no_vote_judge_nobody() -> None:
    case = rejected(label="dog", overlap=5)
    others(case, "cat", "cat", "cat")
    spam = Assignment.objects.filter(batch=case.batch, state="submitted").order_by("pk").first()
    assert spam is not None
    in_one(discount_answers, assignment_ids=[spam.pk], reason="spam", origin=Origin(made_by=make.make_user().pk))
    assert settle(contest(case)).state == "open"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("scores", "judges"),
    [
        ((), False),
        ((1.0,) * (JUDGED_MIN - 1), False),
        ((1.0,) * JUDGED_MIN, True),
        ((1.0, 0.0) * JUDGED_MIN, False),
        ((1.0, 0.0, 1.0) * JUDGED_MIN, True),
    ],
)
def test_only_those_judge_who_have_shown_that_they_can(scores: tuple[float, ...], judges: bool, clock: Forward) -> None:
    case = rejected(label="dog")
    crew = others(case, "cat", "cat", "cat", scores=scores)
    known = posterior_of(worker_id=crew[0].pk, project_id=case.batch.project_id).posterior
    assert judges == (known.alpha + known.beta - 3 >= JUDGED_MIN and known.mean >= MEAN_MIN)
    appeal = contest(case)
    clock(timedelta(hours=37))
    assert settle(appeal).state == ("refused" if judges else "open")
    assert appeal.method == ("rework" if judges else "adjudicator"), "too few who can: a person decides"
    if not judges:
        with pytest.raises(IntegrityError, match="others have not done"), transaction.atomic():
            run(STEP.format(kind="refused", by="NULL"))


@pytest.mark.django_db
def test_whoever_is_limited_where_the_answer_was_given_or_was_later_does_not_judge(clock: Forward) -> None:
    case = rejected(label="dog", overlap=5)
    crew = others(case, "cat", "cat", "cat", "cat")
    own = {"project": case.batch.project_id, "requester": case.batch.requester_id, "batch": case.batch.pk}

    def judging() -> int:
        return rework_of(case.answer.pk).others

    for scope, of in own.items():
        limited(crew[0], scope=scope, scope_id=of + 1_000)
        limited(crew[0], scope=scope, scope_id=of, measure="slow_down", pace_s=5)
    assert judging() == 4, "limited elsewhere, or only slower"
    for scope, of in own.items():
        sanction = limited(crew[0], scope=scope, scope_id=of)
        assert judging() == 3
        in_one(lift, sanction_id=sanction.pk, reason="mistake")
        assert judging() == 4
    limited(crew[1], life=timedelta(hours=1))
    second = make.make_worker()
    in_one(link_accounts, workers=[crew[2].public_id, second.public_id], reason="one phone", by=staff().pk)
    limited(second)
    assert judging() == 2
    clock(timedelta(hours=2))
    assert judging() == 2, "what came after the answer counts beyond its time"
    assert settle(contest(case)).state == "open"


@pytest.mark.django_db
def test_two_accounts_that_turn_out_to_be_one_person_judge_once() -> None:
    case = rejected(label="dog")
    ann, ann_again, _ = others(case, "cat", "cat", "cat")
    in_one(link_accounts, workers=[ann.public_id, ann_again.public_id], reason="one phone", by=staff().pk)
    assert rework_of(case.answer.pk).others == 2


@pytest.mark.django_db
def test_whoever_let_a_rejection_take_effect_does_not_judge_the_appeal_against_it() -> None:
    batch, worker, reviewer, judge = make.make_batch(6, overlap=1, lease_cap=10), make.make_worker(), staff(), staff()
    make.answer(worker, make.take(worker, batch, 6))
    answers = list(Assignment.objects.order_by("pk"))
    why = Why(RejectReason.WRONG, "Wrong.", make.owner_of(batch.requester).pk)
    done = in_one(reject, batch_id=batch.pk, assignments=[answer.public_id for answer in answers], why=why)
    in_one(approve_review, review=done.review, by=reviewer.pk, reason="So they are.")
    appeal = contest(Case(batch, worker, answers[0]))
    with pytest.raises(NotImpartial):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=reviewer.pk, reason="I said so before.")
    in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=judge.pk, reason="It is wrong.")


@pytest.mark.django_db
def test_where_too_few_others_come_by_half_of_the_time_a_person_judges(clock: Forward) -> None:
    case = rejected()
    appeal = contest(case)
    clock(timedelta(hours=35))
    assert settle(appeal).method == "rework"
    clock(timedelta(hours=2))
    assert (settle(appeal).method, appeal.state) == ("adjudicator", "open")
    assert broken() == []


@pytest.mark.django_db
def test_an_answer_that_says_nothing_or_that_nobody_will_do_again_goes_to_a_person_at_once() -> None:
    case = rejected(overlap=2)
    assert contest(case).method == "adjudicator"
    closed = rejected()
    in_one(close_batch, batch_id=closed.batch.pk)
    assert contest(closed).method == "adjudicator"


@pytest.mark.django_db
def test_staff_decide_with_a_reason_and_nobody_in_his_own_matter() -> None:
    case = rejected(overlap=1, dispute_basis_points=10_000)
    appeal = contest(case)
    judge = staff()
    owner = make.owner_of(case.batch.requester)
    with pytest.raises(NotImpartial):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=owner.pk, reason="No.")
    with pytest.raises(AppealInvalid):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=judge.pk, reason=" ")
    in_one(add_statement, appeal=appeal.public_id, requester_id=case.batch.requester_id, by=owner.pk, words="It barks.")
    in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=judge.pk, reason="It has whiskers.")
    assert state(case) == "upheld"
    assert value("SELECT made_by_id FROM assignments_uphold") == judge.pk
    with pytest.raises(AppealOver):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=judge.pk, reason="No, wait.")
    with pytest.raises(AppealOver):
        in_one(add_statement, appeal=appeal.public_id, requester_id=appeal.requester_id, by=owner.pk, words="But!")
    assert [step.kind for step in appeal.steps.order_by("pk")] == ["opened", "statement", "upheld"]
    assert broken() == []


@pytest.mark.django_db
def test_undoing_a_rejection_that_is_contested_ends_the_appeal_as_won() -> None:
    case, other = rejected(overlap=1, dispute_basis_points=10_000), rejected(overlap=1)
    appeal, elsewhere, boss = contest(case), contest(other), staff()
    ask = {"batch_id": case.batch.pk, "assignments": [case.answer.public_id], "made_by": boss.pk}
    for _again in range(2):
        assert in_one(uphold_rejected, **ask, reason="A cat, as the owner says now.") in (0, 1)
    appeal.refresh_from_db()
    assert (appeal.state, state(case)) == ("upheld", "upheld")
    assert appeal.steps.order_by("-pk").values_list("kind", "made_by", "reason")[0] == (
        "upheld", boss.pk, "A cat, as the owner says now."
    )  # fmt: skip
    with pytest.raises(AppealOver):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=boss.pk, reason="No, wait.")
    in_one(pay_due)
    assert balance(earned_by(case.worker.public_id), "EUR") == make.PRICE
    elsewhere.refresh_from_db()
    assert elsewhere.state == "open"
    assert broken() == []


@pytest.mark.django_db
def test_who_rejected_may_undo_it_although_he_may_not_judge_the_appeal() -> None:
    case = rejected(overlap=1)
    boss = staff()
    case.batch.requester.members.create(user=boss, role="viewer")
    appeal = contest(case)
    with pytest.raises(NotImpartial):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=boss.pk, reason="It is one.")
    in_one(
        uphold_rejected,
        batch_id=case.batch.pk,
        assignments=[case.answer.public_id],
        made_by=boss.pk,
        reason="I was wrong.",
    )
    assert settle(appeal).state == "upheld"


def test_no_program_undoes_a_rejection_and_leaves_the_appeal_open(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    case = rejected(overlap=1, dispute_basis_points=10_000)
    contest(case)
    ask = {"batch_id": case.batch.pk, "assignments": [case.answer.public_id], "made_by": staff().pk, "reason": "So."}
    with pytest.raises(IntegrityError, match="is done with it"):
        in_one(uphold_answers, **ask)
    as_owner.execute("DROP TRIGGER uphold_agrees ON assignments_uphold")
    in_one(uphold_answers, **ask)
    assert {f.name for f in check_promises() if f.violations} >= {"inv_r42_appeals", "inv_r42_appeal_guards"}


@pytest.mark.django_db
def test_the_requester_makes_five_statements_at_most() -> None:
    case = rejected(overlap=1)
    appeal = contest(case)
    ask = {"appeal": appeal.public_id, "requester_id": appeal.requester_id}
    by = make.owner_of(case.batch.requester).pk
    for number in range(STATEMENTS_MAX):
        in_one(add_statement, **ask, by=by, words=f"It barks, {number}.")
    with pytest.raises(AppealInvalid, match="Enough"):
        in_one(add_statement, **ask, by=by, words="And once more.")
    with pytest.raises(IntegrityError, match="five statements"), transaction.atomic():
        run(STEP.format(kind="statement", by=MEMBER))


@pytest.mark.django_db
def test_a_named_person_judges_and_no_member_of_the_requester_is_named() -> None:
    case = rejected(overlap=1)
    appeal, boss, expert = contest(case), staff(), make.make_user()
    for partial in (make.owner_of(case.batch.requester).pk, case.worker.user_id):
        with pytest.raises(NotImpartial):
            in_one(name_adjudicator, appeal=appeal.public_id, adjudicator_id=partial, by=boss.pk, reason="He knows.")
    in_one(name_adjudicator, appeal=appeal.public_id, adjudicator_id=expert.pk, by=boss.pk, reason="A zoologist.")
    in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=expert.pk, reason="It is a dog.")
    appeal.refresh_from_db()
    assert (appeal.state, appeal.adjudicator_id, state(case)) == ("refused", expert.pk, "rejected")


@pytest.mark.django_db
def test_the_worker_wins_when_nobody_decides_in_time(clock: Forward) -> None:
    case = rejected(overlap=1, dispute_basis_points=10_000)
    appeal = contest(case)
    clock(timedelta(hours=72))
    with pytest.raises(AppealOver):
        in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=staff().pk, reason="No.")
    assert settle(appeal).state == "lapsed"
    assert state(case) == "upheld"
    assert rows("SELECT made_by_id, reason FROM assignments_uphold") == [(None, "Nobody decided in time.")]
    in_one(pay_due)
    assert balance(earned_by(case.worker.public_id), "EUR") == make.PRICE
    assert broken() == []


@pytest.mark.django_db
def test_a_rejection_touches_no_reputation_before_it_is_final(clock: Forward) -> None:
    contested, silent = rejected(overlap=1), rejected(overlap=1)
    appeal = contest(contested)
    in_one(record_reviews)
    assert (reviews(contested), reviews(silent)) == ([], [])
    clock(timedelta(hours=71))
    in_one(decide_appeal, appeal=appeal.public_id, uphold=False, by=staff().pk, reason="It is a dog.")
    in_one(record_reviews)
    assert (reviews(contested), reviews(silent)) == ([0.0], []), "refused is final, and the other may still contest"
    clock(timedelta(seconds=silent.batch.appeal_s))
    for _again in range(3):
        in_one(record_reviews)
    assert (reviews(contested), reviews(silent)) == ([0.0], [0.0])
    assert broken() == []


@pytest.mark.django_db
def test_an_appeal_past_the_time_to_contest_still_keeps_reputation_and_reserve(clock: Forward) -> None:
    case = rejected(overlap=1, dispute_basis_points=10_000)
    clock(timedelta(seconds=case.batch.appeal_s) - timedelta(hours=1))
    appeal = contest(case)
    in_one(close_batch, batch_id=case.batch.pk)
    for _again in range(3):
        in_one(finish_batch, batch_id=case.batch.pk)
    clock(timedelta(hours=2))
    in_one(record_reviews)
    assert reviews(case) == []
    assert disputes_over(10) == []
    with pytest.raises(IntegrityError, match="being contested"), transaction.atomic():
        run("UPDATE assignments_reserve SET disputes_released_at = market_now()")
    assert balance(disputes_of(case.batch.public_id), "EUR") > 0
    clock(timedelta(hours=72))
    assert settle(appeal).state == "lapsed"
    in_one(pay_due)
    assert balance(earned_by(case.worker.public_id), "EUR") == make.PRICE
    assert in_one(release_disputes, batch_id=case.batch.pk)
    assert broken() == []


def test_a_won_appeal_is_a_good_review_and_takes_a_bad_one_back(committed: str, clock: Forward) -> None:
    """On a database of its own, for the outbox is read by what has committed."""
    won, late = rejected(overlap=1, dispute_basis_points=10_000), rejected(overlap=1, dispute_basis_points=10_000)
    appeal = contest(won)
    in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=staff().pk, reason="A cat.")
    record_all()
    assert (reviews(won), reviews(late)) == ([1.0], [])
    clock(timedelta(seconds=late.batch.appeal_s))
    record_all()
    assert reviews(late) == [0.0]
    in_one(
        uphold_answers,
        batch_id=late.batch.pk,
        assignments=[late.answer.public_id],
        made_by=staff().pk,
        reason="A cat after all.",
    )
    record_all()
    record_all()
    assert reviews(late) == [1.0], "the bad review is compensated"
    assert [row[0] for row in make.outcomes("kind", f"worker_id = {late.worker.pk} AND kind <> 'answer'")] == [
        "review", "undo", "review",
    ]  # fmt: skip
    assert broken() == []


def test_acceptances_are_small_reviews_and_the_smaller_the_less_was_looked(committed: str, clock: Forward) -> None:
    batch, worker = make.make_batch(4, overlap=1), make.make_worker()
    leases = make.take(worker, batch, 3)
    make.answer(worker, leases)
    in_one(accept_answers, batch_id=batch.pk, assignments=[leases[0].id])
    in_one(accept_answers, batch_id=batch.pk, assignments=None, limit=1)
    clock(timedelta(days=8))
    in_one(apply_due)
    record_all()
    assert make.outcomes("score, weight", "kind = 'review'") == [(1.0, 0.25), (1.0, 0.05), (1.0, 0.05)]


# --- sanctions ------------------------------------------------------------------------------------------------------


def limited(worker: Worker, **more: Any) -> Sanction:
    values: dict[str, Any] = {
        "user_id": worker.user_id, "scope": "platform", "scope_id": None, "measure": "limit", "reason": "haste",
        "words": "Half of your answers took less than a second.", "evidence": {"fast_share": 0.5},
        "life": timedelta(days=20), "made_by": make.make_user().pk, **more,
    }  # fmt: skip
    return in_one(impose, **values)  # type: ignore[no-any-return]


@pytest.mark.django_db
def test_a_won_appeal_lifts_the_sanction_and_a_refused_one_leaves_it(clock: Forward) -> None:
    ann, bob, judge = make.make_worker(), make.make_worker(), staff()
    for worker, uphold in ((ann, True), (bob, False)):
        sanction = limited(worker)
        appeal = in_one(contest_sanction, worker_id=worker.pk, sanction=sanction.public_id, words="I read fast.")
        assert appeal.method == "adjudicator"
        in_one(decide_appeal, appeal=appeal.public_id, uphold=uphold, by=judge.pk, reason="Looked at ten of them.")
        sanction.refresh_from_db()
        assert (sanction.lifted_at is not None) == uphold
    assert Sanction.objects.get(user=ann.user).lift_reason == "On appeal: Looked at ten of them."
    assert broken() == []


@pytest.mark.django_db
def test_a_sanction_is_lifted_when_nobody_decides_in_time(clock: Forward) -> None:
    ann = make.make_worker()
    sanction = limited(ann)
    appeal = in_one(contest_sanction, worker_id=ann.pk, sanction=sanction.public_id, words="I read fast.")
    clock(timedelta(hours=73))
    assert settle(appeal).state == "lapsed"
    sanction.refresh_from_db()
    assert sanction.lifted_at is not None
    assert sanction.lifted_by_id is None


@pytest.mark.django_db
def test_who_imposed_a_sanction_does_not_judge_it_and_no_stranger_contests_it(clock: Forward) -> None:
    ann, judge = make.make_worker(), staff()
    sanction = limited(ann, made_by=judge.pk)
    with pytest.raises(NotAppealable):
        in_one(contest_sanction, worker_id=make.make_worker().pk, sanction=sanction.public_id, words="Me too.")
    second = make.make_worker()
    in_one(link_accounts, workers=[ann.public_id, second.public_id], reason="one phone", by=judge.pk)
    appeal = in_one(contest_sanction, worker_id=second.pk, sanction=sanction.public_id, words="I am her.")
    with pytest.raises(NotAppealable):
        in_one(contest_sanction, worker_id=ann.pk, sanction=sanction.public_id, words="Again.")
    for partial in (judge.pk, ann.user_id):
        with pytest.raises(NotImpartial):
            in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=partial, reason="Yes.")
    other = limited(make.make_worker())
    clock(timedelta(days=8))
    with pytest.raises(NotAppealable):
        in_one(
            contest_sanction,
            worker_id=Worker.objects.get(user=other.user).pk,
            sanction=other.public_id,
            words="Too late.",
        )


@pytest.mark.django_db
def test_an_appeal_against_a_sanction_that_was_lifted_meanwhile_can_still_be_won() -> None:
    ann = make.make_worker()
    sanction = limited(ann)
    appeal = in_one(contest_sanction, worker_id=ann.pk, sanction=sanction.public_id, words="I read fast.")
    in_one(lift, sanction_id=sanction.pk, reason="mistake")
    in_one(decide_appeal, appeal=appeal.public_id, uphold=True, by=staff().pk, reason="It was a mistake.")
    appeal.refresh_from_db()
    assert appeal.state == "upheld"


# --- the walls ------------------------------------------------------------------------------------------------------

STEP = (
    "INSERT INTO appeals_step (appeal_id, kind, made_by_id, reason, made_at)"
    " SELECT p.id, '{kind}', {by}, 'so', market_now() FROM appeals_appeal p"
)
MEMBER = "(SELECT m.user_id FROM accounts_member m WHERE m.requester_id = p.requester_id LIMIT 1)"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "match"),
    [
        ("UPDATE appeals_appeal SET state = 'upheld', decided_at = market_now()", "permission denied"),
        ("UPDATE appeals_appeal SET public_id = gen_random_uuid()", "by its steps"),
        ("DELETE FROM appeals_appeal", "permission denied"),
        ("UPDATE appeals_step SET reason = 'x'", "permission denied"),
        ("DELETE FROM appeals_step", "permission denied"),
        (STEP.format(kind="opened", by="NULL"), "opened once"),
        (STEP.format(kind="lapsed", by="NULL"), "still is time"),
        (STEP.format(kind="upheld", by="NULL"), "others have not done"),
        (STEP.format(kind="refused", by="NULL"), "others have not done"),
        (STEP.format(kind="refused", by=MEMBER), "does not judge"),
        (STEP.format(kind="statement", by="(SELECT max(id) FROM accounts_user)"), "requester alone"),
        (STEP.format(kind="referred", by="NULL"), "not referred so"),
        (STEP.format(kind="upheld", by="NULL").replace("'so'", "' '"), "others have not|step_has_reason"),
        (
            "INSERT INTO appeals_appeal (worker_id, rejection_id, words, method, opened_at, refer_at, decide_by)"
            " SELECT max(w.id), min(r.assignment_id), 'me', 'adjudicator', now(), now(), now()"
            " FROM profiles_worker w, assignments_rejection r",
            "only its worker|appeals_appeal_rejection_id",
        ),
        (
            "INSERT INTO assignments_uphold (assignment_id, reason, made_at)"
            " SELECT max(assignment_id), 'x', now() FROM assignments_rejection WHERE assignment_id NOT IN"
            " (SELECT assignment_id FROM assignments_contest)",
            "undone by somebody",
        ),
        ("UPDATE assignments_contest SET batch_id = batch_id", "permission denied"),
    ],
)
def test_the_runtime_role_cannot_decide_by_itself(sql: str, match: str) -> None:
    contest(rejected(overlap=1))
    rejected(overlap=1)
    with pytest.raises(Exception, match=match), transaction.atomic():
        run(sql)


@pytest.mark.django_db
def test_staff_who_belong_to_the_requester_do_not_judge_not_even_by_raw_sql() -> None:
    case = rejected(overlap=1)
    contest(case)
    judge = staff()
    case.batch.requester.members.create(user=judge, role="viewer")
    for kind in ("upheld", "refused"):
        with pytest.raises(IntegrityError, match="own matter"), transaction.atomic():
            run(STEP.format(kind=kind, by=judge.pk))


def test_what_is_decided_is_done_with_it(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    contest(rejected(overlap=1))
    judge = staff()
    for kind in ("upheld", "refused"):
        with pytest.raises(IntegrityError, match="is done with it"), transaction.atomic():
            run(STEP.format(kind=kind, by=judge.pk))
    with pytest.raises(IntegrityError, match="is done with it"), transaction.atomic():
        run("UPDATE assignments_contest SET ended_at = market_now()")
    assert broken() == []
    as_owner.execute("DROP TRIGGER appeal_agrees ON appeals_step")
    with transaction.atomic():
        run(STEP.format(kind="upheld", by=judge.pk))
    assert {f.name for f in check_promises() if f.violations} >= {"inv_r42_appeals", "inv_r42_appeal_guards"}


def test_without_its_wall_the_requester_judges_himself(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    contest(rejected(overlap=1))
    as_owner.execute(
        "CREATE OR REPLACE FUNCTION appeals_impartial(p_appeal bigint, p_user bigint) RETURNS boolean"
        " LANGUAGE sql STABLE RETURN true"
    )
    judge = staff()
    case = Appeal.objects.get()
    case.requester.members.create(user=judge, role="viewer")  # type: ignore[union-attr]
    with transaction.atomic():
        in_one_step = STEP.format(kind="refused", by=judge.pk)
        assert run(in_one_step) == 1
        run("UPDATE assignments_contest SET ended_at = market_now()")


def test_an_appeal_that_nobody_settles_is_found(committed: str, clock: Forward) -> None:
    appeal = contest(rejected(overlap=1, dispute_basis_points=10_000))
    clock(timedelta(hours=73))
    assert "inv_r42_appeals" in {f.name for f in check_promises() if f.violations}
    settle(appeal)
    assert broken() == []


def bad_review(case: Case) -> None:
    at = {"worker_id": case.worker.pk, "project_id": case.batch.project_id, "batch_id": case.batch.pk}
    in_one(record_outcomes, outcomes=[Judged(**at, score=0.0, kind=Kind.REVIEW, assignment_id=case.answer.pk)])


def test_whoever_records_it_a_rejection_that_is_contested_counts_against_nobody(
    committed: str, as_owner: psycopg.Connection[Any], clock: Forward
) -> None:
    case = rejected(overlap=1)
    with pytest.raises(IntegrityError, match="still be contested"):
        bad_review(case)
    contest(case)
    clock(timedelta(seconds=case.batch.appeal_s))
    with pytest.raises(IntegrityError, match="still be contested"):
        bad_review(case)
    as_owner.execute("DROP TRIGGER review_is_final ON reputation_outcome")
    bad_review(case)
    assert {f.name for f in check_promises() if f.violations} >= {"inv_r42_reputation", "inv_r42_walls"}
