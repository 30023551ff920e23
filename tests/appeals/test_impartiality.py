"""Nobody judges in his own matter, by whichever of his accounts, and by leaving neither (R18, R41, R42)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.errors import OwnMatter
from marketplace.accounts.models import User
from marketplace.common.database import run
from marketplace.results.commands.rejections import Why, approve_review, reject
from tests import factories as make
from tests.acts import broken, in_one
from tests.appeals.test_appeals import STEP, Case, contest, limited, rejected, staff, state
from workers.appeals.commands.decide import decide_appeal
from workers.appeals.commands.open import contest_sanction, name_adjudicator
from workers.appeals.commands.uphold import uphold_rejected
from workers.appeals.errors import NotImpartial
from workers.appeals.models import Appeal
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.models import Worker

UPHOLD = (
    "INSERT INTO assignments_uphold (assignment_id, made_by_id, reason, made_at)"
    " SELECT r.assignment_id, %s, 'so', market_now() FROM assignments_rejection r WHERE r.assignment_id = %s"
)
NAME = (
    "INSERT INTO appeals_step (appeal_id, kind, made_by_id, adjudicator_id, reason, made_at)"
    " SELECT p.id, 'named', %s, %s, 'so', market_now() FROM appeals_appeal p"
)


def of_staff(worker: Worker) -> User:
    """The worker's account, which is of the staff from now on."""
    return in_one(ensure_staff, email=worker.user.email)  # type: ignore[no-any-return]


def other_account(worker: Worker, *, ended: bool) -> Worker:
    """Another account of the same person, or one that was taken for his until the link was ended."""
    other, by = make.make_worker(), staff()
    link = in_one(link_accounts, workers=[worker.public_id, other.public_id], reason="one phone", by=by.pk)
    if ended:
        in_one(end_link, link=link, reason="two sisters", by=by.pk)
    return other


def himself(worker: Worker) -> User:
    return of_staff(worker)


def another(worker: Worker) -> User:
    return of_staff(other_account(worker, ended=False))


def once_another(worker: Worker) -> User:
    return of_staff(other_account(worker, ended=True))


ACCOUNTS: list[Callable[[Worker], User]] = [himself, another, once_another]


# --- undoing rejections -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("account", ACCOUNTS)
def test_nobody_undoes_the_rejection_of_his_own_answer_whether_contested_or_not(
    account: Callable[[Worker], User],
) -> None:
    case = rejected(overlap=1)
    someone, by = rejected(overlap=1), account(case.worker)
    ask = {"batch_id": case.batch.pk, "assignments": [case.answer.public_id], "reason": "It is a cat."}
    with pytest.raises(OwnMatter):
        in_one(uphold_rejected, **ask, made_by=by.pk)
    with pytest.raises(IntegrityError, match="own answer"), transaction.atomic():
        run(UPHOLD, [by.pk, case.answer.pk])
    assert state(case) == "rejected"
    contest(case)
    with pytest.raises(OwnMatter):
        in_one(uphold_rejected, **ask, made_by=by.pk)

    assert in_one(uphold_rejected, **ask, made_by=staff().pk) == 1
    assert state(case) == "upheld"
    elsewhere = {**ask, "batch_id": someone.batch.pk, "assignments": [someone.answer.public_id]}
    assert in_one(uphold_rejected, **elsewhere, made_by=by.pk) == 1, "he undoes those of others"
    assert broken() == []


@pytest.mark.django_db
def test_one_answer_of_his_own_among_others_and_none_is_upheld() -> None:
    batch, ann, bob = make.make_batch(2, overlap=1), make.make_worker(), make.make_worker()
    leases = make.take(ann, batch, 1) + make.take(bob, batch, 1)
    make.answer(ann, leases[:1])
    make.answer(bob, leases[1:])
    make.reject(batch, leases)
    named = [lease.id for lease in leases]
    with pytest.raises(OwnMatter):
        in_one(uphold_rejected, batch_id=batch.pk, assignments=named, made_by=of_staff(bob).pk, reason="Cats.")
    assert set(Assignment.objects.values_list("state", flat=True)) == {"rejected"}
    assert in_one(uphold_rejected, batch_id=batch.pk, assignments=named, made_by=staff().pk, reason="Cats.") == 2


