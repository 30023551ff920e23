"""The warden asks what the site understands, and what he notes is what is stored."""

import json
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from marketplace.accounts.commands import ensure_staff
from marketplace.accounts.models import Sanction
from marketplace.common.transactions import one_transaction
from tests import factories as make
from tests.api.callers import caller_for
from tests.conftest import owner_connection
from tests.torture.actors.warden import Warden
from tests.torture.caller import Reply
from tests.torture.checkers import stored
from tests.torture.compare import compare
from tests.torture.journal import Journal, Journals
from tests.torture.stage import Person


@pytest.fixture
def warden(committed: str, tmp_path: Path) -> Warden:
    """One who asks in this process."""
    with one_transaction(principal="test"):
        staff = ensure_staff(email=make.make_user().email)
    caller = caller_for(staff, "staff")
    made: Any = object.__new__(Warden)
    made.name, made.imposed, made._writes, made.chance = "warden", [], 0, Random(5)
    made.stage = SimpleNamespace(workers=[Person("w", "", str(make.make_worker().public_id)) for _ in range(3)])
    made.journal = Journal(tmp_path / "warden.jsonl", "warden")

    def ask(method: str, path: str, content: bytes | None, key: str | None, kind: str) -> Reply:
        reply = caller.call(method, path.lstrip("/"), raw=content, key=key, content_type=kind)
        return Reply(reply.status, reply.body)

    made._until_answered = ask
    return made  # type: ignore[no-any-return]


def test_he_limits_and_lifts_and_his_journal_agrees_with_the_database(warden: Warden, tmp_path: Path) -> None:
    for _ in range(60):
        warden.step()
    journals = Journals(tmp_path)
    facts = journals.read_on()
    assert {fact["did"] for fact in facts} == {"sanction"}
    assert {fact["measure"] for fact in facts} == {"limit", "slow_down", "ban", "extra_gold"}
    assert {fact["lifted"] for fact in facts} == {True, False}
    assert Sanction.objects.count() == len({fact["sanction"] for fact in facts})
    with owner_connection(settings.DATABASES["default"]["NAME"]) as database:
        assert compare(facts, stored(database)) == []
        # A lift that was acknowledged and is not there is found.
        lifted = next(fact for fact in facts if fact["lifted"])
        database.execute("ALTER TABLE accounts_sanction DISABLE TRIGGER USER")
        database.execute(
            "UPDATE accounts_sanction SET lifted_at = NULL, lifted_by_id = NULL, lift_reason = '' WHERE public_id = %s",
            [lifted["sanction"]],
        )
        assert [json.loads(json.dumps(one.kind)) for one in compare(facts, stored(database))] == ["lost"]
