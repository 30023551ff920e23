"""The worked example of the ledger's README, played: exactly the transfers that it lists happen, in that order."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from marketplace.batches.commands.lifecycle import close_batch
from marketplace.common.database import rows
from marketplace.common.promises import check_promises
from marketplace.ledger.queries import ledger_sum
from marketplace.payouts.commands.payouts import approve_payout
from marketplace.payouts.commands.runs import make_run, report_outcome
from marketplace.payouts.models import Payout
from tests import factories as make
from tests.acts import in_one
from tests.payouts import people
from workers.assignments.commands.decide import accept_answers, reject_answers
from workers.assignments.commands.extras import pay_bonus
from workers.assignments.commands.uphold import uphold_answers
from workers.assignments.models import Assignment
from workers.assignments.states import RejectReason
from workers.assignments.tasks import finish_batches, release_disputes, settle_due
from workers.earnings.commands import withdraw

README = Path(__file__).resolve().parents[2] / "marketplace" / "ledger" / "README.md"
ROW = re.compile(r"^\| \d+ \| ([\w-]+) \| (\S+) \| (\S+) \| (\d+\.\d\d) \|", re.MULTILINE)

pytestmark = pytest.mark.django_db


def test_the_worked_example_of_the_readme_is_what_happens(clock: Callable[[timedelta], None]) -> None:
    requester = make.make_requester(funds_micros=10_000_000)
    batch = make.make_batch(
        tasks=3,
        project=make.make_project(requester),
        price_micros=200_000,
        overlap=2,
        order="sequential",
        dispute_basis_points=2_000,
        target_hourly_micros=24_000_000,
        topup_basis_points=5_000,
    )
    ann, bea, cid = make.make_worker(), make.make_worker(), make.make_worker()

    def in_a_minute(worker: Any, count: int) -> list[Assignment]:
        for _task in range(count):
            lease = make.take(worker, batch)
            clock(timedelta(minutes=1))
            make.answer(worker, lease)
        return list(Assignment.objects.filter(worker=worker).order_by("pk"))

    def accept(*answers: Assignment) -> None:
        in_one(accept_answers, batch_id=batch.pk, assignments=[answer.public_id for answer in answers])

    of_ann = in_a_minute(ann, 2)
    good, wronged = in_a_minute(bea, 2)
    accept(*of_ann, good)
    in_one(
        reject_answers,
        batch_id=batch.pk,
        assignments=[wronged.public_id],
        reason=RejectReason.WRONG,
        comment="No cat.",
        made_by=make.owner_of(batch.requester).pk,
    )
    accept(*in_a_minute(cid, 1))
    settle_due()
    # Cid has taken the place that the rejection opened, and the third task is untouched.
    assert list(Assignment.objects.values_list("task_id", flat=True).distinct().order_by("task_id"))[-1:] == [
        wronged.task_id
    ]
    staff = make.make_user()
    in_one(close_batch, batch_id=batch.pk)
    # Something is still open, so the batch gives back what it can and waits.
    uphold = {"batch_id": batch.pk, "assignments": [wronged.public_id], "made_by": staff.pk, "reason": "It is one."}
    from workers.assignments.commands.reserves import release_unneeded

    in_one(release_unneeded, batch_id=batch.pk)
    in_one(uphold_answers, **uphold)
    settle_due()
    for _again in range(4):
        finish_batches()
    batch.refresh_from_db()
    assert batch.state == "settled"
    in_one(
        pay_bonus,
        batch_id=batch.pk,
        worker_id=ann.pk,
        amount_micros=1_000_000,
        reason="Both were hard.",
        reference="hard",
        made_by=requester.members.get().user_id,
    )
    people.enrol(ann.user)
    ann.user.set_password(people.PASSWORD)
    ann.user.save(update_fields=["password"])
    account = people.aged(people.add, ann)
    in_one(withdraw, worker_id=ann.pk, destination=account.public_id, amount_micros=None, currency="EUR")
    in_one(approve_payout, public_id=Payout.objects.get().public_id, by=people.make_staff().pk)
    run = in_one(make_run, provider_name="manual", currency="EUR", by=staff.pk)
    people.released(run)
    in_one(report_outcome, run_id=run.pk, outcome="settled", payouts=None, by=staff.pk)
    clock(timedelta(days=15))
    release_disputes()

    names = {
        str(requester.public_id): "R",
        str(batch.public_id): "B",
        str(ann.public_id): "Ann",
        str(bea.public_id): "Bea",
        str(cid.public_id): "Cid",
    }

    def named(address: str) -> str:
        for number, name in names.items():
            address = address.replace(number, name)
        return address

    happened = [
        (kind, named(source), named(destination), f"{Decimal(amount) / 1_000_000:.2f}")
        for kind, source, destination, amount in rows(
            "SELECT t.kind, s.address, d.address, t.amount_micros FROM ledger_transfer t"
            " JOIN ledger_account s ON s.id = t.source_id JOIN ledger_account d ON d.id = t.destination_id"
            " ORDER BY t.id"
        )
    ]
    # Top-ups come in an order that says nothing; each is followed by its fee.
    first = next(place for place, row in enumerate(happened) if row[0] == "topup")
    pairs = sorted(
        zip(happened[first : first + 6 : 2], happened[first + 1 : first + 6 : 2], strict=True), key=lambda p: p[0][2]
    )
    happened[first : first + 6] = [row for pair in pairs for row in pair]
    assert happened == ROW.findall(README.read_text())
    assert ledger_sum() == 0
    assert [found.name for found in check_promises() if found.violations] == []
