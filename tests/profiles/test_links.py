"""Accounts that were found to be one person's count as one worker (R13, R41), for as long as the finding stands."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.errors import OwnMatter
from marketplace.batches.models import Batch, Task
from marketplace.common.database import rows, run
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from tests import factories as make
from workers.assignments.audience import owns
from workers.assignments.commands.decide import apply_due
from workers.assignments.errors import LimitReached, NotEligible, NothingToClaim
from workers.assignments.models import Assignment
from workers.profiles.commands.links import end_link, link_accounts
from workers.profiles.commands.lists import change_list, create_list
from workers.profiles.commands.skills import create_skill, grant_skill
from workers.profiles.errors import LinkEnded, WorkersUnknown
from workers.profiles.models import Link, LinkedAccount, Worker

Forward = Callable[[timedelta], None]


def staff() -> int:
    with one_transaction(principal="test"):
        return int(ensure_staff(email=make.make_user().email).pk)


def link(*workers: Worker, reason: str = "the same bank account") -> Link:
    by = staff()
    with one_transaction(principal="test"):
        return link_accounts(workers=[worker.public_id for worker in workers], reason=reason, by=by)


def end(link: Link) -> Link:
    by = staff()
    with one_transaction(principal="test"):
        return end_link(link=link, reason="they are twins", by=by)


def persons(*workers: Worker) -> list[int]:
    found = dict(Worker.objects.values_list("pk", "person_id"))
    return [found[worker.pk] for worker in workers]


def kept() -> list[str]:
    return [finding.name for finding in check_promises() if finding.violations]


LEASE = (
    "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, lease_until)"
    " VALUES (%s, %s, %s, %s, %s, 1, market_now() + interval '1 hour')"
)


def lease_of(batch: Batch, worker: Worker, place: int) -> list[int]:
    return [batch.pk, Task.objects.filter(batch=batch).earliest("pk").pk, worker.pk, batch.version_id, place]


def refused(sql: str, params: Any, match: str) -> None:
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        run(sql, params)


@pytest.mark.django_db
def test_the_oldest_of_all_that_hang_together_stands_for_the_person() -> None:
    a, b, c, d = (make.make_worker() for _ in range(4))
    first = link(b, d)
    assert persons(a, b, c, d) == [a.pk, b.pk, c.pk, b.pk]
    second = link(d, a)
    assert persons(a, b, c, d) == [a.pk, a.pk, c.pk, a.pk]
    assert (second.reason, second.ended_at, LinkedAccount.objects.count()) == ("the same bank account", None, 4)
    end(first)
    assert persons(a, b, c, d) == [a.pk, b.pk, c.pk, a.pk]
    end(second)
    assert persons(a, b, c, d) == [a.pk, b.pk, c.pk, d.pk]
    assert Link.objects.exclude(ended_at=None).count() == 2
    assert kept() == []


@pytest.mark.django_db
def test_a_person_whose_head_leaves_is_led_by_the_next() -> None:
    a, b, c = (make.make_worker() for _ in range(3))
    first = link(a, b)
    link(b, c)
    end(first)
    assert persons(a, b, c) == [a.pk, b.pk, b.pk]
    with pytest.raises(LinkEnded):
        end(first)


@pytest.mark.django_db
def test_a_link_names_two_workers_that_exist() -> None:
    worker = make.make_worker()
    for workers in ([worker, worker], [worker, Worker()]):
        with pytest.raises(WorkersUnknown):
            link(*workers)
    assert not Link.objects.exists()


@pytest.mark.usefixtures("untold")
def test_two_linked_accounts_cannot_both_answer_a_task_not_even_by_raw_sql() -> None:
    batch, a, b, c = make.make_batch(tasks=1, overlap=3), *(make.make_worker() for _ in range(3))
    link(a, b)
    make.answer(a, make.take(a, batch))
    with pytest.raises(NothingToClaim):
        make.take(b, batch)
    refused(LEASE, lease_of(batch, b, 2), "another account of this person|one_assignment_per_person")
    assert run(LEASE, lease_of(batch, c, 2)) == 1
    assert kept() == []


@pytest.mark.django_db
def test_an_account_linked_after_the_other_answered_gets_no_second_place() -> None:
    batch, a, b = make.make_batch(tasks=1, overlap=3), make.make_worker(), make.make_worker()
    make.answer(b, make.take(b, batch))
    link(a, b)  # the answer was given by a person who is another one now
    with pytest.raises(NothingToClaim):
        make.take(a, batch)
    refused(LEASE, lease_of(batch, a, 2), "another account of this person")


@pytest.mark.django_db
def test_a_link_made_after_both_answered_stays_harmless(clock: Forward) -> None:
    batch, a, b = make.make_batch(tasks=2, overlap=2, auto_accept_s=60), make.make_worker(), make.make_worker()
    make.answer(a, make.take(a, batch, 1))
    make.answer(b, make.take(b, batch, 2))
    made = link(a, b)
    assert kept() == []
    clock(timedelta(seconds=61))
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)
    assert set(Assignment.objects.values_list("state", flat=True)) == {"accepted"}
    end(made)
    assert kept() == []


@pytest.mark.django_db
def test_a_lease_of_the_other_account_that_ran_out_is_not_revived_beside_an_answer(clock: Forward) -> None:
    batch, a, b = make.make_batch(tasks=1, overlap=2, time_limit_s=60), make.make_worker(), make.make_worker()
    make.take(b, batch)
    make.answer(a, make.take(a, batch))
    clock(timedelta(seconds=61))
    with one_transaction(principal="test"):
        apply_due(batch_id=batch.pk)
    link(a, b)
    with pytest.raises(NothingToClaim):
        make.take(b, batch)
    revive = (
        "UPDATE assignments_assignment SET state = 'leased', token = gen_random_uuid(), attempts = attempts + 1,"
        " leased_at = market_now(), lease_until = market_now() + interval '30 seconds' WHERE worker_id = %s"
    )
    refused(revive, [b.pk], "another account of this person")


@pytest.mark.django_db
def test_linked_accounts_share_the_lease_cap_and_the_limits() -> None:
    a, b, c = (make.make_worker() for _ in range(3))
    link(a, b)
    capped = make.make_batch(tasks=8, lease_cap=3)
    assert len(make.take(a, capped, 2)) == 2
    assert len(make.take(b, capped, 3)) == 1
    assert len(make.take(c, capped, 3)) == 3
    limited, daily = make.make_batch(tasks=8, worker_limit=2), make.make_batch(tasks=8, daily_limit=2)
    for batch in (limited, daily):
        make.answer(a, make.take(a, batch, 1))
        make.answer(b, make.take(b, batch, 1))
        with pytest.raises(LimitReached):
            make.take(a, batch, 1)
        assert make.take(c, batch, 1)
    assert kept() == []


@pytest.mark.django_db
def test_no_account_of_a_person_works_for_an_organisation_that_any_of_them_is_in() -> None:
    batch, a, b = make.make_batch(tasks=2), make.make_worker(), make.make_worker()
    batch.requester.members.create(user=b.user, role="viewer")
    assert make.take(a, batch)
    made = link(a, b)
    other = make.make_batch(tasks=2, project=batch.project)
    with pytest.raises(NotEligible, match="own organisation"):
        make.take(a, other)
    refused(LEASE, lease_of(other, a, 1), "own batch")
    assert owns(worker_id=a.pk, requester_id=batch.requester_id)
    end(made)
    assert make.take(a, other)


@pytest.mark.django_db
def test_what_one_account_holds_and_which_list_it_is_on_counts_for_the_other() -> None:
    project, a, b = make.make_project(), make.make_worker(), make.make_worker()
    by = project.requester.members.get().user_id
    with one_transaction(principal="test"):
        skill = create_skill(requester_id=project.requester_id, kind="skill", name="Reads")
    with one_transaction(principal="test"):
        barred = create_list(requester_id=project.requester_id, name="Barred")
    asks = {"skill": {"id": str(skill.public_id)}}
    clear = {"list": {"id": str(barred.public_id), "member": False}}
    skilled = make.make_batch(tasks=1, project=project, audience=asks)
    decent = make.make_batch(tasks=1, project=project, audience=clear)
    with one_transaction(principal="test"):
        grant_skill(skill=skill, worker_id=a.pk, by=by, evidence="exam", value=1.0)
    with one_transaction(principal="test"):
        change_list(worker_list=barred, add=[a.pk], remove=[], by=by)
    made = link(a, b)
    assert make.take(b, skilled)
    with pytest.raises(NotEligible):
        make.take(b, decent)
    end(made)
    assert make.take(b, decent)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE profiles_worker SET person_id = (SELECT min(id) FROM profiles_worker)",
        "INSERT INTO profiles_link (public_id, reason, made_by_id, ended_reason)"
        " SELECT gen_random_uuid(), 'r', min(id), '' FROM accounts_user",
        "UPDATE profiles_link SET reason = 'x'",
        "DELETE FROM profiles_link",
        "DELETE FROM profiles_linkedaccount",
        "SELECT profiles_regroup(array(SELECT id FROM profiles_worker))",
    ],
)
def test_the_runtime_role_changes_persons_by_links_only(attack: str) -> None:
    link(make.make_worker(), make.make_worker())
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        run(attack)


@pytest.mark.django_db
def test_the_runtime_role_makes_no_worker_who_is_somebody_else() -> None:
    user, worker = make.make_user(), make.make_worker()
    refused(
        "INSERT INTO profiles_worker (user_id, public_id, country, languages, person_id)"
        " VALUES (%s, gen_random_uuid(), '', '{}', %s)",
        [user.pk, worker.pk],
        "person of its own",
    )


@pytest.mark.django_db
def test_only_staff_links_whoever_calls_the_function() -> None:
    a, b, nobody = make.make_worker(), make.make_worker(), make.make_user()
    refused("SELECT profiles_link(%s, 'r', %s)", [[a.pk, b.pk], nobody.pk], "only staff")
    refused("SELECT profiles_unlink(%s, 'r', %s)", [link(a, b).pk, nobody.pk], "only staff")


@pytest.mark.django_db
@pytest.mark.parametrize("ended", [None, False, True], ids=["himself", "another account", "once another account"])
def test_nobody_links_his_own_accounts_or_ends_their_link(ended: bool | None) -> None:
    own, other, stranger, judge = (make.make_worker() for _ in range(4))
    if ended is None:
        judge = own
    else:
        before = link(own, judge)
        if ended:
            end(before)
    made = link(own, other)
    with one_transaction(principal="test"):
        by = ensure_staff(email=judge.user.email).pk

    with pytest.raises(OwnMatter), one_transaction(principal="test"):
        link_accounts(workers=[stranger.public_id, own.public_id], reason="one phone", by=by)
    refused("SELECT profiles_link(%s, 'r', %s)", [[stranger.pk, own.pk], by], "own accounts")
    with pytest.raises(OwnMatter), one_transaction(principal="test"):
        end_link(link=made, reason="two sisters", by=by)
    refused("SELECT profiles_unlink(%s, 'r', %s)", [made.pk, by], "own accounts")

    made.refresh_from_db()
    assert made.ended_at is None
    with one_transaction(principal="test"):
        strangers = link_accounts(workers=[stranger.public_id, make.make_worker().public_id], reason="r", by=by)
    with one_transaction(principal="test"):
        end_link(link=strangers, reason="r", by=by)
    assert end(made).ended_at is not None
    assert kept() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE profiles_worker SET person_id = (SELECT min(id) FROM profiles_worker)",
        "UPDATE profiles_worker SET person_id = id",
        "UPDATE profiles_worker SET person_id = (SELECT max(id) FROM profiles_worker) WHERE person_id <> id",
        "UPDATE profiles_link SET reason = 'another'",
        "UPDATE profiles_link SET ended_at = now(), ended_by_id = made_by_id, ended_reason = 'r', made_at = now()",
        "UPDATE profiles_linkedaccount SET worker_id = (SELECT max(id) FROM profiles_worker)",
        "DELETE FROM profiles_linkedaccount",
        "DELETE FROM profiles_link",
    ],
)
def test_even_the_owner_cannot_change_persons_or_links_by_a_slip(
    committed: str, as_owner: psycopg.Connection[Any], attack: str
) -> None:
    a, b = make.make_worker(), make.make_worker()
    link(a, b)
    make.make_worker()
    with pytest.raises(psycopg.errors.CheckViolation):
        as_owner.execute(attack)
    assert kept() == []


def test_a_person_that_no_link_made_is_found(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    a, b = make.make_worker(), make.make_worker()
    link(a, b)
    with as_owner.transaction():
        as_owner.execute("ALTER TABLE profiles_worker DISABLE TRIGGER person_kept")
        as_owner.execute("UPDATE profiles_worker SET person_id = id")
        as_owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        as_owner.execute("ALTER TABLE profiles_worker ENABLE ALWAYS TRIGGER person_kept")
    assert kept() == ["inv_r13_person"]
    assert rows("SELECT worker_id, person_by_links FROM inv_r13_person") == [(b.pk, a.pk)]


@pytest.mark.django_db
def test_what_was_done_for_a_person_while_a_link_stood_is_not_done_again_by_him() -> None:
    batch, a, b = make.make_batch(tasks=2, overlap=3), make.make_worker(), make.make_worker()
    made = link(a, b)
    done = make.take(b, batch, 1)
    make.answer(b, done)
    end(made)
    [lease] = make.take(a, batch, 2)
    assert lease.data != done[0].data
    assert kept() == []
