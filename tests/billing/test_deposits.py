"""Deposits: with evidence, once for each reference, together with their transfer, and taken back while unspent."""

from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from marketplace.accounts.models import Requester
from marketplace.billing.commands.deposits import record_deposit, reverse_deposit
from marketplace.billing.errors import DepositTakenBack, NoSuchDeposit
from marketplace.billing.models import Deposit
from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import funds_of
from marketplace.ledger.errors import NotEnough, TransferKeyReused
from marketplace.ledger.queries import balance, transfer_of
from tests import factories as make
from tests.acts import broken_views


def record(requester: Requester, amount: int = 5_000_000, reference: str = "r1", **terms: Any) -> Deposit:
    by = terms.pop("recorded_by", None) or make.make_user()
    with one_transaction(principal="test"):
        made = record_deposit(
            requester=requester,
            amount_micros=amount,
            currency=terms.pop("currency", "EUR"),
            reference=reference,
            recorded_by=by,
            **terms,
        )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        return made


def back(deposit: Deposit, reason: str = "typed twice") -> Deposit:
    with one_transaction(principal="test"):
        return reverse_deposit(deposit=deposit.public_id, reason=reason, by=deposit.recorded_by)


def funds(requester: Requester, currency: str = "EUR") -> int:
    return balance(funds_of(requester.public_id), currency)


@pytest.fixture
def acme(db: None) -> Requester:
    return make.make_requester(funds_micros=0)


def test_a_deposit_is_a_row_with_its_evidence_and_one_transfer(acme: Requester) -> None:
    deposit = record(acme, evidence="Statement 2026/11, line 4")

    assert funds(acme) == 5_000_000
    moved = transfer_of(deposit.transfer_key)
    assert moved is not None
    assert (deposit.transfer_key, moved.kind, moved.source, moved.amount_micros) == (
        *("deposit:r1", "deposit", "outside:bank"),
        5_000_000,
    )
    assert (deposit.channel, deposit.evidence) == ("bank", "Statement 2026/11, line 4")
    assert broken_views() == []


def test_a_deposit_without_evidence_says_who_recorded_it(acme: Requester) -> None:
    by = make.make_user()

    assert record(acme, recorded_by=by).evidence == f"Recorded by {by.public_id}; no document was given."


def test_a_reference_is_recorded_once_and_a_repeat_gets_the_first(acme: Requester) -> None:
    first = record(acme, evidence="one")
    second = record(acme, evidence="two")

    assert second == first
    assert second.evidence == "one"
    assert funds(acme) == 5_000_000
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize("other", [{"amount": 1}, {"currency": "USD"}, {"requester": True}])
def test_a_reference_with_other_terms_is_refused_and_moves_nothing(acme: Requester, other: dict[str, Any]) -> None:
    record(acme)
    terms = {**other, "requester": make.make_requester(0) if other.get("requester") else acme}

    with pytest.raises(TransferKeyReused):
        record(**terms)

    assert (funds(acme), funds(acme, "USD"), Deposit.objects.count()) == (5_000_000, 0, 1)


def test_the_same_reference_of_another_channel_is_another_deposit(acme: Requester) -> None:
    record(acme, reference="stripe:r1")
    record(acme, reference="r1", channel="stripe")

    assert funds(acme) == 10_000_000
    assert balance("outside:stripe", "EUR") == -5_000_000


def test_a_deposit_is_taken_back_with_its_reason_and_once(acme: Requester) -> None:
    deposit = record(acme)

    taken = back(deposit)

    assert funds(acme) == 0
    assert taken.reversal.reason == "typed twice"
    moved = transfer_of(taken.reversal.transfer_key)
    assert moved is not None
    assert (moved.kind, moved.reverses) == ("reversal", deposit.transfer_key)
    with pytest.raises(DepositTakenBack):
        back(deposit)
    assert funds(acme) == 0
    assert broken_views() == []


def test_what_is_spent_cannot_be_taken_back_and_the_refusal_says_how_much_is_missing(acme: Requester) -> None:
    deposit = record(acme, amount=300_000)
    make.make_batch(4, project=make.make_project(acme))
    spent = 4 * 3 * (make.PRICE + make.FEE)
    assert funds(acme) == 300_000 - spent

    with pytest.raises(NotEnough) as refused:
        back(deposit)

    assert refused.value.facts["missing_micros"] == spent
    assert funds(acme) == 300_000 - spent
    assert rows("SELECT 1 FROM billing_depositreversal") == []


def test_an_unknown_deposit_is_not_found(acme: Requester) -> None:
    with pytest.raises(NoSuchDeposit), one_transaction(principal="test"):
        reverse_deposit(deposit=acme.public_id, reason="x", by=make.make_user())


def test_a_row_without_its_transfer_does_not_commit(committed: str) -> None:
    acme = make.make_requester(funds_micros=0)
    by = make.make_user().pk
    insert = (
        "INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference, evidence,"
        " recorded_by_id, transfer_key) VALUES (gen_random_uuid(), %s, %s, 'EUR', 'bank', %s, 'e', %s, %s)"
    )
    deposit = record(acme)
    for terms in ([acme.pk, 5, "raw", by, "deposit:raw"], [acme.pk, 4_999_999, "raw", by, "other"]):
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            run(insert, terms)
        assert "deposit stands with its transfer" in str(refused.value)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        run(
            "INSERT INTO billing_depositreversal (deposit_id, reason, reversed_by_id, transfer_key)"
            " VALUES (%s, 'r', %s, 'none')",
            [deposit.pk, by],
        )
    assert "taken back with its money" in str(refused.value)
    assert value("SELECT count(*) FROM billing_deposit") == 1
    assert broken_views() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE billing_deposit SET amount_micros = 1",
        "DELETE FROM billing_deposit",
        "TRUNCATE billing_deposit CASCADE",
        "UPDATE billing_depositreversal SET reason = 'x'",
        "DELETE FROM billing_depositreversal",
        "DROP TRIGGER closed ON billing_deposit",
        "ALTER TABLE billing_deposit DISABLE TRIGGER ALL",
    ],
)
def test_the_runtime_role_cannot(acme: Requester, attack: str) -> None:
    back(record(acme))

    with pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
        run(attack)

    assert Deposit.objects.get().amount_micros == 5_000_000


def test_even_the_owner_cannot_change_a_deposit_by_a_slip(committed: str, as_owner: Any) -> None:
    record(make.make_requester(funds_micros=0))
    for attack in ("UPDATE billing_deposit SET evidence = 'x'", "DELETE FROM billing_deposit"):
        with pytest.raises(Exception, match="append-only"):
            as_owner.execute(attack)
    assert Deposit.objects.get().evidence != "x"


def test_a_deposit_without_its_transfer_is_found_even_where_the_guard_slept(committed: str, as_owner: Any) -> None:
    acme = make.make_requester(funds_micros=0)
    record(acme)
    assert broken_views() == []

    as_owner.execute("ALTER TABLE billing_deposit DISABLE TRIGGER deposit_has_transfer")
    as_owner.execute(
        "INSERT INTO billing_deposit (public_id, requester_id, amount_micros, currency, channel, reference, evidence,"
        " recorded_by_id, transfer_key, made_at) SELECT gen_random_uuid(), requester_id, 9, currency, channel, 'other',"
        " 'e', recorded_by_id, 'other', now() FROM billing_deposit"
    )

    assert broken_views() == ["inv_r05_deposit"]
