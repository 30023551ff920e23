"""Deposits from before evidence was kept are listed like any other."""

from typing import Any

from django.core.management import call_command

from marketplace.billing.models import Deposit
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of, outside
from marketplace.ledger.commands import Move, move
from tests import factories as make


def test_each_earlier_deposit_gets_its_row_and_what_has_one_keeps_it(
    committed: str,
    migrator: Any,
) -> None:
    acme = make.make_requester(funds_micros=7)
    by = acme.members.get().user
    kept = make.make_deposit(acme, 5, reference="new", evidence="line 4")
    earlier = Move(
        key="deposit:old",
        kind="deposit",
        source=outside("bank"),
        destination=funds_of(acme.public_id),
        currency="USD",
        amount_micros=9,
        memo=f"recorded by {by.public_id}",
    )
    with one_transaction(principal="test"):
        move([earlier])
    call_command("migrate", "billing", "0002", database="owner", verbosity=0)

    call_command("migrate", "billing", "0003", database="owner", verbosity=0)
    call_command("migrate", "billing", "0002", database="owner", verbosity=0)
    call_command("migrate", "billing", "0003", database="owner", verbosity=0)

    # A transfer that names nobody is none of theirs.
    assert [(d.reference, d.amount_micros, d.currency, d.evidence) for d in Deposit.objects.order_by("reference")] == [
        ("new", 5, "EUR", "line 4"),
        ("old", 9, "USD", "Recorded before evidence was kept."),
    ]
    assert Deposit.objects.get(reference="old").recorded_by == by
    assert Deposit.objects.get(reference="new") == kept
    assert [found.name for found in check_promises() if found.violations] == []
