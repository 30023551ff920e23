"""The balance itself refuses to go below zero, also where nothing that posts transfers looks."""

from typing import Any

import psycopg
import pytest

from marketplace.common.transactions import one_transaction
from marketplace.ledger.commands import Move, move
from marketplace.ledger.queries import balance


def test_a_balance_below_zero_is_refused_by_its_row_alone(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    with one_transaction(principal="test"):
        move([Move("d", "deposit", "outside:bank", "requester:acme:funds", "EUR", 1_000)])
    as_owner.execute("ALTER TABLE ledger_account DISABLE TRIGGER balance_by_trigger")
    lower = "UPDATE ledger_account SET balance_micros = balance_micros - 1001 WHERE address = %s"
    with pytest.raises(psycopg.errors.CheckViolation, match="no_overdraft"):
        as_owner.execute(lower, ["requester:acme:funds"])
    assert balance("requester:acme:funds", "EUR") == 1_000
    assert as_owner.execute(lower, ["outside:bank"]).rowcount == 1
