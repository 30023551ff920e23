"""Skills, qualifications and lists: what a worker holds, from whom, and that the history of it stays."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.models import Requester
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.profiles.commands.lists import Changed, change_list, create_list
from workers.profiles.commands.skills import create_skill, grant_skill, revoke_skill
from workers.profiles.errors import GrantInvalid, NameTaken, NotHeld
from workers.profiles.models import Grant, ListMember, Skill, Worker, WorkerList
from workers.profiles.queries import grants_of, held_by, members_now

Forward = Callable[[timedelta], None]
Together = Callable[..., list[Any]]


def make_skill(kind: str = "skill", requester: Requester | None = None, name: str = "Reads") -> Skill:
    requester = requester or make.make_requester()
    with one_transaction(principal="test"):
        return create_skill(requester_id=requester.pk, kind=kind, name=name)


def owner(of: Skill | WorkerList) -> int:
    return int(of.requester.members.get(role="owner").user_id)


def grant(skill: Skill, worker: Worker, value: float | None, life: timedelta | None = None) -> Grant:
    with one_transaction(principal="test"):
        return grant_skill(
            skill=skill, worker_id=worker.pk, by=owner(skill), evidence="exam of May", value=value, life=life
        )


def make_list(requester: Requester | None = None) -> WorkerList:
    requester = requester or make.make_requester()
    with one_transaction(principal="test"):
        return create_list(requester_id=requester.pk, name="Friends")


def change(of: WorkerList, add: list[Worker], remove: list[Worker]) -> Changed:
    with one_transaction(principal="test"):
        return change_list(worker_list=of, add=[one.pk for one in add], remove=[one.pk for one in remove], by=owner(of))


@pytest.mark.django_db
def test_who_is_on_a_list_stands_in_the_order_in_which_he_was_named_and_not_in_that_of_accounts() -> None:
    of = make_list()
    workers = [make.make_worker() for _ in range(4)]
    named = [workers[at] for at in (2, 0, 3, 0, 1, 2)]
    assert change(of, named, []) == Changed(4, 0)
    order = [one.worker_id for one in members_now(of).order_by("pk")]
    assert order == [workers[at].pk for at in (2, 0, 3, 1)]


@pytest.mark.django_db
def test_a_name_is_given_once_in_an_organisation() -> None:
    skill = make_skill()
    assert make_skill().name == skill.name
    with pytest.raises(NameTaken):
        make_skill("qualification", skill.requester)
    with pytest.raises(NameTaken):
        make_list(make_list().requester)


@pytest.mark.django_db
def test_a_new_grant_replaces_the_one_before_and_both_stay_on_record() -> None:
    skill, worker = make_skill(), make.make_worker()
    grant(skill, worker, 0.4)
    second = grant(skill, worker, 0.9)
    assert [(one.pk, one.value) for one in held_by(worker.pk)] == [(second.pk, 0.9)]
    assert [(one.value, one.revoked_reason) for one in Grant.objects.order_by("pk")] == [
        (0.4, "replaced by a new grant"),
        (0.9, ""),
    ]
    assert [grants_of(skill, current=current).count() for current in (True, False)] == [1, 2]


@pytest.mark.django_db
def test_a_grant_ends_by_its_time_or_by_a_revocation_that_says_why(clock: Forward) -> None:
    skill, exam, worker = make_skill(), make_skill("qualification"), make.make_worker()
    grant(skill, worker, 0.5, timedelta(hours=1))
    grant(exam, worker, None)
    assert held_by(worker.pk).count() == 2
    clock(timedelta(hours=1))
    assert [one.skill_id for one in held_by(worker.pk)] == [exam.pk]
    with one_transaction(principal="test"):
        gone = revoke_skill(skill=exam, worker_id=worker.pk, by=owner(exam), reason="copied")
    assert (gone.revoked_reason, held_by(worker.pk).count()) == ("copied", 0)
    with pytest.raises(NotHeld), one_transaction(principal="test"):
        revoke_skill(skill=exam, worker_id=worker.pk, by=owner(exam), reason="copied")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "value"),
    [("skill", None), ("skill", 1.1), ("skill", -0.1), ("skill", float("nan")), ("qualification", 1.0)],
)
def test_a_skill_is_held_at_a_value_and_a_qualification_without(kind: str, value: float | None) -> None:
    skill, worker = make_skill(kind), make.make_worker()
    with pytest.raises(GrantInvalid):
        grant(skill, worker, value)
    insert = (
        "INSERT INTO profiles_grant (skill_id, worker_id, public_id, value, evidence, granted_by_id, revoked_reason)"
        " VALUES (%s, %s, gen_random_uuid(), %s, 'e', %s, '')"
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        run(insert, [skill.pk, worker.pk, value, owner(skill)])
    assert run(insert, [skill.pk, worker.pk, 1.0 if kind == "skill" else None, owner(skill)]) == 1


def test_grants_of_one_skill_at_once_leave_one_that_is_current(committed: str, together: Together) -> None:
    skill, worker = make_skill(), make.make_worker()
    done = together([lambda value=value: grant(skill, worker, value / 10) for value in range(10)])
    assert all(isinstance(one, Grant) for one in done), done
    assert (Grant.objects.count(), Grant.objects.filter(revoked_at=None).count()) == (10, 1)


@pytest.mark.django_db
def test_a_list_changes_in_bulk_and_keeps_who_was_on_it() -> None:
    friends, crew = make_list(), [make.make_worker() for _ in range(4)]
    assert change(friends, crew[:3], []) == Changed(3, 0)
    assert change(friends, crew, [crew[3]]) == Changed(1, 0)
    assert change(friends, [crew[0], crew[0]], crew[:2]) == Changed(1, 2)
    assert sorted(one.worker_id for one in members_now(friends)) == [crew[n].pk for n in (0, 2, 3)]
    assert ListMember.objects.count() == 5


def test_lists_that_change_at_once_hold_nobody_twice(committed: str, together: Together) -> None:
    friends, crew = make_list(), [make.make_worker() for _ in range(8)]
    done = together([lambda: change(friends, crew, []) for _ in range(4)] * 2)
    assert sum(one.added for one in done) == 8
    assert members_now(friends).count() == 8


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE profiles_grant SET value = 1",
        "UPDATE profiles_grant SET revoked_at = NULL, revoked_by_id = NULL, revoked_reason = ''",
        "UPDATE profiles_grant SET revoked_reason = 'another', revoked_at = now()",
        "UPDATE profiles_grant SET evidence = 'forged', revoked_at = now(), revoked_by_id = granted_by_id,"
        " revoked_reason = 'r' WHERE revoked_at IS NULL",
        "DELETE FROM profiles_grant",
        "TRUNCATE profiles_grant",
        "UPDATE profiles_listmember SET added_at = now()",
        "UPDATE profiles_listmember SET removed_at = NULL, removed_by_id = NULL WHERE removed_at IS NOT NULL",
        "DELETE FROM profiles_listmember",
        "TRUNCATE profiles_listmember",
    ],
)
def test_even_the_owner_cannot_rewrite_what_was_granted_or_listed(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    skill, worker, other = make_skill(), make.make_worker(), make.make_worker()
    grant(skill, worker, 0.4)
    grant(skill, worker, 0.5)
    friends = make_list()
    change(friends, [worker, other], [])
    change(friends, [], [other])
    with pytest.raises(psycopg.errors.CheckViolation):
        as_owner.execute(attack)


def test_a_grant_begins_now_and_current(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    skill, worker = make_skill("qualification"), make.make_worker()
    insert = (
        "INSERT INTO profiles_grant (skill_id, worker_id, public_id, evidence, granted_by_id, revoked_reason,"
        " granted_at, expires_at) VALUES (%s, %s, gen_random_uuid(), 'e', %s, '', '2000-01-01', %s)"
    )
    with pytest.raises(psycopg.errors.CheckViolation, match="begins current"):
        as_owner.execute(insert, [skill.pk, worker.pk, owner(skill), "2001-01-01"])
    as_owner.execute(insert, [skill.pk, worker.pk, owner(skill), None])
    assert Grant.objects.get().granted_at.year > 2020
