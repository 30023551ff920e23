"""Whom each event concerns, and what they are told: public ids only, and nothing that tells gold from work."""

import inspect
import json
from datetime import timedelta
from uuid import UUID

import pytest

from marketplace.accounts import events as of_accounts
from marketplace.accounts.commands.sanctions import impose, lift
from marketplace.accounts.models import Measure, SanctionReason, Where
from marketplace.batches import events as of_batches
from marketplace.batches.commands.lifecycle import pause_batch, resume_batch
from marketplace.common.database import rows
from marketplace.common.outbox import Delivered, Event
from marketplace.ledger import events as of_ledger
from marketplace.results import events as of_results
from marketplace.streams import routes as registry
from marketplace.streams.routes import (
    BOARD,
    STAFF,
    Fact,
    address_of_requester,
    address_of_worker,
    routed,
    topic_of_batch,
)
from tests import factories as make
from workers.appeals import events as of_appeals
from workers.assignments import events as of_assignments
from workers.assignments.commands.leases import return_lease
from workers.gold import events as of_gold
from workers.profiles import events as of_profiles
from workers.profiles.commands.skills import create_skill, grant_skill, revoke_skill
from workers.reputation import events as of_reputation

pytestmark = pytest.mark.django_db
ROOMS = (
    of_accounts,
    of_appeals,
    of_assignments,
    of_batches,
    of_gold,
    of_ledger,
    of_profiles,
    of_reputation,
    of_results,
)


def since(last: int = 0) -> list[Delivered]:
    """What was published, as the relay would read it."""
    return [
        Delivered(*row) for row in rows("SELECT id, kind, body FROM common_outbox WHERE id > %s ORDER BY id", [last])
    ]


def told(stream: str, last: int = 0) -> list[tuple[str, dict[str, object]]]:
    return [(fact.kind, fact.body) for fact in routed(since(last))[0] if fact.stream == stream]


def test_every_event_concerns_somebody() -> None:
    """A new event without a route is either forgotten or an event that nobody should hear of: then say so here."""
    defined = {
        name
        for room in ROOMS
        for name, kind in inspect.getmembers(room, inspect.isclass)
        if issubclass(kind, Event) and kind.__module__ == room.__name__ and not kind.__subclasses__()
    }
    assert defined - {kind for kinds, _ in registry._routes for kind in kinds} == set()


def test_a_worker_is_told_of_his_own_assignments_in_order() -> None:
    batch, worker, other = make.make_batch(tasks=3, overlap=2), make.make_worker(), make.make_worker()
    first, second = make.take(worker, batch, 2)
    [strange] = make.take(other, batch, 1)
    make.answer(worker, [first])
    return_lease(worker_id=worker.pk, assignment=second.id, token=second.token)
    name = str(batch.public_id)
    assert told(address_of_worker(worker.pk)) == [
        ("place_taken", {"batch": name, "assignments": [str(first.id), str(second.id)]}),
        ("answer_submitted", {"batch": name, "assignments": [str(first.id)]}),
        ("lease_returned", {"batch": name, "assignments": [str(second.id)]}),
    ]
    assert told(address_of_worker(other.pk)) == [("place_taken", {"batch": name, "assignments": [str(strange.id)]})]
    assert {topic_of_batch(batch.pk), BOARD} <= routed(since())[1]


def test_a_requester_is_told_what_becomes_of_his_batches_and_another_is_not() -> None:
    batch, other = make.make_batch(), make.make_batch()
    pause_batch(batch_id=batch.pk)
    resume_batch(batch_id=batch.pk)
    name = str(batch.public_id)
    assert told(address_of_requester(batch.requester_id)) == [
        ("batch_published", {"batch": name}),
        ("batch_paused", {"batch": name, "reason": "manual"}),
        ("batch_resumed", {"batch": name}),
    ]
    assert [kind for kind, _ in told(address_of_requester(other.requester_id))] == ["batch_published"]


def test_skills_and_sanctions_reach_who_has_them() -> None:
    worker, requester = make.make_worker(), make.make_requester()
    skill = create_skill(requester_id=requester.pk, kind="qualification", name="birds")
    by = make.owner_of(requester).pk
    grant_skill(skill=skill, worker_id=worker.pk, by=by, evidence="an exam")
    revoke_skill(skill=skill, worker_id=worker.pk, by=by, reason="expired knowledge")
    made = impose(
        user_id=worker.user_id, scope=Where.PLATFORM, scope_id=None, measure=Measure.LIMIT,
        reason=SanctionReason.HASTE, words="Too fast.", evidence={"answers": 3}, life=timedelta(days=1), made_by=by,
    )  # fmt: skip
    lift(sanction_id=made.pk, by=by, reason="a mistake")
    limited = {"sanction": str(made.public_id), "measure": "limit"}
    assert told(address_of_worker(worker.pk)) == [
        ("skill_granted", {"skill": str(skill.public_id)}),
        ("skill_revoked", {"skill": str(skill.public_id)}),
        ("sanctioned", limited),
        ("sanction_lifted", limited),
    ]
    assert told(STAFF) == [("sanctioned", limited), ("sanction_lifted", limited)]


def test_no_worker_is_told_that_a_rule_fired_or_of_gold() -> None:
    """The moment would tell which of his answers was judged."""
    batch, worker = make.make_batch(), make.make_worker()
    body = {"batch_id": batch.pk, "worker_ids": [worker.pk], "assignment_ids": [], "firing_id": 1}
    for number, kind in enumerate(
        ["RuleFired", "RuleWithdrawn", "KeyFlagged", "GoldWaits", "AnswersHeld", "ReviewWished"]
    ):
        facts, _ = routed([Delivered(number, kind, body)])
        assert [fact.stream for fact in facts] == [address_of_requester(batch.requester_id)], kind


def test_facts_hold_public_ids_only() -> None:
    batch, worker = make.make_batch(tasks=2, gold=1), make.make_worker()
    make.answer(worker, make.take(worker, batch, 2))
    facts = [fact for fact in routed(since())[0] if isinstance(fact, Fact)]
    assert facts

    def check(value: object) -> None:
        if isinstance(value, dict):
            for cell in value.values():
                check(cell)
        elif isinstance(value, list):
            for cell in value:
                check(cell)
        else:
            assert isinstance(value, str) and str(UUID(value)) == value, value

    for fact in facts:
        check(json.loads(json.dumps(fact.body)))
