"""Runs that were made before anybody released them: their files are with banks already."""

from typing import Any

from django.core.management import call_command

from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import move
from marketplace.payouts.commands.runs import make_run, report_outcome
from marketplace.payouts.commands.steps import fail
from marketplace.payouts.models import RunRelease
from tests.payouts import people


def test_a_run_of_before_counts_as_released_by_its_maker_and_what_came_of_it_can_be_told(migrator: Any) -> None:
    worker, staff = people.make_payee(9 * people.EURO), people.make_staff()
    place = people.aged(people.add, worker)
    payouts = [people.approved(worker, place, staff) for _ in range(2)]
    with one_transaction(principal="test"):
        made = make_run(provider_name="manual", currency="EUR", by=staff.pk)
    call_command("migrate", "payouts", "0002", database="owner", verbosity=0)
    # The bank has sent one of them back before the site is renewed.
    with one_transaction(principal="test"):
        move([fail(payouts[0], "closed account")])

    call_command("migrate", "payouts", "0003", database="owner", verbosity=0)

    release = RunRelease.objects.get()
    assert (release.run_id, release.made_by_id, release.made_at) == (made.pk, staff.pk, made.made_at)
    with one_transaction(principal="test"):
        assert report_outcome(run_id=made.pk, outcome="settled", payouts=None, by=staff.pk) == 1
    assert [people.state_of(payout) for payout in payouts] == ["returned", "settled"]
    assert [found.name for found in check_promises() if found.violations] == []
