"""Claims, submissions, returns and expiry, one worker or few at a time."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, resume_batch
from marketplace.batches.errors import BatchNotOpen
from marketplace.batches.models import Batch, Task
from marketplace.batches.queries import offer_of, progress
from marketplace.common.database import rows, run, value
from marketplace.common.errors import NotFound
from tests import factories as make
from tests.acts import broken, in_one
from workers.assignments.commands.decide import accept_answers, apply_due, cancel, finish_batch, reject_answers
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.submit import NextPage, Submission, submit
from workers.assignments.errors import AnswerInvalid, LeaseLost, NotDecidable, NotEligible, NothingToClaim
from workers.assignments.models import Assignment, Draft
from workers.assignments.queries import earnings, live_leases
from workers.assignments.states import RejectReason
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
Forward = Callable[[timedelta], None]


def state_of(lease_id: object) -> str:
    return Assignment.objects.get(public_id=lease_id).state


def claim_all(worker: Worker, batch: Batch) -> int:
    """Claim and submit until nothing is left; how many were answered."""
    done = 0
    while True:
        try:
            leases = make.take(worker, batch, 10)
        except NothingToClaim:
            return done
        make.answer(worker, leases)
        done += len(leases)


def test_a_claim_tops_up_to_the_count_and_repeating_it_changes_nothing() -> None:
    batch, worker = make.make_batch(tasks=20), make.make_worker()
    first = make.take(worker, batch, 3)
    assert make.take(worker, batch, 3) == first
    more = make.take(worker, batch, 5)
    assert (len(first), len(more), more[:3]) == (3, 5, first)
    assert make.take(worker, batch, 2) == more
    assert broken() == []


def test_no_worker_is_given_a_task_twice_and_every_task_is_given_overlap_times() -> None:
    batch = make.make_batch(tasks=30, overlap=3)
    crew = [make.make_worker() for _ in range(5)]
    assert sum(claim_all(worker, batch) for worker in crew) == 90
    assert set(Task.objects.filter(batch=batch).values_list("taken", flat=True)) == {3}
    assert make.queue(batch) == []
    assert broken() == []


def test_a_lone_fast_worker_does_every_task_once_and_then_nothing_is_left_for_him() -> None:
    batch, worker = make.make_batch(tasks=150, overlap=3), make.make_worker()
    assert claim_all(worker, batch) == 150
    assert claim_all(make.make_worker(), batch) == 150
    assert broken() == []


def test_a_lease_cap_bounds_what_is_held() -> None:
    batch, worker = make.make_batch(tasks=20, lease_cap=4), make.make_worker()
    assert len(make.take(worker, batch, 9)) == 4
    assert len(make.take(worker, batch, 9)) == 4


def test_a_returned_place_goes_to_somebody_else_and_never_back() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    in_one(lambda: return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token, reason="too long"))
    in_one(lambda: return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token))
    with pytest.raises(NothingToClaim):
        make.take(worker, batch)
    assert len(make.take(make.make_worker(), batch)) == 1
    assert broken() == []


def test_an_expired_place_is_given_to_others_first_and_then_revived_for_its_worker(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=2, time_limit_s=60), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=61))
    assert in_one(lambda: apply_due(batch_id=batch.pk)) == 1
    assert state_of(lease.id) == "expired"
    revived = make.take(worker, batch)[0]
    assert revived.id == lease.id
    assert revived.token != lease.token
    assert Assignment.objects.get(public_id=lease.id).attempts == 2
    assert len(make.take(make.make_worker(), batch)) == 1
    assert broken() == []


def test_a_late_submit_after_the_place_is_gone_is_refused_and_what_was_typed_is_kept_as_a_draft(clock: Forward) -> None:
    batch, worker, other = make.make_batch(tasks=1, overlap=1, time_limit_s=60), make.make_worker(), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=60))
    assert in_one(lambda: apply_due(batch_id=batch.pk)) == 1
    taken = make.take(other, batch)[0]
    outcome = make.answer(worker, [lease]).outcomes[0]
    assert (outcome.outcome, outcome.draft_kept) == ("lease_lost", True)
    assert Draft.objects.get(assignment__public_id=lease.id).values == {"label": "cat"}
    in_one(lambda: return_lease(worker_id=other.pk, assignment=taken.id, token=taken.token))
    revived = make.take(worker, batch)[0]
    assert (revived.id, revived.draft) == (lease.id, {"label": "cat"})
    assert make.answer(worker, [revived]).outcomes[0].outcome == "submitted"
    assert not Draft.objects.exists()
    assert broken() == []


@pytest.mark.parametrize("swept", [False, True], ids=["unseen by a sweep", "expired by a sweep"])
def test_a_late_submit_counts_while_its_place_is_free(clock: Forward, swept: bool) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=60), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=600))
    if swept:
        assert in_one(lambda: apply_due(batch_id=batch.pk)) == 1
    assert make.answer(worker, [lease]).outcomes[0].outcome == "submitted"
    assert Assignment.objects.get(public_id=lease.id).attempts == 2
    assert make.answer(worker, [lease]).outcomes[0].outcome == "already_submitted"
    assert make.queue(batch) == []
    assert broken() == []


def test_a_late_submit_needs_the_last_token_and_an_open_batch(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=60), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=61))
    in_one(lambda: apply_due(batch_id=batch.pk))
    revived = make.take(worker, batch)[0]
    clock(timedelta(seconds=61))
    assert make.answer(worker, [lease]).outcomes[0].outcome == "lease_lost"
    in_one(lambda: pause_batch(batch_id=batch.pk))
    assert make.answer(worker, [revived]).outcomes[0].outcome == "lease_lost"
    in_one(lambda: resume_batch(batch_id=batch.pk))
    assert make.answer(worker, [revived]).outcomes[0].outcome == "submitted"
    assert broken() == []


def test_just_before_its_end_a_lease_still_counts(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=60), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=55))
    assert make.answer(worker, [lease]).outcomes[0].outcome == "submitted"


def test_a_forged_token_stores_nothing_but_a_draft() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    page = [Submission(lease.id, uuid4(), {"label": "dog"})]
    done = in_one(lambda: submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1)))
    assert done.outcomes[0].outcome == "lease_lost"  # type: ignore[attr-defined]
    assert state_of(lease.id) == "leased"
    assert make.answer(worker, [lease]).outcomes[0].outcome == "submitted"


def test_anothers_assignment_looks_like_none_and_sinks_the_page() -> None:
    batch, mine, other = make.make_batch(tasks=4), make.make_worker(), make.make_worker()
    own, foreign = make.take(mine, batch)[0], make.take(other, batch)[0]
    with pytest.raises(NotFound) as refused:
        make.answer(mine, [own, foreign])
    assert refused.value.facts["item"] == 1
    assert state_of(own.id) == "leased"


def test_submitting_again_tells_that_it_was_submitted_and_stores_nothing() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    make.answer(worker, [lease], "cat")
    assert make.answer(worker, [lease], "dog").outcomes[0].outcome == "already_submitted"
    assert rows("SELECT values FROM assignments_answer") == [({"label": "cat"},)]


def test_a_lost_lease_does_not_sink_its_neighbours(clock: Forward) -> None:
    batch, worker, other = make.make_batch(tasks=3, overlap=1, time_limit_s=60), make.make_worker(), make.make_worker()
    early = make.take(worker, batch, 1)
    clock(timedelta(seconds=40))
    both = make.take(worker, batch, 2)
    clock(timedelta(seconds=30))
    in_one(lambda: apply_due(batch_id=batch.pk))
    make.take(other, batch, 3)
    assert [o.outcome for o in make.answer(worker, both).outcomes] == ["lease_lost", "submitted"]
    assert both[0] == early[0]


def test_a_malformed_answer_refuses_the_page_and_names_the_item() -> None:
    batch, worker = make.make_batch(tasks=3), make.make_worker()
    leases = make.take(worker, batch, 3)
    page = [
        Submission(leases[0].id, leases[0].token, {"label": "cat"}),
        Submission(leases[1].id, leases[1].token, {"label": "horse"}),
        Submission(leases[2].id, leases[2].token, {"label": "cat", "extra": 1}),
    ]
    with pytest.raises(AnswerInvalid) as refused:
        in_one(lambda: submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1)))
    assert [(error["item"], error["field"]) for error in refused.value.facts["errors"]] == [(1, "label"), (2, "extra")]
    assert {state_of(lease.id) for lease in leases} == {"leased"}


def test_an_assignment_twice_on_a_page_is_refused() -> None:
    batch, worker = make.make_batch(tasks=3), make.make_worker()
    lease = make.take(worker, batch)[0]
    with pytest.raises(AnswerInvalid, match="do not fit"):
        make.answer(worker, [lease, lease])


def test_unclear_is_an_answer_without_values() -> None:
    batch, worker = make.make_batch(tasks=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    page = [Submission(lease.id, lease.token, {}, unclear=True)]
    in_one(lambda: submit(worker_id=worker.pk, page=page, then_claim=None, chance=Random(1)))
    assert rows("SELECT values, unclear FROM assignments_answer") == [({}, True)]


def test_submit_and_the_next_page_are_one_transaction() -> None:
    batch, worker = make.make_batch(tasks=3, overlap=1), make.make_worker()
    leases = make.take(worker, batch, 2)
    page = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in leases]
    wish = NextPage(offer_of(batch.public_id), 2)
    done = in_one(lambda: submit(worker_id=worker.pk, page=page, then_claim=wish, chance=Random(1)))
    assert len(done.claimed) == 1  # type: ignore[attr-defined]
    last = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in done.claimed]  # type: ignore[attr-defined]
    end = in_one(lambda: submit(worker_id=worker.pk, page=last, then_claim=wish, chance=Random(1)))
    assert end.claimed == []  # type: ignore[attr-defined]
    assert end.claim_problem.code == "nothing-to-claim"  # type: ignore[attr-defined]
    assert {state_of(lease.id) for lease in leases} == {"submitted"}


def test_a_pause_stops_claims_but_not_submissions() -> None:
    batch, worker = make.make_batch(tasks=3), make.make_worker()
    lease = make.take(worker, batch)[0]
    in_one(lambda: pause_batch(batch_id=batch.pk))
    with pytest.raises(BatchNotOpen):
        make.take(worker, batch, 2)
    assert make.answer(worker, [lease]).outcomes[0].outcome == "submitted"
    in_one(lambda: resume_batch(batch_id=batch.pk))
    assert len(make.take(worker, batch, 2)) == 2


def test_nobody_works_on_a_batch_of_his_own_organisation_and_anybody_else_does() -> None:
    batch = make.make_batch(tasks=3)
    member = Worker.objects.create(user=batch.requester.members.get().user)
    with pytest.raises(NotEligible):
        make.take(member, batch)
    with pytest.raises(IntegrityError, match="own batch"), transaction.atomic():
        task = Task.objects.filter(batch=batch).first()
        assert task is not None
        _raw_lease(batch, task.pk, member, 1)
    assert len(make.take(make.make_worker(), batch)) == 1


def _raw_lease(batch: Batch, task_id: int, worker: Worker, place: int, lease_no: int = 1) -> None:
    run(
        "INSERT INTO assignments_assignment (batch_id, task_id, worker_id, version_id, place, lease_no, lease_until)"
        " VALUES (%s, %s, %s, %s, %s, %s, market_now() + interval '1 hour')",
        [batch.pk, task_id, worker.pk, batch.version_id, place, lease_no],
    )


@pytest.mark.usefixtures("untold")
def test_raw_sql_cannot_exceed_overlap_places_or_the_lease_cap() -> None:
    batch = make.make_batch(tasks=3, overlap=2, lease_cap=2)
    first, second, third = Task.objects.filter(batch=batch).order_by("pk").values_list("pk", flat=True)
    a, b, c = make.make_worker(), make.make_worker(), make.make_worker()
    _raw_lease(batch, first, a, 1)
    for bad in (
        lambda: _raw_lease(batch, first, b, 1),  # the place is taken
        lambda: _raw_lease(batch, first, b, 3),  # beyond the overlap
        lambda: _raw_lease(batch, first, a, 2, 2),  # the same worker again
        lambda: _raw_lease(batch, second, a, 1, 1),  # the lease number is in use
        lambda: _raw_lease(batch, second, a, 1, 3),  # beyond the cap
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            bad()
    _raw_lease(batch, first, b, 2)
    _raw_lease(batch, second, a, 1, 2)
    with pytest.raises(IntegrityError), transaction.atomic():
        _raw_lease(batch, first, c, 1)
    assert third
    assert broken() == []


def test_the_runtime_role_cannot_touch_counters_queue_or_history() -> None:
    make.take(make.make_worker(), make.make_batch(tasks=3))
    for attack in (
        "UPDATE batches_task SET taken = 0",
        "DELETE FROM batches_openplace",
        "INSERT INTO batches_openplace (task_id, batch_id, bucket, rank) VALUES (1, 1, 1, 1)",
        "DELETE FROM assignments_assignment",
        "UPDATE assignments_assignment SET worker_id = 1",
        "UPDATE assignments_answer SET values = '{}'",
        "UPDATE assignments_settlement SET price_micros = 10",
        "INSERT INTO assignments_settlement (assignment_id, batch_id, worker_id, price_micros, fee_micros, due_at)"
        " VALUES (1, 1, 1, 5, 5, now())",
        "UPDATE batches_batch SET price_micros = 1",
        "DELETE FROM batches_batch",
        "DELETE FROM batches_task",
        "UPDATE reputation_outcome SET score = 1",
        "SELECT score FROM reputation_outcome",
        "SELECT key FROM batches_goldkey",
        "SELECT * FROM gold_verdict",
        "SELECT assignments_take(NULL::assignments_claimer, NULL::assignments_lease, false)",
        "SELECT assignments_requeue(1, 1)",
        "UPDATE batches_task SET attempts = 0",
        "UPDATE batches_task SET quarantined_at = NULL",
        "UPDATE assignments_quota SET used = 0",
        "UPDATE assignments_pair SET shared = 0",
        "UPDATE profiles_worker SET person_id = 1",
    ):
        with pytest.raises(Exception, match="permission denied"), transaction.atomic():
            run(attack)


def test_every_pair_of_states_passes_or_is_refused_as_the_table_says() -> None:
    from workers.assignments.states import STEPS, State

    paths: dict[State, list[State]] = {
        State.LEASED: [],
        State.SUBMITTED: [State.SUBMITTED],
        State.ACCEPTED: [State.SUBMITTED, State.ACCEPTED],
        State.REJECTED: [State.SUBMITTED, State.REJECTED],
        State.RETURNED: [State.RETURNED],
        State.EXPIRED: [State.EXPIRED],
        State.UPHELD: [State.SUBMITTED, State.REJECTED, State.UPHELD],
    }
    batch = make.make_batch(tasks=1, overlap=3)
    passed = set()
    for start, path in paths.items():
        for goal in State:
            if goal == start:
                continue
            point = transaction.savepoint()
            lease = make.take(make.make_worker(), batch)[0]
            for step in path:
                _raw_step(lease.id, step)
            try:
                with transaction.atomic():
                    _raw_step(lease.id, goal)
                passed.add((start, goal))
            except IntegrityError:
                pass
            transaction.savepoint_rollback(point)
    assert passed == set(STEPS)


def _raw_step(lease_id: object, state: str) -> None:
    if state == "upheld":
        run(
            "INSERT INTO assignments_uphold (assignment_id, made_by_id, reason, made_at)"
            " SELECT id, (SELECT min(id) FROM accounts_user), 'right', market_now() FROM assignments_assignment"
            " WHERE public_id = %s",
            [lease_id],
        )
    # A rejection and a return for repair have their rows, without which neither is a step.
    for goal, table, more, from_row in (
        ("rejected", "rejection", "version_id", "version_id"),
        ("leased", "repair", "submitted_at", "submitted_at"),
    ):
        if state == goal:
            run(
                f"INSERT INTO assignments_{table} (assignment_id, batch_id, reason, comment, made_by_id, made_at,"
                f" {more})"
                " SELECT id, batch_id, 'wrong', 'no', (SELECT min(id) FROM accounts_user), market_now(), "
                f"{from_row} FROM assignments_assignment WHERE public_id = %s AND state = 'submitted'",
                [lease_id],
            )
    run(
        "UPDATE assignments_assignment SET state = %(state)s,"
        " end_reason = CASE WHEN %(state)s = 'rejected' THEN 'wrong' ELSE '' END,"
        " comment = CASE WHEN %(state)s = 'rejected' THEN 'no' ELSE '' END,"
        " submitted_at = CASE WHEN %(state)s = 'submitted' THEN market_now() ELSE submitted_at END,"
        " token = CASE WHEN %(state)s = 'leased' THEN gen_random_uuid() ELSE token END,"
        " attempts = attempts + CASE WHEN %(state)s = 'leased' AND state IN ('expired', 'submitted') THEN 1"
        " ELSE 0 END"
        " WHERE public_id = %(id)s",
        {"state": state, "id": lease_id},  # type: ignore[arg-type]
    )


def test_the_fence_holds_against_raw_sql_too(clock: Forward) -> None:
    batch = make.make_batch(tasks=2, time_limit_s=60)
    lease = make.take(make.make_worker(), batch)[0]
    clock(timedelta(seconds=61))
    with pytest.raises(IntegrityError, match="lease has ended"), transaction.atomic():
        _raw_step(lease.id, "submitted")
    with pytest.raises(IntegrityError, match="dated now"), transaction.atomic():
        run("UPDATE assignments_assignment SET state = 'submitted', submitted_at = lease_until - interval '1 s'")
    with pytest.raises(IntegrityError, match="not extended"), transaction.atomic():
        run("UPDATE assignments_assignment SET lease_until = market_now() + interval '1 h'")


def test_an_accepted_answer_is_due_at_once_and_paid_with_its_fee() -> None:
    batch, worker = make.make_batch(tasks=2, overlap=1), make.make_worker()
    leases = make.take(worker, batch, 2)
    make.answer(worker, leases)
    assert in_one(lambda: accept_answers(batch_id=batch.pk, assignments=[leases[0].id])) == 1
    assert in_one(lambda: accept_answers(batch_id=batch.pk, assignments=[leases[0].id])) == 0
    earned = earnings(worker.pk)[0]
    assert (earned.settled_micros, earned.due_micros, earned.submitted_micros) == (0, make.PRICE, make.PRICE)
    assert in_one(settle_due) == 1
    assert in_one(settle_due) == 0
    earned = earnings(worker.pk)[0]
    assert (earned.settled_micros, earned.due_micros, earned.earned_micros) == (make.PRICE, 0, make.PRICE)
    told = progress(batch)
    assert (told.paid_micros, told.fees_micros, told.escrow_micros) == (make.PRICE, make.FEE, make.PRICE + make.FEE)
    assert broken() == []


def test_a_rejected_answer_reopens_its_place_for_somebody_else_and_pays_nothing() -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1), make.make_worker()
    lease = make.take(worker, batch)[0]
    make.answer(worker, [lease])
    decide = lambda: reject_answers(  # noqa: E731
        batch_id=batch.pk,
        assignments=[lease.id],
        reason=RejectReason.WRONG,
        comment="It is a dog.",
        made_by=make.owner_of(batch.requester).pk,
    )
    assert in_one(decide) == 1
    assert in_one(decide) == 0
    with pytest.raises(NotDecidable):
        in_one(lambda: accept_answers(batch_id=batch.pk, assignments=[lease.id]))
    with pytest.raises(NothingToClaim):
        make.take(worker, batch)
    assert len(make.take(make.make_worker(), batch)) == 1
    assert in_one(settle_due) == 0
    assert progress(batch).escrow_micros == make.PRICE + make.FEE
    assert broken() == []


def test_nobody_has_to_live_for_an_answer_to_be_accepted_at_its_deadline(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, auto_accept_s=3600), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    assert in_one(lambda: apply_due(batch_id=batch.pk)) == 0
    clock(timedelta(seconds=3601))
    assert in_one(lambda: apply_due(batch_id=batch.pk)) == 1
    assert in_one(settle_due) == 1
    assert earnings(worker.pk)[0].settled_micros == make.PRICE


def test_a_done_batch_closes_settles_and_gives_the_rest_back() -> None:
    batch, worker = make.make_batch(tasks=3, gold=2, overlap=1), make.make_worker()
    funds = f"requester:{batch.requester.public_id}:funds"
    before = value("SELECT balance_micros FROM ledger_account WHERE address = %s", [funds])
    while True:
        try:
            leases = make.take(worker, batch, 1)
        except NothingToClaim:
            break
        make.answer(worker, leases)
        assert not in_one(lambda: finish_batch(batch_id=batch.pk))
    answered = Assignment.objects.filter(batch=batch).count()
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    assert in_one(lambda: finish_batch(batch_id=batch.pk))  # closes
    assert not in_one(lambda: finish_batch(batch_id=batch.pk))  # not while payments are due
    in_one(settle_due)
    assert in_one(lambda: finish_batch(batch_id=batch.pk))  # settles
    told = progress(Batch.objects.get(pk=batch.pk))
    assert (told.state, told.escrow_micros) == ("settled", 0)
    assert told.refunded_micros == (5 - answered) * (make.PRICE + make.FEE)
    after = value("SELECT balance_micros FROM ledger_account WHERE address = %s", [funds])
    assert after - before == told.refunded_micros
    assert broken() == []


def test_a_cancelled_batch_ends_its_leases_pays_what_was_submitted_and_returns_the_rest() -> None:
    batch, worker = make.make_batch(tasks=5, overlap=1), make.make_worker()
    leases = make.take(worker, batch, 3)
    make.answer(worker, leases[:1])
    in_one(lambda: cancel(batch_id=batch.pk))
    assert [state_of(lease.id) for lease in leases] == ["submitted", "expired", "expired"]
    assert live_leases(worker.pk) == []
    assert not in_one(lambda: finish_batch(batch_id=batch.pk))
    in_one(lambda: accept_answers(batch_id=batch.pk, assignments=None))
    in_one(settle_due)
    assert in_one(lambda: finish_batch(batch_id=batch.pk))
    assert earnings(worker.pk)[0].settled_micros == make.PRICE
    assert progress(batch).refunded_micros == 4 * (make.PRICE + make.FEE)
    assert broken() == []


def test_the_database_refuses_to_settle_over_open_or_unpaid_work() -> None:
    batch, worker = make.make_batch(tasks=2, overlap=1), make.make_worker()
    make.answer(worker, make.take(worker, batch))
    in_one(lambda: close_batch(batch_id=batch.pk))
    with pytest.raises(IntegrityError, match="open or unpaid"), transaction.atomic():
        run("UPDATE batches_batch SET state = 'settled', settled_at = market_now() WHERE id = %s", [batch.pk])


def test_reserved_tasks_go_to_those_they_are_reserved_for_and_to_nobody_else() -> None:
    from workers.profiles.commands import pseudonym_for

    draft = make.make_draft(overlap=2)
    friend, other = make.make_worker(), make.make_worker()
    name = in_one(lambda: pseudonym_for(worker_id=friend.pk, requester_id=draft.requester_id))
    make.add_rows(draft, [{"external_id": "r", "data": {"text": "x"}, "reserved_for": [name]}, *make.rows(1)])
    batch = make.published(draft)
    assert [lease.data["text"] for lease in make.take(other, batch, 5)] == ["animal 0"]
    assert {lease.data["text"] for lease in make.take(friend, batch, 5)} == {"x", "animal 0"}
    reserved = Task.objects.get(batch=batch, external_id="r")
    with pytest.raises(IntegrityError, match="reserved for others"), transaction.atomic():
        _raw_lease(batch, reserved.pk, other, 2, 2)
    assert broken() == []


def test_a_full_reserved_task_that_opens_again_is_found_by_the_next_reserved_worker() -> None:
    from workers.profiles.commands import pseudonym_for

    draft = make.make_draft(overlap=1)
    first, second = make.make_worker(), make.make_worker()
    names = [
        in_one(lambda w=w: pseudonym_for(worker_id=w.pk, requester_id=draft.requester_id)) for w in (first, second)
    ]
    make.add_rows(draft, [{"external_id": "r", "data": {"text": "x"}, "reserved_for": names}, *make.rows(1)])
    batch = make.published(draft)
    make.take(make.make_worker(), batch)
    lease = make.take(first, batch)[0]
    with pytest.raises(NothingToClaim):
        make.take(second, batch)
    in_one(lambda: return_lease(worker_id=first.pk, assignment=lease.id, token=lease.token))
    assert make.take(second, batch)[0].data == {"text": "x"}
    assert broken() == []


def test_a_lost_lease_is_not_returned_by_its_old_token(clock: Forward) -> None:
    batch, worker = make.make_batch(tasks=1, overlap=1, time_limit_s=60), make.make_worker()
    lease = make.take(worker, batch)[0]
    clock(timedelta(seconds=61))
    in_one(lambda: apply_due(batch_id=batch.pk))
    make.take(worker, batch)
    with pytest.raises(LeaseLost):
        in_one(lambda: return_lease(worker_id=worker.pk, assignment=lease.id, token=lease.token))
    assert state_of(lease.id) == "leased"
