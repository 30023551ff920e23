"""The audit log (R36): a row is written in the transaction of its act and sealed at its commit; whoever rewrites the
log is found out, and the first bad row is named."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, ProgrammingError, connections, transaction

from marketplace.accounts.acts import ACTS, KINDS, kind_of, plain
from marketplace.accounts.audit import audit_log
from marketplace.accounts.commands import record
from marketplace.accounts.models import Act, ActAnchor, ActSeal
from marketplace.accounts.queries import act_head
from marketplace.accounts.tasks import anchor_acts_daily
from marketplace.common.database import run, value
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.acts import broken_views


def note(number: int = 0) -> None:
    with one_transaction(principal="system"):
        record("money.deposit_recorded", subject="deposit", subject_id=f"d{number}", after={"amount_micros": 5})


@pytest.fixture
def noted(committed: str) -> str:
    for number in range(5):
        note(number)
    return committed


def test_each_row_is_sealed_at_its_commit_in_the_order_of_the_commits(noted: str) -> None:
    seals = list(ActSeal.objects.order_by("seq").values_list("seq", "act__subject_id"))
    assert seals == [(1, "d0"), (2, "d1"), (3, "d2"), (4, "d3"), (5, "d4")]
    assert act_head()[0] == 5
    done = audit_log()
    assert (done.rows, done.first_bad) == (5, None)
    assert broken_views() == []


def test_what_is_rolled_back_leaves_no_row_and_no_gap(noted: str) -> None:
    with pytest.raises(RuntimeError), one_transaction(principal="system"):
        record("money.deposit_recorded", subject="deposit", subject_id="lost")
        raise RuntimeError
    note(9)
    assert not Act.objects.filter(subject_id="lost").exists()
    assert ActSeal.objects.get(act__subject_id="d9").seq == 6
    assert audit_log().first_bad is None


def test_who_acts_at_once_makes_one_chain_and_no_deadlock(noted: str) -> None:
    def often(number: int) -> None:
        try:
            for _ in range(10):
                note(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(often, range(10, 16)))
    assert audit_log().rows == 65
    assert broken_views() == []


def test_the_runtime_role_may_only_add_and_only_by_the_function(noted: str) -> None:
    for attack in (
        "INSERT INTO accounts_act (act, via, subject, subject_id, why, request_id, made_at)"
        " VALUES ('money.deposit_recorded', 'x', 'x', 'x', '', 'x', now())",
        "UPDATE accounts_act SET why = 'x'",
        "DELETE FROM accounts_act",
        "TRUNCATE accounts_act CASCADE",
        "INSERT INTO accounts_actseal SELECT seq + 9, act_id, leaf, hash FROM accounts_actseal",
        "UPDATE accounts_actseal SET hash = leaf",
        "DELETE FROM accounts_actseal",
        "UPDATE accounts_acthead SET seq = 0",
        "DELETE FROM accounts_acthead",
        "INSERT INTO accounts_actanchor (day, seq, hash, made_at)"
        " SELECT '2020-01-01', seq, hash, now() FROM accounts_acthead",
        "UPDATE accounts_actanchor SET hash = '', seq = 0",
        "DELETE FROM accounts_actanchor",
        "ALTER TABLE accounts_act DISABLE TRIGGER ALL",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), transaction.atomic():
            run(attack)
    assert audit_log().rows == 5


@pytest.mark.parametrize("as_replica", [False, True])
def test_the_owner_of_the_tables_is_refused_too_while_the_guards_stand(
    noted: str, as_owner: psycopg.Connection[Any], as_replica: bool
) -> None:
    if as_replica:
        try:
            as_owner.execute("SET session_replication_role = replica")
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("the owner may not")
    for attack, constraint in (
        ("UPDATE accounts_act SET why = 'x'", "append_only"),
        ("DELETE FROM accounts_act", "append_only"),
        ("TRUNCATE accounts_act CASCADE", "append_only"),
        ("UPDATE accounts_actseal SET hash = leaf", "append_only"),
        ("DELETE FROM accounts_actseal", "append_only"),
        ("INSERT INTO accounts_actseal SELECT seq + 9, act_id, leaf, hash FROM accounts_actseal", "by_trigger_only"),
        ("UPDATE accounts_acthead SET seq = 0", "by_trigger_only"),
        ("DELETE FROM accounts_acthead", "append_only"),
    ):
        with pytest.raises(psycopg.Error) as refused:
            as_owner.execute(attack)
        assert refused.value.diag.constraint_name == constraint, attack
    assert audit_log().first_bad is None


TAMPERED = [
    ("act SET after = '{\"amount_micros\": 9}' WHERE subject_id = 'd1'", "row 2 (act "),
    ("act SET actor_id = (SELECT min(id) FROM accounts_user) WHERE subject_id = 'd3'", "row 4 (act "),
    ("act SET made_at = made_at - interval '1 day' WHERE subject_id = 'd2'", "row 3 (act "),
    ("act SET request_id = 'other' WHERE subject_id = 'd4'", "row 5 (act "),
    ("act SET why = 'mistake' WHERE subject_id = 'd0'", "row 1 (act "),
    ("actseal SET leaf = sha256('x') WHERE seq = 2", "does not say what was sealed"),
    ("actseal SET hash = sha256('x') WHERE seq = 2", "row 2 (act "),
    ("actseal WHERE seq = 3", "follows seal 2"),
    ("actseal WHERE seq = 5", "has no place in the chain"),
    ("acthead SET hash = sha256('x')", "the head names seal 5, the chain ends at 5"),
    ("acthead SET seq = 4", "the head names seal 4, the chain ends at 5"),
    ("actanchor SET hash = sha256('x')", "seal 5 is not the one that was written down on"),
]


@pytest.fixture
def unguarded(noted: str, as_owner: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Somebody who owns the tables and has switched their guards off."""
    make.make_user()
    anchor_acts_daily()
    for table in ("act", "actseal", "acthead", "actanchor"):
        as_owner.execute(f"ALTER TABLE accounts_{table} DISABLE TRIGGER USER")
    yield as_owner


