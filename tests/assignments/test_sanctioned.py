"""What a sanction stops, and what it does not (R40): no new lease under a limit or a ban, by any account of the person;
one at a time, and not too soon, for who is slowed down; all that is begun may be finished, and what is earned stays."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.models import Sanction
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import offer_of
from marketplace.common.database import run, value
from marketplace.common.errors import DomainError
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken
from workers.assignments.commands.decide import apply_due
from workers.assignments.commands.submit import NextPage, Submission, Submitted, submit
from workers.assignments.errors import SlowedDown, UnderSanction
from workers.assignments.models import Assignment
from workers.assignments.queries import LeasedTask
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker

Forward = Callable[[timedelta], None]
STOPPING = ["batch limit", "project limit", "requester limit", "platform limit", "platform ban"]


def sanctioned(worker: Worker, batch: Batch, what: str, *, hours: float = 1, pace_s: int | None = None) -> Sanction:
    """Impose "<scope> <measure>" on the worker, where the batch is."""
    scope, measure = what.split()
    ids = {"batch": batch.pk, "project": batch.project_id, "requester": batch.requester_id, "platform": None}
    staff = make.make_user()
    with one_transaction(principal="test"):
        return impose(
            user_id=worker.user_id,
            scope=scope,
            scope_id=ids[scope],
            measure=measure,
            reason="low_accuracy",
            words="Too many of your answers were wrong.",
            evidence={"gold_accuracy": 0.4},
            life=timedelta(hours=hours),
            pace_s=pace_s,
            made_by=staff.pk,
        )


def refused(worker: Worker, batch: Batch, kind: type[DomainError] = UnderSanction) -> DomainError:
    with pytest.raises(kind) as error:
        make.take(worker, batch)
    return error.value


def lease(batch: Batch, worker: Worker, ago: str = "0 s") -> tuple[str, list[Any]]:
    """A lease as a program might write it that asks nobody."""
    task = Task.objects.filter(batch=batch, assignments=None).earliest("pk")
    return (
        "INSERT INTO assignments_assignment"
        " (batch_id, task_id, worker_id, version_id, place, lease_no, leased_at, lease_until)"
        " VALUES (%s, %s, %s, %s, 3, 1, market_now() - %s::interval,"
        " market_now() - %s::interval + interval '60 s')",
        [batch.pk, task.pk, worker.pk, batch.version_id, ago, ago],
    )


def link(*workers: Worker) -> None:
    with one_transaction(principal="test"):
        staff = ensure_staff(email="staff@example.org").pk
    with one_transaction(principal="test"):
        link_accounts(workers=[worker.public_id for worker in workers], reason="one phone", by=staff)


@pytest.mark.django_db
@pytest.mark.parametrize("what", STOPPING)
def test_a_limit_or_ban_stops_claims_where_it_reaches_and_says_why_until_when_and_which(what: str) -> None:
    batch, worker, other = make.make_batch(tasks=5), make.make_worker(), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    made = sanctioned(worker, batch, what)
    told = refused(worker, batch)
    assert (told.code, told.detail) == ("sanctioned", "Too many of your answers were wrong.")
    assert told.facts == {
        "batch": str(batch.public_id),
        "sanction": str(made.public_id),
        "expires_at": made.expires_at.isoformat(),
        "appeal_until": made.appeal_until.isoformat(),
        "measure": made.measure,
        "reason": "low_accuracy",
    }
    assert len(make.take(other, batch)) == 1
    assert broken() == []


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["batch limit", "project limit", "requester limit"])
def test_elsewhere_he_goes_on_working(what: str) -> None:
    project, worker = make.make_project(), make.make_worker()
    here = make.make_batch(project=project)
    reached = {
        "batch": [],
        "project": [make.make_batch(project=project)],
        "requester": [make.make_batch(project=project), make.make_batch(project=make.make_project(project.requester))],
    }
    all_others = {
        "same project": make.make_batch(project=project),
        "same requester": make.make_batch(project=make.make_project(project.requester)),
        "another": make.make_batch(),
    }
    open_to_him = {"batch": 3, "project": 2, "requester": 1}[what.split()[0]]
    sanctioned(worker, here, what)
    refused(worker, here)
    for batch in reached[what.split()[0]]:
        refused(worker, batch)
    assert len([batch for batch in all_others.values() if _taken(worker, batch)]) == open_to_him
    assert broken() == []


def _taken(worker: Worker, batch: Batch) -> bool:
    try:
        return bool(make.take(worker, batch))
    except UnderSanction:
        return False


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["platform review", "platform extra_gold"])
def test_a_review_and_more_gold_stop_nothing(what: str) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    sanctioned(worker, batch, what)
    assert len(make.take(worker, batch, 3)) == 3


@pytest.mark.django_db
def test_it_ends_by_itself_or_by_being_lifted(clock: Forward) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    short = sanctioned(worker, batch, "batch limit", hours=1)
    longer = sanctioned(worker, batch, "project limit", hours=3)
    assert refused(worker, batch).facts["sanction"] == str(longer.public_id)
    with one_transaction(principal="test"):
        lift(sanction_id=longer.pk, reason="a mistake")
    assert refused(worker, batch).facts["sanction"] == str(short.public_id)
    clock(timedelta(hours=1))
    assert len(make.take(worker, batch)) == 1
    assert broken() == []


@pytest.mark.django_db
@pytest.mark.parametrize("what", STOPPING)
def test_all_accounts_of_the_person_are_stopped(what: str) -> None:
    batch, (one, two, stranger) = make.make_batch(tasks=6), (make.make_worker() for _ in range(3))
    make.take(two, batch)
    sanctioned(one, batch, what)
    make.take(two, batch, 2)  # another person's, as far as anybody knows
    link(one, two)
    for worker in (one, two):
        with pytest.raises(IntegrityError, match="a sanction keeps"), transaction.atomic():
            run(*lease(batch, worker))
    make.answer(two, make.take(two, batch, 1))
    refused(one, batch)
    assert len(make.take(stranger, batch)) == 1
    assert broken() == []


@pytest.mark.django_db
@pytest.mark.parametrize("ago", ["0 s", "2 h"])
@pytest.mark.parametrize("what", STOPPING)
def test_raw_sql_begins_no_lease_either_not_even_one_that_is_dated_back(what: str, ago: str) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    with transaction.atomic():
        run(*lease(batch, worker, ago))
        transaction.set_rollback(True)
    sanctioned(worker, batch, what)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        run(*lease(batch, worker, ago))
    cause: Any = error.value.__cause__
    assert cause.diag.constraint_name == "sanctioned"


def submitted(worker: Worker, leases: list[LeasedTask], then: Batch | None = None) -> Submitted:
    page = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in leases]
    following = NextPage(offer_of(then.public_id), 2) if then else None
    with one_transaction(principal="test"):
        return submit(worker_id=worker.pk, page=page, then_claim=following, chance=Random(1), due_done=True)


@pytest.mark.django_db
@pytest.mark.parametrize("what", STOPPING)
def test_what_is_leased_may_be_submitted_and_the_next_page_is_refused_with_the_reason(what: str) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    leases = make.take(worker, batch, 2)
    made = sanctioned(worker, batch, what)
    assert [one.id for one in make.take(worker, batch, 4)] == [one.id for one in leases]  # what he has, and no more
    first = submitted(worker, leases[:1], batch)
    assert [one.id for one in first.claimed] == [leases[1].id]
    done = submitted(worker, leases[1:], batch)
    assert [one.outcome for one in done.outcomes] == ["submitted"]
    assert (done.claimed, type(done.claim_problem)) == ([], UnderSanction)
    assert done.claim_problem is not None and done.claim_problem.facts["sanction"] == str(made.public_id)
    assert Assignment.objects.filter(state="submitted").count() == 2
    assert broken() == []


@pytest.mark.django_db
def test_what_is_leased_may_be_prolonged_and_what_was_accepted_is_paid(clock: Forward) -> None:
    from workers.assignments.commands.leases import extend_leases

    batch, worker = make.make_batch(time_limit_s=60, auto_accept_s=3_600), make.make_worker()
    first, second = make.take(worker, batch, 2)
    make.answer(worker, [first])
    sanctioned(worker, batch, "platform ban", hours=999)
    clock(timedelta(seconds=50))
    with one_transaction(principal="test"):
        extend_leases(worker_id=worker.pk, leases=[(second.id, second.token)])
    clock(timedelta(seconds=50))
    assert make.answer(worker, [second]).outcomes[0].outcome == "submitted"
    clock(timedelta(hours=1))
    with one_transaction(principal="test"):
        apply_due()
    assert set(Assignment.objects.values_list("state", flat=True)) == {"accepted"}
    assert value("SELECT count(*) FROM assignments_settlement") == 2
    assert broken() == []


@pytest.mark.django_db
@pytest.mark.parametrize("what", [None, *STOPPING])
def test_a_lease_that_ran_out_is_not_revived_by_a_late_answer_and_what_was_typed_is_kept(
    what: str | None, clock: Forward
) -> None:
    batch, worker = make.make_batch(time_limit_s=60), make.make_worker()
    (late,) = make.take(worker, batch)
    if what:
        sanctioned(worker, batch, what)
    clock(timedelta(seconds=61))
    (outcome,) = make.answer(worker, [late]).outcomes
    assert (outcome.outcome, outcome.draft_kept) == (("lease_lost", True) if what else ("submitted", False))
    assert Assignment.objects.get().state == ("expired" if what else "submitted")
    assert broken() == []


@pytest.mark.django_db
def test_an_answer_that_is_returned_for_repair_may_be_repaired(clock: Forward) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    leases = make.take(worker, batch)
    make.answer(worker, leases)
    sanctioned(worker, batch, "platform ban")
    clock(timedelta(seconds=5))
    assert make.send_back(batch, leases) == 1
    assert broken() == []
    again = Assignment.objects.get()
    page = [Submission(again.public_id, again.token, {"label": "dog"})]
    with one_transaction(principal="test"):
        done = submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1))
    assert done.outcomes[0].outcome == "submitted"
    assert broken() == []


@pytest.mark.django_db
def test_who_is_slowed_down_gets_one_place_at_a_time_and_the_next_after_his_pace(clock: Forward) -> None:
    batch, worker, twin = make.make_batch(tasks=20), make.make_worker(), make.make_worker()
    began = make_first(worker, batch)
    made = sanctioned(worker, batch, "project slow_down", pace_s=60)
    told = refused(worker, batch, SlowedDown)
    assert (told.code, told.facts["sanction"], told.facts["measure"]) == (
        "slowed-down",
        str(made.public_id),
        "slow_down",
    )
    assert datetime.fromisoformat(told.facts["retry_at"]) == began + timedelta(seconds=60)
    clock(timedelta(seconds=61))
    leases = make.take(worker, batch, 5)
    assert len(leases) == 1
    assert [one.id for one in make.take(worker, batch, 5)] == [leases[0].id]
    done = submitted(worker, leases, batch)
    assert (done.claimed, type(done.claim_problem)) == ([], SlowedDown)
    assert len(make.take(worker, make.make_batch())) == 1  # elsewhere he goes at his own pace
    link(worker, twin)
    refused(twin, batch, SlowedDown)
    clock(timedelta(seconds=61))
    assert len(make.take(twin, batch, 5)) == 1
    clock(timedelta(hours=1))
    assert len(make.take(worker, batch, 5)) == 5
    assert broken() == []


def make_first(worker: Worker, batch: Batch) -> datetime:
    make.answer(worker, make.take(worker, batch, 3))
    return Assignment.objects.filter(worker=worker).latest("leased_at").leased_at


@pytest.mark.django_db
def test_a_slow_worker_without_leases_begins_at_once_and_a_limit_comes_before_a_pace() -> None:
    batch, worker = make.make_batch(), make.make_worker()
    sanctioned(worker, batch, "platform slow_down", pace_s=60, hours=9)
    assert len(make.take(worker, batch, 2)) == 1
    make.answer(worker, make.take(worker, batch))
    refused(worker, batch, SlowedDown)
    limit = sanctioned(worker, batch, "batch limit")
    assert refused(worker, batch).facts["sanction"] == str(limit.public_id)


MUTANTS = {
    "the trigger of a lease": "ALTER TABLE assignments_assignment DISABLE TRIGGER assignment_step",
    "its look at sanctions": None,
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.usefixtures("untold")
def test_without_the_wall_a_lease_begins_and_the_checker_sees_it(
    committed: str, as_owner: psycopg.Connection[Any], mutant: str
) -> None:
    batch, worker = make.make_batch(), make.make_worker()
    sanctioned(worker, batch, "project limit")
    columns, values = lease(batch, worker)
    with pytest.raises(psycopg.errors.CheckViolation, match="a sanction keeps"):
        as_owner.execute(columns, values)
    assert broken() == []
    if MUTANTS[mutant]:
        as_owner.execute(MUTANTS[mutant])
        columns = columns.replace("lease_no,", "lease_no, person_id,").replace("3, 1,", "3, 1, %s,")
        values.insert(4, worker.pk)
    else:
        found = as_owner.execute("SELECT pg_get_functiondef('assignments_step'::regproc)").fetchone()
        assert found is not None
        wall = "IF terms.sanctioned AND"
        assert found[0].count(wall) == 1
        as_owner.execute(found[0].replace(wall, "IF false AND"))
    as_owner.execute(columns, values)
    assert [name.split()[0] for name in broken() if "r40" in name] == ["inv_r40_sanctions"]


@pytest.mark.parametrize("trigger", ["sanction_step", "hold_person", "closed", "closed_truncate"])
def test_a_missing_guard_of_sanctions_is_found(committed: str, as_owner: psycopg.Connection[Any], trigger: str) -> None:
    as_owner.execute(f"ALTER TABLE accounts_sanction DISABLE TRIGGER {trigger}")
    assert [name.split()[0] for name in broken()] == ["inv_r40_guards"]
