"""What an organisation holds, spent and paid in, over HTTP."""

import pytest

from marketplace.batches.models import Batch
from marketplace.billing.queries import pay_in_reference
from tests import factories as make
from tests.acts import in_one
from tests.api.callers import Caller, caller_for
from tests.api.described import findings
from tests.console.reviewed import NO_GOLD, answer_all
from workers.assignments.commands.decide import accept_answers
from workers.assignments.commands.pay import settle_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(db: None) -> Batch:
    made = make.make_batch(10, overlap=1, gold_policy=NO_GOLD)
    worker = answer_all(made, lambda text: "cat", 3)
    in_one(accept_answers, batch_id=made.pk, assignments=None)
    in_one(settle_due, worker_id=worker.pk)
    return made


@pytest.fixture
def owner(batch: Batch) -> Caller:
    return caller_for(make.owner_of(batch.requester), "requester")


def test_holds_are_what_lies_in_the_batches_places(batch: Batch, owner: Caller) -> None:
    reply = owner.get(f"requesters/{batch.requester.public_id}/holds")
    assert findings(reply) == []
    [held] = reply.expect(200)["results"]
    money = owner.get(f"requesters/{batch.requester.public_id}").expect(200)["balances"][0]
    assert held["escrow_micros"] == 7 * (make.PRICE + make.FEE)
    assert held["total_micros"] == money["held_micros"]
    assert (held["batch"], held["currency"], held["state"]) == (str(batch.public_id), "EUR", "published")


def test_months_add_up_to_the_statement(batch: Batch, owner: Caller) -> None:
    reply = owner.get(f"requesters/{batch.requester.public_id}/spending?months=2")
    assert findings(reply) == []
    this, before = reply.expect(200)["results"]
    statement = owner.get(f"requesters/{batch.requester.public_id}/statement").expect(200)["spent"]
    assert {name: this[name] for name in statement} == statement
    assert this["total_micros"] == 3 * (make.PRICE + make.FEE)
    assert [(one["batch_name"], one["total_micros"]) for one in this["batches"]] == [("First", this["total_micros"])]
    assert (before["total_micros"], before["batches"]) == (0, [])
    for wrong in ("months=0", "months=25", "months=x", "currency=eur"):
        owner.get(f"requesters/{batch.requester.public_id}/spending?{wrong}").expect(422)


def test_deposits_show_what_came_in_and_nothing_of_staff(batch: Batch, owner: Caller) -> None:
    make.make_deposit(batch.requester, 7, reference="R7", evidence="seen by Ann")
    make.make_deposit(make.make_requester(), 9, reference="R9")
    reply = owner.get(f"requesters/{batch.requester.public_id}/deposits")
    assert findings(reply) == []
    [one] = reply.expect(200)["results"]
    assert (one["reference"], one["amount_micros"], one["taken_back"]) == ("R7", 7, None)
    assert "seen by Ann" not in reply.body.decode()


def test_how_to_pay_in_is_told_with_the_organisations_own_reference(batch: Batch, owner: Caller) -> None:
    reply = owner.get(f"requesters/{batch.requester.public_id}/pay-in")
    assert findings(reply) == []
    assert reply.expect(200) == {"reference": pay_in_reference(batch.requester.public_id), "account": ""}