@pytest.mark.parametrize(("forgery", "named"), TAMPERED, ids=[forgery[:40] for forgery, _ in TAMPERED])
def test_whoever_rewrites_the_log_is_found_and_the_first_bad_row_named(
    unguarded: psycopg.Connection[Any], forgery: str, named: str
) -> None:
    verb = "UPDATE accounts_" if " SET " in forgery else "DELETE FROM accounts_"
    assert unguarded.execute(verb + forgery).rowcount == 1
    found = audit_log().first_bad
    assert found is not None and named in found
    assert set(broken_views()) >= {"inv_r36_log", "inv_r36_log_guards"}, "./run check sees it too"
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_log", stdout=out)
    assert found in out.getvalue()


def test_a_row_that_is_taken_out_with_its_seal_is_missed(unguarded: psycopg.Connection[Any]) -> None:
    unguarded.execute("DELETE FROM accounts_actseal WHERE seq = 3")
    unguarded.execute("DELETE FROM accounts_act WHERE subject_id = 'd2'")
    assert "row 4 (act " in str(audit_log().first_bad) and "follows seal 2" in str(audit_log().first_bad)


def test_a_row_that_is_slipped_in_without_its_guards_has_no_place(unguarded: psycopg.Connection[Any]) -> None:
    unguarded.execute(
        "INSERT INTO accounts_act (act, via, subject, subject_id, why, request_id, made_at)"
        " VALUES ('money.deposit_recorded', 'system', 'deposit', 'slipped', '', 'r', now())"
    )
    assert "has no place in the chain" in str(audit_log().first_bad)


def test_who_rewrites_the_whole_chain_disagrees_with_what_was_written_down(
    unguarded: psycopg.Connection[Any],
) -> None:
    """All of it forged in itself, from the second row on: only the line that was kept elsewhere tells."""
    unguarded.execute("UPDATE accounts_act SET why = 'forged' WHERE subject_id = 'd1'")
    unguarded.execute(
        """
        DO $$ DECLARE one record; last bytea := sha256('touchstone'); BEGIN
            FOR one IN SELECT x.seq, a.* FROM accounts_actseal x JOIN accounts_act a ON a.id = x.act_id ORDER BY x.seq
            LOOP
                UPDATE accounts_actseal SET leaf = accounts_act_leaf(one.id, one.act, one.actor_id, one.via,
                    one.subject, one.subject_id, one.why, one.before, one.after, one.request_id, one.made_at)
                 WHERE seq = one.seq;
                UPDATE accounts_actseal SET hash = sha256(last || leaf) WHERE seq = one.seq RETURNING hash INTO last;
            END LOOP;
            UPDATE accounts_acthead SET hash = last;
        END $$
        """
    )
    assert "is not the one that was written down on" in str(audit_log().first_bad)


