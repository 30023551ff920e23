"""The chain of seals: complete, in one order whatever commits when, and broken by whoever rewrites history."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, ProgrammingError, connections, transaction

from marketplace.common.database import rows, run, value
from marketplace.common.transactions import one_transaction
from marketplace.ledger.audit import Audit, audit
from marketplace.ledger.commands import Move, move, reverse, seal
from marketplace.ledger.errors import NoSuchTransfer, NotEnough, NotReversible, TransferKeyReused
from marketplace.ledger.queries import anchors, balance, head
from marketplace.ledger.tasks import anchor_daily, seal_transfers
from tests.acts import broken_views
from tests.conftest import older_ended

BANK, ACME, ZOE = "outside:bank", "requester:acme:funds", "worker:zoe:earned"


def post(key: str, source: str, destination: str, amount: int, **terms: Any) -> int:
    with one_transaction(principal="test"):
        return move([Move(key, "test", source, destination, "EUR", amount, **terms)])


def sealed(limit: int = 1_000) -> int:
    with one_transaction(principal="test"):
        return seal(limit=limit)


def order() -> list[str]:
    return [
        row[0]
        for row in rows("SELECT t.key FROM ledger_seal s JOIN ledger_transfer t ON t.id = s.transfer_id ORDER BY seq")
    ]


@pytest.fixture
def books(committed: str) -> str:
    post("deposit", BANK, ACME, 1_000)
    for number in range(4):
        post(f"pay-{number}", ACME, ZOE, 100, memo='müde "und" \\n\x7f\n\t€')
    older_ended()
    return committed


def test_every_transfer_gets_one_seal_in_the_order_of_commits_and_a_repeat_adds_none(books: str) -> None:
    assert (sealed(2), sealed(2), sealed(2), sealed(2)) == (2, 2, 1, 0)
    assert order() == ["deposit", "pay-0", "pay-1", "pay-2", "pay-3"]
    assert head().seq == 5 and head().unsealed_s == 0
    assert broken_views() == [] and audit().first_bad is None


def test_nothing_is_sealed_before_what_may_still_come_to_stand_before_it(committed: str) -> None:
    begun, go_on = Event(), Event()

    def slowly() -> None:
        try:
            with one_transaction(principal="slow"):
                move([Move("slow", "test", BANK, ACME, "EUR", 5)])
                begun.set()
                assert go_on.wait(30)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(slowly)
        assert begun.wait(30)
        post("quick", "outside:card", "requester:other:funds", 7)
        assert sealed() == 0, "the slow transaction is older, and its transfer has no place yet"
        go_on.set()
        slow.result()
    older_ended()
    assert sealed() == 2
    assert order() == ["slow", "quick"]


def test_a_transfer_that_the_chain_passed_by_is_found(books: str, as_owner: psycopg.Connection[Any]) -> None:
    as_owner.execute("UPDATE ledger_sealer SET xid = (SELECT max(xid) FROM ledger_transfer), last_id = 3")
    assert broken_views() == ["inv_r36_skipped"]


def test_two_sealers_at_once_make_one_chain(books: str) -> None:
    def often(_: int) -> int:
        try:
            return sum(sealed(1) for _ in range(20))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(often, range(4))) + sealed() == 5
    assert broken_views() == [] and audit().seals == 5


def test_the_sweep_seals_all_and_raises_an_alarm_for_what_waited(
    books: str, clock: Callable[[timedelta], None], caplog: pytest.LogCaptureFixture
) -> None:
    seal_transfers()
    assert head().seq == 5 and not caplog.records
    post("late", BANK, ACME, 5)
    older_ended()
    clock(timedelta(seconds=6))
    assert 6 <= head().unsealed_s < 60
    seal_transfers()
    assert "waited" in caplog.text and head().seq == 6


def test_after_a_restore_into_another_server_the_chain_goes_on(books: str, as_owner: psycopg.Connection[Any]) -> None:
    assert sealed(3) == 3
    as_owner.execute("UPDATE ledger_sealer SET server = 1, xid = '999999999999'")
    assert sealed(1) == 2, "what came along unsealed is sealed at once"
    post("after", BANK, ACME, 5)
    older_ended()
    assert sealed() == 1
    assert order()[-1] == "after"
    assert broken_views() == [] and audit().first_bad is None


def test_who_waits_while_a_restored_chain_is_sealed_comes_next(books: str, as_owner: psycopg.Connection[Any]) -> None:
    as_owner.execute("UPDATE ledger_sealer SET server = 1")
    begun, go_on = Event(), Event()

    def slowly() -> None:
        try:
            with one_transaction(principal="slow"):
                value("SELECT pg_current_xact_id()")
                begun.set()
                assert go_on.wait(30)
                move([Move("slow", "test", BANK, ACME, "EUR", 5)])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(slowly)
        assert begun.wait(30)
        assert sealed() == 5, "all that came along, although an older transaction runs"
        go_on.set()
        slow.result()
    older_ended()
    assert sealed() == 1
    assert broken_views() == [] and audit().first_bad is None


def test_a_restored_chain_that_counts_higher_than_its_server_is_not_taken_for_late(
    books: str, as_owner: psycopg.Connection[Any]
) -> None:
    sealed()
    as_owner.execute("ALTER TABLE ledger_transfer DISABLE TRIGGER closed")
    as_owner.execute("UPDATE ledger_transfer SET xid = '99999999999'")
    as_owner.execute("ALTER TABLE ledger_transfer ENABLE ALWAYS TRIGGER closed")
    as_owner.execute("UPDATE ledger_sealer SET server = 1, xid = '99999999999'")
    assert sealed() == 0
    assert head().unsealed_s == 0
    post("after", BANK, ACME, 5)
    may_be_sealed = value(
        "SELECT xid < pg_snapshot_xmin(pg_current_snapshot()) FROM ledger_transfer WHERE key = 'after'"
    )
    assert sealed() == 1 or not may_be_sealed


def test_nobody_seals_without_a_limit(books: str) -> None:
    for limit in (None, 0, -1):
        with pytest.raises(Exception, match="seal at least one"), transaction.atomic():
            run("SELECT ledger_seal_next(%s)", [limit])
    assert head().seq == 0


def test_the_runtime_role_writes_no_seal(books: str) -> None:
    sealed()
    for attack in (
        "INSERT INTO ledger_seal SELECT seq + 9, transfer_id, leaf, hash, sealed_at FROM ledger_seal",
        "UPDATE ledger_seal SET hash = leaf",
        "DELETE FROM ledger_seal",
        "TRUNCATE ledger_seal",
        "UPDATE ledger_sealer SET seq = 0",
        "DELETE FROM ledger_sealer",
        "INSERT INTO ledger_anchor (day, seq, hash, made_at) SELECT '2020-01-01', seq, hash, now() FROM ledger_sealer",
        "UPDATE ledger_anchor SET hash = '', seq = 0",
        "DELETE FROM ledger_anchor",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            run(attack)


TAMPERED = [
    ("transfer SET amount_micros = 90 WHERE key = 'pay-1'", "transfer pay-1 of 90 is posted as"),
    ("transfer SET memo = 'other' WHERE key = 'pay-1'", "seal 3 (transfer pay-1) does not say what was sealed"),
    ("transfer SET made_at = made_at - interval '1 day' WHERE key = 'pay-2'", "seal 4 (transfer pay-2) does not say"),
    ("posting SET delta_micros = 90 WHERE delta_micros = 100 AND version = 2", "transfer pay-1 of 100 is posted as"),
    ("posting SET balance_after_micros = 1 WHERE delta_micros = 100 AND version = 2", "posting 2 of worker:zoe"),
    ("account SET balance_micros = 5000 WHERE address = 'worker:zoe:earned'", "says 5000, its transfers 400"),
    ("account SET address = 'worker:eve:earned' WHERE address = 'worker:zoe:earned'", "seal 2 (transfer pay-0)"),
    ("seal SET leaf = sha256('x') WHERE seq = 2", "seal 2 (transfer pay-0) does not say"),
    ("seal SET hash = sha256('x') WHERE seq = 2", "seal 2 (transfer pay-0) does not continue"),
    ("seal SET transfer_id = 2 WHERE seq = 4", "seal 4 (transfer pay-0) does not say"),
    ("anchor SET hash = sha256('x')", "seal 4 is not the one that was written down on"),
    ("sealer SET hash = sha256('x')", "the head names seal 5, the chain ends at 5"),
    ("posting WHERE version = 3", "transfer pay-1 of 100 is posted as"),
    ("seal WHERE seq = 3", "seal 4 (transfer pay-2) follows seal 2"),
    ("seal WHERE seq = 5", "the head names seal 5, the chain ends at 4"),
    ("seal WHERE seq > 3", "seal 4 is not the one that was written down on"),
]


@pytest.fixture
def unguarded(books: str, as_owner: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who owns the tables and has switched their guards off."""
    assert sealed(4) == 4
    anchor_daily()
    assert sealed() == 1
    for table in ("account", "transfer", "posting", "seal", "sealer", "anchor"):
        as_owner.execute(f"ALTER TABLE ledger_{table} DISABLE TRIGGER USER")
    as_owner.execute("ALTER TABLE ledger_seal DROP CONSTRAINT ledger_seal_transfer_id_key CASCADE")
    yield as_owner


