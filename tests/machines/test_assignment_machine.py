"""The work beside a model in memory: whatever workers, requesters, sweeps and the clock do, nobody is given what he may
not have, everybody is given what he may, and the money is where the model says (R12-R18, R20, R37)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from marketplace.batches.commands.lifecycle import close_batch, pause_batch, publish_batch, resume_batch
from marketplace.batches.commands.progress import fold
from marketplace.batches.errors import BatchNotOpen, WrongState
from marketplace.batches.models import Batch
from marketplace.batches.queries import offer_of, progress
from marketplace.batches.states import Order
from marketplace.common.database import one, rows, run
from marketplace.common.errors import NotFound
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import FEES, disputes_of, earned_by, escrow_of, funds_of
from tests import factories as make
from tests.machines.effort import effort
from tests.machines.example import RolledBack
from tests.machines.market_model import Kind, ModelAssignment, ModelBatch, ModelTask
from workers.assignments.commands.claim import claim
from workers.assignments.commands.decide import accept_answers, apply_due, cancel, finish_batch, reject_answers
from workers.assignments.commands.extras import Bonus, pay_bonus
from workers.assignments.commands.leases import return_lease
from workers.assignments.commands.pay import settle_due
from workers.assignments.commands.reserves import release_disputes
from workers.assignments.commands.submit import NextPage, Submission, Submitted, submit
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.errors import (
    BonusReused,
    LeaseLost,
    LimitReached,
    NotDecidable,
    NotEligible,
    NothingToClaim,
    NoWorkToReward,
)
from workers.assignments.queries import LeasedTask
from workers.assignments.states import RejectReason, ReturnReason
from workers.gold.commands import score_due
from workers.profiles.commands import pseudonym_for
from workers.profiles.models import Worker

FUNDS = 10**9
GIVEN_UP = "SELECT external_id, attempts, quarantined_at IS NOT NULL FROM batches_task"
CREW = 4
# Deadlines never come near a multiple of the clock's steps, so that the real time that passes beside does not matter.
TIME_LIMIT_S = 600
AUTO_ACCEPT_S = 3_600
CLOCK_STEPS_S = (250, 250, 750)

crew = st.integers(0, CREW - 1)
counts = st.integers(1, 5)


@dataclass(frozen=True)
class Plan:
    """The tasks of an example, before it has workers: `reserved` names places in the crew."""

    plain: list[int]
    gold: list[int]
    reserved: list[tuple[int, frozenset[int]]]
    lease_cap: int
    order: str
    max_attempts: int
    worker_limit: int | None
    dispute_basis_points: int


plans = st.builds(
    Plan,
    plain=st.lists(st.integers(1, 3), min_size=2, max_size=6),
    gold=st.lists(st.integers(1, 3), max_size=2),
    reserved=st.lists(st.tuples(st.integers(1, 3), st.frozensets(crew, min_size=1)), max_size=2),
    lease_cap=st.integers(1, 4),
    order=st.sampled_from(Order.values),
    max_attempts=st.sampled_from([5, 2, 3]),
    worker_limit=st.sampled_from([None, None, 3, 1]),
    dispute_basis_points=st.sampled_from([0, 500, 5_000]),
)


class AssignmentMachine(RuleBasedStateMachine):
    """One batch and a handful of workers, one of them a member of the requester."""

    batch: Batch
    model: ModelBatch
    workers: list[Worker]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.example = RolledBack()
        self.chance = Random(7)

    @initialize(plan=plans)
    def a_batch_is_published(self, plan: Plan) -> None:
        draft = make.make_draft(
            make.make_project(make.make_requester(FUNDS)),
            time_limit_s=TIME_LIMIT_S,
            auto_accept_s=AUTO_ACCEPT_S,
            lease_cap=plan.lease_cap,
            order=plan.order,
            max_attempts=plan.max_attempts,
            worker_limit=plan.worker_limit,
            dispute_basis_points=plan.dispute_basis_points,
            gold={"probation_share": 0.4, "probation": 1_000},
        )
        self.workers = [make.make_worker() for _ in range(CREW)]
        insider = Worker.objects.create(user=draft.requester.members.get().user)
        tasks = [ModelTask(f"t{n}", Kind.PLAIN, overlap) for n, overlap in enumerate(plan.plain)]
        tasks += [ModelTask(f"g{n}", Kind.GOLD, overlap) for n, overlap in enumerate(plan.gold)]
        tasks += [
            ModelTask(f"r{n}", Kind.RESERVED, overlap, frozenset(self.workers[place].pk for place in places))
            for n, (overlap, places) in enumerate(plan.reserved)
        ]
        self.import_tasks(draft, tasks)
        self.batch = make.published(draft)
        self.workers.append(insider)
        self.model = ModelBatch(
            unit_micros=self.batch.unit_micros,
            price_micros=self.batch.price_micros,
            lease_cap=plan.lease_cap,
            time_limit_s=TIME_LIMIT_S,
            auto_accept_s=AUTO_ACCEPT_S,
            tasks={task.name: task for task in tasks},
            outsiders=frozenset({insider.pk}),
            max_attempts=plan.max_attempts,
            worker_limit=plan.worker_limit,
            dispute_places=-(-sum(task.overlap for task in tasks) * plan.dispute_basis_points // 10_000),
        )

    def import_tasks(self, draft: Batch, tasks: list[ModelTask]) -> None:
        with one_transaction(principal="test"):
            names = {w.pk: pseudonym_for(worker_id=w.pk, requester_id=draft.requester_id) for w in self.workers}
        make.add_rows(
            draft,
            (
                {
                    "external_id": task.name,
                    "data": {"text": task.name},
                    "overlap": task.overlap,
                    **({"gold": {"label": "cat"}} if task.kind == Kind.GOLD else {}),
                    **({"reserved_for": [names[pk] for pk in sorted(task.reserved_for)]} if task.reserved_for else {}),
                }
                for task in tasks
            ),
        )

    # Workers

    @rule(place=st.integers(0, CREW), count=counts)
    def somebody_claims(self, place: int, count: int) -> None:
        worker = self.workers[place].pk

        def ask() -> list[LeasedTask]:
            with one_transaction(principal="test"):
                return claim(
                    worker_id=worker,
                    offer=offer_of(self.batch.public_id),
                    count=count,
                    chance=self.chance,
                    due_done=True,
                )

        self.expect_claim(worker, count, ask)

    def expect_claim(self, worker: int, count: int, ask: Callable[[], list[LeasedTask]]) -> None:
        """The claim gives what the model allows, and no less than what it demands."""
        model = self.model
        if model.state != "published":
            with pytest.raises(BatchNotOpen):
                ask()
            return
        held = model.held(worker)
        wanted = min(max(0, count - len(held)), model.free_lease_numbers(worker), max(0, model.room(worker)))
        ordinary, gold = model.ordinary_for(worker), model.gold_for(worker)
        if worker in model.outsiders:
            with pytest.raises(NotEligible):
                ask()
            return
        if not held and model.room(worker) <= 0:
            with pytest.raises(LimitReached):
                ask()
            return
        try:
            leases = ask()
        except NothingToClaim:
            assert not held
            assert not wanted or not ordinary, f"{ordinary} wait while {worker} asks"
            return
        assert [lease.id for lease in leases[: len(held)]] == [a.id for a in held]
        taken = [self.record_lease(worker, lease) for lease in leases[len(held) :]]
        new_gold = {a.task.name for a in taken if a.task.kind == Kind.GOLD and a.attempts == 1}
        assert new_gold <= gold
        assert {a.task.name for a in taken} - new_gold <= ordinary
        assert len(taken) == wanted or len(taken) - len(new_gold) == len(ordinary) < wanted
        assert [lease.draft is not None for lease in leases] == [a.draft for a in held + taken]

    def record_lease(self, worker: int, lease: LeasedTask) -> ModelAssignment:
        row = one("SELECT id FROM assignments_assignment WHERE public_id = %s", [lease.id])
        assert row is not None
        return self.model.taken(row[0], lease.id, lease.token, worker, lease.data["text"])

    @rule(place=crew, count=counts)
    def somebody_claims_and_answers(self, place: int, count: int) -> None:
        self.somebody_claims(place, count)
        self.somebody_answers_all_he_holds(place, None)

    @precondition(lambda self: self.model.all("leased"))
    @rule(place=crew, then=st.none() | counts)
    def somebody_answers_all_he_holds(self, place: int, then: int | None) -> None:
        worker = self.workers[place].pk
        held = self.model.held(worker)
        self.hand_in(worker, held, [Submission(a.id, a.token, {"label": "cat"}) for a in held], then)

    @rule(place=crew, data=st.data(), then=st.none() | counts)
    def somebody_submits_a_page(self, place: int, data: st.DataObject, then: int | None) -> None:
        worker = self.workers[place].pk
        own = sorted((a for a in self.model.all() if a.worker == worker), key=lambda a: a.pk)
        if not own:
            return
        places = data.draw(st.lists(st.integers(0, len(own) - 1), min_size=1, max_size=3, unique=True))
        chosen = [own[index] for index in places]
        self.hand_in(worker, chosen, [self.submission(a, data) for a in chosen], then)

    def hand_in(self, worker: int, chosen: list[ModelAssignment], page: list[Submission], then: int | None) -> None:
        with one_transaction(principal="test"):
            done = submit(
                worker_id=worker,
                page=page,
                then_claim=NextPage(offer_of(self.batch.public_id), then) if then else None,
                chance=self.chance,
                due_done=True,
            )
        revived = self.model.revived_late([(a, s.token) for a, s in zip(chosen, page, strict=True)])
        page = [self.with_new_token(a, s) if a in revived else s for a, s in zip(chosen, page, strict=True)]
        said = [self.model.submitted(a, s.token, bool(s.values)) for a, s in zip(chosen, page, strict=True)]
        assert [outcome.outcome for outcome in done.outcomes] == said
        if then:
            self.expect_claim(worker, then, lambda: _next_page(done))

    def with_new_token(self, assignment: ModelAssignment, submission: Submission) -> Submission:
        row = one("SELECT token FROM assignments_assignment WHERE id = %s", [assignment.pk])
        assert row is not None and row[0] not in assignment.old_tokens, "a revival has a new token"
        assignment.token = row[0]
        return replace(submission, token=row[0])

    def submission(self, assignment: ModelAssignment, data: st.DataObject) -> Submission:
        values = data.draw(st.sampled_from([{"label": "cat"}, {"label": "dog"}, None]))
        token = self.some_token(assignment, data)
        return Submission(assignment.id, token, values or {}, unclear=values is None)

    def some_token(self, assignment: ModelAssignment, data: st.DataObject) -> UUID:
        """Mostly the right one; else one of an earlier lease, or a guess."""
        luck = data.draw(st.integers(0, 9))
        if luck == 8 and assignment.old_tokens:
            return assignment.old_tokens[-1]
        return assignment.token if luck < 9 else uuid4()

    @precondition(lambda self: self.model.by_task)
    @rule(data=st.data())
    def somebody_gives_a_place_back(self, data: st.DataObject) -> None:
        mine = self.draw_some(data)
        token = self.some_token(mine, data)
        if self.model.returned(mine, token):
            self.give_back(mine.worker, mine.id, token)
        else:
            with pytest.raises(LeaseLost):
                self.give_back(mine.worker, mine.id, token)

    @precondition(lambda self: self.model.by_task)
    @rule(data=st.data(), place=st.integers(0, CREW))
    def somebody_meddles_with_the_assignment_of_another(self, data: st.DataObject, place: int) -> None:
        theirs = self.draw_some(data)
        worker = self.workers[place].pk
        if worker == theirs.worker:
            return
        page = [Submission(theirs.id, theirs.token, {"label": "cat"})]
        with pytest.raises(NotFound), one_transaction(principal="test"):
            submit(worker_id=worker, page=page, then_claim=None, chance=self.chance)
        with pytest.raises(NotFound):
            self.give_back(worker, theirs.id, theirs.token)

    def give_back(self, worker: int, assignment: UUID, token: UUID) -> None:
        with one_transaction(principal="test"):
            return_lease(worker_id=worker, assignment=assignment, token=token, reason=ReturnReason.BROKEN)

    def draw_some(self, data: st.DataObject) -> ModelAssignment:
        known = sorted(self.model.all(), key=lambda a: a.pk)
        return known[data.draw(st.integers(0, len(known) - 1))]

    # Requesters

    @precondition(lambda self: self.model.all("submitted"))
    @rule()
    def the_requester_accepts_all(self) -> None:
        waiting = self.model.all("submitted")
        with one_transaction(principal="test"):
            assert accept_answers(batch_id=self.batch.pk, assignments=None) == len(waiting)
        _become(waiting, "accepted")

    @precondition(lambda self: self.model.all("submitted"))
    @rule(data=st.data())
    def the_requester_rejects_an_answer(self, data: st.DataObject) -> None:
        waiting = sorted(self.model.all("submitted"), key=lambda a: a.pk)
        chosen = waiting[data.draw(st.integers(0, len(waiting) - 1))]
        self.reject([chosen], [chosen])

    @precondition(lambda self: self.model.by_task)
    @rule(data=st.data(), accept=st.booleans(), undecided=st.booleans())
    def the_requester_decides_about_some(self, data: st.DataObject, accept: bool, undecided: bool) -> None:
        known = sorted((undecided and self.model.all("submitted")) or self.model.all(), key=lambda a: a.pk)
        chosen = data.draw(st.lists(st.integers(0, len(known) - 1), min_size=1, max_size=2, unique=True))
        named = [known[index] for index in chosen]
        goal = "accepted" if accept else "rejected"
        if all(a.state in ("submitted", goal) for a in named):
            waiting = [a for a in named if a.state == "submitted"]
            if accept:
                assert self.decide(accept, named) == len(waiting)
                _become(waiting, goal)
            else:
                self.reject(named, waiting)
        else:
            with pytest.raises(NotDecidable):
                self.decide(accept, named)

    def reject(self, named: list[ModelAssignment], waiting: list[ModelAssignment]) -> None:
        """Of any batch five answers, and of a large one every tenth, are rejected; beyond that the database refuses."""
        ever = len(self.model.all("rejected", "upheld")) + len(waiting)
        answered = len(self.model.all("submitted", "accepted", "rejected", "upheld"))
        if waiting and ever > 5 and ever * 10 > answered:
            with pytest.raises(IntegrityError, match="need a review"):
                self.decide(False, named)
            return
        assert self.decide(False, named) == len(waiting)
        _become(waiting, "rejected")
        for answer in waiting:
            answer.rejected_at = self.model.now

    @precondition(lambda self: self.model.all("rejected"))
    @rule(data=st.data())
    def staff_undo_rejections(self, data: st.DataObject) -> None:
        known = sorted(self.model.all("rejected"), key=lambda a: a.pk)
        named = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique_by=lambda a: a.pk))
        with one_transaction(principal="test"):
            upheld = uphold_answers(
                batch_id=self.batch.pk,
                assignments=[answer.id for answer in named],
                made_by=self.workers[-1].user_id,
                reason="It was right.",
            )
        assert upheld == len(named)
        self.model.uphold(named)

    @rule(place=crew, reference=st.sampled_from(["a", "b"]), amount=st.sampled_from([7, 5_000]))
    def the_requester_gives_a_bonus(self, place: int, reference: str, amount: int) -> None:
        worker = self.workers[place].pk
        given = self.model.bonuses.get((worker, reference))

        def give() -> Bonus:
            with one_transaction(principal="test"):
                return pay_bonus(
                    batch_id=self.batch.pk,
                    worker_id=worker,
                    amount_micros=amount,
                    reason="good",
                    reference=reference,
                    made_by=self.workers[-1].user_id,
                )

        if not any(a.worker == worker and a.submitted for a in self.model.all()):
            with pytest.raises(NoWorkToReward):
                give()
        elif given not in (None, amount):
            with pytest.raises(BonusReused):
                give()
        else:
            assert give().is_new == (given is None)
            self.model.bonuses[worker, reference] = amount

    @precondition(lambda self: self.model.settled)
    @rule(wait=st.booleans())
    def what_lies_aside_is_given_back(self, wait: bool) -> None:
        if wait:
            self.time_passes(15 * 86_400)
        if self.model.may_release_disputes() or self.model.disputes_released is not None:
            with one_transaction(principal="test"):
                assert release_disputes(batch_id=self.batch.pk) == self.model.release_disputes()
        else:
            with pytest.raises(IntegrityError, match="can still be contested"), one_transaction(principal="test"):
                release_disputes(batch_id=self.batch.pk)

    def decide(self, accept: bool, named: list[ModelAssignment]) -> int:
        ids = [a.id for a in named]
        with one_transaction(principal="test"):
            if accept:
                return accept_answers(batch_id=self.batch.pk, assignments=ids)
            return reject_answers(
                batch_id=self.batch.pk,
                assignments=ids,
                reason=RejectReason.WRONG,
                comment="no",
                made_by=make.owner_of(self.batch.requester).pk,
            )

    @rule(wish=st.sampled_from(["resume", "pause", "publish", "close", "cancel"]))
    def the_requester_changes_the_state(self, wish: str) -> None:
        if wish == "resume":
            self.step(resume_batch, "published", only_from={"paused"}, no_op={"published"})
        elif wish == "pause":
            self.step(pause_batch, "paused", only_from={"published"}, no_op={"paused"})
        elif wish == "publish":
            self.step(publish_batch, "published", only_from=set(), no_op={"published"})
        elif len(self.model.by_task) < 6:
            pass  # the last two end most of what can happen
        elif wish == "close":
            self.step(close_batch, "closing", only_from={"published", "paused"}, no_op={"closing", "settled"})
        else:
            self.step(cancel, "cancelled", only_from={"published", "paused"}, no_op={"cancelled"})

    @precondition(lambda self: self.model.state == "paused")
    @rule()
    def the_pause_ends(self) -> None:
        self.step(resume_batch, "published", only_from={"paused"}, no_op=set())

    def step(self, command: Callable[..., Batch], goal: str, *, only_from: set[str], no_op: set[str]) -> None:
        if self.model.state not in only_from | no_op:
            with pytest.raises(WrongState), one_transaction(principal="test"):
                command(batch_id=self.batch.pk)
            return
        with one_transaction(principal="test"):
            command(batch_id=self.batch.pk)
        if self.model.state in no_op:
            return
        self.model.state = goal
        if goal == "cancelled":
            self.model.cancel()

    # Time and sweeps

    @rule(by_s=st.sampled_from(CLOCK_STEPS_S))
    def time_passes(self, by_s: int) -> None:
        run("UPDATE test_clock SET shift = shift + %s", [timedelta(seconds=by_s)])
        self.model.now += by_s

    @precondition(lambda self: self.model.all("leased", "submitted"))
    @rule(by_s=st.sampled_from([750, 4_000]))
    def a_deadline_passes_and_is_applied(self, by_s: int) -> None:
        self.time_passes(by_s)
        self.what_is_due_is_applied(everywhere=False)

    @rule(everywhere=st.booleans())
    def what_is_due_is_applied(self, everywhere: bool) -> None:
        overdue, undecided = self.model.overdue(), self.model.past_decision()
        with one_transaction(principal="test"):
            changed = apply_due(batch_id=None if everywhere else self.batch.pk)
        assert changed == len(overdue) + len(undecided)
        for assignment in overdue:
            self.model.expired(assignment)
        _become(undecided, "accepted")

    @precondition(lambda self: self.model.due())
    @rule(limit=st.sampled_from([1, 2, 500]), place=st.none() | crew)
    def what_is_due_is_paid(self, limit: int, place: int | None) -> None:
        worker = None if place is None else self.workers[place].pk
        due = [a for a in self.model.due() if worker in (None, a.worker)][:limit]
        with one_transaction(principal="test"):
            assert settle_due(worker_id=worker, limit=limit) == len(due)
        for assignment in due:
            assignment.paid = True

    @rule()
    def the_batch_moves_on_by_itself(self) -> None:
        with one_transaction(principal="test"):
            moved = finish_batch(batch_id=self.batch.pk)
        assert moved == self.model.finish()

    @precondition(lambda self: self.model.state in ("closing", "cancelled") and not self.model.settled)
    @rule()
    def the_end_is_reached(self) -> None:
        self.a_deadline_passes_and_is_applied(4_000)
        self.what_is_due_is_paid(500, None)
        self.the_batch_moves_on_by_itself()
        self.the_batch_moves_on_by_itself()
        assert self.model.settled

    @rule(first_scored=st.booleans())
    def the_other_sweeps_run(self, first_scored: bool) -> None:
        with one_transaction(principal="test"):
            if first_scored:
                assert score_due() == self.model.to_score
                self.model.to_score = 0
            fold()

    # What holds after every step

    @invariant()
    def a_step_was_made(self) -> None:
        type(self).steps += 1

    @invariant()
    def assignments_are_those_of_the_model(self) -> None:
        stored = rows(
            "SELECT a.id, t.external_id, a.worker_id, a.state, a.attempts, a.token, d.assignment_id IS NOT NULL,"
            " s.assignment_id IS NOT NULL, s.settled_at IS NOT NULL FROM assignments_assignment a"
            " JOIN batches_task t ON t.id = a.task_id LEFT JOIN assignments_draft d ON d.assignment_id = a.id"
            " LEFT JOIN assignments_settlement s ON s.assignment_id = a.id"
        )
        assert set(stored) == {
            (
                a.pk,
                a.task.name,
                a.worker,
                a.state,
                a.attempts,
                a.token,
                a.draft,
                a.state in ("accepted", "upheld"),
                a.paid,
            )
            for a in self.model.all()
        }

    @invariant()
    def no_task_is_taken_beyond_its_overlap(self) -> None:
        stored = dict(rows("SELECT external_id, taken FROM batches_task"))
        assert stored == {task.name: self.model.live(task) for task in self.model.tasks.values()}
        assert all(stored[task.name] <= task.overlap for task in self.model.tasks.values())
        given_up = {name: (tries, bool(off)) for name, tries, off in rows(GIVEN_UP)}
        assert given_up == {task.name: (task.attempts, task.quarantined) for task in self.model.tasks.values()}

    @invariant()
    def money_is_where_the_model_says(self) -> None:
        model, requester = self.model, self.batch.requester
        bonuses, their_fees = sum(model.bonuses.values()), sum(-(-given // 10) for given in model.bonuses.values())
        spent = model.hold_micros + model.dispute_places * model.unit_micros + model.disputes_added
        wanted = {
            funds_of(requester.public_id): FUNDS - spent - bonuses - their_fees + model.refunded_micros,
            escrow_of(self.batch.public_id): model.escrow_micros,
            disputes_of(self.batch.public_id): model.aside_micros,
            FEES: model.paid_answers * (model.unit_micros - model.price_micros) + their_fees,
            **{earned_by(worker.public_id): model.earned_micros(worker.pk) for worker in self.workers},
        }
        stored = rows("SELECT address, balance_micros FROM ledger_account WHERE address NOT LIKE 'outside:%'")
        assert {address: amount for address, amount in stored if amount} == {
            address: amount for address, amount in wanted.items() if amount
        }

    @invariant()
    def the_batch_says_where_it_stands(self) -> None:
        self.batch.refresh_from_db()
        told = progress(self.batch)
        assert (told.state, self.batch.settled_at is not None) == (self.model.state, self.model.settled)
        assert (told.escrow_micros, told.refunded_micros) == (self.model.escrow_micros, self.model.refunded_micros)
        assert told.accepted == len(self.model.all("accepted", "upheld"))
        for state in ("leased", "submitted", "rejected", "returned", "expired"):
            assert getattr(told, state) == len(self.model.all(state)), state

    def teardown(self) -> None:
        self.example.end()


def _next_page(done: Submitted) -> list[LeasedTask]:
    if done.claim_problem is not None:
        raise done.claim_problem
    return done.claimed


def _become(assignments: list[ModelAssignment], state: str) -> None:
    for assignment in assignments:
        assignment.state = state


def test_the_market_agrees_with_the_model(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        AssignmentMachine.steps = 0
        run_machine(AssignmentMachine, settings=effort(examples=210, soak_examples=600, steps=40))
        assert AssignmentMachine.steps >= 5_000


@pytest.mark.django_db
def test_a_page_is_stored_though_its_worker_may_not_work_on_the_batch_he_asks_for_next() -> None:
    """Nobody works on his own organisation's batch; that refusal must not take the answers with it."""
    first, own = make.make_batch(tasks=1), make.make_batch(tasks=1)
    worker = Worker.objects.create(user=own.requester.members.get().user)
    leases = make.take(worker, first)
    page = [Submission(lease.id, lease.token, {"label": "cat"}) for lease in leases]
    with one_transaction(principal="test"):
        done = submit(worker_id=worker.pk, page=page, then_claim=NextPage(offer_of(own.public_id), 1), chance=Random(1))
    assert isinstance(done.claim_problem, NotEligible)
    assert rows("SELECT state FROM assignments_assignment") == [("submitted",)]