def test_the_time_and_the_transaction_of_a_row_are_the_databases(noted: str, as_owner: psycopg.Connection[Any]) -> None:
    as_owner.execute(
        "INSERT INTO accounts_act (act, via, subject, subject_id, why, request_id, made_at, xid)"
        " VALUES ('money.deposit_recorded', 'system', 'deposit', 'dated-back', '', 'r', '2001-01-01', '5')"
    )
    assert value("SELECT made_at > now() - interval '1 minute' FROM accounts_act WHERE subject_id = 'dated-back'")
    assert audit_log().first_bad is None


PERSONAL = (
    {"mail": "ada@example.org"}, {"note": "two words"}, {"inner": {"a": 1}}, {"a b": 1}, {"list": [["x"]]},
    {"name": "Müller"}, {"text": "x" * 81},
)  # fmt: skip


@pytest.mark.parametrize("facts", PERSONAL, ids=str)
def test_what_could_be_a_sentence_or_an_address_does_not_get_in(db: None, facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError), one_transaction(principal="system"):
        record("money.deposit_recorded", subject="deposit", subject_id="d", after=facts)
    with pytest.raises(IntegrityError, match="act_facts"), transaction.atomic():
        run(
            "SELECT accounts_record('money.deposit_recorded', NULL, 'system', 'deposit', 'd', '', NULL, %s::jsonb, '')",
            [json.dumps(facts)],
        )


@pytest.mark.parametrize(
    ("column", "given"),
    [("subject_id", "ada@example.org"), ("why", "because he said so"), ("via", "key user"), ("act", "x")],
)
def test_no_other_column_takes_one_either(db: None, column: str, given: str) -> None:
    said = {"act": "money.deposit_recorded", "via": "system", "subject_id": "d", "why": ""} | {column: given}
    with pytest.raises(IntegrityError), transaction.atomic():
        run(
            "SELECT accounts_record(%s, NULL, %s, 'deposit', %s, %s, NULL, NULL, '')",
            [said["act"], said["via"], said["subject_id"], said["why"]],
        )


def test_a_long_list_is_cut_and_counted() -> None:
    told = plain({"answers": [uuid4() for _ in range(60)]})
    assert told is not None
    assert (len(told["answers"]), told["answers_count"]) == (50, 60)


def test_who_acts_is_the_principal_or_who_is_named(db: None) -> None:
    ada, bea = make.make_user(), make.make_user()
    for principal, by, told in (
        (f"key-user:{ada.pk}", None, (ada.pk, "key")),
        (f"form-user:{ada.pk}", None, (ada.pk, "form")),
        (f"form-user:{ada.pk}", bea.pk, (bea.pk, "form")),
        ("console", None, (None, "console")),
        ("anonymous:/api/v1/x", None, (None, "anonymous")),
    ):
        with one_transaction(principal=principal):
            record("gold.viewed", subject="batch", subject_id="b", by=by)
        row = Act.objects.latest("pk")
        assert (row.actor_id, row.via) == told
        assert row.request_id.startswith("tx-")


def test_an_act_that_is_not_in_the_list_is_not_written(db: None) -> None:
    with pytest.raises(AssertionError), one_transaction(principal="system"):
        record("money.conjured", subject="x", subject_id="x")
    assert {kind_of(act) for act in ACTS} == set(KINDS)


def test_the_end_of_the_chain_is_written_down_and_mailed_once_a_day(
    noted: str, clock: Callable[[timedelta], None], settings: Any, mailoutbox: list[Any]
) -> None:
    settings.LEDGER_ANCHOR_EMAILS = []
    anchor_acts_daily()
    assert list(ActAnchor.objects.values_list("seq", "sent_at")) == [(5, None)] and not mailoutbox
    settings.LEDGER_ANCHOR_EMAILS = ["auditor@example.org"]
    anchor_acts_daily()
    anchor_acts_daily()
    assert len(mailoutbox) == 1 and act_head()[1] in mailoutbox[0].body
    clock(timedelta(days=1))
    note(9)
    anchor_acts_daily()
    assert list(ActAnchor.objects.order_by("day").values_list("seq", flat=True)) == [5, 6]
    assert len(mailoutbox) == 2
    assert audit_log().anchors == 2
