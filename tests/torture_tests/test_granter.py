"""The granter asks what the site understands, and what he notes is what the audit log says."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from marketplace.accounts.queries import staff_roles
from tests import factories as make
from tests.api.callers import caller_for
from tests.conftest import owner_connection
from tests.payouts.people import make_staff
from tests.torture.actors import granter
from tests.torture.actors.base import Actor
from tests.torture.checkers import stored
from tests.torture.compare import compare
from tests.torture.journal import Journals
from tests.torture.stage import Person
from tests.torture_tests.asking import asks


@pytest.fixture
def made(committed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One with a colleague and a clerk."""
    requester, chief = make.make_requester(), make_staff()
    colleague, clerk = make.make_user(), make.make_user()
    monkeypatch.setattr(granter, "_email", {"colleague": colleague.email, "clerk": clerk.email}.__getitem__)
    it: Any = object.__new__(granter.Granter)
    it.colleague, it.chief = object.__new__(Actor), object.__new__(Actor)
    it.role, it.staff_roles, it.times = "", set(), granter.Counter()
    it.person = Person("owner", "", str(requester.public_id))
    it.stage = SimpleNamespace(
        colleague=Person("colleague", "", str(colleague.public_id)), clerk=Person("clerk", "", str(clerk.public_id))
    )
    asks(it, "granter", caller_for(make.owner_of(requester), "requester"), tmp_path)
    asks(it.colleague, "granter-colleague", caller_for(colleague, "requester"), tmp_path)
    asks(it.chief, "granter-chief", caller_for(chief, "staff"), tmp_path)
    it.clerk_id = clerk.pk
    return it


def test_he_gives_and_takes_and_his_journal_agrees_with_the_log(made: Any, tmp_path: Path) -> None:
    for _ in range(60):
        made.step()
    journals = Journals(tmp_path)
    facts = journals.read_on()
    assert {fact["did"] for fact in facts} == {"role"}
    assert {fact["act"] for fact in facts} == {
        "permission.member_added",
        "permission.role_changed",
        "permission.member_removed",
        "permission.staff_granted",
        "permission.staff_revoked",
    }
    assert staff_roles(made.clerk_id) == made.staff_roles
    with owner_connection(settings.DATABASES["default"]["NAME"]) as database:
        now = stored(database)
    assert compare(facts, now) == []
    # Each change has just one row: what was repeated under its key has none of its own.
    theirs = {made.stage.colleague.id, made.stage.clerk.id}
    assert sum(times for (_, _, user, _), times in now.given.items() if user in theirs) == len(facts)
    # A row that is missing is found.
    now.given[next(key for key in now.given if key[2] in theirs)] -= 1
    assert [finding.kind for finding in compare(facts, now)] == ["lost"]
