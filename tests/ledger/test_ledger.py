"""The ledger refuses every wrong write, whoever asks; each attack stands beside the honest act it resembles."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from marketplace.common.database import one, rows, run, value
from marketplace.common.money import AMOUNT_MAX, share_rounded_up, shown
from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import Move, move
from marketplace.ledger.errors import NotEnough, TransferKeyReused
from marketplace.ledger.queries import balance, balance_at, ledger_sum, statement
from tests.acts import broken_views

BANK = "outside:bank"
ACME = "requester:acme:funds"
ZOE = "worker:zoe:earned"


def transfer(key: str, source: str, destination: str, amount: int, **terms: Any) -> Move:
    return Move(key, terms.pop("kind", "test"), source, destination, terms.pop("currency", "EUR"), amount, **terms)


def post(*moves: Move) -> int:
    with one_transaction(principal="test"):
        return move(moves)


@pytest.fixture
def funded(db: None) -> None:
    post(transfer("d", BANK, ACME, 1_000))


def test_a_transfer_moves_money_and_writes_both_postings_with_the_balance_after(funded: None) -> None:
    post(transfer("a", ACME, ZOE, 300), transfer("b", ACME, ZOE, 200))

    assert (balance(ACME, "EUR"), balance(ZOE, "EUR"), balance(BANK, "EUR")) == (500, 500, -1_000)
    assert [(row["delta_micros"], row["balance_after_micros"]) for row in statement(ACME, before_id=None, limit=9)] == [
        (-200, 500),
        (-300, 700),
        (1_000, 1_000),
    ]
    assert ledger_sum() == 0
    assert broken_views() == []


def test_the_same_key_with_the_same_terms_moves_money_once(funded: None) -> None:
    assert post(transfer("a", ACME, ZOE, 300)) == 1
    assert post(transfer("a", ACME, ZOE, 300)) == 0
    assert balance(ZOE, "EUR") == 300


@pytest.mark.parametrize(
    "other",
    [
        transfer("a", ACME, ZOE, 301),
        transfer("a", ACME, BANK, 300),
        transfer("a", BANK, ZOE, 300),
        transfer("a", ACME, ZOE, 300, kind="other"),
        transfer("a", BANK, ZOE, 300, currency="USD"),
    ],
)
def test_the_same_key_with_other_terms_is_refused_and_moves_nothing(funded: None, other: Move) -> None:
    post(transfer("a", ACME, ZOE, 300))
    with pytest.raises(TransferKeyReused):
        post(other)
    assert (balance(ACME, "EUR"), balance(ZOE, "EUR")) == (700, 300)


def test_an_overdraft_is_refused_naming_what_is_missing_and_nothing_of_the_group_is_posted(funded: None) -> None:
    with pytest.raises(NotEnough) as refused:
        post(transfer("a", ACME, ZOE, 900), transfer("b", ACME, ZOE, 250))
    assert refused.value.facts["missing_micros"] == 150
    assert (balance(ACME, "EUR"), balance(ZOE, "EUR")) == (1_000, 0)


def test_an_account_may_not_even_pass_below_zero_within_one_statement(funded: None) -> None:
    with pytest.raises(NotEnough):
        post(transfer("a", ZOE, ACME, 10), transfer("b", ACME, ZOE, 10))
    assert post(transfer("b", ACME, ZOE, 10), transfer("a", ZOE, ACME, 10)) == 2


@pytest.mark.parametrize("amount", [0, -1, AMOUNT_MAX + 1, 1.5, True, "10", float("nan"), None])
def test_an_amount_that_is_no_whole_positive_number_in_bounds_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match="whole number of micro-units"):
        transfer("a", ACME, ZOE, amount)


def test_a_balance_can_be_shown_as_of_any_transfer(funded: None) -> None:
    moments = [rows("SELECT market_now()")[0][0]]
    for number in range(20):
        post(transfer(f"k{number}", ACME, ZOE, number + 1))
        moments.append(value("SELECT market_now()"))
    told = [balance_at(ZOE, "EUR", moment) for moment in moments]
    assert told == [sum(range(1, number + 1)) for number in range(21)]


def test_accounts_of_two_currencies_do_not_mix(funded: None) -> None:
    post(transfer("u", BANK, ZOE, 7, currency="USD"))
    assert (balance(ZOE, "EUR"), balance(ZOE, "USD")) == (0, 7)
    euro = value("SELECT id FROM ledger_account WHERE address = %s AND currency = 'EUR'", [ACME])
    dollar = value("SELECT id FROM ledger_account WHERE address = %s AND currency = 'USD'", [ZOE])
    with pytest.raises(IntegrityError), transaction.atomic():
        _insert(euro, dollar, "EUR", 5)


def _insert(source: int, destination: int, currency: str, amount: Any, key: str = "raw") -> None:
    run(
        "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
        " VALUES (%s, 'raw', %s, %s, %s, %s, now())",
        [key, source, destination, currency, amount],
    )


ATTACKS = {
    "rewrite a transfer": "UPDATE ledger_transfer SET amount_micros = 1",
    "delete a transfer": "DELETE FROM ledger_transfer",
    "truncate transfers": "TRUNCATE ledger_transfer CASCADE",
    "rewrite a posting": "UPDATE ledger_posting SET balance_after_micros = 5",
    "delete a posting": "DELETE FROM ledger_posting",
    "truncate postings": "TRUNCATE ledger_posting",
    "invent a posting": "INSERT INTO ledger_posting (account_id, version, transfer_id, delta_micros,"
    " balance_after_micros) SELECT id, 99, (SELECT min(id) FROM ledger_transfer), 5, 5 FROM ledger_account LIMIT 1",
    "set a balance": "UPDATE ledger_account SET balance_micros = 10000",
    "open a full account": "INSERT INTO ledger_account (address, currency, balance_micros, version)"
    " VALUES ('worker:mallory:earned', 'EUR', 500, 0)",
    "delete an account": "DELETE FROM ledger_account",
    "truncate accounts": "TRUNCATE ledger_account CASCADE",
    "date a transfer back": "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency,"
    " amount_micros, made_at, xid) SELECT 'x', 'x', s.id, d.id, 'EUR', 1, now(), '1'"
    " FROM ledger_account s, ledger_account d WHERE s.address LIKE 'requester%' AND d.address LIKE 'outside%'",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_the_runtime_role_cannot(funded: None, attack: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        run(attack)
    assert broken_views() == []


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("attack", [a for n, a in ATTACKS.items() if n != "date a transfer back"])
def test_even_the_owner_cannot_change_history_by_a_slip(
    committed: str, as_owner: psycopg.Connection[Any], role: str, attack: str
) -> None:
    """Also as a replication role, under which ordinary triggers sleep: these are enabled always."""
    post(transfer("d", BANK, ACME, 1_000))
    if role == "replica":
        _replica(committed, attack)
    else:
        with pytest.raises(psycopg.errors.CheckViolation):
            as_owner.execute(attack)
    assert broken_views() == []
    assert balance(ACME, "EUR") == 1_000


def _replica(database: str, attack: str) -> None:
    from tests.conftest import owner_connection

    try:
        connected = owner_connection(database, user="postgres")
        with connected as superuser:
            superuser.execute("SET session_replication_role = replica")
            with pytest.raises(psycopg.errors.CheckViolation):
                superuser.execute(attack)
    except psycopg.OperationalError:
        pytest.skip("only a superuser may try this, and this server lets nobody be one")


RAW = {
    "a zero amount": ("d", "s", "EUR", 0),
    "a negative amount": ("d", "s", "EUR", -5),
    "more than the bound": ("s", "d", "EUR", AMOUNT_MAX + 1),
    "one account on both sides": ("d", "d", "EUR", 1),
    "an overdraft": ("d", "s", "EUR", 1_001),
    "a foreign currency": ("d", "s", "USD", 1),
}


@pytest.mark.parametrize(("source", "destination", "currency", "amount"), RAW.values(), ids=RAW.keys())
def test_raw_sql_cannot_post(funded: None, source: str, destination: str, currency: str, amount: int) -> None:
    ids = {
        "d": value("SELECT id FROM ledger_account WHERE address = %s", [ACME]),
        "s": value("SELECT id FROM ledger_account WHERE address = %s", [BANK]),
    }
    with pytest.raises(IntegrityError), transaction.atomic():
        _insert(ids[source], ids[destination], currency, amount)
    with transaction.atomic():
        _insert(ids["d"], ids["s"], "EUR", 1_000)
    assert balance(ACME, "EUR") == 0
    assert broken_views() == []


def test_a_key_is_used_once_by_raw_sql_too(funded: None) -> None:
    a, b = (value("SELECT id FROM ledger_account WHERE address = %s", [x]) for x in (ACME, BANK))
    with pytest.raises(IntegrityError), transaction.atomic():
        _insert(a, b, "EUR", 1, key="d")


def test_the_time_and_transaction_of_a_transfer_are_the_databases_own(funded: None) -> None:
    a, b = (value("SELECT id FROM ledger_account WHERE address = %s", [x]) for x in (ACME, BANK))
    run(
        "INSERT INTO ledger_transfer (key, kind, source_id, destination_id, currency, amount_micros, made_at)"
        " VALUES ('old', 'raw', %s, %s, 'EUR', 1, '2001-01-01')",
        [a, b],
    )
    row = one(
        "SELECT made_at > now() - interval '1 hour', xid = pg_current_xact_id() FROM ledger_transfer WHERE key = 'old'"
    )
    assert row == (True, True)


def test_one_of_many_wins_the_last_cent_and_only_one(committed: str, together: Callable[..., list[Any]]) -> None:
    for number in range(10):
        post(transfer(f"d{number}", BANK, f"worker:{number}:earned", 1))
    for number in range(10):
        source = f"worker:{number}:earned"
        results = together([lambda n=n, s=source: post(transfer(f"w:{s}:{n}", s, BANK, 1)) for n in range(16)])
        assert sum(result == 1 for result in results) == 1
        assert sum(isinstance(result, NotEnough) for result in results) == 15
    assert broken_views() == []


def test_many_payments_over_the_same_accounts_in_any_order_never_deadlock(
    committed: str, together: Callable[..., list[Any]]
) -> None:
    names = [f"worker:{n}:earned" for n in range(6)]
    post(*(transfer(f"d:{name}", BANK, name, 10_000) for name in names))

    def pay(client: int) -> int:
        done = 0
        for turn in range(15):
            first, second = names[(client + turn) % 6], names[(client * 5 + turn * 3 + 1) % 6]
            if first != second:
                done += post(
                    transfer(f"{client}:{turn}:a", first, second, 3), transfer(f"{client}:{turn}:b", second, first, 1)
                )
        return done

    results = together([lambda c=c: pay(c) for c in range(12)])
    assert all(isinstance(result, int) for result in results), results
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    assert broken_views() == []


def test_the_same_payment_by_many_at_once_is_made_once(committed: str, together: Callable[..., list[Any]]) -> None:
    post(transfer("d", BANK, ACME, 1_000))
    results = together([lambda: post(transfer("once", ACME, ZOE, 10)) for _ in range(12)])
    assert sorted(results) == [0] * 11 + [1]
    assert balance(ZOE, "EUR") == 10


def test_ids_and_sums_work_past_two_to_the_thirty_one(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    for sequence in ("ledger_transfer_id_seq", "ledger_account_id_seq"):
        as_owner.execute(f"SELECT setval('{sequence}', 3000000000)")
    for number in range(12):
        post(transfer(f"d{number}", BANK, ACME, AMOUNT_MAX))
    assert balance(ACME, "EUR") == 12 * AMOUNT_MAX
    assert broken_views() == []


@given(st.integers(0, AMOUNT_MAX), st.integers(0, 10_000))
def test_a_fee_is_never_less_than_its_share_and_never_a_whole_unit_more(amount: int, points: int) -> None:
    fee = share_rounded_up(amount, points)
    assert 0 <= fee * 10_000 - amount * points < 10_000


def test_amounts_are_shown_in_full() -> None:
    assert [shown(a, "EUR") for a in (0, 1, 20_000, 12_500_000, -1_000_000)] == [
        "0.00 EUR",
        "0.000001 EUR",
        "0.02 EUR",
        "12.50 EUR",
        "-1.00 EUR",
    ]


MUTANTS = {
    "DROP TRIGGER ledger_post ON ledger_transfer": "inv_r02",
    "ALTER TABLE ledger_transfer DISABLE TRIGGER closed": "inv_r02",
    "ALTER TABLE ledger_transfer ENABLE TRIGGER closed": "inv_r02",
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_missing_or_sleeping_guard_is_found(committed: str, as_owner: psycopg.Connection[Any], mutant: str) -> None:
    assert broken_views() == []
    as_owner.execute(mutant)
    assert MUTANTS[mutant] in broken_views()


def test_a_balance_that_was_forged_with_the_guards_off_is_found(
    committed: str, as_owner: psycopg.Connection[Any]
) -> None:
    post(transfer("d", BANK, ACME, 1_000))
    as_owner.execute("ALTER TABLE ledger_account DISABLE TRIGGER balance_by_trigger")
    as_owner.execute("UPDATE ledger_account SET balance_micros = 2000 WHERE address = %s", [ACME])
    as_owner.execute("ALTER TABLE ledger_account ENABLE ALWAYS TRIGGER balance_by_trigger")
    assert broken_views() == ["inv_r03", "inv_r06_sum"]


def test_every_step_needs_a_transaction() -> None:
    assert not connection.in_atomic_block
    with pytest.raises(RuntimeError, match="outside a transaction"):
        move([transfer(str(uuid4()), BANK, ACME, 1)])
