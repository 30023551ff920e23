"""What the database holds, whoever speaks to it: steps, terms, and money that agrees with both."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, transaction

from marketplace.common.database import rows, run, value
from marketplace.common.promises import check_promises
from marketplace.common.transactions import one_transaction
from marketplace.ledger.addresses import earned_by, withdrawing_by
from marketplace.ledger.commands import Move, move
from marketplace.ledger.errors import TransferKeyReused
from marketplace.payouts.commands.steps import hold, money_back, money_on
from marketplace.payouts.models import Destination, Payout
from marketplace.payouts.states import STEPS, PayoutState
from tests import factories as make
from tests.payouts import people
from tests.payouts.people import EURO, insert_payout, money_of
from workers.profiles.models import Worker

Clock = Callable[[timedelta], None]


def forced(owner: psycopg.Connection[Any], payout: Payout, state: str) -> None:
    """Put a payout into a state with the guards off, as no program can."""
    with owner.transaction():
        owner.execute("ALTER TABLE payouts_payout DISABLE TRIGGER USER")
        owner.execute(
            "UPDATE payouts_payout SET state = %s, reason = 'r', lease = gen_random_uuid(), lease_until = now(),"
            " doubtful_since = now(), settled_at = CASE WHEN %s IN ('settled') THEN now() END WHERE id = %s",
            [state, state, payout.pk],
        )
        owner.execute("ALTER TABLE payouts_payout ENABLE TRIGGER USER")
        for trigger in ("payout_begin", "payout_step", "agree", "closed", "closed_truncate"):
            owner.execute(f"ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER {trigger}")


def test_every_pair_of_states_passes_or_is_refused_as_the_table_says(
    committed: str, clock: Clock, as_owner: psycopg.Connection[Any]
) -> None:
    worker, place = people.ready(clock)
    payout = people.ask(worker, place)
    staff = people.make_staff()
    passed = set()
    for before, after in product(PayoutState.values, repeat=2):
        if before == after:
            continue
        forced(as_owner, payout, before)
        try:
            with transaction.atomic():
                run(
                    "UPDATE payouts_payout SET state = %s, decided_by_id = CASE WHEN %s IN ('approved', 'refused')"
                    " THEN %s ELSE decided_by_id END, looked_up_at = market_now() WHERE id = %s",
                    [after, after, staff.pk, payout.pk],
                )
                # The books are judged at the end; here it is the step alone.
                transaction.set_rollback(True)
            passed.add((before, after))
        except IntegrityError as error:
            assert error.__cause__.diag.constraint_name == "payout_step", (before, after, error)  # type: ignore[union-attr]

    assert passed == {(before, after) for before, afters in STEPS.items() for after in afters}
    assert len(passed) == 14
    same = [
        (before, after)
        for before, after in product(PayoutState.values, repeat=2)
        if value("SELECT payouts_legal(%s, %s)", [before, after])
    ]
    assert set(same) == passed


ATTACKS = {
    "another amount": "UPDATE payouts_payout SET amount_micros = amount_micros * 2",
    "another key": "UPDATE payouts_payout SET provider_key = 'ts-' || gen_random_uuid()",
    "another destination": "UPDATE payouts_payout SET destination_id = destination_id + 1",
    "another holder": "UPDATE payouts_payout SET holder = gen_random_uuid()",
    "another user": "UPDATE payouts_payout SET user_id = user_id + 1",
    "no review": "UPDATE payouts_payout SET needs_review = false",
    "approved by nobody": "UPDATE payouts_payout SET state = 'approved'",
    "approved by himself": "UPDATE payouts_payout SET state = 'approved', decided_by_id = user_id",
    "approved by somebody": "UPDATE payouts_payout SET state = 'approved', decided_by_id ="
    " (SELECT max(id) FROM accounts_user WHERE NOT is_staff)",
    "sent at once": "UPDATE payouts_payout SET state = 'sent', lease = gen_random_uuid(), lease_until = now()",
    "settled at once": "UPDATE payouts_payout SET state = 'settled'",
    "in a run": "UPDATE payouts_payout SET run_id = 1",
    "cancelled, and the money stays": "UPDATE payouts_payout SET state = 'cancelled'",
    "deleted": "DELETE FROM payouts_payout",
    "truncated": "TRUNCATE payouts_payout CASCADE",
    "destination deleted": "DELETE FROM payouts_destination",
    "destination of another": "UPDATE payouts_destination SET user_id = user_id + 1",
    "destination of a removed one": "UPDATE payouts_destination SET removed_at = NULL",
    "guards off": "ALTER TABLE payouts_payout DISABLE TRIGGER ALL",
    "replica": "SET session_replication_role = 'replica'",
    "evidence gone": "DELETE FROM payouts_attempt",
    "attempt changed": "UPDATE payouts_attempt SET kind = 'former'",
    "run deleted": "DELETE FROM payouts_run",
    "notice changed": "UPDATE payouts_providernotice SET fate = 'settled'",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_raw_sql_as_the_site_itself_changes_nothing(committed: str, clock: Clock, attack: str) -> None:
    worker, place = people.ready(clock)
    payout = people.ask(worker, place)
    make.make_user()
    before = rows("SELECT * FROM payouts_payout") + rows("SELECT * FROM payouts_destination")

    with pytest.raises(DatabaseError), one_transaction(principal="thief"):
        run(ATTACKS[attack])

    assert rows("SELECT * FROM payouts_payout") + rows("SELECT * FROM payouts_destination") == before
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": EURO}
    # What it tried is possible for those who may.
    with one_transaction(principal="test"):
        run("UPDATE payouts_payout SET state = 'cancelled' WHERE id = %s", [payout.pk])
        move([money_back(payout)])
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}


@pytest.mark.parametrize(
    "columns",
    [
        {"amount_micros": 0},
        {"amount_micros": -EURO},
        {"amount_micros": EURO + 1},
        {"amount_micros": 10**15 + 10_000},
        {"currency": "USD"},
        {"provider": "sepa"},
        {"state": "approved"},
        {"state": "settled"},
        {"decided_by_id": 1},
        {"run_id": 1},
    ],
    ids=str,
)
def test_a_payout_with_other_terms_than_its_destinations_cannot_be_written(
    committed: str, clock: Clock, columns: dict[str, Any]
) -> None:
    worker, place = people.ready(clock)
    terms = {"amount": EURO, **columns}
    terms["amount"] = terms.pop("amount_micros", EURO)
    # The ledger itself takes only some of these amounts; the row must be refused before it is asked.
    with pytest.raises((DatabaseError, ValueError)), one_transaction(principal="thief"):
        insert_payout(worker, place, terms.pop("amount"), **terms)
    assert Payout.objects.count() == 0
    assert money_of(worker) == {"earned": 100 * EURO, "withdrawing": 0}
    with one_transaction(principal="test"):
        insert_payout(worker, place, EURO)


def test_a_payout_to_another_persons_destination_or_of_another_persons_money_cannot_be_written(
    committed: str, clock: Clock
) -> None:
    victim, hers = people.ready(clock)
    thief, his = people.ready(clock)
    for columns, place in (({}, hers), ({"holder": victim.public_id}, his), ({"user_id": victim.user_id}, his)):
        with pytest.raises(IntegrityError), one_transaction(principal="thief"):
            insert_payout(thief, place, EURO, **columns)
    assert Payout.objects.count() == 0
    assert money_of(victim) == money_of(thief) == {"earned": 100 * EURO, "withdrawing": 0}
    with one_transaction(principal="test"):
        insert_payout(thief, his, EURO)


def test_a_key_is_derived_and_nobody_chooses_it(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    with one_transaction(principal="test"):
        public_id = insert_payout(worker, place, EURO, provider_key="ts-chosen")
    assert Payout.objects.get().provider_key == f"ts-{public_id.hex}"


def no_transfer(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    run(
        "INSERT INTO payouts_payout (public_id, user_id, holder, destination_id, provider, currency, amount_micros,"
        " provider_key) VALUES (gen_random_uuid(), %s, %s, %s, 'manual', 'EUR', 1000000, '')",
        [worker.user_id, worker.public_id, place.pk],
    )


def other_amount(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    run("UPDATE payouts_payout SET state = 'refused', reason = 'r', decided_by_id = %s", [staff])
    back = money_back(payout)
    move([Move(**{**back.__dict__, "amount_micros": back.amount_micros - 10_000})])


def other_place(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    run("UPDATE payouts_payout SET state = 'refused', reason = 'r', decided_by_id = %s", [staff])
    move([money_on(payout)])


def end_without_step(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    move([money_back(payout)])


def a_third_end(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    move([Move(**{**money_back(payout).__dict__, "key": f"payout:{payout.public_id}:again"})])


def of_no_payout(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    move([Move(**{**hold(payout).__dict__, "key": f"payout:{uuid4()}"})])


def of_no_uuid(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    move([Move(**{**hold(payout).__dict__, "key": "payout:x:end"})])


def approved_and_ended(worker: Worker, place: Destination, payout: Payout, staff: int) -> None:
    run("UPDATE payouts_payout SET state = 'approved', decided_by_id = %s", [staff])
    move([money_back(payout)])


@pytest.mark.parametrize(
    "attack",
    [
        no_transfer, other_amount, other_place, end_without_step, a_third_end, of_no_payout, of_no_uuid,
        approved_and_ended,
    ],
)  # fmt: skip
def test_no_commit_leaves_a_payout_and_its_transfers_in_disagreement(
    committed: str, clock: Clock, attack: Callable[..., None]
) -> None:
    worker, place = people.ready(clock)
    payout = people.ask(worker, place)
    staff = people.make_staff().pk
    before = rows("SELECT * FROM payouts_payout") + rows("SELECT key FROM ledger_transfer ORDER BY id")

    with pytest.raises(IntegrityError) as refused, one_transaction(principal="thief"):
        attack(worker, place, payout, staff)

    assert refused.value.__cause__.diag.constraint_name == "payout_money"  # type: ignore[union-attr]
    assert rows("SELECT * FROM payouts_payout") + rows("SELECT key FROM ledger_transfer ORDER BY id") == before


def test_a_payout_ends_once(committed: str, clock: Clock) -> None:
    worker, place = people.ready(clock)
    payout = people.ask(worker, place)
    with one_transaction(principal="test"):
        run("UPDATE payouts_payout SET state = 'cancelled' WHERE id = %s", [payout.pk])
        move([money_back(payout)])
    people.ask(worker, place)
    with pytest.raises(TransferKeyReused), one_transaction(principal="thief"):
        move([money_on(payout)])
    with pytest.raises(IntegrityError, match="does not go from cancelled"), one_transaction(principal="thief"):
        run("UPDATE payouts_payout SET state = 'settled' WHERE id = %s", [payout.pk])
    assert money_of(worker) == {"earned": 99 * EURO, "withdrawing": EURO}


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE payouts_payout SET state = 'settled', settled_at = now()", {"inv_r07_payouts", "inv_r11"}),
        ("UPDATE payouts_payout SET state = 'returned', reason = 'r'", {"inv_r07_payouts"}),
        ("UPDATE payouts_payout SET amount_micros = 2000000", {"inv_r07_payouts"}),
        ("DELETE FROM payouts_payout", {"inv_r07_payouts"}),
        ("UPDATE payouts_payout SET sent_at = '2001-01-01'", {"inv_r41"}),
        ("UPDATE payouts_destination SET usable_from = added_at", {"inv_r41"}),
        ("UPDATE payouts_destination SET user_id = (SELECT max(id) FROM accounts_user)", {"inv_r41"}),
        ("ALTER TABLE payouts_payout DISABLE TRIGGER payout_step", {"inv_r11_guards"}),
        ("DROP TRIGGER agree ON payouts_payout", {"inv_r11_guards"}),
        ("ALTER TABLE ledger_transfer DISABLE TRIGGER payouts_agree", {"inv_r11_guards"}),
    ],
)
def test_damage_done_with_the_guards_off_is_found(
    committed: str, clock: Clock, as_owner: psycopg.Connection[Any], damage: str, found: set[str]
) -> None:
    worker, place = people.ready(clock)
    people.ask(worker, place)
    make.make_user()
    assert [finding.name for finding in check_promises() if finding.violations] == []
    guards = [
        (
            "payouts_payout",
            ("payout_begin", "payout_step", "settled_when_released", "agree", "closed", "closed_truncate"),
        ),
        ("payouts_destination", ("destination_kept", "closed", "closed_truncate")),
    ]
    if not damage.startswith(("ALTER", "DROP")):
        as_owner.execute("ALTER TABLE payouts_payout DROP CONSTRAINT payout_destination")
        for table, _ in guards:
            as_owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    as_owner.execute(damage)
    if not damage.startswith(("ALTER", "DROP")):
        for table, triggers in guards:
            for name in triggers:
                as_owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")

    assert {finding.name for finding in check_promises() if finding.violations} == found


def test_two_payouts_that_share_a_key_are_found(
    committed: str, clock: Clock, as_owner: psycopg.Connection[Any], generous: None
) -> None:
    worker, place = people.ready(clock)
    people.ask(worker, place)
    people.ask(worker, place)
    with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
        as_owner.execute("UPDATE payouts_payout SET provider_key = 'same'")
    with as_owner.transaction():
        as_owner.execute("ALTER TABLE payouts_payout DISABLE TRIGGER payout_step")
        as_owner.execute("ALTER TABLE payouts_payout DROP CONSTRAINT payout_key_derived")
    with pytest.raises(psycopg.errors.UniqueViolation):
        as_owner.execute("UPDATE payouts_payout SET provider_key = 'same'")
    (name,) = as_owner.execute(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'payouts_payout'::regclass AND contype = 'u'"
        " AND conname LIKE '%provider_key%'"
    ).fetchone() or ("",)
    with as_owner.transaction():
        as_owner.execute(f'ALTER TABLE payouts_payout DROP CONSTRAINT "{name}"')
        as_owner.execute("UPDATE payouts_payout SET provider_key = 'same'")
        as_owner.execute("ALTER TABLE payouts_payout ENABLE ALWAYS TRIGGER payout_step")
    assert {finding.name for finding in check_promises() if finding.violations} == {"inv_r11"}


def test_doubt_cannot_be_decided_away(committed: str, clock: Clock, as_owner: psycopg.Connection[Any]) -> None:
    worker, place = people.ready(clock)
    payout = people.ask(worker, place)
    forced(as_owner, payout, "in_doubt")
    for state in ("sent", "settled", "failed"):
        with pytest.raises(IntegrityError, match="doubt ends by a look-up only"), transaction.atomic():
            run("UPDATE payouts_payout SET state = %s", [state])
    assert people.state_of(payout) == "in_doubt"
    assert earned_by(worker.public_id) != withdrawing_by(worker.public_id)