@pytest.mark.parametrize(("forgery", "named"), TAMPERED, ids=[forgery[:50] for forgery, _ in TAMPERED])
def test_whoever_rewrites_history_is_found_and_the_first_bad_row_named(
    unguarded: psycopg.Connection[Any], forgery: str, named: str
) -> None:
    verb = "UPDATE ledger_" if " SET " in forgery else "DELETE FROM ledger_"
    assert unguarded.execute(verb + forgery).rowcount >= 1
    found = audit().first_bad
    assert found is not None and named in found
    assert set(broken_views()) - {"inv_r02"}, "the views see it too"


def test_the_audit_counts_what_it_looked_at(books: str) -> None:
    sealed()
    done = audit()
    assert (done.transfers, done.postings, done.accounts, done.seals, done.first_bad) == (5, 10, 3, 5, None)
    assert isinstance(done, Audit)


def test_the_end_of_the_chain_is_written_down_and_mailed_once_a_day(
    books: str, clock: Callable[[timedelta], None], settings: Any, mailoutbox: list[Any]
) -> None:
    settings.LEDGER_ANCHOR_EMAILS = []
    sealed()
    anchor_daily()
    assert [(anchor["seq"], anchor["sent"]) for anchor in anchors()] == [(5, False)] and not mailoutbox
    settings.LEDGER_ANCHOR_EMAILS = ["auditor@example.org"]
    anchor_daily()
    anchor_daily()
    assert len(mailoutbox) == 1 and head().hash in mailoutbox[0].body
    post("later", BANK, ACME, 5)
    older_ended()
    sealed()
    clock(timedelta(days=1))
    anchor_daily()
    assert [(anchor["seq"], anchor["sent"]) for anchor in anchors()] == [(6, True), (5, True)] and len(mailoutbox) == 2
    assert broken_views() == [] and audit().anchors == 2
    with pytest.raises(IntegrityError, match="an anchor stays"), transaction.atomic():
        run("UPDATE ledger_anchor SET sent_at = now()")


