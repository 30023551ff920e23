"""Whoever has a part in an organisation neither credits money to it nor takes it back, whatever he is of the staff."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from marketplace.accounts.commands import ensure_staff, remove_member
from marketplace.accounts.models import Member, Requester, Role, User
from marketplace.billing.commands.deposits import record_deposit
from marketplace.billing.models import Deposit, DepositReversal, Invoice
from marketplace.common.database import run
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.queries import balance
from tests import factories as make
from tests.acts import broken_views
from tests.api.callers import Caller, caller_for
from tests.staff.desk import at_desk, make_staff
from tests.web.visitors import key_in, text_of
from workers.profiles.commands.links import link_accounts
from workers.profiles.models import Worker

pytestmark = pytest.mark.django_db
REFUSED = "Another member of the staff records this, for you have a part in this organisation."


def join(requester: Requester, user: User, role: str = Role.VIEWER) -> None:
    Member.objects.create(requester=requester, user=user, role=role)


def leave(requester: Requester, user: User) -> None:
    with one_transaction(principal="test"):
        remove_member(requester_id=requester.pk, member=user.public_id)


def as_member(requester: Requester, user: User) -> None:
    """He owns it together with its founder."""
    join(requester, user, Role.OWNER)


def as_former_member(requester: Requester, user: User) -> None:
    """He has left for a moment."""
    join(requester, user)
    leave(requester, user)


def by_another_account(requester: Requester, user: User) -> None:
    """Another account of his is a member."""
    second = make.make_worker()
    join(requester, second.user)
    own = Worker.objects.create(user=user)
    with one_transaction(principal="test"):
        by = ensure_staff(email=make.make_user().email).pk
        link_accounts(workers=[own.public_id, second.public_id], reason="one telephone", by=by)


def elsewhere(requester: Requester, user: User) -> None:
    """He is a member of another organisation, which is nobody's business here."""
    join(make.make_requester(0), user, Role.OWNER)


SAID = "nobody keeps the books of an organisation of his own"
PARTS = [as_member, as_former_member, by_another_account]
Part = Callable[[Requester, User], None]


def funds(requester: Requester) -> int:
    return balance(funds_of(requester.public_id), "EUR")


def finance(requester: Requester, part: Part) -> Caller:
    """Somebody of finance who has that part in the organisation."""
    user = make_staff("finance")
    part(requester, user)
    return caller_for(user, "staff")


def wish(requester: Requester) -> dict[str, Any]:
    return {"requester": str(requester.public_id), "amount_micros": 7, "currency": "EUR", "reference": "statement 1"}


@pytest.mark.parametrize("part", PARTS)
def test_nobody_credits_money_to_an_organisation_of_his_own(part: Part) -> None:
    acme = make.make_requester(funds_micros=0)

    refused = finance(acme, part).post("deposits", wish(acme))

    assert (refused.status, refused.code, refused.json["detail"]) == (403, "own-organisation", REFUSED)
    assert (funds(acme), Deposit.objects.count()) == (0, 0)
    finance(acme, elsewhere).post("deposits", wish(acme)).expect(201)
    assert funds(acme) == 7


@pytest.mark.parametrize("part", PARTS)
def test_nobody_takes_a_deposit_of_his_own_organisation_back(part: Part) -> None:
    acme = make.make_requester(funds_micros=0)
    deposit = make.make_deposit(acme, 7)

    refused = finance(acme, part).post(f"deposits/{deposit.public_id}/reverse", {"reason": "typed twice"})

    assert (refused.status, refused.code) == (403, "own-organisation")
    assert (funds(acme), DepositReversal.objects.count()) == (7, 0)
    finance(acme, elsewhere).post(f"deposits/{deposit.public_id}/reverse", {"reason": "typed twice"}).expect(200)
    assert funds(acme) == 0


@pytest.mark.parametrize("part", PARTS)
def test_nobody_credits_an_invoice_of_his_own_organisation(part: Part) -> None:
    acme = make.make_requester(funds_micros=0)
    invoice = make.make_invoice(acme)

    refused = finance(acme, part).post(f"invoices/{invoice.public_id}/credit-note", {"reason": "wrong name"})

    assert (refused.status, refused.code) == (403, "own-organisation")
    assert Invoice.objects.count() == 1
    other = finance(acme, elsewhere)
    other.post(f"invoices/{invoice.public_id}/credit-note", {"reason": "wrong name"}).expect(201)


def test_the_page_says_so_and_records_nothing() -> None:
    acme, user = make.make_requester(0), make_staff("finance")
    join(acme, user, Role.OWNER)
    client, at = at_desk(user), "/staff/money/in/"
    said = {
        "what": "deposit", "requester": str(acme.public_id), "amount": "12.50", "currency": "EUR",
        "channel": "bank", "reference": "R-1", "evidence": "Statement 7", "form_key": key_in(client.get(at)),
    }  # fmt: skip

    page = client.post(at, said)

    assert page.status_code == 422 and REFUSED in text_of(page)
    assert not Deposit.objects.exists()


def test_what_a_channel_reports_by_itself_is_recorded_by_nobody_and_stands() -> None:
    acme = make.make_requester(funds_micros=0)

    with one_transaction(principal="test"):
        record_deposit(requester=acme, amount_micros=7, currency="EUR", reference="e1", channel="stripe")

    assert funds(acme) == 7
    assert broken_views() == []


@pytest.mark.parametrize("part", PARTS)
def test_the_database_knows_whose_books_they_are(part: Part) -> None:
    acme, user = make.make_requester(funds_micros=0), make_staff("finance")
    deposit, invoice = make.make_deposit(acme, 7), make.make_invoice(acme)
    part(acme, user)
    attacks: list[tuple[str, list[Any]]] = [
        (
            "INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference,"
            " evidence, recorded_by_id, transfer_key)"
            " VALUES (gen_random_uuid(), %s, 5, 'EUR', 'bank', 'raw', 'e', %s, 'raw')",
            [acme.pk, user.pk],
        ),
        (
            "INSERT INTO billing_depositreversal (deposit_id, reason, reversed_by_id, transfer_key)"
            " VALUES (%s, 'r', %s, 'raw')",
            [deposit.pk, user.pk],
        ),
    ]
    for attack, terms in attacks:
        with pytest.raises(IntegrityError, match=SAID), transaction.atomic():
            run(attack, terms)
    note = {
        "kind": "credit_note", "corrects": invoice, "reason": "r", "fees_micros": -7, "total_micros": -7,
        "lines": [{**line, "amount_micros": -7} for line in invoice.lines],
        "period_from": date(2026, 1, 1), "period_to": date(2026, 1, 31),
    }  # fmt: skip
    with pytest.raises(IntegrityError, match=SAID), transaction.atomic():
        make.make_invoice(acme, **note, issued_by=user)
    # Neither is anything but who does it in the way.
    make.make_invoice(acme, **note, issued_by=make.make_user())
    with transaction.atomic():
        for attack, terms in attacks:
            assert run(attack, [*terms[:-1], make.make_user().pk]) == 1
        transaction.set_rollback(True)