# --- who judges -------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("account", ACCOUNTS)
def test_nobody_who_has_a_part_in_the_matter_names_who_judges(account: Callable[[Worker], User]) -> None:
    case = rejected(overlap=1)
    appeal, friend, by = contest(case), make.make_user(), account(case.worker)
    ask = {"appeal": appeal.public_id, "adjudicator_id": friend.pk, "reason": "He knows cats."}
    with pytest.raises(NotImpartial):
        in_one(name_adjudicator, **ask, by=by.pk)
    with pytest.raises(IntegrityError, match="own matter"), transaction.atomic():
        run(NAME, [by.pk, friend.pk])
    appeal.refresh_from_db()
    assert appeal.adjudicator_id is None
    in_one(name_adjudicator, **ask, by=staff().pk)


@pytest.mark.django_db
def test_nobody_hands_his_own_appeal_from_others_to_a_person_by_raw_sql() -> None:
    case = rejected()
    assert contest(case).method == "rework"
    by = of_staff(case.worker)
    with pytest.raises(IntegrityError, match="own matter"), transaction.atomic():
        run(STEP.format(kind="referred", by=by.pk))
    assert run(STEP.format(kind="referred", by=staff().pk)) == 1


@dataclass
class Parties:
    """An appeal, and each who has had a part in what it is against."""

    appeal: Appeal
    by_part: dict[str, Worker]


def against_a_rejection() -> Parties:
    """Ann's answers are rejected by one, which another let take effect."""
    batch, ann = make.make_batch(6, overlap=1, lease_cap=10), make.make_worker()
    rejecter, reviewer, member, former = (make.make_worker() for _ in range(4))
    make.answer(ann, make.take(ann, batch, 6))
    answers = list(Assignment.objects.order_by("pk"))
    why = Why(RejectReason.WRONG, "Wrong.", rejecter.user_id)
    done = in_one(reject, batch_id=batch.pk, assignments=[answer.public_id for answer in answers], why=why)
    in_one(approve_review, review=done.review, by=reviewer.user_id, reason="So they are.")
    batch.requester.members.create(user=member.user, role="viewer")
    batch.requester.members.create(user=former.user, role="viewer").delete()
    parts = {"worker": ann, "rejecter": rejecter, "reviewer": reviewer, "member": member, "former member": former}
    return Parties(contest(Case(batch, ann, answers[0])), parts)


def against_a_limit() -> Parties:
    """What limits Ann by one of her accounts she contests by another."""
    ann, imposer = make.make_worker(), make.make_worker()
    second, sanction = other_account(ann, ended=False), limited(ann, made_by=imposer.user_id)
    appeal = in_one(contest_sanction, worker_id=second.pk, sanction=sanction.public_id, words="I read fast.")
    return Parties(appeal, {"worker": second, "limited": ann, "imposer": imposer})


PARTS = [
    *((against_a_rejection, part) for part in ("worker", "rejecter", "reviewer", "member", "former member")),
    *((against_a_limit, part) for part in ("worker", "limited", "imposer")),
]


@pytest.mark.django_db
@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize(("matter", "part"), PARTS)
def test_whoever_had_a_part_judges_by_none_of_his_accounts(
    matter: Callable[[], Parties], part: str, account: Callable[[Worker], User]
) -> None:
    parties = matter()
    judge = account(parties.by_part[part])
    for uphold in (True, False):
        with pytest.raises(NotImpartial):
            in_one(decide_appeal, appeal=parties.appeal.public_id, uphold=uphold, by=judge.pk, reason="So.")
    with pytest.raises(NotImpartial):
        in_one(name_adjudicator, appeal=parties.appeal.public_id, adjudicator_id=judge.pk, by=staff().pk, reason="So.")
    with pytest.raises(IntegrityError, match="own matter"), transaction.atomic():
        run(STEP.format(kind="refused", by=judge.pk))
    in_one(decide_appeal, appeal=parties.appeal.public_id, uphold=True, by=staff().pk, reason="She is right.")
    assert broken() == []