def test_a_transfer_is_taken_back_once_wholly_or_in_part(books: str) -> None:
    with one_transaction(principal="test"):
        assert reverse(key="undo-0", of="pay-0", memo="paid in error") == 1
    with one_transaction(principal="test"):
        assert reverse(key="undo-0", of="pay-0", memo="paid in error") == 0
    with one_transaction(principal="test"):
        assert reverse(key="undo-1", of="pay-1", memo="half of it", amount_micros=50) == 1
    assert balance(ZOE, "EUR") == 250
    for refused, terms in (
        (NotReversible, {"key": "again", "of": "pay-0"}),
        (NotReversible, {"key": "again", "of": "undo-0"}),
        (NotReversible, {"key": "more", "of": "pay-2", "amount_micros": 101}),
        (NoSuchTransfer, {"key": "ghost", "of": "nothing"}),
        (TransferKeyReused, {"key": "pay-3", "of": "pay-2"}),
    ):
        with pytest.raises(refused), one_transaction(principal="test"):
            reverse(**terms, memo="")  # type: ignore[arg-type]
    post("spent", ZOE, BANK, 250)
    with pytest.raises(NotEnough), one_transaction(principal="test"):
        reverse(key="undo-3", of="pay-3", memo="")
    assert balance(ZOE, "EUR") == 0
    older_ended()
    sealed()
    assert broken_views() == [] and audit().first_bad is None


def test_no_reversal_says_anything_but_the_opposite(books: str) -> None:
    insert = (
        "INSERT INTO ledger_transfer"
        " (key, kind, source_id, destination_id, currency, amount_micros, reverses_id, made_at)"
        " SELECT 'raw', 'reversal', {}, t.currency, {}, t.id, now() FROM ledger_transfer t, ledger_account o"
        " WHERE t.key = 'pay-0' AND o.address = 'outside:bank'"
    )
    for accounts, amount in (
        ("t.source_id, t.destination_id", "t.amount_micros"),
        ("t.destination_id, o.id", "t.amount_micros"),
        ("t.destination_id, t.source_id", "t.amount_micros + 1"),
    ):
        with pytest.raises(Exception, match="a reversal takes back"), transaction.atomic():
            run(insert.format(accounts, amount))
    assert value("SELECT count(*) FROM ledger_transfer") == 5
