"""Two owners who remove each other at once: one of them stays."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from marketplace.accounts.commands import change_role, remove_member
from marketplace.accounts.errors import LastOwner
from marketplace.accounts.models import Member
from marketplace.common.database import value
from marketplace.common.transactions import one_transaction
from tests import factories as make

Together = Callable[..., list[Any]]


def test_of_two_owners_who_go_at_once_one_stays(committed: str, together: Together) -> None:
    for turn in range(10):
        requester = make.make_requester(funds_micros=0)
        owners = [make.owner_of(requester), make.make_user()]
        Member.objects.create(requester=requester, user=owners[1], role="owner")

        def go(at: int, requester: Any = requester, owners: Any = owners, turn: int = turn) -> None:
            with one_transaction(principal="test"):
                if turn % 2:
                    remove_member(requester_id=requester.pk, member=owners[at].public_id)
                else:
                    change_role(requester_id=requester.pk, member=owners[at].public_id, role="viewer")

        done = together([lambda at=at: go(at) for at in range(2)])

        assert sorted(type(one) for one in done if one is not None) == [LastOwner]
        assert Member.objects.filter(requester=requester, role="owner").count() == 1
    assert value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


def test_even_the_owner_of_the_tables_leaves_an_owner(committed: str, as_owner: psycopg.Connection[Any]) -> None:
    requester = make.make_requester()
    with pytest.raises(psycopg.errors.CheckViolation, match="without an owner"):
        as_owner.execute("DELETE FROM accounts_member")
    assert Member.objects.get(requester=requester).role == "owner"
